//! A topic of transactions with several partitions, from the first line sent to the last one verified.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use topology::log::embedded::{EmbeddedLog, Options};
use topology::log::{Log, TopicSpec};

use crate::Cairn;

const COUNT: i32 = 4;
const SENDERS: usize = 20;

fn with_log(cairn: &Cairn, act: impl FnOnce(&EmbeddedLog)) {
    act(&EmbeddedLog::open(cairn.path().join("log"), &Options::default(), Arc::new(|| 0)).unwrap());
}

fn create(cairn: &Cairn, partition_count: i32) {
    let name = "transactions".to_owned();
    let spec = TopicSpec { name, partition_count, replication_factor: None, config: Vec::new() };
    with_log(cairn, |log| log.create_topics(&[spec]).unwrap());
}

/// Submits payments, of which each sender's are numbered by their amounts.
fn submit(cairn: &Cairn, numbers: std::ops::Range<usize>) {
    let line = |number: usize| {
        let from = number % SENDERS;
        format!("{{\"from\":\"sender-{from}\",\"to\":\"bob\",\"amount\":{}}}\n", number / SENDERS + 1)
    };
    cairn.write("payments.jsonl", &numbers.map(line).collect::<String>());
    cairn.run("submit --log embedded:log payments.jsonl").done();
}

/// Three threads share four partitions; where there is one, it has one task for all of them.
fn run(cairn: &Cairn) -> Value {
    let parameters = [("CAIRN_BLOCK_MAX_TRANSACTIONS", "7"), ("CAIRN_BLOCK_WINDOW_MS", "0"), ("CAIRN_THREADS", "3")];
    cairn.run_with("run --log embedded:log --state-dir state --until-end --json", &parameters).done().json().remove(0)
}

/// The entries of all blocks by partition, in the order of the chain.
fn entries(cairn: &Cairn) -> BTreeMap<i64, Vec<Value>> {
    let mut entries: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for block in cairn.run("blocks --log embedded:log --json").done().json() {
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        for entry in block["transactions"].as_array().unwrap() {
            let partition = entry["partition"].as_i64().unwrap();
            *counts.entry(partition).or_default() += 1;
            entries.entry(partition).or_default().push(entry.clone());
        }
        let ranges = block["header"]["ranges"].as_array().unwrap().iter();
        let told: BTreeMap<i64, u64> =
            ranges.map(|range| (range["partition"].as_i64().unwrap(), range["count"].as_u64().unwrap())).collect();
        assert_eq!(told, counts);
    }
    entries
}

/// Each sender's payments are in blocks, each once, in the order in which they were sent.
fn assert_orders_are_kept(cairn: &Cairn, count: usize) {
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    for entry in entries(cairn).values().flatten() {
        let next = next.entry(entry["from"].as_str().unwrap().to_owned()).or_insert(1);
        assert_eq!(entry["amount"].as_u64().unwrap(), *next, "{entry}");
        *next += 1;
    }
    assert_eq!(next.values().map(|next| next - 1).sum::<u64>(), count as u64);
}

/// The checker that knows the encoding and the rules from their description alone.
fn assert_another_program_agrees(cairn: &Cairn) {
    let blocks = cairn.run("blocks --log embedded:log --json").done().stdout;
    let records: String = blocks.lines().enumerate().map(|(height, block)| format!("{height}\t{block}\n")).collect();
    cairn.write("records.tsv", &records);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/checker/check.py");
    let input = std::fs::File::open(cairn.path().join("records.tsv")).unwrap();
    let checked = std::process::Command::new("python3").args([script, "--execute"]).stdin(input).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

fn assert_intact(cairn: &Cairn, count: u64) -> Value {
    let verified = cairn.run("verify --log embedded:log --json").done().json().remove(0);
    assert_eq!((&verified["result"], &verified["compared_records"]), (&"intact".into(), &count.into()));
    assert_eq!((&verified["compared_from_height"], &verified["unsealed_records"]), (&1.into(), &0.into()));
    verified
}

#[test]
fn four_partitions_become_one_chain_that_can_be_verified_and_replayed() {
    let cairn = Cairn::new();
    create(&cairn, COUNT);
    submit(&cairn, 0..200);
    let tip = run(&cairn);
    assert_eq!(tip["height"], 29, "28 blocks of seven and what is left");
    let verified = assert_intact(&cairn, 200);
    assert_eq!(verified["state_root"], tip["state_root"]);
    let by_partition = entries(&cairn);
    assert_eq!(by_partition.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3], "twenty senders are in all of them");
    for entries in by_partition.values() {
        assert!(entries.windows(2).all(|pair| pair[0]["offset"].as_i64() < pair[1]["offset"].as_i64()));
    }
    assert_orders_are_kept(&cairn, 200);
    assert_another_program_agrees(&cairn);
    let replayed = cairn.run("replay --log embedded:log --state-dir replayed --json").done().json().remove(0);
    assert_eq!(replayed["state_root"], tip["state_root"]);
    let inspected = cairn.run("inspect --state-dir state --json").done().json().remove(0);
    assert_eq!((&inspected["result"], &inspected["state_root"]), (&"sound".into(), &tip["state_root"]));

    assert_eq!(run(&cairn), tip, "nothing new, nothing sealed");
    submit(&cairn, 200..240);
    assert_eq!(run(&cairn)["height"], 35);
    assert_intact(&cairn, 240);
    assert_orders_are_kept(&cairn, 240);
}

#[test]
fn a_topic_that_was_widened_is_sealed_on_behind_the_same_block() {
    let cairn = Cairn::new();
    create(&cairn, 1);
    submit(&cairn, 0..60);
    let narrow = run(&cairn);
    with_log(&cairn, |log| log.add_partitions("transactions", COUNT).unwrap());
    assert_eq!(run(&cairn), narrow, "nothing new, nothing sealed");
    submit(&cairn, 60..160);
    let wide = run(&cairn);
    assert!(wide["height"].as_u64() > narrow["height"].as_u64());
    assert_intact(&cairn, 160);
    let by_partition = entries(&cairn);
    assert_eq!(by_partition.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!((1..4).all(|partition| by_partition[&partition][0]["offset"] == 0));
    let blocks = cairn.run("blocks --log embedded:log --json").done().json();
    assert!(blocks.windows(2).all(|pair| pair[1]["header"]["parent"] == pair[0]["hash"]));
    let last = narrow["height"].as_u64().unwrap() as usize;
    assert_eq!(blocks[last]["hash"], narrow["block_hash"]);
    // What the first run may have signed behind its last block was in another turn.
    let missed = |block: &Value| block["operations"].as_array().unwrap().iter().any(|one| one["kind"] == "missed");
    assert_eq!(blocks[last + 1]["header"]["author"]["round"], 1);
    assert_eq!(blocks.iter().filter(|block| missed(block)).count(), 1, "and nobody misses another one");
    assert_another_program_agrees(&cairn);
}

#[test]
fn the_demo_runs_on_as_many_partitions_as_it_is_told() {
    let cairn = Cairn::new();
    let words = "demo --dir demo --partitions 4 --blocks 6 --rate 400 --json";
    let last = cairn.run(words).done().json().pop().unwrap();
    assert_eq!(last["verify"], "intact");
    let blocks = cairn.run("blocks --log embedded:demo/log --json").done().json();
    let partitions = blocks.iter().flat_map(|block| block["header"]["ranges"].as_array().unwrap());
    assert!(partitions.filter(|range| range["partition"] != 0).count() > 0);
    cairn.run("demo --dir demo --partitions 2 --blocks 1").refused(2, &["has 4 partitions", "--partitions"]);
    assert_eq!(cairn.run("demo --dir demo --blocks 1 --json").done().json().pop().unwrap()["verify"], "intact");
}
