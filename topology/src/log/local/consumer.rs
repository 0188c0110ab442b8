//! The consumer of the logs in this process.

use std::sync::Arc;
use std::time::Duration;

use crate::log::{
    self, ConsumerOptions, Error, Event, Isolation, Kind, Offset, OffsetCommit, Result, Start, TopicPartition,
};

use super::broker::{Broker, Deadline};
use super::fetch::{Fetch, View};
use super::group::{Heartbeat, Membership};

/// Bytes read from one partition at a time, at least and at most.
const READ_BYTES: std::ops::RangeInclusive<usize> = 64 << 10..=1 << 20;

/// A consumer's membership, as of when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub(crate) id: String,
    /// `None`: a consumer by explicit assignment, which has no rivals.
    pub(crate) membership: Option<Membership>,
}

/// A consumer. One that is dropped without [`leave`](log::Consumer::leave) leaves its group, unless it has an instance
/// id: then the group keeps its place until its session times out.
pub struct Consumer {
    broker: Arc<Broker>,
    options: ConsumerOptions,
    fetches: Vec<Fetch>,
    /// Which partition comes first in the next poll, so that none starves.
    first: usize,
    member: Option<Member>,
    has_subscribed: bool,
    /// Another process has its instance id, for good: joining again would only start a fight over the place.
    is_fenced: bool,
}

/// The consumer's side of its membership.
struct Member {
    membership: Membership,
    topics: Vec<String>,
    assigned: Vec<TopicPartition>,
    due: Due,
    standing: Standing,
}

/// Which event waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    Assigned,
    Revoked,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Good,
    /// The session has timed out; it can join anew.
    Lost,
    /// Another process has its instance id.
    Fenced,
}

impl Consumer {
    pub(crate) fn new(broker: Arc<Broker>, options: ConsumerOptions) -> Self {
        Self { broker, options, fetches: Vec::new(), first: 0, member: None, has_subscribed: false, is_fenced: false }
    }

    fn instance_id(&self) -> Option<&str> {
        self.options.group.as_ref()?.instance_id.as_deref()
    }

    fn group_id(&self) -> Option<&str> {
        self.options.group.as_ref().map(|group| group.id.as_str())
    }

    fn join(&self, topics: &[String]) -> Result<Membership> {
        let group =
            self.options.group.as_ref().ok_or_else(|| {
                Error::new(Kind::Fatal, "this consumer was made without a group; it cannot subscribe")
            })?;
        let now_ms = self.broker.now_ms();
        self.broker.with(|state| {
            for topic in topics {
                state.topic(topic)?;
            }
            state.next_member += 1;
            let member = format!("{}-{:016}", self.options.client_id, state.next_member);
            let joined = state.group_mut(&group.id);
            joined.join((&member, &self.options.client_id), group, topics, now_ms);
            let deadline_ms = joined.deadline_ms();
            state.deadline_ms = state.deadline_ms.min(deadline_ms);
            state.renew_group(&group.id);
            state.version += 1;
            Ok(Membership { member, generation: -1 })
        })
    }

    fn give_back(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let (Some(member), Some(group)) = (&self.member, self.group_id()) else {
            return Ok(());
        };
        let id = &member.membership.member;
        self.broker.with(|state| {
            state.group_mut(group).give_back(id, partitions);
            state.version += 1;
            Ok(())
        })
    }

    fn unsubscribe(&mut self) -> Result<()> {
        self.fetches.clear();
        let Some(member) = self.member.take() else {
            return Ok(());
        };
        let Some(group) = self.group_id() else {
            return Ok(());
        };
        self.broker.with(|state| {
            if state.group_mut(group).leave(&member.membership.member) {
                state.renew_group(group);
                state.version += 1;
            }
            Ok(())
        })
    }

    /// Why this consumer can never be a member again, if so.
    fn dead(&self) -> Result<()> {
        match self.group_id() {
            Some(group) if self.is_fenced => Err(Error::new(Kind::Fatal, fenced(group))),
            _ => Ok(()),
        }
    }

    /// Shows the group a sign of life, and gives the event that comes of it.
    fn heartbeat(&mut self) -> Result<Option<Event<'static>>> {
        let now_ms = self.broker.now_ms();
        let (Some(member), Some(group)) = (&mut self.member, &self.options.group) else {
            return Ok(None);
        };
        let owes_answer = member.due != Due::Nothing;
        let told = match self.broker.lock()?.groups.get_mut(&group.id) {
            Some(known) => known.heartbeat(&member.membership, group.instance_id.as_deref(), owes_answer, now_ms),
            None => Heartbeat::Unknown,
        };
        match told {
            Heartbeat::Fenced => {
                member.standing = Standing::Fenced;
                self.is_fenced = true;
            }
            Heartbeat::Unknown => member.standing = Standing::Lost,
            _ => {}
        }
        if member.due == Due::Revoked {
            return Ok(None);
        }
        match told {
            Heartbeat::Stable(generation) => {
                member.membership.generation = generation;
                Ok(None)
            }
            Heartbeat::Assigned(generation, added) => {
                member.membership.generation = generation;
                member.assigned.extend(added.iter().cloned());
                member.due = Due::Assigned;
                Ok(Some(Event::Assigned(added)))
            }
            Heartbeat::GiveBack(partitions) => {
                member.due = Due::Revoked;
                member.assigned.retain(|partition| !partitions.contains(partition));
                Ok(Some(Event::Revoked { partitions, lost: false }))
            }
            Heartbeat::Unknown | Heartbeat::Fenced if !member.assigned.is_empty() => {
                member.due = Due::Revoked;
                Ok(Some(Event::Revoked { partitions: std::mem::take(&mut member.assigned), lost: true }))
            }
            Heartbeat::Unknown => {
                let topics = member.topics.clone();
                let membership = self.join(&topics)?;
                self.member = Some(Member::new(membership, topics));
                Ok(None)
            }
            Heartbeat::Fenced => Err(Error::new(Kind::NotMember, fenced(&group.id))),
        }
    }

    /// What each partition looks like now, and the version of that.
    fn look(&mut self) -> Result<u64> {
        let committed_only = self.options.isolation == Isolation::ReadCommitted;
        let state = self.broker.lock()?;
        for fetch in &mut self.fetches {
            let (_, partition) = state.partition(fetch.id)?;
            fetch.view = View {
                low: partition.low,
                end: partition.end,
                limit: if committed_only { partition.stable() } else { partition.end },
                aborted: committed_only.then(|| Arc::clone(&partition.aborted)),
            };
        }
        Ok(state.version)
    }

    /// Hands over what there is. Whether there was anything.
    fn deliver(&mut self, handler: &mut dyn FnMut(Event<'_>)) -> Result<bool> {
        let count = self.fetches.len();
        let bytes = self.options.prefetch_bytes.checked_div(count).unwrap_or(0);
        let bytes = bytes.clamp(*READ_BYTES.start(), *READ_BYTES.end());
        let mut room = self.options.batch_records.max(1);
        let mut any = false;
        self.first = self.first.wrapping_add(1);
        for step in 0..count {
            let index = self.first.wrapping_add(step) % count;
            let Some(fetch) = self.fetches.get_mut(index).filter(|fetch| !fetch.paused) else {
                continue;
            };
            fetch.fill(&*self.broker.storage, bytes, self.options.out_of_range)?;
            let handed = fetch.hand_over(room, handler)?;
            room = room.saturating_sub(handed);
            any |= handed > 0;
            if let Some(offset) = fetch.newly_at_end() {
                any = true;
                handler(Event::EndOfPartition { partition: &fetch.partition, offset });
            }
            if room == 0 {
                break;
            }
        }
        Ok(any)
    }

    /// Readers of these partitions, from where it says.
    fn begin(&self, partitions: &[(TopicPartition, Start)]) -> Result<Vec<Fetch>> {
        let state = self.broker.lock()?;
        let fetch = |(partition, start): &(TopicPartition, Start)| {
            let id = state.id(partition)?;
            let position = match start {
                Start::Beginning | Start::Paused => state.partition(id)?.1.low,
                Start::At(offset) => *offset,
            };
            let mut fetch = Fetch::new(partition.clone(), id, position);
            fetch.paused = *start == Start::Paused;
            Ok(fetch)
        };
        partitions.iter().map(fetch).collect()
    }

    fn assigned_mut(&mut self, partition: &TopicPartition) -> Result<&mut Fetch> {
        self.fetches.iter_mut().find(|fetch| fetch.partition == *partition).ok_or_else(|| {
            Error::new(Kind::Fatal, format!("{partition} is not assigned to this consumer; assign it first"))
        })
    }
}

fn fenced(group: &str) -> String {
    format!(
        "another process joined the group '{group}' under this member's instance id: run each with a state directory of its own"
    )
}

impl Member {
    fn new(membership: Membership, topics: Vec<String>) -> Self {
        Self { membership, topics, assigned: Vec::new(), due: Due::Nothing, standing: Standing::Good }
    }
}

impl log::Consumer for Consumer {
    type Group = Group;

    fn subscribe(&mut self, topics: &[String]) -> Result<()> {
        self.dead()?;
        self.unsubscribe()?;
        let membership = self.join(topics)?;
        self.member = Some(Member::new(membership, topics.to_vec()));
        self.has_subscribed = true;
        Ok(())
    }

    fn assign(&mut self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        if self.member.is_some() {
            return Err(Error::new(Kind::Fatal, "a member of a group consumes what the group assigns"));
        }
        self.fetches = self.begin(partitions)?;
        Ok(())
    }

    fn incremental_assign(&mut self, added: &[(TopicPartition, Start)]) -> Result<()> {
        if let Some((twice, _)) = added.iter().find(|(at, _)| self.fetches.iter().any(|fetch| fetch.partition == *at)) {
            return Err(Error::new(Kind::Fatal, format!("{twice} is assigned to this consumer already")));
        }
        self.fetches.extend(self.begin(added)?);
        if let Some(member) = self.member.as_mut().filter(|member| member.due == Due::Assigned) {
            member.due = Due::Nothing;
        }
        Ok(())
    }

    fn incremental_unassign(&mut self, removed: &[TopicPartition]) -> Result<()> {
        self.fetches.retain(|fetch| !removed.contains(&fetch.partition));
        let Some(member) = self.member.as_mut().filter(|member| member.due == Due::Revoked) else { return Ok(()) };
        member.due = Due::Nothing;
        if member.standing == Standing::Good { self.give_back(removed) } else { Ok(()) }
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        self.assigned_mut(partition)?.seek(offset);
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        for partition in partitions {
            self.assigned_mut(partition)?.paused = true;
        }
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        for partition in partitions {
            self.assigned_mut(partition)?.paused = false;
        }
        Ok(())
    }

    fn poll(&mut self, timeout: Duration, handler: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let deadline = Deadline::after(timeout);
        loop {
            if let Some(event) = self.heartbeat()? {
                handler(event);
                return Ok(());
            }
            let version = self.look()?;
            let must_answer = self.member.as_ref().is_some_and(|member| member.due != Due::Nothing);
            if (!must_answer && self.deliver(handler)?) || !self.broker.wait(version, &deadline) {
                return Ok(());
            }
        }
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<Offset> {
        self.broker.watermarks(partition, Isolation::ReadUncommitted).ok().map(|watermarks| watermarks.high)
    }

    fn commit(&mut self, offsets: &[OffsetCommit]) -> Result<()> {
        let Some(Group { id, membership }) = log::Consumer::group(self) else {
            return Err(Error::new(Kind::Fatal, "a consumer without a group has none to commit offsets for"));
        };
        let storage = &*self.broker.storage;
        self.broker.with(|state| state.commit_offsets(storage, &id, membership.as_ref(), offsets))
    }

    fn group(&self) -> Option<Group> {
        let id = self.group_id()?.to_owned();
        let membership = match &self.member {
            Some(member) => Some(member.membership.clone()),
            // Who has left must not be taken for a consumer that never was a member.
            None if self.has_subscribed => Some(Membership { member: String::new(), generation: -1 }),
            None => None,
        };
        Some(Group { id, membership })
    }

    fn assignment_lost(&self) -> bool {
        let (Some(member), Some(group)) = (&self.member, self.group_id()) else {
            return false;
        };
        if member.standing != Standing::Good {
            return true;
        }
        let holds = !member.assigned.is_empty() || member.due == Due::Revoked;
        let Ok(state) = self.broker.lock() else {
            return true;
        };
        holds && !state.groups.get(group).is_some_and(|group| group.is_current(&member.membership))
    }

    fn leave(&mut self) -> Result<()> {
        self.dead()?;
        self.unsubscribe()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if self.instance_id().is_none() {
            // A broker that cannot be told finds out when the session times out.
            let _ = self.unsubscribe();
        }
    }
}
