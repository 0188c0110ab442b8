//! What is on the disk.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, IteratorMode,
    Options as DbOptions, ReadOptions, WriteBatch, WriteOptions,
};

use super::Options;
use crate::file_lock::FileLock;
use crate::log::local::{self, Batch, Changes, Chunk, Found, PartitionId, Storage};
use crate::log::{Error, Kind, Offset, Result};

pub(super) const FORMAT_KEY: &[u8] = b"F";
pub(super) const FORMAT: u8 = 2;
const RECORDS: &str = "records";
const MIB: usize = 1 << 20;

/// RocksDB's first file: it names the others.
const FIRST_FILE: &str = "db/CURRENT";

/// Batches and rows in RocksDB, and the lock on the directory.
pub(super) struct RocksStorage {
    db: DB,
    fsync: bool,
    /// Declared last: let go of when RocksDB is closed.
    _lock: FileLock,
}

impl RocksStorage {
    /// The storage, and the rows in it.
    pub(super) fn open(dir: &Path, options: &Options) -> Result<(Self, Vec<local::Row>)> {
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
fn lock(dir: &Path) -> Result<FileLock> {
    fs::create_dir_all(dir).map_err(|error| cannot(dir, &error))?;
    let path = dir.join("LOCK");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| cannot(dir, &error))?;
    FileLock::try_new(file).map_err(|error| cannot(dir, &error))?.map_err(|_| {
        let dir = dir.display();
        let why = format!(
            "the embedded log in {dir} is open already; one process at a time can have it: wait for the end of that one, or use Kafka"
        );
        Error::new(Kind::Fatal, why)
    })
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
