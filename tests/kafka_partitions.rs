//! A topic of transactions that gets more partitions under a run, on a real broker.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use support::{Chain, assert_one_chain, payments, until_sealed};
use test_cluster::Cluster;
use topology::log::Log;
use topology::log::kafka::{KafkaLog, Options};

const COUNT: i32 = 4;

#[test]
fn a_topic_that_is_widened_under_a_run_is_sealed_on_by_the_next() {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "50"), ("CAIRN_BLOCK_MAX_AGE_MS", "300")]);
    let mut run = chain.start(&[]);
    run.until_logged("running");
    chain.submit(&payments(0..1_000));
    until_sealed(&chain, 1_000);
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    log.add_partitions(&chain.transactions, COUNT).unwrap();
    let said = run.wait().refusal().to_owned();
    for part in [&*format!("topic '{}' has 4 partitions now, 1 when", chain.transactions), "Start again"] {
        assert!(said.contains(part), "{said}");
    }
    chain.submit(&payments(1_000..3_000));
    chain.run_until_end();
    assert_one_chain(&chain, 3_000);
}
