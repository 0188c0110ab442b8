//! Which partitions are consumed.
//!
//! librdkafka takes two kinds of answer to a rebalance, and refuses the other one:
//!
//! ```text
//!                        assigned                  revoked
//!   classic, `range`     assign(all)               unassign()             all at once: what is consumed starts anew
//!   KIP-848              incremental_assign(some)  incremental_unassign(some)      the rest goes on, from where it was read
//! ```
//! Without a group it takes both.

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;

use super::super::batch::{Assigned, Pause};
use super::positions::{list, no_such_topic};
use super::{KafkaConsumer, Pending, those};
use crate::log::{Error, GroupProtocol, Kind, Result, Start, TopicPartition};

impl KafkaConsumer {
    /// Replaces what is consumed.
    pub(super) fn assign_all(&mut self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        if self.has_subscribed {
            return Err(Error::new(Kind::Fatal, "a member of a group consumes what the group assigns"));
        }
        self.replace(partitions)?;
        self.assigned = partitions.iter().map(|(partition, start)| Assigned::new(partition.clone(), *start)).collect();
        self.delivery.reset();
        Ok(())
    }

    /// Adds to what is consumed.
    pub(super) fn add(&mut self, added: &[(TopicPartition, Start)]) -> Result<()> {
        if self.pending == Pending::Revoke {
            return Err(Error::new(Kind::Fatal, "revoked partitions are to be given back before others are taken"));
        }
        if let Some((twice, _)) = added.iter().find(|(at, _)| self.assigned.iter().any(|has| has.partition == *at)) {
            return Err(Error::new(Kind::Fatal, format!("{twice} is assigned to this consumer already")));
        }
        if self.is_eager() && !self.assigned.is_empty() {
            self.start_all_anew(added)?;
        } else if !(self.pending == Pending::Empty && added.is_empty()) {
            self.start(added)?;
        }
        // Nothing fails from here on: librdkafka takes an answer once.
        self.pending = Pending::Nothing;
        self.hold_up();
        let added = added.iter().map(|(partition, start)| Assigned::new(partition.clone(), *start));
        self.assigned.extend(added);
        self.delivery.reset();
        Ok(())
    }

    /// Takes out of what is consumed.
    pub(super) fn remove(&mut self, removed: &[TopicPartition]) -> Result<()> {
        let (going, staying): (Vec<_>, Vec<_>) =
            those(&self.assigned, |_| true).into_iter().partition(|(partition, _)| removed.contains(partition));
        if !self.is_eager() {
            // An empty answer is an answer: librdkafka waits for it.
            if self.pending == Pending::Revoke || !going.is_empty() {
                self.consumer.incremental_unassign(&list(&going)?).map_err(|error| cannot("give back", &error))?;
                self.hold_up();
            }
        } else if staying.is_empty() {
            self.consumer.unassign().map_err(|error| cannot("give back", &error))?;
        } else if !going.is_empty() {
            let message = "a member of a classic group gives back all that it has, or nothing";
            return Err(Error::new(Kind::Fatal, message));
        }
        if self.pending == Pending::Revoke {
            self.pending = Pending::Nothing;
        }
        self.assigned.retain(|assigned| !removed.contains(&assigned.partition));
        self.delivery.reset();
        Ok(())
    }

    /// librdkafka pauses all partitions while it waits for an answer of the incremental kind, and lets them go on at
    /// its own position, which is one too high behind an end of partition: it would pass over the next record.
    fn hold_up(&mut self) {
        if !self.is_eager() {
            self.assigned.iter_mut().for_each(|assigned| assigned.is_held_up = true);
        }
    }

    /// Tells librdkafka where the readers of partitions stand that an answer has held up. This may fail, and is no part
    /// of the answer: it is repeated until it is done, and nothing is read before.
    pub(super) fn go_on(&mut self) -> Result<()> {
        // One that the client has paused is told when it is resumed.
        let waits =
            |assigned: &Assigned| assigned.is_held_up && assigned.failure.is_none() && assigned.pause != Pause::Client;
        let held_up = those(&self.assigned, waits);
        if held_up.is_empty() {
            return Ok(());
        }
        drop(self.consumer.assignment().map_err(|error| cannot("go on with", &error))?);
        self.seek_all(&held_up)?;
        for assigned in self.assigned.iter_mut().filter(|assigned| waits(assigned)) {
            assigned.is_held_up = false;
            // What was set aside comes again.
            assigned.waiting.clear();
        }
        Ok(())
    }

    /// Goes on at `next` with a partition that librdkafka has stopped reading: it would refuse to seek there.
    pub(super) fn restart(&mut self, index: usize, next: Start) -> Result<()> {
        let Some(assigned) = self.assigned.get(index) else { return Ok(()) };
        let is_paused = assigned.is_paused();
        let partition = assigned.partition.clone();
        let start = [(partition.clone(), next)];
        if self.is_eager() {
            self.assigned.remove(index);
            let anew = self.start_all_anew(&start);
            self.assigned.insert(index, Assigned::new(partition.clone(), next));
            anew?;
        } else {
            self.consumer.incremental_unassign(&list(&start)?).map_err(|error| cannot("restart", &error))?;
            self.start(&start)?;
            if let Some(assigned) = self.assigned.get_mut(index) {
                *assigned = Assigned::new(partition.clone(), next);
            }
        }
        self.delivery.reset();
        if is_paused { self.pause_all(&[partition]) } else { Ok(()) }
    }

    /// Whether librdkafka takes whole assignments only.
    fn is_eager(&self) -> bool {
        self.protocol == Some(GroupProtocol::Classic)
    }

    /// Starts reading these, beside what is read.
    fn start(&self, added: &[(TopicPartition, Start)]) -> Result<()> {
        match self.is_eager() {
            true => self.replace(added),
            false => self.starting(added, |list| self.consumer.incremental_assign(list)),
        }
    }

    /// Starts these, and all that is read already as well, from where its reader stands.
    fn start_all_anew(&mut self, added: &[(TopicPartition, Start)]) -> Result<()> {
        let paused = those(&self.assigned, Assigned::is_paused);
        let all = [&those(&self.assigned, |_| true), added].concat();
        self.replace(&all)?;
        for assigned in &mut self.assigned {
            *assigned = Assigned::new(assigned.partition.clone(), assigned.next);
        }
        let paused: Vec<TopicPartition> = paused.into_iter().map(|(partition, _)| partition).collect();
        self.pause_all(&paused)
    }

    fn replace(&self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        self.starting(partitions, |list| self.consumer.assign(list))
    }

    /// Sees to it that what is started is forwarded to the own queue.
    fn starting(
        &self,
        partitions: &[(TopicPartition, Start)],
        start: impl Fn(&TopicPartitionList) -> Result<(), KafkaError>,
    ) -> Result<()> {
        let list = list(partitions)?;
        let forward = || {
            partitions.iter().try_for_each(|(partition, _)| {
                let forwarded = self.queue.forward(&partition.topic, partition.partition);
                forwarded.then_some(()).ok_or_else(|| no_such_topic(partition))
            })
        };
        // Before: librdkafka marks these queues as the application's, and delivers nothing to its own. After:
        // stopping what was assigned before has cleared where they lead (the mark stays, so nothing went astray).
        // Asking for the assignment waits until those stops, queued before the question, are done.
        forward()?;
        self.pause_some(partitions)?;
        start(&list).map_err(|error| cannot("assign", &error))?;
        drop(self.consumer.assignment().map_err(|error| cannot("assign", &error))?);
        forward()
    }

    /// Pauses what is to begin so, before it is begun: nothing is fetched between the two. The client keeps a pause of
    /// its own across assignments, so all else is resumed.
    fn pause_some(&self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        let (paused, flowing): (Vec<_>, Vec<_>) =
            partitions.iter().cloned().partition(|(_, start)| *start == Start::Paused);
        let (paused, flowing) = (list(&paused)?, list(&flowing)?);
        let set = self.consumer.pause(&paused).and_then(|()| self.consumer.resume(&flowing));
        set.map_err(|error| cannot("assign", &error))
    }
}

fn cannot(what: &str, error: &KafkaError) -> Error {
    Error::new(Kind::Retry, format!("cannot {what} partitions: {error}"))
}
