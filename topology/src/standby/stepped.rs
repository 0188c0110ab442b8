//! Standbys without a thread, for simulations, which decide what happens when.

use std::sync::Arc;

use super::keeper::Keeper;
use super::thread::Planner;

/// Looks when it is stepped, until it is dropped; then all standbys are closed.
pub(crate) struct SteppedStandbys {
    keeper: Arc<Keeper>,
    planner: Planner,
}

impl SteppedStandbys {
    pub(crate) fn new(keeper: Arc<Keeper>, planner: Planner) -> Self {
        Self { keeper, planner }
    }

    pub(crate) fn keeper(&self) -> Arc<Keeper> {
        Arc::clone(&self.keeper)
    }

    /// One look at who is in the group.
    pub(crate) fn look(&self) {
        self.planner.look(&self.keeper);
    }
}

impl Drop for SteppedStandbys {
    fn drop(&mut self) {
        self.keeper.close();
    }
}
