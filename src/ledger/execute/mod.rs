//! A whole block: from undecided entries to receipts, operations, changes to the state, and the header.
//!
//! ```text
//! 1. forget the ids whose time is over
//! 2. apply the transactions, in order                     -> receipts
//! 3. missed rounds and slashes, by round; fees; reward    -> operations
//! 4. the supply law                                       or stop
//! 5. changes -> state tree -> roots -> header
//! ```
//!
//! Execution is a function of its arguments. It changes neither the state nor the tree: whoever has had the block
//! sealed writes the changes and commits the tree's update.

mod accounts;
mod header;
mod ids;
mod operations;

use crate::chain::{
    Content, Cut, Entry, Extension, Hash, Header, Operation, Outcome, Parameters, Receipt, ValidatorId,
};
use crate::chain::{Transaction, check, to_canonical};

use super::apply::{Request, Rules};
use super::state::{self, Changes, Supply, Table, Tip, View};
use super::{Error, Signature, Tree, tree};
use accounts::Accounts;
use ids::Ids;
use operations::Committee;

/// More bytes than the largest transaction takes in a block. (A test renders it.)
pub(super) const TRANSACTION_SIZE_BYTES_MAX: u64 = 4096;

/// A block to be: everything about it that does not follow from the state.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The records, in order. What receipts they have does not matter.
    pub entries: &'a [Entry],
    /// What their signatures are worth, one for each entry ([`signatures::verify`](super::signatures::verify)).
    pub signatures: &'a [Signature],
    /// Why the block ends.
    pub cut: Cut,
    /// Who proposes it.
    pub proposer: &'a ValidatorId,
    /// In which round.
    pub round: u32,
    /// What became of the rounds before, from round 0: one [`Operation::Missed`] or [`Operation::Slash`] for each.
    /// Evidence must have been checked: executing only does the books.
    pub prior: &'a [Operation],
    /// The header's extensions.
    pub extensions: &'a [Extension],
}

/// What executing a candidate gives.
#[derive(Clone, Debug)]
pub struct Executed {
    /// The header.
    pub header: Header,
    /// The header's hash: the block's.
    pub hash: Hash,
    /// The receipts, one for each entry; none for a stub.
    pub receipts: Vec<Option<Receipt>>,
    /// All operations of the block.
    pub operations: Vec<Operation>,
    /// What the block makes of the supply.
    pub supply: Supply,
    /// What changes, but for the tip: see [`Executed::into_changes`].
    pub changes: Changes,
    /// What the changes make of the state tree.
    pub update: tree::Update,
}

impl Executed {
    /// The entries with their receipts. The entries must be those of the candidate.
    #[must_use]
    pub fn decide(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        for (entry, decided) in entries.iter_mut().zip(&self.receipts) {
            if let (Content::Transaction { receipt, .. }, Some(decided)) = (&mut entry.content, decided) {
                *receipt = *decided;
            }
        }
        entries
    }

    /// The state's last block once this one is sealed; `next_seed` follows from the seal's reveal.
    #[must_use]
    pub fn tip(&self, next_seed: Hash) -> Tip {
        Tip {
            chain_id: self.header.chain_id.clone(),
            height: self.header.height,
            hash: self.hash,
            time_ms: self.header.time_ms,
            seed: next_seed,
            state_root: self.header.state_root,
        }
    }

    /// What is to be written and committed once the block is sealed, the tip included.
    #[must_use]
    pub fn into_changes(mut self, next_seed: Hash) -> (Changes, tree::Update) {
        let tip = self.tip(next_seed);
        self.changes.put_tip(&tip);
        (self.changes, self.update)
    }
}

/// An entry for a transaction that nobody has executed yet: its receipt says nothing.
#[must_use]
pub fn undecided(origin: crate::chain::Origin, original: Hash, transaction: Transaction) -> Entry {
    let receipt = Receipt { outcome: Outcome::Applied, from_balance: 0, to_balance: 0 };
    Entry { origin, original, content: Content::Transaction { transaction, receipt } }
}

/// Executes a candidate on a state and the tree of that state.
pub fn execute<V: View + ?Sized>(
    view: &V,
    tree: &Tree,
    parameters: &Parameters,
    candidate: &Candidate<'_>,
) -> Result<Executed, Error<V::Error>> {
    let tip = state::tip(view)?;
    let height = check_start(view, tree, parameters, candidate, &tip)?;
    check::ascending(candidate.entries).map_err(Error::candidate)?;

    let mut committee = Committee::load(view)?;
    let proposer_account = operations::account_of(candidate.proposer).map_err(Error::candidate)?;
    let mut accounts = Accounts::load(view, candidate.entries, &proposer_account, |name| {
        committee.owner(name, parameters.signatures)
    })?;
    let mut ids = Ids::load(view, candidate.entries, height)?;

    let rules = Rules { parameters, height };
    let mut applied = 0u64;
    let mut receipts = Vec::with_capacity(candidate.entries.len());
    for (place, entry) in candidate.entries.iter().enumerate() {
        let Content::Transaction { transaction, .. } = &entry.content else {
            receipts.push(None);
            continue;
        };
        let signature = candidate.signatures[place];
        let receipt = apply(&rules, &mut accounts, &mut ids, place, entry, transaction, signature);
        applied += u64::from(receipt.is_applied());
        receipts.push(Some(receipt));
    }

    let fees = i128::from(applied) * i128::from(parameters.fee.get());
    let mut books = operations::Books { height, parameters, fees, minted: 0, burnt: 0, operations: Vec::new() };
    books.prior(&mut committee, candidate).map_err(Error::candidate)?;
    books.pay(candidate.proposer, &proposer_account, accounts.proposer());

    let supply = check_supply_law(view, &accounts, &committee, &books)?;
    let mut changes = Changes::new();
    accounts.write_changes(&mut changes);
    ids.write_changes(height, parameters.ids_remember_blocks, &mut changes);
    committee.write_changes(&mut changes);
    changes.put(Table::Chain, state::SEED, &to_canonical(&tip.seed));
    if books.minted != 0 || books.burnt != 0 {
        changes.put(Table::Chain, state::SUPPLY, &to_canonical(&supply));
    }
    let update = tree.update(changes.to_tree())?;
    let header = header::build(&header::Parts {
        tip: &tip,
        height,
        parameters,
        candidate,
        ranges: check::ranges(candidate.entries),
        receipts: &receipts,
        operations: &books.operations,
        state_root: update.root(),
        validators: committee.hash(),
    });
    let operations = books.operations;
    Ok(Executed { hash: header.hash(), header, receipts, operations, supply, changes, update })
}

/// Checks that the arguments belong together; answers the block's height.
fn check_start<V: View + ?Sized>(
    view: &V,
    tree: &Tree,
    parameters: &Parameters,
    candidate: &Candidate<'_>,
    tip: &Tip,
) -> Result<u64, Error<V::Error>> {
    if tree.root() != tip.state_root {
        return Err(Error::OtherTree { tree: tree.root(), state: tip.state_root });
    }
    if state::parameters(view)? != *parameters {
        return Err(Error::candidate("the parameters given are not those of the state"));
    }
    let (entries, signatures) = (candidate.entries.len(), candidate.signatures.len());
    if entries != signatures {
        return Err(Error::candidate(format!(
            "{entries} entries with {signatures} signature answers: give one for each"
        )));
    }
    if entries == 0 {
        return Err(Error::candidate("it holds no records"));
    }
    tip.height.checked_add(1).ok_or_else(|| Error::candidate("no height comes after the last one"))
}

fn apply(
    rules: &Rules<'_>,
    accounts: &mut Accounts<'_>,
    ids: &mut Ids,
    place: usize,
    entry: &Entry,
    transaction: &Transaction,
    signature: Signature,
) -> Receipt {
    let size_bytes_max = u64::from(rules.parameters.block_max_bytes);
    let too_large = size_bytes_max < TRANSACTION_SIZE_BYTES_MAX && entry.rendered_size_bytes() as u64 > size_bytes_max;
    let owner = accounts.owner(place);
    let request = Request { transaction, signature, owner, remembered: ids.remembered(place), too_large };
    let (from, to) = accounts.of(place);
    let outcome = match rules.apply(&request, from, to) {
        Ok(transfer) => {
            accounts.set(place, transfer);
            ids.remember(place, rules.height, transaction);
            Outcome::Applied
        }
        Err(reason) => Outcome::Rejected(reason),
    };
    let (from, to) = accounts.of(place);
    Receipt { outcome, from_balance: from.balance, to_balance: to.unwrap_or(from).balance }
}

/// What the block makes of the supply, once it is certain that nothing else came into being or was lost.
fn check_supply_law<V: View + ?Sized>(
    view: &V,
    accounts: &Accounts<'_>,
    committee: &Committee,
    books: &operations::Books<'_>,
) -> Result<Supply, Error<V::Error>> {
    let change = accounts.change() + committee.change();
    let booked = books.minted - books.burnt;
    if change != booked {
        return Err(Error::SupplyLaw { change, booked });
    }
    let before = state::supply(view)?;
    Ok(Supply {
        genesis: before.genesis,
        minted: before.minted.saturating_add(books.minted),
        burnt: before.burnt.saturating_add(books.burnt),
    })
}
