//! `cairn topics` on a cluster.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Chain, Process, cairn, describe};

/// The report by topic, and the exit code.
fn told(chain: &Chain, words: &[&str]) -> (BTreeMap<String, Value>, i32) {
    let mut command = cairn("topics");
    command.args(["--check", "--json", "--brokers", chain.cluster.brokers(), "--application-id", &chain.application]);
    command.args(["--transactions", &chain.transactions, "--blockchain", &chain.blockchain]).args(words);
    let finished = Process::start(&mut command, chain.directory.path()).wait();
    let topics = finished.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let topics = topics.map(|topic| (topic["topic"].as_str().unwrap().to_owned(), topic)).collect();
    (topics, finished.status.code().unwrap())
}

#[test]
fn on_a_cluster_what_is_told_is_what_a_run_makes_and_too_few_replicas_are_a_difference() {
    let chain = Chain::new(&[]);
    let all_are = |topics: &BTreeMap<String, Value>, state: &str| topics.values().all(|topic| topic["state"] == state);
    let (before, code) = told(&chain, &[]);
    assert!(code == 0 && before.len() == 12 && all_are(&before, "missing"), "{code}: {before:?}");
    chain.run_until_end();
    for (name, topic) in &before {
        let made = describe(name);
        assert_eq!(topic["partitions"], made.partition_count, "{name}");
        for (setting, value) in topic["settings"].as_object().unwrap() {
            assert_eq!(made.settings.get(setting).map(String::as_str), value.as_str(), "{name}: {setting}");
        }
    }
    let (after, code) = told(&chain, &["--replication-factor", "1"]);
    assert!(code == 0 && after.len() == 12 && all_are(&after, "there"), "{code}: {after:?}");
    let (few, code) = told(&chain, &["--replication-factor", "3"]);
    assert!(code == 1 && all_are(&few, "differs"), "{code}: {few:?}");
    assert_eq!(few[&chain.blockchain]["differences"][0]["name"], "replicas");
    assert_eq!(few[&chain.blockchain]["found"]["replicas"], 1);
}
