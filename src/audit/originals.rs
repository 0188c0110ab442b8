//! The transactions topic, as the entries that its records become: parsed and hashed where they are read, so that
//! values are never kept, however large they are.
//!
//! One thread reads all partitions. Blocks ask for the records of one and of another, so what was read and not asked
//! for yet is kept, by partition, and bounded in bytes for all of them together:
//!
//! ```text
//! a partition is read on   while less than its share of the bound waits, and less than the bound of all;
//!                          or while somebody waits for it and nothing of it is there
//! ```

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

use topology::Error;
use topology::clock::Clock;
use topology::log::{Log, Record, TopicPartition};

use super::reading::spawn;
use crate::chain::{Content, Entry, Id, Memo};
use crate::reader::{Demand, Extent, Reader};

/// Bytes of entries that may have been read and not compared, but for a batch of each partition that is asked for.
/// In tests there are few records, and they are to be more than fit.
const AHEAD_BYTES: usize = if cfg!(test) { 64 << 10 } else { 8 << 20 };
/// A partition's share of them, at least, however many partitions there are.
const SHARE_BYTES_MIN: usize = AHEAD_BYTES / 32;

/// The records of all partitions.
pub(super) struct Originals<'s> {
    shared: Arc<Fetched>,
    /// Until it has ended.
    thread: Option<ScopedJoinHandle<'s, topology::Result<()>>>,
}

struct Fetched {
    state: Mutex<State>,
    /// One side waits for the other: for a batch, or for room.
    changed: Condvar,
    share_bytes: usize,
}

struct State {
    /// By partition.
    queues: Vec<Queue>,
    size_bytes: usize,
    /// The partition that somebody waits for.
    asked: Option<usize>,
    /// One of the two sides is gone.
    is_over: bool,
}

#[derive(Default)]
struct Queue {
    /// In order, each with what it holds in bytes.
    batches: VecDeque<(Vec<Entry>, usize)>,
    size_bytes: usize,
    is_read: bool,
}

impl<'s> Originals<'s> {
    /// Begins to read these stretches, one of each partition, in their order.
    pub(super) fn read<L: Log>(
        scope: &'s Scope<'s, '_>,
        (log, clock): (&'s L, &'s dyn Clock),
        client_id: &'static str,
        extents: Vec<Extent>,
    ) -> topology::Result<Self> {
        let queues = extents.iter().map(|_| Queue::default()).collect();
        let state = State { queues, size_bytes: 0, asked: None, is_over: false };
        let share_bytes = (AHEAD_BYTES / extents.len().max(1)).max(SHARE_BYTES_MIN);
        let shared = Arc::new(Fetched { state: Mutex::new(state), changed: Condvar::new(), share_bytes });
        let mut demand = Asked(Arc::clone(&shared));
        let for_thread = Arc::clone(&shared);
        let thread = spawn(scope, "cairn-records", move || {
            let _end = End(Arc::clone(&for_thread));
            let reader = Reader::new(log, clock, client_id);
            reader.read_on_demand(&extents, &mut demand, |partition, records| {
                Ok(for_thread.push(partition.partition, records))
            })
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What comes next of a partition; `None`: it was read to its end. Errors where it could not be.
    pub(super) fn next(&mut self, partition: i32) -> topology::Result<Option<Vec<Entry>>> {
        let Ok(place) = usize::try_from(partition) else { return Ok(None) };
        if let Some(batch) = self.shared.next(place) {
            return Ok(Some(batch));
        }
        if !self.shared.lock().is_over {
            return Ok(None);
        }
        match self.thread.take().map(ScopedJoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(None),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err(Error::stop("a thread that read a topic panicked")),
        }
    }

    /// The partitions.
    pub(super) fn partitions(&self) -> std::ops::Range<i32> {
        0..i32::try_from(self.shared.lock().queues.len()).unwrap_or(i32::MAX)
    }
}

impl Drop for Originals<'_> {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Fetched {
    /// Nothing panics while the lock is held, so the state is whole whichever thread held it last.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    fn push(&self, partition: i32, records: &[Record<'_>]) -> ControlFlow<()> {
        let entries: Vec<Entry> = records.iter().map(|record| entry(partition, record)).collect();
        let size_bytes: usize = entries.iter().map(size_bytes).sum();
        let mut state = self.lock();
        if state.is_over {
            return ControlFlow::Break(());
        }
        let State { queues, size_bytes: all_bytes, asked, .. } = &mut *state;
        let place = usize::try_from(partition).unwrap_or(usize::MAX);
        // More is read when it is asked for again.
        asked.take_if(|asked| *asked == place);
        if let Some(queue) = queues.get_mut(place) {
            queue.batches.push_back((entries, size_bytes));
            queue.size_bytes += size_bytes;
            *all_bytes += size_bytes;
        }
        self.changed.notify_all();
        ControlFlow::Continue(())
    }

    /// Waits for a partition's next batch. `None`: none will come.
    fn next(&self, place: usize) -> Option<Vec<Entry>> {
        let mut state = self.lock();
        loop {
            let queue = state.queues.get_mut(place)?;
            if let Some((batch, size_bytes)) = queue.batches.pop_front() {
                queue.size_bytes -= size_bytes;
                state.size_bytes -= size_bytes;
                self.changed.notify_all();
                return Some(batch);
            }
            if queue.is_read || state.is_over {
                return None;
            }
            state.asked = Some(place);
            self.changed.notify_all();
            state = self.wait(state);
        }
    }
}

impl State {
    fn has_room(&self, place: usize, share_bytes: usize) -> bool {
        let waiting_bytes = self.queues.get(place).map_or(usize::MAX, |queue| queue.size_bytes);
        (waiting_bytes < share_bytes && self.size_bytes < AHEAD_BYTES) || self.asked == Some(place)
    }
}

/// What the comparison has room for.
struct Asked(Arc<Fetched>);

impl Demand for Asked {
    fn wants(&mut self, partition: &TopicPartition) -> bool {
        let place = usize::try_from(partition.partition).unwrap_or(usize::MAX);
        self.0.lock().has_room(place, self.0.share_bytes)
    }

    fn wait(&mut self) -> ControlFlow<()> {
        let mut state = self.0.lock();
        let has_room = |state: &State| {
            let mut unread = (0..state.queues.len()).filter(|place| !state.queues[*place].is_read);
            unread.any(|place| state.has_room(place, self.0.share_bytes))
        };
        while !state.is_over && !has_room(&state) {
            state = self.0.wait(state);
        }
        if state.is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn ended(&mut self, partition: &TopicPartition) {
        let mut state = self.0.lock();
        let queue = usize::try_from(partition.partition).ok().and_then(|place| state.queues.get_mut(place));
        if let Some(queue) = queue {
            queue.is_read = true;
        }
        self.0.changed.notify_all();
    }
}

/// Tells that the thread has ended, however it did.
struct End(Arc<Fetched>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn entry(partition: i32, record: &Record<'_>) -> Entry {
    Entry::of_record(partition, record.offset, record.timestamp_ms, record.key, record.value).0
}

/// What an entry holds in memory, but for what the allocator adds.
fn size_bytes(entry: &Entry) -> usize {
    let texts = match &entry.content {
        Content::Stub { .. } => 0,
        Content::Transaction { transaction, .. } => {
            let id = transaction.id.as_ref().map_or(0, |id: &Id| id.as_bytes().len());
            let memo = transaction.memo.as_ref().map_or(0, |memo: &Memo| memo.as_bytes().len());
            let validator = transaction.validator.as_ref().map_or(0, |id| id.as_str().len());
            transaction.from.as_bytes().len() + transaction.to.as_bytes().len() + id + memo + validator
        }
    };
    size_of::<Entry>() + texts
}

#[cfg(test)]
mod tests;
