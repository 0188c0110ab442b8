//! What the claims have in common: fresh names, patience, readers and members.

use std::any::{Any, type_name};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use test_cluster::Cluster;
use topology::log::{
    Consumer, ConsumerOptions, Event, GroupOptions, GroupProtocol, Isolation, Log, Offset, OutOfRange, Producer,
    ProducerOptions, ProducerRecord, Start, TopicPartition, TopicSpec,
};

/// How long a claim may take to come true.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// For calls that wait for a broker.
pub(crate) const CALL: Duration = Duration::from_secs(30);

/// How long to look before it is believed that nothing comes.
pub(crate) const SILENCE: Duration = Duration::from_millis(500);

/// An event time, ms.
pub(crate) const THEN_MS: i64 = 1_700_000_000_000;

/// A log, and what must outlive it.
pub(crate) struct Fixture<L> {
    pub(crate) log: L,
    pub(crate) _keep: Option<Box<dyn Any>>,
}

/// Whether this log has the group protocol `consumer`: brokers have it since Kafka 4.0.
pub(crate) fn has_consumer_protocol<L>() -> bool {
    // By its name: without the feature `kafka` there is no such type.
    !type_name::<L>().ends_with("::KafkaLog") || Cluster::version() >= (4, 0)
}

/// A name that no other test has, in this run or another.
pub(crate) fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let run = RandomState::new().hash_one(std::process::id());
    format!("contract-{what}-{run:016x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Tries until there is an answer.
#[allow(clippy::disallowed_methods)]
pub(crate) fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Does it again and again for so long.
#[allow(clippy::disallowed_methods)]
pub(crate) fn during(time: Duration, mut action: impl FnMut()) {
    let start = Instant::now();
    while start.elapsed() < time {
        action();
    }
}

/// How long it takes.
#[allow(clippy::disallowed_methods)]
pub(crate) fn timed<T>(action: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (action(), start.elapsed())
}

/// A fresh topic whose records do not age.
pub(crate) fn topic<L: Log>(log: &L, partition_count: i32) -> String {
    topic_with(log, partition_count, &[])
}

/// A fresh topic with more settings.
pub(crate) fn topic_with<L: Log>(log: &L, partition_count: i32, config: &[(&str, &str)]) -> String {
    let name = unique("topic");
    log.create_topics(&[topic_spec(&name, partition_count, config)]).unwrap();
    until("the topic is there", || log.describe_topic(&name).unwrap());
    name
}

pub(crate) fn topic_spec(name: &str, partition_count: i32, config: &[(&str, &str)]) -> TopicSpec {
    let config = config.iter().chain(&[("retention.ms", "-1")]);
    TopicSpec {
        name: name.to_owned(),
        partition_count,
        replication_factor: None,
        config: config.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

pub(crate) fn producer_options(transactional_id: &str) -> ProducerOptions {
    ProducerOptions {
        transactional_id: transactional_id.to_owned(),
        transaction_timeout_ms: 60_000,
        client_id: "contract".to_owned(),
        track_topics: Vec::new(),
    }
}

/// A producer that is ready.
pub(crate) fn producer<L: Log>(log: &L) -> L::Producer {
    producer_as(log, &unique("producer"))
}

/// A producer with this id that is ready.
pub(crate) fn producer_as<L: Log>(log: &L, transactional_id: &str) -> L::Producer {
    let mut producer = log.producer(&producer_options(transactional_id)).unwrap();
    producer.init_transactions(CALL).unwrap();
    producer
}

/// A record without key or headers.
pub(crate) fn value<'a>(topic: &'a str, partition: i32, value: &'a str) -> ProducerRecord<'a> {
    ProducerRecord {
        topic,
        partition: Some(partition),
        timestamp_ms: THEN_MS,
        key: None,
        value: Some(value.as_bytes()),
        headers: &[],
    }
}

/// Adds these values to the open transaction.
pub(crate) fn send<P: Producer>(producer: &mut P, topic: &str, partition: i32, values: &[&str]) {
    for text in values {
        producer.send(&value(topic, partition, text)).unwrap();
    }
}

/// One transaction with these values.
pub(crate) fn commit<P: Producer>(producer: &mut P, topic: &str, partition: i32, values: &[&str]) {
    producer.begin().unwrap();
    send(producer, topic, partition, values);
    producer.commit(CALL).unwrap();
}

/// One aborted transaction with these values, all of them delivered.
pub(crate) fn abort<P: Producer>(producer: &mut P, topic: &str, partition: i32, values: &[&str]) {
    producer.begin().unwrap();
    send(producer, topic, partition, values);
    producer.flush(CALL).unwrap();
    producer.abort(CALL).unwrap();
}

/// The end as committed reads see it.
pub(crate) fn stable<L: Log>(log: &L, topic: &str, partition: i32) -> Offset {
    log.watermarks(&TopicPartition::new(topic, partition), Isolation::ReadCommitted).unwrap().high
}

/// The end as uncommitted reads see it.
pub(crate) fn end<L: Log>(log: &L, topic: &str, partition: i32) -> Offset {
    log.watermarks(&TopicPartition::new(topic, partition), Isolation::ReadUncommitted).unwrap().high
}

/// Waits until nothing in the partition is undecided; gives its end.
pub(crate) fn decided<L: Log>(log: &L, topic: &str, partition: i32) -> Offset {
    until("all transactions are decided", || {
        let high = end(log, topic, partition);
        (stable(log, topic, partition) == high).then_some(high)
    })
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) partition: i32,
    pub(crate) offset: Offset,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A consumer, and all that it was told.
pub(crate) struct Reader<C> {
    pub(crate) consumer: C,
    pub(crate) records: Vec<Read>,
    pub(crate) ends: Vec<(i32, Offset)>,
    /// Sizes of the events with records.
    pub(crate) batches: Vec<usize>,
}

pub(crate) fn consumer_options(isolation: Isolation) -> ConsumerOptions {
    ConsumerOptions {
        group: None,
        isolation,
        client_id: "contract".to_owned(),
        batch_records: 1000,
        prefetch_bytes: 16 << 20,
        out_of_range: OutOfRange::Earliest,
    }
}

/// A reader of committed records, from the beginning of these partitions.
pub(crate) fn reader<L: Log>(log: &L, topic: &str, partitions: &[i32]) -> Reader<L::Consumer> {
    reader_with(log, &consumer_options(Isolation::ReadCommitted), topic, partitions)
}

/// A reader from the beginning of these partitions.
pub(crate) fn reader_with<L: Log>(
    log: &L,
    options: &ConsumerOptions,
    topic: &str,
    partitions: &[i32],
) -> Reader<L::Consumer> {
    let mut consumer = log.consumer(options).unwrap();
    let at = |partition: &i32| (TopicPartition::new(topic, *partition), Start::Beginning);
    consumer.assign(&partitions.iter().map(at).collect::<Vec<_>>()).unwrap();
    Reader { consumer, records: Vec::new(), ends: Vec::new(), batches: Vec::new() }
}

impl<C: Consumer> Reader<C> {
    /// Polls once, for a moment.
    pub(crate) fn poll(&mut self) {
        let Self { consumer, records, ends, batches } = self;
        consumer
            .poll(Duration::from_millis(100), &mut |event| match event {
                Event::Records { partition, records: batch } => {
                    assert!(!batch.is_empty(), "an event without records");
                    batches.push(batch.len());
                    records.extend(batch.iter().map(|record| {
                        Read {
                            partition: partition.partition,
                            offset: record.offset,
                            timestamp_ms: record.timestamp_ms,
                            key: record.key.map(<[u8]>::to_vec),
                            value: record.value.map(<[u8]>::to_vec),
                            headers: record
                                .headers
                                .to_vec()
                                .iter()
                                .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
                                .collect(),
                        }
                    }));
                }
                Event::EndOfPartition { partition, offset } => ends.push((partition.partition, offset)),
                event => panic!("a reader by assignment got {event:?}"),
            })
            .unwrap();
    }

    /// Polls until so many records came in all.
    pub(crate) fn until_records(&mut self, count: usize) -> &mut Self {
        until("records arrive", || {
            self.poll();
            (self.records.len() >= count).then_some(())
        });
        self
    }

    /// Polls until the end of the partition was told to be here.
    pub(crate) fn until_end(&mut self, partition: i32, offset: Offset) -> &mut Self {
        until("the end of the partition is told", || {
            let told = self.ends.contains(&(partition, offset));
            if !told {
                self.poll();
            }
            told.then_some(())
        });
        self
    }

    /// Polls for a while, to see that nothing more comes.
    pub(crate) fn in_silence(&mut self) -> &mut Self {
        during(SILENCE, || self.poll());
        self
    }

    /// The values, as text.
    pub(crate) fn values(&self) -> Vec<String> {
        self.records.iter().map(Read::text).collect()
    }
}

impl Read {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.value.clone().unwrap()).unwrap()
    }
}

/// A member of a group, which answers what it is told.
pub(crate) struct Member<C: Consumer> {
    pub(crate) consumer: C,
    protocol: GroupProtocol,
    /// What it has now.
    pub(crate) assigned: Vec<TopicPartition>,
    pub(crate) has_assignment: bool,
    /// What was taken away, each time.
    pub(crate) revoked: Vec<Vec<TopicPartition>>,
    /// What it read.
    pub(crate) records: Vec<(TopicPartition, Offset)>,
    /// The first error of a poll.
    pub(crate) error: Option<topology::log::Error>,
    /// Whether it was told that its partitions are lost.
    pub(crate) lost: bool,
}

/// What the client of a member calls itself.
pub(crate) const MEMBER: &str = "contract-1@http://[::1]:8080/stores?of=a@b";

/// A member that has subscribed. A static one has an instance id.
pub(crate) fn member<L: Log>(log: &L, group: &str, instance_id: Option<&str>, topics: &[&str]) -> Member<L::Consumer> {
    member_by(GroupProtocol::Classic, log, group, instance_id, topics)
}

/// A member that has subscribed, by this protocol.
pub(crate) fn member_by<L: Log>(
    protocol: GroupProtocol,
    log: &L,
    group: &str,
    instance_id: Option<&str>,
    topics: &[&str],
) -> Member<L::Consumer> {
    let instance_id = instance_id.map(str::to_owned);
    let group = GroupOptions { id: group.to_owned(), instance_id, session_timeout_ms: 30_000, protocol };
    let client_id = MEMBER.to_owned();
    let options = ConsumerOptions { group: Some(group), client_id, ..consumer_options(Isolation::ReadCommitted) };
    let mut consumer = log.consumer(&options).unwrap();
    let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
    consumer.subscribe(&topics).unwrap();
    Member {
        consumer,
        protocol,
        assigned: Vec::new(),
        has_assignment: false,
        revoked: Vec::new(),
        records: Vec::new(),
        error: None,
        lost: false,
    }
}

impl<C: Consumer> Member<C> {
    /// Polls once, for a moment, and answers.
    pub(crate) fn poll(&mut self) {
        enum Told {
            Nothing,
            Assigned(Vec<TopicPartition>),
            Revoked(Vec<TopicPartition>, bool),
        }
        let mut told = Told::Nothing;
        let read = &mut self.records;
        let outcome = self.consumer.poll(Duration::from_millis(50), &mut |event| match event {
            Event::Assigned(partitions) => told = Told::Assigned(partitions),
            Event::Revoked { partitions, lost } => told = Told::Revoked(partitions, lost),
            Event::Records { partition, records } => {
                read.extend(records.iter().map(|record| (partition.clone(), record.offset)));
            }
            Event::EndOfPartition { .. } => {}
        });
        self.error = self.error.take().or(outcome.err());
        match told {
            Told::Nothing => {}
            Told::Assigned(partitions) => {
                let starts: Vec<_> = partitions.iter().map(|partition| (partition.clone(), Start::Beginning)).collect();
                self.consumer.incremental_assign(&starts).unwrap();
                self.assigned.extend(partitions);
                self.assigned.sort();
                self.has_assignment = true;
            }
            Told::Revoked(partitions, lost) => {
                self.consumer.incremental_unassign(&partitions).unwrap();
                self.assigned.retain(|partition| !partitions.contains(partition));
                self.has_assignment = self.protocol == GroupProtocol::Consumer && !lost;
                self.revoked.push(partitions);
                self.lost |= lost;
            }
        }
    }
}

/// Polls all members until this is true of what they have.
pub(crate) fn settle<C: Consumer>(what: &str, members: &mut [&mut Member<C>], done: impl Fn(&[usize]) -> bool) {
    until(what, || {
        for member in members.iter_mut() {
            member.poll();
        }
        let settled = members.iter().all(|member| member.has_assignment);
        let counts: Vec<usize> = members.iter().map(|member| member.assigned.len()).collect();
        (settled && done(&counts)).then_some(())
    });
}
