//! The driver's own dealings with the broker: topics, offsets, and records in and out.

use std::time::Duration;

use futures::executor::block_on;
use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::Offset;

use crate::error::{Doing, Error, Result};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Where a broker is, and the process that it is.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) brokers: String,
    /// For its CPU time; `None` for a broker elsewhere.
    pub(crate) broker_pid: Option<u32>,
    /// Ends the broker when dropped. `None` for one that ran before.
    _own: Option<test_cluster::Cluster>,
}

/// As brokers have it by default, where the tests' broker has something quicker or smaller.
const BROKER_PROPERTIES: &[&str] = &[
    "log.cleaner.backoff.ms=15000",
    "log.retention.check.interval.ms=300000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms=10000",
    "num.network.threads=3",
    "num.io.threads=8",
];

impl Cluster {
    /// A broker that runs already.
    pub(crate) fn external(brokers: &str, broker_pid: Option<u32>) -> Self {
        Self { brokers: brokers.to_owned(), broker_pid, _own: None }
    }

    /// A broker of its own.
    pub(crate) fn start() -> Result<Self> {
        // What starts it for tests panics where it cannot, with a line that says why; where it stood then says nothing
        // more.
        std::panic::set_hook(Box::new(|panic| eprintln!("{}", panic.payload_as_str().unwrap_or("no word of why"))));
        let started = std::panic::catch_unwind(|| test_cluster::Cluster::start_with(BROKER_PROPERTIES));
        let _ = std::panic::take_hook();
        let own = started.map_err(|_| {
            Error::new(
                "no broker could be started, for the reason above; --brokers HOST:PORT takes one that runs already",
            )
        })?;
        Ok(Self { brokers: own.brokers().to_owned(), broker_pid: own.broker_pid(), _own: Some(own) })
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", "cairn-bench");
        config
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>> {
        self.config().create().doing("creating an admin client")
    }

    /// Creates a topic.
    pub(crate) fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
        let results = block_on(self.admin()?.create_topics(&[topic], &options)).doing("creating a topic")?;
        match results.into_iter().next() {
            Some(Err((_, code))) => Err(Error::new(format!("creating the topic {name}: {code}"))),
            _ => Ok(()),
        }
    }

    /// Deletes all topics whose names begin like this: those that an application made or was given begin with its id.
    pub(crate) fn delete_topics(&self, prefix: &str) -> Result<()> {
        let observer = self.observer(prefix)?;
        let metadata = observer.consumer.fetch_metadata(None, TIMEOUT).doing("listing topics")?;
        let names: Vec<&str> =
            metadata.topics().iter().map(|topic| topic.name()).filter(|name| name.starts_with(prefix)).collect();
        if names.is_empty() {
            return Ok(());
        }
        let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
        block_on(self.admin()?.delete_topics(&names, &options)).doing("deleting topics")?;
        Ok(())
    }

    /// One who asks about a group, without being in it.
    pub(crate) fn observer(&self, group: &str) -> Result<Observer> {
        let consumer = self
            .config()
            .set("group.id", group)
            // Or every question would be put off while a transaction is about to commit offsets.
            .set("isolation.level", "read_uncommitted")
            .set("enable.auto.commit", "false")
            .create()
            .doing("creating an observer")?;
        Ok(Observer { consumer })
    }

    /// One who reads what is committed, from the beginning of a topic.
    pub(crate) fn reader(&self, topic: &str, partitions: i32) -> Result<BaseConsumer> {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", format!("{topic}-reader"))
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "false")
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.error.backoff.ms", "50")
            .create()
            .doing("creating a reader")?;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning).doing("assigning")?;
        }
        consumer.assign(&list).doing("assigning")?;
        Ok(consumer)
    }

    /// One who fills an input topic.
    pub(crate) fn writer(&self, topic: &str, linger_ms: u32) -> Result<Writer> {
        let producer = self
            .config()
            .set("enable.idempotence", "true")
            // Where Java's clients put a key, and the subjects their outputs.
            .set("partitioner", "murmur2_random")
            .set("linger.ms", linger_ms.to_string())
            .set("batch.size", "500000")
            .set("queue.buffering.max.messages", "1000000")
            .set("delivery.report.only.error", "true")
            .create()
            .doing("creating a writer")?;
        Ok(Writer { topic: topic.to_owned(), producer })
    }
}

/// Asks how far an application has come.
pub(crate) struct Observer {
    consumer: BaseConsumer,
}

impl Observer {
    /// The group's committed position in each partition of a topic; 0 where there is none. `Err` where no broker
    /// answers: at the beginning of a group that is usual.
    pub(crate) fn committed(&self, topic: &str, partitions: i32) -> Result<Vec<u64>> {
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(topic, partition);
        }
        let answer = self.consumer.committed_offsets(list, Duration::from_secs(5)).doing("asking for offsets")?;
        let position = |offset| match offset {
            Offset::Offset(offset) => u64::try_from(offset).unwrap_or(0),
            _ => 0,
        };
        Ok(answer.elements().iter().map(|element| position(element.offset())).collect())
    }

    /// The offsets after the last record of each partition, added up; `None` where there is no such topic.
    pub(crate) fn end(&self, topic: &str, partitions: i32) -> Result<Option<u64>> {
        let mut sum = 0;
        for partition in 0..partitions {
            match self.consumer.fetch_watermarks(topic, partition, TIMEOUT) {
                Ok((_, end)) => sum += u64::try_from(end).unwrap_or(0),
                Err(KafkaError::MetadataFetch(
                    RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownPartition,
                )) => return Ok(None),
                Err(error) => return Err(error).doing(format!("asking for the end of {topic}")),
            }
        }
        Ok(Some(sum))
    }
}

/// Writes records to an input topic.
pub(crate) struct Writer {
    topic: String,
    producer: BaseProducer,
}

impl Writer {
    pub(crate) fn send(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let mut record = BaseRecord::to(&self.topic).key(key).payload(value);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::from_millis(5));
                    record = back;
                }
                Err((error, _)) => return Err(error).doing(format!("writing to {}", self.topic)),
            }
        }
    }

    /// Serves what librdkafka has to say; a caller that only sends now and then calls it now and then.
    pub(crate) fn serve(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until everything arrived.
    pub(crate) fn finish(&self) -> Result<()> {
        self.producer.flush(TIMEOUT).doing(format!("writing to {}", self.topic))
    }
}
