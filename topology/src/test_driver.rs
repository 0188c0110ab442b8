//! A topology without a broker: pipe records in, read records out, look into stores, let time pass, commit, abort.
//!
//! The driver runs the same tasks as production, synchronously, with stores in memory. It plays the log: offsets rise by one
//! per record and topic, a commit makes outputs visible, an abort voids them and delivers input again from the committed
//! offset, as after a failed transaction. Nothing commits by itself, except that [`TestDriver::pipe`] does when a processor
//! asks for it.
//!
//! ```
//! use topology::codec::Bytes;
//! use topology::graph::{Builder, Topic};
//! use topology::test_driver::TestDriver;
//!
//! let mut builder = Builder::new();
//! let mut copying = builder.sub_topology("copying");
//! let input = copying.source("input", Topic::new("in"), Bytes, Bytes);
//! copying.sink("output", &input, Topic::new("out"), Bytes, Bytes);
//! let mut driver = TestDriver::new(&builder.build().unwrap(), "app", 0).unwrap();
//!
//! driver.pipe("in", Some(b"key"), Some(b"value"), 7).unwrap();
//! assert!(driver.read("out").is_empty()); // nothing is visible before the commit
//! driver.commit().unwrap();
//! assert_eq!(driver.read("out")[0].value.as_deref(), Some(&b"value"[..]));
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::graph::{Store, Topology};
use crate::log::{Header, Offset, Record, TopicPartition};
use crate::processor::{RuntimeOptions, Target};
use crate::store::{KeyValueStore, Options, Stores};
use crate::stream_thread::{changelog_topic, dead_letter_topic};
use crate::task::{Metadata, Task, TaskId, TaskOptions};

/// A record that the driver keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    /// Its offset in its topic.
    pub offset: Offset,
    /// Event time, ms since 1970.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// Names and values of headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl OwnedRecord {
    /// The value of a header, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(at, _)| at == name)?;
        value.as_deref().map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// Runs a topology, with one partition of everything.
pub struct TestDriver {
    topology: Topology,
    application_id: String,
    now_ms: i64,
    drives: Vec<Drive>,
    topics: BTreeMap<String, Vec<OwnedRecord>>,
    /// Everything that was produced and then aborted.
    aborted: Vec<(String, OwnedRecord)>,
}

/// A task and what it has going on.
struct Drive {
    task: Option<Task>,
    topics: Vec<String>,
    source: String,
    committed: (Offset, Metadata),
    /// Produced since the last commit.
    pending: Vec<(String, OwnedRecord)>,
}

impl TestDriver {
    /// Starts a topology at this wall-clock time.
    pub fn new(topology: &Topology, application_id: &str, now_ms: i64) -> Result<Self> {
        let mut driver = Self {
            topology: topology.clone(),
            application_id: application_id.to_owned(),
            now_ms,
            drives: Vec::new(),
            topics: BTreeMap::new(),
            aborted: Vec::new(),
        };
        for (index, spec) in topology.sub_topologies.iter().enumerate() {
            let mut stores = Stores::in_memory(spec.stores.clone(), [0; 32], &Options::default())?;
            for store in 0..spec.stores.len() {
                stores.begin_changelog(store, [0; 16])?;
            }
            let source = spec.source_topic().to_owned();
            let mut topics = spec.sink_topics();
            topics.push(dead_letter_topic(&source));
            topics.extend(spec.stores.iter().map(|store| changelog_topic(application_id, &store.name)));
            driver.drives.push(Drive {
                task: None,
                topics,
                source,
                committed: (0, Metadata::default()),
                pending: Vec::new(),
            });
            driver.start(index, stores)?;
        }
        Ok(driver)
    }

    /// A record arrives in a topic and is processed.
    pub fn pipe(&mut self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>, timestamp_ms: i64) -> Result<()> {
        self.append(topic, key, value, timestamp_ms);
        self.run()
    }

    /// A record arrives and is not processed yet: several appended ones are processed in one batch by [`TestDriver::run`].
    pub fn append(&mut self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>, timestamp_ms: i64) {
        let records = self.topics.entry(topic.to_owned()).or_default();
        records.push(OwnedRecord {
            offset: next_offset(records),
            timestamp_ms,
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: Vec::new(),
        });
    }

    /// Processes all input that has arrived, and commits if a processor asks for it.
    pub fn run(&mut self) -> Result<()> {
        loop {
            let mut progress = false;
            for index in 0..self.drives.len() {
                progress |= self.process(index)?;
            }
            if self.drives.iter().any(|drive| drive.task.as_ref().is_some_and(Task::commit_requested)) {
                self.commit()?;
            } else if !progress {
                return Ok(());
            }
        }
    }

    /// Lets wall-clock time pass, and processors punctuate.
    pub fn advance_clock(&mut self, by_ms: i64) -> Result<()> {
        self.now_ms += by_ms;
        for drive in &mut self.drives {
            if let Some(task) = &mut drive.task {
                task.advance_clock(self.now_ms)?;
            }
            drive.collect()?;
        }
        self.run()
    }

    /// Commits: outputs become visible, stores take their writes.
    pub fn commit(&mut self) -> Result<()> {
        let now_ms = self.now_ms;
        for drive in &mut self.drives {
            let Some(task) = &mut drive.task else { continue };
            let commit = task.prepare_commit()?;
            drive.collect()?;
            let mut delivered: BTreeMap<String, Offset> = BTreeMap::new();
            for (topic, mut record) in std::mem::take(&mut drive.pending) {
                let records = self.topics.entry(topic.clone()).or_default();
                record.offset = next_offset(records);
                delivered.insert(topic, record.offset);
                records.push(record);
            }
            let metadata = Metadata::decode(&commit.metadata).map_err(|error| Error::stop(error.to_string()))?;
            drive.committed = (commit.offset, metadata);
            let topics = &drive.topics;
            if let Some(task) = &mut drive.task {
                task.committed(commit.offset, |target| delivered.get(&topics[target.0]).copied(), now_ms)?;
            }
            drive.collect()?;
        }
        self.run_quietly()
    }

    /// What happens after a transaction failed, or a process died: everything since the last commit is void, processors are
    /// made anew, and input is delivered again from the committed offset.
    pub fn abort(&mut self) -> Result<()> {
        for index in 0..self.drives.len() {
            let drive = &mut self.drives[index];
            self.aborted.append(&mut drive.pending);
            let stores = drive.task.take().and_then(Task::into_stores);
            let stores = stores.ok_or_else(|| Error::stop("a handle to a store outlives its task"))?;
            self.start(index, stores)?;
        }
        self.run()
    }

    /// The group's offsets are lost, as Kafka forgets them after a week without members: input is delivered from the beginning.
    /// What is not committed is void.
    pub fn lose_offsets(&mut self) -> Result<()> {
        for drive in &mut self.drives {
            drive.committed = (0, Metadata::default());
        }
        self.abort()
    }

    /// Somebody deletes a topic; its offsets begin anew.
    pub fn delete_topic(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    /// Says that no more input comes, and commits, until nothing is held any more.
    pub fn end_of_input(&mut self) -> Result<()> {
        self.run()?;
        // Each round decides, commits, or finishes one more held batch; one that never ends is a fault of the topology.
        for _ in 0..100_000 {
            self.commit()?;
            let mut done = true;
            for drive in &mut self.drives {
                let Some(task) = &mut drive.task else { continue };
                if task.is_holding() {
                    task.end_of_input()?;
                    done = false;
                }
                done &= !task.needs_commit();
                drive.collect()?;
                done &= drive.pending.is_empty();
            }
            if done {
                return Ok(());
            }
        }
        Err(Error::stop("input is still held after 100000 commits"))
    }

    /// The committed records of a topic.
    pub fn read(&self, topic: &str) -> &[OwnedRecord] {
        self.topics.get(topic).map_or(&[], Vec::as_slice)
    }

    /// What was produced and then aborted, in order: a reader of uncommitted data would have seen it.
    pub fn aborted(&self) -> &[(String, OwnedRecord)] {
        &self.aborted
    }

    /// The committed records of a store's changelog.
    pub fn read_changelog(&self, store: &str) -> &[OwnedRecord] {
        self.read(&changelog_topic(&self.application_id, store))
    }

    /// The committed offset of a source topic.
    pub fn committed_offset(&self, topic: &str) -> Option<Offset> {
        self.drives.iter().find(|drive| drive.source == topic).map(|drive| drive.committed.0)
    }

    /// A handle to a store, uncommitted writes included. It must be dropped before [`TestDriver::abort`].
    pub fn store<K: Codec, V: Codec>(&self, store: &Store<K, V>) -> Result<KeyValueStore<K, V>> {
        for (drive, spec) in self.drives.iter().zip(self.topology.sub_topologies.iter()) {
            let index = spec.stores.iter().position(|at| at.name == store.name());
            if let (Some(index), Some(task)) = (index, &drive.task) {
                return Ok(KeyValueStore::new(
                    Rc::clone(task.stores()),
                    index,
                    store.key_codec(),
                    store.value_codec(),
                )?);
            }
        }
        Err(Error::stop(format!("there is no store '{}'", store.name())))
    }

    fn start(&mut self, index: usize, stores: Stores) -> Result<()> {
        let spec = &self.topology.sub_topologies[index];
        let drive = &mut self.drives[index];
        let first_changelog = drive.topics.len() - spec.stores.len();
        let (next_offset, metadata) = drive.committed;
        let options = TaskOptions {
            id: TaskId { sub_topology: spec.name.clone(), partition: 0 },
            sub_topology: index,
            runtime: RuntimeOptions {
                partition: TopicPartition::new(drive.source.clone(), 0),
                next_offset,
                input_end: next_offset,
                stream_time_ms: metadata.stream_time_ms,
                now_ms: self.now_ms,
                topics: drive.topics.clone(),
                dead_letters: Target(first_changelog - 1),
                dead_letter_max_bytes: 1_000_000,
            },
            changelogs: (0..spec.stores.len()).map(|store| Target(first_changelog + store)).collect(),
        };
        drive.task = Some(Task::new(&self.topology, options, Rc::new(RefCell::new(stores)))?);
        drive.collect()
    }

    /// Gives a task what has arrived for it. Returns whether there was anything.
    fn process(&mut self, index: usize) -> Result<bool> {
        let drive = &mut self.drives[index];
        let Some(task) = &mut drive.task else { return Ok(false) };
        let arrived = self.topics.get(&drive.source).map_or(&[][..], Vec::as_slice);
        let new = &arrived[arrived.partition_point(|record| record.offset < task.next_offset())..];
        if new.is_empty() || task.is_suspended() {
            return Ok(false);
        }
        let headers: Vec<Vec<Header<'_>>> = new
            .iter()
            .map(|record| record.headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect())
            .collect();
        let records: Vec<Record<'_>> = new
            .iter()
            .zip(&headers)
            .map(|(record, headers)| Record {
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                headers,
            })
            .collect();
        task.process(&records)?;
        drive.collect()?;
        Ok(true)
    }

    /// Runs what a commit made visible, unless a commit is asked for again.
    fn run_quietly(&mut self) -> Result<()> {
        for index in 0..self.drives.len() {
            self.process(index)?;
        }
        Ok(())
    }
}

impl Drive {
    fn collect(&mut self) -> Result<()> {
        let Self { task: Some(task), pending, .. } = self else { return Ok(()) };
        task.outputs().drain(|record| {
            let headers =
                record.headers.iter().map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)));
            let owned = OwnedRecord {
                offset: -1,
                timestamp_ms: record.timestamp_ms,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: headers.collect(),
            };
            pending.push((record.topic.to_owned(), owned));
            Ok(())
        })
    }
}

fn next_offset(records: &[OwnedRecord]) -> Offset {
    records.last().map_or(0, |record| record.offset + 1)
}
