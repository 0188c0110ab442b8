//! Applications as commands make them, running on a log in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use topology::client::{Client, Config};
use topology::clock::Clock;
use topology::log::memory::MemoryLog;
use topology::log::{Isolation, Producer, ProducerOptions, ProducerRecord, TopicPartition, TopicSpec};

use super::*;
use crate::audit::Anchor;
use crate::audit::verify::{self, Verified};
use crate::chain::Parameters;
use crate::config::founding::Source;
use crate::consensus::KeySet;

const APPLICATION_ID: &str = "ledger";
const COUNT: i32 = 4;
const TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn a_malicious_validator_alters_amounts_unless_another_fault_is_named() {
    let parse = |text: &str| text.parse::<Malicious>();
    assert_eq!(parse("validator-1").unwrap().fault, Fault::AlterAmount);
    for fault in Fault::ALL {
        assert_eq!(parse(&format!("v={}", fault.as_str())).unwrap().fault, fault);
    }
    assert!(parse("v=lazy").unwrap_err().contains("alter-amount, drop-transaction, equivocate, silent"));
    assert!(parse("V").unwrap_err().contains("a validator's id"));
}

fn topics() -> Topics {
    Topics { transactions: "transactions".to_owned(), blockchain: "blockchain".to_owned() }
}

/// A log in memory, and the chain on it.
struct World {
    log: MemoryLog,
    /// The log's clock, ms: sessions and transactions last as long as it stands still.
    now_ms: Arc<AtomicI64>,
    states: tempfile::TempDir,
}

impl World {
    fn new(partition_count: i32) -> Self {
        let now_ms = Arc::new(AtomicI64::new(1_700_000_000_000));
        let clock = Arc::clone(&now_ms);
        let log = MemoryLog::new(Arc::new(move || clock.load(Ordering::SeqCst)));
        let name = "transactions".to_owned();
        log.create_topics(&[TopicSpec { name, partition_count, replication_factor: None, config: Vec::new() }])
            .unwrap();
        Self { log, now_ms, states: tempfile::tempdir().unwrap() }
    }

    /// Starts an instance, with a state directory of this name.
    fn start(&self, state: &str) -> (Application, Client) {
        let (keys, validators) = KeySet::default_committee(&mut StdRng::from_seed([7; 32])).unwrap();
        let parameters = Parameters { block_window_ms: 0, block_max_age_ms: 100, ..Parameters::default() };
        let genesis = Genesis { chain_id: "cairn".into(), created_ms: 0, accounts: Vec::new(), validators, parameters };
        let founding = Founding { genesis, keys, source: Source::Chain, notes: None };
        let application = application(&self.log, APPLICATION_ID, founding, topics(), Extras::default()).unwrap();
        let config = Config {
            state_directory: Some(self.states.path().join(state)),
            fingerprint: fingerprint(application.genesis_hash()),
            commit_interval_ms: 20,
            ..Config::new(APPLICATION_ID)
        };
        let client = Client::start_blocking(&application.topology().unwrap(), self.log.clone(), config).unwrap();
        (application, client)
    }

    fn producer(&self, id: &str, transaction_timeout_ms: u32) -> <MemoryLog as Log>::Producer {
        let (transactional_id, client_id) = (id.to_owned(), id.to_owned());
        let options = ProducerOptions { transactional_id, transaction_timeout_ms, client_id, track_topics: Vec::new() };
        let mut producer = self.log.producer(&options).unwrap();
        producer.init_transactions(TIMEOUT).unwrap();
        producer
    }

    /// Sends so many payments to each of these partitions, in one transaction.
    fn send(&self, partitions: std::ops::Range<i32>, count: usize) {
        let mut producer = self.producer("sender", 60_000);
        producer.begin().unwrap();
        for partition in partitions {
            let value = format!(r#"{{"from":"sender-{partition}","to":"bob","amount":1}}"#);
            let (topic, partition, timestamp_ms) = ("transactions", Some(partition), 1_700_000_000_000);
            let value = Some(value.as_bytes());
            for _ in 0..count {
                let record = ProducerRecord { topic, partition, timestamp_ms, key: None, value, headers: &[] };
                producer.send(&record).unwrap();
            }
        }
        producer.commit(TIMEOUT).unwrap();
    }

    fn verify(&self) -> Verified {
        let Topics { transactions, blockchain } = topics();
        let options = verify::Options { blockchain, transactions, anchor: Anchor::None, checkpoints: Vec::new() };
        let randomness = StdRng::from_seed([1; 32]);
        let verified = verify::verify(&self.log, &SystemClock::new(), &options, randomness, &mut |_| ());
        verified.unwrap().unwrap_or_else(|broken| panic!("{broken}"))
    }

    /// Waits until so many records are in blocks, and finds the chain intact.
    fn until_sealed(&self, count: u64) -> Verified {
        until("all is sealed", || {
            self.log.describe_topic("blockchain").unwrap()?;
            let marks = self.log.watermarks(&TopicPartition::new("blockchain", 0), Isolation::ReadCommitted).unwrap();
            (marks.high > 0).then(|| self.verify()).filter(|report| report.compared_count >= count)
        })
    }

    /// Where the topic between the two ends, for those who read committed records and for all.
    fn admitted_ends(&self) -> (i64, i64) {
        let partition = TopicPartition::new(admitted_topic(APPLICATION_ID), 0);
        let end = |isolation| self.log.watermarks(&partition, isolation).unwrap().high;
        (end(Isolation::ReadCommitted), end(Isolation::ReadUncommitted))
    }
}

/// Waits for something that happens on another thread.
fn until<T>(what: &str, mut happened: impl FnMut() -> Option<T>) -> T {
    let clock = SystemClock::new();
    let start_ms = clock.monotonic_ms();
    loop {
        if let Some(happened) = happened() {
            return happened;
        }
        assert!(clock.monotonic_ms() - start_ms < 120_000, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_topic_that_is_widened_under_a_run_ends_it_with_a_line_and_the_next_run_goes_on() {
    let world = World::new(1);
    let (_application, mut client) = world.start("one");
    world.send(0..1, 500);
    let narrow = world.until_sealed(500).summary.tip;
    world.log.add_partitions("transactions", COUNT).unwrap();
    let said = client.wait().unwrap_err().to_string();
    assert!(said.contains("topic 'transactions' has 4 partitions now, 1 when this run began"), "{said}");
    assert!(said.ends_with("Start again: a new run knows all of them"), "{said}");
    drop(client);

    world.send(0..COUNT, 500);
    let (_application, mut client) = world.start("one");
    let report = world.until_sealed(2_500);
    assert!(report.summary.tip.height > narrow.height && report.compared_from_height == Some(1));
    client.stop();
    client.wait().unwrap();
    assert_eq!(world.verify().unsealed_count, 0);
}

#[test]
fn instances_that_come_and_go_share_the_partitions_and_make_one_chain() {
    let world = World::new(COUNT);
    let (_first, mut first) = world.start("one");
    world.send(0..COUNT, 300);
    world.until_sealed(1_200);
    let (_second, mut second) = world.start("two");
    world.send(0..COUNT, 300);
    world.until_sealed(2_400);
    first.stop();
    first.wait().unwrap();
    drop(first);
    world.send(0..COUNT, 300);
    world.until_sealed(3_600);
    second.stop();
    second.wait().unwrap();
    assert_eq!(world.verify().unsealed_count, 0);
}

#[test]
fn more_than_may_be_on_the_way_at_once_is_admitted_as_it_is_sealed() {
    let world = World::new(COUNT);
    let each = AHEAD_RECORDS_MIN as usize / 2;
    world.send(0..COUNT, each);
    let (_application, mut client) = world.start("one");
    world.until_sealed(COUNT as u64 * each as u64);
    client.stop();
    client.wait().unwrap();
}

#[test]
fn an_admission_that_stalls_holds_the_sealer_up_until_its_transaction_times_out() {
    let world = World::new(COUNT);
    let (_application, mut client) = world.start("one");
    world.send(0..COUNT, 100);
    world.until_sealed(400);
    // As an instance that stopped in the middle of handing records on.
    let mut stalled = world.producer("stalled", 1_000);
    stalled.begin().unwrap();
    let topic = admitted_topic(APPLICATION_ID);
    let value = Some(&b"half"[..]);
    let record = ProducerRecord { topic: &topic, partition: Some(0), timestamp_ms: 0, key: None, value, headers: &[] };
    stalled.send(&record).unwrap();
    stalled.flush(TIMEOUT).unwrap();
    let (stable, _) = until("it is there", || Some(world.admitted_ends()).filter(|(stable, end)| stable < end));
    world.send(0..COUNT, 100);
    until("what came later is admitted", || (world.admitted_ends().1 >= stable + 400).then_some(()));
    assert_eq!((world.admitted_ends().0, world.verify().compared_count), (stable, 400), "and not to be read yet");
    world.now_ms.fetch_add(1_001, Ordering::SeqCst);
    world.until_sealed(800);
    client.stop();
    client.wait().unwrap();
}
