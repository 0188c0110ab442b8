//! The way to a task's committed state for others than its stream thread.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::committed::Committed;
use super::look::Look;
use crate::store::error::Result;
use crate::store::locked;

/// Lets others in while the stores are open. Going in costs no lock; a call inside is short, and a [`Look`] that lasts
/// is taken away when the stores are closed, so that no reader keeps them open.
pub(in crate::store) struct Door {
    /// Of the stores, by number.
    names: Arc<[String]>,
    committed: ArcSwapOption<Committed>,
    looks: Mutex<Looks>,
}

/// Who looks for longer than a call.
struct Looks {
    is_closed: bool,
    out: Vec<Weak<Look>>,
    /// At so many it is seen which of them are over.
    swept_at: usize,
}

const SWEPT_AT_LEAST: usize = 16;

impl Door {
    pub(in crate::store) fn new(committed: Arc<Committed>, names: Arc<[String]>) -> Self {
        let looks = Looks { is_closed: false, out: Vec::new(), swept_at: SWEPT_AT_LEAST };
        Self { names, committed: ArcSwapOption::new(Some(committed)), looks: Mutex::new(looks) }
    }

    /// The stores' names, by number.
    pub(in crate::store) fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// Goes in, acts, and leaves; `None` if it is closed. Files stay open until it has left.
    #[inline]
    pub(in crate::store) fn enter<R>(&self, act: impl FnOnce(&Committed) -> R) -> Option<R> {
        let committed = self.committed.load();
        committed.as_ref().map(|committed| act(committed))
    }

    /// Looks at what is committed now, for as long as the stores are open; `None` if they are not.
    pub(in crate::store) fn look(&self) -> Result<Option<Arc<Look>>> {
        let Some(committed) = self.committed.load_full() else { return Ok(None) };
        let look = Arc::new(Look::at(committed)?);
        let mut looks = locked(&self.looks);
        if looks.is_closed {
            return Ok(None);
        }
        if looks.out.len() >= looks.swept_at {
            looks.out.retain(|look| look.strong_count() > 0);
            looks.swept_at = (2 * looks.out.len()).max(SWEPT_AT_LEAST);
        }
        looks.out.push(Arc::downgrade(&look));
        Ok(Some(look))
    }

    /// Lets in no more, and takes away what is looked at. Others may still be inside: see [`Closed`].
    pub(in crate::store) fn close(&self) {
        self.committed.store(None);
        let mut looks = locked(&self.looks);
        looks.is_closed = true;
        let out = std::mem::take(&mut looks.out);
        drop(looks);
        out.iter().filter_map(Weak::upgrade).for_each(|look| look.take_away());
    }
}

/// Dropped, it waits until what was committed is not in memory any more, and files and locks are free: those who were
/// inside when the door was closed have left then. It does not wait for ever, since a stream thread has to answer its
/// group: a scan may have to pass over millions of deletions. Then the last one to leave closes the files, and who
/// opens them before is told that they are locked.
pub(in crate::store) struct Closed(pub(in crate::store) Receiver<Infallible>);

/// So long it waits. A read takes microseconds, a write of what is committed rarely more than a tenth of this.
const CLOSING_MAX: Duration = Duration::from_secs(1);

impl Drop for Closed {
    fn drop(&mut self) {
        // Nothing is ever sent: it ends with the other end of the channel.
        if self.0.recv_timeout(CLOSING_MAX) == Err(RecvTimeoutError::Timeout) {
            tracing::info!("stores are closed as soon as a read or a write that is under way has ended");
        }
    }
}
