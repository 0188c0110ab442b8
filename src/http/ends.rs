//! Where the partitions of the transactions topic end, and how much before that is in no block yet.
//!
//! ```text
//!   in blocks │ marker  marker │ record  marker │ end
//!             next             first
//! ```
//! Markers of transactions and records that were aborted have offsets, too, so that of a chain that has sealed all
//! there is, some would seem to wait for ever. So where something seems to, the first record there is looked for. A
//! thread of its own asks the log: a broker that does not answer keeps no block waiting.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use topology::Result;
use topology::clock::{Clock, SystemClock};
use topology::log::{Consumer, ConsumerOptions, Event, Isolation, Log, Offset, OutOfRange, Start, TopicPartition};

use super::context::lock;
use super::feed::Feed;

/// Between two questions for the ends.
const INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks whether the server ends.
const PAUSE: Duration = Duration::from_millis(200);
/// How often it is asked how many partitions there are, ms: they become more once in a chain's life.
const COUNT_INTERVAL_MS: i64 = 60_000;
/// So long the log may take to say that.
const COUNT_TIMEOUT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);
/// So long a first record is looked for, ms. What was not found then is looked for again.
const LOOK_MS: i64 = 1_000;
/// What is read ahead of a first record, for nothing.
const PREFETCH_BYTES: usize = 1 << 18;

/// What is known, for anybody to look at.
#[derive(Debug, Default)]
pub(super) struct Ends(Mutex<BTreeMap<i32, Partition>>);

#[derive(Clone, Copy, Debug, Default)]
struct Partition {
    /// Where it ends for readers of what is committed.
    end: Offset,
    looked: Option<Looked>,
    /// From which offset on it is to be looked at: somebody has asked for the lag, and it depends on that.
    wanted: Option<Offset>,
}

/// What was found from an offset on.
#[derive(Clone, Copy, Debug)]
struct Looked {
    from: Offset,
    /// The first record, or where the partition ended without one.
    first: Offset,
    is_record: bool,
}

impl Ends {
    /// How many offsets wait, from the first record on that does, where `next` is the one behind the last that is in a
    /// block. `None` where the partition is not known.
    pub(super) fn lag(&self, partition: i32, next: Offset) -> Option<Offset> {
        let mut known = lock(&self.0);
        let known = known.get_mut(&partition)?;
        let looked = known.looked.filter(|looked| looked.from == next);
        let first = looked.map_or(next, |looked| looked.first);
        let is_sure = looked.is_some_and(|looked| looked.is_record);
        known.wanted = (known.end > first && !is_sure).then_some(next);
        Some(known.end.saturating_sub(first).max(0))
    }

    /// The partitions that are known.
    pub(super) fn partitions(&self) -> Vec<i32> {
        lock(&self.0).keys().copied().collect()
    }

    /// Whether there may be such a record; where nothing is known there may.
    pub(super) fn may_hold(&self, partition: i32, offset: Offset) -> bool {
        let known = lock(&self.0);
        known.is_empty() || known.get(&partition).is_some_and(|known| offset < known.end)
    }

    fn set_end(&self, partition: i32, end: Offset) {
        lock(&self.0).entry(partition).or_default().end = end;
    }

    /// What is to be looked at: partitions, from where they were asked about, and from where to read.
    fn wanted(&self) -> BTreeMap<i32, (Offset, Offset)> {
        let mut known = lock(&self.0);
        let wanted = known.iter_mut().filter_map(|(partition, known)| {
            let from = known.wanted.take()?;
            // Up to there it was looked at already.
            let start = known.looked.filter(|looked| looked.from == from).map_or(from, |looked| looked.first);
            Some((*partition, (from, start)))
        });
        wanted.collect()
    }

    fn set_looked(&self, partition: i32, looked: Looked) {
        if let Some(known) = lock(&self.0).get_mut(&partition) {
            known.looked = Some(looked);
        }
    }
}

/// Begins to ask; ends when `stop` is set.
pub(super) fn follow<L: Log>(
    log: L,
    topic: String,
    feed: Arc<Feed>,
    stop: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<()>> {
    let body = move || {
        let (mut asker, clock) = (Asker::new(log, topic), SystemClock::new());
        while !stop.load(Ordering::Relaxed) {
            asker.ask(feed.ends());
            let due_ms = clock.monotonic_ms().saturating_add(INTERVAL.as_millis() as i64);
            while !stop.load(Ordering::Relaxed) && clock.monotonic_ms() < due_ms {
                clock.sleep(PAUSE);
            }
        }
    };
    std::thread::Builder::new().name("cairn-http-ends".to_owned()).spawn(body)
}

/// Asks the log: one thread's.
struct Asker<L: Log> {
    log: L,
    clock: SystemClock,
    topic: String,
    partition_count: i32,
    counted_ms: Option<i64>,
    /// Looks for first records; it is made when the first is looked for.
    reader: Option<L::Consumer>,
}

impl<L: Log> Asker<L> {
    fn new(log: L, topic: String) -> Self {
        let clock = SystemClock::new();
        Self { log, clock, topic, partition_count: 0, counted_ms: None, reader: None }
    }

    /// Asks. A log that does not answer leaves what was known.
    fn ask(&mut self, ends: &Ends) {
        if let Err(error) = self.ask_now(ends) {
            tracing::debug!(topic = self.topic, "cannot find out what waits: {error}");
            (self.counted_ms, self.reader) = (None, None);
        }
    }

    fn ask_now(&mut self, ends: &Ends) -> Result<()> {
        let now_ms = self.clock.monotonic_ms();
        if self.counted_ms.is_none_or(|counted_ms| now_ms.saturating_sub(counted_ms) >= COUNT_INTERVAL_MS) {
            let found = self.log.identify_topics(std::slice::from_ref(&self.topic), COUNT_TIMEOUT)?;
            self.partition_count = found.into_iter().flatten().next().map_or(0, |found| found.partition_count);
            self.counted_ms = Some(now_ms);
        }
        for number in 0..self.partition_count {
            let partition = TopicPartition::new(&self.topic, number);
            ends.set_end(number, self.log.watermarks(&partition, Isolation::ReadCommitted)?.high);
        }
        let wanted = ends.wanted();
        if wanted.is_empty() { Ok(()) } else { self.look(ends, wanted) }
    }

    /// Looks for the first record of each partition from where it is wanted.
    fn look(&mut self, ends: &Ends, mut wanted: BTreeMap<i32, (Offset, Offset)>) -> Result<()> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(self.log.consumer(&options())?),
        };
        let at = |(number, (_, start)): (&i32, &(Offset, Offset))| {
            (TopicPartition::new(&self.topic, *number), Start::At(*start))
        };
        reader.assign(&wanted.iter().map(at).collect::<Vec<_>>())?;
        let deadline_ms = self.clock.monotonic_ms().saturating_add(LOOK_MS);
        while !wanted.is_empty() && self.clock.monotonic_ms() < deadline_ms {
            reader.poll(POLL, &mut |event| {
                let (partition, first, is_record) = match event {
                    Event::Records { partition, records } => match records.first() {
                        Some(record) => (partition, record.offset, true),
                        None => return,
                    },
                    Event::EndOfPartition { partition, offset } => (partition, offset, false),
                    _ => return,
                };
                if let Some((from, _)) = wanted.remove(&partition.partition) {
                    ends.set_looked(partition.partition, Looked { from, first, is_record });
                }
            })?;
        }
        // Nothing is fetched until the next look.
        Ok(reader.assign(&[])?)
    }
}

fn options() -> ConsumerOptions {
    ConsumerOptions {
        group: None,
        isolation: Isolation::ReadCommitted,
        client_id: "cairn-http".to_owned(),
        batch_records: 1,
        prefetch_bytes: PREFETCH_BYTES,
        out_of_range: OutOfRange::Earliest,
    }
}

#[cfg(test)]
mod tests {
    use topology::log::memory::MemoryLog;
    use topology::log::{Producer, ProducerOptions, ProducerRecord, TopicSpec};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(1);

    struct World {
        producer: <MemoryLog as Log>::Producer,
        asker: Asker<MemoryLog>,
        ends: Ends,
    }

    impl World {
        fn new() -> Self {
            let log = MemoryLog::new(Arc::new(|| 0));
            let name = "transactions".to_owned();
            log.create_topics(&[TopicSpec { name, partition_count: 1, replication_factor: None, config: Vec::new() }])
                .unwrap();
            let options = ProducerOptions {
                transactional_id: "sender".to_owned(),
                transaction_timeout_ms: 10_000,
                client_id: "sender".to_owned(),
                track_topics: Vec::new(),
            };
            let mut producer = log.producer(&options).unwrap();
            producer.init_transactions(TIMEOUT).unwrap();
            Self { producer, asker: Asker::new(log, "transactions".to_owned()), ends: Ends::default() }
        }

        /// So many records in one transaction.
        fn send(&mut self, count: usize, commits: bool) {
            self.producer.begin().unwrap();
            for _ in 0..count {
                let (topic, value) = ("transactions", Some(b"{}".as_slice()));
                let record =
                    ProducerRecord { topic, partition: Some(0), timestamp_ms: 0, key: None, value, headers: &[] };
                self.producer.send(&record).unwrap();
            }
            if commits { self.producer.commit(TIMEOUT).unwrap() } else { self.producer.abort(TIMEOUT).unwrap() }
        }

        /// What waits from an offset on, once it was looked at.
        fn lag(&mut self, next: Offset) -> Offset {
            for _ in 0..2 {
                self.asker.ask_now(&self.ends).unwrap();
                self.ends.lag(0, next).unwrap();
            }
            self.asker.ask_now(&self.ends).unwrap();
            self.ends.lag(0, next).unwrap()
        }
    }

    #[test]
    fn behind_the_last_record_that_is_sealed_markers_and_what_was_aborted_do_not_wait() {
        let mut world = World::new();
        assert_eq!(world.lag(0), 0, "an empty topic");
        world.send(2, true);
        assert_eq!(world.lag(0), 3, "two records, and the marker behind them");
        assert_eq!(world.lag(1), 2);
        assert_eq!(world.lag(2), 0, "the marker alone");
        world.send(5, false);
        assert_eq!(world.lag(2), 0, "what was aborted");
        world.send(1, true);
        assert_eq!(world.lag(2), 2, "from the first record on");
        assert_eq!(world.lag(10), 0);
    }

    #[test]
    fn what_was_not_looked_at_yet_seems_to_wait_and_a_partition_that_is_not_there_has_no_lag() {
        let mut world = World::new();
        assert_eq!(world.ends.lag(0, 0), None);
        assert!(world.ends.may_hold(7, 7), "nothing is known");
        world.send(1, true);
        world.asker.ask_now(&world.ends).unwrap();
        assert_eq!(world.ends.lag(0, 1), Some(1));
        assert!(world.ends.may_hold(0, 1) && !world.ends.may_hold(0, 2) && !world.ends.may_hold(1, 0));
        assert_eq!(world.ends.lag(1, 0), None);
    }
}
