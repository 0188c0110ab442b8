//! A bounded run: process what was there at the start, finish what is held, commit, stop.
//!
//! The end is taken at the start, for topics fed from outside, and moves on only to where the input ended when the task was
//! taken over; for a topic that an earlier sub-topology feeds it is taken when that one is done. Records at or behind the end
//! are left alone, so the result does not depend on when the run happened to look.

use crate::error::{Error, Result};
use crate::graph::Topology;
use crate::log::{self, Isolation, Log, Offset, Record, TopicPartition};

use super::StreamThread;
use super::assignment::{Assigned, Phase};
use super::commit::Then;
use super::input::send_outputs;
use super::recovery::void;

/// How far a bounded run is.
pub(super) struct UntilEnd {
    /// Per sub-topology, in graph order: its partitions, and where they end.
    ends: Vec<Vec<End>>,
    /// Sub-topologies before this one are done.
    current: usize,
    alone: bool,
}

/// Where a partition ends; not known yet where an earlier sub-topology feeds it.
type End = (TopicPartition, Option<Offset>);

impl UntilEnd {
    pub(super) fn new<L: Log>(topology: &Topology, log: &L) -> Result<Self> {
        let mut ends = Vec::new();
        let mut fed = Vec::new();
        for spec in topology.sub_topologies.iter() {
            let count = spec.partition_count().map_err(Error::stop)?;
            let mut of_sub_topology = Vec::new();
            for topic in spec.source_topics() {
                for number in 0..count {
                    let partition = TopicPartition::new(topic.name(), number);
                    let is_fed = fed.contains(&partition.topic);
                    let end = if is_fed { None } else { Some(end_now(log, &partition)?) };
                    of_sub_topology.push((partition, end));
                }
            }
            ends.push(of_sub_topology);
            fed.extend(spec.sink_topics());
        }
        Ok(Self { ends, current: 0, alone: false })
    }

    pub(super) fn is_finished(&self) -> bool {
        self.current == self.ends.len()
    }

    /// The records before the end.
    pub(super) fn within<'r, 'a>(&self, partition: &TopicPartition, records: &'r [Record<'a>]) -> &'r [Record<'a>] {
        match self.end_of(partition) {
            Some(end) => &records[..records.partition_point(|record| record.offset < end)],
            None => records,
        }
    }

    /// How far a position may move: what lies behind the end was not processed, and must not be committed as if it were.
    pub(super) fn cap(&self, partition: &TopicPartition, offset: Offset) -> Offset {
        self.end_of(partition).map_or(offset, |end| offset.min(end))
    }

    /// A task is taken over whose committed input reached this far by then. A predecessor may have read as far after the end was
    /// taken here, and what it signed or sent must not be cut differently now: so the run does not end before that. A sub-topology
    /// that is done has nothing more to finish: its end stays.
    pub(super) fn reach(&mut self, sub_topology: usize, partition: &TopicPartition, input_end: Offset) {
        if sub_topology < self.current {
            return;
        }
        let ends = self.ends.get_mut(sub_topology).into_iter().flatten().filter(|(at, _)| at == partition);
        ends.filter_map(|(_, end)| end.as_mut()).for_each(|end| *end = (*end).max(input_end));
    }

    fn end_of(&self, partition: &TopicPartition) -> Option<Offset> {
        self.ends.iter().flatten().find(|(at, _)| at == partition).and_then(|(_, end)| *end)
    }
}

fn end_now<L: Log>(log: &L, partition: &TopicPartition) -> Result<Offset> {
    Ok(log.watermarks(partition, Isolation::ReadCommitted).map_err(log::Error::may_pass)?.high)
}

impl<L: Log> StreamThread<L> {
    /// Looks whether the current sub-topology is at its end, and if so makes it finish what it holds.
    pub(super) fn advance_until_end(&mut self) -> Result<()> {
        let (Some(tasks), Some(until_end)) = (&self.assigned, &mut self.until_end) else { return Ok(()) };
        if until_end.is_finished() {
            return Ok(());
        }
        // Nothing is assigned where somebody else has it, who may have come since the last look.
        let is_idle = tasks.is_empty();
        until_end.alone &= !is_idle;
        let all_run = tasks.iter().all(|task| matches!(task.phase, Phase::Running(_)));
        self.check_alone()?;
        if is_idle || !all_run {
            return Ok(());
        }
        let Self { until_end: Some(until_end), assigned, slots, log, .. } = self else { return Ok(()) };
        let Some(ends) = until_end.ends.get_mut(until_end.current) else { return Ok(()) };
        for (partition, end) in ends.iter_mut().filter(|(_, end)| end.is_none()) {
            *end = Some(end_now(log, partition)?);
        }
        let mut holding = Vec::new();
        for (partition, end) in ends.iter() {
            let mut tasks = assigned.iter_mut().flatten();
            let found = tasks.find_map(|task| task.running_with(partition));
            let (running, input) =
                found.ok_or_else(|| Error::stop(format!("{partition} is assigned to another member of the group")))?;
            if end.is_some_and(|end| running.task.next_offset(input) < end) {
                return Ok(());
            }
            // A processor that takes no input for now, and holds none, is busy with something else: it will say when it is done.
            if running.task.is_suspended() && !running.task.is_holding() {
                return Ok(());
            }
            if running.task.is_holding() && !holding.contains(running.task.id()) {
                holding.push(running.task.id().clone());
            }
        }
        let tasks = assigned.iter_mut().flatten().filter_map(Assigned::running_mut);
        for running in tasks.filter(|running| holding.contains(running.task.id())) {
            running.task.end_of_input().map_err(void)?;
            send_outputs(slots, running)?;
        }
        if !holding.is_empty() {
            return Ok(());
        }
        if self.wants_commit() {
            self.commit(Then::GoOn)?;
        } else if let Some(until_end) = &mut self.until_end {
            until_end.current += 1;
        }
        Ok(())
    }

    fn check_alone(&mut self) -> Result<()> {
        let Some(until_end) = self.until_end.as_mut().filter(|until_end| !until_end.alone) else { return Ok(()) };
        let members = self.log.group_member_count(&self.config.application_id)?;
        if members > 1 {
            let group = &self.config.application_id;
            return Err(Error::stop(format!(
                "a run until the end needs the group '{group}' for itself, but it has {members} members: stop the others \
                 first (a killed one counts until its session ends)"
            )));
        }
        until_end.alone = true;
        Ok(())
    }
}
