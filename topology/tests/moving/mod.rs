//! The topology that moves records to the task of another key and counts them there, its input, of several partitions,
//! and how far its repartition topic is. Uses the crate's public side alone.
#![allow(dead_code, reason = "each test file uses its own part")]

use topology::graph::{Builder, Repartition, Store, Topic, Topology, repartition_topic};
use topology::log::{Isolation, Log, Offset, Producer, ProducerRecord, TopicPartition};

use super::counting::{Topics, in_transaction};

/// Of the input.
pub(crate) const PARTITIONS: i32 = 4;

/// The name of the repartition topic in the graph.
const BY_WORD: &str = "by-word";

/// Counts the words that the input's values are. Without a number the repartition topic has as many partitions as the
/// input.
pub(crate) fn topology(topics: &Topics, partitions: Option<i32>) -> Topology {
    let builder = Builder::new();
    let by_word = Repartition::<[u8], ()>::new(BY_WORD);
    let by_word = partitions.map_or(by_word.clone(), |count| by_word.partitions(count));
    let input = builder.sub_topology("moving").source::<[u8], [u8]>(topics.input.as_str());
    input.flat_map::<[u8], ()>(|record, out| out.emit(record.value.unwrap_or_default(), ())).repartition(&by_word);
    let words = builder.sub_topology("counting").source_of(&by_word);
    words.count(&Store::rocksdb("counts")).sink(Topic::new(&topics.output).partitions(1));
    builder.build().unwrap()
}

/// Commits records of seven words, spread over the partitions of the input, so that each word is in all of them.
pub(crate) fn produce(log: &impl Log, topics: &Topics, count: usize) {
    in_transaction(log, &format!("{}-input", topics.application), |producer| {
        for index in 0..count {
            let (key, word) = (format!("line-{index}"), format!("word-{}", index % 7));
            let record = ProducerRecord {
                topic: &topics.input,
                partition: Some(index as i32 % PARTITIONS),
                timestamp_ms: 1_000 + index as i64,
                key: Some(key.as_bytes()),
                value: Some(word.as_bytes()),
                headers: &[],
            };
            producer.send(&record).unwrap();
        }
    });
}

/// A partition of the repartition topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    /// What was below is deleted.
    pub(crate) low: Offset,
    /// How far the group has committed.
    pub(crate) committed: Option<Offset>,
}

/// All partitions of the repartition topic; none where there is no such topic.
pub(crate) fn moved(log: &impl Log, topics: &Topics) -> Vec<Moved> {
    let topic = repartition_topic(&topics.application, BY_WORD);
    let count = log.describe_topic(&topic).unwrap().map_or(0, |found| found.partition_count);
    let partitions: Vec<TopicPartition> = (0..count).map(|number| TopicPartition::new(&*topic, number)).collect();
    // Before, as it rises.
    let low = |partition| log.watermarks(partition, Isolation::ReadCommitted).unwrap().low;
    let lows: Vec<Offset> = partitions.iter().map(low).collect();
    let committed = log.committed(&topics.application, &partitions).unwrap();
    let committed = committed.into_iter().map(|committed| committed.map(|committed| committed.offset));
    lows.into_iter().zip(committed).map(|(low, committed)| Moved { low, committed }).collect()
}

/// Nothing was deleted that is still to be read.
pub(crate) fn assert_kept(log: &impl Log, topics: &Topics) {
    for (partition, moved) in moved(log, topics).into_iter().enumerate() {
        assert!(moved.low <= moved.committed.unwrap_or(0), "partition {partition}: {moved:?}");
    }
}
