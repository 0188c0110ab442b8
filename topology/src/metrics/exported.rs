//! What Prometheus reads: counters and gauges by thread, task and store, in the text of OpenMetrics.
//!
//! | Name | Labels | Kafka Streams calls it |
//! |---|---|---|
//! | `topology_thread_process_total` | thread | `process-total` |
//! | `topology_thread_commit_total` | thread | `commit-total` |
//! | `topology_thread_commit_latency_seconds` | thread | `commit-latency-avg`, `-max` |
//! | `topology_thread_rewind_total` | thread | (task migrations and closed-dirty tasks) |
//! | `topology_thread_task_created_total`, `topology_thread_task_closed_total` | thread | `task-created-total`, `task-closed-total` |
//! | `topology_task_process_total`, `topology_task_consumed_bytes_total` | thread, task | `process-total`, `bytes-consumed-total` |
//! | `topology_task_dropped_records_total` | thread, task | `dropped-records-total` |
//! | `topology_task_record_lag` | thread, task, topic, partition | the consumer's `records-lag` |
//! | `topology_input_buffer_bytes` | | `input-buffer-bytes-total` |
//! | `topology_restore_records_total`, `topology_restore_remaining_records` | | `restore-total`, `restore-remaining-records-total` |
//! | `topology_standby_lag_records` | task | (`update-remaining`, by its changelogs) |
//! | `topology_state_segment_bytes`, `topology_state_wait_total` | | |
//! | `topology_state_table_bytes`, `topology_state_views`, `topology_state_view_bytes` | | |
//! | `topology_rocksdb_block_cache_bytes`, `topology_rocksdb_write_buffer_bytes` | | `block-cache-usage`, `size-all-mem-tables` |
//! | `topology_rocksdb_estimated_keys`, `topology_rocksdb_file_bytes` | task, store | `estimate-num-keys`, `live-sst-files-size` |
//! | `topology_rocksdb_memtable_bytes`, `topology_rocksdb_table_reader_bytes` | task, store | `size-all-mem-tables`, `estimate-table-readers-mem` |
//! | `topology_rocksdb_pending_compaction_bytes`, `topology_rocksdb_background_errors` | task, store | `estimate-pending-compaction-bytes`, `background-errors` |
//! | `topology_client_connections`, `topology_client_connection_creation_total` | client, broker | `connection-count`, `connection-creation-total` |
//! | `topology_client_requests_in_flight`, `topology_client_requests_waiting` | client, broker | `requests-in-flight` |
//! | `topology_client_request_retry_total`, `topology_client_request_error_total` | client, broker | (the producer's `record-retry-total`, `record-error-total`) |
//! | `topology_client_request_latency_avg_seconds`, `topology_client_request_latency_p99_seconds` | client, broker | `request-latency-avg`, `-max` |
//! | `topology_client_outgoing_byte_total`, `topology_client_incoming_byte_total` | client, broker | `outgoing-byte-total`, `incoming-byte-total` |
//! | `topology_consumer_fetch_queue_records`, `topology_consumer_fetch_queue_bytes` | client | |
//! | `topology_consumer_rebalance_total` | client | `rebalance-total` |
//! | `topology_producer_queue_records`, `topology_producer_queue_bytes` | client | (`buffer-total-bytes` less `buffer-available-bytes`) |
//! | `topology_producer_transaction_state`, `topology_producer_transaction_state_seconds` | client, state | |
//!
//! A task's rows go with the task, a client's with the client: those of `client`, `consumer` and `producer` are what
//! librdkafka tells every ten seconds, or as often as `statistics.interval.ms` says. Counters are atomics that one
//! thread writes: nothing is locked but where a task comes or goes, and where they are read.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::reading::{Read, Readings};

pub(crate) type Labels = Vec<(&'static str, String)>;

/// All of them, with the registry that writes them down. Clones are the same.
///
/// ```
/// use topology::metrics::Metrics;
///
/// let metrics = Metrics::default();
/// assert!(metrics.exported().to_text().ends_with("# EOF\n"));
/// ```
#[derive(Clone)]
pub struct Exported {
    registry: Arc<Mutex<Registry>>,
    thread_records: Family<Labels, Counter>,
    thread_commits: Family<Labels, Counter>,
    thread_commit_seconds: Family<Labels, Histogram>,
    thread_rewinds: Family<Labels, Counter>,
    tasks_created: Family<Labels, Counter>,
    tasks_closed: Family<Labels, Counter>,
    task_records: Family<Labels, Counter>,
    task_bytes: Family<Labels, Counter>,
    task_dropped: Family<Labels, Counter>,
    task_lag: Family<Labels, Gauge>,
    /// All of them together.
    lag: Arc<AtomicI64>,
    restored: Counter,
    standby_lag: Family<Labels, Gauge>,
}

impl fmt::Debug for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exported").finish_non_exhaustive()
    }
}

impl Default for Exported {
    fn default() -> Self {
        // From 1 ms to 16 s, each twice the one before.
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let exported = Self {
            registry: Arc::new(Mutex::new(Registry::with_prefix("topology"))),
            thread_records: Family::default(),
            thread_commits: Family::default(),
            thread_commit_seconds: Family::new_with_constructor(seconds),
            thread_rewinds: Family::default(),
            tasks_created: Family::default(),
            tasks_closed: Family::default(),
            task_records: Family::default(),
            task_bytes: Family::default(),
            task_dropped: Family::default(),
            task_lag: Family::default(),
            lag: Arc::default(),
            restored: Counter::default(),
            standby_lag: Family::default(),
        };
        exported.register_all();
        exported
    }
}

impl Exported {
    /// All of them as OpenMetrics text (`application/openmetrics-text; version=1.0.0; charset=utf-8`).
    pub fn to_text(&self) -> String {
        let mut written = String::new();
        // Writing to a string fails nowhere.
        let _ = text::encode(&mut written, &self.registry.lock().unwrap_or_else(PoisonError::into_inner));
        written
    }

    /// Has metrics of the application's own written down with these: they are registered under its own names, without a
    /// prefix.
    pub fn register(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn register_readings(&self, readings: impl Readings) {
        self.register(|registry| registry.register_collector(Box::new(Read(readings))));
    }

    pub(crate) fn add_restored(&self, count: u64) {
        self.restored.inc_by(count);
    }

    /// How far a standby is behind; `None`: there is none of this task any more.
    pub(crate) fn set_standby_lag(&self, task: &str, lag: Option<u64>) {
        let labels = vec![("task", task.to_owned())];
        match lag {
            Some(lag) => drop(self.standby_lag.get_or_create(&labels).set(i64::try_from(lag).unwrap_or(i64::MAX))),
            None => drop(self.standby_lag.remove(&labels)),
        }
    }

    /// Offsets that are yet to be processed, of all tasks.
    pub(crate) fn lag(&self) -> u64 {
        // A task that goes while another comes may be counted late.
        u64::try_from(self.lag.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Those of a thread.
    pub(crate) fn thread(&self, thread: usize) -> ThreadMetrics {
        let labels = vec![("thread", format!("{thread:02}"))];
        ThreadMetrics {
            records: self.thread_records.get_or_create_owned(&labels),
            commits: self.thread_commits.get_or_create_owned(&labels),
            commit_seconds: self.thread_commit_seconds.get_or_create_owned(&labels),
            rewinds: self.thread_rewinds.get_or_create_owned(&labels),
            created: self.tasks_created.get_or_create_owned(&labels),
            closed: self.tasks_closed.get_or_create_owned(&labels),
            labels,
            exported: self.clone(),
        }
    }

    fn register_all(&self) {
        let registry = &mut *self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register("thread_process", "Input records processed", self.thread_records.clone());
        registry.register("thread_commit", "Commits made", self.thread_commits.clone());
        let help = "Time from the flush of a commit to its end";
        registry.register_with_unit("thread_commit_latency", help, Unit::Seconds, self.thread_commit_seconds.clone());
        let help = "Times that work was thrown away and begun again where it was committed";
        registry.register("thread_rewind", help, self.thread_rewinds.clone());
        registry.register("thread_task_created", "Tasks begun", self.tasks_created.clone());
        registry.register("thread_task_closed", "Tasks ended", self.tasks_closed.clone());
        registry.register("task_process", "Input records processed", self.task_records.clone());
        registry.register_with_unit("task_consumed", "Keys and values read", Unit::Bytes, self.task_bytes.clone());
        let help = "Records that became dead letters or were passed over";
        registry.register("task_dropped_records", help, self.task_dropped.clone());
        let help = "Offsets from what is processed to the end of the partition, as last heard of";
        registry.register("task_record_lag", help, self.task_lag.clone());
        registry.register("restore_records", "Changelog records read into stores", self.restored.clone());
        let help = "Offsets of its changelogs that a standby has not read yet";
        registry.register("standby_lag_records", help, self.standby_lag.clone());
    }
}

/// The counters of a stream thread.
#[derive(Debug)]
pub(crate) struct ThreadMetrics {
    records: Counter,
    commits: Counter,
    commit_seconds: Histogram,
    rewinds: Counter,
    created: Counter,
    closed: Counter,
    labels: Labels,
    exported: Exported,
}

impl ThreadMetrics {
    pub(crate) fn add_records(&self, count: u64) {
        self.records.inc_by(count);
    }

    pub(crate) fn add_commit(&self, took_ms: i64) {
        self.commits.inc();
        self.commit_seconds.observe(took_ms as f64 / 1_000.0);
    }

    pub(crate) fn add_rewind(&self) {
        self.rewinds.inc();
    }

    /// Those of a task that begins, with these inputs. They go when this is dropped.
    pub(crate) fn task<'i>(&self, task: &str, inputs: impl Iterator<Item = (&'i str, i32)>) -> TaskMetrics {
        self.created.inc();
        let labels: Labels = self.labels.iter().cloned().chain([("task", task.to_owned())]).collect();
        let lags = inputs.map(|(topic, partition)| {
            let more = [("topic", topic.to_owned()), ("partition", partition.to_string())];
            let labels: Labels = labels.iter().cloned().chain(more).collect();
            (self.exported.task_lag.get_or_create_owned(&labels), labels)
        });
        TaskMetrics {
            records: self.exported.task_records.get_or_create_owned(&labels),
            bytes: self.exported.task_bytes.get_or_create_owned(&labels),
            dropped: self.exported.task_dropped.get_or_create_owned(&labels),
            lags: lags.collect(),
            closed: self.closed.clone(),
            labels,
            exported: self.exported.clone(),
        }
    }
}

/// The counters of a task, as long as it runs on a thread.
#[derive(Debug)]
pub(crate) struct TaskMetrics {
    records: Counter,
    bytes: Counter,
    dropped: Counter,
    lags: Vec<(Gauge, Labels)>,
    closed: Counter,
    labels: Labels,
    exported: Exported,
}

impl TaskMetrics {
    /// So many records were processed.
    pub(crate) fn add_records(&self, count: u64) {
        self.records.inc_by(count);
    }

    /// Keys and values of so many bytes were read.
    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bytes.inc_by(bytes);
    }

    pub(crate) fn add_dropped(&self, count: u64) {
        self.dropped.inc_by(count);
    }

    /// An input has so many offsets yet to be processed.
    pub(crate) fn set_lag(&self, input: usize, lag: i64) {
        if let Some((gauge, _)) = self.lags.get(input) {
            let lag = lag.max(0);
            let before = gauge.set(lag);
            self.exported.lag.fetch_add(lag.wrapping_sub(before), Ordering::Relaxed);
        }
    }
}

impl Drop for TaskMetrics {
    fn drop(&mut self) {
        self.closed.inc();
        self.exported.task_records.remove(&self.labels);
        self.exported.task_bytes.remove(&self.labels);
        self.exported.task_dropped.remove(&self.labels);
        for (gauge, labels) in &self.lags {
            self.exported.lag.fetch_sub(gauge.set(0), Ordering::Relaxed);
            self.exported.task_lag.remove(labels);
        }
    }
}
