//! One instance: a machine with a disk, and the process on it, again and again.
//!
//! ```text
//!   dead ── start ──> alive ── stop: commits, leaves the group ──> dead
//!     ^                 └───── killed: memory and part of the disk are lost ─┐
//!     └──────────────────────────────────────────────────────────────────────┘
//! ```
//! The process is the production code: a stream thread, an updater, a watch, what folds its stores. What a thread of the
//! operating system does for it in production, a turn of its own does here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::Random;
use super::clock::SimulatedClock;
use super::faults::Fault;
use super::log::SimulatedLog;
use super::stage::{Stage, Who};
use crate::client::{Config, Guarantee, prepare_topics, resolve_topics};
use crate::clock::{Clock, ManualClock};
use crate::error::{Class, Error, Result};
use crate::graph::Topology;
use crate::metrics::Metrics;
use crate::query::Registry;
use crate::store::simulated::Disk;
use crate::store::{InstanceId, Resources, StateDirectory, StoreOptions};
use crate::stream_thread::{self, StreamThread};
use crate::task::TaskId;
use crate::updater::{Listener, SteppedUpdater, Turn};
use crate::watch::{Intervals, Watch};

/// A machine.
pub(super) struct Instance {
    index: usize,
    topology: Topology,
    config: Config,
    store_options: StoreOptions,
    pub(super) disk: Disk,
    id: RefCell<InstanceId>,
    /// How far its wall clock is off, ms.
    pub(super) wall: ManualClock,
    life: Cell<u32>,
    process: RefCell<Option<Rc<Process>>>,
    /// By thread: how long it would have waited for input.
    idle_ms: Vec<Cell<Option<i64>>>,
}

/// It does not run any more: it was killed, or something failed.
#[derive(Debug)]
pub(super) struct Ended;

struct Process {
    who: Who,
    /// Each is not there while it plays.
    threads: Vec<RefCell<Option<StreamThread<SimulatedLog>>>>,
    updater: SteppedUpdater<TaskId, SimulatedLog>,
    resources: Resources,
}

/// Says nothing: the trace has the engine's lines.
#[derive(Debug)]
struct Silent;

impl Listener for Silent {}

impl Instance {
    pub(super) fn new(index: usize, topology: Topology, config: Config, store_options: StoreOptions) -> Self {
        Self {
            index,
            topology,
            store_options,
            disk: Disk::default(),
            id: RefCell::new(InstanceId::new(index as i64, 0)),
            wall: ManualClock::new(0),
            life: Cell::new(0),
            process: RefCell::new(None),
            idle_ms: (0..=config.thread_count).map(|_| Cell::new(None)).collect(),
            config,
        }
    }

    pub(super) fn thread_count(&self) -> usize {
        self.config.thread_count
    }

    pub(super) fn is_exactly_once(&self) -> bool {
        self.config.guarantee == Guarantee::ExactlyOnce
    }

    pub(super) fn life(&self) -> u32 {
        self.life.get()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.process.borrow().is_some()
    }

    fn process(&self) -> Option<Rc<Process>> {
        self.process.borrow().clone()
    }

    /// A poll has brought nothing, and would have waited so long.
    pub(super) fn note_idle(&self, thread: usize, ms: i64) {
        if let Some(idle_ms) = self.idle_ms.get(thread) {
            idle_ms.set(Some(ms));
        }
    }

    /// Starts a process, unless there is one. False: it could not start now.
    pub(super) fn start(&self, stage: &Stage) -> bool {
        if self.is_alive() {
            return true;
        }
        self.life.set(self.life.get() + 1);
        let who = Who { instance: self.index, life: self.life.get(), thread: 1 };
        stage.note(Some(who), || "starts".to_owned());
        stage.trace.enter(who);
        let made = stage.guarded(who, || self.make(stage, who));
        stage.trace.leave();
        match made {
            Ok(Ok(process)) => {
                self.process.replace(Some(Rc::new(process)));
                stage.wake_instance(self.index);
                true
            }
            Ok(Err(error)) => {
                stage.note(Some(who), || format!("cannot start: {error}"));
                if error.class() != Class::Retry {
                    stage.fail(format!("instance {} could not start: {error}", self.index));
                }
                false
            }
            Err(Ended) => false,
        }
    }

    fn make(&self, stage: &Stage, who: Who) -> Result<Process> {
        let clock_of =
            |who| Arc::new(SimulatedClock::new(stage.time.clone(), self.wall.clone(), who)) as Arc<dyn Clock>;
        let application_id = &self.config.application_id;
        let wanted = self.topology.has_patterns().then(|| self.topology.wanted(application_id));
        let starting = SimulatedLog::new(stage.log.clone(), who).showing_all();
        let topology = resolve_topics(&self.topology, &starting, application_id, &|| false)?;
        let prepared = prepare_topics(&topology, &starting, &self.config, &|| false)?;
        let mut known = prepared.known;
        wanted.into_iter().for_each(|wanted| known.want(wanted));
        let id = self.id.borrow().clone();
        let beside = Who { thread: 0, ..who };
        let log = SimulatedLog::new(stage.log.clone(), beside);
        let updater = SteppedUpdater::new(log, clock_of(beside), Arc::new(Silent));
        let resources = Resources::stepped(self.store_options.clone());
        let metrics = Arc::new(Metrics::default());
        let state_directory = Arc::new(StateDirectory::on(self.disk.clone(), id.clone()));
        let cleanup = Arc::default();
        let queries = Registry::new(&topology);
        queries.resolve(&topology);
        let make_thread = |thread| {
            let who = Who { thread, ..who };
            let (clock, log) = (clock_of(who), SimulatedLog::new(stage.log.clone(), who));
            let mut incarnations = stage.random(|random| random.fork());
            let parts = stream_thread::Parts {
                thread,
                topology: topology.clone(),
                instance_id: id.as_str().to_owned(),
                limits: prepared.limits.clone(),
                watch: Watch::stepped(log.clone(), Arc::clone(&clock), known.clone(), Intervals::default()),
                log,
                clock,
                metrics: Arc::clone(&metrics),
                state_directory: Some(Arc::clone(&state_directory)),
                resources: resources.clone(),
                restorer: updater.handle()?,
                incarnations: Box::new(move || {
                    let (high, low) = (incarnations.bits(), incarnations.bits());
                    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
                }),
                until_end: None,
                standbys: None,
                queries: Arc::clone(&queries),
                cleanup: Arc::clone(&cleanup),
            };
            StreamThread::new(self.config.clone(), parts).map(|thread| RefCell::new(Some(thread)))
        };
        let threads = (1..=self.thread_count()).map(make_thread).collect::<Result<_>>()?;
        Ok(Process { who, threads, updater, resources })
    }

    /// A turn of a stream thread. When the next one is due.
    pub(super) fn turn(&self, stage: &Stage, number: usize) -> i64 {
        let Some(process) = self.process() else { return i64::MAX };
        let Some(mut thread) = process.threads[number - 1].take() else { return i64::MAX };
        let idle_ms = &self.idle_ms[number];
        idle_ms.set(None);
        let who = Who { thread: number, ..process.who };
        stage.trace.enter(who);
        let turned = stage.guarded(who, || {
            let turned = thread.run_once();
            if turned.is_err() {
                // As the thread around it does.
                thread.abandon();
                return turned.map(|turn| (turn, None));
            }
            turned.map(|turn| (turn, Some(thread)))
        });
        stage.trace.leave();
        match turned {
            Ok(Ok((turn, thread))) => {
                if turn.committed || turn.record_count > 0 {
                    stage.note(Some(who), || {
                        let committed = if turn.committed { ", committed" } else { "" };
                        format!("{} records processed{committed}", turn.record_count)
                    });
                }
                process.threads[number - 1].replace(thread);
                stage.wake_updater(self.index);
                let idle_ms = idle_ms.take().unwrap_or_else(|| stage.random(|random| random.within(0..3)));
                stage.now_ms() + idle_ms
            }
            Ok(Err(error)) => {
                self.gave_up(stage, &process, &error);
                i64::MAX
            }
            Err(Ended) => i64::MAX,
        }
    }

    /// A thread has ended by itself, and the process with it. That is right where too much went wrong in a row: then somebody starts it again.
    fn gave_up(&self, stage: &Stage, process: &Rc<Process>, error: &Error) {
        stage.note(Some(process.who), || format!("ends: {error}"));
        let is_expected = error.to_string().starts_with("gave up after");
        if !is_expected {
            stage.fail(format!("instance {} has stopped: {error}", self.index));
        }
        self.end(stage);
    }

    /// The process is over, in good order or not; its disk has what was written.
    fn end(&self, stage: &Stage) {
        self.process.replace(None);
        self.life.set(self.life.get() + 1);
        stage.mishaps.borrow_mut().note_end(stage, self.index);
    }

    /// A step of the updater. When the next one is due.
    pub(super) fn restore(&self, stage: &Stage) -> i64 {
        let Some(process) = self.process() else { return i64::MAX };
        let who = Who { thread: 0, ..process.who };
        stage.trace.enter(who);
        let turn = stage.guarded(who, || process.updater.step());
        stage.trace.leave();
        match turn {
            Ok(Turn::Stepped | Turn::Paused) => {
                let is_slow = stage.occurs(Fault::SlowRestore);
                let delay_ms = if is_slow { 100..2_000 } else { 1..20 };
                stage.stir_one(self.index, 1);
                stage.now_ms() + stage.random(|random| random.within(delay_ms))
            }
            // A turn of the thread wakes it.
            Ok(Turn::Idle | Turn::Ended) | Err(Ended) => i64::MAX,
        }
    }

    /// A step of what writes stores. When the next one is due.
    pub(super) fn fold(&self, stage: &Stage) -> i64 {
        let Some(process) = self.process() else { return i64::MAX };
        let stepped = process.resources.step();
        let delay_ms = if stepped { 1..50 } else { 20..300 };
        stage.now_ms() + stage.random(|random| random.within(delay_ms))
    }

    /// Ends the process in good order, if it is not in the middle of something.
    pub(super) fn stop(&self, stage: &Stage) {
        let Some(process) = self.process() else { return };
        stage.note(Some(process.who), || "is told to stop".to_owned());
        for (index, thread) in process.threads.iter().enumerate() {
            let who = Who { thread: index + 1, ..process.who };
            let Some(thread) = thread.take() else { continue };
            stage.trace.enter(who);
            let closed = stage.guarded(who, || thread.close());
            stage.trace.leave();
            match closed {
                Ok(Ok(())) => {}
                Ok(Err(error)) => stage.fail(format!("instance {} could not stop: {error}", self.index)),
                Err(Ended) => return,
            }
        }
        stage.note(Some(process.who), || "has stopped".to_owned());
        self.end(stage);
    }

    /// Kills the process: what it does now is unwound when its turn comes.
    pub(super) fn kill(&self, stage: &Stage, with_disk: bool) {
        let process = self.process.take();
        self.life.set(self.life.get() + 1);
        if with_disk {
            self.disk.lose();
            // A machine without its disk is another one.
            let now_ms = stage.time.now_ms();
            self.id.replace(InstanceId::new(now_ms, stage.random(Random::bits)));
        } else {
            self.disk.crash(|count| stage.random(|random| random.index(count)));
        }
        // Not before: what is dropped has nothing to write any more.
        drop(process);
    }
}
