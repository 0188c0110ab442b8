//! Forgetting an application's progress and state, so that it starts again from the beginning: what Kafka Streams'
//! application reset tool and `KafkaStreams.cleanUp` do.
//!
//! ```text
//!   Plan::look ──> what there is (a dry run shows it) ──> Plan::carry_out:  no members?  offsets  stores  topics
//! ```
//! The topics are changelogs and repartition topics. In this order a reset that dies half-way is one that the next
//! start refuses: without offsets, state has no input position that vouches for it, whether it lies in stores or in
//! changelogs. Carried out again, it goes on where it was.
//!
//! Topics of sources, sinks and dead letters stay. May use all the crate but `test_driver`.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::client::{internal_topics, resolve_as_far_as_there};
use crate::error::{Error, Result};
use crate::graph::Topology;
use crate::log::{Log, TopicPartition};

use crate::store::{self, INSTANCE, LOCK, StateDirectory};

/// What there is of an application to forget.
///
/// ```
/// # use std::sync::Arc;
/// use topology::client::{Client, Config};
/// use topology::graph::{Builder, Store};
/// # use topology::log::memory::MemoryLog;
/// use topology::reset::Plan;
///
/// # fn main() -> topology::Result<()> {
/// # let log = MemoryLog::new(Arc::new(|| 0));
/// let builder = Builder::new();
/// builder.sub_topology("counting").source::<str, ()>("words").count(&Store::memory("counts")).sink("totals");
/// let topology = builder.build()?;
/// # let config = Config { until_end: true, ..Config::new("app") };
/// # Client::start_blocking(&topology, log.clone(), config)?.wait()?;
///
/// let plan = Plan::look(&topology, &log, "app", None)?;
/// assert_eq!(plan.to_string(), "topic app-counts-changelog");
/// plan.carry_out(&log)?;
/// assert!(Plan::look(&topology, &log, "app", None)?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    application_id: String,
    topics: Vec<String>,
    has_offsets: bool,
    stores: Option<PathBuf>,
}

impl Plan {
    /// Looks what there is: changelogs and repartition topics, offsets of the group and, where a state directory is
    /// given, stores in it. Changes nothing.
    pub fn look<L: Log>(
        topology: &Topology,
        log: &L,
        application_id: &str,
        state_directory: Option<&Path>,
    ) -> Result<Self> {
        let topology = &resolve_as_far_as_there(topology, log, application_id)?;
        let mut topics = Vec::new();
        for topic in internal_topics(topology, application_id) {
            if log.describe_topic(&topic)?.is_some() {
                topics.push(topic);
            }
        }
        let mut inputs = Vec::new();
        for source in topology.source_topics() {
            let count = log.describe_topic(source.name())?.map_or(0, |found| found.partition_count);
            inputs.extend((0..count).map(|partition| TopicPartition::new(source.name(), partition)));
        }
        let has_offsets = !inputs.is_empty() && log.committed(application_id, &inputs)?.iter().any(Option::is_some);
        let stores = state_directory.map(|root| root.join(application_id)).filter(|path| path.exists());
        Ok(Self { application_id: application_id.to_owned(), topics, has_offsets, stores })
    }

    /// The application's topics that are deleted.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// Whether its group has offsets of what it reads, which are deleted.
    pub fn has_offsets(&self) -> bool {
        self.has_offsets
    }

    /// Its directory on this machine, which is deleted.
    pub fn stores(&self) -> Option<&Path> {
        self.stores.as_deref()
    }

    /// Whether nothing was found: a mistyped application id, or a reset that was carried out.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty() && !self.has_offsets && self.stores.is_none()
    }

    /// An error of class stop while the group has members: what is deleted under an instance that runs, it would write
    /// again.
    pub fn check_unused<L: Log>(&self, log: &L) -> Result<()> {
        match log.group_member_count(&self.application_id)? {
            0 => Ok(()),
            count => {
                let members = if count == 1 { "1 member".to_owned() } else { format!("{count} members") };
                Err(Error::stop(format!(
                    "group '{}' has {members}: stop all instances first (a killed one counts until its session ends)",
                    self.application_id
                )))
            }
        }
    }

    /// Deletes what was found. Refused while the group has members, or the state directory is in use.
    pub fn carry_out<L: Log>(&self, log: &L) -> Result<()> {
        self.check_unused(log)?;
        // Locked while an instance runs; the group may have missed one that just started.
        let stores = self.stores.as_deref().map(|path| Locked::new(path, &self.application_id)).transpose()?;
        // Refused by a group that has members after all: before anything is gone.
        log.delete_group(&self.application_id)?;
        stores.map_or(Ok(()), Locked::delete)?;
        log.delete_topics(&self.topics)?;
        Ok(())
    }
}

impl fmt::Display for Plan {
    /// What is deleted, one a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offsets = self.has_offsets.then(|| format!("the offsets of group {}", self.application_id));
        let stores = self.stores.iter().map(|path| format!("the stores in {}", path.display()));
        let topics = self.topics.iter().map(|topic| format!("topic {topic}"));
        let lines: Vec<String> = topics.chain(offsets).chain(stores).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// An application's directory, locked so that no instance uses it meanwhile.
struct Locked {
    path: PathBuf,
    /// `None` where no instance has used it yet.
    state: Option<StateDirectory>,
}

impl Locked {
    /// Refuses a directory that no run has made.
    fn new(path: &Path, application_id: &str) -> Result<Self> {
        let root = path.parent().unwrap_or(path);
        let state = match StateDirectory::open_existing(root, application_id) {
            Err(error) if error.kind() == store::Kind::Missing => None,
            opened => Some(opened?),
        };
        // A run that ended before its stores were made, or a reset that died, leaves no more than a lock file.
        if state.is_none() && !entries(path)?.iter().all(|entry| entry.ends_with(LOCK)) {
            return Err(Error::stop(format!(
                "{} is no state directory of this application: it has no instance id. Nothing was deleted; check the \
                 directory and the application id, or delete it by hand",
                path.display()
            )));
        }
        Ok(Self { path: path.to_owned(), state })
    }

    /// The lock file comes last, and the instance id before it: what is left by a reset that dies can be deleted by the
    /// next.
    fn delete(self) -> Result<()> {
        let failed = |error| Error::stop(format!("cannot delete {}: {error}", self.path.display())).caused_by(error);
        let rank = |path: &PathBuf| (path.ends_with(LOCK), path.ends_with(INSTANCE));
        let mut paths = entries(&self.path)?;
        paths.sort_by_key(rank);
        for path in paths {
            let is_directory = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
            let deleted = if is_directory { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            deleted.or_else(unless_gone).map_err(failed)?;
        }
        drop(self.state);
        fs::remove_dir(&self.path).or_else(unless_gone).map_err(failed)
    }
}

/// What is in a directory; nothing in one that is gone.
fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|error| Error::stop(format!("cannot list {}: {error}", path.display())).caused_by(error)),
    }
}

/// As after a reset that died, and is carried out again.
fn unless_gone(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
#[cfg(feature = "rocksdb")]
mod tests;
