//! Whether brokers have let this process in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::classify;
use crate::log::Kind;

/// Whether the credentials of a log were ever good. All clients of a log share it: each is given the same credentials,
/// and many are made while brokers restart.
#[derive(Clone, Default)]
pub(super) struct Login {
    was_good: Arc<AtomicBool>,
}

impl Login {
    /// A broker had something to say that it says to those it has let in.
    pub(super) fn note_good(&self) {
        self.was_good.store(true, Ordering::Relaxed);
    }

    /// Whether this is a refused login that will pass, since the same one was good before: a broker that restarts, or a
    /// token that could not be renewed just now.
    pub(super) fn will_pass(&self, code: i32) -> bool {
        classify::is_login(code) && self.was_good.load(Ordering::Relaxed)
    }

    /// As [`classify::kind`].
    pub(super) fn kind(&self, code: i32) -> Kind {
        if self.will_pass(code) { Kind::Retry } else { classify::kind(code) }
    }
}
