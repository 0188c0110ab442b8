//! A chain in memory: an input that is a function of the height, state, tree, committed decisions, and a sealer whose every
//! signature is written down.

use std::cell::RefCell;
use std::rc::Rc;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::chain::{
    Amount, Block, Cut, Entry, Genesis, Hash, Member, Operation, Origin, Parameters, Rendering, ValidatorId, parse,
};
use crate::consensus::committee::{Bench, Turn};
use crate::consensus::rounds::Start;
use crate::consensus::seal::Claims;
use crate::consensus::validator::{Proposal, Share, Statement, Verdict, WouldEquivocate};
use crate::consensus::{
    Decision, Error, Fault, KeySet, LocalValidator, Report, Roster, Sealed, Sealer, Step, Stretch, Validator,
    genesis_tip, message, verify,
};
use crate::ledger::execute::undecided;
use crate::ledger::reexecute::{Verdict as Reexecuted, reexecute};
use crate::ledger::state::{ValidatorRecord, audit_supply, build_tree, genesis as genesis_changes, validators};
use crate::ledger::{Executed, MemoryState, Signature, Tree};

pub(super) const REWARD: u64 = 10;

/// Something a validator signed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Signed {
    pub(super) validator: String,
    pub(super) height: u64,
    pub(super) round: u32,
    pub(super) kind: &'static str,
    pub(super) bytes: Vec<u8>,
}

pub(super) type Journal = Rc<RefCell<Vec<Signed>>>;

/// A local validator that writes down what it signs. With `forges_state` it proposes its input with another state root.
pub(super) struct Recorder {
    pub(super) inner: LocalValidator,
    pub(super) journal: Journal,
    pub(super) forges_state: Option<crate::consensus::KeyPair>,
}

impl Recorder {
    fn note(&self, height: u64, round: u32, kind: &'static str, bytes: Vec<u8>) {
        let validator = self.inner.id().to_string();
        self.journal.borrow_mut().push(Signed { validator, height, round, kind, bytes });
    }
}

impl Validator for Recorder {
    fn id(&self) -> &ValidatorId {
        self.inner.id()
    }

    fn is_present(&self) -> bool {
        self.inner.is_present()
    }

    fn propose<E>(&mut self, turn: &Turn<'_>, bench: &mut Bench<'_, E>) -> Result<Vec<Proposal>, Error<E>> {
        let mut proposals = self.inner.propose(turn, bench)?;
        for proposal in &mut proposals {
            if let Some(keys) = &self.forges_state {
                proposal.signed.header.state_root = Hash::of(b"forged");
                proposal.hash = proposal.signed.header.hash();
                proposal.signed.signature = keys.sign_ed25519(&message::proposal(&proposal.hash));
            }
            let (start, round) = (&turn.start, turn.round);
            self.note(start.height, round, "proposal", message::proposal(&proposal.hash).to_vec());
            let reveal = message::reveal(start.chain_id, start.height, round, start.seed);
            self.note(start.height, round, "reveal", reveal);
        }
        Ok(proposals)
    }

    fn judge(&mut self, proposal: &Proposal, own: &Executed, input: &[Entry]) -> Option<Verdict> {
        self.inner.judge(proposal, own, input)
    }

    fn sign(&mut self, statement: &Statement) -> Result<Share<'_>, WouldEquivocate> {
        let validator = self.inner.id().to_string();
        let share = self.inner.sign(statement)?;
        let Statement { height, round, .. } = *statement;
        let bytes = statement.message();
        self.journal.borrow_mut().push(Signed { validator, height, round, kind: "vote", bytes });
        Ok(share)
    }
}

pub(super) struct Chain {
    pub(super) genesis: Genesis,
    pub(super) state: MemoryState,
    pub(super) tree: Tree,
    pub(super) sealer: Sealer<Recorder>,
    pub(super) faults: Vec<(ValidatorId, Fault)>,
    pub(super) forger: Option<ValidatorId>,
    /// The committed ones.
    pub(super) decisions: Vec<Decision>,
    pub(super) blocks: Vec<Block>,
    pub(super) reports: Vec<Report>,
    pub(super) journal: Journal,
}

pub(super) fn keys() -> KeySet {
    KeySet::default_committee(&mut StdRng::from_seed([42; 32])).unwrap().0
}

fn genesis() -> Genesis {
    let (_, validators) = KeySet::default_committee(&mut StdRng::from_seed([42; 32])).unwrap();
    let parameters = Parameters {
        block_max_transactions: 3,
        block_window_ms: 0,
        fee: Amount::new(7).unwrap(),
        reward: Amount::new(REWARD).unwrap(),
        ..Parameters::default()
    };
    Genesis { chain_id: "sim".to_owned(), created_ms: 0, accounts: Vec::new(), validators, parameters }
}

/// The records of a height: three transfers.
pub(super) fn input(height: u64) -> Vec<Entry> {
    let entry = |index: u64| {
        let number = (height - 1) * 3 + index;
        let value = format!(r#"{{"from":"a{}","to":"b{}","amount":{}}}"#, number % 7, number % 5, number + 1);
        let origin = Origin { partition: 0, offset: number as i64, timestamp_ms: 1_000 + number as i64 };
        undecided(origin, Hash::of(value.as_bytes()), parse::parse(Some(value.as_bytes())).unwrap())
    };
    (0..3).map(entry).collect()
}

impl Chain {
    pub(super) fn new(faults: &[(&str, Fault)]) -> Chain {
        let genesis = genesis();
        genesis.validate().unwrap();
        let mut state = MemoryState::new();
        // The seed in the header of block 0 depends on no state, so the block can be made before its root is known.
        let seed = genesis.block(Hash::ZERO).header.seed;
        state.apply(genesis_changes(&genesis, seed));
        let tree = build_tree(&state).unwrap();
        let block = genesis.block(tree.root());
        let mut tip = crate::ledger::Changes::new();
        tip.put_tip(&genesis_tip(&block));
        state.apply(tip);
        let faults: Vec<_> = faults.iter().map(|(id, fault)| (id.parse().unwrap(), *fault)).collect();
        let journal = Journal::default();
        let sealer = sealer(&genesis, &faults, None, &journal);
        let (decisions, blocks, reports) = (Vec::new(), vec![block], Vec::new());
        Chain { genesis, state, tree, sealer, faults, forger: None, decisions, blocks, reports, journal }
    }

    /// A new process: nothing survives but what was committed.
    pub(super) fn restart(&mut self) {
        self.sealer = sealer(&self.genesis, &self.faults, self.forger.as_ref(), &self.journal);
    }

    pub(super) fn height(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// One call, nothing committed.
    pub(super) fn call(&mut self) -> Step {
        let mut entries = input(self.height());
        self.call_with(&mut entries, Cut::Transactions).unwrap()
    }

    pub(super) fn call_with(
        &mut self,
        entries: &mut Vec<Entry>,
        cut: Cut,
    ) -> Result<Step, Error<std::convert::Infallible>> {
        let signatures = vec![Signature::Absent; entries.len()];
        let stretch = Stretch { entries, signatures: &signatures, cut };
        self.sealer.seal(&self.state, &self.tree, stretch, &self.decisions)
    }

    pub(super) fn commit(&mut self, sealed: Sealed) {
        let height = sealed.block.header.height;
        self.state.apply(sealed.changes);
        self.tree.commit(sealed.update).unwrap();
        self.decisions.retain(|decision| decision.height() != height);
        self.reports.extend(sealed.reports);
        self.blocks.push(sealed.block);
    }

    /// Seals `count` blocks, committing whatever decision is asked for.
    pub(super) fn run(&mut self, count: usize) {
        let target = self.blocks.len() + count;
        while self.blocks.len() < target {
            match self.call() {
                Step::Sealed(sealed) => self.commit(*sealed),
                Step::NeedDecision(decision) => self.decisions.push(decision),
                Step::Waiting { have, need, .. } => panic!("waiting for {have}/{need} at {}", self.height()),
            }
        }
    }

    pub(super) fn record(&self, id: &str) -> ValidatorRecord {
        let found = validators(&self.state).unwrap().into_iter().find(|(of, _)| of.as_str() == id);
        found.unwrap().1
    }

    pub(super) fn operations(&self) -> impl Iterator<Item = (u64, &Operation)> {
        self.blocks.iter().flat_map(|block| block.operations.iter().map(|operation| (block.header.height, operation)))
    }

    /// Replays the chain from its JSON as a stranger would, from block 0 on; the claims of all seals.
    pub(super) fn replay(&self) -> Vec<Claims> {
        let lines: Vec<String> = self.blocks.iter().map(Rendering::to_json).collect();
        let blocks: Vec<Block> = lines.iter().map(|line| Block::from_json(line.as_bytes()).unwrap()).collect();
        let genesis = blocks[0].genesis.as_ref().unwrap();
        let roster = Roster::new(&genesis.validators).unwrap();
        let mut state = MemoryState::new();
        state.apply(genesis_changes(genesis, blocks[0].header.seed));
        let mut tree = build_tree(&state).unwrap();
        assert_eq!(tree.root(), blocks[0].header.state_root);
        let mut tip = genesis_tip(&blocks[0]);
        let mut all = Vec::new();
        for block in &blocks[1..] {
            let mut changes = crate::ledger::Changes::new();
            changes.put_tip(&tip);
            state.apply(changes);
            block.check().unwrap();
            let members: Vec<Member> =
                validators(&state).unwrap().iter().map(|(id, record)| record.member(id)).collect();
            let (chain_id, height) = (tip.chain_id.as_str(), tip.height + 1);
            let start = Start { chain_id, height, seed: &tip.seed, roster: &roster };
            all.push(verify::claims(&start, roster.stakes(&members).unwrap(), block).unwrap());
            let signatures = vec![Signature::Absent; block.entries.len()];
            let executed = match reexecute(&state, &tree, &genesis.parameters, block, &signatures).unwrap() {
                Reexecuted::Same { executed, .. } => executed,
                Reexecuted::Differs(difference) => panic!("block {height}: {difference}"),
            };
            let seed = crate::consensus::draw::next_seed(
                chain_id,
                height + 1,
                &tip.seed,
                &block.seal.as_ref().unwrap().reveal,
            );
            tip = executed.tip(seed);
            let (changes, update) = executed.into_changes(seed);
            state.apply(changes);
            tree.commit(update).unwrap();
        }
        audit_supply(&state).unwrap();
        assert_eq!(state, self.state, "the replayed state is the sealer's");
        all
    }
}

fn sealer(
    genesis: &Genesis,
    faults: &[(ValidatorId, Fault)],
    forger: Option<&ValidatorId>,
    journal: &Journal,
) -> Sealer<Recorder> {
    let pairs = keys().into_pairs().into_iter().zip(keys().into_pairs());
    let recorders = pairs.map(|(pair, again)| {
        let fault = faults.iter().find(|(id, _)| id == pair.id()).map(|(_, fault)| *fault);
        let forges_state = (Some(pair.id()) == forger).then_some(again);
        let inner = LocalValidator::new(pair).with_fault(fault);
        Recorder { inner, journal: Rc::clone(journal), forges_state }
    });
    Sealer::new(genesis, recorders).unwrap()
}
