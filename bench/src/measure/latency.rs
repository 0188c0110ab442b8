//! Latency, while records come at a steady rate: from the moment a record is due to the moment a reader may see its
//! count.
//!
//! ```text
//!   sender ──> input ──> subject ──> output ──> reader (read committed)
//!     │ record n is due at start + n / rate        │ the n-th output is the count of record n
//!     └──────────────── latency of record n ───────┘
//!
//!   offsets of the output:  0 1 2 3 . 5 6 7 . 9      a gap is the mark that ended a transaction
//!                                 ^       ^          the record before it is the youngest of its transaction
//! ```
//! The latency of the youngest record of a transaction is what the commit itself takes, as a reader sees it: that
//! record waited for nothing else. Latency counts from when a record was due, not from when it was sent: a sender that
//! is held up by the machine would otherwise hide what it is to show.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::BaseConsumer;

use super::Setup;
use super::figure::{Figure, Figures};
use super::progress::{STUCK_AFTER, Sample};
use crate::cluster::Writer;
use crate::error::{Doing, Error, Result};
use crate::input::{Generator, VALUE_BYTES, key};
use crate::process::Process;
use crate::process::now;
use crate::subject::{Run, Subject};

const TICK: Duration = Duration::from_millis(1);
const VALUE: [u8; VALUE_BYTES] = [b'v'; VALUE_BYTES];

/// Runs a subject on records that come while it runs.
pub(super) fn measure(setup: &Setup<'_>, subject: &Subject, run: &Run, figures: &mut Figures) -> Result<()> {
    let options = setup.options;
    let mut generator = Generator::new(options.seed, options.keys);
    let writer = setup.cluster.writer(&run.input, 1)?;
    let reader = setup.cluster.reader(&run.output, 1)?;
    let mut process = setup.start(subject, run)?;
    // One record before the others: none of them shall wait for the process to start.
    writer.send(&key(generator.key_number()), &VALUE)?;
    writer.finish()?;
    let first = until_first(&reader, &mut process)?;
    let orders = Orders::default();
    let pace = Pace { start: now(), per_s: options.rate.into() };
    let measured = std::thread::scope(|scope| {
        let sending = scope.spawn(|| send(&writer, pace, generator.clone(), &orders));
        let seen = Seen { last: Some((first, pace.start, Duration::ZERO)), ..Seen::default() };
        let watch = Watch { setup, process, reader, pace, generator: generator.clone(), orders: &orders, seen };
        let watched = watch.run();
        orders.stop.store(true, Ordering::Relaxed);
        let sent = sending.join().unwrap_or_else(|_| Err(Error::new("the sender panicked")));
        watched.and_then(|seen| sent.map(|()| seen))
    })?;
    measured.figures(figures);
    figures.insert(Figure::Late, orders.late_max_us.load(Ordering::Relaxed) as f64 / 1e3);
    Ok(())
}

/// Waits for the first output and returns its offset.
fn until_first(reader: &BaseConsumer, process: &mut Process) -> Result<i64> {
    let begun = now();
    loop {
        if let Some(message) = reader.poll(Duration::from_millis(20)) {
            return Ok(message.doing("reading the output")?.offset());
        }
        still_to_come(begun, process)?;
    }
}

/// An error where output has not come for too long since a moment, or will not come at all.
fn still_to_come(since: Instant, process: &mut Process) -> Result<()> {
    process.must_run()?;
    if since.elapsed() > STUCK_AFTER {
        let words = process.last_words();
        return Err(Error::new(format!("no output in {} s{words}", STUCK_AFTER.as_secs())));
    }
    Ok(())
}

/// When each record is due.
#[derive(Clone, Copy, Debug)]
struct Pace {
    start: Instant,
    per_s: u64,
}

impl Pace {
    /// To the millisecond: records are sent once in each.
    fn due(&self, ordinal: u64) -> Instant {
        self.start + Duration::from_millis(ordinal * 1_000 / self.per_s)
    }
}

/// What the watching thread tells the sending one, and the other way.
#[derive(Default)]
struct Orders {
    stop: AtomicBool,
    is_measuring: AtomicBool,
    late_max_us: AtomicU64,
}

/// Sends records when they are due, until told to stop.
fn send(writer: &Writer, pace: Pace, mut generator: Generator, orders: &Orders) -> Result<()> {
    let mut ordinal = 0;
    while !orders.stop.load(Ordering::Relaxed) {
        let at = now();
        let first_due = pace.due(ordinal);
        if at < first_due {
            std::thread::sleep((first_due - at).min(TICK));
            continue;
        }
        if orders.is_measuring.load(Ordering::Relaxed) {
            let late = at.duration_since(first_due).as_micros();
            orders.late_max_us.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        while pace.due(ordinal) <= at {
            writer.send(&key(generator.key_number()), &VALUE)?;
            ordinal += 1;
        }
        writer.serve();
    }
    writer.finish()
}

/// The reading side.
struct Watch<'a> {
    setup: &'a Setup<'a>,
    process: Process,
    reader: BaseConsumer,
    pace: Pace,
    generator: Generator,
    orders: &'a Orders,
    seen: Seen,
}

impl Watch<'_> {
    fn run(mut self) -> Result<Seen> {
        let (warm_up_s, latency_s) = (self.setup.options.latency_warm_up_s, self.setup.options.latency_s);
        let from = self.read_until(self.pace.start + Duration::from_secs(warm_up_s.into()))?;
        self.seen.begin();
        self.orders.is_measuring.store(true, Ordering::Relaxed);
        let before = self.sample(from)?;
        let to = self.read_until(from + Duration::from_secs(latency_s.into()))?;
        self.orders.is_measuring.store(false, Ordering::Relaxed);
        self.seen.samples = Some((before, self.sample(to)?));
        // The measurement is over; the process need not count the rest.
        self.orders.stop.store(true, Ordering::Relaxed);
        self.process.end()?;
        Ok(self.seen)
    }

    fn sample(&self, at: Instant) -> Result<Sample> {
        Sample::take(&self.process, self.setup.cluster.broker_pid, at, self.seen.ordinal)
    }

    /// Reads until this moment, or a little later.
    fn read_until(&mut self, until: Instant) -> Result<Instant> {
        let mut last = now();
        loop {
            let message = self.reader.poll(Duration::from_millis(20));
            let at = now();
            if let Some(message) = message {
                let message = message.doing("reading the output")?;
                if message.key() != Some(&key(self.generator.key_number())[..]) {
                    let line = format!("output {} has another key than the input", self.seen.ordinal);
                    return Err(Error::new(line));
                }
                let latency = at.saturating_duration_since(self.pace.due(self.seen.ordinal));
                self.seen.record(message.offset(), at, latency);
                last = at;
            } else {
                still_to_come(last, &mut self.process)?;
            }
            if at >= until {
                return Ok(at);
            }
        }
    }
}

/// What the reader saw since the warm-up.
#[derive(Default)]
struct Seen {
    /// Of the next output.
    ordinal: u64,
    is_measuring: bool,
    /// Offset of the last output, when it could be seen, and its latency.
    last: Option<(i64, Instant, Duration)>,
    /// When the youngest record of the last transaction could be seen.
    last_commit: Option<Instant>,
    record_ms: Vec<f64>,
    commit_ms: Vec<f64>,
    pause_ms: Vec<f64>,
    samples: Option<(Sample, Sample)>,
}

impl Seen {
    /// From here on it counts, but for the transaction that is being read.
    fn begin(&mut self) {
        self.is_measuring = true;
        self.last_commit = None;
    }

    fn record(&mut self, offset: i64, at: Instant, latency: Duration) {
        if let Some((last_offset, seen_at, youngest)) = self.last
            && offset != last_offset + 1
        {
            if let Some(before) = self.last_commit.filter(|_| self.is_measuring) {
                self.commit_ms.push(ms(youngest));
                self.pause_ms.push(ms(seen_at - before));
            }
            self.last_commit = Some(seen_at);
        }
        if self.is_measuring {
            self.record_ms.push(ms(latency));
        }
        self.last = Some((offset, at, latency));
        self.ordinal += 1;
    }

    fn figures(mut self, figures: &mut Figures) {
        for values in [&mut self.record_ms, &mut self.commit_ms, &mut self.pause_ms] {
            values.sort_by(f64::total_cmp);
        }
        let of = [
            (Figure::CommitMedian, quantile(&self.commit_ms, 0.5)),
            (Figure::CommitP99, quantile(&self.commit_ms, 0.99)),
            (Figure::CommitMax, quantile(&self.commit_ms, 1.0)),
            (Figure::Pause, quantile(&self.pause_ms, 1.0)),
            (Figure::RecordMedian, quantile(&self.record_ms, 0.5)),
            (Figure::RecordP99, quantile(&self.record_ms, 0.99)),
        ];
        figures.extend(of.into_iter().filter_map(|(figure, value)| Some((figure, value?))));
        let Some((before, after)) = self.samples else { return };
        let records = (after.committed - before.committed).max(1) as f64;
        figures.insert(Figure::SteadyCpu, (after.cpu_s - before.cpu_s) * 1e6 / records);
        let wall_s = (after.at - before.at).as_secs_f64();
        figures.extend(before.others_share(&after, wall_s).map(|share| (Figure::SteadyOthers, share)));
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The smallest value that this share of the values does not exceed; they are sorted.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(quantile(&sorted, 0.5), Some(100.0));
        assert_eq!(quantile(&sorted, 0.99), Some(198.0));
        assert_eq!(quantile(&sorted, 1.0), Some(200.0));
        assert_eq!(quantile(&[7.0], 0.5), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn records_are_due_at_the_rate() {
        let pace = Pace { start: now(), per_s: 20_000 };
        assert_eq!(pace.due(19), pace.start);
        assert_eq!(pace.due(20), pace.start + TICK);
        assert_eq!(pace.due(60_000), pace.start + Duration::from_secs(3));
    }

    #[test]
    fn the_record_before_a_gap_says_what_its_commit_took() {
        let start = now();
        let at = |ms| start + Duration::from_millis(ms);
        let latency = Duration::from_millis;
        let mut seen = Seen::default();
        // A transaction of the warm-up, whose mark is at offset 1.
        seen.record(0, at(0), latency(500));
        seen.begin();
        seen.record(2, at(100), latency(90));
        seen.record(3, at(101), latency(9));
        // The mark at 4.
        seen.record(5, at(230), latency(80));
        seen.record(6, at(231), latency(7));
        // The mark at 7.
        seen.record(8, at(300), latency(60));
        assert_eq!(seen.ordinal, 6);
        assert_eq!(seen.commit_ms, [9.0, 7.0]);
        assert_eq!(seen.pause_ms, [101.0, 130.0]);
        assert_eq!(seen.record_ms, [90.0, 9.0, 80.0, 7.0, 60.0]);
    }
}
