//! The suite on a real broker, through librdkafka.

use test_cluster::Cluster;
use topology::log::kafka::{KafkaLog, Options};

use crate::harness::Fixture;

/// The cluster that all tests share; names keep them apart.
pub(crate) fn fixture() -> Fixture<KafkaLog> {
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    Fixture { log, _keep: None }
}
