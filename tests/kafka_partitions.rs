//! A topic of transactions with four partitions, on a real broker: instances share them, are killed, stopped and continued past
//! their sessions, and the topic is widened under one. Each offset is in one block, and there is one chain.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Chain, Process, create_topic, read, transfer};
use test_cluster::Cluster;
use topology::log::Log;
use topology::log::kafka::{KafkaLog, Options};

const COUNT: i32 = 4;
const SENDERS: usize = 40;

fn chain() -> Chain {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "50"), ("CAIRN_BLOCK_MAX_AGE_MS", "300")]);
    create_topic(&chain.transactions, COUNT, &[]);
    chain
}

/// Payments, of which each sender's are numbered by their amounts.
fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|n| transfer(&format!("sender-{}", n % SENDERS), "bob", (n / SENDERS + 1) as u64)).collect()
}

/// An instance with a state directory of its own, and the keys that the first run has made.
fn start(chain: &Chain, state: &str, options: &[&str]) -> Process {
    let mut command: Command = chain.run_in(&chain.directory.path().join(state), options);
    command.arg("--keys").arg(chain.keys());
    Process::start(&mut command, chain.directory.path())
}

fn signal(name: &str, process: &Process) {
    let status = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &process.id().to_string()]).status();
    assert!(status.unwrap().success());
}

fn sealed(chain: &Chain) -> usize {
    chain.blocks().iter().map(|block| block["transactions"].as_array().unwrap().len()).sum()
}

fn until_sealed(chain: &Chain, count: usize) {
    let start = Instant::now();
    while sealed(chain) < count {
        assert!(start.elapsed() < Duration::from_secs(120), "{} of {count} are sealed", sealed(chain));
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Every payment is in one block, each sender's in their order, and no height was ever written with other bytes.
fn assert_one_chain(chain: &Chain, count: usize) {
    let report = chain.verify();
    assert_eq!((&report["compared_records"], &report["unsealed_records"]), (&Value::from(count), &Value::from(0)));
    assert_eq!(report["compared_from_height"], 1);
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    for block in chain.blocks() {
        for entry in block["transactions"].as_array().unwrap() {
            let next = next.entry(entry["from"].as_str().unwrap().to_owned()).or_insert(1);
            assert_eq!(entry["amount"].as_u64().unwrap(), *next, "{entry}");
            *next += 1;
        }
    }
    let mut written: BTreeMap<String, String> = BTreeMap::new();
    for record in read(&chain.blockchain, "read_uncommitted") {
        let before = written.entry(record.key.clone()).or_insert_with(|| record.value.clone());
        assert!(*before == record.value, "height {}:\n{before}\n{}", record.key, record.value);
    }
    let replayed = chain.replay();
    assert_eq!(replayed["state_root"], report["state_root"]);
}

#[test]
fn instances_that_are_killed_or_sleep_through_their_session_seal_each_offset_once() {
    let chain = chain();
    chain.run_until_end();
    let mut first = start(&chain, "one", &[]);
    first.until_logged("running");
    let mut second = start(&chain, "two", &["--threads", "2"]);
    let mut third = start(&chain, "three", &[]);
    chain.submit(&lines(0..4_000));
    until_sealed(&chain, 4_000);

    chain.submit(&lines(4_000..8_000));
    first.kill();
    chain.submit(&lines(8_000..12_000));
    until_sealed(&chain, 12_000);

    // It sleeps through its session, and wakes up as one that others have replaced.
    signal("STOP", &second);
    chain.submit(&lines(12_000..16_000));
    until_sealed(&chain, 16_000);
    std::thread::sleep(Duration::from_secs(11));
    signal("CONT", &second);
    chain.submit(&lines(16_000..20_000));
    until_sealed(&chain, 20_000);
    assert!(third.is_running() && second.is_running(), "{}\n{}", third.stderr(), second.stderr());
    for process in [second, third] {
        process.terminate();
        let finished = process.wait();
        assert!(finished.status.success(), "{finished}");
    }
    assert_one_chain(&chain, 20_000);
}

#[test]
fn a_topic_that_is_widened_under_a_run_is_sealed_on_by_the_next() {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "50"), ("CAIRN_BLOCK_MAX_AGE_MS", "300")]);
    let mut run = chain.start(&[]);
    run.until_logged("running");
    chain.submit(&lines(0..1_000));
    until_sealed(&chain, 1_000);
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    log.add_partitions(&chain.transactions, COUNT).unwrap();
    let said = run.wait().refusal().to_owned();
    for part in [&*format!("topic '{}' has 4 partitions now, 1 when", chain.transactions), "Start again"] {
        assert!(said.contains(part), "{said}");
    }
    chain.submit(&lines(1_000..3_000));
    chain.run_until_end();
    assert_one_chain(&chain, 3_000);
}
