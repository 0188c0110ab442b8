//! What only a real Kafka can show: fencing, timed-out transactions, static membership, stale fetches, brokers that are
//! not there. What all logs promise alike is in `log_contract`.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use test_cluster::{Cluster, unique};
use topology::log::kafka::{KafkaConsumer, KafkaLog, KafkaProducer, Options};
use topology::log::{
    Committed, Consumer, ConsumerOptions, Event, GroupOptions, Header, Isolation, Kind, Log, OffsetCommit, Producer,
    ProducerOptions, ProducerRecord, Start, TopicPartition, TopicSpec,
};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(100);

fn log() -> KafkaLog {
    KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap()
}

fn topic(log: &KafkaLog, partition_count: i32, config: &[(&str, &str)]) -> String {
    let name = unique("topic");
    // Records here are of 1970; by default Kafka deletes what is older than a week.
    let config = config.iter().chain(&[("retention.ms", "-1")]);
    let config = config.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let spec = TopicSpec { name: name.clone(), partition_count, replication_factor: Some(1), config };
    log.create_topics(&[spec]).unwrap();
    name
}

fn record<'a>(topic: &'a str, partition: i32, key: &'a [u8], value: &'a [u8]) -> ProducerRecord<'a> {
    ProducerRecord {
        topic,
        partition: Some(partition),
        timestamp_ms: 1_000,
        key: Some(key),
        value: Some(value),
        headers: &[],
    }
}

fn producer_options(id: &str) -> ProducerOptions {
    ProducerOptions {
        transactional_id: id.to_owned(),
        transaction_timeout_ms: 10_000,
        client_id: "test-producer".to_owned(),
        track_topics: Vec::new(),
    }
}

fn producer(log: &KafkaLog, id: &str) -> KafkaProducer {
    let mut producer = log.producer(&producer_options(id)).unwrap();
    producer.init_transactions(LONG).unwrap();
    producer
}

/// Commits `count` records with their number as value, in transactions of at most 5,000.
fn fill(log: &KafkaLog, topic: &str, partition: i32, count: usize) {
    let mut producer = producer(log, &unique("fill"));
    for start in (0..count).step_by(5_000) {
        producer.begin().unwrap();
        for number in start..count.min(start + 5_000) {
            producer.send(&record(topic, partition, b"k", number.to_string().as_bytes())).unwrap();
        }
        producer.commit(LONG).unwrap();
    }
}

fn consumer_options(isolation: Isolation) -> ConsumerOptions {
    ConsumerOptions {
        group: None,
        isolation,
        client_id: "test-consumer".to_owned(),
        batch_records: 1_000,
        prefetch_bytes: 8 << 20,
    }
}

fn reader(log: &KafkaLog, isolation: Isolation, start: &[(TopicPartition, Start)]) -> KafkaConsumer {
    let mut consumer = log.consumer(&consumer_options(isolation)).unwrap();
    consumer.assign(start).unwrap();
    consumer
}

fn member(log: &KafkaLog, group: &str, instance: Option<&str>, session_timeout_ms: u32) -> KafkaConsumer {
    let group = GroupOptions { id: group.to_owned(), instance_id: instance.map(str::to_owned), session_timeout_ms };
    log.consumer(&ConsumerOptions { group: Some(group), ..consumer_options(Isolation::ReadCommitted) }).unwrap()
}

/// (partition, offset, value) of each record and (partition, offset) of each end, in the order they came.
#[derive(Default, Debug)]
struct Seen {
    records: Vec<(TopicPartition, i64, Vec<u8>)>,
    ends: Vec<(TopicPartition, i64)>,
    assigned: Vec<Vec<TopicPartition>>,
    revoked: Vec<(Vec<TopicPartition>, bool)>,
}

impl Seen {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Records { partition, records } => self.records.extend(
                records.iter().map(|record| (partition.clone(), record.offset, record.value.unwrap_or(b"").to_vec())),
            ),
            Event::EndOfPartition { partition, offset } => self.ends.push((partition.clone(), offset)),
            Event::Assigned(partitions) => self.assigned.push(partitions),
            Event::Revoked { partitions, lost } => self.revoked.push((partitions, lost)),
        }
    }

    fn values(&self) -> Vec<String> {
        self.records.iter().map(|(_, _, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }
}

/// Polls until `done`, or fails after 30 s.
fn until(consumer: &mut KafkaConsumer, seen: &mut Seen, what: &str, mut done: impl FnMut(&Seen) -> bool) {
    let start = Instant::now();
    while !done(seen) {
        assert!(start.elapsed() < LONG, "not within 30 s: {what}; saw {} records, {seen:?}", seen.records.len());
        consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
    }
}

/// Reads everything committed in a partition that no transaction is open in. A commit is done before its markers are
/// written, so the first end reported may be too low.
fn read_all(log: &KafkaLog, partition: &TopicPartition) -> Seen {
    let end = log.watermarks(partition, Isolation::ReadUncommitted).unwrap().high;
    let mut consumer = reader(log, Isolation::ReadCommitted, &[(partition.clone(), Start::Beginning)]);
    let mut seen = Seen::default();
    until(&mut consumer, &mut seen, "the end", |seen| seen.ends.last().is_some_and(|reached| reached.1 >= end));
    seen
}

/// Joins and answers the first assignment.
fn join(consumer: &mut KafkaConsumer, topic: &str) -> Vec<TopicPartition> {
    consumer.subscribe(&[topic.to_owned()]).unwrap();
    let mut seen = Seen::default();
    until(consumer, &mut seen, "an assignment", |seen| !seen.assigned.is_empty());
    answer(consumer, &seen.assigned[0]);
    seen.assigned.remove(0)
}

fn answer(consumer: &mut KafkaConsumer, partitions: &[TopicPartition]) {
    let partitions: Vec<_> = partitions.iter().map(|partition| (partition.clone(), Start::Beginning)).collect();
    consumer.assign(&partitions).unwrap();
}

#[test]
fn every_part_of_a_record_arrives_as_it_was_sent() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let headers = [
        Header { name: "a", value: Some(b"1") },
        Header { name: "a", value: None },
        Header { name: "", value: Some(b"") },
    ];
    let plain = record(&topic, 0, b"key", b"value");
    let sent = [
        ProducerRecord { headers: &headers, timestamp_ms: 1_700_000_000_123, ..plain },
        ProducerRecord { key: None, ..plain },
        ProducerRecord { key: Some(b""), value: Some(b""), ..plain },
        ProducerRecord { value: None, timestamp_ms: -1, ..plain },
        ProducerRecord { headers: &headers[1..2], ..plain },
        ProducerRecord { timestamp_ms: 0, ..plain },
    ];
    let mut producer = producer(&log, &unique("id"));
    producer.begin().unwrap();
    sent.iter().for_each(|record| producer.send(record).unwrap());
    producer.commit(LONG).unwrap();

    let mut consumer = reader(&log, Isolation::ReadCommitted, &[(TopicPartition::new(&topic, 0), Start::Beginning)]);
    let mut count = 0;
    let start = Instant::now();
    while count < sent.len() {
        assert!(start.elapsed() < LONG);
        let handler = &mut |event: Event<'_>| {
            let Event::Records { records, .. } = event else { return };
            for record in records {
                let sent = &sent[count];
                assert_eq!((record.key, record.value, record.headers), (sent.key, sent.value, sent.headers));
                // 0 is librdkafka's word for "now", so the first ms of 1970 becomes the second.
                assert_eq!(record.timestamp_ms, if sent.timestamp_ms == 0 { 1 } else { sent.timestamp_ms });
                assert_eq!(record.offset, count as i64);
                count += 1;
            }
        };
        consumer.poll(SHORT, handler).unwrap();
    }
}

#[test]
fn the_end_is_reported_behind_markers_and_aborted_records_and_at_the_last_stable_offset() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let partition = TopicPartition::new(&topic, 0);
    let mut producer = producer(&log, &unique("id"));
    for number in 0..3 {
        producer.begin().unwrap();
        producer.send(&record(&topic, 0, b"k", number.to_string().as_bytes())).unwrap();
        producer.flush(LONG).unwrap();
        if number == 1 { producer.abort(LONG).unwrap() } else { producer.commit(LONG).unwrap() }
    }
    // 0 marker 1 marker 2 marker
    let start = Instant::now();
    while log.watermarks(&partition, Isolation::ReadCommitted).unwrap().high < 6 {
        assert!(start.elapsed() < LONG);
    }
    let seen = read_all(&log, &partition);
    assert_eq!(seen.values(), ["0", "2"]);
    assert_eq!(seen.ends, [(partition.clone(), 6)]);

    producer.begin().unwrap();
    producer.send(&record(&topic, 0, b"k", b"open")).unwrap();
    producer.flush(LONG).unwrap();
    assert_eq!(log.watermarks(&partition, Isolation::ReadCommitted).unwrap().high, 6);
    assert_eq!(log.watermarks(&partition, Isolation::ReadUncommitted).unwrap().high, 7);
    let mut consumer = reader(&log, Isolation::ReadCommitted, &[(partition.clone(), Start::Beginning)]);
    let mut seen = Seen::default();
    until(&mut consumer, &mut seen, "the last stable offset", |seen| !seen.ends.is_empty());
    assert_eq!((seen.values().len(), seen.ends[0].1), (2, 6));

    let mut consumer = reader(&log, Isolation::ReadUncommitted, &[(partition.clone(), Start::At(6))]);
    let mut seen = Seen::default();
    until(&mut consumer, &mut seen, "the uncommitted end", |seen| seen.ends.iter().any(|end| end.1 == 7));
    assert_eq!(seen.values(), ["open"]);
    producer.commit(LONG).unwrap();
}

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
    let name = "a_process_killed_in_a_transaction_is_succeeded_at_once_and_its_records_are_never_seen";
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
fn nothing_fetched_before_a_seek_is_delivered_after_it() {
    let log = log();
    let topic = topic(&log, 2, &[]);
    fill(&log, &topic, 0, 20_000);
    fill(&log, &topic, 1, 20_000);
    let partitions = [TopicPartition::new(&topic, 0), TopicPartition::new(&topic, 1)];
    let mut consumer = reader(
        &log,
        Isolation::ReadCommitted,
        &[(partitions[0].clone(), Start::Beginning), (partitions[1].clone(), Start::Beginning)],
    );
    let mut state = 42_u64;
    for round in 0..60 {
        // Some polls, so that the queue holds records of both partitions; then one partition moves.
        let mut seen = Seen::default();
        for _ in 0..round % 4 {
            consumer.poll(Duration::from_millis(5), &mut |event| seen.take(event)).unwrap();
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let target = (state >> 33) as i64 % 20_000;
        let moved = &partitions[round % 2];
        consumer.seek(moved, target).unwrap();
        let mut seen = Seen::default();
        until(&mut consumer, &mut seen, "records after a seek", |seen| {
            seen.records.iter().any(|(partition, ..)| partition == moved)
        });
        let first = seen.records.iter().find(|(partition, ..)| partition == moved).unwrap().1;
        // The offset may be a marker's: every 5,000 records there is one.
        assert!(first == target || first == target + 1, "round {round}: sought {target}, got {first}");
    }
}

#[test]
fn pausing_loses_nothing_and_delivers_nothing_until_resumed() {
    let log = log();
    let topic = topic(&log, 2, &[]);
    fill(&log, &topic, 0, 10_000);
    fill(&log, &topic, 1, 10_000);
    let (zero, one) = (TopicPartition::new(&topic, 0), TopicPartition::new(&topic, 1));
    let start = [(zero.clone(), Start::Beginning), (one.clone(), Start::Beginning)];
    let mut consumer = reader(&log, Isolation::ReadCommitted, &start);
    let mut seen = Seen::default();
    for _ in 0..8 {
        until(&mut consumer, &mut seen, "some records", |_| true);
        consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
        consumer.pause(std::slice::from_ref(&zero)).unwrap();
        let before = seen.records.iter().filter(|(partition, ..)| *partition == zero).count();
        for _ in 0..3 {
            consumer.poll(Duration::from_millis(5), &mut |event| seen.take(event)).unwrap();
        }
        let after = seen.records.iter().filter(|(partition, ..)| *partition == zero).count();
        assert_eq!(before, after, "records of a paused partition");
        consumer.resume(std::slice::from_ref(&zero)).unwrap();
    }
    until(&mut consumer, &mut seen, "both ends", |seen| {
        seen.ends.iter().any(|(partition, _)| *partition == zero)
            && seen.ends.iter().any(|(partition, _)| *partition == one)
    });
    for partition in [&zero, &one] {
        let values: Vec<String> = seen
            .records
            .iter()
            .filter(|(of, ..)| of == partition)
            .map(|(_, _, value)| String::from_utf8_lossy(value).into_owned())
            .collect();
        assert_eq!(values.len(), 10_000, "{partition}");
        assert!(values.iter().enumerate().all(|(index, value)| *value == index.to_string()), "{partition}");
    }
}

#[test]
fn a_partition_resumed_at_its_end_goes_on_there_and_does_not_start_over() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let partition = TopicPartition::new(&topic, 0);
    fill(&log, &topic, 0, 10);
    let mut consumer = reader(&log, Isolation::ReadCommitted, &[(partition.clone(), Start::Beginning)]);
    let mut seen = Seen::default();
    until(&mut consumer, &mut seen, "the end", |seen| !seen.ends.is_empty());
    consumer.pause(std::slice::from_ref(&partition)).unwrap();
    consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
    consumer.resume(std::slice::from_ref(&partition)).unwrap();
    for _ in 0..5 {
        consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
    }
    assert_eq!(seen.records.len(), 10, "{:?}", seen.values());
    fill(&log, &topic, 0, 1);
    until(&mut consumer, &mut seen, "the new record", |seen| seen.records.len() > 10);
    assert_eq!(seen.records.last().unwrap().1, 11);
    assert_eq!(seen.records.len(), 11);
}

#[test]
fn replacing_an_assignment_keeps_its_partitions_flowing_from_where_it_says() {
    let log = log();
    let topic = topic(&log, 3, &[]);
    for partition in 0..3 {
        fill(&log, &topic, partition, 5_000);
    }
    let at = |partition: i32, offset: i64| (TopicPartition::new(&topic, partition), Start::At(offset));
    let mut consumer = reader(&log, Isolation::ReadCommitted, &[at(0, 0)]);
    for round in 0..20_i64 {
        let mut seen = Seen::default();
        until(&mut consumer, &mut seen, "records", |seen| !seen.records.is_empty());
        let assignment = [at((round % 3) as i32, 100 + round), at(((round + 1) % 3) as i32, 200 + round)];
        consumer.assign(&assignment).unwrap();
        let mut seen = Seen::default();
        until(&mut consumer, &mut seen, "records of both partitions", |seen| {
            assignment.iter().all(|(assigned, _)| seen.records.iter().any(|(partition, ..)| partition == assigned))
        });
        for (assigned, start) in &assignment {
            let first = seen.records.iter().find(|(partition, ..)| partition == assigned).unwrap().1;
            assert_eq!(Start::At(first), *start, "round {round} {assigned}");
        }
        assert!(
            seen.records.iter().all(|(partition, ..)| assignment.iter().any(|(assigned, _)| assigned == partition))
        );
    }
    consumer.assign(&[]).unwrap();
    let mut seen = Seen::default();
    consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
    assert!(seen.records.is_empty() && seen.ends.is_empty());
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
fn offsets_of_a_member_the_group_has_passed_by_are_refused_and_the_transaction_can_be_aborted() {
    let log = log();
    let topic = topic(&log, 2, &[]);
    let group = unique("group");
    let mut first = member(&log, &group, None, 10_000);
    assert_eq!(join(&mut first, &topic).len(), 2);
    let stale = first.group().unwrap();
    // A second member makes a new generation.
    let mut second = member(&log, &group, None, 10_000);
    second.subscribe(std::slice::from_ref(&topic)).unwrap();
    let (mut seen_by_first, mut seen_by_second) = (Seen::default(), Seen::default());
    let start = Instant::now();
    while seen_by_first.assigned.is_empty() || seen_by_second.assigned.is_empty() {
        assert!(start.elapsed() < LONG);
        first.poll(Duration::from_millis(10), &mut |event| seen_by_first.take(event)).unwrap();
        if seen_by_first.revoked.len() == 1 && seen_by_first.assigned.is_empty() {
            first.assign(&[]).unwrap();
        }
        second.poll(Duration::from_millis(10), &mut |event| seen_by_second.take(event)).unwrap();
    }
    answer(&mut first, &seen_by_first.assigned[0]);
    answer(&mut second, &seen_by_second.assigned[0]);
    assert_eq!((seen_by_first.assigned[0].len(), seen_by_second.assigned[0].len()), (1, 1));
    assert_eq!(seen_by_first.revoked, [(vec![TopicPartition::new(&topic, 0), TopicPartition::new(&topic, 1)], false)]);
    assert_eq!(log.group_member_count(&group).unwrap(), 2);

    let partition = TopicPartition::new(&topic, 0);
    let offsets = [OffsetCommit { partition: partition.clone(), offset: 5, metadata: "m".to_owned() }];
    let mut producer = producer(&log, &unique("id"));
    producer.begin().unwrap();
    let error = producer.send_offsets(&offsets, &stale).unwrap_err();
    assert_eq!(error.kind(), Kind::NotMember, "{error}");
    producer.abort(LONG).unwrap();
    assert_eq!(log.committed(&group, std::slice::from_ref(&partition)).unwrap(), [None]);

    producer.begin().unwrap();
    producer.send_offsets(&offsets, &first.group().unwrap()).unwrap();
    producer.commit(LONG).unwrap();
    assert_eq!(log.committed(&group, &[partition]).unwrap(), [Some(Committed { offset: 5, metadata: "m".to_owned() })]);
}

#[test]
fn committed_offsets_are_stable_ones_or_none_yet() {
    let mut options = Options::new(Cluster::shared().brokers());
    options.request_timeout = Duration::from_secs(2);
    let log = KafkaLog::new(options).unwrap();
    let topic = topic(&log, 1, &[]);
    let group = unique("group");
    let mut consumer = member(&log, &group, None, 10_000);
    join(&mut consumer, &topic);
    let partition = TopicPartition::new(&topic, 0);
    let mut producer = producer(&log, &unique("id"));
    producer.begin().unwrap();
    let offsets = [OffsetCommit { partition: partition.clone(), offset: 7, metadata: String::new() }];
    producer.send_offsets(&offsets, &consumer.group().unwrap()).unwrap();
    let error = log.committed(&group, std::slice::from_ref(&partition)).unwrap_err();
    assert_eq!(error.kind(), Kind::Retry, "{error}");
    producer.commit(LONG).unwrap();
    let committed = log.committed(&group, &[partition]).unwrap();
    assert_eq!(committed, [Some(Committed { offset: 7, metadata: String::new() })]);
}

#[test]
fn a_static_member_that_returns_takes_its_partitions_back_and_nobody_else_notices() {
    let log = log();
    let topic = topic(&log, 2, &[]);
    let group = unique("group");
    let mut stays = member(&log, &group, Some("a"), 10_000);
    let mut dies = member(&log, &group, Some("b"), 10_000);
    join(&mut stays, &topic);
    dies.subscribe(std::slice::from_ref(&topic)).unwrap();
    let (mut seen, mut of_dying) = (Seen::default(), Seen::default());
    let start = Instant::now();
    while seen.assigned.is_empty() || of_dying.assigned.is_empty() {
        assert!(start.elapsed() < LONG);
        stays.poll(Duration::from_millis(10), &mut |event| seen.take(event)).unwrap();
        if seen.revoked.len() == 1 && seen.assigned.is_empty() {
            stays.assign(&[]).unwrap();
        }
        dies.poll(Duration::from_millis(10), &mut |event| of_dying.take(event)).unwrap();
    }
    answer(&mut stays, &seen.assigned[0]);
    answer(&mut dies, &of_dying.assigned[0]);
    // Dropped without leaving: what a killed process looks like to the group.
    drop(dies);
    let start = Instant::now();
    let mut returns = member(&log, &group, Some("b"), 10_000);
    assert_eq!(join(&mut returns, &topic), of_dying.assigned[0]);
    assert!(start.elapsed() < Duration::from_secs(5), "back after {:?}", start.elapsed());
    let mut seen = Seen::default();
    for _ in 0..15 {
        stays.poll(SHORT, &mut |event| seen.take(event)).unwrap();
    }
    assert!(seen.revoked.is_empty() && seen.assigned.is_empty(), "{seen:?}");
}

#[test]
fn a_static_member_that_leaves_is_gone_at_once_and_can_come_again() {
    let log = log();
    let topic = topic(&log, 2, &[]);
    let group = unique("group");
    let mut consumer = member(&log, &group, Some("a"), 30_000);
    assert_eq!(join(&mut consumer, &topic).len(), 2);
    assert_eq!(log.group_member_count(&group).unwrap(), 1);
    let start = Instant::now();
    consumer.leave().unwrap();
    let took = start.elapsed();
    assert_eq!(log.group_member_count(&group).unwrap(), 0);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(join(&mut consumer, &topic).len(), 2);
    consumer.leave().unwrap();
    drop(consumer);
    log.delete_group(&group).unwrap();
    log.delete_group(&group).unwrap();
}

#[test]
fn a_second_process_with_the_same_instance_id_takes_the_place_of_the_first_for_good() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let group = unique("group");
    let mut first = member(&log, &group, Some("a"), 10_000);
    join(&mut first, &topic);
    let mut second = member(&log, &group, Some("a"), 10_000);
    join(&mut second, &topic);
    let start = Instant::now();
    let error = loop {
        assert!(start.elapsed() < LONG, "never told");
        if let Err(error) = first.poll(SHORT, &mut |_| ()) {
            break error;
        }
    };
    assert_eq!(error.kind(), Kind::NotMember, "{error}");
    // Not a fight over the place: who was replaced stays out, and leaving does not throw the other one out.
    assert_eq!(first.leave().unwrap_err().kind(), Kind::Fatal);
    assert_eq!(first.subscribe(std::slice::from_ref(&topic)).unwrap_err().kind(), Kind::Fatal);
    drop(first);
    assert_eq!(log.group_member_count(&group).unwrap(), 1);
    second.poll(SHORT, &mut |_| ()).unwrap();
    assert!(!second.assignment_lost());
}

#[test]
fn topics_are_described_created_once_and_never_by_asking() {
    let log = log();
    let name = unique("absent");
    assert_eq!(log.describe_topic(&name).unwrap(), None);
    assert_eq!(
        log.watermarks(&TopicPartition::new(&name, 0), Isolation::ReadCommitted).unwrap_err().kind(),
        Kind::NoSuchTopic
    );
    let mut producer = producer(&log, &unique("id"));
    producer.begin().unwrap();
    assert_eq!(producer.send(&record(&name, 0, b"k", b"v")).unwrap_err().kind(), Kind::NoSuchTopic);
    producer.abort(LONG).unwrap();
    assert_eq!(log.describe_topic(&name).unwrap(), None);

    let name = topic(&log, 3, &[("cleanup.policy", "compact,delete"), ("delete.retention.ms", "12345")]);
    let description = log.describe_topic(&name).unwrap().unwrap();
    assert_eq!(description.partition_count, 3);
    assert_eq!(description.cleanup_policy, "compact,delete");
    assert_eq!(description.delete_retention_ms, 12_345);
    assert!(description.max_message_bytes > 1_000_000);
    let spec = TopicSpec { name: name.clone(), partition_count: 5, replication_factor: None, config: Vec::new() };
    log.create_topics(std::slice::from_ref(&spec)).unwrap();
    assert_eq!(log.describe_topic(&name).unwrap().unwrap().partition_count, 3);
    let wrong = TopicSpec { config: vec![("no.such.setting".into(), "1".into())], name: unique("wrong"), ..spec };
    assert_eq!(log.create_topics(&[wrong]).unwrap_err().kind(), Kind::Fatal);

    fill(&log, &name, 1, 10);
    let partition = TopicPartition::new(&name, 1);
    log.delete_records(&partition, 4).unwrap();
    assert_eq!(log.watermarks(&partition, Isolation::ReadCommitted).unwrap().low, 4);
    let missing = TopicPartition::new(&name, 9);
    assert_eq!(log.watermarks(&missing, Isolation::ReadCommitted).unwrap_err().kind(), Kind::NoSuchTopic);
    log.delete_topics(std::slice::from_ref(&name)).unwrap();
    assert_eq!(log.describe_topic(&name).unwrap(), None);
    log.delete_topics(&[name]).unwrap();
}

#[test]
fn without_a_broker_calls_fail_in_time_and_say_which_brokers_and_why() {
    let mut options = Options::new("127.0.0.1:1");
    options.request_timeout = Duration::from_secs(2);
    let log = KafkaLog::new(options).unwrap();
    let start = Instant::now();
    let partition = TopicPartition::new("t", 0);
    let spec = TopicSpec { name: "t".into(), partition_count: 1, replication_factor: None, config: Vec::new() };
    let mut producer = log.producer(&producer_options("id")).unwrap();
    let errors = [
        log.describe_topic("t").unwrap_err(),
        log.watermarks(&partition, Isolation::ReadCommitted).unwrap_err(),
        log.committed("g", std::slice::from_ref(&partition)).unwrap_err(),
        log.group_member_count("g").unwrap_err(),
        log.create_topics(&[spec]).unwrap_err(),
        log.delete_topics(&["t".to_owned()]).unwrap_err(),
        log.delete_records(&partition, 1).unwrap_err(),
        log.delete_group("g").unwrap_err(),
    ];
    for error in &errors {
        println!("{error}");
        assert_eq!(error.kind(), Kind::Retry, "{error}");
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:1") && text.contains("refused"), "{text}");
    }
    let error = producer.init_transactions(Duration::from_secs(2)).unwrap_err();
    println!("{error}");
    assert_eq!(error.kind(), Kind::Retry, "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    let mut consumer = reader(&log, Isolation::ReadCommitted, &[(partition, Start::Beginning)]);
    let error = loop {
        assert!(start.elapsed() < Duration::from_secs(40), "never told");
        if let Err(error) = consumer.poll(SHORT, &mut |_| ()) {
            break error;
        }
    };
    println!("{error}");
    assert_eq!(error.kind(), Kind::Retry, "{error}");
    drop((consumer, producer, log));
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
}

#[test]
fn a_broker_that_stops_answering_leaves_a_commit_unknown_and_dropping_does_not_hang() {
    let cluster = Cluster::start();
    let mut options = Options::new(cluster.brokers());
    options.request_timeout = Duration::from_secs(2);
    let log = KafkaLog::new(options).unwrap();
    let topic = topic(&log, 1, &[]);
    let mut consumer = member(&log, "group", Some("a"), 6_000);
    join(&mut consumer, &topic);
    let mut producer = producer(&log, "id");
    producer.begin().unwrap();
    producer.send(&record(&topic, 0, b"k", b"v")).unwrap();
    producer.flush(LONG).unwrap();
    cluster.pause();
    let error = producer.commit(Duration::from_secs(2)).unwrap_err();
    assert_eq!(error.kind(), Kind::Unknown, "{error}");
    let start = Instant::now();
    drop(producer);
    assert!(start.elapsed() < Duration::from_secs(5), "dropping the producer took {:?}", start.elapsed());
    cluster.resume();

    // Whichever way it went, a new producer with the same id finds the matter settled.
    let mut producer = self::producer(&log, "id");
    let seen = read_all(&log, &TopicPartition::new(&topic, 0));
    assert!(seen.records.len() <= 1);
    producer.begin().unwrap();
    producer.commit(LONG).unwrap();
    cluster.kill();
    let start = Instant::now();
    drop((consumer, producer, log));
    assert!(start.elapsed() < Duration::from_secs(12), "dropping took {:?}", start.elapsed());
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

/// Prints, and asserts nothing: `cargo test --release --test kafka_log -- --ignored --nocapture figures`.
#[test]
#[ignore = "prints figures; run it alone"]
fn figures_of_commit_latency() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let group = unique("group");
    let mut consumer = member(&log, &group, None, 10_000);
    join(&mut consumer, &topic);
    let mut producer = producer(&log, &unique("id"));
    let mut took = Vec::new();
    for number in 0..300_i64 {
        let start = Instant::now();
        producer.begin().unwrap();
        producer.send(&record(&topic, 0, b"k", b"v")).unwrap();
        producer.flush(LONG).unwrap();
        let partition = TopicPartition::new(&topic, 0);
        let offsets = [OffsetCommit { partition, offset: number, metadata: String::new() }];
        producer.send_offsets(&offsets, &consumer.group().unwrap()).unwrap();
        producer.commit(LONG).unwrap();
        took.push(start.elapsed());
    }
    took.sort();
    println!("begin, 1 record, flush, offsets, commit: p50 {:?} p99 {:?}", took[150], took[297]);
}

/// Prints, and asserts nothing but completeness.
#[test]
#[ignore = "prints figures; run it alone"]
fn figures_of_consuming() {
    const COUNT: usize = 2_000_000;
    let log = log();
    for partition_count in [1, 4] {
        let topic = topic(&log, partition_count, &[]);
        let mut producer = producer(&log, &unique("id"));
        for start in (0..COUNT).step_by(100_000) {
            producer.begin().unwrap();
            for number in start..start + 100_000 {
                let key = format!("key-{number:07}");
                let record = record(&topic, number as i32 % partition_count, key.as_bytes(), &[b'x'; 100]);
                producer.send(&record).unwrap();
            }
            producer.commit(LONG).unwrap();
        }
        for _ in 0..5 {
            let start: Vec<_> =
                (0..partition_count).map(|number| (TopicPartition::new(&topic, number), Start::Beginning)).collect();
            let (process, thread, wall) = (cpu_seconds(PROCESS), cpu_seconds(THREAD), Instant::now());
            let mut consumer = log
                .consumer(&ConsumerOptions { prefetch_bytes: 32 << 20, ..consumer_options(Isolation::ReadCommitted) })
                .unwrap();
            consumer.assign(&start).unwrap();
            let (mut count, mut bytes, mut polls) = (0_usize, 0_usize, 0_usize);
            while count < COUNT {
                polls += 1;
                consumer
                    .poll(SHORT, &mut |event| {
                        if let Event::Records { records, .. } = event {
                            count += records.len();
                            bytes += records.iter().map(|record| record.value.map_or(0, <[u8]>::len)).sum::<usize>();
                        }
                    })
                    .unwrap();
            }
            let wall = wall.elapsed().as_secs_f64();
            let (process, thread) = (cpu_seconds(PROCESS) - process, cpu_seconds(THREAD) - thread);
            let millions = COUNT as f64 / 1e6;
            println!(
                "{partition_count} partitions: {:.2} M records/s, {:.3} CPU-s per M (this thread {:.3}), {} records a poll, {bytes} bytes",
                millions / wall,
                process / millions,
                thread / millions,
                COUNT / polls,
            );
        }
        log.delete_topics(&[topic]).unwrap();
    }
}

const PROCESS: &str = "/proc/self/stat";
const THREAD: &str = "/proc/thread-self/stat";

/// User and system time of a process or thread, from Linux's accounting in ticks of 10 ms.
fn cpu_seconds(stat: &str) -> f64 {
    let stat = std::fs::read_to_string(stat).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}
