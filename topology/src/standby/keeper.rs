//! The standbys of a process: opened where the plan says so, given to stream threads that want them, closed where they
//! are another's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::store::Stores;
use crate::task::TaskId;
use crate::updater::{Finished, Handle, Outcome, Plan};

/// What a keeper needs of the process it is in.
pub(crate) trait Home: Send + Sync {
    /// Opens a task's stores. An error of class retry where another has them open still.
    fn open(&self, task: &TaskId) -> Result<Stores>;

    /// How they follow, from now on.
    fn plan(&self, task: &TaskId, stores: &Stores) -> Result<Plan>;

    /// They no longer follow.
    fn gone(&self, task: &TaskId);

    /// Finds out how far each is behind.
    fn measure(&self);
}

/// Which standbys there are.
pub(crate) struct Keeper {
    state: Mutex<State>,
    home: Box<dyn Home>,
}

struct State {
    updater: Handle<TaskId>,
    standbys: BTreeMap<TaskId, Standing>,
    /// Those that are back, and wait for the stream thread that claimed them.
    returned: BTreeMap<TaskId, Stores>,
    is_closed: bool,
}

/// ```text
///            open            a stream thread, or the plan, wants it back           it is back
///   (none) ───────> Following ─────────────────────────────────────> Returning ──────────────> taken, or closed
///                       └── it cannot follow: closed, and opened again with the next look
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Following,
    /// Whether a stream thread waits for it.
    Returning {
        is_claimed: bool,
    },
}

/// What a stream thread that takes a task over is told.
#[derive(Debug)]
pub(crate) enum Claim {
    /// There is no standby of it here.
    None,
    /// Its stores are on their way: ask again soon.
    Coming,
    /// Its stores, open.
    Stores(Box<Stores>),
}

impl Keeper {
    /// Of none yet.
    pub(crate) fn new(updater: Handle<TaskId>, home: Box<dyn Home>) -> Self {
        Self {
            home,
            state: Mutex::new(State {
                updater,
                standbys: BTreeMap::new(),
                returned: BTreeMap::new(),
                is_closed: false,
            }),
        }
    }

    /// A stream thread takes a task over: where its stores are a standby here, it gets them, open as they are.
    pub(crate) fn claim(&self, task: &TaskId) -> Result<Claim> {
        let mut state = self.lock();
        self.take_back(&mut state)?;
        match state.standbys.get(task).copied() {
            None => return Ok(Claim::None),
            Some(Standing::Following) => self.send_back(&state, task)?,
            Some(Standing::Returning { .. }) => {}
        }
        state.standbys.insert(task.clone(), Standing::Returning { is_claimed: true });
        self.take_back(&mut state)?;
        let Some(stores) = state.returned.remove(task) else { return Ok(Claim::Coming) };
        state.standbys.remove(task);
        Ok(Claim::Stores(Box::new(stores)))
    }

    /// Opens what is wanted and not here, and gives back what is here and neither wanted nor unsettled: a hand-over is
    /// when standbys are for, and the plan knows nothing in the midst of one.
    pub(crate) fn want(&self, wanted: &BTreeSet<TaskId>, unsettled: &BTreeSet<TaskId>) -> Result<()> {
        let mut state = self.lock();
        if state.is_closed {
            return Ok(());
        }
        self.take_back(&mut state)?;
        let unwanted: Vec<TaskId> = state
            .standbys
            .iter()
            .filter(|(_, standing)| **standing == Standing::Following)
            .filter(|(task, _)| !wanted.contains(*task) && !unsettled.contains(*task))
            .map(|(task, _)| task.clone())
            .collect();
        for task in unwanted {
            self.send_back(&state, &task)?;
            state.standbys.insert(task, Standing::Returning { is_claimed: false });
        }
        let new: Vec<&TaskId> = wanted.iter().filter(|task| !state.standbys.contains_key(*task)).collect();
        for task in new {
            // What cannot be opened now is wanted again with the next look.
            match self.home.open(task).and_then(|stores| Ok((self.home.plan(task, &stores)?, stores))) {
                Ok((plan, stores)) => {
                    state.updater.follow(task.clone(), stores, plan)?;
                    state.standbys.insert(task.clone(), Standing::Following);
                    tracing::info!(%task, "kept warm");
                }
                Err(error) => tracing::debug!(%task, %error, "cannot be kept warm yet"),
            }
        }
        Ok(())
    }

    /// Finds out how far each is behind.
    pub(crate) fn measure(&self) {
        self.home.measure();
    }

    /// Closes all, and opens none any more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.returned.clear();
        let tasks: Vec<TaskId> = state.standbys.keys().cloned().collect();
        for task in tasks {
            // An updater that has ended has closed them.
            let _ = self.send_back(&state, &task);
        }
    }

    /// Asks the updater for a standby. Queries find it no longer: a restore may change its stores soon.
    fn send_back(&self, state: &State, task: &TaskId) -> Result<()> {
        self.home.gone(task);
        state.updater.cancel(task.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock only says that some thread panicked; each step leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes back what the updater gives. What no stream thread has claimed is closed.
    fn take_back(&self, state: &mut State) -> Result<()> {
        while let Some(Finished { task, stores, outcome }) = state.updater.try_finished()? {
            if let Outcome::Failed(error) = &outcome {
                tracing::warn!(%task, %error, "no longer kept warm, for now");
                self.home.gone(&task);
            }
            match state.standbys.get(&task) {
                // Damaged ones are to be opened anew.
                Some(Standing::Returning { is_claimed: true }) if !stores.is_damaged() && !state.is_closed => {
                    state.returned.insert(task, stores);
                }
                _ => {
                    state.standbys.remove(&task);
                }
            }
        }
        Ok(())
    }
}
