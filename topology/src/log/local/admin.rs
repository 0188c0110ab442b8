//! What a log is asked outside of consuming and producing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::log::{
    Committed, Error, GroupMember, Isolation, Kind, Offset, Result, TopicDescription, TopicId, TopicIdentity,
    TopicPartition, TopicSpec, Watermarks,
};

use super::broker::{Broker, Deadline, State};
use super::partition::Partition;
use super::row;
use super::storage::{Changes, PartitionId};
use super::topic::{self, Topic};

/// How long [`Broker::committed`] waits for pending offsets to be decided.
const PENDING_WAIT: Duration = Duration::from_millis(200);

impl Broker {
    pub(crate) fn describe_topic(&self, name: &str) -> Result<Option<TopicDescription>> {
        let state = self.lock()?;
        Ok(state.topic_ids.get(name).and_then(|id| state.topics.get(id)).map(Topic::describe))
    }

    pub(crate) fn identify_topics(&self, names: &[String]) -> Result<Vec<Option<TopicIdentity>>> {
        let state = self.lock()?;
        let of = |name: &String| state.topic_ids.get(name).and_then(|id| state.topics.get(id)).map(Topic::identity);
        Ok(names.iter().map(of).collect())
    }

    pub(crate) fn list_topics(&self) -> Result<Vec<String>> {
        Ok(self.lock()?.topic_ids.keys().cloned().collect())
    }

    pub(crate) fn create_topics(&self, specs: &[TopicSpec]) -> Result<()> {
        self.with(|state| {
            let mut made: BTreeMap<&str, Topic> = BTreeMap::new();
            let mut next_id = state.next_topic_id;
            for spec in specs {
                let partition_count = topic::check(spec)?;
                if !state.topic_ids.contains_key(&spec.name) && !made.contains_key(spec.name.as_str()) {
                    let topic_id = if self.is_stepped { counted_id(next_id) } else { new_id() };
                    let topic = Topic::new(next_id, topic_id, spec.name.clone(), partition_count, spec.config.clone())?;
                    next_id += 1;
                    made.insert(&spec.name, topic);
                }
            }
            if made.is_empty() {
                return Ok(());
            }
            let mut rows = vec![row::ids(next_id, state.next_producer_id)];
            rows.extend(made.values().map(row::topic));
            state.write(&*self.storage, &Changes { rows, ..Changes::default() })?;
            state.next_topic_id = next_id;
            for topic in made.into_values() {
                state.topic_ids.insert(topic.name.clone(), topic.id);
                state.topics.insert(topic.id, topic);
            }
            self.topics_changed();
            Ok(())
        })
    }

    pub(crate) fn add_partitions(&self, name: &str, count: i32) -> Result<()> {
        topic::check_count(name, count)?;
        self.with(|state| {
            let id = state.topic(name)?.id;
            let Some(topic) = state.topics.get_mut(&id) else { return Ok(()) };
            let before = topic.partitions.len();
            let after = before.max(count.unsigned_abs() as usize);
            topic.partitions.resize_with(after, Partition::default);
            let rows = vec![row::topic(topic)];
            if let Err(error) = state.write(&*self.storage, &Changes { rows, ..Changes::default() }) {
                state.topics.entry(id).and_modify(|topic| topic.partitions.truncate(before));
                return Err(error);
            }
            let groups: Vec<String> = state.groups.keys().cloned().collect();
            for group in groups {
                state.group_mut(&group).topic_grew(name);
                state.renew_group(&group);
            }
            self.topics_changed();
            Ok(())
        })
    }

    pub(crate) fn delete_topics(&self, names: &[String]) -> Result<()> {
        for name in names {
            self.with(|state| self.delete_topic(state, name))?;
        }
        Ok(())
    }

    fn delete_topic(&self, state: &mut State, name: &str) -> Result<()> {
        let Some(topic) = state.topic_ids.get(name).and_then(|id| state.topics.get(id)) else {
            return Ok(());
        };
        let id = topic.id;
        let count = topic.partitions.len() as u32;
        let mut changes = Changes { remove_topics: vec![(id, count)], ..Changes::default() };
        changes.rows.push((row::topic_key(name), None));
        for (number, partition) in topic.partitions.iter().enumerate() {
            let id = PartitionId { topic: id, partition: number as u32 };
            changes.rows.push((row::partition_key(id), None));
            changes.rows.extend(partition.aborted.iter().map(|aborted| (row::aborted_key(id, aborted.last), None)));
        }
        for (group, offsets) in &state.offsets {
            let of_topic = offsets.keys().filter(|partition| partition.topic == name);
            changes.rows.extend(of_topic.map(|at| (row::committed_key(group, name, at.partition), None)));
        }
        state.write(&*self.storage, &changes)?;
        state.topics.remove(&id);
        state.topic_ids.remove(name);
        state.compactable.retain(|partition| partition.topic != id);
        for offsets in state.offsets.values_mut() {
            offsets.retain(|partition, _| partition.topic != name);
        }
        let groups: Vec<String> = state.groups.keys().cloned().collect();
        for group in groups {
            state.group_mut(&group).forget_topic(name);
            state.renew_group(&group);
        }
        self.topics_changed();
        Ok(())
    }

    pub(crate) fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<()> {
        self.with(|state| {
            let id = state.id(partition)?;
            let (_, current) = state.partition(id)?;
            if before > current.end {
                let end = current.end;
                return Err(Error::new(
                    Kind::Fatal,
                    format!("cannot delete the records of {partition} below {before}: it ends at {end}"),
                ));
            }
            if before <= current.low {
                return Ok(());
            }
            let mut after = current.clone();
            let mut changes = Changes { remove_below: vec![(id, current.low, before)], ..Changes::default() };
            after.low = before;
            after.cleaned_to = after.cleaned_to.max(before);
            let gone = after.forget_aborted_below(before);
            changes.rows.extend(gone.iter().map(|aborted| (row::aborted_key(id, aborted.last), None)));
            changes.rows.push(row::partition(id, &after));
            state.write(&*self.storage, &changes)?;
            *state.partition_mut(id)? = after;
            Ok(())
        })
    }

    pub(crate) fn watermarks(&self, partition: &TopicPartition, isolation: Isolation) -> Result<Watermarks> {
        let state = self.lock()?;
        let (_, partition) = state.partition(state.id(partition)?)?;
        let high = match isolation {
            Isolation::ReadCommitted => partition.stable(),
            Isolation::ReadUncommitted => partition.end,
        };
        Ok(Watermarks { low: partition.low, high })
    }

    pub(crate) fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>> {
        let deadline = Deadline::after(PENDING_WAIT);
        loop {
            let state = self.lock()?;
            if !state.has_pending(group, partitions) {
                let offsets = state.offsets.get(group);
                let of = |partition| offsets.and_then(|offsets| offsets.get(partition)).cloned();
                return Ok(partitions.iter().map(of).collect());
            }
            let version = state.version;
            drop(state);
            if !self.wait(version, &deadline) {
                return Err(Error::new(
                    Kind::Retry,
                    format!("an open transaction has offsets of the group '{group}'; ask again when it has ended"),
                ));
            }
        }
    }

    pub(crate) fn describe_group(&self, group: &str) -> Result<Vec<GroupMember>> {
        Ok(self.lock()?.groups.get(group).map(super::group::Group::describe).unwrap_or_default())
    }

    pub(crate) fn delete_group(&self, name: &str) -> Result<()> {
        self.with(|state| {
            let count = state.groups.get(name).map_or(0, super::group::Group::member_count);
            if count > 0 {
                return Err(Error::new(
                    Kind::Retry,
                    format!("the group '{name}' has {count} members; it can be deleted when they have left"),
                ));
            }
            let offsets = state.offsets.get(name);
            let rows =
                offsets.into_iter().flatten().map(|(at, _)| (row::committed_key(name, &at.topic, at.partition), None));
            let rows = rows.collect();
            state.write(&*self.storage, &Changes { rows, ..Changes::default() })?;
            state.groups.remove(name);
            state.offsets.remove(name);
            state.drop_pending(name);
            Ok(())
        })
    }
}

/// An id that no other topic of this log has.
fn counted_id(number: u32) -> TopicId {
    TopicId::from_bytes(u128::from(number).saturating_add(1).to_be_bytes())
}

/// An id that no other topic has, in this log or another: a log that lost its directory begins to count anew.
#[allow(clippy::disallowed_methods, reason = "a name for what is made; nothing that is processed depends on it")]
fn new_id() -> TopicId {
    TopicId::from_bytes(rand::random())
}
