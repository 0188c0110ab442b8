//! Chains that were mined, with classic blocks beside them where there can be any.

use std::sync::{Arc, LazyLock, Mutex};

use cairn::chain::{Block, ConsensusKind, Genesis, Hash, Operation, Read};
use cairn::classic::Kind;
use cairn::config::{ChainParameters, Environment, File, genesis, keys};
use cairn::consensus::{Fault, KeySet, Sealer};
use cairn::sealing::{Application, BlockchainTopic, Classic, ClassicTail, Miners, Setup};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use topology::test_driver::TestDriver;

use crate::chain::{BLOCKCHAIN, Chain, TRANSACTIONS, Topics};
use crate::replay::replay_on;
use crate::stranger::told;

pub(crate) const CLASSIC: &str = "classic";
const START_MS: i64 = 1_700_000_000_000;

/// A block per three transactions and a reward of one, mined by the rule of the system in Python.
pub(crate) const MINED: [(&str, &str); 6] = [
    ("CAIRN_CONSENSUS", "work"),
    ("CAIRN_WORK_RULE", "classic"),
    ("CAIRN_REWARD", "1"),
    ("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"),
    ("CAIRN_BLOCK_WINDOW_MS", "0"),
    ("CAIRN_BLOCK_MAX_AGE_MS", "100"),
];
/// A block per three transactions and a fee of seven.
pub(crate) const STAKED: [(&str, &str); 3] =
    [("CAIRN_FEE", "7"), ("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"), ("CAIRN_BLOCK_WINDOW_MS", "0")];

/// The genesis that somebody gets who sets these variables and nothing else, with its keys, of which a chain of work
/// has none.
pub(crate) fn configured(variables: &[(&str, &str)]) -> (Genesis, KeySet) {
    let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let asked = ChainParameters::collect(&File::default(), &Environment::new(pairs)).unwrap();
    let keys = match asked.consensus().unwrap() {
        ConsensusKind::Stake => keys::default(&mut ChaCha8Rng::seed_from_u64(11)).unwrap(),
        ConsensusKind::Work => keys::none().unwrap(),
    };
    (genesis::default("cairn".to_owned(), &keys, &asked).unwrap(), keys)
}

/// What is committed of the classic topic and of the chain's own.
#[derive(Clone, Default)]
pub(crate) struct Tail(pub(crate) Arc<Mutex<Committed>>);

#[derive(Default)]
pub(crate) struct Committed {
    pub(crate) classic: Vec<Vec<u8>>,
    blocks: Vec<Block>,
}

impl ClassicTail for Tail {
    fn last_two(&self) -> topology::Result<Vec<Vec<u8>>> {
        let classic = &self.0.lock().unwrap().classic;
        Ok(classic[classic.len().saturating_sub(2)..].to_vec())
    }
}

impl BlockchainTopic for Tail {
    fn last_block(&self) -> topology::Result<Option<Block>> {
        Ok(self.0.lock().unwrap().blocks.last().cloned())
    }

    fn blocks(&self, visit: &mut dyn FnMut(Block) -> bool) -> topology::Result<()> {
        self.0.lock().unwrap().blocks.clone().into_iter().all(visit);
        Ok(())
    }
}

/// A chain that is being sealed, with classic blocks beside it where there can be any.
pub(crate) struct Run {
    pub(crate) driver: TestDriver,
    genesis: Genesis,
    pub(crate) tail: Tail,
    next_ms: i64,
}

impl Run {
    pub(crate) fn new(variables: &[(&str, &str)], faults: &[(&str, Fault)]) -> Self {
        let (genesis, keys) = configured(variables);
        let faults: Vec<_> = faults.iter().map(|(id, fault)| (id.parse().unwrap(), *fault)).collect();
        let sealer = match genesis.parameters.consensus.kind() {
            ConsensusKind::Stake => Sealer::local(&genesis, keys, &faults).unwrap(),
            ConsensusKind::Work => Sealer::miner(&genesis, "ann".parse().unwrap()).unwrap(),
        };
        let tail = Tail::default();
        let application = Application::new(Setup {
            sealer,
            miners: Miners::at_once(),
            classic: Kind::of(&genesis.parameters).ok().map(|kind| Classic {
                topic: CLASSIC.into(),
                kind,
                tail: Some(Box::new(tail.clone())),
            }),
            genesis: genesis.clone(),
            transactions: TRANSACTIONS.into(),
            blockchain: BLOCKCHAIN.into(),
            entropy: [1; 32],
            topic: Some(Box::new(tail.clone())),
            notary: None,
        });
        let driver = TestDriver::new(&application.topology().unwrap(), "cairn", START_MS).unwrap();
        let run = Self { driver, genesis, tail, next_ms: START_MS };
        run.follow_tail();
        run
    }

    pub(crate) fn send(&mut self, value: &str, step_ms: i64) {
        self.next_ms += step_ms;
        self.driver.pipe(TRANSACTIONS, None, Some(value.as_bytes()), self.next_ms).unwrap();
    }

    pub(crate) fn transfer(&mut self, from: &str, to: &str, amount: u64) {
        self.send(&serde_json::json!({ "from": from, "to": to, "amount": amount }).to_string(), 7);
    }

    fn follow_tail(&self) {
        let mut committed = self.tail.0.lock().unwrap();
        if Kind::of(&self.genesis.parameters).is_ok() {
            committed.classic = self.driver.read(CLASSIC).iter().filter_map(|record| record.value.clone()).collect();
        }
        committed.blocks = self.blocks();
    }

    pub(crate) fn commit(&mut self) {
        self.driver.commit().unwrap();
        self.follow_tail();
    }

    /// Dies in the middle of a transaction, and begins anew.
    pub(crate) fn crash(&mut self) {
        self.follow_tail();
        self.driver.abort().unwrap();
    }

    pub(crate) fn end(&mut self) {
        self.driver.end_of_input().unwrap();
        self.follow_tail();
    }

    fn blocks(&self) -> Vec<Block> {
        let read = |record: &topology::test_driver::OwnedRecord| {
            Block::from_record(record.key.as_deref(), record.value.as_deref()).and_then(Read::block).unwrap().unwrap()
        };
        self.driver.read(BLOCKCHAIN).iter().map(read).collect()
    }

    pub(crate) fn chain(&self) -> Chain {
        Chain {
            genesis: self.genesis.clone(),
            keys: keys::none().unwrap().encode().to_string(),
            blocks: self.blocks(),
            transactions: self.driver.read(TRANSACTIONS).to_vec(),
        }
    }

    pub(crate) fn classic(&self) -> Vec<String> {
        let text =
            |record: &topology::test_driver::OwnedRecord| String::from_utf8(record.value.clone().unwrap()).unwrap();
        self.driver.read(CLASSIC).iter().map(text).collect()
    }
}

/// A mined chain with all that one can hold: fees and rewards, what is rejected, what is no transaction, every cut.
pub(crate) fn mined(variables: &[(&str, &str)]) -> Chain {
    let more = [("CAIRN_FEE", "2"), ("CAIRN_REWARD", "5")];
    let variables = [variables, &more].concat();
    let mut run = Run::new(&variables, &[]);
    for round in 0..8 {
        run.transfer("alice", "bob", 10 + round);
        match round % 4 {
            0 => run.send("hello", 3),
            1 => run.transfer("alice", "$x", 1),
            2 => run.driver.advance_clock(200).unwrap(),
            _ => run.transfer("ann", "carol", 1),
        }
        run.transfer("bob", "alice", 1 + round);
        run.commit();
    }
    run.end();
    run.chain()
}

pub(crate) const HEADER: [(&str, &str); 5] = [
    ("CAIRN_CONSENSUS", "work"),
    ("CAIRN_WORK_LEADING_ZERO_BITS", "16"),
    ("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"),
    ("CAIRN_BLOCK_WINDOW_MS", "0"),
    ("CAIRN_BLOCK_MAX_AGE_MS", "100"),
];

/// The chain that most tests of work look at.
pub(crate) static WORK: LazyLock<Chain> = LazyLock::new(|| {
    let chain = mined(&HEADER);
    let operations = || chain.blocks.iter().flat_map(|block| &block.operations);
    assert!(operations().any(|operation| matches!(operation, Operation::MinerFee { .. })));
    assert!(operations().any(|operation| matches!(operation, Operation::MinerReward { .. })));
    assert!((6..=16).contains(&chain.blocks.len()), "{} blocks", chain.blocks.len());
    chain
});

#[test]
fn mined_chains_are_intact_to_verify_to_replay_and_to_a_second_implementation() {
    let adjusted =
        [HEADER.as_slice(), &[("CAIRN_WORK_TARGET_INTERVAL_MS", "400"), ("CAIRN_WORK_LEADING_ZERO_BITS", "10")]];
    for chain in [mined(&HEADER), mined(&adjusted.concat()), mined(&MINED)] {
        let topics = Topics::of(&chain);
        let verified = topics.verify().unwrap();
        assert_eq!(verified.compared_count, chain.transactions.len() as u64);
        let replayed = replay_on(&topics).unwrap().unwrap();
        assert_eq!(replayed.summary.tip, verified.summary.tip);
        let (code, report) = told(&chain.blocks);
        assert_eq!(code, Some(0), "{report}");
    }
}

#[test]
fn a_second_implementation_finds_what_was_not_mined() {
    let height = 4;
    let broken = |alter: &dyn Fn(&mut Block), reason: &str| {
        let mut blocks = WORK.blocks[..=height].to_vec();
        alter(&mut blocks[height]);
        blocks[height].hash = blocks[height].header.hash();
        let (code, report) = told(&blocks);
        assert!(code == Some(1) && report.starts_with(&format!("height {height}: {reason}")), "{report}");
    };
    broken(&|block| block.seal.as_mut().unwrap().work_mut().unwrap().proof += 1, "proof ");
    broken(&|block| block.header.work_mut().unwrap().difficulty = 1, "difficulty is ");
    broken(&|block| block.header.work_mut().unwrap().last_proof += 1, "last proof is ");
    broken(&|block| block.header.work_mut().unwrap().miner = "mallory".parse().unwrap(), "proof ");
    broken(&|block| block.header.state_root = Hash::ZERO, "proof ");
}
