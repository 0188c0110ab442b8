//! Settings, and the names that follow from them.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::Topology;
use crate::log::{ConsumerOptions, GroupOptions, GroupProtocol, Isolation, OutOfRange, ProducerOptions};
use crate::store;
use crate::updater;

/// How to run a topology. Names and defaults are those of Kafka Streams where there is a counterpart.
///
/// ```
/// use topology::client::Config;
///
/// let config = Config { commit_interval_ms: 50, ..Config::new("payments") };
/// assert!(config.check().is_ok());
/// assert!(Config { commit_interval_ms: 10_000, ..config }.check().is_err(), "every transaction would time out");
/// ```
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
    /// How the group moves tasks between its members. All members of a group should have the same; while it is changed, one
    /// member after the other, the group serves both.
    pub group_protocol: GroupProtocol,
    /// The group gives a silent member's partitions away after this long, ms. With [`GroupProtocol::Consumer`] Kafka's brokers
    /// decide (`group.consumer.session.timeout.ms`).
    pub session_timeout_ms: u32,
    /// The log aborts a transaction that is open for longer, ms.
    pub transaction_timeout_ms: u32,
    /// How long a call may block before its outcome counts as unknown, ms.
    pub request_timeout_ms: u32,
    /// Most records taken from the log at once.
    pub batch_records: usize,
    /// Memory for stores and for prefetched input, in bytes: see [`store::Budget`], which splits it.
    pub memory_bytes: usize,
    /// How a task that reads several topics waits where it has records of one and none of another, so that it can take them in
    /// the order of their timestamps. 0: while another has more in the log, or may have, it is waited for; one that was read to
    /// its end is not. More: one that was read to its end is waited for so long as well, ms, for what its producers may be about
    /// to send. Negative: nothing is waited for, and records come as they are fetched.
    pub max_task_idle_ms: i64,
    /// A task that reads several topics stops reading one of them while so many bytes of it wait for their turn.
    pub queue_max_bytes: usize,
    /// Identifies the data: stores written under another fingerprint are refused.
    pub fingerprint: [u8; 32],
    /// Replicas of topics that are created; `None`: the cluster's default.
    pub replication_factor: Option<i32>,
    /// Process what is there at the start, finish what is held, commit, stop.
    pub until_end: bool,
    /// Hears how far restores are. `None`: log lines say it now and then.
    pub restore_listener: Option<Arc<dyn updater::Listener>>,
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
            group_protocol: GroupProtocol::Classic,
            session_timeout_ms: 10_000,
            transaction_timeout_ms: 10_000,
            request_timeout_ms: 10_000,
            batch_records: 1_000,
            memory_bytes: store::Options::MEMORY_BYTES,
            max_task_idle_ms: 0,
            queue_max_bytes: 8 << 20,
            fingerprint: [0; 32],
            replication_factor: None,
            until_end: false,
            restore_listener: None,
        }
    }

    /// Whether it can work at all. An error says in one line which setting cannot, and what can.
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
        // A transaction is open for an interval, for a batch that takes long, and for the commit itself.
        let (interval_ms, timeout_ms) = (self.commit_interval_ms, self.transaction_timeout_ms);
        if interval_ms > timeout_ms / 2 {
            let max_ms = timeout_ms / 2;
            return Err(Error::stop(format!(
                "a commit interval of {interval_ms} ms is too long: transactions time out after {timeout_ms} ms, so \
                 give at most {max_ms}"
            )));
        }
        Ok(())
    }
}

/// Each process has one stream thread so far; its number is part of names, so that more can come.
pub(crate) const THREAD: usize = 1;

/// How long a turn may process before it must commit, ms: a transaction is open for so long, for the records under way at the
/// end of it, and for the commit itself.
pub(super) fn turn_max_ms(config: &Config) -> i64 {
    i64::from(config.transaction_timeout_ms / 4)
}

/// Name of the thread's own producer.
pub(super) fn transactional_id(config: &Config, instance_id: &str) -> String {
    format!("{}-{instance_id}-{THREAD}", config.application_id)
}

pub(super) fn consumer_options(config: &Config, instance_id: &str) -> ConsumerOptions {
    ConsumerOptions {
        group: Some(GroupOptions {
            id: config.application_id.clone(),
            instance_id: Some(format!("{instance_id}-{THREAD}")),
            session_timeout_ms: config.session_timeout_ms,
            protocol: config.group_protocol,
        }),
        isolation: Isolation::ReadCommitted,
        client_id: client_id(config),
        batch_records: config.batch_records,
        prefetch_bytes: store::Budget::of(config.memory_bytes).client_queue_bytes,
        // Input that is gone is an error: the take-over that follows looks what there is, and says what was lost.
        out_of_range: OutOfRange::Fail,
    }
}

pub(super) fn producer_options(config: &Config, topology: &Topology) -> ProducerOptions {
    ProducerOptions {
        transactional_id: String::new(),
        transaction_timeout_ms: config.transaction_timeout_ms,
        client_id: client_id(config),
        track_topics: topology.changelog_topics(&config.application_id).collect(),
    }
}

pub(super) fn restore_options(config: &Config) -> updater::Options {
    updater::Options {
        transaction_timeout_ms: i64::from(config.transaction_timeout_ms),
        client_id: format!("{}-restore", config.application_id),
        ..updater::Options::default()
    }
}

fn client_id(config: &Config) -> String {
    format!("{}-{THREAD}", config.application_id)
}
