//! The thread that looks now and then who is in the group, and has the keeper keep what the plan says.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::keeper::Keeper;
use super::plan::{Member, Stateful, own_standbys, unsettled};
use crate::error::{Error, Result};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a look needs.
pub(crate) struct Planner {
    /// Asks the group.
    pub members: Box<dyn Fn() -> Result<Vec<Member>> + Send>,
    /// The sub-topologies with state.
    pub stateful: Vec<Stateful>,
    /// This process, as members name it.
    pub process: String,
    /// How many standbys each task is to have in the group.
    pub replica_count: usize,
}

impl Planner {
    /// One look. Where the group cannot be asked, what is kept warm stays so.
    pub(super) fn look(&self, keeper: &Keeper) {
        let looked = (self.members)().and_then(|members| {
            let wanted = own_standbys(&members, &self.stateful, &self.process, self.replica_count);
            keeper.want(&wanted, &unsettled(&members, &self.stateful, &self.process))?;
            keeper.measure();
            Ok(())
        });
        if let Err(error) = looked {
            tracing::debug!(%error, "cannot look what to keep warm");
        }
    }
}

/// Looks until it is dropped; then all standbys are closed.
pub(crate) struct StandbyThread {
    keeper: Arc<Keeper>,
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl StandbyThread {
    pub(crate) fn start(keeper: Arc<Keeper>, planner: Planner) -> Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let body = {
            let (keeper, stop) = (Arc::clone(&keeper), Arc::clone(&stop));
            move || {
                while !waited_for_stop(&stop) {
                    planner.look(&keeper);
                }
            }
        };
        let spawned = std::thread::Builder::new().name("standbys".to_owned()).spawn(body);
        let thread = spawned.map_err(|error| {
            Error::stop(format!("cannot start the thread that looks what to keep warm: {error}; allow more threads"))
        })?;
        Ok(Self { keeper, stop, thread: Some(thread) })
    }
}

/// Waits until the next look; true: there is none.
fn waited_for_stop((stop, told): &(Mutex<bool>, Condvar)) -> bool {
    let stopped = stop.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = told.wait_timeout_while(stopped, LOOK_EVERY, |stopped| !*stopped);
    *waited.unwrap_or_else(PoisonError::into_inner).0
}

impl Drop for StandbyThread {
    fn drop(&mut self) {
        let (stop, told) = &*self.stop;
        *stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        told.notify_all();
        // A panic in it was reported where it happened.
        let _ = self.thread.take().map(JoinHandle::join);
        self.keeper.close();
    }
}
