//! The stream thread turn by turn, with a clock that is told the time. The log's clock is another one: hours may pass
//! here in which its sessions and transactions do not time out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use topology::client::Config;
use topology::clock::{Clock, ManualClock};
use topology::graph::Topology;
use topology::log::{Isolation, Kind, Log, Producer, ProducerOptions, ProducerRecord, TopicPartition, TopicSpec};
use topology::metrics::Metrics;
use topology::processor::Limits;
use topology::query::{Identity, Lookout, Queries, Registry};
use topology::store::InstanceId;
use topology::store::{Medium, Resources, Spec, StateDirectory, StoreOptions, Stores};
use topology::stream_thread::{Parts, State, StreamThread, UntilEnd};
use topology::task::TaskId;
use topology::updater::{Changelog, NewChangelog, Plan, Restore, UpdaterThread};
use topology::watch::{self, Known, Watch};

use super::counting::{assert_exact, produce, read, spec, topology};
use super::{config, memory_log, topics};
use crate::fault_log::{Call, Fault, FaultLog, Script};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// A stream thread that takes its turns when it is told to.
pub(crate) struct Instance<L: Log> {
    pub(crate) thread: StreamThread<L>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) queries: Queries,
    /// Restore its stores, and look who else has what, until it goes.
    _beside: (UpdaterThread<TaskId>, Lookout),
}

impl<L: Log> Instance<L> {
    /// Of the topology that counts.
    pub(crate) fn new(log: &L, clock: Arc<dyn Clock>, id: &str, config: Config) -> Self {
        Self::of(&topology(&topics()), log, clock, id, config)
    }

    pub(crate) fn of(topology: &Topology, log: &L, clock: Arc<dyn Clock>, id: &str, config: Config) -> Self {
        Self::watched(topology, log, clock, id, config, watch::Intervals::default())
    }

    /// Whose topics are watched like this.
    pub(crate) fn watched(
        topology: &Topology,
        log: &L,
        clock: Arc<dyn Clock>,
        id: &str,
        config: Config,
        watched: watch::Intervals,
    ) -> Self {
        let resources = Resources::start(StoreOptions::default()).unwrap();
        Self::with(topology, log, clock, id, config, (watched, resources))
    }

    /// Whose topics are watched like this, and whose stores share these resources.
    pub(crate) fn with(
        topology: &Topology,
        log: &L,
        clock: Arc<dyn Clock>,
        id: &str,
        config: Config,
        (watched, resources): (watch::Intervals, Resources),
    ) -> Self {
        let names = create_topics(log);
        let known = Known::look_up(log, &names, Duration::from_secs(10)).unwrap();
        let directory = config
            .state_directory
            .as_ref()
            .map(|root| Arc::new(StateDirectory::open(root, &config.application_id, InstanceId::new(0, 0)).unwrap()));
        let metrics = Arc::new(Metrics::default());
        let mut incarnation = 0;
        let listener = config.restore_listener.clone();
        let updater = UpdaterThread::start("updater", log.clone(), clock.clone(), listener).unwrap();
        let take_ends = || Arc::new(UntilEnd::take(topology, log, &*clock).unwrap());
        let queries = Registry::new(topology);
        queries.resolve(topology);
        let parts = Parts {
            queries: Arc::clone(&queries),
            thread: 1,
            until_end: config.until_end.then(take_ends),
            cleanup: Arc::default(),
            standbys: None,
            topology: topology.clone(),
            instance_id: id.to_owned(),
            limits: Limits::default(),
            log: log.clone(),
            metrics: metrics.clone(),
            state_directory: directory,
            resources,
            restorer: updater.handle().unwrap(),
            watch: Watch::start(log.clone(), clock.clone(), known, watched).unwrap(),
            clock,
            incarnations: Box::new(move || {
                incarnation += 1;
                [incarnation; 16]
            }),
        };
        let asking = Identity { application_id: config.application_id.clone(), instance_id: id.to_owned() };
        let lookout = Lookout::start(Arc::clone(&queries), log.clone(), asking, Box::new(|_| BTreeMap::new())).unwrap();
        let (thread, queries) = (StreamThread::new(config, parts).unwrap(), Queries::new(queries));
        Self { thread, metrics, queries, _beside: (updater, lookout) }
    }
}

/// All topics of the topologies here. Returns their names.
pub(super) fn create_topics(log: &impl Log) -> Vec<String> {
    let changelog = |store: &str| TopicSpec {
        config: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
        ..spec(&format!("{}-{store}-changelog", topics().application))
    };
    let dead_letters = spec(&format!("{}-dead-letters", topics().input));
    let other = [spec("other-in"), spec("other-out"), spec("other-in-dead-letters"), changelog("others")];
    let own = [spec(&topics().input), spec(&topics().output), dead_letters, changelog("counts")];
    log.create_topics(&own).unwrap();
    log.create_topics(&other).unwrap();
    own.into_iter().chain(other).map(|topic| topic.name).collect()
}

/// Those of the task that counts, on a machine where it never was.
pub(super) fn empty_stores() -> Stores {
    let specs = vec![Spec::new("counts", Medium::Memory).unwrap()];
    Stores::in_memory(specs, [0; 32], &Resources::without_thread(StoreOptions::default())).unwrap()
}

/// Lets them take turns until something has happened.
pub(crate) fn turn_until<L: Log>(instances: &mut [&mut Instance<L>], done: impl Fn(&[&mut Instance<L>]) -> bool) {
    let start = std::time::Instant::now();
    while !done(instances) {
        assert!(start.elapsed() < Duration::from_secs(60), "it never happens");
        for instance in &mut *instances {
            instance.thread.run_once().unwrap();
        }
    }
}

#[test]
fn an_idle_store_keeps_its_position_fresh() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    let clock = ManualClock::new(1_000_000_000);
    produce(&log, &topics(), 100);
    let start = || Instance::new(&log, Arc::new(clock.clone()), "a", config(Some(directory.path())));
    let mut idle = start();
    turn_until(&mut [&mut idle], |turning| turning[0].metrics.snapshot().record_count == 100);
    let busy = idle.metrics.snapshot().commit_count;
    // Longer than half of the changelog's delete.retention.ms, behind which a store must be rebuilt.
    for _ in 0..4 * 13 {
        clock.advance(HOUR_MS / 4);
        idle.thread.run_once().unwrap();
    }
    let renewed = idle.metrics.snapshot().commit_count - busy;
    assert!((12..=14).contains(&renewed), "once an hour, not {renewed} times in 13 hours");
    idle.thread.close().unwrap();

    let mut again = start();
    turn_until(&mut [&mut again], |turning| turning[0].thread.state() == State::Running);
    assert_eq!(again.metrics.snapshot().restored_record_count, 0);
    produce(&log, &topics(), 10);
    turn_until(&mut [&mut again], |turning| turning[0].metrics.snapshot().record_count == 10);
    assert_exact(&log, &topics(), 110);
}

#[test]
fn what_lies_beside_the_tasks_of_the_graph_is_never_cleaned_up() {
    let (log, directory, clock) = (memory_log(), tempfile::tempdir().unwrap(), ManualClock::new(1_000_000_000));
    produce(&log, &topics(), 1);
    let mut instance = Instance::new(&log, Arc::new(clock.clone()), "a", config(Some(directory.path())));
    turn_until(&mut [&mut instance], |turning| turning[0].thread.state() == State::Running);
    let own = directory.path().join("app");
    let others = ["counting_0.bak", "former_0", "counting_00", "counting_", "backup"].map(|name| own.join(name));
    let moved_away = own.join("counting_7");
    others.iter().chain([&moved_away]).for_each(|path| std::fs::create_dir_all(path.join("rocksdb")).unwrap());
    for _ in 0..15 {
        clock.advance(60_000);
        instance.thread.run_once().unwrap();
    }
    assert!(others.iter().all(|path| path.join("rocksdb").exists()) && !moved_away.exists());
}

/// Somebody's transaction with a record of a changelog, which keeps a restore from it waiting.
pub(super) fn open_transaction(log: &impl Log, topic: &str) -> impl Producer {
    let options = ProducerOptions {
        transactional_id: "somebody".to_owned(),
        transaction_timeout_ms: 60_000,
        client_id: "test".to_owned(),
        track_topics: Vec::new(),
    };
    let mut somebody = log.producer(&options).unwrap();
    let record =
        ProducerRecord { topic, partition: Some(0), timestamp_ms: 0, key: Some(b"k"), value: None, headers: &[] };
    somebody.init_transactions(Duration::from_secs(1)).unwrap();
    somebody.begin().unwrap();
    somebody.send(&record).unwrap();
    somebody.flush(Duration::from_secs(1)).unwrap();
    somebody
}

#[test]
fn each_failure_in_a_row_waits_longer_before_tasks_are_taken_over_again() {
    let log = memory_log();
    let clock = Arc::new(ManualClock::new(0));
    produce(&log, &topics(), 10);
    let script = (0..5).fold(Script::default(), |script, _| script.refuse(Call::Flush, 0, Kind::Abort));
    let mut instance = Instance::new(&FaultLog::new(log.clone(), &script), clock.clone(), "a", config(None));
    let mut failed_ms = Vec::new();
    while read(&log, &topics().output).is_empty() {
        let before = script.refused_count();
        instance.thread.run_once().unwrap();
        if script.refused_count() > before {
            failed_ms.push(clock.monotonic_ms());
        }
        clock.advance(10);
    }
    let waited_ms: Vec<i64> = failed_ms.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waited_ms.len(), 4);
    for (waited_ms, backoff_ms) in waited_ms.into_iter().zip([100, 200, 400, 800]) {
        assert!(waited_ms >= backoff_ms, "{waited_ms} ms instead of {backoff_ms}");
    }
}

#[test]
fn a_commit_that_never_succeeds_stops_with_an_error_instead_of_turning_for_ever() {
    let log = memory_log();
    let clock = Arc::new(ManualClock::new(0));
    produce(&log, &topics(), 10);
    let faults = FaultLog::new(log, &Script::commits(std::iter::repeat_n(Fault::Abort, 100)));
    let mut instance = Instance::new(&faults, clock.clone(), "a", config(None));
    let error = (0..10_000).find_map(|_| {
        clock.advance(100);
        instance.thread.run_once().err()
    });
    let error = error.expect("it turns for ever").to_string();
    assert!(error.contains("gave up after 10 failures in a row"), "{error}");
    assert_eq!(instance.metrics.snapshot().rewind_count, 11);
}

#[test]
fn a_log_that_nobody_reaches_while_an_open_transaction_is_waited_for_is_no_reason_to_stop() {
    let log = memory_log();
    create_topics(&log);
    let mut somebody = open_transaction(&log, "app-counts-changelog");
    let script = Script::default();
    let clock = Arc::new(ManualClock::new(0));
    let changelog = Changelog { topic: "app-counts-changelog".to_owned(), beginning: NewChangelog::Alone([1; 16]) };
    let options = topology::updater::RestoreOptions::default();
    let plan = Plan { partition: 0, changelogs: vec![Some(changelog)], options, followed: None };
    let mut stores = empty_stores();
    let mut restore = Restore::new(FaultLog::new(log.clone(), &script), plan, clock.clone());
    let mut step = || {
        clock.advance(1_000);
        restore.step(&mut stores, Duration::from_millis(1))
    };
    while !step().unwrap().waiting {}
    script.set_unreachable(true);
    for _ in 0..60 {
        assert_eq!(step().unwrap_err().class(), topology::Class::Retry);
    }
    script.set_unreachable(false);
    assert!(step().unwrap().waiting);
    somebody.abort(Duration::from_secs(1)).unwrap();
    while !step().unwrap().done {}
    let stable = log.watermarks(&TopicPartition::new("app-counts-changelog", 0), Isolation::ReadCommitted).unwrap();
    assert_eq!(stable.high, 2);
}

#[test]
fn a_bounded_run_ends_no_earlier_than_what_a_predecessor_can_have_read() {
    let log = memory_log();
    let clock = Arc::new(ManualClock::new(1_000_000_000));
    produce(&log, &topics(), 100);
    let mut bounded = Instance::new(&log, clock.clone(), "a", Config { until_end: true, ..config(None) });
    // The end is known here, and the previous owner may still read on.
    produce(&log, &topics(), 10);
    let finished = |turning: &[&mut Instance<_>]| {
        clock.advance(50);
        turning[0].thread.state() == State::Finished
    };
    turn_until(&mut [&mut bounded], finished);
    bounded.thread.close().unwrap();
    assert_exact(&log, &topics(), 110);
}

#[test]
fn input_that_retention_takes_from_a_running_task_is_skipped_and_nothing_else_is() {
    let log = memory_log();
    let clock = Arc::new(ManualClock::new(1_000_000_000));
    produce(&log, &topics(), 100);
    let mut instance = Instance::new(&log, clock.clone(), "a", config(None));
    let counted = |count| {
        let clock = clock.clone();
        move |turning: &[&mut Instance<_>]| {
            clock.advance(50);
            turning[0].metrics.snapshot().record_count == count
        }
    };
    turn_until(&mut [&mut instance], counted(100));
    produce(&log, &topics(), 50);
    // Each batch is followed by the marker of its transaction: the first one's lies at offset 100.
    log.delete_records(&TopicPartition::new(topics().input, 0), 121).unwrap();
    turn_until(&mut [&mut instance], counted(130));
    instance.thread.close().unwrap();
    assert_eq!(read(&log, &topics().output).len(), 130);
}

#[test]
fn the_state_of_a_task_that_runs_elsewhere_is_deleted_after_ten_minutes_and_never_while_it_is_in_use() {
    let (log, root) = (memory_log(), tempfile::tempdir().unwrap());
    let clock = ManualClock::new(0);
    produce(&log, &topics(), 10);
    let state = root.path().join(topics().application);
    let make = |task: &str| std::fs::create_dir_all(state.join(task).join("rocksdb")).unwrap();
    make("counting_7");
    make("counting_8");
    let mut instance = Instance::new(&log, Arc::new(clock.clone()), "a", config(Some(root.path())));
    turn_until(&mut [&mut instance], |turning| turning[0].metrics.snapshot().record_count == 10);
    // As a restore does that was cancelled and has not given its stores back yet.
    let lock = std::fs::File::create(state.join("counting_8").join("LOCK")).unwrap();
    lock.lock().unwrap();
    let mut pass = |minutes: i64| {
        for _ in 0..minutes {
            clock.advance(60_000);
            instance.thread.run_once().unwrap();
        }
        ["counting_0", "counting_7", "counting_8"].map(|task| state.join(task).exists())
    };
    assert_eq!(pass(9), [true, true, true]);
    assert_eq!(pass(2), [true, false, true]);
    lock.unlock().unwrap();
    assert_eq!(pass(2), [true, false, false]);
    assert_eq!(pass(20), [true, false, false], "its own stays");
}
