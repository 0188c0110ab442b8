//! What a consumer is handed, and what it is not.

use super::*;

#[test]
fn every_part_of_a_record_arrives_as_it_was_sent() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let headers = [
        Header { name: b"a", value: Some(b"1") },
        Header { name: b"a", value: None },
        Header { name: b"", value: Some(b"") },
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
                let headers = record.headers.to_vec();
                assert_eq!((record.key, record.value, &headers[..]), (sent.key, sent.value, sent.headers));
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
fn headers_are_told_from_their_absence_whatever_stands_beside_them() {
    for compression in ["none", "lz4", "zstd", "gzip", "snappy"] {
        let mut options = Options::new(Cluster::shared().brokers());
        options.properties = vec![("compression.type".to_owned(), compression.to_owned())];
        let log = KafkaLog::new(options).unwrap();
        let topic = topic(&log, 1, &[]);
        let bytes = [0_u8; 300];
        let headers = [Header { name: b"h", value: Some(b"") }, Header { name: b"i", value: Some(&bytes[..200]) }];
        let sent: Vec<ProducerRecord<'_>> = (0..600_usize)
            .map(|number| ProducerRecord {
                key: (number % 5 > 0).then_some(&bytes[..number % 7]),
                value: (number % 11 > 0).then_some(&bytes[..number % 257]),
                headers: &headers[..number % 3],
                ..record(&topic, 0, b"", b"")
            })
            .collect();
        let mut producer = producer(&log, &unique("id"));
        producer.begin().unwrap();
        sent.iter().for_each(|record| producer.send(record).unwrap());
        producer.commit(LONG).unwrap();
        let start = [(TopicPartition::new(&topic, 0), Start::Beginning)];
        let mut consumer = reader(&log, Isolation::ReadCommitted, &start);
        let (mut count, start) = (0, Instant::now());
        while count < sent.len() {
            assert!(start.elapsed() < LONG);
            let handler = &mut |event: Event<'_>| {
                let Event::Records { records, .. } = event else { return };
                for record in records {
                    let sent = &sent[count];
                    let headers = record.headers.to_vec();
                    assert_eq!((record.key, record.value, &headers[..]), (sent.key, sent.value, sent.headers));
                    count += 1;
                }
            };
            consumer.poll(SHORT, handler).unwrap();
        }
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
fn more_headers_than_the_client_reads_cost_the_headers_and_not_the_record() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let headers = vec![Header { name: b"", value: None }; 100_001];
    let mut producer = producer(&log, &unique("id"));
    producer.begin().unwrap();
    for count in [1, headers.len(), 2] {
        producer.send(&ProducerRecord { headers: &headers[..count], ..record(&topic, 0, b"k", b"v") }).unwrap();
    }
    producer.commit(LONG).unwrap();
    let start = [(TopicPartition::new(&topic, 0), Start::Beginning)];
    let mut consumer = reader(&log, Isolation::ReadCommitted, &start);
    let (mut counts, start) = (Vec::new(), Instant::now());
    while counts.len() < 3 {
        assert!(start.elapsed() < LONG, "{counts:?}");
        let handler = &mut |event: Event<'_>| {
            let Event::Records { records, .. } = event else { return };
            counts.extend(records.iter().map(|record| record.headers.to_vec().len()));
        };
        consumer.poll(SHORT, handler).unwrap();
    }
    assert_eq!(counts, [1, 0, 2]);
}

#[test]
fn nothing_behind_an_unreadable_batch_is_handed_out() {
    let mut options = Options::new(Cluster::shared().brokers());
    options.properties = vec![("compression.type".to_owned(), "none".to_owned())];
    let log = KafkaLog::new(options).unwrap();
    let topic = topic(&log, 1, &[]);
    let values = ["what can be read", "what a disk has spoilt", "what stands behind it"];
    let mut producer = producer(&log, &unique("id"));
    for value in values {
        producer.begin().unwrap();
        // Of today, or the marker behind the first record would begin a new file: it is of 1970.
        let record = record(&topic, 0, b"k", value.as_bytes());
        producer.send(&ProducerRecord { timestamp_ms: ProducerRecord::NOW, ..record }).unwrap();
        producer.commit(LONG).unwrap();
    }
    spoil(&topic, values[1].as_bytes());

    let start = [(TopicPartition::new(&topic, 0), Start::Beginning)];
    let mut consumer = reader(&log, Isolation::ReadCommitted, &start);
    let (mut seen, start) = (Seen::default(), Instant::now());
    let mut errors = Vec::new();
    while errors.len() < 2 {
        assert!(start.elapsed() < LONG, "{seen:?}");
        errors.extend(consumer.poll(SHORT, &mut |event| seen.take(event)).err());
    }
    assert!(errors.iter().all(|error| error.kind() == Kind::Fatal), "{errors:?}");
    assert!(errors[0].to_string().contains("CRC"), "{}", errors[0]);
    assert_eq!(seen.values(), values[..1]);
    assert!(seen.ends.is_empty());
}

/// Changes a byte of what the broker has on its disk of a topic with one partition.
fn spoil(topic: &str, value: &[u8]) {
    use std::os::unix::fs::FileExt;
    let described =
        Cluster::shared().tool("org.apache.kafka.tools.LogDirsCommand", &["--describe", "--topic-list", topic]);
    let (_, rest) = described.split_once("\"logDir\":\"").unwrap();
    let (directory, _) = rest.split_once('"').unwrap();
    let path = std::path::Path::new(directory).join(format!("{topic}-0/00000000000000000000.log"));
    let bytes = std::fs::read(&path).unwrap();
    let place = bytes.windows(value.len()).position(|window| window == value).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[!bytes[place]], place as u64).unwrap();
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
