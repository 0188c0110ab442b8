//! Consumed offsets, on their way to the group.

use rdkafka::Offset as NativeOffset;
use rdkafka::TopicPartitionList;

use crate::log::{Error, Kind, OffsetCommit, Result, TopicPartition};

/// Offsets as librdkafka takes them.
pub(in crate::log::kafka) fn offset_list(offsets: &[OffsetCommit]) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for commit in offsets {
        let TopicPartition { topic, partition } = &commit.partition;
        if topic.contains('\0') || *partition < 0 || commit.offset < 0 {
            let message = format!("cannot commit offset {} of {}", commit.offset, commit.partition);
            return Err(Error::new(Kind::Fatal, message));
        }
        let mut entry = list.add_partition(topic, *partition);
        entry
            .set_offset(NativeOffset::Offset(commit.offset))
            .map_err(|error| Error::new(Kind::Fatal, format!("cannot commit offset {}: {error}", commit.offset)))?;
        if !commit.metadata.is_empty() {
            entry.set_metadata(&commit.metadata);
        }
    }
    Ok(list)
}
