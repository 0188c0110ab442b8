//! One task of a driver: how it is started, and what it is given.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::topics::{Place, Topics};
use super::{OwnedRecord, TestDriver};
use crate::error::Result;
use crate::graph::{OutputTopics, Topic, Topology};
use crate::log::{Header, Offset, Record, RecordLimits, TopicPartition};
use crate::processor::{InputRange, Limits, Outputs, RuntimeOptions};
use crate::store::Stores;
use crate::task::{CommittedInput, InputStart, Metadata, QueueOptions, Task, TaskId, TaskOptions};

/// A task and what it has going on.
pub(super) struct Drive {
    /// Its sub-topology's index.
    pub(super) sub_topology: usize,
    pub(super) partition: i32,
    pub(super) task: Option<Task>,
    pub(super) outputs: OutputTopics,
    /// The topics it reads, in the order of its inputs.
    pub(super) sources: Vec<String>,
    /// For each of them.
    pub(super) committed: Vec<(Option<Offset>, Metadata)>,
    /// Produced since the last commit.
    pub(super) pending: Vec<(String, OwnedRecord)>,
}

impl TestDriver {
    pub(super) fn start(&mut self, index: usize, stores: Stores, stores_as_left: bool) -> Result<()> {
        let (sub_topology, partition) = (self.drives[index].sub_topology, self.drives[index].partition);
        let spec = &self.topology.sub_topologies[sub_topology];
        let vouch = Rc::new(self.voucher(&self.drives[index].sources));
        let drive = &mut self.drives[index];
        let committed = drive.sources.iter().zip(&drive.committed).zip(&drive.outputs.dead_letters);
        let inputs = committed.map(|((topic, (offset, metadata)), dead_letters)| {
            let (first, end) = self.topics.bounds(topic, partition);
            let input = TopicPartition::new(topic.clone(), partition);
            InputStart {
                committed: CommittedInput { input, offset: *offset, metadata: metadata.clone() },
                range: InputRange { first, stable_end: end, end },
                dead_letters: *dead_letters,
            }
        });
        let options = TaskOptions {
            id: TaskId { sub_topology: spec.name.clone(), partition },
            sub_topology,
            inputs: inputs.collect(),
            runtime: RuntimeOptions {
                stores_as_left,
                now_ms: self.now_ms,
                topics: drive.outputs.names.clone(),
                limits: Arc::new(limits(&self.topology)),
                vouch,
            },
            changelogs: drive.outputs.changelogs.clone(),
            queues: QueueOptions::default(),
            may_repeat: false,
        };
        drive.task = Some(Task::new(&self.topology, options, Rc::new(RefCell::new(stores)))?);
        drive.collect(&self.topics)
    }

    /// Gives a task what has arrived for it: all of it, so that an input without more is known to be empty. Returns whether there
    /// was anything.
    pub(super) fn process(&mut self, index: usize) -> Result<bool> {
        let drive = &mut self.drives[index];
        let Some(task) = &mut drive.task else { return Ok(false) };
        if task.is_suspended() {
            return Ok(false);
        }
        let mut any = false;
        for input in 0..drive.sources.len() {
            any |= self.deliver(index, input, usize::MAX)?;
        }
        let drive = &mut self.drives[index];
        while let Some(task) = &mut drive.task
            && task.process_next(usize::MAX)? > 0
        {
            any = true;
        }
        drive.collect(&self.topics)?;
        Ok(any)
    }

    /// Gives a task what comes next of one input, at most so many records. Returns whether it took any at once.
    pub(super) fn deliver(&mut self, index: usize, input: usize, count_max: usize) -> Result<bool> {
        let drive = &mut self.drives[index];
        let (Some(task), topic) = (&mut drive.task, &drive.sources[input]) else { return Ok(false) };
        if task.must_seek(input) {
            task.restart(input);
        }
        let new = self.topics.records_from(topic, drive.partition, task.delivered_to(input));
        let new: Vec<&OwnedRecord> = new.take(count_max).collect();
        let headers: Vec<Vec<Header<'_>>> = new.iter().map(|record| record.borrow_headers()).collect();
        let records: Vec<Record<'_>> =
            new.iter().zip(&headers).map(|(record, headers)| record.borrow(headers)).collect();
        let taken = if task.must_queue() { 0 } else { task.take_arriving(&records)? };
        task.enqueue(input, &records[taken..]);
        let (_, end) = self.topics.bounds(topic, drive.partition);
        if task.delivered_to(input) >= end {
            task.end_of_partition(input, end);
        }
        Ok(taken > 0)
    }
}

impl Drive {
    pub(super) fn reads(&self, topic: &str) -> bool {
        self.input(topic).is_some()
    }

    pub(super) fn input(&self, topic: &str) -> Option<usize> {
        self.sources.iter().position(|source| source == topic)
    }

    pub(super) fn collect(&mut self, topics: &Topics) -> Result<()> {
        let Self { task: Some(task), pending, .. } = self else { return Ok(()) };
        collect(task.outputs(), topics, pending)
    }
}

/// What topics take, as far as the graph says that they shall be made so. Those of which it says nothing take anything.
fn limits(topology: &Topology) -> Limits {
    let limits = |topic: &Topic| {
        let asked = |name: &str| topic.setting(name).and_then(|value| value.parse::<i64>().ok());
        let is_appended = topic.setting("message.timestamp.type") == Some("LogAppendTime");
        let distance = |name: &str| asked(name).filter(|_| !is_appended).unwrap_or(i64::MAX);
        let size_max_bytes = asked("max.message.bytes").and_then(|bytes| usize::try_from(bytes).ok());
        RecordLimits {
            size_max_bytes: size_max_bytes.unwrap_or(usize::MAX),
            before_max_ms: distance("message.timestamp.before.max.ms"),
            after_max_ms: distance("message.timestamp.after.max.ms"),
        }
    };
    let topics = topology.sink_topics().into_iter().map(|topic| (topic.name().to_owned(), limits(topic)));
    Limits { topics: topics.collect(), ..Limits::default() }
}

/// Takes what a task wants produced, and says for each record to which partition a producer sends it.
pub(super) fn collect(outputs: &mut Outputs, topics: &Topics, pending: &mut Vec<(String, OwnedRecord)>) -> Result<()> {
    outputs.drain(|records| {
        for record in records {
            let place = Place { topic: record.topic.to_owned(), partition: record.partition };
            let partition = topics.partition_of(&place, record.key)?;
            pending.push((place.topic, OwnedRecord::copy(record, partition)));
        }
        Ok(())
    })
}
