//! A durable log in one directory, for one process at a time, on RocksDB.
//!
//! ```text
//! DIR/LOCK         held while the log is open
//! DIR/db           RocksDB
//!   column family default    rows: see `local::row`;  key "F" -> u8 format of the whole directory, 1
//!   column family records    u32 topic id | u32 partition | i64 base offset  ->  batch, see `local::batch`
//! ```
//! Keys are big-endian, so that a partition's batches lie in offset order. Batches go to blob files (lz4), where no
//! compaction of RocksDB rewrites them.
//!
//! **What survives what.** A commit is one atomic write to RocksDB's write-ahead log: the transaction's last records, its
//! markers, its group offsets, and that it is no longer open. When `commit` returns, it has left this process: it
//! survives the end of the process at any moment, `kill -9` included. It survives the end of the machine, too, with
//! [`Options::fsync`]; without it, the last moments before a power failure may be lost, whole transactions at a time,
//! the latest first. What was open when the process ended is aborted at the next open.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, IteratorMode,
    Options as DbOptions, ReadOptions, WriteBatch, WriteOptions,
};

use super::local::{self, Batch, Broker, Changes, Chunk, Clock, Found, PartitionId, Storage};
use super::{Error, Kind, Offset, Result};

const FORMAT_KEY: &[u8] = b"F";
const FORMAT: u8 = 1;
const RECORDS: &str = "records";
const MIB: usize = 1 << 20;

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
    /// Fails with [`Kind::Fatal`] where another process has it open, or where its format is unknown.
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

/// RocksDB's first file: it names the others.
const FIRST_FILE: &str = "db/CURRENT";

struct RocksStorage {
    db: DB,
    fsync: bool,
    /// Declared last: let go of when RocksDB is closed.
    _lock: File,
}

impl RocksStorage {
    fn open(dir: &Path, options: &Options) -> Result<(Self, Vec<local::Row>)> {
        if options.must_exist && !dir.join(FIRST_FILE).is_file() {
            return Err(Error::new(
                Kind::Fatal,
                format!("there is no embedded log in {}; nothing was made there. Check the path", dir.display()),
            ));
        }
        let lock = lock(dir)?;
        let families = [
            ColumnFamilyDescriptor::new(rocksdb::DEFAULT_COLUMN_FAMILY_NAME, row_options()),
            ColumnFamilyDescriptor::new(RECORDS, record_options()),
        ];
        let db =
            DB::open_cf_descriptors(&db_options(), dir.join("db"), families).map_err(|error| cannot(dir, &error))?;
        check_format(&db, dir)?;
        let mut rows = Vec::new();
        for row in db.iterator(IteratorMode::Start) {
            let (key, value) = row.map_err(|error| cannot(dir, &error))?;
            if *key != *FORMAT_KEY {
                rows.push(local::parse_row(&key, &value)?);
            }
        }
        Ok((Self { db, fsync: options.fsync, _lock: lock }, rows))
    }

    fn records(&self) -> Result<&ColumnFamily> {
        self.db.cf_handle(RECORDS).ok_or_else(|| Error::new(Kind::Fatal, "the embedded log has lost its records"))
    }
}

/// Takes the directory for this process.
fn lock(dir: &Path) -> Result<File> {
    fs::create_dir_all(dir).map_err(|error| cannot(dir, &error))?;
    let path = dir.join("LOCK");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| cannot(dir, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::new(
            Kind::Fatal,
            format!("the embedded log in {} is open already; one process at a time can have it", dir.display()),
        )),
        Err(TryLockError::Error(error)) => Err(cannot(dir, &error)),
    }
}

fn check_format(db: &DB, dir: &Path) -> Result<()> {
    match db.get(FORMAT_KEY).map_err(|error| cannot(dir, &error))?.as_deref() {
        Some([FORMAT]) => Ok(()),
        Some(other) => Err(Error::new(
            Kind::Fatal,
            format!(
                "the embedded log in {} has the format {other:?}; this version reads {FORMAT}. Use the version that wrote it",
                dir.display()
            ),
        )),
        None => db.put(FORMAT_KEY, [FORMAT]).map_err(|error| cannot(dir, &error)),
    }
}

/// Memory is bounded by the write buffers (3 x 16 MiB and 2 x 4 MiB), the cache (16 MiB) and the files held open.
fn db_options() -> DbOptions {
    let mut options = DbOptions::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_open_files(256);
    options.set_max_background_jobs(2);
    options.set_max_total_wal_size(64 * MIB as u64);
    options.set_bytes_per_sync(MIB as u64);
    options.set_wal_bytes_per_sync(MIB as u64);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(4 * MIB);
    options.set_log_level(rocksdb::LogLevel::Warn);
    options
}

fn row_options() -> DbOptions {
    let mut options = DbOptions::default();
    options.set_write_buffer_size(4 * MIB);
    options.set_compression_type(DBCompressionType::Lz4);
    options
}

fn record_options() -> DbOptions {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&Cache::new_lru_cache(16 * MIB));
    let mut options = DbOptions::default();
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_size(16 * MIB);
    options.set_max_write_buffer_number(3);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_enable_blob_files(true);
    options.set_min_blob_size(4 << 10);
    options.set_blob_file_size(64 * MIB as u64);
    options.set_blob_compression_type(DBCompressionType::Lz4);
    options.set_enable_blob_gc(true);
    // Space comes back when half of the older files is garbage; what moves is at most as much as what goes.
    options.set_blob_gc_age_cutoff(0.5);
    options.set_blob_gc_force_threshold(0.5);
    options
}

fn cannot(dir: &Path, error: &dyn fmt::Display) -> Error {
    Error::new(Kind::Fatal, format!("the embedded log in {} cannot be opened: {error}", dir.display()))
}

fn broken(error: &rocksdb::Error) -> Error {
    Error::new(
        Kind::Fatal,
        format!("the embedded log's storage failed: {error}; look after its disk, then open it again"),
    )
}

fn record_key(id: PartitionId, offset: Offset) -> [u8; 16] {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&id.topic.to_be_bytes());
    key[4..8].copy_from_slice(&id.partition.to_be_bytes());
    key[8..].copy_from_slice(&offset.to_be_bytes());
    key
}

impl Storage for RocksStorage {
    fn write(&self, changes: &Changes<'_>) -> Result<()> {
        let records = self.records()?;
        let mut write = WriteBatch::default();
        for (topic, partition_count) in &changes.remove_topics {
            let start = record_key(PartitionId { topic: *topic, partition: 0 }, 0);
            let end = record_key(PartitionId { topic: *topic, partition: *partition_count }, 0);
            write.delete_range_cf(records, start, end);
        }
        for (id, base) in &changes.remove {
            write.delete_cf(records, record_key(*id, *base));
        }
        for (id, from, before) in &changes.remove_below {
            // The batch that holds `before` stays; where the one before it began before `from`, it is all of it below.
            let (start, end) = self.bases(*id, *from, *before)?;
            if start < end {
                write.delete_range_cf(records, record_key(*id, start), record_key(*id, end));
            }
        }
        for (id, base, bytes) in &changes.put {
            write.put_cf(records, record_key(*id, *base), bytes);
        }
        for (key, value) in &changes.rows {
            match value {
                Some(value) => write.put(key, value),
                None => write.delete(key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(self.fsync && changes.sync);
        self.db.write_opt(write, &options).map_err(|error| broken(&error))
    }

    fn read(&self, partition: PartitionId, from: Offset, until: Offset, bytes_max: usize) -> Result<Found> {
        let mut found = Found { chunks: Vec::new(), exhausted: true };
        if from >= until {
            return Ok(found);
        }
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(record_key(partition, 0));
        options.set_iterate_upper_bound(record_key(partition, until));
        options.set_verify_checksums(true);
        options.fill_cache(false);
        let mut batches = self.db.raw_iterator_cf_opt(self.records()?, options);
        batches.seek_for_prev(record_key(partition, from));
        if !batches.valid() {
            batches.status().map_err(|error| broken(&error))?;
            batches.seek(record_key(partition, from));
        }
        let mut bytes = 0;
        while let Some(value) = batches.value() {
            if bytes >= bytes_max {
                found.exhausted = false;
                break;
            }
            if !found.chunks.is_empty() || Batch::parse(value)?.last >= from {
                bytes += value.len();
                found.chunks.push(Chunk::from(value));
            }
            batches.next();
        }
        batches.status().map_err(|error| broken(&error))?;
        Ok(found)
    }
}

impl RocksStorage {
    /// Base offsets of the batches that hold, or would hold, these offsets.
    fn bases(&self, id: PartitionId, from: Offset, before: Offset) -> Result<(Offset, Offset)> {
        let base = |offset: Offset| -> Result<Offset> {
            let mut options = ReadOptions::default();
            options.set_iterate_lower_bound(record_key(id, 0));
            let mut batches = self.db.raw_iterator_cf_opt(self.records()?, options);
            batches.seek_for_prev(record_key(id, offset));
            let found = batches.value().map(Batch::parse).transpose()?;
            batches.status().map_err(|error| broken(&error))?;
            Ok(found.filter(|batch| batch.last >= offset).map_or(offset, |batch| batch.base))
        };
        Ok((base(from)?, base(before)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Log, TopicSpec};

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
