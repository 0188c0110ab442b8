//! Which task's segments are merged or written next, and what a commit does when there is no room for more.
//!
//! ```text
//! segments of all tasks      0 ........ pressing ........ slow .............. full ..........
//! the folder                 by task    also the task with the most, however little
//! a commit                   goes on             .        waits up to 30 ms   waits until a fold is through
//! ```
//! So a commit waits for a disk only when the budget's share is used up: then for at most 30 ms each time, and where that does
//! not help, for the fold under way, which is bounded by what fits into the share. A fold that fails ends the wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::store::budget::Gauges;
use crate::store::error::{Error, Kind, Result};
use crate::store::locked;
use crate::store::segments::{Committed, Door, Urgency};

/// How long a commit waits while there is some room left.
const SLOW: Duration = Duration::from_millis(30);
/// How often it is looked again where there is none.
const LOOK: Duration = Duration::from_millis(20);

/// Who steps the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Drive {
    /// A thread of its own.
    Thread,
    /// Each commit, as far as there is anything to do.
    Commits,
    /// Whoever holds the resources; a commit only where there is no room.
    Caller,
}

/// Folds the segments of all tasks of a process.
pub(in crate::store) struct Folder {
    gauges: Arc<Gauges>,
    drive: Drive,
    doors: Mutex<Vec<Weak<Door>>>,
    signal: Mutex<Signal>,
    /// To the thread: there is work.
    pub(super) wake: Condvar,
    /// From the thread: there is room.
    room: Condvar,
    /// The thread has panicked.
    dead: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct Signal {
    pub(super) has_work: bool,
    pub(super) must_stop: bool,
}

impl Folder {
    pub(super) fn new(gauges: Arc<Gauges>, drive: Drive) -> Self {
        Self {
            gauges,
            drive,
            doors: Mutex::default(),
            signal: Mutex::default(),
            wake: Condvar::new(),
            room: Condvar::new(),
            dead: AtomicBool::new(false),
        }
    }

    /// A task's stores were opened. They are forgotten when the door is dropped.
    pub(in crate::store) fn register(&self, door: &Arc<Door>) {
        let mut doors = locked(&self.doors);
        doors.retain(|door| door.strong_count() > 0);
        doors.push(Arc::downgrade(door));
    }

    /// Does one step for the task that needs it most; false: no task needs any.
    pub(in crate::store) fn step(&self) -> bool {
        let doors: Vec<Arc<Door>> = locked(&self.doors).iter().filter_map(Weak::upgrade).collect();
        let most = |wants: &dyn Fn(&Committed) -> bool| {
            let standing = |door: &Arc<Door>| {
                let look = |task: &Committed| wants(task).then(|| (task.flush_is_wanted(), task.backlog_bytes()));
                Some((door.enter(look)??, Arc::clone(door)))
            };
            doors.iter().filter_map(standing).max_by_key(|(standing, _)| *standing).map(|(_, door)| door)
        };
        let (door, urgency) = match most(&Committed::wants_step) {
            Some(door) => (Some(door), Urgency::Usual),
            None if self.gauges.segment_bytes() >= self.gauges.budget().pressing_bytes().max(1) => {
                (most(&|task| task.backlog_bytes() > 0 && !task.has_failed()), Urgency::Pressing)
            }
            None => (None, Urgency::Usual),
        };
        door.and_then(|door| door.enter(|task| task.step(urgency))).unwrap_or(false)
    }

    /// After a commit or a wish: has done what there is to do, and waits for room if there is none.
    pub(in crate::store) fn settle(&self, task: &Committed) -> Result<()> {
        match self.drive {
            Drive::Commits => while self.step() {},
            Drive::Caller => while self.is_full() && self.step() {},
            Drive::Thread => {
                let presses = self.gauges.segment_bytes() >= self.gauges.budget().pressing_bytes();
                if presses || task.wants_step() {
                    self.wake();
                }
                self.wait_for_room()?;
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.gauges.segment_bytes() >= self.gauges.budget().full_bytes().max(1)
    }

    /// Whether a commit should be slowed down. A failure must reach its task, which this thread may have too.
    fn is_slow(&self) -> bool {
        self.gauges.segment_bytes() >= self.gauges.budget().slow_bytes().max(1) && self.gauges.failure_count() == 0
    }

    fn wait_for_room(&self) -> Result<()> {
        if self.is_slow() {
            let (mut signal, _) = self
                .room
                .wait_timeout_while(locked(&self.signal), SLOW, |_| self.is_slow() && !self.is_dead())
                .unwrap_or_else(PoisonError::into_inner);
            while self.is_slow() && self.is_full() && !self.is_dead() {
                signal = self.room.wait_timeout(signal, LOOK).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        if self.is_dead() {
            let message = "the thread that writes stores has panicked: see the log above, and start again";
            return Err(Error::new(Kind::Dead, message));
        }
        Ok(())
    }

    fn wake(&self) {
        locked(&self.signal).has_work = true;
        self.wake.notify_one();
    }

    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// A step was done: those who wait look again.
    pub(super) fn tell_room(&self) {
        drop(locked(&self.signal));
        self.room.notify_all();
    }

    pub(super) fn tell_dead(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.tell_room();
    }

    pub(super) fn signal(&self) -> &Mutex<Signal> {
        &self.signal
    }
}
