//! Topics: as they are to be, and as they are.

use std::collections::BTreeMap;

use super::TopicId;

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partition_count: i32,
    /// Replicas of each partition; `None` takes the cluster's default.
    pub replication_factor: Option<i32>,
    /// Topic settings under Kafka's names, such as `cleanup.policy`.
    pub config: Vec<(String, String)>,
}

/// What a topic looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Which topic it is, of all that ever had this name.
    pub id: TopicId,
    /// How many partitions.
    pub partition_count: i32,
    /// `cleanup.policy`: `delete`, `compact` or `compact,delete`.
    pub cleanup_policy: String,
    /// `message.timestamp.type`: `CreateTime`, where a record keeps its producer's time and is refused if that is too
    /// far from the log's, or `LogAppendTime`, where it gets the log's.
    pub timestamp_type: String,
    /// `message.timestamp.before.max.ms`: with `CreateTime`, how far a record's time may lie before the log's clock, in
    /// ms.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far it may lie behind, in ms.
    pub timestamp_after_max_ms: i64,
    /// `delete.retention.ms`: how long a tombstone stays readable, in ms.
    pub delete_retention_ms: i64,
    /// `max.message.bytes`: the largest batch the topic takes.
    pub max_message_bytes: i64,
    /// Replicas of the partition that has the fewest; `None` where a log has none.
    pub replica_count: Option<usize>,
    /// All settings that the log tells of, under Kafka's names, as it writes them. A log that does not act on a setting
    /// tells only of what was asked for when the topic was made.
    pub settings: BTreeMap<String, String>,
}
