//! How many admitted records wait for the sealer: asked again and again on a thread of its own, so that no other thread
//! waits for the answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use topology::clock::{Clock, SystemClock};
use topology::log::{Isolation, Log, TopicPartition};

use super::error::{Error, Result};

const INTERVAL: Duration = Duration::from_millis(40);
/// Where the log cannot say it.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// So long the thread is waited for at the end, in ms: one that asks a log on this machine is soon done.
const PATIENCE_MS: i64 = 1_000;

/// The number, as far as is known. The thread that asks ends with it.
#[derive(Debug)]
pub(crate) struct Backlog {
    count: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Backlog {
    /// Begins to ask. `application_id` names the group, and `topic` is what it reads.
    pub(crate) fn watch<L: Log>(log: L, application_id: &str, topic: &str) -> Result<Self> {
        let count = Arc::new(AtomicU64::new(0));
        let (group, partition, weak) =
            (application_id.to_owned(), TopicPartition::new(topic, 0), Arc::downgrade(&count));
        let watch = move || keep_asking(&log, &group, &partition, &weak);
        let thread = std::thread::Builder::new().name("cairn-backlog".to_owned()).spawn(watch);
        let thread =
            thread.map_err(|error| Error::failed(format!("cannot start a thread that looks at '{topic}': {error}")))?;
        Ok(Self { count, thread })
    }

    /// How many wait.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Backlog {
    /// The process may end next, and with it what an embedded log stands on: no thread may be reading it then.
    fn drop(&mut self) {
        // Without it the thread ends.
        drop(std::mem::take(&mut self.count));
        let clock = SystemClock::new();
        let deadline_ms = clock.monotonic_ms().saturating_add(PATIENCE_MS);
        while !self.thread.is_finished() && clock.monotonic_ms() < deadline_ms {
            clock.sleep(Duration::from_millis(5));
        }
    }
}

fn keep_asking<L: Log>(log: &L, group: &str, partition: &TopicPartition, count: &Weak<AtomicU64>) {
    while let Some(count) = count.upgrade() {
        let found = ask(log, group, partition);
        let interval = match found {
            Ok(found) => {
                count.store(found, Ordering::Relaxed);
                INTERVAL
            }
            // The topic is not there yet, or no broker answers: what was known counts on.
            Err(_) => RETRY_INTERVAL,
        };
        drop(count);
        std::thread::sleep(interval);
    }
}

fn ask<L: Log>(log: &L, group: &str, partition: &TopicPartition) -> topology::log::Result<u64> {
    let committed = log.committed(group, std::slice::from_ref(partition))?;
    let marks = log.watermarks(partition, Isolation::ReadUncommitted)?;
    let next =
        committed.first().and_then(Option::as_ref).map_or(marks.low, |committed| committed.offset.max(marks.low));
    Ok(u64::try_from(marks.high.saturating_sub(next)).unwrap_or(0))
}
