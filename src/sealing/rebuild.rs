//! The state from the blockchain topic alone.
//!
//! ```text
//!   reading                 a thread follows all blocks from block 0 on, in memory: each is checked and executed again
//!      │ the end
//!   writing                 what the stores hold otherwise, in commits of a bounded size; the tip goes first and comes last,
//!      │                    so a state that is being written is none, and a crash begins the rebuilding anew
//!   done                    the replica behind the last block
//! ```
//! While the blocks are read the stream thread only looks in from time to time. It compares what they lead to with its
//! stores once, which takes as long as reading the stores, and writes the difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use topology::{Class, Error};

use crate::chain::Block;
use crate::consensus::follow::{self, Anchor, Follower};
use crate::ledger::state::Table;
use crate::ledger::{Changes, MemoryState, Replica, View};

use super::application::Shared;
use super::stop;
use super::view::Tables;

/// What a commit of a rebuilt state carries at most, bytes of keys and values: with framing, well below what a
/// transaction and the uncommitted overlay may hold. In tests a state has few bytes, and is to be written in several
/// commits all the same.
const CHUNK_SIZE_BYTES: usize = if cfg!(test) { 64 } else { 8 * 1024 * 1024 };

/// So often in a row the topic may fail to give a single block more. A reader waits half a minute before it fails.
const FAILURE_COUNT_MAX: u32 = 10;

/// Before the topic is asked again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A state being rebuilt.
pub(super) struct Rebuild {
    target_height: u64,
    height: Arc<AtomicU64>,
    is_cancelled: Arc<AtomicBool>,
    stage: Stage,
}

enum Stage {
    /// `None` once the result was taken.
    Reading(Option<Reading>),
    Writing(Box<Writing>),
}

/// All blocks, on their way.
enum Reading {
    OnThread(JoinHandle<topology::Result<Rebuilt>>),
    Done(Box<topology::Result<Rebuilt>>),
}

impl Reading {
    fn start(
        is_beside: bool,
        read: impl FnOnce() -> topology::Result<Rebuilt> + Send + 'static,
    ) -> topology::Result<Self> {
        if !is_beside {
            return Ok(Self::Done(Box::new(read())));
        }
        let thread = std::thread::Builder::new().name("rebuild".to_owned()).spawn(read);
        let failed = |error| Error::stop(format!("cannot start a thread to rebuild the state: {error}"));
        thread.map(Self::OnThread).map_err(failed)
    }

    fn is_finished(&self) -> bool {
        match self {
            Self::OnThread(thread) => thread.is_finished(),
            Self::Done(_) => true,
        }
    }

    fn take(self) -> topology::Result<Rebuilt> {
        let panicked = |_| Error::stop("the thread that rebuilt the state ended without a word: it panicked");
        match self {
            Self::OnThread(thread) => thread.join().map_err(panicked)?,
            Self::Done(read) => *read,
        }
    }
}

/// What the blocks lead to.
struct Rebuilt {
    state: MemoryState,
    replica: Replica,
}

struct Writing {
    changes: Changes,
    /// How many of them are written.
    written: usize,
    /// `None` once it was handed over.
    replica: Option<Replica>,
}

/// How far a state is rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last block that was followed.
    pub height: u64,
    /// The last block there is.
    pub target_height: u64,
}

/// What a look at a rebuilding finds.
pub(super) enum Look {
    /// The blocks are still being read.
    Reading,
    /// These changes are to be written, and committed before the next look.
    Write(Changes),
    /// All of it is committed: the replica behind the last block.
    Done(Box<Replica>),
}

impl Rebuild {
    /// Begins to read the topic, whose last block is `last`.
    pub(super) fn start(shared: &Arc<Shared>, last: &Block) -> topology::Result<Self> {
        let target_height = last.header.height;
        let (height, is_cancelled) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (for_thread, target_hash) = (Arc::clone(shared), last.hash);
        let (seen, cancelled) = (Arc::clone(&height), Arc::clone(&is_cancelled));
        let read = move || {
            let rebuilt = read(&for_thread, &seen, &cancelled)?;
            let tip = rebuilt.replica.tip();
            if (tip.height, tip.hash) == (target_height, target_hash) {
                return Ok(rebuilt);
            }
            // Where the chain has gone on, the group may have given this member up, and its successor seals. If the
            // member is still the one, the next attempts find the same, and the last ends the run.
            let class = if tip.height > target_height { Class::Rejoin } else { Class::Stop };
            let (height, hash) = (tip.height, tip.hash);
            Err(Error::new(
                class,
                format!(
                    "the blockchain topic leads to height {height} ({hash}), and its last block is {target_height} \
                     ({target_hash}): another process writes to the topic. Stop it, then run cairn verify"
                ),
            ))
        };
        let is_beside = shared.topic.as_ref().is_none_or(|topic| topic.is_read_beside());
        let reading = Reading::start(is_beside, read)?;
        Ok(Self { target_height, height, is_cancelled, stage: Stage::Reading(Some(reading)) })
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { height: self.height.load(Ordering::Relaxed), target_height: self.target_height }
    }

    /// Whether there is nothing to write yet.
    pub(super) fn is_reading(&self) -> bool {
        matches!(self.stage, Stage::Reading(_))
    }

    /// Looks how far it is. What was answered before must be committed.
    pub(super) fn look(&mut self, tables: &Tables) -> topology::Result<Look> {
        if let Stage::Reading(reading) = &mut self.stage {
            let finished = reading.take_if(|reading| reading.is_finished());
            let Some(finished) = finished else { return Ok(Look::Reading) };
            let Rebuilt { state, replica } = finished.take()?;
            let changes = difference(tables, &state)?;
            tracing::info!(changes = changes.len(), "the state is rebuilt in memory: writing it");
            self.stage = Stage::Writing(Box::new(Writing { changes, written: 0, replica: Some(replica) }));
            // First of all the tip goes, if there is one: what is half written has none.
            let mut first = Changes::new();
            tables.scan(Table::Tip, &mut |key, _| first.delete(Table::Tip, key))?;
            if !first.is_empty() {
                return Ok(Look::Write(first));
            }
        }
        let Stage::Writing(writing) = &mut self.stage else { return Ok(Look::Reading) };
        if let Some(chunk) = writing.next_chunk() {
            return Ok(Look::Write(chunk));
        }
        let replica = writing.replica.take();
        replica
            .map(|replica| Look::Done(Box::new(replica)))
            .ok_or_else(|| Error::stop("a rebuilt state was taken twice"))
    }
}

impl Writing {
    /// The changes go by table, and the tip's is the last one.
    fn next_chunk(&mut self) -> Option<Changes> {
        let (mut chunk, mut size_bytes) = (Changes::new(), 0usize);
        for (table, key, value) in self.changes.iter().skip(self.written) {
            chunk.set(table, key, value);
            self.written += 1;
            size_bytes = size_bytes.saturating_add(key.len() + value.map_or(0, <[u8]>::len));
            if size_bytes >= CHUNK_SIZE_BYTES {
                break;
            }
        }
        (!chunk.is_empty()).then_some(chunk)
    }
}

impl Drop for Rebuild {
    fn drop(&mut self) {
        // The thread ends with the block it is at.
        self.is_cancelled.store(true, Ordering::Relaxed);
    }
}

/// Follows the chain from block 0 to the topic's end. Where the log cannot answer for a while, it is asked again: what
/// was followed stays, and blocks that come again are passed over.
fn read(shared: &Shared, height: &AtomicU64, is_cancelled: &AtomicBool) -> topology::Result<Rebuilt> {
    let Some(topic) = &shared.topic else { return Err(Error::stop("there is no topic to rebuild the state from")) };
    let randomness = StdRng::from_seed(shared.entropy);
    let mut follower = Follower::new(MemoryState::new(), Anchor::Genesis(shared.genesis_hash), randomness);
    let (mut found, mut followed_count, mut failure_count) = (None, 0_u64, 0);
    loop {
        let (mut count, before) = (0, followed_count);
        let read = topic.blocks(&mut |block| {
            count += 1;
            if count > followed_count {
                // The topic's reader has seen that the block agrees with itself.
                found = follower.extend(&block, None).err();
                followed_count = count;
                height.store(block.header.height, Ordering::Relaxed);
            }
            found.is_none() && !is_cancelled.load(Ordering::Relaxed)
        });
        failure_count = if followed_count > before { 0 } else { failure_count + 1 };
        match read {
            Ok(()) => break,
            Err(error) if error.class() == Class::Retry && failure_count < FAILURE_COUNT_MAX => {
                tracing::warn!(%error, height = height.load(Ordering::Relaxed), "cannot read the blockchain topic on; trying again");
                topic.wait(RETRY_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    if is_cancelled.load(Ordering::Relaxed) {
        return Err(Error::stop("the task was taken away while its state was rebuilt"));
    }
    follower.conclude(found).map_err(|error| follow_error(&error))?;
    let parts = follower.into_parts().ok_or_else(|| Error::stop("the blockchain topic holds no block"))?;
    Ok(Rebuilt { state: parts.0, replica: parts.1 })
}

fn follow_error(error: &follow::Error<std::convert::Infallible>) -> Error {
    match error {
        follow::Error::Broken(broken) => Error::stop(format!(
            "the state cannot be rebuilt, for the chain on the blockchain topic is broken: {broken}. Run cairn verify, and see \
             \"Recovery\" in the operations manual"
        )),
        other => stop(other),
    }
}

/// What the stores hold otherwise than the state, as changes that make them the state.
fn difference(tables: &Tables, state: &MemoryState) -> topology::Result<Changes> {
    let mut changes = Changes::new();
    for table in Table::ALL {
        let mut wanted = state.table(table).peekable();
        tables.scan(table, &mut |key, value| {
            while let Some((missing, wanted_value)) = wanted.next_if(|(other, _)| *other < key) {
                changes.put(table, missing, wanted_value);
            }
            match wanted.next_if(|(other, _)| *other == key) {
                Some((_, same)) if same == value => {}
                Some((_, other)) => changes.put(table, key, other),
                None => changes.delete(table, key),
            }
        })?;
        wanted.for_each(|(missing, wanted_value)| changes.put(table, missing, wanted_value));
    }
    // The tip is written last of all, whatever the stores hold: it is deleted before anything else is written.
    state.table(Table::Tip).for_each(|(key, value)| changes.put(Table::Tip, key, value));
    Ok(changes)
}
