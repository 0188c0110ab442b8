//! What an attacker makes of a chain, by what it can do.

use cairn::audit::{Broken, Reason};
use cairn::chain::check::{operations_root, transactions_root};
use cairn::chain::{Block, Content, Cut, Entry, Hash, Operation, Receipt, Transaction, merkle};
use cairn::consensus::stake::signing;
use cairn::consensus::{self, KeySet, bls, scheme};
use cairn::ledger::{Candidate, Maker, MemoryState, Replica, signatures};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::chain::{CHAIN, Chain, Topics};
use crate::ranges::ranges;

/// What an attacker does about the blocks from the altered one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skill {
    /// Nothing.
    Writes,
    /// Ranges, roots, hashes and parents agree with what is there.
    Hashes,
    /// Besides: receipts, fees, rewards and state roots are those that execution gives.
    Executes,
    /// Holds the keys of the whole committee and seals what it hashed, without executing it.
    Seals,
    /// Holds the keys of the whole committee: executes and seals.
    ExecutesAndSeals,
}

use Reason::{Execution, Form, Rounds, Seal, Transactions};
use Skill::{Executes, ExecutesAndSeals, Hashes, Seals, Writes};

/// The chain after an alteration from a height on.
pub(crate) fn altered(chain: &Chain, from: usize, skill: Skill, alter: impl FnOnce(&mut Vec<Block>)) -> Vec<Block> {
    let mut blocks = chain.blocks.clone();
    alter(&mut blocks);
    assert_ne!(blocks, chain.blocks, "the alteration alters nothing");
    let keys = matches!(skill, Seals | ExecutesAndSeals).then(|| KeySet::decode(&chain.keys).unwrap());
    let mut ledger = matches!(skill, Executes | ExecutesAndSeals).then(|| Ledger::new(&blocks[0]));
    for at in 1..blocks.len() {
        if skill != Writes && at >= from {
            let hashes: Vec<Hash> = blocks[..at].iter().map(|block| block.hash).collect();
            let active_height = blocks[at - 1].header.active_height;
            agree(&mut blocks[at], &hashes, active_height);
            if let Some(ledger) = &ledger {
                ledger.decide(&mut blocks[at]);
            }
            if let Some(keys) = &keys {
                seal(&mut blocks[at], keys);
            }
        }
        if let Some(ledger) = &mut ledger {
            ledger.apply(&blocks[at]);
        }
    }
    blocks
}

/// Makes the header say what the body is.
fn agree(block: &mut Block, hashes: &[Hash], active_height: u64) {
    let is_active = block.is_active();
    let header = &mut block.header;
    header.parent = hashes[hashes.len() - 1];
    header.history = merkle::root(hashes.iter().map(|hash| merkle::leaf(hash.as_bytes())).collect());
    header.active_height = active_height + u64::from(is_active);
    header.ranges = ranges(&block.entries);
    header.transactions_root = transactions_root(&block.entries);
    header.operations_root = operations_root(&block.operations);
    block.hash = header.hash();
}

/// Signs as the proposer, and as everybody who signed before. The reveal is of the turn alone and stays.
pub(crate) fn seal(block: &mut Block, keys: &KeySet) {
    let pair = keys.pairs().iter().find(|pair| Some(pair.id()) == block.header.proposer()).unwrap();
    let seal = block.seal.as_mut().unwrap().stake_mut().unwrap();
    seal.signature = pair.sign_ed25519(&signing::proposal(&block.hash));
    let message = signing::attestation(&block.hash);
    let shares: Vec<bls::Signature> =
        seal.signers.places().map(|place| keys.pairs()[place].sign_bls(&message)).collect();
    seal.attestation = bls::Signature::aggregate(&shares).unwrap().to_bytes();
}

/// The state of a chain, block after block.
struct Ledger {
    state: MemoryState,
    replica: Replica,
}

impl Ledger {
    fn new(block: &Block) -> Self {
        let beginning = consensus::begin(block.genesis.as_ref().unwrap()).unwrap();
        let mut state = MemoryState::new();
        state.apply(beginning.changes);
        Self { state, replica: beginning.replica }
    }

    fn execute(&self, block: &Block) -> cairn::ledger::Executed {
        let (policy, genesis) = (self.replica.parameters().signatures, &block.header.genesis);
        let signatures = signatures::verify(&block.entries, policy, genesis, &mut ChaCha8Rng::seed_from_u64(2));
        let is_prior = |operation: &&Operation| matches!(operation, Operation::Missed { .. } | Operation::Slash { .. });
        let prior = block.operations.iter().take_while(is_prior).count();
        let candidate = Candidate {
            entries: &block.entries,
            signatures: &signatures,
            cut: block.header.cut,
            maker: Maker::Proposer {
                proposer: block.header.proposer().unwrap(),
                round: block.header.round(),
                prior: &block.operations[..prior],
            },
            extensions: &block.header.extensions,
        };
        self.replica.execute(&self.state, &candidate).unwrap()
    }

    /// Makes the block what execution gives.
    fn decide(&self, block: &mut Block) {
        let executed = self.execute(block);
        block.entries = executed.decide(std::mem::take(&mut block.entries));
        block.operations = executed.operations;
        (block.header, block.hash) = (executed.header, executed.hash);
    }

    fn apply(&mut self, block: &Block) {
        let executed = self.execute(block);
        let seed = scheme::next_seed(&self.replica.tip().seed, block).unwrap();
        let changes = self.replica.advance(executed, seed).unwrap();
        self.state.apply(changes);
    }
}

/// The first height of the chain whose block is such.
pub(crate) fn height_of(is: impl Fn(&Block) -> bool) -> usize {
    CHAIN.blocks.iter().position(is).expect("the chain has such a block")
}

/// What verifying these blocks against the chain's transactions finds.
pub(crate) fn breach(blocks: &[Block]) -> Option<(u64, Reason)> {
    let broken = Topics::new(blocks, &CHAIN.transactions).verify().err();
    broken.map(|Broken { height, reason, detail }| {
        println!("height {height}: {reason}: {detail}");
        (height, reason)
    })
}

/// What is named, by what the attacker can do.
pub(crate) type Found = &'static [(Skill, Reason)];

/// What a record says: who executes and seals has a chain in itself, but not that of the transactions topic.
pub(crate) const CONTENT: Found =
    &[(Writes, Form), (Hashes, Seal), (Executes, Seal), (Seals, Execution), (ExecutesAndSeals, Transactions)];
/// What of a record executing it does not look at.
pub(crate) const RECORD: Found = &[(Writes, Form), (Hashes, Seal), (ExecutesAndSeals, Transactions)];
/// What executing gives.
pub(crate) const OUTCOME: Found = &[(Writes, Form), (Hashes, Seal), (Seals, Execution)];
/// Who was drawn, and what became of it.
pub(crate) const ROUNDS: Found = &[(Writes, Form), (Hashes, Rounds), (Seals, Rounds)];

/// Alters the chain from a height on with each skill; each must be found at that height and for this reason.
#[track_caller]
pub(crate) fn assert_found(height: usize, alter: impl Fn(&mut Vec<Block>), expected: Found) {
    for (skill, reason) in expected {
        assert_found_elsewhere(height, &alter, *skill, (height, *reason));
    }
}

/// As [`assert_found`], for an alteration that another height betrays.
#[track_caller]
pub(crate) fn assert_found_elsewhere(
    from: usize,
    alter: impl Fn(&mut Vec<Block>),
    skill: Skill,
    (height, reason): (usize, Reason),
) {
    let found = breach(&altered(&CHAIN, from, skill, alter));
    assert_eq!(found, Some((height as u64, reason)), "{skill:?}");
}

pub(crate) fn is_stub(entry: &Entry) -> bool {
    matches!(entry.content, Content::Stub { .. })
}

/// What an entry asks for, and what became of it.
pub(crate) fn parts(entry: &mut Entry) -> (&mut Transaction, &mut Receipt) {
    match &mut entry.content {
        Content::Transaction { transaction, receipt } => (transaction, receipt),
        Content::Stub { .. } => panic!("a stub"),
    }
}

/// A block that is full, in the midst of the chain.
pub(crate) fn full() -> usize {
    height_of(|block| block.header.height > 4 && block.header.cut == Cut::Transactions)
}

/// A block that ends by a recorded decision, so that nothing in it tells how many records it must have.
pub(crate) fn aged() -> usize {
    height_of(|block| block.header.height > 4 && block.header.cut == Cut::Age && block.entries.iter().any(is_stub))
}
