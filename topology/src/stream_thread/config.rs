//! Settings of a stream thread.

use crate::store;

/// What a stream thread is told. The defaults are those of [`client::Config`](crate::client::Config).
#[derive(Clone, Debug)]
pub struct Config {
    /// Consumer group, and prefix of internal topics.
    pub application_id: String,
    /// This instance's identity: sortable, unique, the same after a restart.
    pub instance_id: String,
    /// Which thread of the instance.
    pub thread: usize,
    /// Fingerprint of the application's state: stores written under another one are refused.
    pub fingerprint: [u8; 32],
    /// Time between commits, ms.
    pub commit_interval_ms: i64,
    /// A commit is made sooner when this many bytes wait for it.
    pub uncommitted_max_bytes: usize,
    /// Longest wait for input, ms.
    pub poll_max_ms: i64,
    /// The group gives this thread's partitions away after this long without a sign of life, ms.
    pub session_timeout_ms: u32,
    /// The log aborts a transaction that is open for longer, ms.
    pub transaction_timeout_ms: u32,
    /// How long a call may block before its outcome counts as unknown, ms.
    pub request_timeout_ms: u32,
    /// Most records handed over at once.
    pub batch_records: usize,
    /// Most bytes the consumer prefetches.
    pub prefetch_bytes: usize,
    /// Memory for stores.
    pub store: store::Options,
    /// Largest dead letter; a longer one is cut.
    pub dead_letter_max_bytes: usize,
    /// Stop when everything that was there at the start is processed.
    pub until_end: bool,
}
