//! Chains of work in memory.

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::chain::{Amount, Block, Consensus, Cut, Entry, Genesis, Name, Parameters, Rendering, Work, WorkRule};
use crate::consensus::follow::{Anchor, Follower, Summary};
use crate::consensus::{Decision, Sealed, Sealer, Step, Stretch, begin, follow};
use crate::ledger::{Begun, MemoryState, Replica, Signature};

pub(super) const FIRST_MS: i64 = 1_700_000_000_000;

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn genesis(work: Work) -> Genesis {
    let parameters = Parameters {
        reward: Amount::new(5).unwrap(),
        fee: Amount::new(1).unwrap(),
        block_window_ms: 0,
        block_max_age_ms: 100,
        block_max_transactions: 3,
        consensus: Consensus::Work(work),
        ..Parameters::default()
    };
    let genesis =
        Genesis { chain_id: "work".into(), created_ms: 0, accounts: Vec::new(), validators: Vec::new(), parameters };
    genesis.validate().unwrap();
    genesis
}

pub(super) fn rule(rule: WorkRule, leading_zero_bits: u8) -> Work {
    Work { rule, leading_zero_bits, target_interval_ms: 0 }
}

/// A chain, and who mines it.
pub(super) struct Chain {
    pub(super) genesis: Genesis,
    pub(super) state: MemoryState,
    pub(super) replica: Replica,
    pub(super) blocks: Vec<Block>,
    offset: i64,
}

impl Chain {
    pub(super) fn new(work: Work) -> Self {
        let genesis = genesis(work);
        let Begun { replica, block, changes } = begin(&genesis).unwrap();
        let mut state = MemoryState::new();
        state.apply(&changes);
        Self { genesis, state, replica, blocks: vec![block], offset: 0 }
    }

    /// Entries of one more block, with these timestamps.
    pub(super) fn entries(&mut self, timestamps_ms: &[i64]) -> Vec<Entry> {
        let entry = |timestamp_ms: &i64| {
            let value = format!(r#"{{"from":"alice","to":"bob","amount":{}}}"#, 1 + self.offset);
            self.offset += 1;
            Entry::of_record(0, self.offset - 1, *timestamp_ms, None, Some(value.as_bytes())).0
        };
        timestamps_ms.iter().map(entry).collect()
    }

    /// Mines the next block of these entries for an account, and takes it in.
    pub(super) fn mine(&mut self, miner: &str, entries: Vec<Entry>) -> &Block {
        let Sealed { block, executed, next_seed, .. } = self.mined(miner, entries);
        let changes = self.replica.advance(executed, next_seed).unwrap();
        self.state.apply(&changes);
        self.blocks.push(block);
        self.blocks.last().unwrap()
    }

    /// The next block of these entries, mined for an account.
    pub(super) fn mined(&self, miner: &str, mut entries: Vec<Entry>) -> Sealed {
        let mut sealer = Sealer::miner(&self.genesis, name(miner)).unwrap();
        let signatures = vec![Signature::Absent; entries.len()];
        let full = self.genesis.parameters.block_max_transactions as usize;
        let (cut, height) =
            (if entries.len() == full { Cut::Transactions } else { Cut::Age }, self.blocks.len() as u64);
        let decided = [Decision::Cut { height, cut, through_offset: self.offset - 1 }];
        let stretch = Stretch { entries: &mut entries, signatures: &signatures, cut };
        let step = sealer.seal(&self.state, &self.replica, stretch, &decided).unwrap();
        let Step::Unproved(unproved) = step else { panic!("{step:?}") };
        let proof = unproved.puzzle().search(0, u64::MAX).unwrap();
        unproved.complete(proof, entries).unwrap()
    }

    /// What a stranger finds who follows blocks from their JSON.
    pub(super) fn follow(&self, blocks: &[Block]) -> Result<Summary, follow::Error<std::convert::Infallible>> {
        let anchor = Anchor::Genesis(self.genesis.hash());
        let mut follower = Follower::new(MemoryState::new(), anchor, StdRng::from_seed([3; 32]));
        for line in blocks.iter().map(Rendering::to_json) {
            follower.follow(&Block::from_json(line.as_bytes()).unwrap())?;
        }
        Ok(follower.conclude(None)?.unwrap())
    }
}
