//! One task of a driver: how it is started, and what it is given.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::topics::Place;
use super::{OwnedRecord, TestDriver};
use crate::error::{Error, Result};
use crate::graph::{OutputTopics, Topic, Topology};
use crate::log::{Header, Record, RecordLimits, TopicPartition};
use crate::processor::{InputRange, Limits, RuntimeOptions};
use crate::store::Stores;
use crate::task::{CommittedInput, InputStart, Metadata, QueueOptions, Task, TaskId, TaskOptions};

/// A task, or what is left of it until it begins again.
pub(super) struct Drive {
    pub(super) id: TaskId,
    /// Its sub-topology's index.
    pub(super) sub_topology: usize,
    pub(super) task: Option<Task>,
    /// What a task left, for the one that begins next; without them that one has its own rebuilt.
    pub(super) stores: Option<Stores>,
    pub(super) outputs: OutputTopics,
    /// The topics it reads, in the order of its inputs.
    pub(super) sources: Vec<String>,
}

impl TestDriver {
    /// Has tasks for this topology take over from those there are.
    pub(super) fn take_over(&mut self, topology: &Topology) -> Result<()> {
        let topology = topology.resolve(&self.application_id, &self.others)?;
        topology.check_matched()?;
        let topology = topology.as_asked()?;
        self.broker.topics.adopt(&topology, &self.application_id);
        let mut drives = Vec::new();
        for (sub_topology, spec) in topology.sub_topologies.iter().enumerate() {
            for partition in 0..spec.partition_count() {
                drives.push(Drive {
                    id: TaskId { sub_topology: spec.name.clone(), partition },
                    sub_topology,
                    task: None,
                    stores: None,
                    outputs: spec.outputs(&self.application_id),
                    sources: spec.source_topics().iter().map(|topic| topic.name().to_owned()).collect(),
                });
            }
        }
        self.noting(Self::put_down)?;
        self.written.extend(drives.iter().flat_map(|drive| drive.outputs.names.iter().cloned()));
        for left in std::mem::replace(&mut self.drives, drives) {
            let heir = self.drives.iter_mut().find(|drive| drive.id == left.id);
            if let (Some(heir), Some(stores)) = (heir, left.stores) {
                let (mut specs, before) = (topology.sub_topologies[heir.sub_topology].stores.clone(), stores.specs());
                // In the driver all are in memory.
                specs.iter_mut().for_each(|spec| spec.medium = crate::store::Medium::Memory);
                heir.stores = (before == specs).then_some(stores);
            }
        }
        self.topology = topology;
        self.begin_all()
    }

    /// Has the same tasks begin again.
    pub(super) fn begin_again(&mut self) -> Result<()> {
        self.noting(Self::put_down)?;
        self.begin_all()
    }

    fn begin_all(&mut self) -> Result<()> {
        self.noting(|driver| (0..driver.drives.len()).try_for_each(|index| driver.begin(index)))
    }

    /// What is not committed is void, and so is a failure; tasks leave their stores.
    fn put_down(&mut self) -> Result<()> {
        self.failure = None;
        self.replaced.forget();
        self.broker.abort();
        for drive in &mut self.drives {
            let Some(task) = drive.task.take() else { continue };
            let stores = task.into_stores();
            drive.stores = Some(stores.ok_or_else(|| Error::stop("a handle to a store outlives its task"))?);
        }
        Ok(())
    }

    /// Has a task begin: over stores that are brought up to their changelogs, and where the group has committed.
    fn begin(&mut self, index: usize) -> Result<()> {
        let stores = self.restored_stores(index)?;
        let vouch = Rc::new(self.voucher(self.drives[index].sources.clone()));
        let drive = &mut self.drives[index];
        let sources = drive.sources.iter().zip(&drive.outputs.dead_letters);
        let inputs = sources.map(|(topic, dead_letters)| {
            let (first, end) = self.broker.topics.bounds(topic, drive.id.partition);
            let input = TopicPartition::new(topic.clone(), drive.id.partition);
            let found = self.broker.offsets.get(&input);
            let metadata = found.map_or(Ok(Metadata::default()), |found| Metadata::decode(&found.metadata));
            Ok(InputStart {
                committed: CommittedInput {
                    input,
                    offset: found.map(|found| found.offset),
                    metadata: metadata.map_err(|error| Error::stop(error.to_string()))?,
                },
                range: InputRange { first, stable_end: end, end },
                dead_letters: *dead_letters,
            })
        });
        let options = TaskOptions {
            id: drive.id.clone(),
            sub_topology: drive.sub_topology,
            inputs: inputs.collect::<Result<_>>()?,
            runtime: RuntimeOptions {
                stores_as_left: !stores.is_read_into(),
                now_ms: self.now_ms,
                log_ahead_ms: Some(0),
                topics: drive.outputs.names.clone(),
                limits: Arc::new(limits(&self.topology)),
                vouch,
            },
            changelogs: drive.outputs.changelogs.clone(),
            queues: QueueOptions::default(),
            may_repeat: false,
        };
        let task = Task::new(&self.topology, options, Rc::new(RefCell::new(stores)))?;
        task.note_begun();
        drive.task = Some(task);
        self.collect(index)
    }

    /// Gives all tasks what has arrived for them. Returns whether there was anything.
    pub(super) fn process_all(&mut self) -> Result<bool> {
        let mut any = false;
        for index in 0..self.drives.len() {
            any |= self.process(index)?;
        }
        Ok(any)
    }

    /// Gives a task what has arrived for it: all of it, so that an input without more is known to be empty. Returns
    /// whether there was anything.
    fn process(&mut self, index: usize) -> Result<bool> {
        let drive = &mut self.drives[index];
        if drive.task.as_ref().is_none_or(Task::is_suspended) {
            return Ok(false);
        }
        let mut any = false;
        for input in 0..drive.sources.len() {
            any |= self.give(index, input, usize::MAX)? > 0;
        }
        any |= self.process_queued(index, usize::MAX)? > 0;
        self.collect(index)?;
        Ok(any)
    }

    /// A task takes what comes next of an input, at most so many records, and nothing is committed. What it was given
    /// earlier and has not taken comes first; while it takes no input, nothing is delivered.
    ///
    /// A task with several inputs waits for one of which more has arrived, as in production: deliver that, too.
    pub fn deliver(&mut self, place: impl Into<Place>, count_max: usize) -> Result<()> {
        let (index, input) = self.input_at(&place.into())?;
        self.moving(|driver| {
            let queued = driver.process_queued(index, count_max)?;
            if queued < count_max && driver.drives[index].task.as_ref().is_some_and(|task| !task.is_suspended()) {
                driver.give(index, input, count_max - queued)?;
                driver.process_queued(index, usize::MAX)?;
            }
            driver.collect(index)
        })
    }

    /// The task that reads a partition, the first one where none is named, and as which of its inputs.
    pub(super) fn input_at(&self, place: &Place) -> Result<(usize, usize)> {
        let Place { topic, partition } = place;
        let partition = partition.unwrap_or(0);
        let mut drives = self.drives.iter().enumerate().filter(|(_, drive)| drive.id.partition == partition);
        let found = drives.find_map(|(index, drive)| Some((index, drive.input(topic)?)));
        found.ok_or_else(|| Error::stop(format!("no source of the topology reads partition {partition} of '{topic}'")))
    }

    /// Has a task process what waits in its queues, at most so many records. Returns how many it did.
    fn process_queued(&mut self, index: usize, count_max: usize) -> Result<usize> {
        let mut count = 0;
        while let Some(task) = &mut self.drives[index].task
            && count < count_max
        {
            match task.process_next(count_max - count)? {
                0 => break,
                processed => count += processed,
            }
        }
        Ok(count)
    }

    /// Gives a task what comes next of one input, at most so many records. Returns how many it took at once; the others
    /// wait in its queue.
    pub(super) fn give(&mut self, index: usize, input: usize, count_max: usize) -> Result<usize> {
        let drive = &mut self.drives[index];
        let (Some(task), topic) = (&mut drive.task, &drive.sources[input]) else { return Ok(0) };
        if task.must_seek(input) {
            task.restart(input);
        }
        let topics = &self.broker.topics;
        let new = topics.records_from(topic, drive.id.partition, task.delivered_to(input));
        let new: Vec<&OwnedRecord> = new.take(count_max).collect();
        let headers: Vec<Vec<Header<'_>>> = new.iter().map(|record| record.borrow_headers()).collect();
        let records: Vec<Record<'_>> =
            new.iter().zip(&headers).map(|(record, headers)| record.borrow(headers)).collect();
        let taken = if task.must_queue() { 0 } else { task.take_arriving(&records)? };
        task.enqueue(input, &records[taken..]);
        let (_, end) = topics.bounds(topic, drive.id.partition);
        if task.delivered_to(input) >= end {
            task.end_of_partition(input, end);
        }
        Ok(taken)
    }
}

impl Drive {
    pub(super) fn reads(&self, topic: &str) -> bool {
        self.input(topic).is_some()
    }

    pub(super) fn input(&self, topic: &str) -> Option<usize> {
        self.sources.iter().position(|source| source == topic)
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
