//! A chain in memory: a genesis, a replica with its state, and the blocks made so far.

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::chain::{
    Amount, Author, Balances, Block, Content, Cut, Entry, Evidence, Genesis, GenesisValidator, Hash, Header, Id, Name,
    Operation, Origin, Outcome, Parameters, ReasonCode, Receipt, RefusalReason, RejectCode, Signatures, SignedHeader,
    StakeAuthor, Transaction, ValidatorId,
};
use crate::ledger::state::{self, Account, audit};
use crate::ledger::{Begun, Candidate, Error, Executed, Maker, MemoryState, Replica, Table, signatures};

/// Stands for the genesis hash where transactions are signed: worlds with other accounts and parameters take the same
/// signatures.
pub(super) const CHAIN: Hash = Hash([9; 32]);
pub(super) const STAKES: [u64; 5] = [2000, 1500, 1000, 500, 1];

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) genesis: Genesis,
    pub(super) state: MemoryState,
    pub(super) replica: Replica,
    pub(super) blocks: Vec<Block>,
    next_offset: i64,
}

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

pub(super) fn with_id(transaction: Transaction, id: &str) -> Transaction {
    Transaction { id: Some(Id::new(id).unwrap()), ..transaction }
}

pub(super) fn with_nonce(transaction: Transaction, nonce: u64) -> Transaction {
    Transaction { nonce: Some(nonce), ..transaction }
}

pub(super) fn transfer(from: &str, to: &str, units: u64) -> Transaction {
    Transaction::transfer(name(from), name(to), amount(units))
}

/// An account's key, and the name it gives.
pub(super) fn key(seed: u8) -> (SigningKey, Name) {
    let key = SigningKey::from([seed; 32]);
    let public_key: [u8; 32] = VerificationKeyBytes::from(&key).into();
    (key, Name::keyed(&public_key))
}

pub(super) fn validator(place: usize) -> ValidatorId {
    format!("v{}", place + 1).parse().unwrap()
}

/// The key of a validator's proposals, which owns its account.
pub(super) fn validator_key(place: usize) -> SigningKey {
    SigningKey::from([200 + place as u8; 32])
}

pub(super) fn strict() -> Parameters {
    Parameters { balances: Balances::Strict, ..Parameters::default() }
}

pub(super) fn open(overdraft_max: u64) -> Parameters {
    Parameters { balances: Balances::Open { overdraft_max: amount(overdraft_max) }, ..Parameters::default() }
}

pub(super) fn without_signatures(parameters: Parameters) -> Parameters {
    Parameters { signatures: Signatures::Off, ..parameters }
}

pub(super) fn rejected(reason: ReasonCode) -> Outcome {
    Outcome::Rejected(reason)
}

/// A strict chain on which alice has 100.
pub(super) fn rich_alice() -> World {
    World::new(strict(), &[(name("alice"), 100)])
}

impl World {
    pub(super) fn new(parameters: Parameters, accounts: &[(Name, i64)]) -> Self {
        let member = |(place, stake): (usize, &u64)| GenesisValidator {
            id: validator(place),
            ed25519: VerificationKeyBytes::from(&validator_key(place)).into(),
            bls: [place as u8; 96],
            possession: [0; 48],
            stake: *stake,
        };
        let mut accounts = accounts.to_vec();
        accounts.sort();
        let validators = STAKES.iter().enumerate().map(member).collect();
        Self::start(Genesis { chain_id: "test".to_owned(), created_ms: 0, accounts, validators, parameters })
    }

    fn start(genesis: Genesis) -> Self {
        let Begun { replica, changes, .. } = Replica::begin(&genesis, genesis.hash()).unwrap();
        let mut state = MemoryState::new();
        state.apply(&changes);
        Self { genesis, state, replica, blocks: Vec::new(), next_offset: 0 }
    }

    /// The same chain before its first block.
    pub(super) fn restarted(&self) -> Self {
        Self::start(self.genesis.clone())
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.genesis.parameters
    }

    pub(super) fn height(&self) -> u64 {
        self.blocks.len() as u64
    }

    pub(super) fn entry(&mut self, transaction: Transaction) -> Entry {
        let offset = self.next_offset;
        self.next_offset += 1;
        let original = Hash::of(&offset.to_be_bytes());
        undecided(Origin { partition: 0, offset, timestamp_ms: offset * 10 }, original, transaction)
    }

    pub(super) fn stub(&mut self) -> Entry {
        let mut entry = self.entry(transfer("a", "b", 1));
        entry.content = Content::Stub { reason: RejectCode::NotJson, key: None };
        entry
    }

    pub(super) fn try_execute(
        &self,
        entries: &[Entry],
        proposer: &ValidatorId,
        prior: &[Operation],
    ) -> Result<Executed, Error<std::convert::Infallible>> {
        let mut randomness = ChaCha20Rng::seed_from_u64(1);
        let policy = self.parameters().signatures;
        let signatures = signatures::verify(entries, policy, &CHAIN, &mut randomness);
        let candidate = Candidate {
            entries,
            signatures: &signatures,
            cut: Cut::End,
            maker: Maker::Proposer { proposer, round: prior.len() as u32, prior },
            extensions: &[],
        };
        self.replica.execute(&self.state, &candidate)
    }

    pub(super) fn execute(&self, entries: &[Entry]) -> Executed {
        self.try_execute(entries, &validator(0), &[]).unwrap()
    }

    /// Makes the next block of these entries.
    pub(super) fn seal_entries(&mut self, entries: Vec<Entry>, proposer: usize, prior: &[Operation]) -> &Block {
        let executed = self.try_execute(&entries, &validator(proposer), prior).unwrap();
        let block = Block {
            header: executed.header.clone(),
            hash: executed.hash,
            seal: None,
            entries: executed.decide(entries),
            operations: executed.operations.clone(),
            genesis: None,
        };
        self.commit(executed);
        self.blocks.push(block);
        self.blocks.last().unwrap()
    }

    pub(super) fn commit(&mut self, executed: Executed) {
        let next_seed = next_seed(&executed);
        let changes = self.replica.advance(executed, next_seed).unwrap();
        self.state.apply(&changes);
    }

    pub(super) fn seal(&mut self, transactions: Vec<Transaction>) -> &Block {
        let entries = transactions.into_iter().map(|transaction| self.entry(transaction)).collect();
        self.seal_entries(entries, 0, &[])
    }

    /// Makes a block of one transaction and answers its receipt.
    pub(super) fn submit(&mut self, transaction: Transaction) -> Receipt {
        match &self.seal(vec![transaction]).entries[0].content {
            Content::Transaction { receipt, .. } => *receipt,
            Content::Stub { .. } => unreachable!(),
        }
    }

    pub(super) fn account(&self, name: &Name) -> Account {
        state::account(&self.state, name).unwrap()
    }

    pub(super) fn balance(&self, text: &str) -> i64 {
        self.account(&name(text)).balance
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = Account> {
        self.state.table(Table::Accounts).map(|(name, record)| Account::from_record(name, record).unwrap())
    }

    /// How many entries a table has.
    pub(super) fn count(&self, table: Table) -> usize {
        self.state.table(table).count()
    }

    /// What holds after every block, whatever the block: the supply law over the full sum, a tree that is the one of
    /// the tables, ids that are those of the lists, and a replica that is the one of its state.
    pub(super) fn check(&self) {
        let audited = audit(&self.state).unwrap().unwrap();
        assert_eq!(audited.supply, *self.replica.supply());
        let loaded = Replica::load(&self.state).unwrap().unwrap();
        assert_eq!(loaded.tip(), self.replica.tip());
        assert_eq!(loaded.tree().root(), self.replica.tree().root());
        assert_eq!(loaded.parameters(), self.replica.parameters());
        assert_eq!(loaded.validators(), self.replica.validators());
        assert_eq!(loaded.members(), self.replica.members());
        assert_eq!(loaded.supply(), self.replica.supply());
        assert_eq!(loaded.next_history(), self.replica.next_history());
        assert!(loaded.coverage().eq(self.replica.coverage()));
        let default = Account::default();
        assert!(self.accounts().all(|account| account != default), "an account with nothing in it is kept");
    }
}

/// Something that stands for the seed that a reveal would give.
pub(super) fn next_seed(executed: &Executed) -> Hash {
    Hash::of(&executed.hash.0)
}

pub(super) fn slash(round: u32, place: usize) -> Operation {
    let header = Header {
        version: 1,
        hash_algorithm: 1,
        genesis: CHAIN,
        height: 1,
        active_height: 1,
        time_ms: 0,
        parent: Hash::ZERO,
        history: Hash::ZERO,
        window: None,
        cut: Cut::End,
        ranges: Vec::new(),
        transactions_root: Hash::ZERO,
        operations_root: Hash::ZERO,
        state_root: Hash::ZERO,
        validators: Hash::ZERO,
        parameters: Hash::ZERO,
        author: Author::Stake(StakeAuthor { proposer: validator(place), round, seed: Hash::ZERO }),
        extensions: Vec::new(),
    };
    let evidence = Evidence::Refusal {
        header: SignedHeader { header, signature: [0; 64] },
        reason: RefusalReason::Execution,
        signature: [0; 48],
        signers: [0].into_iter().collect(),
    };
    Operation::Slash { round, validator: validator(place), amount: STAKES[place], evidence: Box::new(evidence) }
}

pub(super) fn missed(round: u32, place: usize) -> Operation {
    Operation::Missed { round, validator: validator(place) }
}

/// An entry for a transaction that was not executed yet: its receipt says nothing.
pub(super) fn undecided(origin: Origin, original: Hash, transaction: Transaction) -> Entry {
    Entry { origin, original, content: Content::Transaction { transaction, receipt: Receipt::UNDECIDED } }
}
