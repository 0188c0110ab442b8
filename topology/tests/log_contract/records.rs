//! Records arrive as they were sent.

use topology::log::{Header, Isolation, Kind, Log, Producer, ProducerRecord, TopicPartition};

use crate::harness::*;

pub(crate) fn records_come_in_order_with_their_offsets<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut producer = producer(log);
    let texts: Vec<String> = (0..1000).map(|index| index.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    commit(&mut producer, &topic, 0, &texts[..400]);
    commit(&mut producer, &topic, 0, &texts[400..]);
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(1000).in_silence();
    assert_eq!(reader.values(), texts);
    let offsets: Vec<i64> = reader.records.iter().map(|record| record.offset).collect();
    assert!(offsets[..400].windows(2).all(|pair| pair[0] + 1 == pair[1]), "without gap in a transaction");
    assert!(offsets[400..].windows(2).all(|pair| pair[0] + 1 == pair[1]), "without gap in a transaction");
    assert!(offsets[399] < offsets[400]);
}

pub(crate) fn a_null_is_not_an_empty_key_or_value<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut producer = producer(log);
    let choices: [Option<&[u8]>; 3] = [None, Some(b""), Some(b"text")];
    producer.begin().unwrap();
    for key in choices {
        for value in choices {
            let record =
                ProducerRecord { topic: &topic, partition: Some(0), timestamp_ms: THEN_MS, key, value, headers: &[] };
            producer.send(&record).unwrap();
        }
    }
    producer.commit(CALL).unwrap();
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(9);
    let mut records = reader.records.iter();
    for key in choices {
        for value in choices {
            let record = records.next().unwrap();
            assert_eq!((record.key.as_deref(), record.value.as_deref()), (key, value));
        }
    }
}

pub(crate) fn headers_and_timestamps_are_preserved<L: Log>(log: &L) {
    let topic = topic(log, 1);
    let mut producer = producer(log);
    let headers = [
        Header { name: b"trace", value: Some(b"1") },
        Header { name: b"none", value: None },
        Header { name: b"trace", value: Some(b"") },
        Header { name: b"\xfe\xff", value: Some(&[0, 255]) },
    ];
    producer.begin().unwrap();
    for (count, timestamp_ms) in [(4, THEN_MS + 5), (0, THEN_MS), (2, THEN_MS + 1)] {
        let mut record = value(&topic, 0, "x");
        record.timestamp_ms = timestamp_ms;
        record.headers = &headers[..count];
        producer.send(&record).unwrap();
    }
    producer.commit(CALL).unwrap();
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(3);
    for (record, (count, timestamp_ms)) in reader.records.iter().zip([(4, THEN_MS + 5), (0, THEN_MS), (2, THEN_MS + 1)])
    {
        let expected: Vec<_> =
            headers[..count].iter().map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec))).collect();
        assert_eq!(record.headers, expected);
        assert_eq!(record.timestamp_ms, timestamp_ms);
    }
}

pub(crate) fn a_topic_that_stamps_its_records_takes_any_time_of_theirs<L: Log>(log: &L) {
    let topic = topic_with(log, 1, &[("message.timestamp.type", "LogAppendTime")]);
    assert_eq!(log.describe_topic(&topic).unwrap().unwrap().timestamp_type, "LogAppendTime");
    let mut producer = producer(log);
    producer.begin().unwrap();
    // Years ago and years ahead; a topic that keeps such times refuses them.
    let (past, future) = (1, 32_503_680_000_000);
    for timestamp_ms in [past, future, ProducerRecord::NOW] {
        let mut record = value(&topic, 0, "x");
        record.timestamp_ms = timestamp_ms;
        producer.send(&record).unwrap();
    }
    producer.commit(CALL).unwrap();
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(3);
    for record in &reader.records {
        assert!(record.timestamp_ms > past && record.timestamp_ms < future, "{}", record.timestamp_ms);
    }
}

pub(crate) fn a_batch_arrives_as_its_records_would_one_by_one<L: Log>(log: &L) {
    let (one, other) = (topic(log, 2), topic(log, 1));
    let headers = [Header { name: b"h", value: Some(b"1") }];
    let texts: Vec<String> = (0..2_000).map(|index| index.to_string()).collect();
    let empty: &[u8] = b"";
    let mut records = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let keyed = ProducerRecord {
            timestamp_ms: ProducerRecord::NOW,
            key: Some(text.as_bytes()),
            value: [None, Some(empty), Some(text.as_bytes())][index % 3],
            ..value(&one, 0, text)
        };
        // Long runs of one partition, and what must not join them.
        records.push(match index % 500 {
            50 => ProducerRecord { headers: &headers, ..keyed },
            60..=70 => ProducerRecord { timestamp_ms: THEN_MS, ..keyed },
            100..=140 => ProducerRecord { partition: Some(1), ..keyed },
            200..=220 => ProducerRecord { topic: &other, partition: None, ..keyed },
            _ => keyed,
        });
    }
    let mut producer = producer(log);
    producer.begin().unwrap();
    let before_ms = crate::local::wall_clock()();
    producer.send_batch(&records).unwrap();
    producer.send_batch(&[]).unwrap();
    let after_ms = crate::local::wall_clock()();
    producer.commit(CALL).unwrap();
    for (topic, partition) in [(&one, 0), (&one, 1), (&other, 0)] {
        let here = |record: &&ProducerRecord<'_>| record.topic == topic && record.partition.unwrap_or(0) == partition;
        let expected: Vec<&ProducerRecord<'_>> = records.iter().filter(here).collect();
        let mut reader = reader(log, topic, &[partition]);
        reader.until_records(expected.len()).in_silence();
        assert_eq!(reader.records.len(), expected.len());
        for (read, sent) in reader.records.iter().zip(expected) {
            assert_eq!((read.key.as_deref(), read.value.as_deref()), (sent.key, sent.value));
            assert_eq!(read.headers.len(), sent.headers.len());
            match sent.timestamp_ms {
                ProducerRecord::NOW => assert!((before_ms..=after_ms).contains(&read.timestamp_ms)),
                timestamp_ms => assert_eq!(read.timestamp_ms, timestamp_ms),
            }
        }
    }
}

pub(crate) fn a_batch_with_a_record_that_is_too_large_is_refused<L: Log>(log: &L) {
    let topic = topic_with(log, 1, &[("max.message.bytes", "10000")]);
    let mut producer = producer(log);
    let large = "x".repeat(20_000);
    let now = |text| ProducerRecord { timestamp_ms: ProducerRecord::NOW, ..value(&topic, 0, text) };
    producer.begin().unwrap();
    let refused = producer
        .send_batch(&[now("small"), now(&large), now("small")])
        .and_then(|()| producer.flush(CALL))
        .and_then(|()| producer.commit(CALL))
        .unwrap_err();
    assert!(matches!(refused.kind(), Kind::TooLarge | Kind::Abort), "{refused:?}");
    producer.abort(CALL).unwrap();
    producer.begin().unwrap();
    producer.send_batch(&[now("after"), now("it")]).unwrap();
    producer.commit(CALL).unwrap();
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(2).in_silence();
    assert_eq!(reader.values(), ["after", "it"]);
}

pub(crate) fn a_keyed_record_goes_where_the_java_client_puts_it<L: Log>(log: &L) {
    // The hashes are those that Kafka's own tests expect of its murmur2.
    let hashes: [(&str, i32); 5] = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("abc", 479_470_107),
    ];
    let topic = topic(log, 5);
    let mut producer = producer(log);
    producer.begin().unwrap();
    for (key, _) in hashes {
        let mut record = value(&topic, 0, key);
        (record.partition, record.key) = (None, Some(key.as_bytes()));
        producer.send(&record).unwrap();
    }
    producer.commit(CALL).unwrap();
    let mut reader = reader(log, &topic, &[0, 1, 2, 3, 4]);
    reader.until_records(hashes.len());
    for (key, hash) in hashes {
        let record = reader.records.iter().find(|record| record.text() == key).unwrap();
        assert_eq!(record.partition, (hash & 0x7fff_ffff) % 5, "{key}");
    }
}

pub(crate) fn a_record_that_is_too_large_is_refused_and_the_next_transaction_commits<L: Log>(log: &L) {
    let topic = topic_with(log, 1, &[("max.message.bytes", "10000")]);
    let mut producer = producer(log);
    let large = "x".repeat(20_000);
    producer.begin().unwrap();
    send(&mut producer, &topic, 0, &["small"]);
    let refused = producer
        .send(&value(&topic, 0, &large))
        .and_then(|()| producer.flush(CALL))
        .and_then(|()| producer.commit(CALL))
        .unwrap_err();
    assert!(matches!(refused.kind(), Kind::TooLarge | Kind::Abort), "{refused:?}");
    producer.abort(CALL).unwrap();
    commit(&mut producer, &topic, 0, &["after"]);
    let mut reader = reader(log, &topic, &[0]);
    reader.until_records(1).in_silence();
    assert_eq!(reader.values(), ["after"]);
}

pub(crate) fn sending_to_a_topic_that_does_not_exist_fails_and_creates_nothing<L: Log>(log: &L) {
    let missing = unique("missing");
    let mut producer = producer(log);
    producer.begin().unwrap();
    let refused = producer
        .send(&value(&missing, 0, "x"))
        .and_then(|()| producer.flush(PATIENCE))
        .and_then(|()| producer.commit(PATIENCE))
        .unwrap_err();
    assert!(matches!(refused.kind(), Kind::NoSuchTopic | Kind::Abort), "{refused:?}");
    assert_eq!(log.describe_topic(&missing).unwrap(), None);
}

pub(crate) fn a_partition_below_zero_is_refused<L: Log>(log: &L) {
    let topic = topic(log, 2);
    let mut producer = producer(log);
    producer.begin().unwrap();
    for partition in [-1, i32::MIN] {
        let record = value(&topic, partition, "x");
        assert_eq!(producer.send(&record).unwrap_err().kind(), Kind::NoSuchTopic);
        assert_eq!(producer.send_batch(&[record, record]).unwrap_err().kind(), Kind::NoSuchTopic);
    }
    producer.abort(CALL).unwrap();
}

pub(crate) fn delivered_offsets_of_tracked_topics_are_told<L: Log>(log: &L) {
    let (tracked, other) = (topic(log, 2), topic(log, 1));
    let mut options = producer_options(&unique("producer"));
    options.track_topics = vec![tracked.clone()];
    let mut producer = log.producer(&options).unwrap();
    producer.init_transactions(CALL).unwrap();
    let at = |topic: &str, partition| TopicPartition::new(topic, partition);
    for round in ["first", "second"] {
        producer.begin().unwrap();
        assert_eq!(producer.delivered(&at(&tracked, 0)), None, "since the last begin");
        send(&mut producer, &tracked, 0, &["a", "b", round]);
        send(&mut producer, &other, 0, &["c"]);
        producer.flush(CALL).unwrap();
        let delivered = producer.delivered(&at(&tracked, 0)).unwrap();
        assert_eq!(producer.delivered(&at(&tracked, 1)), None, "nothing went there");
        assert_eq!(producer.delivered(&at(&other, 0)), None, "it is not tracked");
        producer.commit(CALL).unwrap();
        assert_eq!(producer.delivered(&at(&tracked, 0)), Some(delivered), "until the next begin");
        let mut reader = reader_with(log, &consumer_options(Isolation::ReadCommitted), &tracked, &[0]);
        until("the last record", || {
            reader.poll();
            let last = reader.records.last()?;
            (last.text() == round).then(|| assert_eq!(last.offset, delivered))
        });
    }
}
