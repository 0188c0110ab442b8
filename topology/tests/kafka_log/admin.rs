//! Topics, and brokers that are not there.

use super::*;

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
fn topics_are_identified_fast_enough_for_a_commit_to_wait_for_it() {
    let log = log();
    let topics: Vec<String> = (0..10).map(|_| topic(&log, 1, &[])).collect();
    log.identify_topics(&topics, LONG).unwrap();
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let start = Instant::now();
            assert!(log.identify_topics(&topics, LONG).unwrap().iter().all(Option::is_some));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let (median, high) = (times[100], times[197]);
    println!("median {median:?}, 99 of 100 below {high:?}");
    // Far above what it takes; a wait for a timer of the client would be 100 ms or more.
    assert!(median < Duration::from_millis(50), "{median:?}");
}
