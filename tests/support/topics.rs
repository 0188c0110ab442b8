//! Topics of the shared broker.

use std::ops::ControlFlow;

use cairn::reader::Reader;
use serde_json::Value;
use test_cluster::Cluster;
use topology::clock::SystemClock;
use topology::log::kafka::{KafkaLog, Options};
use topology::log::{Log, Start, TopicDescription, TopicPartition, TopicSpec};

/// A record as kcat prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) offset: i64,
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Record {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.value).unwrap_or_else(|error| panic!("{error}: {}", self.value))
    }
}

fn log() -> KafkaLog {
    KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap()
}

pub(crate) fn create_topic(name: &str, partition_count: i32, config: &[(&str, &str)]) {
    let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let spec = TopicSpec { name: name.to_owned(), partition_count, replication_factor: Some(1), config };
    log().create_topics(&[spec]).unwrap();
}

pub(crate) fn describe(name: &str) -> TopicDescription {
    log().describe_topic(name).unwrap().unwrap_or_else(|| panic!("no topic {name}"))
}

pub(crate) fn is_there(name: &str) -> bool {
    log().describe_topic(name).unwrap().is_some()
}

/// Hands over the committed records of a topic's only partition, oldest first, up to its end: for those that are no
/// text, or many.
pub(crate) fn each(topic: &str, mut visit: impl FnMut(&topology::log::Record<'_>)) {
    let (log, clock) = (log(), SystemClock::new());
    let from = [(TopicPartition::new(topic, 0), Start::Beginning)];
    let read = Reader::new(&log, &clock, "test").read(&from, |_, records| {
        records.iter().for_each(&mut visit);
        Ok(ControlFlow::Continue(()))
    });
    read.unwrap();
}

/// Deletes topics, which all must be there.
pub(crate) fn delete_topics(names: &[String]) {
    names.iter().for_each(|name| drop(describe(name)));
    log().delete_topics(names).unwrap();
}

/// All records of a topic's only partition whose values have no line breaks, up to its end.
pub(crate) fn read(topic: &str, isolation: &str) -> Vec<Record> {
    read_of(Cluster::shared(), topic, isolation)
}

/// The same of a topic elsewhere.
pub(crate) fn read_of(cluster: &Cluster, topic: &str, isolation: &str) -> Vec<Record> {
    let isolation = format!("isolation.level={isolation}");
    let arguments = [
        "-C",
        "-q",
        "-e",
        "-t",
        topic,
        "-o",
        "beginning",
        "-X",
        &isolation,
        "-X",
        "check.crcs=true",
        "-f",
        "%o\t%k\t%s\n",
    ];
    let text = cluster.kcat(&arguments, b"");
    let record = |line: &str| {
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_else(|| panic!("no record: {line}"));
        Record { offset: part().parse().unwrap(), key: part(), value: part() }
    };
    text.lines().map(record).collect()
}
