//! On a real broker: what librdkafka tells of a client's consumer and producers is among its metrics, also while they
//! have nothing to do, and goes with them.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod counting;

use std::time::{Duration, Instant};

use counting::{Topics, produce, topology};
use test_cluster::{Cluster, unique};
use topology::client::{Client, Config, Guarantee};
use topology::log::kafka::{KafkaLog, Options};

const PATIENCE: Duration = Duration::from_secs(60);

/// The sum of a metric's rows with all of these in their labels; `None` where there are none.
fn sum(text: &str, metric: &str, labels: &[&str]) -> Option<f64> {
    let rows = text.lines().filter_map(|line| line.strip_prefix(metric)?.strip_prefix('{'));
    let rows = rows.filter(|row| labels.iter().all(|label| row.contains(label)));
    rows.filter_map(|row| row.rsplit(' ').next()?.parse::<f64>().ok()).reduce(|a, b| a + b)
}

fn wait_for(what: &str, client: &Client, is_there: impl Fn(&str) -> bool) -> String {
    let began = Instant::now();
    loop {
        let text = client.exported_metrics().to_text();
        if is_there(&text) {
            return text;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: there is not\n{text}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn log(interval_ms: &str) -> KafkaLog {
    let properties = vec![("statistics.interval.ms".to_owned(), interval_ms.to_owned())];
    KafkaLog::new(Options { properties, ..Options::new(Cluster::shared().brokers()) }).unwrap()
}

#[test]
fn clients_tell_of_their_brokers_queues_and_transactions_while_they_work_and_while_they_rest() {
    let topics = Topics::new(unique("statistics"));
    let log = log("200");
    produce(&log, &topics, 500);
    let client = Client::start_blocking(&topology(&topics), log, Config::new(&topics.application)).unwrap();
    let consumer = format!("client=\"{}-", topics.application);
    let worked = wait_for("a commit", &client, |text| {
        sum(text, "topology_thread_process_total", &[]) == Some(500.0)
            && sum(text, "topology_producer_transaction_state", &["state=\"Ready\""]) == Some(1.0)
            && sum(text, "topology_consumer_fetch_queue_records", &[&consumer]) == Some(0.0)
            && sum(text, "topology_client_request_latency_avg_seconds", &["broker=\"1\""]).is_some()
    });
    // One consumer and one producer; each is connected to the broker, and to a coordinator.
    assert_eq!(sum(&worked, "topology_producer_queue_records", &[]), Some(0.0), "{worked}");
    for broker in ["broker=\"1\"", "broker=\"GroupCoordinator\"", "broker=\"TxnCoordinator\""] {
        assert!(sum(&worked, "topology_client_connections", &[broker]) >= Some(1.0), "{broker}: {worked}");
    }
    let sent =
        |text: &str| sum(text, "topology_client_outgoing_byte_total", &[&consumer, "broker=\"GroupCoordinator\""]);
    assert!(sent(&worked) > Some(0.0), "{worked}");
    let latency = sum(&worked, "topology_client_request_latency_avg_seconds", &["broker=\"1\""]).unwrap();
    assert!(latency > 0.0 && latency < 60.0, "in seconds: {latency}");
    // Reports go on while nothing comes: heartbeats are sent, and the producer's transaction stays as it is for longer
    // and longer.
    let age = |text: &str| sum(text, "topology_producer_transaction_state_seconds", &[]);
    wait_for("later reports", &client, |text| sent(text) > sent(&worked) && age(text) > age(&worked));
    let exported = client.exported_metrics();
    drop(client);
    assert_eq!(sum(&exported.to_text(), "topology_client_connections", &[]), None, "they go with the clients");
}

#[test]
fn a_producer_without_transactions_tells_of_none_and_an_interval_of_0_is_silence() {
    for (interval_ms, tells) in [("200", true), ("0", false)] {
        let topics = Topics::new(unique("statistics-alo"));
        let log = log(interval_ms);
        produce(&log, &topics, 100);
        let config = Config { guarantee: Guarantee::AtLeastOnce, ..Config::new(&topics.application) };
        let client = Client::start_blocking(&topology(&topics), log, config).unwrap();
        let text = wait_for("a commit", &client, |text| {
            sum(text, "topology_thread_process_total", &[]) == Some(100.0)
                && sum(text, "topology_thread_commit_total", &[]) >= Some(1.0)
                && (!tells || sum(text, "topology_producer_queue_bytes", &[]).is_some())
        });
        assert_eq!(sum(&text, "topology_client_connections", &[]).is_some(), tells, "{text}");
        assert_eq!(sum(&text, "topology_producer_transaction_state", &[]), None, "{text}");
    }
}
