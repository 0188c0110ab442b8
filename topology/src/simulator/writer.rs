//! Those who write the input: in transactions that take their time, some of which are aborted and written again, and
//! beside others that are never committed.

use std::collections::VecDeque;
use std::time::Duration;

use super::Random;
use super::input::{Input, Planned};
use super::stage::Stage;
use crate::log::memory::MemoryLog;
use crate::log::{self, Log, Producer, ProducerOptions, ProducerRecord};

type Inner = <MemoryLog as Log>::Producer;

pub(super) struct Writer {
    planned: VecDeque<Planned>,
    producer: Inner,
    /// What the open transaction holds.
    open: Vec<Planned>,
    /// Writes what no reader may see.
    decoy: Inner,
    decoy_is_open: bool,
}

const NOT_WAITING: Duration = Duration::ZERO;
/// A transaction holds so many records at most.
const RECORDS_MAX: u64 = 20;

impl Writer {
    /// For topics that are there.
    pub(super) fn new(log: &MemoryLog, input: Input) -> log::Result<Self> {
        let producer = |name: &str| {
            let mut producer = log.producer(&ProducerOptions {
                transactional_id: name.to_owned(),
                transaction_timeout_ms: 600_000,
                client_id: name.to_owned(),
                track_topics: Vec::new(),
            })?;
            producer.init_transactions(NOT_WAITING)?;
            Ok::<_, log::Error>(producer)
        };
        Ok(Self {
            planned: input.records.into(),
            producer: producer("writer")?,
            open: Vec::new(),
            decoy: producer("decoy")?,
            decoy_is_open: false,
        })
    }

    /// Writes all that is left.
    pub(super) fn write_all(&mut self, random: &mut Random) -> log::Result<()> {
        while self.step(random)?.is_some() {}
        Ok(())
    }

    pub(super) fn is_done(&self) -> bool {
        self.planned.is_empty() && self.open.is_empty() && !self.decoy_is_open
    }

    /// A step. When the next one is due.
    pub(super) fn turn(stage: &Stage) -> i64 {
        let stepped = stage.random(|random| stage.writer.borrow_mut().step(random));
        stage.stir();
        match stepped {
            Ok(Some(done)) => {
                stage.note(None, || format!("input: {done}"));
                let delay_ms = stage.random(|random| match random.below(30) {
                    0 => random.within(500..2_000),
                    _ => random.within(1..60),
                });
                stage.now_ms() + delay_ms
            }
            Ok(None) => i64::MAX,
            Err(error) => {
                stage.fail(format!("the input cannot be written: {error}"));
                i64::MAX
            }
        }
    }

    /// Begins or ends a transaction. What was done; `None`: all is.
    fn step(&mut self, random: &mut Random) -> log::Result<Option<&'static str>> {
        if self.decoy_is_open && (random.percent(40) || self.planned.is_empty()) {
            self.decoy.abort(NOT_WAITING)?;
            self.decoy_is_open = false;
            return Ok(Some("a transaction that nobody may read was aborted"));
        }
        if !self.open.is_empty() {
            return self.end(random).map(Some);
        }
        if self.planned.is_empty() {
            return Ok(None);
        }
        if !self.decoy_is_open && random.percent(15) {
            let count = self.planned.len().min(3);
            write(&mut self.decoy, self.planned.iter().take(count))?;
            self.decoy_is_open = true;
            return Ok(Some("a transaction that nobody may read was begun"));
        }
        let count = random.below(RECORDS_MAX) + 1;
        let count = usize::try_from(count).unwrap_or(1).min(self.planned.len());
        self.open.extend(self.planned.drain(..count));
        write(&mut self.producer, self.open.iter())?;
        Ok(Some("a transaction was begun"))
    }

    fn end(&mut self, random: &mut Random) -> log::Result<&'static str> {
        if random.percent(10) {
            self.producer.abort(NOT_WAITING)?;
            self.open.drain(..).rev().for_each(|record| self.planned.push_front(record));
            return Ok("a transaction was aborted; its records come again");
        }
        self.producer.commit(NOT_WAITING)?;
        self.open.clear();
        Ok("a transaction was committed")
    }
}

fn write<'a>(producer: &mut Inner, records: impl Iterator<Item = &'a Planned>) -> log::Result<()> {
    producer.begin()?;
    for record in records {
        producer.send(&ProducerRecord {
            topic: &record.place.topic,
            partition: record.place.partition,
            timestamp_ms: record.timestamp_ms,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &[],
        })?;
    }
    producer.flush(NOT_WAITING)
}
