//! A log in this process's memory: for tests, and for whatever may be forgotten.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::local::{self, Batch, Broker, Changes, Chunk, Clock, Found, PartitionId, Storage};
use super::{Offset, Result};

/// A log in memory. Clones share it; it is gone with the last of them and of its consumers and producers.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use topology::log::memory::MemoryLog;
/// use topology::log::{Isolation, Log, Producer, ProducerOptions, ProducerRecord, TopicPartition, TopicSpec};
///
/// # fn main() -> topology::log::Result<()> {
/// let log = MemoryLog::new(Arc::new(|| 0));
/// let name = "greetings".to_owned();
/// log.create_topics(&[TopicSpec { name, partition_count: 1, replication_factor: None, config: Vec::new() }])?;
///
/// let timeout = Duration::from_secs(1);
/// let mut producer = log.producer(&ProducerOptions {
///     transactional_id: "greeter".to_owned(),
///     transaction_timeout_ms: 10_000,
///     client_id: "greeter".to_owned(),
///     track_topics: Vec::new(),
/// })?;
/// producer.init_transactions(timeout)?;
/// producer.begin()?;
/// producer.send(&ProducerRecord {
///     topic: "greetings",
///     partition: None,
///     timestamp_ms: 0,
///     key: Some(b"world"),
///     value: Some(b"hello"),
///     headers: &[],
/// })?;
/// producer.commit(timeout)?;
///
/// let watermarks = log.watermarks(&TopicPartition::new("greetings", 0), Isolation::ReadCommitted)?;
/// assert_eq!(watermarks.high, 2, "the record, and the marker of its transaction");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryLog {
    broker: Arc<Broker>,
}

local::local_log!(MemoryLog);

impl MemoryLog {
    /// An empty log. The clock tells the time in ms since 1970.
    pub fn new(clock: Clock) -> Self {
        Self { broker: Arc::new(Broker::new(Box::new(MemoryStorage::default()), clock)) }
    }

    /// As [`MemoryLog::new`], and no call waits: a poll that finds nothing returns at once, whatever its timeout. What
    /// it does depends on its callers alone. For simulations.
    pub fn stepped(clock: Clock) -> Self {
        Self { broker: Arc::new(Broker::stepped(Box::new(MemoryStorage::default()), clock)) }
    }

    /// Compacts a topic now, as far as can be: what can also happen unasked after a commit. A topic whose
    /// `cleanup.policy` is not `compact` is left as it is.
    pub fn compact(&self, topic: &str) -> Result<()> {
        self.broker.compact(topic)
    }
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryLog")
    }
}

/// Batches by base offset.
#[derive(Default)]
pub(in crate::log) struct MemoryStorage {
    partitions: RwLock<FxHashMap<PartitionId, BTreeMap<Offset, Chunk>>>,
}

impl Storage for MemoryStorage {
    fn write(&self, changes: &Changes<'_>) -> Result<()> {
        let mut partitions = self.partitions.write().unwrap_or_else(PoisonError::into_inner);
        partitions.retain(|id, _| !changes.remove_topics.iter().any(|(topic, _)| *topic == id.topic));
        for (id, base) in &changes.remove {
            if let Some(chunks) = partitions.get_mut(id) {
                chunks.remove(base);
            }
        }
        for (id, _, before) in &changes.remove_below {
            let Some(chunks) = partitions.get_mut(id) else {
                continue;
            };
            let mut kept = chunks.split_off(before);
            if let Some((base, chunk)) = chunks.pop_last()
                && Batch::parse(&chunk)?.last >= *before
            {
                kept.insert(base, chunk);
            }
            *chunks = kept;
        }
        for (id, base, bytes) in &changes.put {
            partitions.entry(*id).or_default().insert(*base, Chunk::from(*bytes));
        }
        Ok(())
    }

    fn read(&self, partition: PartitionId, from: Offset, until: Offset, bytes_max: usize) -> Result<Found> {
        let partitions = self.partitions.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Found { chunks: Vec::new(), exhausted: true };
        let Some(chunks) = partitions.get(&partition) else {
            return Ok(found);
        };
        if from >= until {
            return Ok(found);
        }
        let mut bytes = 0;
        let before = chunks.range(..from).next_back().map(|(_, chunk)| chunk);
        let first = match before {
            Some(chunk) if Batch::parse(chunk)?.last >= from => Some(chunk),
            _ => None,
        };
        for chunk in first.into_iter().chain(chunks.range(from..until).map(|(_, chunk)| chunk)) {
            if bytes >= bytes_max {
                found.exhausted = false;
                break;
            }
            bytes += chunk.len();
            found.chunks.push(Arc::clone(chunk));
        }
        Ok(found)
    }
}
