//! What a store shall be, and how much memory stores may take.

use crate::store::error::{Error, Kind, Result};

/// Where a store's committed state lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// In this process; restored from the beginning of its changelog at every start.
    Memory,
    /// In the task's directory; restored from where it stood.
    RocksDb,
}

/// A store: its name and its medium. A task knows its stores by their index in its list of specs, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Unique in the application; part of the changelog topic's name.
    pub name: String,
    /// Where it lives.
    pub medium: Medium,
}

impl Spec {
    /// A store. The name must be fit for a topic's name: 1 to 120 of `a-z A-Z 0-9 . _ -`.
    pub fn new(name: impl Into<String>, medium: Medium) -> Result<Self> {
        let name = name.into();
        if is_plain_name(&name, 120) {
            return Ok(Self { name, medium });
        }
        Err(Error::new(
            Kind::Invalid,
            format!("{name:?} cannot name a store: use 1 to 120 of the characters a-z A-Z 0-9 . _ -"),
        ))
    }
}

/// Whether a name is fit for topics and paths alike.
pub(crate) fn is_plain_name(name: &str, length_max: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=length_max).contains(&name.len()) && name.bytes().all(plain) && name != "." && name != ".."
}

/// How much memory stores may take, and when they are written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// RocksDB's block cache, one for all tasks of the process, in bytes.
    pub block_cache_bytes: usize,
    /// RocksDB's memtables of one task, in bytes. Writes wait for the disk rather than take more than twice this.
    pub memtable_bytes: usize,
    /// Committed values kept ready in this process, per RocksDB store, in bytes; 0 for none. A hit costs some 50 ns, a
    /// read through RocksDB some 2-4 us.
    pub read_cache_bytes: usize,
    /// Committed writes that wait to be written to a task's stores, in bytes: so much is gathered, and twice that in use
    /// while it is written down. 0: they are written at each commit.
    pub write_behind_bytes: usize,
    /// Stores are flushed when this many bytes were committed since the last flush ...
    pub flush_bytes: usize,
    /// ... or when the oldest of them is this old, in ms.
    pub flush_interval_ms: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            block_cache_bytes: 64 << 20,
            memtable_bytes: 32 << 20,
            read_cache_bytes: 32 << 20,
            write_behind_bytes: 16 << 20,
            flush_bytes: 64 << 20,
            flush_interval_ms: 30_000,
        }
    }
}
