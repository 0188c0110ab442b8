//! Consumer groups: who is a member, which round it is, who gets which partitions. Pure: time comes in.
//!
//! ```text
//!             somebody joins, leaves or dies
//!   stable --------------------------------> gathering --+ a member gives its partitions back and rejoins
//!      ^                                         |   ^---+
//!      +-----------------------------------------+
//!        all have rejoined: next generation, partitions given out anew
//! ```
//! The eager protocol: everybody gives everything back before anything is given out again. A static member that
//! returns takes the place of its former self, without a new round; the former self is fenced.

use std::collections::BTreeMap;

use crate::log::TopicPartition;

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
    generation: i32,
    gathering: bool,
    members: BTreeMap<String, Member>,
}

#[derive(Debug)]
struct Member {
    instance_id: Option<String>,
    topics: Vec<String>,
    session_timeout_ms: i64,
    last_seen_ms: i64,
    rejoined: bool,
    assignment: Vec<TopicPartition>,
}

/// What a member learns when it shows that it is alive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heartbeat {
    /// Nothing has changed.
    Stable,
    /// It has been given these partitions in this generation.
    Assigned(i32, Vec<TopicPartition>),
    /// A round has begun: give back what you have, then rejoin.
    GiveBack,
    /// The others have not all rejoined yet.
    Wait,
    /// The group does not know it (any more).
    Unknown,
    /// Another process has joined with its instance id.
    Fenced,
}

impl Group {
    /// How many members there are.
    pub(crate) fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Adds a member; one with the same instance id is replaced.
    pub(crate) fn join(
        &mut self,
        member: &str,
        instance_id: Option<&str>,
        topics: &[String],
        session_timeout_ms: u32,
        now_ms: i64,
    ) {
        let mut topics = topics.to_vec();
        topics.sort();
        topics.dedup();
        let mut joining = Member {
            instance_id: instance_id.map(str::to_owned),
            topics,
            session_timeout_ms: i64::from(session_timeout_ms),
            last_seen_ms: now_ms,
            rejoined: true,
            assignment: Vec::new(),
        };
        let former = instance_id.and_then(|id| self.holder_of(id)).and_then(|former| self.members.remove(&former));
        let same = former.is_some_and(|former| {
            joining.assignment = former.assignment;
            former.topics == joining.topics
        });
        self.members.insert(member.to_owned(), joining);
        if !same && !self.gathering {
            self.gather(Some(member));
        }
    }

    /// Removes a member, and begins a round for those that remain. Whether it was one.
    pub(crate) fn leave(&mut self, member: &str) -> bool {
        let known = self.members.remove(member).is_some();
        if known && !self.gathering {
            self.gather(None);
        }
        known
    }

    /// A member has given back what it had.
    pub(crate) fn rejoin(&mut self, member: &str) {
        if let Some(member) = self.members.get_mut(member) {
            member.rejoined = true;
        }
    }

    /// Begins a round, because a topic has changed.
    pub(crate) fn gather_if_subscribed(&mut self, topic: &str) {
        let subscribed = |member: &Member| member.topics.iter().any(|name| name == topic);
        if !self.gathering && self.members.values().any(subscribed) {
            self.gather(None);
        }
    }

    fn gather(&mut self, joined: Option<&str>) {
        self.gathering = true;
        for (id, member) in &mut self.members {
            member.rejoined = Some(id.as_str()) == joined;
        }
    }

    /// Ends the round where all have rejoined. Whether it did.
    pub(crate) fn try_complete(&mut self, partition_count: impl Fn(&str) -> Option<usize>) -> bool {
        if !self.gathering || !self.members.values().all(|member| member.rejoined) {
            return false;
        }
        self.gathering = false;
        self.generation = self.generation.wrapping_add(1) & i32::MAX;
        self.assign_by_range(partition_count);
        true
    }

    /// A member shows that it is alive, and learns what it has to do.
    pub(crate) fn heartbeat(&mut self, membership: &Membership, instance_id: Option<&str>, now_ms: i64) -> Heartbeat {
        let holder = instance_id.and_then(|id| self.holder_of(id));
        let Some(member) = self.members.get_mut(&membership.member) else {
            return if holder.is_some() { Heartbeat::Fenced } else { Heartbeat::Unknown };
        };
        member.last_seen_ms = now_ms;
        match (self.gathering, member.rejoined) {
            (true, true) => Heartbeat::Wait,
            (true, false) => Heartbeat::GiveBack,
            (false, _) if membership.generation == self.generation => Heartbeat::Stable,
            (false, _) => Heartbeat::Assigned(self.generation, member.assignment.clone()),
        }
    }

    /// Whether offsets of this membership may still be committed.
    pub(crate) fn is_current(&self, membership: &Membership) -> bool {
        membership.generation == self.generation && self.members.contains_key(&membership.member)
    }

    /// Removes members whose session has timed out. Whether there were any, and when to look again.
    pub(crate) fn expire(&mut self, now_ms: i64) -> (bool, i64) {
        let count = self.members.len();
        self.members.retain(|_, member| now_ms < member.deadline_ms());
        let expired = self.members.len() < count;
        if expired && !self.gathering {
            self.gather(None);
        }
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
            member.assignment.clear();
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
                    member.assignment.extend((next..until).map(|index| TopicPartition::new(&*topic, index as i32)));
                }
                next = until;
            }
        }
    }
}

impl Member {
    fn deadline_ms(&self) -> i64 {
        self.last_seen_ms.saturating_add(self.session_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn partitions(group: &Group, member: &str) -> Vec<String> {
        group.members[member].assignment.iter().map(ToString::to_string).collect()
    }

    fn membership(member: &str, generation: i32) -> Membership {
        Membership { member: member.to_owned(), generation }
    }

    /// Two topics of three partitions.
    fn complete(group: &mut Group) -> bool {
        group.try_complete(|_| Some(3))
    }

    #[test]
    fn range_puts_equal_partitions_of_two_topics_together() {
        let mut group = Group::default();
        for member in ["b", "a"] {
            group.join(member, None, &topics(&["y", "x"]), 10, 0);
        }
        group.rejoin("b");
        assert!(complete(&mut group));
        assert_eq!(partitions(&group, "a"), ["x-0", "x-1", "y-0", "y-1"]);
        assert_eq!(partitions(&group, "b"), ["x-2", "y-2"]);
    }

    #[test]
    fn static_members_are_ordered_by_instance_id() {
        let mut group = Group::default();
        group.join("a", Some("late"), &topics(&["x"]), 10, 0);
        group.join("b", Some("early"), &topics(&["x"]), 10, 0);
        group.rejoin("a");
        assert!(complete(&mut group));
        assert_eq!(partitions(&group, "b"), ["x-0", "x-1"]);
        assert_eq!(partitions(&group, "a"), ["x-2"]);
    }

    #[test]
    fn nothing_is_given_out_before_everything_was_given_back() {
        let mut group = Group::default();
        group.join("a", None, &topics(&["x"]), 10, 0);
        assert!(complete(&mut group));
        group.join("b", None, &topics(&["x"]), 10, 0);
        assert!(!complete(&mut group));
        assert_eq!(group.heartbeat(&membership("b", -1), None, 0), Heartbeat::Wait);
        assert_eq!(group.heartbeat(&membership("a", 1), None, 0), Heartbeat::GiveBack);
        assert!(group.is_current(&membership("a", 1)), "it may commit before it gives back");
        group.rejoin("a");
        assert!(complete(&mut group));
        assert!(matches!(group.heartbeat(&membership("a", 1), None, 0), Heartbeat::Assigned(2, _)));
        assert!(!group.is_current(&membership("a", 1)));
    }

    #[test]
    fn a_static_member_that_returns_needs_no_round_and_fences_its_former_self() {
        let mut group = Group::default();
        group.join("a", Some("one"), &topics(&["x"]), 10, 0);
        complete(&mut group);
        group.join("b", Some("one"), &topics(&["x"]), 10, 5);
        assert!(!complete(&mut group), "no round is needed");
        assert!(matches!(group.heartbeat(&membership("b", -1), Some("one"), 5), Heartbeat::Assigned(1, _)));
        assert_eq!(partitions(&group, "b"), ["x-0", "x-1", "x-2"]);
        assert_eq!(group.heartbeat(&membership("a", 1), Some("one"), 5), Heartbeat::Fenced);
        assert!(!group.is_current(&membership("a", 1)));
    }

    #[test]
    fn a_silent_member_is_dropped_when_its_session_times_out() {
        let mut group = Group::default();
        group.join("a", None, &topics(&["x"]), 10, 0);
        complete(&mut group);
        group.join("b", None, &topics(&["x"]), 100, 0);
        assert_eq!(group.expire(9), (false, 10));
        assert_eq!(group.expire(10), (true, 100));
        assert!(complete(&mut group));
        assert_eq!(partitions(&group, "b"), ["x-0", "x-1", "x-2"]);
        assert_eq!(group.heartbeat(&membership("a", 1), None, 10), Heartbeat::Unknown);
    }
}
