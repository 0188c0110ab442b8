//! A broker that is behind says of a topic that is there that there is none; one whose followers are down takes
//! nothing. Told so in the midst of anything, a client goes on: nothing is lost, doubled, or stopped. The broker is
//! real, and so are its answers but for that one error.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// What is waited for happens in other processes.
#![allow(clippy::disallowed_methods)]

#[path = "../counting/mod.rs"]
mod counting;
#[path = "../kafka_waiting/lines.rs"]
mod lines;
mod proxy;

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use counting::{Topics, assert_exact, create, produce, producer, read, send, spec, topology, transact};
use proxy::{Lies, Proxy};
use test_cluster::{Cluster, unique, until};
use topology::client::{Client, Config};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::Log;
use topology::log::kafka::{KafkaLog, Options};

/// A broker whose clients all go through the proxy, as it tells them the proxy's address for its own.
fn cluster() -> &'static (Cluster, String, Lies) {
    static CLUSTER: OnceLock<(Cluster, String, Lies)> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let (proxy, lies) = (Proxy::bind(), Lies::default());
        let address = proxy.address();
        let advertised = format!("advertised.listeners=PLAINTEXT://{address},SASL_SSL://localhost:@SECURE_PORT@");
        let cluster = Cluster::start_with(&[&advertised]);
        proxy.serve(cluster.brokers(), &lies);
        (cluster, address, lies)
    })
}

fn log() -> KafkaLog {
    KafkaLog::new(Options::new(cluster().1.as_str())).unwrap()
}

fn run_until_end(topology: &Topology, topics: &Topics) {
    let directory = tempfile::tempdir().unwrap();
    let config = Config {
        until_end: true,
        state_directory: Some(directory.path().to_owned()),
        ..Config::new(topics.application.clone())
    };
    let mut client = Client::start_blocking(topology, log(), config).unwrap();
    client.wait().unwrap();
}

/// As `counting::topology`, of an input that somebody else has to make.
fn of_an_input_that_must_exist(topics: &Topics) -> Topology {
    let builder = Builder::new();
    let input = Topic::new(&topics.input).must_exist();
    let output = Topic::new(&topics.output).partitions(1);
    builder.sub_topology("counting").source::<[u8], [u8]>(input).count(&Store::rocksdb("counts")).sink(output);
    builder.build().unwrap()
}

/// There is one set of lies at a time.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn a_false_answer_about_any_topic_at_any_moment_stops_nobody() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    lines::keep();
    let lies = &cluster().2;
    let named = |topics: &Topics| {
        let changelog = format!("{}-counts-changelog", topics.application);
        [topics.input.clone(), topics.output.clone(), changelog]
    };
    let mut told_count = 0;
    // At the start: which of its questions gets the false answer differs from topic to topic.
    for (true_count, false_count) in [(0, 3), (2, 1)] {
        for place in 0..3 {
            let start = Instant::now();
            let topics = Topics::new(unique("stale"));
            produce(&log(), &topics, 30);
            // There is state to be restored, and an offset.
            run_until_end(&topology(&topics), &topics);
            produce(&log(), &topics, 30);
            let topic = &named(&topics)[place];
            lies.tell(topic, true_count, false_count);
            run_until_end(&of_an_input_that_must_exist(&topics), &topics);
            told_count += lies.told_count();
            lies.tell("", 0, 0);
            println!("{true_count} true, {false_count} false of {topic}: {:?}", start.elapsed());
            assert_exact(&log(), &topics, 60);
        }
    }
    assert!(told_count >= 6, "{told_count} false answers: this test shows nothing");

    // While it runs.
    for place in 0..3 {
        let topics = Topics::new(unique("stale"));
        produce(&log(), &topics, 30);
        let mut client =
            Client::start_blocking(&topology(&topics), log(), Config::new(topics.application.clone())).unwrap();
        until("the first are counted", || client.metrics().record_count == 30);
        lies.tell(&named(&topics)[place], 0, 4);
        until("false answers", || lies.told_count() == 4);
        produce(&log(), &topics, 30);
        // Of the committed outputs: records are taken again where a commit had to wait too long.
        until("all are counted", || read(&log(), &topics.output).len() >= 60);
        client.stop();
        client.wait().unwrap();
        assert_exact(&log(), &topics, 60);
    }
}

#[test]
fn too_few_replicas_in_sync_are_named_with_their_topic_until_there_are_enough() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (topics, lies) = (Topics::new(unique("stale")), &cluster().2);
    let mut strict = spec(&topics.output);
    // With one broker Kafka itself is content with one replica.
    strict.config.push(("min.insync.replicas".to_owned(), "2".to_owned()));
    log().create_topics(&[strict]).unwrap();
    produce(&log(), &topics, 20);
    lies.refuse(Some(&topics.output));
    lines::keep();
    let mut client =
        Client::start_blocking(&topology(&topics), log(), Config::new(topics.application.clone())).unwrap();
    let why = format!("{}-0 has 1 of 1 replicas in sync and min.insync.replicas=2", topics.output);
    lines::until(2, &["are not delivered yet", topics.application.as_str(), &why]);
    lines::until(1, &["the committed offsets", "was not delivered", &why]);
    lies.refuse(None);
    lines::until(1, &["commits again", topics.application.as_str()]);
    client.stop();
    client.wait().unwrap();
    assert_exact(&log(), &topics, 20);
}

#[test]
fn partitions_begin_where_they_were_committed_however_late_brokers_say_where_logs_begin() {
    const PARTITION_COUNT: i32 = 8;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    lines::keep();
    let (topics, lies) = (Topics::new(unique("late")), &cluster().2);
    create(&log(), &topics, PARTITION_COUNT);
    let mut producer = producer(&log(), &unique("late-input"));
    let mut produce = || {
        transact(&mut producer, |producer| {
            for partition in 0..PARTITION_COUNT {
                for number in 0..10 {
                    send(producer, &topics, partition, format!("key-{partition}").as_bytes(), 1_000 + number);
                }
            }
        });
    };
    let each = 10 * PARTITION_COUNT as usize;
    produce();
    run_until_end(&topology(&topics), &topics);

    lies.delay_beginnings(&topics.application, Duration::from_millis(300));
    produce();
    let mut client =
        Client::start_blocking(&topology(&topics), log(), Config::new(topics.application.clone())).unwrap();
    until("records after the start", || client.metrics().record_count >= each as u64);
    // A late answer comes before the records that are asked for after it.
    produce();
    until("records after that", || read(&log(), &topics.output).len() >= 3 * each);
    client.stop();
    client.wait().unwrap();
    assert_exact(&log(), &topics, 3 * each);
    assert_eq!(lines::with(&["reading starts over", &topics.input]), [""; 0]);
    assert_eq!(client.metrics().rewind_count, 0);
}
