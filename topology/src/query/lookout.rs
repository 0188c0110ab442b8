//! Who has a task that is not here: asked of the group beside the queries, so that none of them waits for the network.
//!
//! ```text
//!           a question is put to the wrong instance          answered, or not
//!   nothing known ────────────────────────────────> asking ──────────────────> known for 5 s; asked again after 1 s
//!         ^                                                                       │     if another question comes
//!         └───────────────────── nothing was asked meanwhile ─────────────────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::error::{Error as QueryError, Result as QueryResult};
use super::metadata::{Identity, Metadata};
use super::registry::Registry;
use crate::error::{Error, Result};
use crate::log::{self, GroupMember, Log};
use crate::task::TaskId;

/// No sooner does it ask again.
const PAUSE: Duration = Duration::from_secs(1);
/// Older answers are not told.
const KNOWN_FOR: Duration = Duration::from_secs(5);

/// What is known of others, and the wish to know it.
#[derive(Default)]
pub(super) struct Others {
    known: ArcSwapOption<Metadata>,
    wish: Mutex<Wish>,
    changed: Condvar,
    source: Mutex<Option<Arc<Source>>>,
}

#[derive(Debug, Default)]
struct Wish {
    is_wanted: bool,
    must_stop: bool,
}

/// Who asks, and how.
struct Source {
    asking: Identity,
    members: Box<Members>,
    planned: Box<Planned>,
}

type Members = dyn Fn() -> log::Result<Vec<GroupMember>> + Send + Sync;
/// Which tasks each instance is to keep warm, by what the group tells.
pub(crate) type Planned = dyn Fn(&[GroupMember]) -> BTreeMap<String, BTreeSet<TaskId>> + Send + Sync;

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Others").field("known", &self.known).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Others {
    /// What is known now. It is asked for anew, unless that was just done.
    pub(super) fn known(&self) -> Option<Arc<Metadata>> {
        let mut wish = locked(&self.wish);
        wish.is_wanted = true;
        self.changed.notify_one();
        drop(wish);
        self.known.load_full()
    }

    /// Asks the group now.
    pub(super) fn ask(&self, registry: &Registry) -> QueryResult<Metadata> {
        let source = locked(&self.source).clone();
        let source = source.ok_or_else(|| QueryError::Moving("the group".to_owned()))?;
        let members = (source.members)().map_err(|error| QueryError::Unanswered(error.to_string()))?;
        let mut metadata = Metadata::of(&members, registry.inputs(), &source.asking);
        metadata.set_standbys((source.planned)(&members), &registry.all());
        Ok(metadata)
    }

    fn set_source(&self, source: Option<Source>) {
        *locked(&self.source) = source.map(Arc::new);
    }

    /// Waits until it is to be asked; false: never again.
    fn wait(&self) -> bool {
        let mut wish = locked(&self.wish);
        loop {
            if wish.must_stop || std::mem::take(&mut wish.is_wanted) {
                return !wish.must_stop;
            }
            let known_for = if self.known.load().is_some() { KNOWN_FOR } else { Duration::MAX };
            let idle = |wish: &mut Wish| !wish.is_wanted && !wish.must_stop;
            let waited = self.changed.wait_timeout_while(wish, known_for, idle);
            let (woken, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            wish = woken;
            if waited.timed_out() {
                self.known.store(None);
            }
        }
    }

    /// Lets some time pass; false: never again.
    fn pause(&self) -> bool {
        let waited = self.changed.wait_timeout_while(locked(&self.wish), PAUSE, |wish| !wish.must_stop);
        !waited.unwrap_or_else(PoisonError::into_inner).0.must_stop
    }
}

/// The thread that asks; ends when dropped.
pub(crate) struct Lookout {
    registry: Arc<Registry>,
    thread: Option<JoinHandle<()>>,
}

impl Lookout {
    /// Asks this log about the group of the one who asks.
    pub(crate) fn start<L: Log>(
        registry: Arc<Registry>,
        log: L,
        asking: Identity,
        planned: Box<Planned>,
    ) -> Result<Self> {
        let group = asking.application_id.clone();
        let members = Box::new(move || log.describe_group(&group));
        registry.others().set_source(Some(Source { asking, members, planned }));
        let looking = Arc::clone(&registry);
        let spawned = std::thread::Builder::new().name("query-lookout".to_owned()).spawn(move || run(&looking));
        let thread = spawned.map_err(|error| {
            Error::stop(format!("cannot start the thread that looks who has which task: {error}; allow more threads"))
        })?;
        Ok(Self { registry, thread: Some(thread) })
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        let others = self.registry.others();
        locked(&others.wish).must_stop = true;
        others.changed.notify_one();
        // A panic in it was reported where it happened; what it knew is told no longer.
        let _ = self.thread.take().map(JoinHandle::join);
        others.set_source(None);
        others.known.store(None);
    }
}

fn run(registry: &Registry) {
    let others = registry.others();
    while others.wait() {
        match others.ask(registry) {
            Ok(metadata) => others.known.store(Some(Arc::new(metadata))),
            Err(error) => {
                tracing::debug!(%error, "cannot find out who has which task");
                others.known.store(None);
            }
        }
        if !others.pause() {
            return;
        }
    }
}
