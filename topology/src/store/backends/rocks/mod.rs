//! Committed state on the disk: one RocksDB per task.
//!
//! ```text
//! column family    holds
//! default          store's name -> its Meta
//! store.<name>     key -> value
//! ```
//! The write-ahead log is off, since the changelog is one. A batch is atomic over column families, and so is a flush:
//! whatever the last flush left is a state that a commit made.

mod options;

use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};

use options::Part;
pub(in crate::store) use options::RocksMemory;
use rocksdb::properties::{self, PropName};
use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBPinnableSlice, DBRawIterator, FlushOptions, ReadOptions, WriteBatch,
    WriteOptions,
};

use crate::store::backends::no_such_store;
use crate::store::backends::{Backend, Bounds, Direction, OnDisk, Snapshot, Visitor, Writes};
use crate::store::changelog::Meta;
use crate::store::directory::damage;
use crate::store::error::{Error, Kind, Result};
use rocksdb::DEFAULT_COLUMN_FAMILY_NAME as METAS;

/// One task's RocksDB stores.
pub(crate) struct Rocks {
    database: DB,
    /// Given back when the database is closed.
    _part: Part,
    path: PathBuf,
    /// Name and column family of each store.
    stores: Vec<(String, String)>,
    write_options: WriteOptions,
}

impl std::fmt::Debug for Rocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rocks").field("path", &self.path).field("stores", &self.stores).finish_non_exhaustive()
    }
}

impl Rocks {
    /// As [`Rocks::open`]. A damaged database is moved to `<path>.damaged`, in place of what may be there, and the
    /// stores are opened empty.
    pub(in crate::store) fn open_or_set_aside(path: &Path, names: &[String], memory: &RocksMemory) -> Result<Self> {
        if damage::is_noted(path) {
            damage::set_aside(path, "a read or a write has found it")?;
        }
        let opened = Self::open(path, names, memory).and_then(|rocks| {
            (0..names.len()).try_for_each(|store| rocks.meta(store).map(|_| ()))?;
            Ok(rocks)
        });
        match opened {
            Err(error) if matches!(error.kind(), Kind::Damaged | Kind::Corruption) => {
                damage::set_aside(path, &error.to_string())?;
                Self::open(path, names, memory)
            }
            opened => opened,
        }
    }

    /// Opens the stores of these names in the directory `path`, which is made if need be. Stores that are there under
    /// other names stay as they are, unused.
    pub(in crate::store) fn open(path: &Path, names: &[String], memory: &RocksMemory) -> Result<Self> {
        let stores: Vec<_> = names.iter().map(|name| (name.clone(), format!("store.{name}"))).collect();
        let part = memory.part();
        let families = families(path, &stores, memory, &part)?;
        let database = DB::open_cf_descriptors(&memory.database(), path, families)
            .map_err(|error| failure("open", path, &error))?;
        let mut write_options = WriteOptions::default();
        write_options.disable_wal(true);
        write_options.set_memtable_insert_hint_per_batch(true); // see RocksMemory::database
        Ok(Self { database, _part: part, path: path.to_owned(), stores, write_options })
    }

    fn family(&self, store: usize) -> Result<&ColumnFamily> {
        let (_, family) = self.stores.get(store).ok_or_else(|| no_such_store(store))?;
        self.named_family(family)
    }

    fn named_family(&self, family: &str) -> Result<&ColumnFamily> {
        self.database.cf_handle(family).ok_or_else(|| {
            Error::new(Kind::Damaged, format!("{}: column family {family} is gone", self.path.display()))
        })
    }

    /// A failure of what is open. Where it is one of the bytes on the disk, a note is left for the next one who opens
    /// it.
    fn failed(&self, what: &str, error: &rocksdb::Error) -> Error {
        let error = failure(what, &self.path, error);
        if error.kind() == Kind::Damaged {
            damage::note(&self.path);
        }
        error
    }

    fn name(&self, store: usize) -> Result<&str> {
        Ok(&self.stores.get(store).ok_or_else(|| no_such_store(store))?.0)
    }

    fn write(&self, batch: WriteBatch) -> Result<()> {
        self.database.write_opt(batch, &self.write_options).map_err(|error| self.failed("write to", &error))
    }

    fn found(&self, found: Result<Option<DBPinnableSlice<'_>>, rocksdb::Error>, value: &mut Vec<u8>) -> Result<bool> {
        let found = found.map_err(|error| self.failed("read from", &error))?;
        if let Some(found) = &found {
            value.clear();
            value.extend_from_slice(found);
        }
        Ok(found.is_some())
    }

    fn decoded(&self, name: &str, found: Result<Option<DBPinnableSlice<'_>>, rocksdb::Error>) -> Result<Option<Meta>> {
        let found = found.map_err(|error| self.failed("read from", &error))?;
        found.map(|bytes| Meta::decode(name, &bytes)).transpose()
    }

    fn show(&self, mut entries: DBRawIterator<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()> {
        match direction {
            Direction::Forward => entries.seek_to_first(),
            Direction::Reverse => entries.seek_to_last(),
        }
        while let Some((key, value)) = entries.item() {
            if let ControlFlow::Break(()) = visitor(key, value) {
                break;
            }
            match direction {
                Direction::Forward => entries.next(),
                Direction::Reverse => entries.prev(),
            }
        }
        entries.status().map_err(|error| self.failed("scan", &error))
    }

    /// Flushes all column families as one, as a flush of some would tear data and positions apart.
    fn flush_all(&self, wait: bool) -> Result<()> {
        let mut families = vec![self.named_family(METAS)?];
        for store in 0..self.stores.len() {
            families.push(self.family(store)?);
        }
        let mut options = FlushOptions::default();
        options.set_wait(wait);
        self.database.flush_cfs_opt(&families, &options).map_err(|error| self.failed("flush", &error))
    }

    fn read_options(bounds: Bounds<'_>) -> ReadOptions {
        let after = |key: &[u8]| [key, &[0]].concat();
        let mut options = ReadOptions::default();
        match bounds.start {
            Bound::Included(start) => options.set_iterate_lower_bound(start),
            Bound::Excluded(start) => options.set_iterate_lower_bound(after(start)),
            Bound::Unbounded => {}
        }
        match bounds.end {
            Bound::Included(end) => options.set_iterate_upper_bound(after(end)),
            Bound::Excluded(end) => options.set_iterate_upper_bound(end),
            Bound::Unbounded => {}
        }
        options
    }
}

impl Backend for Rocks {
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        let found = self.database.get_pinned_cf(self.family(store)?, key);
        self.found(found, value)
    }

    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()> {
        if bounds.are_empty() {
            return Ok(());
        }
        let entries = self.database.raw_iterator_cf_opt(self.family(store)?, Self::read_options(bounds));
        self.show(entries, direction, visitor)
    }

    fn meta(&self, store: usize) -> Result<Option<Meta>> {
        let name = self.name(store)?;
        self.decoded(name, self.database.get_pinned_cf(self.named_family(METAS)?, name))
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>> {
        Ok(Box::new(RocksSnapshot { rocks: self, snapshot: self.database.snapshot() }))
    }

    fn apply(&self, writes: &[Writes<'_>]) -> Result<()> {
        let metas = self.named_family(METAS)?;
        let size_bytes = writes.iter().map(|writes| writes.run.size_bytes() + 2 * Meta::SIZE_BYTES).sum();
        let mut batch = WriteBatch::with_capacity_bytes(size_bytes);
        for Writes { store, run, meta } in writes {
            let family = self.family(*store)?;
            for (key, value) in run.iter() {
                match value {
                    Some(value) => batch.put_cf(family, key, value),
                    None => batch.delete_cf(family, key),
                }
            }
            batch.put_cf(metas, self.name(*store)?, meta.encode());
        }
        self.write(batch)
    }

    fn wipe(&self, store: usize) -> Result<()> {
        let (name, family) = (self.name(store)?, self.family(store)?);
        let mut last = self.database.raw_iterator_cf(family);
        last.seek_to_last();
        let end = last.key().map(|key| [key, &[0]].concat());
        last.status().map_err(|error| self.failed("scan", &error))?;
        drop(last);
        // Position and data go in one batch: after a crash both are there, or neither.
        let mut batch = WriteBatch::default();
        batch.delete_cf(self.named_family(METAS)?, name);
        if let Some(end) = &end {
            batch.delete_range_cf(family, &b""[..], &end[..]);
        }
        self.write(batch)?;
        let Some(end) = end else { return Ok(()) };
        // Files are deleted at once, for good; so the position must be gone for good before.
        self.flush_all(true)?;
        let deleted = self.database.delete_file_in_range_cf(family, &b""[..], &end[..]);
        deleted.map_err(|error| self.failed("empty", &error))
    }

    fn flush(&self) -> Result<()> {
        self.flush_all(true)
    }

    fn start_flush(&self) -> Result<()> {
        self.flush_all(false)
    }

    fn on_disk(&self, store: usize) -> Option<OnDisk> {
        let family = self.family(store).ok()?;
        let of = |property: &PropName| {
            let value = self.database.property_int_value_cf(family, property);
            value.ok().flatten().unwrap_or(0)
        };
        Some(OnDisk {
            key_count: of(properties::ESTIMATE_NUM_KEYS),
            file_bytes: of(properties::LIVE_SST_FILES_SIZE),
            memtable_bytes: of(properties::SIZE_ALL_MEM_TABLES),
            reader_bytes: of(properties::ESTIMATE_TABLE_READERS_MEM),
            pending_compaction_bytes: of(properties::ESTIMATE_PENDING_COMPACTION_BYTES),
            error_count: of(properties::BACKGROUND_ERRORS),
        })
    }
}

/// The database as it was at one moment.
struct RocksSnapshot<'a> {
    rocks: &'a Rocks,
    snapshot: rocksdb::Snapshot<'a>,
}

impl Snapshot for RocksSnapshot<'_> {
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        let found = self.snapshot.get_pinned_cf(self.rocks.family(store)?, key);
        self.rocks.found(found, value)
    }

    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()> {
        if bounds.are_empty() {
            return Ok(());
        }
        let family = self.rocks.family(store)?;
        let entries = self.snapshot.raw_iterator_cf_opt(family, Rocks::read_options(bounds));
        self.rocks.show(entries, direction, visitor)
    }

    fn meta(&self, store: usize) -> Result<Option<Meta>> {
        let name = self.rocks.name(store)?;
        self.rocks.decoded(name, self.snapshot.get_pinned_cf(self.rocks.named_family(METAS)?, name))
    }
}

/// All that is there, since RocksDB opens with all its column families or not at all, and what is asked for.
fn families(
    path: &Path,
    stores: &[(String, String)],
    memory: &RocksMemory,
    part: &Part,
) -> Result<Vec<ColumnFamilyDescriptor>> {
    let mut names = vec![METAS.to_owned()];
    names.extend(stores.iter().map(|(_, family)| family.clone()));
    if path.join("CURRENT").exists() {
        names.extend(DB::list_cf(&memory.database(), path).map_err(|error| failure("open", path, &error))?);
    }
    names.sort_unstable();
    names.dedup();
    let options = |name: &str| if name == METAS { memory.metas() } else { memory.store(part) };
    Ok(names.iter().map(|name| ColumnFamilyDescriptor::new(name, options(name))).collect())
}

fn failure(what: &str, path: &Path, error: &rocksdb::Error) -> Error {
    let (path, text) = (path.display(), error.to_string());
    if text.contains("No space left on device") {
        let advice = "the disk is full; free space and start again, nothing committed is lost";
        return Error::new(Kind::DiskFull, format!("cannot {what} {path}: {advice}"));
    }
    match error.kind() {
        rocksdb::ErrorKind::Corruption => Error::new(
            Kind::Damaged,
            format!("cannot {what} {path}: {text}; delete this directory, its state returns from the changelogs"),
        ),
        // A file that another one names.
        rocksdb::ErrorKind::IOError if text.contains("No such file") => Error::new(
            Kind::Damaged,
            format!("cannot {what} {path}: {text}; delete this directory, its state returns from the changelogs"),
        ),
        rocksdb::ErrorKind::IOError if text.contains("lock hold by current process") || text.contains("/LOCK") => {
            Error::new(
                Kind::Locked,
                format!("cannot {what} {path}: it is open elsewhere ({text}); close it there first"),
            )
        }
        _ => Error::new(Kind::Io, format!("cannot {what} {path}: {text}")),
    }
}
