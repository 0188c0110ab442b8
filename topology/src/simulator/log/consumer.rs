//! A consumer that does not wait: where a poll brings nothing, its thread's next turn comes later. One of an
//! application's own waits, in virtual time.

use std::time::Duration;

use super::{Call, is_slow};
use crate::log::{Consumer, Event, Log, Offset, OffsetCommit, Result, Start, TopicPartition, memory::MemoryLog};
use crate::simulator::stage::{self, Who};

type Inner = <MemoryLog as Log>::Consumer;

/// A consumer of a simulated process.
pub struct SimulatedConsumer {
    inner: Inner,
    who: Who,
    waits: bool,
}

impl SimulatedConsumer {
    pub(super) fn new(inner: Inner, who: Who, waits: bool) -> Self {
        Self { inner, who, waits }
    }

    fn idle(&self, timeout: Duration) {
        let ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        stage::with(|stage| match self.waits {
            true => stage.pass(self.who, ms),
            false => stage.instances[self.who.instance].note_idle(self.who, ms),
        });
    }
}

impl Consumer for SimulatedConsumer {
    type Group = <MemoryLog as Log>::Group;

    fn subscribe(&mut self, topics: &[String]) -> Result<()> {
        stage::reach(self.who, Call::Subscribe)?;
        self.inner.subscribe(topics)
    }

    fn assign(&mut self, partitions: &[(TopicPartition, Start)]) -> Result<()> {
        stage::reach(self.who, Call::Assign)?;
        self.inner.assign(partitions)
    }

    fn incremental_assign(&mut self, added: &[(TopicPartition, Start)]) -> Result<()> {
        stage::reach(self.who, Call::Assign)?;
        self.inner.incremental_assign(added)
    }

    fn incremental_unassign(&mut self, removed: &[TopicPartition]) -> Result<()> {
        stage::reach(self.who, Call::Unassign)?;
        self.inner.incremental_unassign(removed)
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        stage::reach(self.who, Call::Seek)?;
        self.inner.seek(partition, offset)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        stage::reach(self.who, Call::Pause)?;
        self.inner.pause(partitions)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        stage::reach(self.who, Call::Pause)?;
        self.inner.resume(partitions)
    }

    fn poll(&mut self, timeout: Duration, handler: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        stage::reach(self.who, Call::Poll)?;
        let mut any = false;
        if !is_slow() {
            self.inner.poll(Duration::ZERO, &mut |event| {
                any = true;
                handler(event);
            })?;
        }
        if !any {
            self.idle(timeout);
        }
        Ok(())
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<Offset> {
        self.inner.known_end(partition)
    }

    fn commit(&mut self, offsets: &[OffsetCommit]) -> Result<()> {
        stage::reach(self.who, Call::SendOffsets)?;
        self.inner.commit(offsets)
    }

    fn group(&self) -> Option<Self::Group> {
        self.inner.group()
    }

    fn assignment_lost(&self) -> bool {
        self.inner.assignment_lost()
    }

    fn leave(&mut self) -> Result<()> {
        stage::reach(self.who, Call::Leave)?;
        self.inner.leave()?;
        stage::with(stage::Stage::stir);
        Ok(())
    }
}
