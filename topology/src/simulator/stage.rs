//! Where instances play: virtual time, chance, and whose turn it is. All of it on one thread of the operating system.
//!
//! ```text
//!   a turn of instance 0 ── a call to the log ──┐                            ┌── the call goes on ── ...
//!                                               │ time passes:               │
//!                                               └ turns of others that are due ┘  which may stop in the middle themselves
//! ```
//! A turn is not cut into pieces by the stage: it stops where it calls the log, or sleeps, and others play meanwhile,
//! on top of it. So whatever others do may happen between any two calls of an instance. One thing may not: that two
//! turns that have both stopped in the middle go on in another order than the last one first. A turn that goes on after
//! its instance was killed is unwound.
//!
//! What is called by the engine has no place for the stage among its arguments; the thread has.

mod waking;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::Random;
use super::faults::{Fault, OCCASIONS, Rates, refusals};
use super::history::History;
use super::instance::{BERTH_COUNT, Ended, Instance};
use super::log::{Call, Late};
use super::mishaps::Mishaps;
use super::trace::Trace;
use super::writer::Writer;
use crate::clock::{Clock, ManualClock};
use crate::log::memory::MemoryLog;
use crate::log::{self, Error};
use crate::stream_thread::{Killed, Panic};

/// Who acts: an instance, in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) instance: usize,
    /// Each start begins another one.
    pub(super) life: u32,
    /// Which of its stream threads, from 1; 0: what is beside them.
    pub(super) thread: usize,
}

/// Where a process is: an instance, and in which of its berths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) instance: usize,
    pub(super) berth: usize,
}

/// Who plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Actor {
    /// A stream thread of the process at a place, by its number from 1.
    Thread(Place, usize),
    Updater(Place),
    Folder(Place),
    /// What looks which standbys to keep.
    Planner(Place),
    /// Those who write the input.
    Writer,
    /// What happens to the whole.
    Mishaps,
    /// What is under way to the log.
    Network,
}

struct Entry {
    actor: Actor,
    /// When it plays next.
    due_ms: Cell<i64>,
    /// It is in the middle of its turn.
    is_busy: Cell<bool>,
}

pub(super) struct Stage {
    pub(super) log: MemoryLog,
    pub(super) time: ManualClock,
    pub(super) trace: Trace,
    pub(super) instances: Vec<Instance>,
    pub(super) writer: RefCell<Writer>,
    pub(super) mishaps: RefCell<Mishaps>,
    pub(super) late: RefCell<Vec<Late>>,
    /// Topics that brokers do not show, and until when.
    pub(super) hidden: RefCell<Vec<(String, i64)>>,
    pub(super) history: RefCell<History>,
    pub(super) rates: RefCell<Rates>,
    random: RefCell<Random>,
    entries: Vec<Entry>,
    turn_count: Cell<u64>,
    counts: RefCell<BTreeMap<Fault, u64>>,
    failure: RefCell<Option<String>>,
}

/// More turns than this, and something goes round in circles.
const TURNS_MAX: u64 = 300_000;

thread_local! {
    static STAGE: RefCell<Option<Rc<Stage>>> = const { RefCell::new(None) };
}

/// Lends the stage of this thread. There is one while a simulation runs.
pub(super) fn with<T>(act: impl FnOnce(&Stage) -> T) -> Option<T> {
    let stage = STAGE.with_borrow(Option::clone)?;
    Some(act(&stage))
}

/// As [`Stage::reach`].
pub(super) fn reach(who: Who, call: Call) -> log::Result<()> {
    with(|stage| stage.reach(who, call)).unwrap_or(Ok(()))
}

/// What a stage is made from.
pub(super) struct Parts {
    pub(super) log: MemoryLog,
    pub(super) time: ManualClock,
    pub(super) trace: Trace,
    pub(super) instances: Vec<Instance>,
    pub(super) writer: Writer,
    pub(super) mishaps: Mishaps,
    pub(super) history: History,
    pub(super) random: Random,
}

impl Stage {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { log, time, trace, instances, writer, mishaps, history, random } = parts;
        let of_instance = |(index, instance): (usize, &Instance)| {
            let count = instance.seat_count();
            (0..BERTH_COUNT).map(move |berth| Place { instance: index, berth }).flat_map(move |place| {
                let threads = (1..=count).map(move |thread| Actor::Thread(place, thread));
                threads.chain([Actor::Updater(place), Actor::Folder(place), Actor::Planner(place)])
            })
        };
        let actors: Vec<Actor> = instances.iter().enumerate().flat_map(of_instance).collect();
        let actors = actors.into_iter();
        let actors = actors.chain([Actor::Writer, Actor::Mishaps, Actor::Network]);
        let entry = |actor| Entry { actor, due_ms: Cell::new(i64::MAX), is_busy: Cell::new(false) };
        let entries = actors.map(entry).collect();
        Self {
            log,
            time,
            trace,
            instances,
            writer: RefCell::new(writer),
            mishaps: RefCell::new(mishaps),
            late: RefCell::default(),
            hidden: RefCell::default(),
            history: RefCell::new(history),
            rates: RefCell::new(Rates::none()),
            random: RefCell::new(random),
            entries,
            turn_count: Cell::new(0),
            counts: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// Plays on this stage: what is called meanwhile finds it.
    pub(super) fn play<T>(self: &Rc<Self>, act: impl FnOnce(&Self) -> T) -> T {
        let before = STAGE.replace(Some(Rc::clone(self)));
        let _after = Restore(before);
        act(self)
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.time.monotonic_ms()
    }

    /// Lends the numbers; not across a turn.
    pub(super) fn random<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.random.borrow_mut())
    }

    /// Whether this fault occurs now.
    pub(super) fn occurs(&self, fault: Fault) -> bool {
        let occurs = self.rates.borrow().occurs(fault, &mut self.random.borrow_mut());
        if occurs {
            self.count(fault);
        }
        occurs
    }

    /// How often a fault occurs now, among [`OCCASIONS`].
    pub(super) fn rate(&self, fault: Fault) -> u64 {
        self.rates.borrow().of(fault)
    }

    /// A fault has occurred.
    pub(super) fn count(&self, fault: Fault) {
        *self.counts.borrow_mut().entry(fault).or_default() += 1;
    }

    /// How often each fault has occurred.
    pub(super) fn counts(&self) -> Vec<(Fault, u64)> {
        self.counts.borrow().iter().map(|(fault, count)| (*fault, *count)).collect()
    }

    pub(super) fn note(&self, who: Option<Who>, what: impl FnOnce() -> String) {
        self.trace.note(self.now_ms(), who, what);
    }

    /// Something is not as it must be: nothing more is played.
    pub(super) fn fail(&self, what: impl Into<String>) {
        let what = what.into();
        self.note(None, || format!("FAILED: {what}"));
        self.failure.borrow_mut().get_or_insert(what);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    pub(super) fn failure(&self) -> Result<(), String> {
        self.failure.borrow().clone().map_or(Ok(()), Err)
    }

    pub(super) fn turn_count(&self) -> u64 {
        self.turn_count.get()
    }

    /// An instance is about to call the log. Others may play before, and it may be killed here, or refused.
    pub(super) fn reach(&self, who: Who, call: Call) -> log::Result<()> {
        self.stop_here(who, call);
        let kinds = refusals(call);
        if !kinds.is_empty() && self.occurs(Fault::RefusedCall) {
            let kind = kinds[self.random(|random| random.index(kinds.len()))];
            self.note(Some(who), || format!("{call:?} is refused: {kind:?}"));
            return Err(Error::new(kind, format!("simulated: {call:?} failed")));
        }
        Ok(())
    }

    /// Between two calls: time passes, and an instance may die.
    pub(super) fn stop_here(&self, who: Who, call: Call) {
        self.must_live(who);
        let draw = self.random(|random| random.below(OCCASIONS));
        let (crash, lost, pause) = (self.rate(Fault::Crash), self.rate(Fault::LostDisk), self.rate(Fault::Pause));
        if draw < crash + lost {
            self.count(if draw < crash { Fault::Crash } else { Fault::LostDisk });
            self.note(Some(who), || format!("dies at {call:?}"));
            self.kill(who, draw >= crash);
            self.must_live(who);
        } else if draw < crash + lost + pause {
            self.count(Fault::Pause);
            let ms = self.random(|random| match random.below(4) {
                0 => random.within(5_000..15_000),
                1 => random.within(500..5_000),
                _ => random.within(10..500),
            });
            self.note(Some(who), || format!("stops for {ms} ms at {call:?}"));
            self.pass(who, ms);
            self.note(Some(who), || "goes on".to_owned());
        } else if draw.is_multiple_of(8) && call != Call::Client {
            self.pass(who, i64::try_from(draw / 8 % 4).unwrap_or(0));
        }
    }

    /// Lets time pass for one who waits: others play.
    pub(super) fn pass(&self, who: Who, ms: i64) {
        let until_ms = self.now_ms().saturating_add(ms);
        self.play_until(until_ms);
        self.must_live(who);
    }

    /// Plays until then. Stops at a failure.
    pub(super) fn play_until(&self, until_ms: i64) {
        while !self.has_failed() && self.play_next(until_ms) {}
        self.time.advance(until_ms - self.now_ms());
    }

    /// An actor that was killed, or plays on though all is over, is unwound.
    fn must_live(&self, who: Who) {
        let is_dead = self.instances.get(who.instance).is_none_or(|instance| !instance.lives(who.life));
        if (is_dead || self.has_failed()) && !std::thread::panicking() {
            resume_unwind(Box::new(Killed));
        }
    }

    /// Kills a process.
    fn kill(&self, who: Who, with_disk: bool) {
        if self.instances[who.instance].kill(self, who.life, with_disk) {
            self.mishaps.borrow_mut().note_end(self, who.instance);
        }
    }

    /// Kills the process of an instance.
    pub(super) fn kill_current(&self, index: usize, with_disk: bool) {
        if self.instances[index].kill_current(self, with_disk) {
            self.mishaps.borrow_mut().note_end(self, index);
        }
    }

    /// The next turn that is due; false: none is until then.
    fn play_next(&self, until_ms: i64) -> bool {
        let may = |entry: &&Entry| !entry.is_busy.get() && self.due_ms(entry) <= until_ms && self.may_play(entry.actor);
        let first = self.random(|random| random.index(self.entries.len()));
        let (before, from) = self.entries.split_at(first);
        let Some(entry) = from.iter().chain(before).filter(may).min_by_key(|entry| self.due_ms(entry)) else {
            return false;
        };
        self.turn_count.set(self.turn_count.get() + 1);
        if self.turn_count.get() > TURNS_MAX {
            self.fail(format!("it does not end: {TURNS_MAX} turns were taken"));
            return false;
        }
        self.time.advance(self.due_ms(entry) - self.now_ms());
        entry.is_busy.set(true);
        entry.due_ms.set(i64::MAX);
        let next_ms = self.act(entry.actor);
        entry.is_busy.set(false);
        // Somebody may have woken it meanwhile.
        entry.due_ms.set(entry.due_ms.get().min(next_ms.max(self.now_ms() + 1)));
        true
    }

    /// When it plays, which may be later than it is due.
    fn due_ms(&self, entry: &Entry) -> i64 {
        let due_ms = entry.due_ms.get();
        entry.actor.place().map_or(due_ms, |at| due_ms.max(self.instances[at.instance].held_until_ms(at.berth)))
    }

    /// What has one restore and one stream thread of an instance step on each other's feet does not come.
    fn may_play(&self, actor: Actor) -> bool {
        match actor {
            Actor::Thread(place, _) => !self.is_busy(Actor::Updater(place)),
            _ => true,
        }
    }

    fn is_busy(&self, actor: Actor) -> bool {
        self.entries.iter().any(|entry| entry.actor == actor && entry.is_busy.get())
    }

    /// Whether the process at a place, or what is left of it, is in the middle of a turn.
    pub(super) fn is_on_stage(&self, place: Place) -> bool {
        self.entries.iter().any(|entry| entry.is_busy.get() && entry.actor.place() == Some(place))
    }

    /// Whether a topic was not always to be seen since then.
    pub(super) fn has_hidden_since(&self, began_ms: i64) -> bool {
        self.hidden.borrow().iter().any(|(_, until_ms)| *until_ms >= began_ms)
    }

    /// One turn. When the next one is due.
    fn act(&self, actor: Actor) -> i64 {
        let now_ms = self.now_ms();
        match actor {
            Actor::Thread(at, thread) => self.instances[at.instance].turn(self, at.berth, thread),
            Actor::Updater(at) => self.instances[at.instance].restore(self, at.berth),
            Actor::Folder(at) => self.instances[at.instance].fold(self, at.berth),
            Actor::Planner(at) => self.instances[at.instance].look(self, at.berth),
            Actor::Writer => Writer::turn(self),
            Actor::Mishaps => Mishaps::turn(self),
            Actor::Network => {
                let mut late = std::mem::take(&mut *self.late.borrow_mut());
                late.retain(|late| late.due_ms > now_ms || late.arrive(self));
                self.late.borrow_mut().append(&mut late);
                self.late.borrow().iter().map(|late| late.due_ms).min().unwrap_or(i64::MAX)
            }
        }
    }

    /// Does what a process does. `Err`: it was killed meanwhile, or has panicked, which is a failure.
    pub(super) fn act_as<T>(&self, who: Who, act: impl FnOnce() -> T) -> Result<T, Ended> {
        self.trace.enter(who);
        let acted = catch_unwind(AssertUnwindSafe(act));
        self.trace.leave();
        acted.map_err(|panic| {
            if !panic.is::<Killed>() {
                let text = Panic::text(&*panic);
                self.fail(format!("instance {} panicked: {text}", who.instance));
            }
            Ended
        })
    }
}

impl Actor {
    /// Where its process is, if it is of one.
    fn place(self) -> Option<Place> {
        match self {
            Self::Thread(place, _) | Self::Updater(place) | Self::Folder(place) | Self::Planner(place) => Some(place),
            Self::Writer | Self::Mishaps | Self::Network => None,
        }
    }
}

/// Puts the stage back that was there before.
struct Restore(Option<Rc<Stage>>);

impl Drop for Restore {
    fn drop(&mut self) {
        STAGE.set(self.0.take());
    }
}
