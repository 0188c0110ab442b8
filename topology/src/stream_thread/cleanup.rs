//! State directories of tasks that moved away. Their state is in the changelogs, and is stale soon; a task that comes back soon
//! finds it and reads on from there.

use std::collections::BTreeMap;

use crate::graph::Topology;
use crate::log::Log;
use crate::store::{self, StateDirectory};

use super::StreamThread;

/// So long a task must have been elsewhere before its directory is deleted, ms.
const AWAY_MS: i64 = 10 * 60 * 1000;
/// How often it is looked, ms.
const LOOK_EVERY_MS: i64 = 60 * 1000;

/// Which tasks are elsewhere, and since when.
#[derive(Debug)]
pub(super) struct Cleanup {
    /// By name, monotonic ms.
    away_since_ms: BTreeMap<String, i64>,
    look_at_ms: i64,
}

impl Cleanup {
    pub(super) fn new(now_ms: i64) -> Self {
        Self { away_since_ms: BTreeMap::new(), look_at_ms: now_ms }
    }

    /// Deletes what tasks of the topology left behind that are none of `own`. One that is locked is in use, as by a restore that
    /// was cancelled: it stays. So does what no task of the topology has made: somebody's copy, or the state under a former name.
    fn look(
        &mut self,
        directory: &StateDirectory,
        topology: &Topology,
        own: &[String],
        now_ms: i64,
    ) -> store::Result<()> {
        let mut away = directory.tasks()?;
        away.retain(|task| is_task(topology, task) && !own.contains(task));
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

impl<L: Log> StreamThread<L> {
    /// Looks now and then for directories to delete, while it is known which tasks are this thread's.
    pub(super) fn clean_up(&mut self) {
        let now_ms = self.clock.monotonic_ms();
        let (Some(directory), Some(assigned)) = (&self.state_directory, &self.assigned) else { return };
        if now_ms < self.cleanup.look_at_ms {
            return;
        }
        self.cleanup.look_at_ms = now_ms.saturating_add(LOOK_EVERY_MS);
        let own = assigned.iter().map(|task| &task.id).chain(&self.returning).map(ToString::to_string);
        let own: Vec<String> = own.collect();
        if let Err(error) = self.cleanup.look(directory, &self.topology, &own, now_ms) {
            tracing::warn!(%error, "cannot look for the state of tasks that run elsewhere");
        }
    }
}
