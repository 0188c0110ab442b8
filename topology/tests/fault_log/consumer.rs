//! A consumer whose calls fail at chosen points, and that reads topics by their names if it is told to.

use std::time::Duration;

use topology::log::{Consumer, Event, Kind, Offset, OffsetCommit, Result, Start, TopicPartition};

use super::{Call, Script};

pub(crate) struct FaultConsumer<C> {
    inner: C,
    script: Script,
    /// What is assigned, where it goes on, and whether it is paused.
    positions: Vec<(TopicPartition, Start, bool)>,
    /// A rebalance that no member is told of: Kafka's groups have none where a topic is made anew.
    hushes: bool,
    /// It reads as a member of a group, and not for a restore.
    is_member: bool,
}

impl<C> FaultConsumer<C> {
    pub(super) fn new(inner: C, script: Script) -> Self {
        Self { inner, script, positions: Vec::new(), hushes: false, is_member: false }
    }
}

fn begun((partition, start): &(TopicPartition, Start)) -> (TopicPartition, Start, bool) {
    (partition.clone(), *start, *start == Start::Paused)
}

fn note(
    positions: &mut [(TopicPartition, Start, bool)],
    partition: &TopicPartition,
    change: impl FnOnce(&mut Start, &mut bool),
) {
    if let Some((_, position, paused)) = positions.iter_mut().find(|(at, ..)| at == partition) {
        change(position, paused);
    }
}

impl<C: Consumer> FaultConsumer<C> {
    fn note(&mut self, partition: &TopicPartition, change: impl FnOnce(&mut Start, &mut bool)) {
        note(&mut self.positions, partition, change);
    }

    /// Takes the topics that have the names now; where one has none, that is tried again with the next poll.
    fn go_on_by_name(&mut self) {
        let starts: Vec<_> = self.positions.iter().map(|(partition, start, _)| (partition.clone(), *start)).collect();
        let all: Vec<_> = starts.iter().map(|(partition, _)| partition.clone()).collect();
        self.inner.incremental_unassign(&all).unwrap();
        if self.inner.incremental_assign(&starts).is_ok() {
            self.hushes = false;
            let paused = self.positions.iter().filter(|(.., paused)| *paused).map(|(partition, ..)| partition.clone());
            self.inner.pause(&paused.collect::<Vec<_>>()).unwrap();
        }
    }
}

impl<C: Consumer> Consumer for FaultConsumer<C> {
    type Group = C::Group;

    fn subscribe(&mut self, topics: &[String]) -> Result<()> {
        self.script.check(Call::Subscribe)?;
        self.is_member = true;
        self.inner.subscribe(topics)
    }

    fn assign(&mut self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        self.script.check(Call::Assign)?;
        self.inner.assign(partitions)?;
        self.positions = partitions.iter().map(begun).collect();
        Ok(())
    }

    fn incremental_assign(&mut self, added: &[(TopicPartition, Start)]) -> Result<()> {
        self.script.check(Call::Assign)?;
        self.inner.incremental_assign(added)?;
        self.positions.extend(added.iter().map(begun));
        Ok(())
    }

    fn incremental_unassign(&mut self, removed: &[TopicPartition]) -> Result<()> {
        self.script.check(Call::Unassign)?;
        self.inner.incremental_unassign(removed)?;
        self.positions.retain(|(partition, ..)| !removed.contains(partition));
        Ok(())
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        self.script.check(Call::Seek)?;
        self.inner.seek(partition, offset)?;
        self.note(partition, |position, _| *position = Start::At(offset));
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.script.check(Call::Pause)?;
        self.inner.pause(partitions)?;
        for partition in partitions {
            self.note(partition, |_, paused| *paused = true);
            self.script.set_paused(&partition.to_string(), true);
        }
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.inner.resume(partitions)?;
        for partition in partitions {
            self.note(partition, |_, paused| *paused = false);
            self.script.set_paused(&partition.to_string(), false);
        }
        Ok(())
    }

    fn poll(&mut self, timeout: Duration, handler: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        if self.is_member {
            self.script.may_panic_in_poll();
        }
        self.script.reach()?;
        self.script.check(Call::Poll)?;
        if self.script.is_silent() {
            return Ok(());
        }
        let Self { inner, script, positions, hushes, .. } = self;
        let (mut given_back, mut regained) = (None, false);
        let polled = inner.poll(timeout, &mut |event| {
            match &event {
                Event::Revoked { lost: false, partitions } if script.reads_by_name() && !positions.is_empty() => {
                    (*hushes, given_back) = (true, Some(partitions.clone()));
                    return;
                }
                Event::Assigned(_) if *hushes => {
                    regained = true;
                    return;
                }
                _ => {}
            }
            let next = match &event {
                Event::Records { partition, records } => records.last().map(|last| (*partition, last.offset + 1)),
                Event::EndOfPartition { partition, offset } => Some((*partition, *offset)),
                _ => None,
            };
            if let Some((partition, offset)) = next {
                note(positions, partition, |position, _| *position = Start::At(offset));
            }
            match event {
                Event::Records { partition, records } if script.must_repeat() => {
                    handler(Event::Records { partition, records });
                    handler(Event::Records { partition, records });
                }
                event => handler(event),
            }
        });
        if let Some(partitions) = given_back {
            self.inner.incremental_unassign(&partitions)?;
        }
        if regained {
            self.go_on_by_name();
        }
        match polled {
            Err(error) if error.kind() == Kind::NoSuchTopic && self.script.reads_by_name() => {
                self.go_on_by_name();
                Ok(())
            }
            polled => polled,
        }
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<Offset> {
        self.inner.known_end(partition)
    }

    fn commit(&mut self, offsets: &[OffsetCommit]) -> Result<()> {
        self.script.check(Call::SendOffsets)?;
        self.inner.commit(offsets)
    }

    fn group(&self) -> Option<C::Group> {
        self.inner.group()
    }

    fn assignment_lost(&self) -> bool {
        self.inner.assignment_lost()
    }

    fn leave(&mut self) -> Result<()> {
        self.script.check(Call::Leave)?;
        self.inner.leave()
    }
}
