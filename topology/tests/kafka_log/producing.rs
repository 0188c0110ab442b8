//! Transactions, fencing, partitioning, delivery.

use super::*;

#[test]
fn a_producer_that_was_replaced_is_fenced_and_leaves_nothing_visible() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let id = unique("id");
    let mut zombie = producer(&log, &id);
    zombie.begin().unwrap();
    zombie.send(&record(&topic, 0, b"k", b"zombie")).unwrap();
    zombie.flush(LONG).unwrap();

    let mut successor = producer(&log, &id);
    successor.begin().unwrap();
    successor.send(&record(&topic, 0, b"k", b"successor")).unwrap();
    successor.commit(LONG).unwrap();

    let error = zombie.commit(LONG).unwrap_err();
    assert_eq!(error.kind(), Kind::Fenced, "{error}");
    assert_eq!(zombie.begin().unwrap_err().kind(), Kind::Fenced);
    assert_eq!(read_all(&log, &TopicPartition::new(&topic, 0)).values(), ["successor"]);
}

#[test]
fn batches_are_no_larger_than_the_topics_take_that_were_described_before() {
    let log = log();
    let small = topic(&log, 1, &[("max.message.bytes", "20000")]);
    let large = topic(&log, 1, &[]);
    log.describe_topic(&small).unwrap().unwrap();
    let value = vec![b'x'; 1_000];
    let mut producer = producer(&log, &unique("id"));
    producer.begin().unwrap();
    for _ in 0..500 {
        producer.send(&record(&small, 0, b"k", &value)).unwrap();
        producer.send(&record(&large, 0, b"k", &value)).unwrap();
    }
    producer.commit(LONG).unwrap();
    assert_eq!(read_all(&log, &TopicPartition::new(&small, 0)).records.len(), 500);
}

#[test]
fn a_zombie_that_produces_first_learns_of_it_at_the_commit() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let id = unique("id");
    let mut zombie = producer(&log, &id);
    let _successor = producer(&log, &id);
    zombie.begin().unwrap();
    let _ = zombie.send(&record(&topic, 0, b"k", b"zombie"));
    let error = zombie.commit(LONG).unwrap_err();
    assert_eq!(error.kind(), Kind::Fenced, "{error}");
    assert!(read_all(&log, &TopicPartition::new(&topic, 0)).records.is_empty());
}

#[test]
fn a_process_killed_in_a_transaction_is_succeeded_at_once_and_its_records_are_never_seen() {
    // The killed producer is another process: this test again, told by the environment to produce and wait.
    const TOPIC: &str = "KAFKA_LOG_TEST_KILLED_TOPIC";
    let log = log();
    if let Ok(topic) = std::env::var(TOPIC) {
        let mut producer = producer(&log, &format!("{topic}-id"));
        producer.begin().unwrap();
        producer.send(&record(&topic, 0, b"k", b"killed")).unwrap();
        producer.flush(LONG).unwrap();
        std::thread::sleep(LONG);
        return;
    }
    let topic = topic(&log, 1, &[]);
    let partition = TopicPartition::new(&topic, 0);
    let name = "producing::a_process_killed_in_a_transaction_is_succeeded_at_once_and_its_records_are_never_seen";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(TOPIC, &topic)
        .env(test_cluster::BROKERS, Cluster::shared().brokers())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while log.watermarks(&partition, Isolation::ReadUncommitted).unwrap().high == 0 {
        assert!(start.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(log.watermarks(&partition, Isolation::ReadCommitted).unwrap().high, 0, "its transaction is open");

    let start = Instant::now();
    let mut successor = producer(&log, &format!("{topic}-id"));
    assert!(start.elapsed() < Duration::from_secs(8), "did not wait for the 10 s of the transaction's time-out");
    successor.begin().unwrap();
    successor.send(&record(&topic, 0, b"k", b"successor")).unwrap();
    successor.commit(LONG).unwrap();
    assert_eq!(read_all(&log, &partition).values(), ["successor"]);
}

#[test]
fn a_transaction_that_timed_out_ends_fenced() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let options = ProducerOptions { transaction_timeout_ms: 1_000, ..producer_options(&unique("id")) };
    let mut producer = log.producer(&options).unwrap();
    producer.init_transactions(LONG).unwrap();
    producer.begin().unwrap();
    producer.send(&record(&topic, 0, b"k", b"late")).unwrap();
    producer.flush(LONG).unwrap();
    let partition = TopicPartition::new(&topic, 0);
    let start = Instant::now();
    // The broker aborts it: the marker moves the last stable offset.
    while log.watermarks(&partition, Isolation::ReadCommitted).unwrap().high < 2 {
        assert!(start.elapsed() < LONG);
        std::thread::sleep(SHORT);
    }
    let error = producer.commit(LONG).unwrap_err();
    assert_eq!(error.kind(), Kind::Fenced, "{error}");
    assert!(read_all(&log, &partition).records.is_empty());
}

#[test]
fn keys_land_where_javas_producer_puts_them() {
    // From org.apache.kafka.common.utils.Utils: toPositive(murmur2(key)) % 7.
    let vectors: [(&str, i32); 14] = [
        ("", 2),
        ("a", 5),
        ("alice", 1),
        ("bob", 5),
        ("key-0", 0),
        ("key-1", 5),
        ("0", 3),
        ("21", 3),
        ("\u{fc}ml\u{e4}ut", 4),
        ("The quick brown fox jumps over the lazy dog", 3),
        ("ab", 0),
        ("abc", 4),
        ("abcd", 5),
        ("abcde", 4),
    ];
    let log = log();
    let topic = topic(&log, 7, &[]);
    let mut producer = producer(&log, &unique("id"));
    producer.begin().unwrap();
    for (key, _) in vectors {
        let record = ProducerRecord { partition: None, ..record(&topic, 0, key.as_bytes(), key.as_bytes()) };
        producer.send(&record).unwrap();
    }
    producer.commit(LONG).unwrap();
    let start: Vec<_> = (0..7).map(|number| (TopicPartition::new(&topic, number), Start::Beginning)).collect();
    let mut consumer = reader(&log, Isolation::ReadCommitted, &start);
    let mut seen = Seen::default();
    until(&mut consumer, &mut seen, "all keys", |seen| seen.records.len() == vectors.len());
    for (partition, _, key) in &seen.records {
        let expected = vectors.iter().find(|(name, _)| name.as_bytes() == key).unwrap().1;
        assert_eq!(partition.partition, expected, "{:?}", String::from_utf8_lossy(key));
    }
}

#[test]
fn a_record_that_cannot_be_sent_while_the_broker_is_silent_costs_the_transaction() {
    let cluster = Cluster::start();
    let mut options = Options::new(cluster.brokers());
    options.request_timeout = Duration::from_secs(2);
    let log = KafkaLog::new(options).unwrap();
    let (known, new) = (topic(&log, 1, &[]), topic(&log, 1, &[]));
    let mut producer = producer(&log, "id");
    producer.begin().unwrap();
    producer.send(&record(&known, 0, b"k", b"first")).unwrap();
    producer.flush(LONG).unwrap();
    cluster.pause();
    producer.send(&record(&known, 0, b"k", b"second")).unwrap();
    let error = producer.send(&record(&new, 0, b"k", b"third")).unwrap_err();
    assert_eq!(error.kind(), Kind::Abort, "to send it again would commit what is around it in any case: {error}");
    cluster.resume();
    producer.abort(LONG).unwrap();
    for topic in [&known, &new] {
        assert!(read_all(&log, &TopicPartition::new(topic, 0)).records.is_empty());
    }
}

#[test]
fn a_limit_that_was_raised_is_found_out_after_a_refusal() {
    let log = log();
    let topic = topic(&log, 1, &[("max.message.bytes", "10000")]);
    let large = record(&topic, 0, b"k", &[7; 20_000]);
    let mut first = producer(&log, &unique("id"));
    first.begin().unwrap();
    assert_eq!(first.send(&large).unwrap_err().kind(), Kind::TooLarge);
    first.abort(LONG).unwrap();
    Cluster::shared().tool(
        Cluster::config_tool(),
        &["--alter", "--entity-type", "topics", "--entity-name", &topic, "--add-config", "max.message.bytes=100000"],
    );
    let mut second = producer(&log, &unique("id"));
    second.begin().unwrap();
    second.send(&large).unwrap();
    second.commit(LONG).unwrap();
}

#[test]
fn a_record_larger_than_its_topic_takes_is_refused_when_sent() {
    let log = log();
    let topic = topic(&log, 1, &[("max.message.bytes", "10000")]);
    let mut producer = producer(&log, &unique("id"));
    producer.begin().unwrap();
    producer.send(&record(&topic, 0, b"k", b"fits")).unwrap();
    let error = producer.send(&record(&topic, 0, b"k", &[0; 10_000])).unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge, "{error}");
    producer.abort(LONG).unwrap();
    producer.begin().unwrap();
    producer.send(&record(&topic, 0, b"k", &[0; 9_800])).unwrap();
    producer.commit(LONG).unwrap();
    assert_eq!(read_all(&log, &TopicPartition::new(&topic, 0)).records.len(), 1);
}

#[test]
fn blocks_of_eight_mebibytes_pass() {
    let log = log();
    let topic = topic(&log, 1, &[("max.message.bytes", "8388608")]);
    let mut producer = producer(&log, &unique("id"));
    // Noise does not compress, so this is what goes over the wire.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take((8 << 20) - 1_000)
    .collect();
    producer.begin().unwrap();
    for _ in 0..3 {
        producer.send(&record(&topic, 0, b"k", &noise)).unwrap();
    }
    producer.commit(LONG).unwrap();
    let seen = read_all(&log, &TopicPartition::new(&topic, 0));
    assert_eq!(seen.records.len(), 3);
    assert!(seen.records.iter().all(|(_, _, value)| *value == noise));
}

#[test]
fn delivered_offsets_of_tracked_topics_are_known_after_a_flush() {
    let log = log();
    let (tracked, other) = (topic(&log, 2, &[]), topic(&log, 1, &[]));
    let options = ProducerOptions { track_topics: vec![tracked.clone()], ..producer_options(&unique("id")) };
    let mut producer = log.producer(&options).unwrap();
    producer.init_transactions(LONG).unwrap();
    producer.begin().unwrap();
    for _ in 0..3 {
        producer.send(&record(&tracked, 1, b"k", b"v")).unwrap();
        producer.send(&record(&other, 0, b"k", b"v")).unwrap();
    }
    producer.flush(LONG).unwrap();
    assert_eq!(producer.delivered(&TopicPartition::new(&tracked, 1)), Some(2));
    assert_eq!(producer.delivered(&TopicPartition::new(&tracked, 0)), None);
    assert_eq!(producer.delivered(&TopicPartition::new(&other, 0)), None);
    producer.commit(LONG).unwrap();
    assert_eq!(producer.delivered(&TopicPartition::new(&tracked, 1)), Some(2));
    producer.begin().unwrap();
    assert_eq!(producer.delivered(&TopicPartition::new(&tracked, 1)), None);
    producer.send(&record(&tracked, 1, b"k", b"v")).unwrap();
    producer.flush(LONG).unwrap();
    assert_eq!(producer.delivered(&TopicPartition::new(&tracked, 1)), Some(4), "a marker took offset 3");
    producer.abort(LONG).unwrap();
}

#[test]
fn aborting_with_records_still_queued_is_quick_and_the_next_transaction_commits() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let mut producer = producer(&log, &unique("id"));
    for round in 0..5 {
        producer.begin().unwrap();
        for _ in 0..5_000 {
            producer.send(&record(&topic, 0, b"k", b"aborted")).unwrap();
        }
        let start = Instant::now();
        producer.abort(LONG).unwrap();
        assert!(start.elapsed() < Duration::from_secs(5), "round {round}: {:?}", start.elapsed());
        producer.begin().unwrap();
        producer.send(&record(&topic, 0, b"k", round.to_string().as_bytes())).unwrap();
        producer.commit(LONG).unwrap();
    }
    assert_eq!(read_all(&log, &TopicPartition::new(&topic, 0)).values(), ["0", "1", "2", "3", "4"]);
}
