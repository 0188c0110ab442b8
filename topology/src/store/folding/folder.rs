//! Which task's segments are merged or written next, and who waits when there is no room for more.
//!
//! ```text
//! segments of all tasks   0 ........ pressing ........ slow ................. full ........
//! the folder              by task    also the task with the most, however little
//! a stream thread         goes on             .        waits up to 30 ms      ... and takes no input
//!                                                      after its commits
//! a restore               goes on             .                               waits for room
//! ```
//! So no commit waits for a disk, and a stream thread that has committed waits 30 ms at most, for all of its tasks
//! together. What there is of segments is bounded all the same, since where there is no room it takes no input, and
//! goes on answering its group.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::store::budget::Gauges;
use crate::store::error::{Error, Kind, Result};
use crate::store::locked;
use crate::store::segments::{Committed, Door, Urgency};

/// How long a stream thread waits after a commit.
const PACE: Duration = Duration::from_millis(30);
/// How often a restore that waits looks whether there is room.
const LOOK: Duration = Duration::from_millis(20);

/// Who steps the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Drive {
    /// A thread of its own.
    Thread,
    /// Each commit, as far as there is anything to do.
    Commits,
    /// The caller, with [`Folder::step`].
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

    /// The ways to the stores that are open.
    pub(super) fn doors(&self) -> Vec<Arc<Door>> {
        locked(&self.doors).iter().filter_map(Weak::upgrade).collect()
    }

    /// Does one step for the task that needs it most; false: no task needs any.
    pub(in crate::store) fn step(&self) -> bool {
        let doors = self.doors();
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

    /// After a commit or a wish: has done what there is to do, without waiting for it where there is a thread.
    pub(in crate::store) fn settle(&self, task: &Committed) {
        match self.drive {
            Drive::Commits => while self.step() {},
            Drive::Caller => {}
            Drive::Thread => {
                if self.gauges.segment_bytes() >= self.gauges.budget().pressing_bytes() || task.wants_step() {
                    self.wake();
                }
            }
        }
    }

    /// Whether more input may be taken. A thread that takes none commits nothing either, so it asks for room itself:
    /// the thread rests where the task that it was to write was closed meanwhile, whatever others have.
    pub(in crate::store) fn has_room(&self) -> bool {
        let has_room = self.is_roomy();
        if !has_room && self.drive == Drive::Thread {
            self.wake();
        }
        has_room
    }

    fn is_roomy(&self) -> bool {
        self.gauges.segment_bytes() < self.gauges.budget().full_bytes().max(1)
    }

    /// Whether commits come faster than they are written. A failure must reach its task, which the thread that would
    /// wait may have too.
    fn is_slow(&self) -> bool {
        self.gauges.segment_bytes() >= self.gauges.budget().slow_bytes().max(1) && self.gauges.failure_count() == 0
    }

    /// Waits where commits come faster than they are written, but not long.
    pub(super) fn pace(&self) {
        if self.drive == Drive::Thread && self.is_slow() {
            self.gauges.count_wait();
            let waits = |_: &mut Signal| self.is_slow() && !self.is_dead();
            drop(self.room.wait_timeout_while(locked(&self.signal), PACE, waits));
        }
    }

    /// Waits until there is room, however long the disk takes: for a restore, which
    /// has no group to answer. A failure of any task ends the wait.
    pub(in crate::store) fn wait_for_room(&self) -> Result<()> {
        if self.drive == Drive::Thread {
            let mut signal = locked(&self.signal);
            while !self.is_roomy() && self.gauges.failure_count() == 0 && !self.is_dead() {
                signal.has_work = true;
                self.wake.notify_one();
                signal = self.room.wait_timeout(signal, LOOK).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        self.check_alive()
    }

    /// An error where nothing will be written any more.
    pub(in crate::store) fn check_alive(&self) -> Result<()> {
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
