//! A seat for a stream thread. A process has more of them than it has threads when it begins: so threads are added and
//! removed.
//!
//! ```text
//!          asked for           its next turn            told to leave, and then its next turn
//!   vacant ─────────> promised ─────────────> taken ──────────────────────────────────────────> vacant
//! ```

use std::cell::{Cell, RefCell};

use crate::simulator::log::SimulatedLog;
use crate::stream_thread::StreamThread;

pub(super) struct Seat {
    held: RefCell<Held>,
    is_told_to_leave: Cell<bool>,
}

enum Held {
    Vacant,
    /// For a thread that is made in its first turn.
    Promised,
    /// By a thread that is in the middle of a turn, or was killed in one.
    Playing,
    Taken(Box<Thread>),
}

pub(super) type Thread = StreamThread<SimulatedLog>;

/// What a thread does in its turn.
pub(super) enum Next {
    Begin,
    Go(Box<Thread>),
    Leave(Box<Thread>),
}

impl Seat {
    pub(super) fn vacant() -> Self {
        Self { held: RefCell::new(Held::Vacant), is_told_to_leave: Cell::new(false) }
    }

    pub(super) fn is_vacant(&self) -> bool {
        matches!(*self.held.borrow(), Held::Vacant)
    }

    /// Whether there is a thread, or will be, which is to stay.
    pub(super) fn is_kept(&self) -> bool {
        !self.is_vacant() && !self.is_told_to_leave.get()
    }

    /// For a thread that begins in its next turn.
    pub(super) fn promise(&self) {
        self.held.replace(Held::Promised);
    }

    pub(super) fn tell_to_leave(&self) {
        self.is_told_to_leave.set(true);
    }

    /// A turn of its thread begins; `None`: there is no thread, or it is in the middle of one.
    pub(super) fn begin_turn(&self) -> Option<Next> {
        match self.held.replace(Held::Playing) {
            Held::Promised => Some(Next::Begin),
            Held::Taken(thread) if self.is_told_to_leave.get() => Some(Next::Leave(thread)),
            Held::Taken(thread) => Some(Next::Go(thread)),
            same @ (Held::Vacant | Held::Playing) => {
                self.held.replace(same);
                None
            }
        }
    }

    /// Its thread waits for its next turn.
    pub(super) fn sit(&self, thread: Box<Thread>) {
        self.held.replace(Held::Taken(thread));
    }

    /// Its thread has gone.
    pub(super) fn vacate(&self) {
        self.held.replace(Held::Vacant);
        self.is_told_to_leave.set(false);
    }

    /// The thread, of a process that ends. `None`: there is none, or it has not begun.
    pub(super) fn take(&self) -> Option<Box<Thread>> {
        match self.held.replace(Held::Vacant) {
            Held::Taken(thread) => Some(thread),
            Held::Vacant | Held::Promised | Held::Playing => None,
        }
    }
}
