//! The settings an operator knows.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::store;
use crate::stream_thread;

/// How to run a topology. Names and defaults are those of Kafka Streams where there is a counterpart.
#[derive(Clone, Debug)]
pub struct Config {
    /// Consumer group, and prefix of internal topics and transactional ids.
    pub application_id: String,
    /// Where stores are kept. `None`: all stores in memory, restored whole at every start, and a new identity each time.
    pub state_directory: Option<PathBuf>,
    /// Stream threads.
    pub thread_count: usize,
    /// Time between commits, ms.
    pub commit_interval_ms: u32,
    /// A commit is made sooner when this many bytes wait for it.
    pub uncommitted_max_bytes: usize,
    /// The group gives a silent member's partitions away after this long, ms.
    pub session_timeout_ms: u32,
    /// The log aborts a transaction that is open for longer, ms.
    pub transaction_timeout_ms: u32,
    /// How long a call may block before its outcome counts as unknown, ms.
    pub request_timeout_ms: u32,
    /// Most records handed to a task at once.
    pub batch_records: usize,
    /// Most bytes the consumer prefetches.
    pub prefetch_bytes: usize,
    /// Memory for stores.
    pub store: store::Options,
    /// Identifies the data: stores written under another fingerprint are refused.
    pub fingerprint: [u8; 32],
    /// Replicas of topics that are created; `None`: the cluster's default.
    pub replication_factor: Option<i32>,
    /// Process what is there at the start, finish what is held, commit, stop.
    pub until_end: bool,
}

impl Config {
    /// The defaults.
    pub fn new(application_id: impl Into<String>) -> Self {
        Self {
            application_id: application_id.into(),
            state_directory: None,
            thread_count: 1,
            commit_interval_ms: 100,
            uncommitted_max_bytes: 64 << 20,
            session_timeout_ms: 10_000,
            transaction_timeout_ms: 10_000,
            request_timeout_ms: 10_000,
            batch_records: 1_000,
            prefetch_bytes: 32 << 20,
            store: store::Options::default(),
            fingerprint: [0; 32],
            replication_factor: None,
            until_end: false,
        }
    }

    /// Refuses settings with which nothing can run, in one line that says what to do.
    pub fn check(&self) -> Result<()> {
        let name = &self.application_id;
        if !store::is_plain_name(name, 100) {
            return Err(Error::stop(format!(
                "'{name}' cannot be an application id: use 1 to 100 of a-z A-Z 0-9 . _ -"
            )));
        }
        if self.thread_count != 1 {
            let count = self.thread_count;
            return Err(Error::stop(format!(
                "{count} stream threads: one per process is supported so far; start more processes"
            )));
        }
        Ok(())
    }

    pub(super) fn stream_thread(&self, instance_id: &str, dead_letter_max_bytes: usize) -> stream_thread::Config {
        stream_thread::Config {
            application_id: self.application_id.clone(),
            instance_id: instance_id.to_owned(),
            thread: 1,
            fingerprint: self.fingerprint,
            commit_interval_ms: i64::from(self.commit_interval_ms),
            uncommitted_max_bytes: self.uncommitted_max_bytes,
            poll_max_ms: 100,
            session_timeout_ms: self.session_timeout_ms,
            transaction_timeout_ms: self.transaction_timeout_ms,
            request_timeout_ms: self.request_timeout_ms,
            batch_records: self.batch_records,
            prefetch_bytes: self.prefetch_bytes,
            store: self.store.clone(),
            dead_letter_max_bytes,
            until_end: self.until_end,
        }
    }
}

/// Identity needs randomness that no two processes share; nothing that is processed depends on it.
#[allow(clippy::disallowed_methods, reason = "the one place where the engine asks for randomness")]
pub(super) fn random() -> u64 {
    rand::random()
}
