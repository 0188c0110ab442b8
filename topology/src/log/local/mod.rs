//! A broker in this process, with Kafka's semantics: what [`MemoryLog`](super::memory::MemoryLog) and
//! [`EmbeddedLog`](super::embedded::EmbeddedLog) are made of.
//!
//! ```text
//! partitioner, batch, group     pure
//! storage, row, topic, partition    what is kept, and what the broker needs of a storage
//! session, transaction, admin   changes of the broker's state, each one atomic write
//! compaction                    key by key, in slices
//! broker                        one lock, one condition, the clock
//! producer, fetch, consumer     the traits of `log`
//! ```
//! May use `log`'s types and nothing else of the crate. Where it differs from a cluster:
//! - a record is delivered when about 1 MiB has come together, at flush, or at commit, not after a linger;
//! - `flush`, `commit` and `abort` do not wait, so their timeouts are not used;
//! - what a process left open when it ended is aborted when the log is opened again;
//! - nothing but [`Log::delete_records`](super::Log::delete_records) and compaction removes records: `retention.ms`,
//!   `retention.bytes` and `segment.*` are kept with a topic and not acted on;
//! - subscribing to a topic that does not exist fails at once;
//! - sessions last as long as the member polls (there is no heartbeat of its own).

mod admin;
mod batch;
mod broker;
mod compaction;
mod consumer;
mod fetch;
mod group;
mod partition;
mod partitioner;
mod producer;
mod row;
mod session;
mod storage;
mod topic;
mod transaction;

pub use broker::Clock;
pub use consumer::{Consumer, Group};
pub use producer::Producer;

pub(crate) use batch::Batch;
pub(crate) use broker::Broker;
pub(crate) use partitioner::partition_for_key;
pub(crate) use row::{Row, parse as parse_row};
pub(crate) use storage::{Changes, Chunk, Found, PartitionId, Storage};

/// Implements [`Log`](super::Log) for a type with a field `broker: Arc<Broker>`.
macro_rules! local_log {
    ($log:ty) => {
        impl $crate::log::Log for $log {
            type Group = $crate::log::local::Group;
            type Consumer = $crate::log::local::Consumer;
            type Producer = $crate::log::local::Producer;

            fn consumer(&self, options: &$crate::log::ConsumerOptions) -> $crate::log::Result<Self::Consumer> {
                Ok($crate::log::local::Consumer::new(std::sync::Arc::clone(&self.broker), options.clone()))
            }

            fn producer(&self, options: &$crate::log::ProducerOptions) -> $crate::log::Result<Self::Producer> {
                Ok($crate::log::local::Producer::new(std::sync::Arc::clone(&self.broker), options.clone()))
            }

            fn idempotent_producer(
                &self,
                options: &$crate::log::IdempotentOptions,
            ) -> $crate::log::Result<Self::Producer> {
                Ok($crate::log::local::Producer::idempotent(std::sync::Arc::clone(&self.broker), options.clone()))
            }

            fn describe_topic(&self, topic: &str) -> $crate::log::Result<Option<$crate::log::TopicDescription>> {
                self.broker.describe_topic(topic)
            }

            fn identify_topics(
                &self,
                topics: &[String],
                _timeout: std::time::Duration,
            ) -> $crate::log::Result<Vec<Option<$crate::log::TopicIdentity>>> {
                self.broker.identify_topics(topics)
            }

            fn list_topics(&self, _timeout: std::time::Duration) -> $crate::log::Result<Vec<String>> {
                self.broker.list_topics()
            }

            fn create_topics(&self, topics: &[$crate::log::TopicSpec]) -> $crate::log::Result<()> {
                self.broker.create_topics(topics)
            }

            fn add_partitions(&self, topic: &str, count: i32) -> $crate::log::Result<()> {
                self.broker.add_partitions(topic, count)
            }

            fn delete_topics(&self, topics: &[String]) -> $crate::log::Result<()> {
                self.broker.delete_topics(topics)
            }

            fn delete_records(
                &self,
                partition: &$crate::log::TopicPartition,
                before: $crate::log::Offset,
            ) -> $crate::log::Result<()> {
                self.broker.delete_records(partition, before)
            }

            fn watermarks(
                &self,
                partition: &$crate::log::TopicPartition,
                isolation: $crate::log::Isolation,
            ) -> $crate::log::Result<$crate::log::Watermarks> {
                self.broker.watermarks(partition, isolation)
            }

            fn committed(
                &self,
                group: &str,
                partitions: &[$crate::log::TopicPartition],
            ) -> $crate::log::Result<Vec<Option<$crate::log::Committed>>> {
                self.broker.committed(group, partitions)
            }

            fn describe_group(&self, group: &str) -> $crate::log::Result<Vec<$crate::log::GroupMember>> {
                self.broker.describe_group(group)
            }

            fn delete_group(&self, group: &str) -> $crate::log::Result<()> {
                self.broker.delete_group(group)
            }
        }
    };
}
pub(crate) use local_log;
