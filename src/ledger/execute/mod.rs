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
//! Execution is a function of its arguments. It changes neither the state nor the replica: a sealer whose
//! block is sealed lets the replica advance and writes the changes.

mod accounts;
mod coverage;
mod header;
mod ids;
mod operations;

use crate::chain::{
    Content, Cut, Entry, Extension, Hash, Header, Name, Operation, Outcome, Receipt, Transaction, ValidatorId,
    WorkAuthor,
};

use super::apply::{Request, Rules};
use super::replica::Replica;
use super::state::{self, Changes, Covered, Supply, Table, View, to_record};
use super::validators::{Validators, earnings_account};
use super::{Error, Signature, tree};
use accounts::Accounts;
pub(super) use coverage::Stretches;
pub(super) use header::Roots;
use ids::Ids;
use operations::{Books, Committee};

/// More bytes than the largest transaction takes in a block. (A test renders it.)
pub(super) const TRANSACTION_SIZE_BYTES_MAX: u64 = 4096;

/// A block to be: everything about it that does not follow from the chain so far.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The records, in order. What receipts they have does not matter.
    pub entries: &'a [Entry],
    /// What their signatures are worth, one for each entry ([`signatures::verify`](super::signatures::verify)).
    pub signatures: &'a [Signature],
    /// Why the block ends.
    pub cut: Cut,
    /// Who makes it.
    pub maker: Maker<'a>,
    /// The header's extensions.
    pub extensions: &'a [Extension],
}

/// Who makes a block.
#[derive(Clone, Copy, Debug)]
pub enum Maker<'a> {
    /// A validator.
    Proposer {
        /// Which.
        proposer: &'a ValidatorId,
        /// In which round.
        round: u32,
        /// What became of the rounds before, from round 0: one [`Operation::Missed`] or [`Operation::Slash`] for each.
        /// Evidence must have been checked: executing only does the books.
        prior: &'a [Operation],
    },
    /// A miner. That the chain is one of work, and what was mined against, must have been checked.
    Miner(&'a WorkAuthor),
}

impl Maker<'_> {
    /// The account that takes fees and reward; or why there can be none.
    fn earnings(&self) -> Result<Name, String> {
        match self {
            Self::Proposer { proposer, .. } => {
                earnings_account(proposer).map_err(|error| format!("{proposer} proposes no block: {error}"))
            }
            Self::Miner(author) => Ok(author.miner.clone()),
        }
    }
}

/// What executing a candidate gives. Nothing has changed yet: see [`Replica::advance`].
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
    changes: Changes,
    update: tree::Update,
    supply: Supply,
    validators: Option<Validators>,
    covered: Vec<(i32, Covered)>,
}

/// What a replica takes of an execution.
pub(super) struct Parts {
    pub(super) header: Header,
    pub(super) hash: Hash,
    pub(super) changes: Changes,
    pub(super) update: tree::Update,
    pub(super) supply: Supply,
    /// `None`: as they were.
    pub(super) validators: Option<Validators>,
    pub(super) covered: Vec<(i32, Covered)>,
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

    /// What changes in the state, but for the tip.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(super) fn into_parts(self) -> Parts {
        let Self { header, hash, changes, update, supply, validators, covered, .. } = self;
        Parts { header, hash, changes, update, supply, validators, covered }
    }
}

/// Executes a candidate on a state. `roots`, where the caller knows them already, are those of the body that comes of
/// it.
pub(super) fn execute<V: View + ?Sized>(
    replica: &Replica,
    view: &V,
    candidate: &Candidate<'_>,
    roots: Option<Roots>,
) -> Result<Executed, Error<V::Error>> {
    let height = check_start(replica, candidate)?;
    let stretches = Stretches::new(replica, candidate.entries).map_err(Error::candidate)?;
    let (parameters, active_height) = (replica.parameters(), replica.next_active_height());

    let validators = replica.validator_set();
    let earnings = candidate.maker.earnings().map_err(Error::candidate)?;
    let mut accounts = Accounts::load(view, candidate.entries, &earnings, |name| validators.owner(name))?;
    let mut ids = Ids::load(view, candidate.entries, active_height)?;

    let rules = Rules { parameters, active_height };
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

    let (fees, is_active) = (i128::from(applied) * i128::from(parameters.fee.get()), applied > 0);
    let mut books = Books { height, parameters, fees, is_active, minted: 0, burnt: 0, operations: Vec::new() };
    let mut committee = Committee::new(validators);
    books.prior(&mut committee, candidate.maker).map_err(Error::candidate)?;
    books.pay(candidate.maker, &earnings, accounts.earnings());

    let supply = check_supply_law(replica.supply(), &accounts, &committee, &books)?;
    let mut changes = Changes::new();
    accounts.write_changes(&mut changes);
    ids.write_changes(active_height, parameters.ids_remember_blocks, &mut changes);
    committee.write_changes(&mut changes);
    if supply != *replica.supply() {
        changes.put(Table::Chain, state::SUPPLY, &to_record(&supply));
    }
    stretches.write_changes(&mut changes);
    let update = replica.tree().update(changes.to_tree())?;
    let changed_validators = committee.into_changed();
    let parts = header::Parts {
        candidate,
        height,
        active_height: if is_active { active_height } else { replica.tip().active_height },
        history: replica.next_history(),
        ranges: stretches.ranges,
        roots: roots.unwrap_or_else(|| Roots::of(candidate.entries, &receipts, &books.operations)),
        state_root: update.root(),
        validators: changed_validators.as_ref().unwrap_or(validators).hash(),
    };
    let header = header::build(replica, parts);
    Ok(Executed {
        hash: header.hash(),
        header,
        receipts,
        operations: books.operations,
        changes,
        update,
        supply,
        validators: changed_validators,
        covered: stretches.covered,
    })
}

/// Checks that there can be such a block; answers its height.
fn check_start<E>(replica: &Replica, candidate: &Candidate<'_>) -> Result<u64, Error<E>> {
    let (entries, signatures) = (candidate.entries.len(), candidate.signatures.len());
    if entries != signatures {
        return Err(Error::candidate(format!(
            "{entries} entries with {signatures} signature answers: give one for each"
        )));
    }
    if entries == 0 {
        return Err(Error::candidate("it holds no records"));
    }
    let height = replica.next_height().ok_or_else(|| Error::candidate("no height comes after the last one"))?;
    let version = replica.parameters().version_at(height);
    if version > Header::VERSION {
        return Err(Error::Newer(crate::chain::Error::newer_version(height, u64::from(version))));
    }
    Ok(height)
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
            ids.remember(place, rules.active_height, transaction);
            Outcome::Applied
        }
        Err(reason) => Outcome::Rejected(reason),
    };
    let (from, to) = accounts.of(place);
    Receipt { outcome, from_balance: from.balance, to_balance: to.unwrap_or(from).balance }
}

/// What the block makes of the supply, once it is certain that nothing else came into being or was lost.
fn check_supply_law<E>(
    before: &Supply,
    accounts: &Accounts<'_>,
    committee: &Committee<'_>,
    books: &Books<'_>,
) -> Result<Supply, Error<E>> {
    let change = accounts.change() + committee.change();
    let booked = books.minted - books.burnt;
    if change != booked {
        return Err(Error::SupplyLaw { change, booked });
    }
    Ok(Supply {
        genesis: before.genesis,
        minted: before.minted.saturating_add(books.minted),
        burnt: before.burnt.saturating_add(books.burnt),
    })
}
