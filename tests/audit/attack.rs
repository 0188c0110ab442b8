//! What an attacker makes of a chain, by what it can do.

use cairn::audit::{Broken, Reason};
use cairn::chain::check::{operations_root, ranges, transactions_root};
use cairn::chain::{Block, Hash, Operation};
use cairn::consensus::{KeySet, bls, draw, genesis_tip, message};
use cairn::ledger::state::{self, MemoryState};
use cairn::ledger::{Candidate, Tree, execute, signatures};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::chain::{CHAIN, Chain, Topics};

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

use Skill::{Executes, ExecutesAndSeals, Seals};

/// The chain after an alteration from a height on.
pub(crate) fn altered(chain: &Chain, from: usize, skill: Skill, alter: impl FnOnce(&mut Vec<Block>)) -> Vec<Block> {
    let mut blocks = chain.blocks.clone();
    alter(&mut blocks);
    assert_ne!(blocks, chain.blocks, "the alteration alters nothing");
    let keys = KeySet::decode(&chain.keys).unwrap();
    let mut ledger = matches!(skill, Executes | ExecutesAndSeals).then(|| Ledger::new(&blocks[0]));
    for at in 1..blocks.len() {
        if skill != Skill::Writes && at >= from {
            let parent = blocks[at - 1].hash;
            agree(&mut blocks[at], parent);
            if let Some(ledger) = &ledger {
                ledger.decide(&mut blocks[at]);
            }
            if matches!(skill, Seals | ExecutesAndSeals) {
                seal(&mut blocks[at], &keys);
            }
        }
        if let Some(ledger) = &mut ledger {
            ledger.apply(&blocks[at]);
        }
    }
    blocks
}

/// Makes the header say what the body is.
fn agree(block: &mut Block, parent: Hash) {
    let header = &mut block.header;
    header.parent = parent;
    header.ranges = ranges(&block.entries);
    header.transactions_root = transactions_root(&block.entries);
    header.operations_root = operations_root(&block.operations);
    block.hash = header.hash();
}

/// Signs as the proposer, and as everybody who signed before. The reveal is of the turn alone and stays.
pub(crate) fn seal(block: &mut Block, keys: &KeySet) {
    let pair = keys.pairs().iter().find(|pair| *pair.id() == block.header.proposer).unwrap();
    let seal = block.seal.as_mut().unwrap();
    seal.signature = pair.sign_ed25519(&message::proposal(&block.hash));
    let message = message::attestation(&block.hash);
    let shares: Vec<bls::Signature> =
        seal.signers.places().map(|place| keys.pairs()[place].sign_bls(&message)).collect();
    seal.attestation = bls::Signature::aggregate(&shares).unwrap().to_bytes();
}

/// The state of a chain, block after block.
struct Ledger {
    state: MemoryState,
    tree: Tree,
}

impl Ledger {
    fn new(block: &Block) -> Self {
        let genesis = block.genesis.as_ref().unwrap();
        let mut changes = state::genesis(genesis, block.header.seed);
        let mut tree = Tree::new();
        let update = tree.update(changes.to_tree()).unwrap();
        tree.commit(update).unwrap();
        changes.put_tip(&genesis_tip(block));
        let mut state = MemoryState::new();
        state.apply(changes);
        Self { state, tree }
    }

    fn execute(&self, block: &Block) -> cairn::ledger::Executed {
        let parameters = state::parameters(&self.state).unwrap();
        let (policy, chain_id) = (parameters.signatures, &block.header.chain_id);
        let signatures = signatures::verify(&block.entries, policy, chain_id, &mut ChaCha8Rng::seed_from_u64(2));
        let is_prior = |operation: &&Operation| matches!(operation, Operation::Missed { .. } | Operation::Slash { .. });
        let prior = block.operations.iter().take_while(is_prior).count();
        let candidate = Candidate {
            entries: &block.entries,
            signatures: &signatures,
            cut: block.header.cut,
            proposer: &block.header.proposer,
            round: block.header.round,
            prior: &block.operations[..prior],
            extensions: &block.header.extensions,
        };
        execute(&self.state, &self.tree, &parameters, &candidate).unwrap()
    }

    /// Makes the block what execution gives.
    fn decide(&self, block: &mut Block) {
        let executed = self.execute(block);
        block.entries = executed.decide(std::mem::take(&mut block.entries));
        block.operations = executed.operations;
        (block.header, block.hash) = (executed.header, executed.hash);
    }

    fn apply(&mut self, block: &Block) {
        let (executed, header) = (self.execute(block), &block.header);
        let reveal = &block.seal.as_ref().unwrap().reveal;
        let seed = draw::next_seed(&header.chain_id, header.height + 1, &header.seed, reveal);
        let (changes, update) = executed.into_changes(seed);
        self.state.apply(changes);
        self.tree.commit(update).unwrap();
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

/// Alters the chain with each skill; each must be found, at this height and for this reason.
#[track_caller]
pub(crate) fn assert_found(from: usize, alter: impl Fn(&mut Vec<Block>), expected: &[(Skill, usize, Reason)]) {
    for (skill, height, reason) in expected {
        let found = breach(&altered(&CHAIN, from, *skill, &alter));
        assert_eq!(found, Some((*height as u64, *reason)), "{skill:?}");
    }
}
