//! State directories of tasks that moved away. Their state is in the changelogs, and is stale soon; a task that comes
//! back soon finds it and reads on from there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError, TryLockError};

use crate::graph::Topology;
use crate::log::Log;
use crate::store::{self, StateDirectory};

use super::environment::Environment;
use super::tasks::Tasks;

/// So long a task must have been elsewhere before its directory is deleted, ms.
const AWAY_MS: i64 = 10 * 60 * 1000;
/// How often a thread looks, ms.
const LOOK_EVERY_MS: i64 = 60 * 1000;

/// Which tasks the threads of a process have, and since when others are away.
#[derive(Debug, Default)]
pub(crate) struct Cleanup(Mutex<Ownerships>);

#[derive(Debug, Default)]
struct Ownerships {
    /// By thread: when it looks next, monotonic ms, and what it had when it looked last.
    threads: BTreeMap<usize, (i64, BTreeSet<String>)>,
    /// By name, monotonic ms.
    away_since_ms: BTreeMap<String, i64>,
}

impl Cleanup {
    /// A thread has gone, and its tasks with it.
    pub(crate) fn forget(&self, thread: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).threads.remove(&thread);
    }
}

impl<L: Log> Environment<L> {
    /// Looks now and then for directories to delete, while it is known which tasks are this thread's.
    pub(super) fn clean_up(&self, tasks: &Tasks, now_ms: i64) {
        let Some(directory) = self.state_directory.as_deref().filter(|_| tasks.are_known()) else { return };
        let mut ownerships = match self.cleanup.0.try_lock() {
            Ok(ownerships) => ownerships,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread is deleting something, which may take a while.
            Err(TryLockError::WouldBlock) => return,
        };
        let (look_at_ms, own) = ownerships.threads.entry(self.thread).or_default();
        if now_ms < *look_at_ms {
            return;
        }
        *look_at_ms = now_ms.saturating_add(LOOK_EVERY_MS);
        *own = tasks.iter().map(|task| &task.id).chain(&tasks.returning).map(ToString::to_string).collect();
        if let Err(error) = ownerships.look(directory, &self.topology, now_ms) {
            tracing::warn!(%error, "cannot look for the state of tasks that run elsewhere");
        }
    }
}

impl Ownerships {
    /// Deletes what tasks of the topology left behind that are none of this process. One that is locked is in use, as
    /// by a restore that was cancelled: it stays. So does what no task of the topology has made: a copy, or the state
    /// under a former name.
    fn look(&mut self, directory: &StateDirectory, topology: &Topology, now_ms: i64) -> store::Result<()> {
        let mut away = directory.tasks()?;
        let is_own = |task: &String| self.threads.values().any(|(_, own)| own.contains(task));
        away.retain(|task| is_task(topology, task) && !is_own(task));
        self.away_since_ms.retain(|task, _| away.contains(task));
        for task in away {
            let since_ms = *self.away_since_ms.entry(task.clone()).or_insert(now_ms);
            if now_ms.saturating_sub(since_ms) < AWAY_MS {
                continue;
            }
            match directory.delete_task(&task) {
                Ok(()) => {
                    self.away_since_ms.remove(&task);
                    tracing::info!(%task, "deleted the state of a task that runs elsewhere; it returns from its changelogs");
                }
                Err(error) => tracing::debug!(%task, %error, "the state of a task that runs elsewhere stays for now"),
            }
        }
        Ok(())
    }
}

fn is_task(topology: &Topology, name: &str) -> bool {
    let Some((sub_topology, number)) = name.rsplit_once('_') else { return false };
    let is_number = number.parse::<u32>().is_ok_and(|partition| partition.to_string() == number);
    is_number && topology.sub_topologies.iter().any(|known| known.name == sub_topology)
}
