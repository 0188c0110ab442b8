//! A topic, read on a thread of its own: records are parsed and hashed there, and what they become is handed over in
//! order.
//!
//! The thread is ahead by a bounded number of bytes ([`ahead`](super::ahead)), so memory does not grow with the topic,
//! nor with the size of its records.

use std::ops::ControlFlow;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use topology::clock::Clock;
use topology::log::{Log, Record};
use topology::{Error, Result};

use super::ahead::{self, Back, Front};
use crate::reader::{Extent, Reader};

/// What the thread's topic is read for, and how far it may be ahead.
#[derive(Clone, Copy)]
pub(super) struct Purpose {
    /// The reader's name in the brokers' logs.
    pub(super) client_id: &'static str,
    /// The thread's name, of at most 15 bytes.
    pub(super) thread: &'static str,
    /// Bytes of memory that may wait to be taken.
    pub(super) ahead_bytes: usize,
}

/// The thread that reads, and what it has read.
pub(crate) struct Reading<'s, T> {
    back: Back<T>,
    /// Until it has ended.
    thread: Option<ScopedJoinHandle<'s, Result<()>>>,
}

impl<'s, T: Send + 's> Reading<'s, T> {
    /// Reads a stretch of a partition. `make` makes of each batch of records what is handed over, and pushes it; it
    /// breaks off when no more is taken.
    pub(super) fn start<L: Log>(
        scope: &'s Scope<'s, '_>,
        (log, clock): (&'s L, &'s dyn Clock),
        purpose: Purpose,
        extent: Extent,
        mut make: impl FnMut(&[Record<'_>], &Front<T>) -> ControlFlow<()> + Send + 's,
    ) -> Result<Self> {
        let (front, back) = ahead::queue(purpose.ahead_bytes);
        let thread = spawn(scope, purpose.thread, move || {
            Reader::new(log, clock, purpose.client_id).read_to(&[extent], |_, records| Ok(make(records, &front)))
        })?;
        Ok(Self { back, thread: Some(thread) })
    }

    /// What comes next; `None`: the stretch was read to its end. Errors where it could not be.
    pub(crate) fn next(&mut self) -> Result<Option<T>> {
        if let Some(next) = self.back.next() {
            return Ok(Some(next));
        }
        match self.thread.take().map(ScopedJoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(None),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err(Error::stop("a thread that read a topic panicked")),
        }
    }
}

/// A thread with a name, of at most 15 bytes.
pub(super) fn spawn<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 's,
) -> Result<ScopedJoinHandle<'s, T>> {
    let spawned = Builder::new().name(name.to_owned()).spawn_scoped(scope, work);
    spawned.map_err(|error| Error::stop(format!("cannot start the thread {name}: {error}")))
}
