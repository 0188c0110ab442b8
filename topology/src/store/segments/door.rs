//! The way to a task's committed state for others than its stream thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use super::committed::Committed;
use crate::store::locked;

/// Lets others in while the stores are open. When they are closed it waits until all are out, so that the files are free
/// when they are opened again.
pub(in crate::store) struct Door {
    closed: AtomicBool,
    inside: Mutex<Inside>,
    left: Condvar,
}

struct Inside {
    committed: Option<Arc<Committed>>,
    count: usize,
}

impl Door {
    pub(in crate::store) fn new(committed: Arc<Committed>) -> Self {
        let inside = Mutex::new(Inside { committed: Some(committed), count: 0 });
        Self { closed: AtomicBool::new(false), inside, left: Condvar::new() }
    }

    /// Goes in, acts, and leaves; `None` if it is closed.
    pub(in crate::store) fn enter<R>(&self, act: impl FnOnce(&Committed) -> R) -> Option<R> {
        let mut inside = locked(&self.inside);
        let committed = Arc::clone(inside.committed.as_ref()?);
        inside.count += 1;
        drop(inside);
        // Leaves also where `act` panics. Declared first: what it looked at is let go before.
        let _leaving = Leaving(self);
        let committed = committed;
        Some(act(&committed))
    }

    /// Whether it was closed: those inside must hurry out.
    #[inline]
    pub(in crate::store) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Lets in no more, and waits until all are out.
    pub(in crate::store) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let mut inside = locked(&self.inside);
        inside.committed = None;
        while inside.count > 0 {
            inside = self.left.wait(inside).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}

struct Leaving<'a>(&'a Door);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        locked(&self.0.inside).count -= 1;
        self.0.left.notify_all();
    }
}
