//! A process: stream threads, an updater, a watch, standbys, what folds its stores. What a thread of the operating system does for
//! it in production, a turn of its own does here.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use super::{Blueprint, Ended, Instance};
use crate::client::{ProcessHome, prepare_topics, resolve_topics, standby_keeper};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::query::Registry;
use crate::simulator::clock::SimulatedClock;
use crate::simulator::log::SimulatedLog;
use crate::simulator::stage::{Stage, Who};
use crate::simulator::{Beginning, Random};
use crate::standby::SteppedStandbys;
use crate::store::{Resources, StateDirectory};
use crate::stream_thread::{Parts, StreamThread};
use crate::task::TaskId;
use crate::updater::{Listener, SteppedUpdater, Turn};
use crate::watch::{Intervals, Watch};

pub(super) struct Process {
    pub(super) who: Who,
    /// Each is not there while it plays.
    threads: Vec<RefCell<Option<StreamThread<SimulatedLog>>>>,
    /// `None` where none are wanted.
    standbys: Option<SteppedStandbys>,
    updater: SteppedUpdater<TaskId, SimulatedLog>,
    resources: Resources,
    queries: Arc<Registry>,
}

/// What became of a turn.
pub(super) enum Turned {
    Well,
    /// The thread has ended by itself.
    Failed(Error),
    /// The thread is in the middle of a turn, or was killed in this one.
    NotThere,
}

/// Says nothing: the trace has the engine's lines.
#[derive(Debug)]
struct Silent;

impl Listener for Silent {}

impl Process {
    /// All that a client of the engine does before its first stream thread runs, and those threads.
    pub(super) fn make(instance: &Instance, stage: &Stage, who: Who) -> Result<Self> {
        let Blueprint { topology, make_topology, config, store_options } = &instance.blueprint;
        let clock_of =
            |who| Arc::new(SimulatedClock::new(stage.time.clone(), instance.wall.clone(), who)) as Arc<dyn Clock>;
        let beside = Who { thread: 0, ..who };
        let (clock, log) = (clock_of(beside), SimulatedLog::new(stage.log.clone(), beside));
        let topology = match make_topology {
            None => topology.clone(),
            Some(make) => make(&mut Beginning {
                instance: instance.index,
                log: log.waiting(),
                clock: Arc::clone(&clock),
                random: stage.random(Random::fork),
            })?,
        };
        let wanted = topology.has_patterns().then(|| topology.wanted(&config.application_id));
        let topology = resolve_topics(&topology, (&log, &*clock), &config.application_id, &|| false)?;
        let prepared = prepare_topics(&topology, (&log, &*clock), config, &|| false)?;
        let mut known = prepared.known;
        wanted.into_iter().for_each(|wanted| known.want(wanted));
        let id = instance.id.borrow().clone();
        let updater = SteppedUpdater::new(log.clone(), Arc::clone(&clock), Arc::new(Silent));
        let resources = Resources::stepped(store_options.clone());
        let metrics = Arc::new(Metrics::default());
        let state_directory = Some(Arc::new(StateDirectory::on(instance.disk.borrow().clone(), id.clone())));
        let cleanup = Arc::default();
        let queries = Registry::new(&topology);
        queries.resolve(&topology);
        let home = ProcessHome {
            config: config.clone(),
            topology: topology.clone(),
            log: log.clone(),
            directory: state_directory.clone(),
            resources: resources.clone(),
            queries: Arc::clone(&queries),
            metrics: Arc::clone(&metrics),
            followed: Mutex::default(),
        };
        let standbys = standby_keeper(home, &id, || updater.handle())?;
        let standbys = standbys.map(|(keeper, planner)| SteppedStandbys::new(keeper, planner));
        let make_thread = |thread| {
            let who = Who { thread, ..who };
            let (clock, log) = (clock_of(who), SimulatedLog::new(stage.log.clone(), who));
            let mut incarnations = stage.random(Random::fork);
            let parts = Parts {
                thread,
                topology: topology.clone(),
                instance_id: id.as_str().to_owned(),
                limits: prepared.limits.clone(),
                watch: Watch::stepped(log.clone(), Arc::clone(&clock), known.clone(), Intervals::default()),
                log,
                clock,
                metrics: Arc::clone(&metrics),
                state_directory: state_directory.clone(),
                resources: resources.clone(),
                restorer: updater.handle()?,
                incarnations: Box::new(move || {
                    let (high, low) = (incarnations.bits(), incarnations.bits());
                    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
                }),
                until_end: None,
                standbys: standbys.as_ref().map(SteppedStandbys::keeper),
                queries: Arc::clone(&queries),
                cleanup: Arc::clone(&cleanup),
            };
            StreamThread::new(config.clone(), parts).map(|thread| RefCell::new(Some(thread)))
        };
        let threads = (1..=config.thread_count).map(make_thread).collect::<Result<_>>()?;
        Ok(Self { who, threads, standbys, updater, resources, queries })
    }

    /// A turn of a stream thread.
    pub(super) fn turn(&self, stage: &Stage, number: usize) -> Turned {
        let who = Who { thread: number, ..self.who };
        let Some(mut thread) = self.threads[number - 1].take() else { return Turned::NotThere };
        let turned = stage.act_as(who, || {
            let turned = thread.run_once();
            if turned.is_err() {
                // As the thread around it does.
                thread.abandon();
                return turned.map(|turn| (turn, None));
            }
            turned.map(|turn| (turn, Some(thread)))
        });
        match turned {
            Ok(Ok((turn, thread))) => {
                if turn.committed || turn.record_count > 0 {
                    let committed = if turn.committed { ", committed" } else { "" };
                    stage.note(Some(who), || format!("{} records processed{committed}", turn.record_count));
                }
                self.threads[number - 1].replace(thread);
                Turned::Well
            }
            Ok(Err(error)) => Turned::Failed(error),
            Err(Ended) => Turned::NotThere,
        }
    }

    /// What can be read of its tasks.
    pub(super) fn queries(&self) -> &Registry {
        &self.queries
    }

    /// A step of the updater.
    pub(super) fn restore(&self, stage: &Stage) -> Result<Turn, Ended> {
        stage.act_as(self.beside(), || self.updater.step())
    }

    /// A step of what writes stores. Whether there was anything to do.
    pub(super) fn fold(&self) -> bool {
        self.resources.step()
    }

    /// A look at what is to be kept warm; `None` where nothing is.
    pub(super) fn look(&self, stage: &Stage) -> Option<Result<(), Ended>> {
        self.standbys.as_ref().map(|standbys| stage.act_as(self.beside(), || standbys.look()))
    }

    /// Ends all threads in good order. None of them may be in the middle of a turn.
    pub(super) fn close(&self, stage: &Stage) -> Result<Result<()>, Ended> {
        for (index, thread) in self.threads.iter().enumerate() {
            let who = Who { thread: index + 1, ..self.who };
            let Some(thread) = thread.take() else { continue };
            if let Err(error) = stage.act_as(who, || thread.close())? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    fn beside(&self) -> Who {
        Who { thread: 0, ..self.who }
    }
}
