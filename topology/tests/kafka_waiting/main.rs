//! What a client waits for on a real cluster is said, every few seconds, with the name of what it is about; and when it
//! is over, that is said too, and all is counted once.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// What is waited for happens in other processes.
#![allow(clippy::disallowed_methods)]

#[path = "../counting/mod.rs"]
mod counting;
mod lines;

use std::process::{Child, Command, Stdio};

use counting::{Topics, assert_exact, create, produce, read, topology};
use test_cluster::{Cluster, unique};
use topology::client::{Client, Config};
use topology::log::kafka::{KafkaLog, Options};
use topology::log::{GroupProtocol, Log};

fn log_of(cluster: &Cluster) -> KafkaLog {
    KafkaLog::new(Options::new(cluster.brokers())).unwrap()
}

fn start(topics: &Topics, log: &KafkaLog) -> Client {
    lines::keep();
    Client::start_blocking(&topology(topics), log.clone(), Config::new(topics.application.clone())).unwrap()
}

fn stop(mut client: Client) {
    client.stop();
    client.wait().unwrap();
}

/// Ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn topics_that_the_brokers_cannot_make_for_themselves_are_named_until_they_are_there() {
    let factors = ["offsets.topic.replication.factor=3", "transaction.state.log.replication.factor=3"];
    let cluster = Cluster::start_with(&factors);
    let (topics, log) = (Topics::new(unique("waiting")), log_of(&cluster));
    let application = topics.application.as_str();
    create(&log, &topics, 1);
    cluster.kcat(&["-P", "-t", &topics.input, "-K", ":"], b"a:1\na:2\nb:3\n");
    let client = start(&topics, &log);

    let group =
        ["assigned nothing yet", application, "no topic __consumer_offsets", factors[0].split('=').next().unwrap()];
    let said = lines::until(3, &group);
    let waited: Vec<i64> = said.iter().map(|line| lines::number(line, "waited_ms")).collect();
    assert!(waited.windows(2).all(|pair| (5_000..9_000).contains(&(pair[1] - pair[0]))), "{waited:?}");
    let compacted = ["cleanup.policy=compact"];
    cluster.create_topic("__consumer_offsets", 4, &compacted);
    lines::until(1, &["the group has assigned partitions", application]);

    lines::until(2, &["waiting for a producer id", application, "no topic __transaction_state", "replication.factor"]);
    lines::until(1, &["cannot take the task over yet", application, "no topic __transaction_state"]);
    cluster.create_topic("__transaction_state", 4, &compacted);
    lines::until(1, &["the task could be taken over"]);
    while client.metrics().record_count < 3 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    stop(client);
    assert_exact(&log, &topics, 3);
}

#[test]
fn brokers_that_are_older_than_the_groups_protocol_are_named_as_a_cause() {
    if Cluster::version() >= (4, 0) {
        println!("this Kafka has the protocol");
        return;
    }
    let (topics, log) = (Topics::new(unique("waiting")), log_of(Cluster::shared()));
    create(&log, &topics, 1);
    lines::keep();
    let config = Config { group_protocol: GroupProtocol::Consumer, ..Config::new(topics.application.clone()) };
    let client = Client::start_blocking(&topology(&topics), log, config).unwrap();
    lines::until(2, &["assigned nothing yet", &topics.application, "lack the group protocol 'consumer'"]);
    stop(client);
}

#[test]
fn another_program_in_the_group_with_another_strategy_is_told_of_until_it_has_gone() {
    let (cluster, topics) = (Cluster::shared(), Topics::new(unique("waiting")));
    let log = log_of(cluster);
    produce(&log, &topics, 20);
    let application = topics.application.as_str();
    let mut kcat = Command::new("kcat");
    kcat.args(["-b", cluster.brokers(), "-X", "partition.assignment.strategy=roundrobin"]);
    kcat.args(["-X", "session.timeout.ms=6000", "-G", application, &topics.input]);
    let other = Process(kcat.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    while log.group_member_count(application).unwrap() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let client = start(&topics, &log);
    lines::until(2, &["by another strategy", application, "choose another application id"]);
    drop(other);
    lines::until(1, &["the group has assigned partitions", application]);
    while read(&log, &topics.output).len() < 20 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    stop(client);
    assert_exact(&log, &topics, 20);
}
