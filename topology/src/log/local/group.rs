//! Consumer groups: who is a member, which epoch it is, who gets which partitions. Pure: time comes in.
//!
//! Each change of the members, or of a topic, begins an epoch, in which each member is meant to have certain
//! partitions. A member that hears of it
//!
//! ```text
//!                        gives back                       waits for                    is given
//!   GroupProtocol::Consumer   what it is not meant to have     nothing                      what no other one has, as it gets free
//!   GroupProtocol::Classic    all that it has                  all that it is meant to have all of it, at once
//! ```
//! and from then on only its offsets of the new epoch are taken. A static member that returns takes the place of its
//! former self, without a new epoch; the former self is fenced.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::{GroupMember, GroupOptions, GroupProtocol, TopicPartition};

/// The member that this group knows, and its generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) member: String,
    /// -1: has not been given anything yet.
    pub(crate) generation: i32,
}

/// A consumer group's members.
#[derive(Debug, Default)]
pub(crate) struct Group {
    epoch: i32,
    /// Who is meant to have what is to be worked out anew.
    is_stale: bool,
    members: BTreeMap<String, Member>,
}

#[derive(Debug)]
struct Member {
    client_id: String,
    instance_id: Option<String>,
    topics: Vec<String>,
    protocol: GroupProtocol,
    session_timeout_ms: i64,
    last_seen_ms: i64,
    /// The epoch in which it was given something last; before that, and between giving all back and being given anew,
    /// none.
    epoch: i32,
    /// What it is meant to have.
    target: BTreeSet<TopicPartition>,
    /// What it was told that it has.
    told: BTreeSet<TopicPartition>,
    /// What its former self was told, and may still have: others must not get it, it may.
    kept: BTreeSet<TopicPartition>,
    /// What it was told that is not there any more, whatever has the name now.
    gone: BTreeSet<TopicPartition>,
}

/// What a member learns when it shows that it is alive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heartbeat {
    /// It has what it is meant to have, or must wait for it; its offsets are taken in this generation.
    Stable(i32),
    /// It has been given these partitions in this generation.
    Assigned(i32, Vec<TopicPartition>),
    /// These it must give back.
    GiveBack(Vec<TopicPartition>),
    /// The group does not know it (any more).
    Unknown,
    /// Another process has joined with its instance id.
    Fenced,
}

const NO_EPOCH: i32 = -1;

impl Group {
    /// How many members there are.
    pub(crate) fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Who they are, and what they were told that they have.
    pub(crate) fn describe(&self) -> Vec<GroupMember> {
        let members = self.members.iter().map(|(id, member)| GroupMember {
            id: id.clone(),
            client_id: member.client_id.clone(),
            instance_id: member.instance_id.clone(),
            partitions: member.told.iter().cloned().collect(),
        });
        members.collect()
    }

    /// Adds a member; one with the same instance id is replaced.
    pub(crate) fn join(
        &mut self,
        (member, client_id): (&str, &str),
        options: &GroupOptions,
        topics: &[String],
        now_ms: i64,
    ) {
        let mut topics = topics.to_vec();
        topics.sort();
        topics.dedup();
        let mut joining = Member {
            client_id: client_id.to_owned(),
            instance_id: options.instance_id.clone(),
            topics,
            protocol: options.protocol,
            session_timeout_ms: i64::from(options.session_timeout_ms),
            last_seen_ms: now_ms,
            epoch: NO_EPOCH,
            target: BTreeSet::new(),
            told: BTreeSet::new(),
            kept: BTreeSet::new(),
            gone: BTreeSet::new(),
        };
        let former = options.instance_id.as_deref().and_then(|id| self.holder_of(id));
        let former = former.and_then(|former| self.members.remove(&former));
        let is_same = former.is_some_and(|former| {
            joining.target = former.target;
            joining.kept = former.told;
            former.topics == joining.topics
        });
        self.members.insert(member.to_owned(), joining);
        self.is_stale |= !is_same;
    }

    /// Removes a member. Whether it was one.
    pub(crate) fn leave(&mut self, member: &str) -> bool {
        let known = self.members.remove(member).is_some();
        self.is_stale |= known;
        known
    }

    /// A member has given these back.
    pub(crate) fn give_back(&mut self, member: &str, partitions: &[TopicPartition]) {
        let Some(member) = self.members.get_mut(member) else { return };
        for partition in partitions {
            member.told.remove(partition);
            member.gone.remove(partition);
        }
        if member.protocol == GroupProtocol::Classic {
            member.epoch = NO_EPOCH;
        }
    }

    /// A topic is not there any more.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        for member in self.members.values_mut() {
            let is_gone = |partition: &&TopicPartition| partition.topic == topic;
            member.gone.extend(member.told.iter().filter(is_gone).cloned());
            member.kept.retain(|partition| partition.topic != topic);
            self.is_stale |= member.topics.iter().any(|name| name == topic);
        }
    }

    /// A topic has more partitions now.
    pub(crate) fn topic_grew(&mut self, topic: &str) {
        self.is_stale |= self.members.values().any(|member| member.topics.iter().any(|name| name == topic));
    }

    /// Works out who is meant to have what, where that has changed. Whether it had.
    pub(crate) fn renew(&mut self, partition_count: impl Fn(&str) -> Option<usize>) -> bool {
        if !std::mem::take(&mut self.is_stale) {
            return false;
        }
        self.epoch = self.epoch.wrapping_add(1) & i32::MAX;
        self.assign_by_range(partition_count);
        for member in self.members.values_mut() {
            member.kept.retain(|partition| member.target.contains(partition));
        }
        true
    }

    /// A member shows that it is alive, and learns what it has to do; nothing new while it owes an answer.
    pub(crate) fn heartbeat(
        &mut self,
        membership: &Membership,
        instance_id: Option<&str>,
        owes_answer: bool,
        now_ms: i64,
    ) -> Heartbeat {
        let holder = instance_id.and_then(|id| self.holder_of(id));
        let epoch = self.epoch;
        let Some(member) = self.members.get_mut(&membership.member) else {
            return if holder.is_some() { Heartbeat::Fenced } else { Heartbeat::Unknown };
        };
        member.last_seen_ms = now_ms;
        if owes_answer {
            return Heartbeat::Stable(membership.generation);
        }
        let too_much = member.too_much(epoch);
        if !too_much.is_empty() {
            return Heartbeat::GiveBack(too_much);
        }
        if member.protocol == GroupProtocol::Classic && member.epoch == epoch {
            return Heartbeat::Stable(epoch);
        }
        let missing: Vec<TopicPartition> = member.target.difference(&member.told).cloned().collect();
        let others = || self.members.iter().filter(|(id, _)| **id != membership.member);
        let is_free = |partition: &TopicPartition| {
            others().all(|(_, other)| !other.told.contains(partition) && !other.kept.contains(partition))
        };
        let free: Vec<TopicPartition> = missing.iter().filter(|partition| is_free(partition)).cloned().collect();
        let Some(member) = self.members.get_mut(&membership.member) else { return Heartbeat::Unknown };
        // It has spoken: its former self works on nothing any more. Members that wait for each other's former selves
        // would wait for ever.
        member.kept.clear();
        if member.protocol == GroupProtocol::Classic && free.len() < missing.len() {
            return Heartbeat::Stable(membership.generation);
        }
        let is_news = !free.is_empty() || member.epoch == NO_EPOCH;
        member.epoch = epoch;
        member.told.extend(free.iter().cloned());
        if is_news { Heartbeat::Assigned(epoch, free) } else { Heartbeat::Stable(epoch) }
    }

    /// Whether offsets of this membership may still be committed.
    pub(crate) fn is_current(&self, membership: &Membership) -> bool {
        let member = self.members.get(&membership.member);
        member.is_some_and(|member| member.epoch != NO_EPOCH && member.epoch == membership.generation)
    }

    /// Removes members whose session has timed out. Whether there were any, and when to look again.
    pub(crate) fn expire(&mut self, now_ms: i64) -> (bool, i64) {
        let count = self.members.len();
        self.members.retain(|_, member| now_ms < member.deadline_ms());
        let expired = self.members.len() < count;
        self.is_stale |= expired;
        (expired, self.deadline_ms())
    }

    /// When the first session may time out.
    pub(crate) fn deadline_ms(&self) -> i64 {
        self.members.values().map(Member::deadline_ms).min().unwrap_or(i64::MAX)
    }

    fn holder_of(&self, instance_id: &str) -> Option<String> {
        let (id, _) = self.members.iter().find(|(_, member)| member.instance_id.as_deref() == Some(instance_id))?;
        Some(id.clone())
    }

    /// Kafka's range assignment: per topic, members in order get consecutive partitions, the first ones one more.
    /// Static members come before others, ordered by instance id; the others by member id.
    fn assign_by_range(&mut self, partition_count: impl Fn(&str) -> Option<usize>) {
        let mut order: Vec<(bool, String, String)> = self
            .members
            .iter()
            .map(|(id, member)| match &member.instance_id {
                Some(instance) => (false, instance.clone(), id.clone()),
                None => (true, id.clone(), id.clone()),
            })
            .collect();
        order.sort();
        let mut topics: Vec<String> = self.members.values().flat_map(|member| member.topics.iter().cloned()).collect();
        topics.sort();
        topics.dedup();
        for member in self.members.values_mut() {
            member.target.clear();
        }
        for topic in topics {
            let takes = |id: &str| self.members.get(id).is_some_and(|member| member.topics.contains(&topic));
            let takers: Vec<&str> = order.iter().map(|(_, _, id)| id.as_str()).filter(|id| takes(id)).collect();
            let count = partition_count(&topic).unwrap_or(0);
            let (each, more) = (count / takers.len().max(1), count % takers.len().max(1));
            let mut next = 0;
            for (index, id) in takers.into_iter().enumerate() {
                let until = next + each + usize::from(index < more);
                if let Some(member) = self.members.get_mut(id) {
                    member.target.extend((next..until).map(|index| TopicPartition::new(&*topic, index as i32)));
                }
                next = until;
            }
        }
    }
}

impl Member {
    /// What it must give back in this epoch of the group.
    fn too_much(&self, epoch: i32) -> Vec<TopicPartition> {
        let begins_anew = self.protocol == GroupProtocol::Classic && self.epoch != epoch;
        let is_too_much = |at: &&TopicPartition| begins_anew || self.gone.contains(*at) || !self.target.contains(*at);
        self.told.iter().filter(is_too_much).cloned().collect()
    }

    fn deadline_ms(&self) -> i64 {
        self.last_seen_ms.saturating_add(self.session_timeout_ms)
    }
}

#[cfg(test)]
mod tests;
