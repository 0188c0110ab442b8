//! One instance: a machine with a disk, and the processes on it, one after the other.
//!
//! ```text
//! mod         the machine: which process runs, and what becomes of it
//! process     a process: the production code, and its turns
//! shared      what its stream threads share, and how one is made
//! seat        a seat for a stream thread
//! threads     stream threads that come and go while the process runs
//! ```
//! ```text
//!             start                  stop: commits, leaves the group
//!   vacant ──────────> it runs ──────────────────────────────────────────> vacant
//!                        │  │  killed: memory and part of the disk are lost ─┘  ▲
//!                        │  └── taken for dead ──> it goes on as a zombie ──────┘  until it is fenced, or killed
//!                        └── ends by an error ──────────────────────────────────┘
//! ```
//! An instance has two berths: while a zombie is in one, the process in its place is in the other. The zombie keeps the
//! disk as it was; the other has what a crash would have left of it.

mod process;
mod seat;
mod shared;
mod threads;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use process::{Process, Turned};

use super::checks::Application;
use super::faults::Fault;
use super::stage::{Place, Stage, Who};
use super::{MakeTopology, Random};
use crate::client::{Config, Guarantee};
use crate::clock::{Clock, ManualClock};
use crate::error::{Class, Error};
use crate::graph::Topology;
use crate::store::simulated::Disk;
use crate::store::{InstanceId, StoreOptions};
use crate::updater::Turn;

/// Of so many turns one is followed by somebody who reads.
const READ_EVERY: u64 = 16;

/// How many processes an instance has at most: one, and a zombie.
pub(super) const BERTH_COUNT: usize = 2;

/// A machine.
pub(super) struct Instance {
    index: usize,
    blueprint: Blueprint,
    /// What the process has that counts, and those before that went on as zombies.
    disk: RefCell<Disk>,
    former_disks: RefCell<Vec<Disk>>,
    id: RefCell<InstanceId>,
    /// How far its wall clock is off, ms.
    pub(super) wall: ManualClock,
    last_life: Cell<u32>,
    berths: [Berth; BERTH_COUNT],
    /// In which berth the process is that counts, or was last.
    current: Cell<usize>,
    had_zombie: Cell<bool>,
}

/// What processes are made from.
#[derive(Clone)]
pub(super) struct Blueprint {
    pub(super) topology: Topology,
    /// Where each process has a topology of its own.
    pub(super) make_topology: Option<MakeTopology>,
    pub(super) config: Config,
    pub(super) store_options: StoreOptions,
}

/// A place for a process.
struct Berth {
    /// Whose it is; no other goes on here.
    life: Cell<Option<u32>>,
    /// Not there before it has started.
    process: RefCell<Option<Rc<Process>>>,
    /// By thread: how long it would have waited for input.
    idle_ms: Vec<Cell<Option<i64>>>,
    /// It does nothing until then.
    held_until_ms: Cell<i64>,
}

/// It does not run any more: it was killed, or something failed.
#[derive(Debug)]
pub(super) struct Ended;

impl Instance {
    pub(super) fn new(index: usize, blueprint: Blueprint) -> Self {
        let seat_count = blueprint.seat_count();
        let berth = || Berth {
            life: Cell::new(None),
            process: RefCell::new(None),
            idle_ms: (0..=seat_count).map(|_| Cell::new(None)).collect(),
            held_until_ms: Cell::new(i64::MIN),
        };
        Self {
            index,
            blueprint,
            disk: RefCell::default(),
            former_disks: RefCell::default(),
            id: RefCell::new(InstanceId::new(index as i64, 0)),
            wall: ManualClock::new(0),
            last_life: Cell::new(0),
            berths: [berth(), berth()],
            current: Cell::new(0),
            had_zombie: Cell::new(false),
        }
    }

    pub(super) fn is_exactly_once(&self) -> bool {
        self.blueprint.config.guarantee == Guarantee::ExactlyOnce
    }

    /// Whether one of its processes is in this life.
    pub(super) fn lives(&self, life: u32) -> bool {
        self.berth_of(life).is_some()
    }

    fn berth_of(&self, life: u32) -> Option<usize> {
        self.berths.iter().position(|berth| berth.life.get() == Some(life))
    }

    /// Where the process is that counts, or was.
    pub(super) fn place(&self) -> Place {
        Place { instance: self.index, berth: self.current.get() }
    }

    fn place_of(&self, berth: usize) -> Place {
        Place { instance: self.index, berth }
    }

    /// Whether the process runs that counts.
    pub(super) fn is_alive(&self) -> bool {
        self.runs(self.current.get())
    }

    /// Whether a process runs in a berth.
    pub(super) fn runs(&self, berth: usize) -> bool {
        self.berths[berth].process.borrow().is_some()
    }

    fn process(&self, berth: usize) -> Option<Rc<Process>> {
        self.berths[berth].process.borrow().clone()
    }

    /// A berth without a holder.
    pub(super) fn vacant(&self, stage: &Stage) -> Option<usize> {
        (0..BERTH_COUNT)
            .find(|berth| self.berths[*berth].life.get().is_none() && !stage.is_on_stage(self.place_of(*berth)))
    }

    /// The disks that it has and had.
    pub(super) fn disks(&self) -> Vec<Disk> {
        let mut disks = self.former_disks.borrow().clone();
        disks.push(self.disk.borrow().clone());
        disks
    }

    /// Until when the process in a berth does nothing.
    pub(super) fn held_until_ms(&self, berth: usize) -> i64 {
        self.berths[berth].held_until_ms.get()
    }

    /// A poll has brought nothing, and would have waited so long.
    pub(super) fn note_idle(&self, who: Who, ms: i64) {
        let berth = self.berth_of(who.life).map(|berth| &self.berths[berth]);
        if let Some(idle_ms) = berth.and_then(|berth| berth.idle_ms.get(who.thread)) {
            idle_ms.set(Some(ms));
        }
    }

    /// Starts a process, unless there is one. False: it could not start now.
    pub(super) fn start(&self, stage: &Stage) -> bool {
        if self.is_alive() {
            return true;
        }
        let Some(berth) = self.vacant(stage) else { return false };
        let life = self.last_life.get() + 1;
        self.last_life.set(life);
        self.current.set(berth);
        self.berths[berth].life.set(Some(life));
        self.berths[berth].held_until_ms.set(i64::MIN);
        let who = Who { instance: self.index, life, thread: 1 };
        stage.note(Some(who), || "starts".to_owned());
        let began_ms = stage.now_ms();
        let made = stage.act_as(who, || Process::make(self, stage, who));
        match made {
            Ok(Ok(process)) => {
                self.berths[berth].process.replace(Some(Rc::new(process)));
                stage.wake_place(self.place_of(berth));
                true
            }
            Ok(Err(error)) => {
                stage.trace.complain(stage.now_ms(), Some(who), true, &format!("cannot start: {error}"));
                // Who is patient in vain with brokers that are behind is started again.
                if error.class() != Class::Retry && !stage.has_hidden_since(began_ms) {
                    stage.fail(format!("instance {} could not start: {error}", self.index));
                }
                self.berths[berth].life.set(None);
                false
            }
            Err(Ended) => false,
        }
    }

    /// A turn of a stream thread. When the next one is due.
    pub(super) fn turn(&self, stage: &Stage, berth: usize, number: usize) -> i64 {
        let Some(process) = self.process(berth) else { return i64::MAX };
        let idle_ms = &self.berths[berth].idle_ms[number];
        idle_ms.set(None);
        match process.turn(stage, number) {
            Turned::Well => {
                self.read(stage, &process);
                stage.wake_updater(self.place_of(berth));
                let idle_ms = idle_ms.take().unwrap_or_else(|| stage.random(|random| random.within(0..3)));
                stage.now_ms() + idle_ms
            }
            Turned::Failed(error) => {
                self.gave_up(stage, process.who, &error);
                i64::MAX
            }
            Turned::NotThere => i64::MAX,
        }
    }

    /// Somebody reads of the process's tasks, now and then. At least once, others may write their changelogs meanwhile.
    fn read(&self, stage: &Stage, process: &Process) {
        if !self.is_exactly_once() || !stage.turn_count().is_multiple_of(READ_EVERY) {
            return;
        }
        let history = &mut *stage.history.borrow_mut();
        let application = Application { id: &self.blueprint.config.application_id };
        let read_on = history.read_on(&stage.log).map_err(|error| error.to_string());
        if let Err(wrong) = read_on.and_then(|()| application.check_reads(history, process.queries())) {
            stage.fail(wrong);
        }
    }

    /// A thread has ended by itself, and the process with it.
    fn gave_up(&self, stage: &Stage, who: Who, error: &Error) {
        stage.trace.complain(stage.now_ms(), Some(who), true, &format!("ends: {error}"));
        if !self.is_expected(error) {
            stage.fail(format!("instance {} has stopped: {error}", self.index));
        }
        self.end(stage, who.life);
    }

    /// It is right to end where too much went wrong in a row, and where another process has the same name: then
    /// somebody starts it again. A zombie is not started again.
    fn is_expected(&self, error: &Error) -> bool {
        let text = error.to_string();
        let is_rival = text.contains("under this member's instance id");
        text.starts_with("gave up after") || (is_rival && self.had_zombie.get())
    }

    /// A process is over, in good order or not; its disk has what was written.
    fn end(&self, stage: &Stage, life: u32) {
        let Some(berth) = self.berth_of(life) else { return };
        self.berths[berth].life.set(None);
        self.berths[berth].process.replace(None);
        if berth == self.current.get() {
            stage.mishaps.borrow_mut().note_end(stage, self.index);
        }
    }

    /// A step of the updater. When the next one is due.
    pub(super) fn restore(&self, stage: &Stage, berth: usize) -> i64 {
        let Some(process) = self.process(berth) else { return i64::MAX };
        let delay_ms = match process.restore(stage) {
            Ok(Turn::Stepped | Turn::Paused) => {
                stage.stir_one(self.place_of(berth), 1);
                if stage.occurs(Fault::SlowRestore) { 100..2_000 } else { 1..20 }
            }
            Ok(Turn::Followed) if stage.occurs(Fault::SlowRestore) => 500..5_000,
            Ok(Turn::Followed) => 10..200,
            // A turn of the thread wakes it.
            Ok(Turn::Idle | Turn::Ended) | Err(Ended) => return i64::MAX,
        };
        stage.now_ms() + stage.random(|random| random.within(delay_ms))
    }

    /// A step of what writes stores. When the next one is due.
    pub(super) fn fold(&self, stage: &Stage, berth: usize) -> i64 {
        let Some(process) = self.process(berth) else { return i64::MAX };
        let delay_ms = if process.fold() { 1..50 } else { 20..300 };
        stage.now_ms() + stage.random(|random| random.within(delay_ms))
    }

    /// A look at what is to be kept warm. When the next one is due.
    pub(super) fn look(&self, stage: &Stage, berth: usize) -> i64 {
        let Some(process) = self.process(berth) else { return i64::MAX };
        match process.look(stage) {
            Some(Ok(())) => {
                stage.wake_updater(self.place_of(berth));
                stage.now_ms() + stage.random(|random| random.within(500..2_500))
            }
            Some(Err(Ended)) | None => i64::MAX,
        }
    }

    /// Ends the process in good order. It must not be in the middle of something.
    pub(super) fn stop(&self, stage: &Stage) {
        let Some(process) = self.process(self.current.get()) else { return };
        let who = process.who;
        stage.note(Some(who), || "is told to stop".to_owned());
        match process.close(stage) {
            Ok(Ok(())) => stage.note(Some(who), || "has stopped".to_owned()),
            Ok(Err(error)) if self.is_expected(&error) => stage.note(Some(who), || format!("has stopped: {error}")),
            Ok(Err(error)) => stage.fail(format!("instance {} could not stop: {error}", self.index)),
            Err(Ended) => return,
        }
        self.end(stage, who.life);
    }

    /// Kills the process that counts, if there is one. Whether there was.
    pub(super) fn kill_current(&self, stage: &Stage, with_disk: bool) -> bool {
        self.berths[self.current.get()].life.get().is_some_and(|life| self.kill(stage, life, with_disk))
    }

    /// Kills a process: what it does now is unwound when its turn comes. Whether it was the one that counts, which
    /// starts again.
    pub(super) fn kill(&self, stage: &Stage, life: u32, with_disk: bool) -> bool {
        let Some(berth) = self.berth_of(life) else { return false };
        self.berths[berth].life.set(None);
        let process = self.berths[berth].process.take();
        let is_current = berth == self.current.get();
        if is_current && with_disk {
            self.disk.borrow().lose();
            // A machine without its disk is another one.
            let now_ms = stage.time.now_ms();
            self.id.replace(InstanceId::new(now_ms, stage.random(Random::bits)));
        } else if is_current {
            self.disk.borrow().crash(|count| stage.random(|random| random.index(count)));
        }
        // Not before: a dropped one has nothing to write any more.
        drop(process);
        is_current
    }

    /// The process is taken for dead, which it is not. It stops until then, and goes on while another one takes its
    /// place, under its name. False: there is no berth for that one.
    pub(super) fn take_for_dead(&self, stage: &Stage, held_until_ms: i64) -> bool {
        let berth = self.current.get();
        let Some(vacant) = self.vacant(stage).filter(|_| self.is_alive()) else { return false };
        let left = self.disk.borrow().left_by_a_crash(|count| stage.random(|random| random.index(count)));
        self.former_disks.borrow_mut().push(self.disk.replace(left));
        self.berths[berth].held_until_ms.set(held_until_ms);
        self.had_zombie.set(true);
        self.current.set(vacant);
        true
    }

    /// A zombie that was not fenced, as all is over.
    pub(super) fn bury_zombie(&self, stage: &Stage) {
        let lives = self.berths.iter().enumerate().filter(|(berth, _)| *berth != self.current.get());
        let lives: Vec<u32> = lives.filter_map(|(_, berth)| berth.life.get()).collect();
        for life in lives {
            self.kill(stage, life, false);
        }
    }
}
