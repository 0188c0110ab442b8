//! Settings, and the names that follow from them.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::Topology;
use crate::log::{ConsumerOptions, GroupOptions, GroupProtocol, Isolation, OutOfRange, ProducerOptions};
use crate::query;
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
    /// Where stores are kept. `None`: all stores in memory, restored whole at every start, and a new identity each
    /// time.
    pub state_directory: Option<PathBuf>,
    /// How often what a record causes is seen.
    pub guarantee: Guarantee,
    /// Stream threads of this process, at its start: tasks are shared between them and the threads of other processes.
    pub thread_count: usize,
    /// Time between commits, ms.
    pub commit_interval_ms: u32,
    /// A commit is made sooner when this many bytes wait for it.
    pub uncommitted_max_bytes: usize,
    /// How the group moves tasks between its members. All members of a group should have the same; while it is changed,
    /// one member after the other, the group serves both.
    pub group_protocol: GroupProtocol,
    /// The group gives a silent member's partitions away after this long, ms. With [`GroupProtocol::Consumer`] Kafka's
    /// brokers decide (`group.consumer.session.timeout.ms`).
    pub session_timeout_ms: u32,
    /// The log aborts a transaction that is open for longer, ms.
    pub transaction_timeout_ms: u32,
    /// How long a call may block before its outcome counts as unknown, ms.
    pub request_timeout_ms: u32,
    /// Most records taken from the log at once.
    pub batch_records: usize,
    /// Memory for stores and for input, fetched ahead or waiting in tasks, in bytes: see [`store::Budget`], which
    /// splits it.
    pub memory_bytes: usize,
    /// How a task that reads several topics waits where it has records of one and none of another, so that it can take
    /// them in the order of their timestamps. 0: while another has more in the log, or may have, it is waited for; one
    /// that was read to its end is not. More: one that was read to its end is waited for so long as well, ms, for what
    /// its producers may be about to send. Negative: nothing is waited for, and records come as they are fetched.
    pub max_task_idle_ms: i64,
    /// A task that reads several topics stops reading one of them while so many bytes of it wait for their turn; or
    /// fewer, where much waits in all tasks together ([`store::Budget::queue_bytes`]).
    pub queue_max_bytes: usize,
    /// Identifies the data: stores written under another fingerprint are refused.
    pub fingerprint: [u8; 32],
    /// Replicas of topics that are created; `None`: the cluster's default.
    pub replication_factor: Option<i32>,
    /// How often records of repartition topics are deleted that were processed, ms.
    pub repartition_purge_interval_ms: u32,
    /// Process what is there at the start, finish what is held, commit, stop.
    pub until_end: bool,
    /// What becomes of a panic of a task or a stream thread.
    pub on_panic: OnPanic,
    /// On how many instances beside its own each task's stores are kept warm, so that the task is soon restored where
    /// it goes. An instance works out by itself which these are, from the members of the group.
    pub standby_replicas: usize,
    /// Where this instance's stores can be asked from elsewhere, in words of the application, such as `host:port`:
    /// other instances learn it from [`Client::metadata`](crate::client::Client::metadata). The engine listens nowhere.
    /// It becomes part of the name by which brokers know the consumer.
    pub advertised_address: Option<String>,
    /// Hears how far restores are. `None`: log lines say it now and then.
    pub restore_listener: Option<Arc<dyn updater::Listener>>,
}

impl Config {
    /// The defaults.
    pub fn new(application_id: impl Into<String>) -> Self {
        Self {
            application_id: application_id.into(),
            state_directory: None,
            guarantee: Guarantee::ExactlyOnce,
            thread_count: 1,
            commit_interval_ms: 100,
            uncommitted_max_bytes: 64 << 20,
            group_protocol: GroupProtocol::Classic,
            session_timeout_ms: 10_000,
            transaction_timeout_ms: 10_000,
            request_timeout_ms: 10_000,
            batch_records: 1_000,
            memory_bytes: store::StoreOptions::MEMORY_BYTES,
            max_task_idle_ms: 0,
            queue_max_bytes: 8 << 20,
            fingerprint: [0; 32],
            replication_factor: None,
            repartition_purge_interval_ms: 30_000,
            until_end: false,
            on_panic: OnPanic::Replace,
            standby_replicas: 0,
            advertised_address: None,
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
        self.check_thread_count(self.thread_count)?;
        if let Some(address) = &self.advertised_address {
            query::check_address(address).map_err(Error::stop)?;
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

    /// Whether a process can have so many stream threads.
    pub(crate) fn check_thread_count(&self, count: usize) -> Result<()> {
        if (1..=THREAD_COUNT_MAX).contains(&count) {
            return Ok(());
        }
        Err(Error::stop(format!(
            "a process cannot have {count} stream threads: give 1 to {THREAD_COUNT_MAX}; more than there are tasks stay idle"
        )))
    }

    /// Whether a thread that panicked is made anew.
    pub(crate) fn replaces_threads(&self) -> bool {
        self.on_panic == OnPanic::Replace
    }
}

/// How often what a record causes is seen, in outputs and in stores, whatever crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// Once: outputs, store writes and the input's offsets are committed together, in transactions of the log.
    ExactlyOnce,
    /// Once, or again after a crash or a failed commit. Outputs can be read at once, offsets are committed when all has
    /// arrived, and no coordinator of transactions has a part in it. A sub-topology with a single writer stays
    /// exactly-once. To be changed between runs in either direction.
    AtLeastOnce,
}

/// What becomes of a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPanic {
    /// Where a task panics, what it did since the last commit is void, and it is begun again after a pause, which grows
    /// up to 51 s. Input that makes it panic each time stops this task, with an error in the log each time, and no
    /// other. Where the engine itself panics, the stream thread is made anew.
    Replace,
    /// The client ends with an error, as at any other that cannot be mended.
    Stop,
}

/// Numbers of threads have two digits in names, so that groups, which sort by name, have them in their order.
const THREAD_COUNT_MAX: usize = 99;

/// How long a turn may process before it must commit, ms: a transaction is open for so long, for the records under way
/// at the end of it, and for the commit itself.
pub(super) fn turn_max_ms(config: &Config) -> i64 {
    i64::from(config.transaction_timeout_ms / 4)
}

/// Name of the thread's own producer.
pub(super) fn transactional_id(config: &Config, instance_id: &str, thread: usize) -> String {
    format!("{}-{instance_id}-{thread:02}", config.application_id)
}

pub(super) fn consumer_options(config: &Config, instance_id: &str, thread: usize) -> ConsumerOptions {
    ConsumerOptions {
        group: Some(GroupOptions {
            id: config.application_id.clone(),
            instance_id: Some(format!("{instance_id}-{thread:02}")),
            session_timeout_ms: config.session_timeout_ms,
            protocol: config.group_protocol,
        }),
        isolation: Isolation::ReadCommitted,
        client_id: consumer_client_id(config, instance_id, thread),
        batch_records: config.batch_records,
        prefetch_bytes: store::Budget::of(config.memory_bytes).client_queue_bytes / config.thread_count.max(1),
        // Input that is gone is an error: the take-over that follows looks what there is, and says what was lost.
        out_of_range: OutOfRange::Fail,
    }
}

pub(super) fn producer_options(config: &Config, topology: &Topology, thread: usize) -> ProducerOptions {
    ProducerOptions {
        transactional_id: String::new(),
        transaction_timeout_ms: config.transaction_timeout_ms,
        client_id: client_id(config, thread),
        track_topics: topology.changelog_topics(&config.application_id).collect(),
    }
}

pub(super) fn restore_options(config: &Config) -> updater::RestoreOptions {
    let usual = updater::RestoreOptions::default();
    // Four are at it at once, each with a batch for each of its stores.
    let bytes_max = (config.memory_bytes / 16).max(64 << 10);
    updater::RestoreOptions {
        transaction_timeout_ms: i64::from(config.transaction_timeout_ms),
        client_id: format!("{}-restore", config.application_id),
        batch_bytes: usual.batch_bytes.min(bytes_max),
        prefetch_bytes: usual.prefetch_bytes.min(bytes_max),
        ..usual
    }
}

/// How standbys follow: many at once, of which each brings little.
pub(crate) fn standby_options(config: &Config) -> updater::RestoreOptions {
    let restore = restore_options(config);
    updater::RestoreOptions {
        client_id: format!("{}-standby", config.application_id),
        batch_bytes: (1 << 20).min(restore.batch_bytes),
        batch_records: 2_000,
        prefetch_bytes: (4 << 20).min(restore.prefetch_bytes),
        ..restore
    }
}

/// Tells the group's other members who this is.
fn consumer_client_id(config: &Config, instance_id: &str, thread: usize) -> String {
    let (application_id, address) = (config.application_id.as_str(), config.advertised_address.as_deref());
    let name = query::ClientName { application_id, instance_id, thread: &format!("{thread:02}"), address };
    name.to_string()
}

fn client_id(config: &Config, thread: usize) -> String {
    format!("{}-{thread:02}", config.application_id)
}
