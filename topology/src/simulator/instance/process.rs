//! A process: stream threads, an updater, a watch, standbys, what folds its stores. What a thread of the operating
//! system does for it in production, a turn of its own does here.

use std::sync::{Arc, Mutex};

use super::seat::{Next, Seat, Thread};
use super::shared::{Machine, Own, Shared};
use super::{Blueprint, Ended, Instance};
use crate::client::{ProcessHome, prepare_topics, resolve_topics, standby_keeper};
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::query::Registry;
use crate::simulator::log::SimulatedLog;
use crate::simulator::stage::{Stage, Who};
use crate::simulator::{Beginning, Random};
use crate::standby::SteppedStandbys;
use crate::store::{Resources, StateDirectory};
use crate::task::TaskId;
use crate::updater::{Listener, SteppedUpdater, Turn};

pub(super) struct Process {
    pub(super) who: Who,
    /// By the thread's number less one.
    seats: Vec<Seat>,
    /// `None` where none are wanted.
    standbys: Option<SteppedStandbys>,
    updater: SteppedUpdater<TaskId, SimulatedLog>,
    shared: Shared,
}

/// What became of a turn.
pub(super) enum Turned {
    Well,
    /// The thread has ended by itself.
    Failed(Error),
    /// The thread is in the middle of a turn, or has gone in this one: it was killed, or told to leave.
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
        let machine = Machine { log: stage.log.clone(), time: stage.time.clone(), wall: instance.wall.clone() };
        let (log, clock) = machine.seen_by(Who { thread: 0, ..who });
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
        let updater = SteppedUpdater::new(log.clone(), clock, Arc::new(Silent));
        let queries = Registry::new(&topology);
        queries.resolve(&topology);
        let shared = Shared {
            machine,
            config: config.clone(),
            topology,
            limits: prepared.limits,
            known,
            metrics: Arc::new(Metrics::default()),
            state_directory: Some(Arc::new(StateDirectory::on(instance.disk.borrow().clone(), id.clone()))),
            id,
            resources: Resources::stepped(store_options.clone()),
            queries,
            cleanup: Arc::default(),
        };
        let standbys = standby_keeper(home(&shared, log), &shared.id, || updater.handle())?;
        let standbys = standbys.map(|(keeper, planner)| SteppedStandbys::new(keeper, planner));
        let seats = (0..instance.seat_count()).map(|_| Seat::vacant()).collect();
        let made = Self { who, seats, standbys, updater, shared };
        for (number, seat) in (1..=config.thread_count).zip(&made.seats) {
            seat.sit(made.make_thread(stage, number)?);
        }
        Ok(made)
    }

    fn make_thread(&self, stage: &Stage, number: usize) -> Result<Box<Thread>> {
        let random = stage.random(Random::fork);
        let standbys = self.standbys.as_ref().map(SteppedStandbys::keeper);
        self.shared.make_thread(self.thread(number), Own { restorer: self.updater.handle()?, standbys, random })
    }

    /// Whether a thread has this number, or will have.
    pub(super) fn has_thread(&self, number: usize) -> bool {
        self.seats.get(number - 1).is_some_and(|seat| !seat.is_vacant())
    }

    /// Whether there is no thread that is to stay.
    pub(super) fn lacks_threads(&self) -> bool {
        !self.seats.iter().any(Seat::is_kept)
    }

    /// One more thread begins in its next turn. Its number, the lowest that is free, as in a client of the engine;
    /// `None`: none is.
    pub(super) fn add_thread(&self) -> Option<usize> {
        let index = self.seats.iter().position(Seat::is_vacant)?;
        self.seats[index].promise();
        Some(index + 1)
    }

    /// The thread with the highest number leaves in its next turn, as in a client of the engine. That number; `None`:
    /// all leave already.
    pub(super) fn remove_thread(&self) -> Option<usize> {
        let index = self.seats.iter().rposition(Seat::is_kept)?;
        self.seats[index].tell_to_leave();
        Some(index + 1)
    }

    /// A turn of a stream thread.
    pub(super) fn turn(&self, stage: &Stage, number: usize) -> Turned {
        let (seat, who) = (&self.seats[number - 1], self.thread(number));
        let turned = match seat.begin_turn() {
            None => return Turned::NotThere,
            Some(Next::Begin) => stage.act_as(who, || self.make_thread(stage, number).map(Some)),
            Some(Next::Go(thread)) => run_once(stage, who, thread),
            Some(Next::Leave(thread)) => stage.act_as(who, || thread.close().map(|()| None)),
        };
        match turned {
            Ok(Ok(Some(thread))) => {
                seat.sit(thread);
                Turned::Well
            }
            Ok(Ok(None)) => {
                stage.note(Some(who), || "has left".to_owned());
                self.shared.cleanup.forget(number);
                seat.vacate();
                Turned::NotThere
            }
            Ok(Err(error)) => Turned::Failed(error),
            Err(Ended) => Turned::NotThere,
        }
    }

    /// What can be read of its tasks.
    pub(super) fn queries(&self) -> &Registry {
        &self.shared.queries
    }

    /// A step of the updater.
    pub(super) fn restore(&self, stage: &Stage) -> Result<Turn, Ended> {
        stage.act_as(self.thread(0), || self.updater.step())
    }

    /// A step of what writes stores. Whether there was anything to do.
    pub(super) fn fold(&self) -> bool {
        self.shared.resources.step()
    }

    /// A look at what is to be kept warm; `None` where nothing is.
    pub(super) fn look(&self, stage: &Stage) -> Option<Result<(), Ended>> {
        self.standbys.as_ref().map(|standbys| stage.act_as(self.thread(0), || standbys.look()))
    }

    /// Ends all threads in good order. None of them may be in the middle of a turn.
    pub(super) fn close(&self, stage: &Stage) -> Result<Result<()>, Ended> {
        for (index, seat) in self.seats.iter().enumerate() {
            let Some(thread) = seat.take() else { continue };
            if let Err(error) = stage.act_as(self.thread(index + 1), || thread.close())? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// One of its stream threads, by its number; 0: what is beside them.
    fn thread(&self, thread: usize) -> Who {
        Who { thread, ..self.who }
    }
}

fn home(shared: &Shared, log: SimulatedLog) -> ProcessHome<SimulatedLog> {
    ProcessHome {
        config: shared.config.clone(),
        topology: shared.topology.clone(),
        log,
        directory: shared.state_directory.clone(),
        resources: shared.resources.clone(),
        queries: Arc::clone(&shared.queries),
        metrics: Arc::clone(&shared.metrics),
        followed: Mutex::default(),
    }
}

fn run_once(stage: &Stage, who: Who, mut thread: Box<Thread>) -> Result<Result<Option<Box<Thread>>>, Ended> {
    let turned = stage.act_as(who, || match thread.run_once() {
        Ok(turn) => Ok((turn, thread)),
        Err(error) => {
            // As the thread around it does.
            thread.abandon();
            Err(error)
        }
    })?;
    Ok(turned.map(|(turn, thread)| {
        if turn.committed || turn.record_count > 0 {
            let committed = if turn.committed { ", committed" } else { "" };
            let records = if turn.record_count == 1 { "record" } else { "records" };
            stage.note(Some(who), || format!("{} {records} processed{committed}", turn.record_count));
        }
        Some(thread)
    }))
}
