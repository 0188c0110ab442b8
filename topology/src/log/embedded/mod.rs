//! A durable log in one directory, for one process at a time, on RocksDB.
//!
//! ```text
//! DIR/LOCK         held while the log is open
//! DIR/db           RocksDB
//!   column family default    rows: see `local::row`;  key "F" -> u8 format of the whole directory, 2
//!   column family records    u32 topic id | u32 partition | i64 base offset  ->  batch, see `local::batch`
//! ```
//! Keys are big-endian, so that a partition's batches lie in offset order. Batches go to blob files (lz4), where no
//! compaction of RocksDB rewrites them.
//!
//! **What survives what.** A commit is one atomic write to RocksDB's write-ahead log: the transaction's last records,
//! its markers, its group offsets, and that it is no longer open. When `commit` returns, it has left this process: it
//! survives the end of the process at any moment, `kill -9` included. It survives the end of the machine, too, with
//! [`Options::fsync`]; without it, the last moments before a power failure may be lost, whole transactions at a time,
//! the latest first. What was open when the process ended is aborted at the next open.
//!
//! Uses the broker of the logs in this process (`local`), and RocksDB.

mod storage;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Result;
use super::local::{self, Broker, Clock};
use storage::RocksStorage;

/// How to open an [`EmbeddedLog`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether a commit also waits until it is on the disk (`fsync`), so that it survives the machine's end. Costs a
    /// few milliseconds per commit on most disks.
    pub fsync: bool,
    /// Whether a directory without a log is an error, which makes nothing there: for those who only read.
    pub must_exist: bool,
}

/// A durable log. Clones share it; the directory is free again when the last of them and of its consumers and producers
/// is gone.
///
/// ```
/// use std::sync::Arc;
/// use topology::log::embedded::{EmbeddedLog, Options};
/// use topology::log::{Log, TopicSpec};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let log = EmbeddedLog::open(dir, &Options::default(), Arc::new(|| 0))?;
/// let name = "orders".to_owned();
/// log.create_topics(&[TopicSpec { name, partition_count: 4, replication_factor: None, config: Vec::new() }])?;
/// drop(log);
///
/// let log = EmbeddedLog::open(dir, &Options::default(), Arc::new(|| 0))?;
/// assert!(log.describe_topic("orders")?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EmbeddedLog {
    broker: Arc<Broker>,
    dir: PathBuf,
}

local::local_log!(EmbeddedLog);

impl EmbeddedLog {
    /// Opens the log in this directory, or makes a new one. The clock tells the time in ms since 1970.
    ///
    /// Fails with [`Kind::Fatal`](super::Kind::Fatal) where another process has it open, or where its format is
    /// unknown.
    pub fn open(dir: impl AsRef<Path>, options: &Options, clock: Clock) -> Result<Self> {
        let dir = dir.as_ref();
        let (storage, rows) = RocksStorage::open(dir, options)?;
        let broker = Broker::restored(Box::new(storage), rows, clock)?;
        Ok(Self { broker: Arc::new(broker), dir: dir.to_owned() })
    }

    /// Compacts a topic now, as far as can be: what can also happen unasked after a commit. A topic whose
    /// `cleanup.policy` is not `compact` is left as it is.
    pub fn compact(&self, topic: &str) -> Result<()> {
        self.broker.compact(topic)
    }
}

impl fmt::Debug for EmbeddedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedLog").field("dir", &self.dir).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rocksdb::{DB, Options as DbOptions};

    use super::storage::{FORMAT, FORMAT_KEY};
    use super::*;
    use crate::log::{Kind, Log, TopicSpec};

    fn open(dir: &Path) -> Result<EmbeddedLog> {
        EmbeddedLog::open(dir, &Options::default(), Arc::new(|| 0))
    }

    #[test]
    fn a_second_open_is_refused_by_name_and_the_first_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path()).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert_eq!(error.kind(), Kind::Fatal);
        assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
        let topic = TopicSpec { name: "t".into(), partition_count: 1, replication_factor: None, config: Vec::new() };
        log.create_topics(&[topic]).unwrap();
        drop(log);
        assert!(open(dir.path()).unwrap().describe_topic("t").unwrap().is_some());
    }

    #[test]
    fn a_log_that_must_exist_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { must_exist: true, ..Options::default() };
        let reopen = |dir: &Path| EmbeddedLog::open(dir, &options, Arc::new(|| 0));
        for dir in [dir.path(), &dir.path().join("absent")] {
            let before = fs::read_dir(dir).map_or(0, Iterator::count);
            let error = reopen(dir).unwrap_err();
            assert_eq!(error.kind(), Kind::Fatal);
            assert!(error.to_string().contains(&dir.display().to_string()), "{error}");
            assert_eq!(fs::read_dir(dir).map_or(0, Iterator::count), before);
        }
        assert!(!dir.path().join("absent").exists());
        drop(open(dir.path()).unwrap());
        reopen(dir.path()).unwrap();
    }

    #[test]
    fn an_unknown_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()).unwrap());
        {
            let families = DB::list_cf(&DbOptions::default(), dir.path().join("db")).unwrap();
            let db = DB::open_cf(&DbOptions::default(), dir.path().join("db"), families).unwrap();
            db.put(FORMAT_KEY, [FORMAT + 1]).unwrap();
        }
        let error = open(dir.path()).unwrap_err();
        assert_eq!(error.kind(), Kind::Fatal);
        assert!(error.to_string().contains("format"), "{error}");
    }
}
