//! A chain in memory: an input that is a function of the height, state, replica, committed decisions, and a sealer
//! whose every signature is written down.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::chain::{
    Amount, Block, Cut, Entry, Genesis, Hash, Operation, Parameters, Rendering, SignedHeader, ValidatorId,
};
use crate::consensus::follow::{Anchor, Follower, State};
use crate::consensus::roster::Keys;
use crate::consensus::stake::party::{Own, Party, Reply, Request};
use crate::consensus::stake::sealer::Sealer;
use crate::consensus::stake::signing;
use crate::consensus::stake::turn::{Proposal, Turn, Vote};
use crate::consensus::stake::validator::LocalValidator;
use crate::consensus::{Decision, Error, Fault, KeyPair, KeySet, Offence, Sealed, Step, Stretch, begin};
use crate::ledger::state::{ValidatorRecord, validators};
use crate::ledger::{Begun, MemoryState, Replica, Signature};

pub(in crate::consensus) const REWARD: u64 = 10;

/// Something a validator signed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::consensus) struct Signed {
    pub(in crate::consensus) validator: String,
    pub(in crate::consensus) height: u64,
    pub(in crate::consensus) round: u32,
    pub(in crate::consensus) kind: &'static str,
    pub(in crate::consensus) bytes: Vec<u8>,
}

pub(in crate::consensus) type Journal = Rc<RefCell<Vec<Signed>>>;

/// A local validator that writes down what it signs. With `forges_state` it proposes its input with another state root.
pub(in crate::consensus) struct Recorder {
    pub(in crate::consensus) inner: LocalValidator,
    pub(in crate::consensus) journal: Journal,
    pub(in crate::consensus) forges_state: Option<KeyPair>,
}

impl Recorder {
    fn note(&self, (height, round): (u64, u32), kind: &'static str, bytes: Vec<u8>) {
        let validator = self.inner.id().to_string();
        self.journal.borrow_mut().push(Signed { validator, height, round, kind, bytes });
    }

    fn proposed(&self, proposal: &mut Proposal) {
        if let Some(keys) = &self.forges_state {
            let mut header = proposal.signed.header.clone();
            header.state_root = Hash::of(b"forged");
            let signature = keys.sign_ed25519(&signing::proposal(&header.hash()));
            *proposal = Proposal::received(SignedHeader { header, signature }, proposal.reveal, proposal.body.take());
        }
        let turn = Turn::of(&proposal.signed.header).unwrap();
        let names = (turn.height, turn.round);
        self.note(names, "proposal", signing::proposal(&proposal.signed.header.hash()).to_vec());
        self.note(names, "reveal", turn.reveal_message());
    }

    fn voted(&self, vote: &Vote) {
        self.note((vote.statement.height, vote.statement.round), "vote", vote.statement.message());
    }
}

impl Party for Recorder {
    fn validators(&self) -> Vec<Keys> {
        self.inner.validators()
    }

    fn is_present(&self, validator: &ValidatorId) -> bool {
        self.inner.is_present(validator)
    }

    fn step(&mut self, own: &Own<'_>, request: Request) -> Vec<Reply> {
        let mut replies = self.inner.step(own, request);
        for reply in &mut replies {
            match reply {
                Reply::Proposed(proposal) => self.proposed(proposal),
                Reply::Voted(vote) => self.voted(vote),
                Reply::Execute(..) | Reply::Declined(_) => {}
            }
        }
        replies
    }
}

pub(in crate::consensus) struct Chain {
    pub(in crate::consensus) genesis: Genesis,
    pub(in crate::consensus) state: MemoryState,
    pub(in crate::consensus) replica: Replica,
    pub(in crate::consensus) sealer: Sealer<Recorder>,
    pub(in crate::consensus) faults: Vec<(ValidatorId, Fault)>,
    pub(in crate::consensus) forger: Option<ValidatorId>,
    /// The committed ones.
    pub(in crate::consensus) decisions: Vec<Decision>,
    pub(in crate::consensus) blocks: Vec<Block>,
    pub(in crate::consensus) reports: Vec<Offence>,
    pub(in crate::consensus) journal: Journal,
}

pub(in crate::consensus) fn keys() -> KeySet {
    KeySet::default_committee(&mut StdRng::from_seed([42; 32])).unwrap().0
}

pub(in crate::consensus) fn genesis() -> Genesis {
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
pub(in crate::consensus) fn input(height: u64) -> Vec<Entry> {
    let entry = |index: u64| {
        let number = (height - 1) * 3 + index;
        let value = format!(r#"{{"from":"a{}","to":"b{}","amount":{}}}"#, number % 7, number % 5, number + 1);
        let (entry, reject) = Entry::of_record(0, number as i64, 1_000 + number as i64, None, Some(value.as_bytes()));
        assert!(reject.is_none());
        entry
    };
    (0..3).map(entry).collect()
}

impl Chain {
    pub(in crate::consensus) fn new(faults: &[(&str, Fault)]) -> Chain {
        Chain::of(genesis(), keys(), faults)
    }

    pub(in crate::consensus) fn with_keys(genesis: Genesis, keys: KeySet) -> Chain {
        Chain::of(genesis, keys, &[])
    }

    fn of(genesis: Genesis, keys: KeySet, faults: &[(&str, Fault)]) -> Chain {
        genesis.validate().unwrap();
        let Begun { block, replica, changes } = begin(&genesis).unwrap();
        let mut state = MemoryState::new();
        State::apply(&mut state, &changes).unwrap();
        let faults: Vec<_> = faults.iter().map(|(id, fault)| (id.parse().unwrap(), *fault)).collect();
        let journal = Journal::default();
        let sealer = sealer(&genesis, keys, &faults, None, &journal);
        let (decisions, blocks, reports) = (Vec::new(), vec![block], Vec::new());
        Chain { genesis, state, replica, sealer, faults, forger: None, decisions, blocks, reports, journal }
    }

    /// A new process: nothing survives but what was committed.
    pub(in crate::consensus) fn restart(&mut self) {
        self.sealer = sealer(&self.genesis, keys(), &self.faults, self.forger.as_ref(), &self.journal);
        self.replica = Replica::load(&self.state).unwrap().unwrap();
    }

    pub(in crate::consensus) fn height(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// One call, nothing committed.
    pub(in crate::consensus) fn call(&mut self) -> Step {
        let mut entries = input(self.height());
        self.call_with(&mut entries, Cut::Transactions).unwrap()
    }

    pub(in crate::consensus) fn call_with(
        &mut self,
        entries: &mut Vec<Entry>,
        cut: Cut,
    ) -> Result<Step, Error<Infallible>> {
        let signatures = vec![Signature::Absent; entries.len()];
        let stretch = Stretch { entries, signatures: &signatures, cut };
        self.sealer.seal(&self.state, &self.replica, stretch, &self.decisions)
    }

    pub(in crate::consensus) fn commit(&mut self, sealed: Sealed) {
        let height = sealed.block.header.height;
        let changes = self.replica.advance(sealed.executed, sealed.next_seed).unwrap();
        State::apply(&mut self.state, &changes).unwrap();
        self.decisions.retain(|decision| decision.height() != height);
        self.reports.extend(sealed.reports);
        self.blocks.push(sealed.block);
    }

    /// Seals `count` blocks, committing whatever decision is asked for.
    pub(in crate::consensus) fn run(&mut self, count: usize) {
        let target = self.blocks.len() + count;
        while self.blocks.len() < target {
            match self.call() {
                Step::Sealed(sealed) => self.commit(*sealed),
                Step::NeedDecision(decision) => self.decisions.push(decision),
                Step::Waiting { have, need, .. } => panic!("waiting for {have}/{need} at {}", self.height()),
                Step::Unproved(_) => panic!("nothing is mined here"),
            }
        }
    }

    pub(in crate::consensus) fn record(&self, id: &str) -> ValidatorRecord {
        let found = validators(&self.state).unwrap().into_iter().find(|(of, _)| of.as_str() == id);
        found.unwrap().1
    }

    pub(in crate::consensus) fn operations(&self) -> impl Iterator<Item = (u64, &Operation)> {
        self.blocks.iter().flat_map(|block| block.operations.iter().map(|operation| (block.header.height, operation)))
    }

    /// Follows the chain from its JSON as a stranger would, from block 0 on; its state must be the sealer's.
    pub(in crate::consensus) fn replay(&self) {
        let anchor = Anchor::Genesis(self.genesis.hash());
        let mut follower = Follower::new(MemoryState::new(), anchor, StdRng::from_seed([3; 32]));
        for line in self.blocks.iter().map(Rendering::to_json) {
            follower.follow(&Block::from_json(line.as_bytes()).unwrap()).unwrap();
        }
        let summary = follower.conclude(None).unwrap().unwrap();
        assert_eq!(summary.tip, *self.replica.tip());
        assert_eq!(*follower.state(), self.state, "the replayed state is the sealer's");
        assert!(Replica::load(follower.state()).unwrap().is_some(), "and it is sound");
    }
}

fn sealer(
    genesis: &Genesis,
    keys: KeySet,
    faults: &[(ValidatorId, Fault)],
    forger: Option<&ValidatorId>,
    journal: &Journal,
) -> Sealer<Recorder> {
    let recorders = keys.into_pairs().into_iter().map(|pair| {
        let fault = faults.iter().find(|(id, _)| id == pair.id()).map(|(_, fault)| *fault);
        let again = || self::keys().into_pairs().into_iter().find(|again| again.id() == pair.id());
        let forges_state = if Some(pair.id()) == forger { again() } else { None };
        let inner = LocalValidator::new(pair).with_fault(fault);
        Recorder { inner, journal: Rc::clone(journal), forges_state }
    });
    Sealer::new(genesis, recorders).unwrap()
}
