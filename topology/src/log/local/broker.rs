//! The broker: one state behind one lock, storage beside it, and a condition for those who wait for a change.
//!
//! The lock is held for bookkeeping and for writes, never while records are read or handled.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::log::{Committed, Error, Kind, Result, TopicPartition};

use super::compaction::Job;
use super::group::Group;
use super::partition::Partition;
use super::row::{self, Row};
use super::storage::{Changes, PartitionId, Storage};
use super::topic::{Settings, Topic};
use super::transaction::{Abandoned, Transactional};

/// The time, ms since 1970: decides when sessions and transactions time out and when tombstones may go.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Shared by all clones of a log, its consumers and its producers.
pub(crate) struct Broker {
    state: Mutex<State>,
    changed: Condvar,
    pub(crate) storage: Box<dyn Storage>,
    pub(crate) clock: Clock,
    /// No call waits, and ids of topics are counted.
    pub(crate) is_stepped: bool,
    /// Goes up when a topic is created or deleted: what producers remember of topics is stale then.
    pub(crate) topics_version: AtomicU64,
    /// The compaction that is going on; the thread that holds this may compact.
    pub(crate) compaction: Mutex<Option<Job>>,
}

/// Everything but the records.
pub(crate) struct State {
    pub(crate) topics: FxHashMap<u32, Topic>,
    pub(crate) topic_ids: FxHashMap<String, u32>,
    pub(crate) next_topic_id: u32,
    /// By transactional id.
    pub(crate) producers: FxHashMap<String, Transactional>,
    pub(crate) next_producer_id: i64,
    pub(crate) groups: FxHashMap<String, Group>,
    /// Committed offsets by group.
    pub(crate) offsets: FxHashMap<String, BTreeMap<TopicPartition, Committed>>,
    pub(crate) next_member: u64,
    /// Partitions dirty enough to compact.
    pub(crate) compactable: FxHashSet<PartitionId>,
    /// When something may time out next.
    pub(crate) deadline_ms: i64,
    /// Goes up with every change that somebody may wait for.
    pub(crate) version: u64,
}

impl Broker {
    /// A broker over empty storage.
    pub(crate) fn new(storage: Box<dyn Storage>, clock: Clock) -> Self {
        Self::with_state(storage, State::empty(), clock)
    }

    /// A broker whose calls never wait, and that does the same in each run.
    pub(crate) fn stepped(storage: Box<dyn Storage>, clock: Clock) -> Self {
        Self { is_stepped: true, ..Self::new(storage, clock) }
    }

    /// A broker that continues what these rows tell. Transactions that are open in them belong to producers that are
    /// gone: they are aborted.
    pub(crate) fn restored(storage: Box<dyn Storage>, rows: Vec<Row>, clock: Clock) -> Result<Self> {
        let mut state = State::empty();
        let open = state.restore(rows)?;
        state.abort_abandoned(&*storage, open)?;
        Ok(Self::with_state(storage, state, clock))
    }

    fn with_state(storage: Box<dyn Storage>, state: State, clock: Clock) -> Self {
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            storage,
            clock,
            is_stepped: false,
            topics_version: AtomicU64::new(0),
            compaction: Mutex::new(None),
        }
    }

    /// The time now, ms.
    pub(crate) fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    /// The state, after everything that has timed out was dealt with.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, State>> {
        let now_ms = self.now_ms();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms >= state.deadline_ms {
            let before = state.version;
            let outcome = state.expire(&*self.storage, now_ms);
            self.tell(&state, before);
            outcome?;
        }
        Ok(state)
    }

    /// Locks, runs, and wakes those who wait if there was a change.
    pub(crate) fn with<T>(&self, action: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.lock()?;
        let before = state.version;
        let outcome = action(&mut state);
        self.tell(&state, before);
        outcome
    }

    fn tell(&self, state: &State, version_before: u64) {
        if state.version != version_before {
            self.changed.notify_all();
        }
    }

    /// Waits for a change after this version, at most a moment, so that the clock is looked at again. `false`: the
    /// deadline has passed.
    pub(crate) fn wait(&self, version: u64, deadline: &Deadline) -> bool {
        const MOMENT: Duration = Duration::from_millis(20);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.version != version {
            return true;
        }
        let left = if self.is_stepped { Duration::ZERO } else { deadline.left() };
        if left.is_zero() {
            return false;
        }
        drop(self.changed.wait_timeout(state, left.min(MOMENT)).unwrap_or_else(PoisonError::into_inner));
        true
    }

    /// Tells producers that what they remember of topics is stale.
    pub(crate) fn topics_changed(&self) {
        self.topics_version.fetch_add(1, Ordering::Release);
    }
}

impl State {
    fn empty() -> Self {
        Self {
            topics: FxHashMap::default(),
            topic_ids: FxHashMap::default(),
            next_topic_id: 0,
            producers: FxHashMap::default(),
            next_producer_id: 0,
            groups: FxHashMap::default(),
            offsets: FxHashMap::default(),
            next_member: 0,
            compactable: FxHashSet::default(),
            deadline_ms: i64::MAX,
            version: 0,
        }
    }

    /// Takes in stored rows; gives the transactions that were open.
    fn restore(&mut self, rows: Vec<Row>) -> Result<Vec<Abandoned>> {
        let mut open = Vec::new();
        let mut later = Vec::new();
        for row in rows {
            match row {
                Row::Ids { next_topic_id, next_producer_id } => {
                    (self.next_topic_id, self.next_producer_id) = (next_topic_id, next_producer_id);
                }
                Row::Topic { name, id, topic_id, partition_count, config } => {
                    self.topic_ids.insert(name.clone(), id);
                    self.topics.insert(id, Topic::new(id, topic_id, name, partition_count, config)?);
                }
                Row::Open { producer_id, partitions } => open.push((producer_id, partitions)),
                Row::Committed { group, topic, partition, committed } => {
                    let partition = TopicPartition { topic, partition };
                    self.offsets.entry(group).or_default().insert(partition, committed);
                }
                Row::Partition { .. } | Row::Aborted { .. } => later.push(row),
            }
        }
        for row in later {
            match row {
                Row::Partition { id, partition } => {
                    let place = self.partition_mut(id)?;
                    let aborted = std::mem::take(&mut place.aborted);
                    *place = Partition { aborted, ..partition };
                }
                Row::Aborted { id, aborted } => Arc::make_mut(&mut self.partition_mut(id)?.aborted).add(aborted),
                _ => {}
            }
        }
        Ok(open)
    }

    /// Deals with everything whose time is over.
    fn expire(&mut self, storage: &dyn Storage, now_ms: i64) -> Result<()> {
        self.expire_transactions(storage, now_ms)?;
        let names: Vec<String> = self.groups.keys().cloned().collect();
        for name in names {
            if let Some(group) = self.groups.get_mut(&name)
                && group.expire(now_ms).0
            {
                self.version += 1;
                self.renew_group(&name);
            }
        }
        let sessions = self.groups.values().map(Group::deadline_ms);
        let transactions = self.producers.values().filter_map(Transactional::deadline_ms);
        self.deadline_ms = sessions.chain(transactions).min().unwrap_or(i64::MAX);
        Ok(())
    }

    /// Works out anew who is meant to have what in a group, if need be.
    pub(crate) fn renew_group(&mut self, name: &str) {
        let (topic_ids, topics) = (&self.topic_ids, &self.topics);
        if let Some(group) = self.groups.get_mut(name)
            && group.renew(|topic| Some(topics.get(topic_ids.get(topic)?)?.partitions.len()))
        {
            self.version += 1;
        }
    }

    /// A group, made if need be.
    pub(crate) fn group_mut(&mut self, name: &str) -> &mut Group {
        self.groups.entry(name.to_owned()).or_default()
    }

    /// The topic of this name.
    pub(crate) fn topic(&self, name: &str) -> Result<&Topic> {
        self.topic_ids.get(name).and_then(|id| self.topics.get(id)).ok_or_else(|| no_such_topic(name))
    }

    /// The partition's number.
    pub(crate) fn id(&self, partition: &TopicPartition) -> Result<PartitionId> {
        let topic = self.topic(&partition.topic)?;
        match u32::try_from(partition.partition) {
            Ok(number) if (number as usize) < topic.partitions.len() => {
                Ok(PartitionId { topic: topic.id, partition: number })
            }
            _ => Err(no_such_topic(partition)),
        }
    }

    /// A partition and its topic's settings.
    pub(crate) fn partition(&self, id: PartitionId) -> Result<(&Settings, &Partition)> {
        let topic = self.topics.get(&id.topic);
        topic
            .and_then(|topic| Some((&topic.settings, topic.partitions.get(id.partition as usize)?)))
            .ok_or_else(deleted)
    }

    /// A partition, to change it.
    pub(crate) fn partition_mut(&mut self, id: PartitionId) -> Result<&mut Partition> {
        let topic = self.topics.get_mut(&id.topic);
        topic.and_then(|topic| topic.partitions.get_mut(id.partition as usize)).ok_or_else(deleted)
    }

    /// The row that keeps the numbers given out.
    pub(crate) fn ids_row(&self) -> super::storage::RowChange {
        row::ids(self.next_topic_id, self.next_producer_id)
    }

    /// Writes, then counts it as a change that somebody may wait for.
    pub(crate) fn write(&mut self, storage: &dyn Storage, changes: &Changes<'_>) -> Result<()> {
        storage.write(changes)?;
        self.version += 1;
        Ok(())
    }
}

pub(crate) fn no_such_topic(what: impl std::fmt::Display) -> Error {
    Error::new(Kind::NoSuchTopic, format!("there is no topic or partition '{what}'; create it first"))
}

fn deleted() -> Error {
    Error::new(Kind::NoSuchTopic, "the topic was deleted while it was in use")
}

/// Until when a caller may be kept waiting.
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// So long from now. What a caller is kept waiting is real time, whatever the log's clock says.
    #[allow(clippy::disallowed_methods)]
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(if timeout.is_zero() { None } else { Instant::now().checked_add(timeout) })
    }

    #[allow(clippy::disallowed_methods)]
    fn left(&self) -> Duration {
        self.0.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_timeout_is_over_at_once() {
        assert!(Deadline::after(Duration::ZERO).left().is_zero());
        assert!(Deadline::after(Duration::from_secs(60)).left() > Duration::from_secs(50));
    }
}
