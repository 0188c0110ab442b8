//! Chains, and the topics they stand on.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cairn::audit::verify::{self, Options, Verified};
use cairn::audit::{Anchor, Broken};
use cairn::chain::{
    Amount, Balances, Block, ConsensusKind, Content, Cut, Frontier, Genesis, Name, Operation, Outcome, Parameters,
    ReasonCode, Rendering, ValidatorId, merkle,
};
use cairn::checkpoint::Checkpoint;
use cairn::consensus::{Fault, KeySet, Sealer};
use cairn::sealing::{Application, Miners, Setup};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use topology::clock::SystemClock;
use topology::log::memory::MemoryLog;
use topology::log::{Log, Producer, ProducerOptions, ProducerRecord, TopicSpec};
use topology::test_driver::{OwnedRecord, TestDriver};

pub(crate) const BLOCKCHAIN: &str = "blockchain";
pub(crate) const TRANSACTIONS: &str = "transactions";
const START_MS: i64 = 1_700_000_000_000;
const SECOND: Duration = Duration::from_secs(1);

/// A sealed chain, and all there is to know about it.
#[derive(Clone)]
pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    /// The committee's key file.
    pub(crate) keys: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) transactions: Vec<OwnedRecord>,
}

/// A chain that is being sealed.
pub(crate) struct Run {
    pub(crate) driver: TestDriver,
    genesis: Genesis,
    keys: String,
    next_ms: i64,
}

impl Run {
    pub(crate) fn new(key_seed: u64, parameters: Parameters, faults: &[(&str, Fault)]) -> Self {
        Self::with_accounts(key_seed, parameters, faults, &[("alice", 10_000), ("bob", 10_000)])
    }

    pub(crate) fn with_accounts(
        key_seed: u64,
        parameters: Parameters,
        faults: &[(&str, Fault)],
        accounts: &[(&str, i64)],
    ) -> Self {
        println!("key seed {key_seed}");
        let (keys, validators) = KeySet::default_committee(&mut ChaCha8Rng::seed_from_u64(key_seed)).unwrap();
        let accounts = accounts.iter().map(|(name, balance)| (Name::new(name).unwrap(), *balance)).collect();
        let genesis = Genesis { chain_id: "cairn".into(), created_ms: 0, accounts, validators, parameters };
        Self::with_genesis(genesis, keys, faults)
    }

    pub(crate) fn with_genesis(genesis: Genesis, keys: KeySet, faults: &[(&str, Fault)]) -> Self {
        let text = keys.encode().to_string();
        let faults: Vec<(ValidatorId, Fault)> =
            faults.iter().map(|(id, fault)| (ValidatorId::new(id).unwrap(), *fault)).collect();
        let application = Application::new(Setup {
            sealer: match genesis.parameters.consensus.kind() {
                ConsensusKind::Stake => Sealer::local(&genesis, keys, &faults).unwrap(),
                ConsensusKind::Work => Sealer::miner(&genesis, Name::new("ann").unwrap()).unwrap(),
            },
            miners: Miners::at_once(),
            classic: None,
            genesis: genesis.clone(),
            transactions: TRANSACTIONS.into(),
            blockchain: BLOCKCHAIN.into(),
            entropy: [1; 32],
            topic: None,
            notary: None,
        });
        let driver = TestDriver::new(&application.topology().unwrap(), "cairn", START_MS).unwrap();
        Self { driver, genesis, keys: text, next_ms: START_MS }
    }

    pub(crate) fn send(&mut self, value: impl AsRef<[u8]>) {
        self.next_ms += 1;
        self.driver.pipe(TRANSACTIONS, Some(b"key"), Some(value.as_ref()), self.next_ms).unwrap();
    }

    pub(crate) fn transfer(&mut self, from: &str, to: &str, amount: u64) {
        self.send(format!(r#"{{"from":"{from}","to":"{to}","amount":{amount}}}"#));
    }

    /// The records to come lie in the next event-time window.
    fn next_window(&mut self) {
        self.next_ms = (self.next_ms / 1_000 + 1) * 1_000;
    }

    /// What was committed so far.
    pub(crate) fn chain(&self) -> Chain {
        let records = self.driver.read(BLOCKCHAIN).iter();
        let blocks: Vec<Block> = records
            .map(|record| {
                let read = Block::from_record(record.key.as_deref(), record.value.as_deref()).unwrap();
                let block = read.block().unwrap().expect("no foreign record");
                assert_eq!(block.to_json().as_bytes(), record.value.as_deref().unwrap());
                block
            })
            .collect();
        let transactions = self.driver.read(TRANSACTIONS).to_vec();
        Chain { genesis: self.genesis.clone(), keys: self.keys.clone(), blocks, transactions }
    }
}

fn parameters() -> Parameters {
    let amount = |units| Amount::new(units).unwrap();
    Parameters {
        block_max_transactions: 5,
        block_max_age_ms: 200,
        balances: Balances::Open { overdraft_max: amount(500) },
        fee: amount(2),
        reward: amount(1),
        ..Parameters::default()
    }
}

/// Sixteen rounds of input that end blocks for every reason there is but their size, with what nobody can read and with
/// what the rules reject.
pub(crate) fn run(key_seed: u64, faults: &[(&str, Fault)]) -> Run {
    let mut run = Run::new(key_seed, parameters(), faults);
    for round in 0..16_u64 {
        run.transfer("alice", "bob", 10 + round);
        run.transfer("alice", "bob", 30 + round);
        match round % 4 {
            0 => {
                run.send(r#"{"from":"bob","to":"carol","amount":5,"id":"once"}"#);
                run.transfer("carol", "dave", 100_000);
                run.transfer("bob", "alice", 2);
            }
            1 => {
                run.send("hello");
                run.transfer("bob", "alice", 7);
                run.driver.advance_clock(300).unwrap();
            }
            2 => run.next_window(),
            _ => {
                run.send(r#"{"from":"alice","to":"#);
                run.transfer("bob", "carol", 3);
                run.transfer("carol", "bob", 1);
            }
        }
        run.driver.commit().unwrap();
    }
    // In a block of its own, which nothing but the end can cut.
    run.next_window();
    run.transfer("alice", "bob", 1);
    run.driver.end_of_input().unwrap();
    run
}

/// The chain that most tests look at: one validator cheats and is slashed, another is silent.
pub(crate) static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    let chain = run(7, &[("validator-1", Fault::AlterAmount), ("validator-2", Fault::Silent)]).chain();
    let operations = || chain.blocks.iter().flat_map(|block| &block.operations);
    assert_eq!(operations().filter(|operation| matches!(operation, Operation::Slash { .. })).count(), 1);
    assert!(operations().any(|operation| matches!(operation, Operation::Missed { .. })));
    let entries = || chain.blocks.iter().flat_map(|block| &block.entries);
    assert_eq!(entries().count(), chain.transactions.len());
    assert!(entries().any(|entry| matches!(entry.content, Content::Stub { .. })));
    for reason in [ReasonCode::InsufficientFunds, ReasonCode::Duplicate] {
        let is = |content: &Content| matches!(content, Content::Transaction { receipt, .. } if receipt.outcome == Outcome::Rejected(reason));
        assert!(entries().any(|entry| is(&entry.content)), "{reason}");
    }
    for cut in [Cut::Genesis, Cut::Transactions, Cut::Age, Cut::Window, Cut::End] {
        assert!(chain.blocks.iter().any(|block| block.header.cut == cut), "{cut}");
    }
    assert!((10..=20).contains(&chain.blocks.len()), "{} blocks", chain.blocks.len());
    chain
});

/// The checkpoint of these blocks, from block 0 on.
pub(crate) fn checkpoint(blocks: &[Block]) -> Checkpoint {
    let mut frontier = Frontier::default();
    blocks.iter().for_each(|block| frontier.append(merkle::leaf(block.hash.as_bytes())));
    Checkpoint::of(&blocks[0].header.genesis, &frontier)
}

/// A log with a chain's topics.
pub(crate) struct Topics {
    pub(crate) log: MemoryLog,
    pub(crate) anchor: Anchor,
    pub(crate) checkpoints: Vec<Checkpoint>,
}

impl Topics {
    pub(crate) fn new(blocks: &[Block], transactions: &[OwnedRecord]) -> Self {
        let records: Vec<OwnedRecord> = blocks.iter().map(record).collect();
        Self::of_records(&records, transactions)
    }

    /// With these records on the blockchain topic, whatever they are.
    pub(crate) fn of_records(blocks: &[OwnedRecord], transactions: &[OwnedRecord]) -> Self {
        let topics = Self { log: MemoryLog::new(Arc::new(|| START_MS)), anchor: Anchor::None, checkpoints: Vec::new() };
        create(&topics.log, BLOCKCHAIN, 1, "compact");
        create(&topics.log, TRANSACTIONS, 1, "delete");
        topics.append(BLOCKCHAIN, blocks);
        topics.append(TRANSACTIONS, transactions);
        topics
    }

    pub(crate) fn of(chain: &Chain) -> Self {
        Self::new(&chain.blocks, &chain.transactions)
    }

    pub(crate) fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub(crate) fn with_checkpoints(self, checkpoints: impl IntoIterator<Item = Checkpoint>) -> Self {
        Self { checkpoints: checkpoints.into_iter().collect(), ..self }
    }

    /// Adds records in one transaction: an empty topic gives them offsets from 0.
    pub(crate) fn append(&self, topic: &str, records: &[OwnedRecord]) {
        append(&self.log, topic, records);
    }

    pub(crate) fn verify(&self) -> Result<Verified, Broken> {
        self.verify_on(&self.log).unwrap()
    }

    /// As they are on another log.
    pub(crate) fn verify_on<L: Log>(&self, log: &L) -> topology::Result<Result<Verified, Broken>> {
        let options = Options {
            blockchain: BLOCKCHAIN.to_owned(),
            transactions: TRANSACTIONS.to_owned(),
            anchor: self.anchor,
            checkpoints: self.checkpoints.clone(),
        };
        let rng = ChaCha8Rng::seed_from_u64(1);
        let mut next_height = 0;
        verify::verify(log, &SystemClock::new(), &options, rng, &mut |block| {
            assert_eq!(block.header.height, next_height, "every block is told, in order");
            next_height += 1;
        })
    }
}

/// Makes a topic.
pub(crate) fn create(log: &MemoryLog, topic: &str, partition_count: i32, cleanup_policy: &str) {
    let spec = TopicSpec {
        name: topic.to_owned(),
        partition_count,
        replication_factor: None,
        config: vec![("cleanup.policy".to_owned(), cleanup_policy.to_owned())],
    };
    log.create_topics(&[spec]).unwrap();
}

/// Adds records to a topic, in one transaction.
pub(crate) fn append(log: &MemoryLog, topic: &str, records: &[OwnedRecord]) {
    let mut producer = producer(log, "publisher");
    producer.begin().unwrap();
    records.iter().for_each(|record| send(&mut producer, topic, record));
    producer.commit(SECOND).unwrap();
}

pub(crate) fn producer(log: &MemoryLog, transactional_id: &str) -> <MemoryLog as Log>::Producer {
    let options = ProducerOptions {
        transactional_id: transactional_id.to_owned(),
        transaction_timeout_ms: 10_000,
        client_id: transactional_id.to_owned(),
        track_topics: Vec::new(),
    };
    let mut producer = log.producer(&options).unwrap();
    producer.init_transactions(SECOND).unwrap();
    producer
}

pub(crate) fn send(producer: &mut impl Producer, topic: &str, record: &OwnedRecord) {
    let OwnedRecord { partition, timestamp_ms, key, value, .. } = record;
    let (key, value, timestamp_ms) = (key.as_deref(), value.as_deref(), *timestamp_ms);
    producer
        .send(&ProducerRecord { topic, partition: Some(*partition), timestamp_ms, key, value, headers: &[] })
        .unwrap();
}

/// A block as the topic holds it.
pub(crate) fn record(block: &Block) -> OwnedRecord {
    OwnedRecord {
        partition: 0,
        offset: -1,
        timestamp_ms: block.header.time_ms,
        key: Some(block.key().into_bytes()),
        value: Some(block.to_json().into_bytes()),
        headers: Vec::new(),
    }
}
