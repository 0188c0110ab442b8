//! A topology without a broker: pipe records in, read records out, look into stores, let time pass, commit, abort.
//!
//! The driver runs the same tasks as production, synchronously, with stores in memory. It plays the log: offsets rise
//! by one per record and partition, a commit makes outputs visible, an abort voids them and delivers input again from
//! the committed offset, as after a failed transaction. Nothing commits by itself, except that [`TestDriver::pipe`]
//! does when a processor asks for it; [`TestDriver::by_hand`] leaves that to the test, too. A topic has one partition,
//! unless the graph asks for more; all tasks commit together.
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

mod changelogs;
mod drive;
mod failure;
mod mishaps;
mod record;
mod results;
mod stores;
#[cfg(test)]
mod tests;
mod topics;
mod transaction;
mod typed;

use std::collections::BTreeSet;
use std::rc::Rc;

use drive::Drive;
use mishaps::Replaced;
pub use record::OwnedRecord;
pub use topics::Place;
use transaction::Broker;
pub use typed::{Input, Output};

use crate::client::Config;
use crate::error::{Error, Result};
use crate::graph::Topology;
use crate::log::ProducerRecord;
use crate::task::Task;

/// Runs a topology: a task for each partition of what a sub-topology reads. There is one, unless the graph asks for
/// more ([`Topic::partitions`](crate::graph::Topic::partitions)).
pub struct TestDriver {
    topology: Topology,
    application_id: String,
    /// Topics that are there beside those that the graph names.
    others: Vec<String>,
    now_ms: i64,
    /// Whether nothing is processed or committed by itself.
    by_hand: bool,
    drives: Vec<Drive>,
    broker: Broker,
    replaced: Rc<Replaced>,
    /// How many changelogs were begun.
    changelog_count: u64,
    /// The first error of a task, until others begin.
    failure: Option<String>,
    /// Topics that a topology writes which ran here, of whatever version.
    written: BTreeSet<String>,
}

impl TestDriver {
    /// Starts a topology at this wall-clock time, under an application id that a client takes. What processors ask to
    /// be committed at their start is committed. One that reads topics by a [`Pattern`](crate::graph::Pattern) needs
    /// [`TestDriver::with_topics`].
    pub fn new(topology: &Topology, application_id: &str, now_ms: i64) -> Result<Self> {
        Self::with_topics(topology, application_id, now_ms, &[])
    }

    /// As [`TestDriver::new`], where these topics are there beside those that the graph names.
    pub fn with_topics(topology: &Topology, application_id: &str, now_ms: i64, topics: &[&str]) -> Result<Self> {
        Self::start(topology, application_id, now_ms, topics, false)
    }

    /// As [`TestDriver::new`], and from the start on each step is the test's: records are processed by
    /// [`TestDriver::deliver`] and [`TestDriver::run`] only, and nothing is committed but by [`TestDriver::commit`],
    /// also where a processor asks for it. So a test says what a transaction holds, and where a process dies.
    ///
    /// ```
    /// # use topology::graph::{Builder, Store};
    /// # use topology::test_driver::TestDriver;
    /// # let builder = Builder::new();
    /// # let counts: Store<str, i64> = Store::memory("counts");
    /// # builder.sub_topology("counting").source::<str, ()>("words").count(&counts).sink("totals");
    /// # let topology = builder.build()?;
    /// let mut driver = TestDriver::by_hand(&topology, "app", 0)?;
    /// for word in ["tea", "tea", "tea"] {
    ///     driver.input::<str, ()>("words").pipe(word, ())?; // waits in the topic
    /// }
    /// driver.deliver("words", 2)?;
    /// driver.commit()?;
    /// driver.deliver("words", 2)?;
    /// assert_eq!(driver.store(&counts)?.get(&"tea")?, Some(3));
    /// driver.restart(&topology)?; // the process dies before it commits again
    /// assert_eq!(driver.store(&counts)?.get(&"tea")?, Some(2));
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn by_hand(topology: &Topology, application_id: &str, now_ms: i64) -> Result<Self> {
        Self::start(topology, application_id, now_ms, &[], true)
    }

    fn start(topology: &Topology, application_id: &str, now_ms: i64, others: &[&str], by_hand: bool) -> Result<Self> {
        Config::new(application_id).check()?;
        let mut driver = Self {
            topology: topology.clone(),
            application_id: application_id.to_owned(),
            others: others.iter().map(|name| (*name).to_owned()).collect(),
            now_ms,
            by_hand,
            drives: Vec::new(),
            broker: Broker::default(),
            replaced: Rc::default(),
            changelog_count: 0,
            failure: None,
            written: BTreeSet::new(),
        };
        driver.restart(topology)?;
        Ok(driver)
    }

    /// A record arrives in a topic, in the partition where its key belongs or the one that is named, and is processed.
    /// A record without a key goes to the first one. A topic that no source reads is an error.
    ///
    /// An error of a processor stops the driver as it stops a client: nothing of the transaction is committed, and
    /// until [`TestDriver::abort`] or [`TestDriver::restart`] whatever would go on answers that error. Records arrive
    /// all the same ([`TestDriver::append`]).
    ///
    /// ```
    /// # use topology::graph::Builder;
    /// # use topology::test_driver::TestDriver;
    /// # let version = |fails: bool| -> topology::Result<_> {
    /// #     let builder = Builder::new();
    /// #     let prices = builder.sub_topology("reading").source::<[u8], str>("prices");
    /// #     let read = prices.try_map_values(move |price| if fails { Ok(price.parse::<i64>()?) } else { Ok(0) });
    /// #     read.sink("numbers");
    /// #     builder.build()
    /// # };
    /// # let (faulty, mended) = (version(true)?, version(false)?);
    /// let mut driver = TestDriver::new(&faulty, "app", 0)?;
    /// driver.pipe("prices", None, Some(b"7"), 0)?;
    /// assert!(driver.pipe("prices", None, Some(b"much"), 0).is_err());
    /// assert!(driver.commit().is_err() && driver.read("numbers").is_empty());
    /// driver.restart(&mended)?; // takes both records again
    /// driver.commit()?;
    /// assert_eq!(driver.read("numbers").len(), 2);
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn pipe(
        &mut self,
        place: impl Into<Place>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp_ms: i64,
    ) -> Result<()> {
        self.check_goes_on()?;
        self.append(place, key, value, timestamp_ms)?;
        self.go_on()
    }

    /// As [`TestDriver::pipe`], of a whole record, headers included. It gets the next offset of its partition, whatever
    /// partition and offset it had.
    pub fn pipe_record(&mut self, place: impl Into<Place>, record: OwnedRecord) -> Result<()> {
        self.check_goes_on()?;
        self.append_record(place.into(), record)?;
        self.go_on()
    }

    /// A record arrives and is not processed yet: several appended ones are processed in one batch by
    /// [`TestDriver::run`]. A topic that no source reads is an error.
    pub fn append(
        &mut self,
        place: impl Into<Place>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp_ms: i64,
    ) -> Result<()> {
        let place = place.into();
        let record = ProducerRecord { topic: &place.topic, partition: None, timestamp_ms, key, value, headers: &[] };
        let record = OwnedRecord::produced(0, &record);
        self.append_record(place, record)
    }

    fn append_record(&mut self, place: Place, record: OwnedRecord) -> Result<()> {
        let topic = &place.topic;
        if !self.drives.iter().any(|drive| drive.reads(topic)) {
            return Err(Error::stop(format!("no source of the topology reads topic '{topic}'")));
        }
        let partition = self.broker.topics.partition_of(&place, record.key.as_deref())?;
        self.broker.topics.push(topic, OwnedRecord { partition, ..record });
        Ok(())
    }

    /// Processes all input that has arrived, and commits if a processor asks for it.
    pub fn run(&mut self) -> Result<()> {
        self.moving(|driver| {
            loop {
                let any = driver.process_all()?;
                if driver.commit_requested() && !driver.by_hand {
                    driver.commit()?;
                } else if !any {
                    return Ok(());
                }
            }
        })
    }

    /// An error where a record that arrives now would not be processed. By hand it only arrives, and that needs no
    /// task.
    fn check_goes_on(&self) -> Result<()> {
        if self.by_hand { Ok(()) } else { self.check_failure() }
    }

    /// What happens by itself.
    fn go_on(&mut self) -> Result<()> {
        if self.by_hand { Ok(()) } else { self.run() }
    }

    /// Lets wall-clock time pass, and processors punctuate.
    pub fn advance_clock(&mut self, by_ms: i64) -> Result<()> {
        self.moving(|driver| {
            driver.now_ms += by_ms;
            for index in 0..driver.drives.len() {
                if let Some(task) = &mut driver.drives[index].task {
                    task.advance_clock(driver.now_ms)?;
                }
                driver.collect(index)?;
            }
            driver.go_on()
        })
    }

    /// Whether a processor asks for a commit.
    pub fn commit_requested(&self) -> bool {
        self.drives.iter().any(|drive| drive.task.as_ref().is_some_and(Task::commit_requested))
    }

    /// Commits: outputs become visible, stores take their writes. An error where the input was exchanged since the
    /// start ([`TestDriver::delete_topic`]), or a task has failed before; after any, [`TestDriver::abort`] goes on.
    pub fn commit(&mut self) -> Result<()> {
        self.moving(|driver| {
            driver.commit_all()?;
            // What it made visible; another commit that is asked for waits.
            if driver.by_hand { Ok(()) } else { driver.process_all().map(drop) }
        })
    }

    /// What happens after a transaction failed: everything since the last commit is void, processors are made anew in
    /// the same process, and input is delivered again from the committed offset: a record on which a processor fails
    /// comes again, too, and fails again. The topics are taken for what they are now.
    pub fn abort(&mut self) -> Result<()> {
        self.begin_again()?;
        self.go_on()
    }

    /// The process dies, and another takes over, which runs this topology: the same application, or another version of
    /// it. What is not committed is void. A task whose stores are the same finds them as on a disk; others are rebuilt
    /// from their changelogs.
    ///
    /// ```
    /// # use topology::graph::{Builder, Store};
    /// # use topology::test_driver::TestDriver;
    /// let counts: Store<str, i64> = Store::rocksdb("counts");
    /// let version = |sink: &str| -> topology::Result<_> {
    ///     let builder = Builder::new();
    ///     builder.sub_topology("counting").source::<str, ()>("words").count(&counts).sink(sink);
    ///     builder.build()
    /// };
    /// let mut driver = TestDriver::new(&version("totals")?, "app", 0)?;
    /// driver.input::<str, ()>("words").pipe("tea", ())?;
    /// driver.commit()?;
    /// driver.restart(&version("totals-2")?)?; // the new version counts on
    /// driver.input::<str, ()>("words").pipe("tea", ())?;
    /// driver.commit()?;
    /// assert_eq!(driver.output::<str, i64>("totals-2").read()?, [(Some("tea"), Some(2))]);
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn restart(&mut self, topology: &Topology) -> Result<()> {
        self.take_over(topology)?;
        self.go_on()
    }

    /// Says that no more input comes, processes what is there, and commits, until nothing is held any more.
    pub fn end_of_input(&mut self) -> Result<()> {
        self.run()?;
        self.moving(Self::finish)
    }

    fn finish(&mut self) -> Result<()> {
        // Each round decides, commits, or finishes one more held batch; one that never ends is a fault of the topology.
        for _ in 0..100_000 {
            self.commit_all()?;
            self.process_all()?;
            let mut done = true;
            for index in 0..self.drives.len() {
                let Some(task) = &mut self.drives[index].task else { continue };
                if task.is_holding() {
                    task.end_of_input()?;
                    done = false;
                }
                done &= !task.wants_commit();
                self.collect(index)?;
            }
            if done && self.broker.uncommitted.is_empty() {
                return Ok(());
            }
        }
        Err(Error::stop("input is still held after 100000 commits"))
    }
}
