//! What the graph asks of its topics.

use std::sync::Arc;

use topology::client::{Client, Config};
use topology::log::memory::MemoryLog;
use topology::log::{Log, TopicSpec};

use super::process::World;
use crate::chain::Parameters;
use crate::sealing::store_specs;

#[test]
fn a_compacted_transactions_topic_is_refused_because_it_loses_records_before_they_are_sealed() {
    let refusal = |policy: &str| {
        let log = MemoryLog::new(Arc::new(|| 0));
        let config = vec![("cleanup.policy".to_owned(), policy.to_owned())];
        let name = "transactions".to_owned();
        log.create_topics(&[TopicSpec { name, partition_count: 1, replication_factor: None, config }]).unwrap();
        let topology = World::new(Parameters::default(), None, Vec::new()).topology();
        let client = Client::start_blocking(&topology, log, Config::new("cairn"));
        client.map(|client| client.stop()).err().map(|error| error.to_string())
    };
    let refused = refusal("compact").unwrap();
    assert!(refused.contains("'transactions'") && refused.contains("cleanup.policy=compact"), "{refused}");
    assert_eq!(refusal("delete"), None);
}

#[test]
fn every_store_of_the_chain_has_a_changelog_since_it_is_signed_by_what_they_hold() {
    let topology = World::new(Parameters::default(), None, Vec::new()).topology().to_string();
    let stores: Vec<&str> = topology.lines().filter(|line| line.contains("  Store: ")).collect();
    assert_eq!(stores.len(), store_specs().unwrap().len());
    assert!(stores.iter().all(|store| store.ends_with("(rocksdb, changelog)")), "{topology}");
}
