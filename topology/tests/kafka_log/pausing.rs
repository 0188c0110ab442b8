//! What becomes of a partition that is paused.

use std::collections::HashSet;

use super::*;

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

/// A consumer of a partition of 4,000 records that was paused behind the first thousand at most, with more of them
/// fetched: one fetch brings them all, as a rule.
fn paused_with_the_rest_fetched(log: &KafkaLog, partition: &TopicPartition) -> (KafkaConsumer, Seen) {
    fill(log, &partition.topic, 0, 4_000);
    let mut consumer = reader(log, Isolation::ReadCommitted, &[(partition.clone(), Start::Beginning)]);
    let mut seen = Seen::default();
    until(&mut consumer, &mut seen, "some records", |seen| !seen.records.is_empty());
    consumer.pause(std::slice::from_ref(partition)).unwrap();
    let before = seen.records.len();
    for _ in 0..5 {
        consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
    }
    assert_eq!(seen.records.len(), before, "records of a paused partition");
    assert!(before <= 1_000);
    (consumer, seen)
}

#[test]
fn what_was_fetched_of_a_paused_partition_is_not_fetched_again() {
    let log = log();
    let partition = TopicPartition::new(topic(&log, 1, &[]), 0);
    let (mut consumer, mut seen) = paused_with_the_rest_fetched(&log, &partition);
    // They cannot be fetched any more.
    log.delete_records(&partition, 4_000).unwrap();
    // Twice: what waits goes on waiting.
    for _ in 0..2 {
        consumer.resume(std::slice::from_ref(&partition)).unwrap();
        let before = seen.records.len();
        until(&mut consumer, &mut seen, "more records", |seen| seen.records.len() > before);
        consumer.pause(std::slice::from_ref(&partition)).unwrap();
    }
    consumer.resume(std::slice::from_ref(&partition)).unwrap();
    until(&mut consumer, &mut seen, "the end", |seen| !seen.ends.is_empty());
    let (values, numbers) = (seen.values(), (0..).map(|number: usize| number.to_string()));
    assert!(values.len() > 1_000 && values.iter().cloned().eq(numbers.take(values.len())), "{} values", values.len());
}

/// A log whose batches are as large as what is in them.
fn uncompressed() -> KafkaLog {
    let mut options = Options::new(Cluster::shared().brokers());
    options.properties = vec![("compression.type".to_owned(), "none".to_owned())];
    KafkaLog::new(options).unwrap()
}

/// A consumer of these partitions that may prefetch a MiB, each of which has got so many records of 1,000 bytes.
fn prefetching_a_mib(log: &KafkaLog, partitions: &[TopicPartition], count: i64) -> KafkaConsumer {
    let mut producer = producer(log, &unique("fill"));
    producer.begin().unwrap();
    for at in partitions {
        (0..count).for_each(|_| producer.send(&record(&at.topic, at.partition, b"k", &[7; 1_000])).unwrap());
    }
    producer.commit(LONG).unwrap();
    let options =
        ConsumerOptions { prefetch_bytes: 1 << 20, batch_records: 10, ..consumer_options(Isolation::ReadCommitted) };
    let mut consumer = log.consumer(&options).unwrap();
    consumer.assign(&partitions.iter().map(|at| (at.clone(), Start::Beginning)).collect::<Vec<_>>()).unwrap();
    consumer
}

/// How many bytes the consumer held of paused partitions: deletes all, so that nothing can be fetched any more, and
/// reads until nothing comes.
fn held_bytes(log: &KafkaLog, consumer: &mut KafkaConsumer, partitions: &[TopicPartition], count: i64) -> usize {
    partitions.iter().for_each(|at| log.delete_records(at, count).unwrap());
    consumer.resume(partitions).unwrap();
    let (mut held_bytes, mut idle_polls) = (0, 0);
    while idle_polls < 10 {
        let mut seen = Seen::default();
        consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
        held_bytes += seen.records.len() * 1_000;
        idle_polls = if seen.records.is_empty() { idle_polls + 1 } else { 0 };
    }
    held_bytes
}

#[test]
fn what_paused_partitions_hold_does_not_grow_with_their_number() {
    let log = uncompressed();
    let topic = topic(&log, 16, &[]);
    let all: Vec<TopicPartition> = (0..16).map(|partition| TopicPartition::new(&topic, partition)).collect();
    let mut consumer = prefetching_a_mib(&log, &all, 3_000);
    let (mut read, start) = (HashSet::new(), Instant::now());
    while read.len() < all.len() {
        assert!(start.elapsed() < LONG, "{read:?}");
        let mut seen = Seen::default();
        consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
        read.extend(seen.records.into_iter().map(|(of, ..)| of));
    }
    consumer.pause(&all).unwrap();
    for _ in 0..20 {
        consumer.poll(SHORT, &mut |_| ()).unwrap();
    }
    let held_bytes = held_bytes(&log, &mut consumer, &all, 3_000);
    // In the queues of four, and set aside of what was in the queue of all; each a MiB and a fetch, which brings
    // another.
    assert!(held_bytes <= 5 * (2 << 20), "{held_bytes} bytes were held");
}

#[test]
fn what_a_paused_partition_holds_does_not_grow_with_how_often_it_is_paused() {
    let log = uncompressed();
    let partition = [TopicPartition::new(topic(&log, 1, &[]), 0)];
    let mut consumer = prefetching_a_mib(&log, &partition, 20_000);
    for _ in 0..15 {
        let mut seen = Seen::default();
        until(&mut consumer, &mut seen, "some records", |seen| !seen.records.is_empty());
        consumer.pause(&partition).unwrap();
        for _ in 0..2 {
            consumer.poll(SHORT, &mut |_| ()).unwrap();
        }
        consumer.resume(&partition).unwrap();
    }
    let held_bytes = held_bytes(&log, &mut consumer, &partition, 20_000);
    // Set aside, in its queue, and in the queue of all.
    assert!(held_bytes <= 3 * (2 << 20), "{held_bytes} bytes were held");
}

#[test]
fn a_paused_partition_that_is_sought_goes_on_there() {
    let log = log();
    let partition = TopicPartition::new(topic(&log, 1, &[]), 0);
    let (mut consumer, mut seen) = paused_with_the_rest_fetched(&log, &partition);
    seen.records.clear();
    consumer.seek(&partition, 7).unwrap();
    for _ in 0..3 {
        consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
    }
    assert!(seen.records.is_empty(), "records of a paused partition");
    consumer.resume(std::slice::from_ref(&partition)).unwrap();
    until(&mut consumer, &mut seen, "the end", |seen| !seen.ends.is_empty());
    let numbers: Vec<String> = (7..4_000).map(|number| number.to_string()).collect();
    assert_eq!(seen.values(), numbers);
}

#[test]
fn a_paused_partition_that_went_out_of_range_can_be_sought() {
    let log = log();
    let partition = TopicPartition::new(topic(&log, 1, &[]), 0);
    fill(&log, &partition.topic, 0, 100);
    let options = ConsumerOptions { out_of_range: OutOfRange::Fail, ..consumer_options(Isolation::ReadCommitted) };
    let mut consumer = log.consumer(&options).unwrap();
    consumer.assign(&[(partition.clone(), Start::Beginning)]).unwrap();
    let mut seen = Seen::default();
    until(&mut consumer, &mut seen, "the end", |seen| !seen.ends.is_empty());
    consumer.pause(std::slice::from_ref(&partition)).unwrap();
    log.delete_records(&partition, 50).unwrap();
    // The first moves it to what is gone. Sooner or later it is fetched all the same, and the error waits where nothing
    // is read.
    for _ in 0..10 {
        consumer.seek(&partition, 2).unwrap();
        consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
    }
    consumer.seek(&partition, 60).unwrap();
    seen.records.clear();
    consumer.poll(SHORT, &mut |event| seen.take(event)).unwrap();
    assert!(seen.records.is_empty(), "records of a paused partition");
    consumer.resume(std::slice::from_ref(&partition)).unwrap();
    until(&mut consumer, &mut seen, "records", |seen| !seen.records.is_empty());
    assert_eq!(seen.values()[0], "60");
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
