//! A topology without a broker: pipe records in, read records out, look into stores, let time pass, commit, abort.
//!
//! The driver runs the same tasks as production, synchronously, with stores in memory. It plays the log: offsets rise by one
//! per record and topic, a commit makes outputs visible, an abort voids them and delivers input again from the committed
//! offset, as after a failed transaction. Nothing commits by itself, except that [`TestDriver::pipe`] does when a processor
//! asks for it. A topic has one partition, unless the graph asks for more; all tasks commit together.
//!
//! ```
//! use topology::graph::{Builder, Store};
//! use topology::test_driver::TestDriver;
//!
//! let builder = Builder::new();
//! let counts: Store<str, i64> = Store::rocksdb("counts");
//! builder.sub_topology("counting").source::<str, [u8]>("words").count(&counts).sink("totals");
//! let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
//!
//! driver.input::<str, [u8]>("words").pipe("apple", b"")?;
//! assert!(driver.read("totals").is_empty()); // nothing is visible before the commit
//! driver.commit()?;
//! assert_eq!(driver.output::<str, i64>("totals").read()?, [(Some("apple"), Some(1))]);
//!
//! driver.input::<str, [u8]>("words").pipe("apple", b"")?;
//! driver.abort()?; // the transaction failed: the record is processed again, from the committed state
//! assert_eq!(driver.store(&counts)?.get(&"apple")?, Some(2));
//! # Ok::<(), topology::Error>(())
//! ```

mod drive;
mod mishaps;
mod record;
#[cfg(test)]
mod tests;
mod topics;
mod typed;

use std::collections::BTreeMap;
use std::rc::Rc;

use drive::{Drive, collect};
use mishaps::Replaced;
pub use record::OwnedRecord;
pub use topics::Place;
use topics::Topics;
pub use typed::{Input, Output};

use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::graph::{Store, Topology, changelog_topic};
use crate::log::{Offset, ProducerRecord};
use crate::processor::Vouch;
use crate::store::{KeyValueStore, Options, Resources, Stores};
use crate::task::{Metadata, Task};

/// Runs a topology: a task for each partition of what a sub-topology reads. There is one, unless the graph asks for more
/// ([`Topic::partitions`](crate::graph::Topic::partitions)).
pub struct TestDriver {
    topology: Topology,
    application_id: String,
    now_ms: i64,
    drives: Vec<Drive>,
    topics: Topics,
    /// Everything that was produced and then aborted.
    aborted: Vec<(String, OwnedRecord)>,
    replaced: Rc<Replaced>,
}

impl TestDriver {
    /// Starts a topology at this wall-clock time. What processors ask to be committed at their start is committed. One that reads
    /// topics by a [`Pattern`](crate::graph::Pattern) needs [`TestDriver::with_topics`].
    pub fn new(topology: &Topology, application_id: &str, now_ms: i64) -> Result<Self> {
        Self::with_topics(topology, application_id, now_ms, &[])
    }

    /// As [`TestDriver::new`], where these topics are there beside those that the graph names.
    pub fn with_topics(topology: &Topology, application_id: &str, now_ms: i64, topics: &[&str]) -> Result<Self> {
        let names: Vec<String> = topics.iter().map(|name| (*name).to_owned()).collect();
        let topology = topology.resolve(application_id, &names)?;
        topology.check_matched()?;
        let topology = topology.as_asked()?;
        let mut driver = Self {
            topics: Topics::new(&topology, application_id),
            topology: topology.clone(),
            application_id: application_id.to_owned(),
            now_ms,
            drives: Vec::new(),
            aborted: Vec::new(),
            replaced: Rc::default(),
        };
        for (index, spec) in topology.sub_topologies.iter().enumerate() {
            for partition in 0..spec.partition_count() {
                driver.add(index, partition)?;
            }
        }
        driver.run()?;
        Ok(driver)
    }

    /// Starts a task.
    fn add(&mut self, sub_topology: usize, partition: i32) -> Result<()> {
        let spec = &self.topology.sub_topologies[sub_topology];
        let resources = Resources::without_thread(Options::default());
        let mut stores = Stores::in_memory(spec.stores.clone(), [0; 32], &resources)?;
        for store in (0..spec.stores.len()).filter(|store| spec.stores[*store].has_changelog) {
            stores.begin_changelog(store, [0; 16])?;
        }
        let sources: Vec<String> = spec.source_topics().iter().map(|topic| topic.name().to_owned()).collect();
        self.drives.push(Drive {
            sub_topology,
            partition,
            task: None,
            outputs: spec.outputs(&self.application_id),
            committed: vec![(None, Metadata::default()); sources.len()],
            sources,
            pending: Vec::new(),
        });
        self.start(self.drives.len() - 1, stores, false)
    }

    /// A record arrives in a topic, in the partition where its key belongs or the one that is named, and is processed. A record
    /// without a key goes to the first one. A topic that no source reads is an error.
    pub fn pipe(
        &mut self,
        place: impl Into<Place>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp_ms: i64,
    ) -> Result<()> {
        self.append(place, key, value, timestamp_ms)?;
        self.run()
    }

    /// As [`TestDriver::pipe`], of a whole record, headers included. It gets the next offset of its partition, whatever partition
    /// and offset it had.
    pub fn pipe_record(&mut self, place: impl Into<Place>, record: OwnedRecord) -> Result<()> {
        self.append_record(place.into(), record)?;
        self.run()
    }

    /// A record arrives and is not processed yet: several appended ones are processed in one batch by [`TestDriver::run`]. A
    /// topic that no source reads is an error.
    pub fn append(
        &mut self,
        place: impl Into<Place>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp_ms: i64,
    ) -> Result<()> {
        let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        let record = OwnedRecord { partition: 0, offset: -1, timestamp_ms, key, value, headers: Vec::new() };
        self.append_record(place.into(), record)
    }

    fn append_record(&mut self, place: Place, record: OwnedRecord) -> Result<()> {
        let topic = &place.topic;
        if !self.drives.iter().any(|drive| drive.reads(topic)) {
            return Err(Error::stop(format!("no source of the topology reads topic '{topic}'")));
        }
        let partition = self.topics.partition_of(&place, record.key.as_deref())?;
        self.topics.push(topic, OwnedRecord { partition, ..record });
        Ok(())
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
            drive.collect(&self.topics)?;
        }
        self.run()
    }

    /// Commits: outputs become visible, stores take their writes. An error where the input was exchanged since the start
    /// ([`TestDriver::delete_topic`]).
    pub fn commit(&mut self) -> Result<()> {
        self.commit_all()?;
        self.run_quietly()
    }

    fn commit_all(&mut self) -> Result<()> {
        let now_ms = self.now_ms;
        for drive in &self.drives {
            self.voucher(&drive.sources).vouch()?;
        }
        for drive in &mut self.drives {
            let Drive { task: Some(task), pending, .. } = drive else { continue };
            let commits = task.prepare_commit(&mut |outputs| collect(outputs, &self.topics, pending))?;
            // Of the task's own partition: its changelogs are there.
            let mut delivered: BTreeMap<String, Offset> = BTreeMap::new();
            for (topic, mut record) in std::mem::take(&mut drive.pending) {
                if record.timestamp_ms == ProducerRecord::NOW {
                    record.timestamp_ms = now_ms;
                }
                let partition = record.partition;
                let offset = self.topics.push(&topic, record);
                if partition == drive.partition {
                    delivered.insert(topic, offset);
                }
            }
            for (committed, commit) in drive.committed.iter_mut().zip(&commits) {
                let metadata = Metadata::decode(&commit.metadata).map_err(|error| Error::stop(error.to_string()))?;
                *committed = (Some(commit.offset), metadata);
            }
            let topics = &drive.outputs.names;
            task.committed(&commits, |target| delivered.get(&topics[target.0]).copied(), now_ms)?;
            drive.collect(&self.topics)?;
        }
        Ok(())
    }

    /// What happens after a transaction failed, or a process died: everything since the last commit is void, processors are
    /// made anew, and input is delivered again from the committed offset. The topics are taken for what they are now.
    pub fn abort(&mut self) -> Result<()> {
        self.abort_all()?;
        self.run()
    }

    fn abort_all(&mut self) -> Result<()> {
        self.replaced.forget();
        for index in 0..self.drives.len() {
            let drive = &mut self.drives[index];
            self.aborted.append(&mut drive.pending);
            let stores = drive.task.take().and_then(Task::into_stores);
            let stores = stores.ok_or_else(|| Error::stop("a handle to a store outlives its task"))?;
            self.start(index, stores, true)?;
        }
        Ok(())
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
                done &= !task.wants_commit();
                drive.collect(&self.topics)?;
                done &= drive.pending.is_empty();
            }
            if done {
                return Ok(());
            }
        }
        Err(Error::stop("input is still held after 100000 commits"))
    }

    /// The committed records of a topic, of all its partitions, in the order in which they became visible.
    pub fn read(&self, topic: &str) -> &[OwnedRecord] {
        self.topics.records(topic)
    }

    /// What was produced and then aborted, in order: a reader of uncommitted data would have seen it.
    pub fn aborted(&self) -> &[(String, OwnedRecord)] {
        &self.aborted
    }

    /// The committed records of a store's changelog.
    pub fn read_changelog(&self, store: &str) -> &[OwnedRecord] {
        self.read(&changelog_topic(&self.application_id, store))
    }

    /// The committed offset of a source topic's partition, of the first one where none is named; `None` before the first commit.
    pub fn committed_offset(&self, place: impl Into<Place>) -> Option<Offset> {
        let Place { topic, partition } = place.into();
        let mut drives = self.drives.iter().filter(|drive| drive.partition == partition.unwrap_or(0));
        drives.find_map(|drive| drive.committed[drive.input(&topic)?].0)
    }

    /// A handle to a store, uncommitted writes included. It must be dropped before [`TestDriver::abort`]. Where there are several
    /// tasks that have one, [`TestDriver::store_of`] says which.
    pub fn store<K: Codec + ?Sized, V: Codec + ?Sized>(&self, store: &Store<K, V>) -> Result<KeyValueStore<K, V>> {
        match &self.drives_with(store)[..] {
            [one] => self.handle(one, store),
            several if several.len() > 1 => {
                let (name, count) = (store.name(), several.len());
                Err(Error::stop(format!("each of {count} tasks has a store '{name}': say which with store_of")))
            }
            _ => Err(Error::stop(format!("there is no store '{}'", store.name()))),
        }
    }

    /// As [`TestDriver::store`], of the task of this partition.
    pub fn store_of<K: Codec + ?Sized, V: Codec + ?Sized>(
        &self,
        store: &Store<K, V>,
        partition: i32,
    ) -> Result<KeyValueStore<K, V>> {
        let drives = self.drives_with(store);
        let found = drives.into_iter().find(|drive| drive.partition == partition);
        let found = found
            .ok_or_else(|| Error::stop(format!("no task of partition {partition} has a store '{}'", store.name())))?;
        self.handle(found, store)
    }

    fn drives_with<K: ?Sized, V: ?Sized>(&self, store: &Store<K, V>) -> Vec<&Drive> {
        let has = |drive: &&Drive| {
            let specs = &self.topology.sub_topologies[drive.sub_topology].stores;
            specs.iter().any(|spec| spec.name == store.name())
        };
        self.drives.iter().filter(has).collect()
    }

    fn handle<K: Codec + ?Sized, V: Codec + ?Sized>(
        &self,
        drive: &Drive,
        store: &Store<K, V>,
    ) -> Result<KeyValueStore<K, V>> {
        let specs = &self.topology.sub_topologies[drive.sub_topology].stores;
        let index = specs.iter().position(|spec| spec.name == store.name());
        let missing = || Error::stop(format!("there is no store '{}'", store.name()));
        let (index, task) = index.zip(drive.task.as_ref()).ok_or_else(missing)?;
        Ok(KeyValueStore::new(Rc::clone(task.stores()), index)?)
    }

    /// Runs what a commit made visible, unless a commit is asked for again.
    fn run_quietly(&mut self) -> Result<()> {
        for index in 0..self.drives.len() {
            self.process(index)?;
        }
        Ok(())
    }
}
