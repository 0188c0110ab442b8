//! Follows the blockchain topic, on a thread of its own: from some way before its end on, for ever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::broadcast;
use topology::Result;
use topology::clock::{Clock, SystemClock};
use topology::log::{
    Consumer, ConsumerOptions, Event, Isolation, Log, Offset, OutOfRange, Record, Start, TopicPartition, Watermarks,
};

use super::ends::Ends;
use super::index::{BlockSummary, Index, Place};
use crate::chain::{Block, Read};

const POLL: Duration = Duration::from_millis(50);
/// Before the log is asked again after an error.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The last offsets by which the size of blocks is estimated.
const SAMPLE_OFFSETS: i64 = 32;
/// The most offsets that are read back at the start.
const READ_BACK_MAX: i64 = 20_000;
/// Blocks that a listener may be behind before it is let go.
const EVENTS: usize = 256;
const PREFETCH_BYTES: usize = 16 << 20;

/// What the thread has found. Anybody may look; the locks are held for the time of a look.
pub(super) struct Feed {
    index: RwLock<Index>,
    events: broadcast::Sender<Arc<BlockSummary>>,
    /// All that was there at the start is in the index.
    is_live: AtomicBool,
    /// What is wrong with the topic, as of its last record that was none of the chain's.
    trouble: Mutex<Option<String>>,
    ends: Ends,
}

impl Feed {
    pub(super) fn new(memory_max_bytes: usize) -> Self {
        Self {
            index: RwLock::new(Index::new(memory_max_bytes)),
            events: broadcast::Sender::new(EVENTS),
            is_live: AtomicBool::new(false),
            trouble: Mutex::default(),
            ends: Ends::default(),
        }
    }

    /// The last blocks.
    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each block from now on.
    pub(super) fn events(&self) -> broadcast::Receiver<Arc<BlockSummary>> {
        self.events.subscribe()
    }

    /// Whether all that was there at the start is in the index.
    pub(super) fn is_live(&self) -> bool {
        self.is_live.load(Ordering::Relaxed)
    }

    /// What is wrong with the topic.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Where the partitions of the transactions topic end, as of a second ago.
    pub(super) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// All that was there at the start is in the index. What was read back is history: counters that began with it
    /// would jump at each start of an instance, and an old offence would look like a new one.
    fn begin(&self) {
        if !self.is_live() {
            self.index.write().unwrap_or_else(PoisonError::into_inner).count_anew();
            self.is_live.store(true, Ordering::Relaxed);
        }
    }

    /// Takes a record of the topic in.
    fn take(&self, record: &Record<'_>) {
        let read = Block::from_record(record.key, record.value).map_err(|error| error.to_string());
        let added = read.and_then(|read| match read {
            Read::Foreign | Read::Pruned(_) => Ok(None),
            Read::Block(block) if block.header.hash() != block.hash => {
                Err(format!("the record under height {} is not the block it says it is", block.header.height))
            }
            Read::Block(block) => {
                let size_bytes = record.value.map_or(0, <[u8]>::len) as u64;
                let place = Place { offset: record.offset, time_ms: record.timestamp_ms, size_bytes };
                let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
                index.add(&block, place).map(Some).map_err(|error| error.to_string())
            }
        });
        match added {
            Ok(None) => {}
            Ok(Some(summary)) => {
                // An error here means that there are no listeners.
                let _ = self.events.send(summary);
            }
            Err(what) => {
                let mut trouble = lock(&self.trouble);
                if trouble.as_ref() != Some(&what) {
                    tracing::warn!(
                        offset = record.offset,
                        "the explorer passes over a record of the chain's topic: {what}"
                    );
                    *trouble = Some(what);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to follow; ends when `stop` is set.
pub(super) fn follow<L: Log>(
    log: L,
    blockchain: String,
    feed: Arc<Feed>,
    memory_max_bytes: usize,
    stop: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<()>> {
    let body = move || {
        let clock = SystemClock::new();
        let partition = TopicPartition::new(blockchain, 0);
        let mut follower = Follower { log, clock, partition, feed, next: None };
        let mut complaint = String::new();
        while !stop.load(Ordering::Relaxed) {
            if let Err(error) = follower.run(memory_max_bytes, &stop) {
                let text = error.to_string();
                if text != complaint {
                    tracing::warn!("the explorer cannot read the chain's topic, and tries again: {text}");
                    complaint = text;
                }
                follower.clock.sleep(RETRY_PAUSE);
            }
        }
    };
    std::thread::Builder::new().name("cairn-http-feed".to_owned()).spawn(body)
}

struct Follower<L> {
    log: L,
    clock: SystemClock,
    partition: TopicPartition,
    feed: Arc<Feed>,
    /// Where reading goes on; `None` before it began.
    next: Option<Offset>,
}

impl<L: Log> Follower<L> {
    fn run(&mut self, memory_max_bytes: usize, stop: &AtomicBool) -> Result<()> {
        let start = match self.next {
            Some(next) => next,
            None => self.start(memory_max_bytes)?,
        };
        let mut consumer = self.consumer()?;
        consumer.assign(&[(self.partition.clone(), Start::At(start))])?;
        while !stop.load(Ordering::Relaxed) {
            let (feed, next) = (&self.feed, &mut self.next);
            consumer.poll(POLL, &mut |event| match event {
                Event::Records { records, .. } => {
                    records.iter().for_each(|record| feed.take(record));
                    *next = records.last().map_or(*next, |last| Some(last.offset + 1));
                }
                Event::EndOfPartition { .. } => feed.begin(),
                _ => {}
            })?;
        }
        Ok(())
    }

    /// So far back that the index is full, about: by the size of the last blocks.
    fn start(&self, memory_max_bytes: usize) -> Result<Offset> {
        let Watermarks { low, high } = self.log.watermarks(&self.partition, Isolation::ReadCommitted)?;
        let sample = high.saturating_sub(SAMPLE_OFFSETS).max(low);
        let (mut bytes, mut count) = (0_usize, 0_usize);
        let mut consumer = self.consumer()?;
        consumer.assign(&[(self.partition.clone(), Start::At(sample))])?;
        let deadline_ms = self.clock.monotonic_ms() + RETRY_PAUSE.as_millis() as i64;
        let mut is_over = sample >= high;
        while !is_over && self.clock.monotonic_ms() < deadline_ms {
            consumer.poll(POLL, &mut |event| match event {
                Event::Records { records, .. } => {
                    bytes += records.iter().map(|record| record.value.map_or(0, <[u8]>::len)).sum::<usize>();
                    count += records.len();
                    is_over |= records.last().is_some_and(|last| last.offset >= high - 1);
                }
                Event::EndOfPartition { .. } => is_over = true,
                _ => {}
            })?;
        }
        // A transaction takes about as much in the index as in a block.
        let size_bytes = bytes.checked_div(count).unwrap_or(0).max(1_024);
        let wanted = i64::try_from(memory_max_bytes / size_bytes).unwrap_or(i64::MAX).saturating_mul(2);
        Ok(high.saturating_sub(wanted.clamp(SAMPLE_OFFSETS, READ_BACK_MAX)).max(low))
    }

    fn consumer(&self) -> Result<L::Consumer> {
        Ok(self.log.consumer(&ConsumerOptions {
            group: None,
            isolation: Isolation::ReadCommitted,
            client_id: "cairn-http".to_owned(),
            batch_records: 100,
            prefetch_bytes: PREFETCH_BYTES,
            out_of_range: OutOfRange::Earliest,
        })?)
    }
}
