//! Positions in partitions, as librdkafka takes them.

use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset as NativeOffset, TopicPartitionList};

use super::super::context::Context;
use super::super::deadline::Deadline;
use super::super::native;
use crate::log::{Error, Kind, Result, Start, TopicPartition};

/// A native list. It must not outlive the call it is made for: one that is alive keeps the consumer from closing.
pub(super) fn list(partitions: &[(TopicPartition, Start)]) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (partition, start) in partitions {
        let offset = match *start {
            Start::Beginning => NativeOffset::Beginning,
            // Any offset will do, as nothing is fetched. For a beginning librdkafka asks the brokers where that is, and
            // takes an answer that comes after a seek for a reason to ask again, and to read on from there.
            Start::Paused => NativeOffset::Offset(0),
            Start::At(offset) if offset >= 0 => NativeOffset::Offset(offset),
            Start::At(offset) => {
                return Err(Error::new(Kind::Fatal, format!("{partition} has no offset {offset}")));
            }
        };
        add(&mut list, &partition.topic, partition.partition, offset)?;
    }
    Ok(list)
}

/// How long librdkafka may take to begin with a partition that it was told to read.
const START_MAX: Duration = Duration::from_millis(200);

/// Moves partitions to where they are to go on. librdkafka refuses this while a partition is still being started, so it
/// is repeated. What it goes on refusing it has stopped to read, because the position lies outside of the log; its word
/// of that may wait in a queue that is not read now. Gives those: only starting them anew helps.
pub(super) fn seek_all(
    consumer: &BaseConsumer<Context>,
    partitions: &[(TopicPartition, Start)],
    deadline: Deadline,
) -> Result<Vec<TopicPartition>> {
    let is_stopped = |entry: &native::Entry| entry.error == Some(RDKafkaErrorCode::State as i32);
    let started = Deadline::after(START_MAX);
    let mut rest = list(partitions)?;
    loop {
        rest = consumer
            .seek_partitions(rest, deadline.remaining())
            .map_err(|error| Error::new(Kind::Retry, format!("cannot seek: {error}")))?;
        let failed: Vec<_> = native::entries(&rest).into_iter().filter(|entry| entry.error.is_some()).collect();
        if failed.is_empty() || (started.is_over() && failed.iter().all(is_stopped)) {
            return Ok(failed.into_iter().map(|entry| TopicPartition::new(entry.topic, entry.partition)).collect());
        }
        if let (Some(first), true) = (failed.first(), deadline.is_over()) {
            let text = native::describe(first.error.unwrap_or_default());
            let message = format!("cannot seek {}-{}: {text}", first.topic, first.partition);
            return Err(Error::new(Kind::Retry, message));
        }
        rest = TopicPartitionList::new();
        for entry in &failed {
            add(&mut rest, &entry.topic, entry.partition, NativeOffset::from_raw(entry.offset))?;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

pub(super) fn no_such_topic(partition: &TopicPartition) -> Error {
    Error::new(Kind::NoSuchTopic, format!("there is no partition {partition}"))
}

fn add(list: &mut TopicPartitionList, topic: &str, partition: i32, offset: NativeOffset) -> Result<()> {
    if topic.contains('\0') || partition < 0 {
        return Err(no_such_topic(&TopicPartition::new(topic, partition)));
    }
    list.add_partition_offset(topic, partition, offset)
        .map_err(|error| Error::new(Kind::Fatal, format!("offset {offset:?} of {topic}-{partition}: {error}")))
}
