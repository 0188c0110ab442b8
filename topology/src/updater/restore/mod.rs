//! One task's stores, restored step by step.
//!
//! ```text
//! decision    pure: read on, rebuild, or begin
//! replay      one store: what to do with what is read from its changelog
//! whole       one store, where its changelog is at hand
//! ```

pub(super) mod decision;
pub(super) mod replay;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::error::{Class, Error, Result};
use crate::log::{self, Consumer, ConsumerOptions, Event, Isolation, Log, OutOfRange, Start, TopicId, TopicPartition};
use crate::store::Stores;
use crate::store::changelog::Beginning;
use crate::updater::{Followed, StoreProgress};
use replay::{Extent, Phase, Replay, Restored};
pub(crate) use whole::{WholeChangelog, restore_whole};

/// What to restore, and how.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The task's partition: of every changelog.
    pub partition: i32,
    /// One per store, in the order of the task's specs; `None` for a store without one, which is emptied.
    pub changelogs: Vec<Option<Changelog>>,
    /// How.
    pub options: RestoreOptions,
    /// Is told how far a standby has read.
    pub followed: Option<Arc<Followed>>,
}

impl Plan {
    /// Where the changelog of a store begins and ends now. An error of class retry where it is not to be seen.
    pub(super) fn look<L: Log>(&self, log: &L, store: usize, changelog: &Changelog, now_ms: i64) -> Result<Replay> {
        let topic = &changelog.topic;
        let description = log.describe_topic(topic)?.ok_or_else(|| {
            let message =
                format!("changelog topic {topic} is not to be seen: if it was deleted, start again to have it made");
            Error::new(Class::Retry, message)
        })?;
        let partition = TopicPartition::new(topic, self.partition);
        let watermarks = log.watermarks(&partition, Isolation::ReadUncommitted).map_err(log::Error::may_pass)?;
        let delete_retention_ms = description.delete_retention_ms;
        let extent = Extent { low: watermarks.low, end: watermarks.high, delete_retention_ms, now_ms };
        Ok(Replay::new(store, partition, changelog.beginning.of(&description.id, self.partition), &extent))
    }
}

/// The changelog of a store.
#[derive(Clone, Debug)]
pub(crate) struct Changelog {
    /// Its topic.
    pub topic: String,
    /// How it begins if it is empty.
    pub beginning: NewChangelog,
}

/// How a changelog begins that is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NewChangelog {
    /// With this incarnation, which is random: no other member can begin it, as none can commit a transaction of its
    /// producer.
    Alone([u8; 16]),
    /// Another member may begin it at the same time, as nothing fences one that was held up. The incarnation comes from
    /// the topic and the partition, so that both write the same; this number is random, and tells their records apart.
    Beside([u8; 16]),
}

impl NewChangelog {
    /// In this partition of this topic.
    pub(super) fn of(self, topic: &TopicId, partition: i32) -> Beginning {
        match self {
            Self::Alone(incarnation) => incarnation.into(),
            Self::Beside(beginner) => {
                let digest: [u8; 32] = Sha256::new()
                    .chain_update("topology changelog")
                    .chain_update(topic.as_bytes())
                    .chain_update(partition.to_be_bytes())
                    .finalize()
                    .into();
                let mut incarnation = [0; 16];
                incarnation.copy_from_slice(&digest[..16]);
                Beginning { incarnation, beginner: Some(beginner) }
            }
        }
    }
}

/// How to restore.
#[derive(Clone, Debug)]
pub(crate) struct RestoreOptions {
    /// After so long, in ms, the log aborts a transaction that its producer left open.
    pub transaction_timeout_ms: i64,
    /// How much longer to wait for that: the log may take some time to notice, Kafka up to 10 s.
    pub margin_ms: i64,
    /// Records are applied in batches of about so many bytes; of each key in a batch only the last record. The larger,
    /// the fewer keys come twice and the closer sorted keys lie: with 16 MiB four times as fast as with 2 MiB where
    /// records repeat 100,000 keys.
    pub batch_bytes: usize,
    /// Most records that one poll hands over.
    pub batch_records: usize,
    /// Most bytes that the consumer prefetches.
    pub prefetch_bytes: usize,
    /// A name for the broker's logs.
    pub client_id: String,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self {
            transaction_timeout_ms: 10_000,
            margin_ms: 20_000,
            batch_bytes: 16 << 20,
            batch_records: 10_000,
            prefetch_bytes: 16 << 20,
            client_id: "restore".to_owned(),
        }
    }
}

impl RestoreOptions {
    /// What reads changelogs.
    pub(super) fn consumer<L: Log>(&self, log: &L) -> Result<L::Consumer> {
        Ok(log.consumer(&ConsumerOptions {
            group: None,
            isolation: Isolation::ReadCommitted,
            client_id: self.client_id.clone(),
            batch_records: self.batch_records,
            prefetch_bytes: self.prefetch_bytes,
            out_of_range: OutOfRange::Earliest,
        })?)
    }
}

/// Where changelogs are read from. Known already: a new client that is to find the beginning by itself takes half a
/// second for it.
pub(super) fn starts(replays: &[Replay]) -> Vec<(TopicPartition, Start)> {
    replays.iter().map(|replay| (replay.partition.clone(), Start::At(replay.position))).collect()
}

/// How far a restore is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Records read into stores so far.
    pub restored_records: u64,
    /// Offsets to read yet. Compacted and aborted ones count, so it is an upper bound of records.
    pub remaining: u64,
    /// Offsets to read in all.
    pub total: u64,
    /// Waiting for the end of somebody's open transaction.
    pub waiting: bool,
    /// Everything committed is in the stores.
    pub done: bool,
}

/// Brings one task's stores up to date with their changelogs.
///
/// Call it when this task's producer is initialised and the committed offsets are read, so that no predecessor can add
/// to what was committed. It reads the high watermarks first, open transactions included, and is done when all that is
/// below them was read: an end below means that somebody's transaction is open, and whether it commits is not known
/// yet.
///
/// A crash at any time leaves stores that continue from the last batch applied.
pub(crate) struct Restore<L: Log> {
    log: L,
    plan: Plan,
    clock: Arc<dyn Clock>,
    /// `None` before the first step.
    reading: Option<Reading<L::Consumer>>,
}

struct Reading<C> {
    consumer: C,
    /// Stores without a changelog, which were emptied.
    emptied: Vec<Restored>,
    replays: Vec<Replay>,
    /// When the last step brought something, monotonic ms.
    progress_at_ms: i64,
    said_at_ms: Option<i64>,
}

const SAY_EVERY_MS: i64 = 5_000;

impl<L: Log> Restore<L> {
    /// Nothing is read before the first step.
    pub(crate) fn new(log: L, plan: Plan, clock: Arc<dyn Clock>) -> Self {
        Self { log, plan, clock, reading: None }
    }

    /// Reads and applies some. Waits up to `timeout` if there is nothing to read. Uncommitted writes of the stores are
    /// dropped by the first step. After an error of class retry the same call may be made again.
    pub(crate) fn step(&mut self, stores: &mut Stores, timeout: Duration) -> Result<Progress> {
        let reading = match &mut self.reading {
            Some(reading) => reading,
            None => {
                stores.discard();
                let reading = Reading::start(&self.log, &self.plan, &*self.clock, stores)?;
                self.reading.insert(reading)
            }
        };
        if !reading.progress().done {
            reading.poll(stores, timeout, &*self.clock)?;
            let now_ms = self.clock.now_ms();
            for replay in &mut reading.replays {
                replay.apply(stores, &self.plan.options, now_ms)?;
            }
            stores.flush_if_due(now_ms)?;
        }
        let progress = reading.progress();
        if !progress.done {
            reading.check_patience(&self.log, &self.plan.options, self.clock.monotonic_ms())?;
        }
        Ok(progress)
    }

    /// How far each store is, and whether that is the end; `None` where it is not known yet from where to read.
    pub(super) fn stores(&self) -> impl Iterator<Item = Option<(StoreProgress<'_>, bool)>> {
        self.reading.iter().flat_map(|reading| &reading.replays).map(Replay::progress)
    }

    /// What was done with each store so far.
    pub(crate) fn restored(&self) -> Vec<Restored> {
        let of = |reading: &Reading<_>| {
            reading.replays.iter().map(Replay::restored).chain(reading.emptied.clone()).collect()
        };
        self.reading.as_ref().map_or_else(Vec::new, of)
    }
}

impl<C: Consumer> Reading<C> {
    fn start<L: Log<Consumer = C>>(log: &L, plan: &Plan, clock: &dyn Clock, stores: &mut Stores) -> Result<Self> {
        if plan.changelogs.len() != stores.specs().len() {
            let (changelogs, stores) = (plan.changelogs.len(), stores.specs().len());
            return Err(Error::stop(format!("a task with {stores} stores was given {changelogs} changelogs")));
        }
        // Read before the watermarks: what was applied as of now is below them.
        let now_ms = clock.now_ms();
        let mut replays = Vec::with_capacity(plan.changelogs.len());
        let mut emptied = Vec::new();
        for (store, changelog) in plan.changelogs.iter().enumerate() {
            let Some(changelog) = changelog else {
                emptied.push(replay::without_changelog(stores, store, now_ms)?);
                continue;
            };
            replays.push(plan.look(log, store, changelog, now_ms)?);
        }
        stores.empty_unlogged()?;
        let mut consumer = plan.options.consumer(log)?;
        consumer.assign(&starts(&replays)).map_err(log::Error::may_pass)?;
        Ok(Self { consumer, emptied, replays, progress_at_ms: clock.monotonic_ms(), said_at_ms: None })
    }

    fn poll(&mut self, stores: &mut Stores, timeout: Duration, clock: &dyn Clock) -> Result<()> {
        let Self { consumer, replays, .. } = self;
        let (mut outcome, mut advanced) = (Ok(()), false);
        let polled = consumer.poll(timeout, &mut |event| {
            let partition = match &event {
                Event::Records { partition, .. } | Event::EndOfPartition { partition, .. } => *partition,
                Event::Assigned(_) | Event::Revoked { .. } => return,
            };
            let replay = replays.iter_mut().find(|replay| replay.partition == *partition);
            let (Some(replay), Ok(())) = (replay, &outcome) else { return };
            outcome = match event {
                Event::Records { records, .. } => {
                    advanced |= !records.is_empty();
                    replay.take(stores, records)
                }
                Event::EndOfPartition { offset, .. } => replay.take_end(stores, offset),
                Event::Assigned(_) | Event::Revoked { .. } => Ok(()),
            };
        });
        // What the stores could not take is gone, whatever else is wrong.
        outcome?;
        if polled.is_err() {
            // While no broker answers, no restore is late.
            self.progress_at_ms = clock.monotonic_ms();
        }
        polled.map_err(log::Error::may_pass)?;
        for replay in replays {
            if let Phase::Seeking(offset) = replay.phase {
                consumer.seek(&replay.partition, offset).map_err(log::Error::may_pass)?;
                replay.phase = Phase::Reading;
                advanced = true;
            }
        }
        if advanced {
            self.progress_at_ms = clock.monotonic_ms();
        }
        Ok(())
    }

    fn progress(&self) -> Progress {
        Progress {
            restored_records: self.replays.iter().map(|replay| replay.records).sum(),
            remaining: self.replays.iter().map(Replay::remaining).sum(),
            total: self.replays.iter().map(Replay::extent).sum(),
            waiting: self.replays.iter().any(|replay| replay.open_at.is_some()),
            done: self.replays.iter().all(|replay| replay.phase == Phase::Done),
        }
    }

    /// Says what is being waited for, now and then, and gives up when it should have come.
    fn check_patience<L: Log>(&mut self, log: &L, options: &RestoreOptions, monotonic_ms: i64) -> Result<()> {
        let waited_ms = monotonic_ms.saturating_sub(self.progress_at_ms);
        let waits_too_long = waited_ms > options.transaction_timeout_ms.saturating_add(options.margin_ms);
        let open = self.replays.iter().find_map(|replay| Some((replay, replay.open_at?)));
        let Some((replay, open_at)) = open else {
            if waits_too_long {
                self.progress_at_ms = monotonic_ms;
                return Err(Error::new(
                    Class::Retry,
                    format!("nothing could be read from the changelogs for {waited_ms} ms: are the brokers up?"),
                ));
            }
            return Ok(());
        };
        let Replay { partition, end, .. } = replay;
        if waits_too_long {
            // A reader that is cut off sees the same end for ever. Only a log that answers can tell an open
            // transaction.
            let stable = log.watermarks(partition, Isolation::ReadCommitted);
            if !stable.as_ref().is_ok_and(|stable| stable.high <= open_at) {
                self.progress_at_ms = monotonic_ms;
                return Ok(stable.map(|_| ())?);
            }
            return Err(Error::stop(format!(
                "changelog {partition} has had an open transaction at offset {open_at} (end {end}) for {waited_ms} ms, \
                 longer than its timeout: find the producer (kafka-transactions.sh describe-producers) and end it, then \
                 start again"
            )));
        }
        if self.said_at_ms.is_none_or(|said_at_ms| monotonic_ms.saturating_sub(said_at_ms) >= SAY_EVERY_MS) {
            self.said_at_ms = Some(monotonic_ms);
            tracing::info!(changelog = %partition, open_at, end, waited_ms, "waiting for an open transaction to end");
        }
        Ok(())
    }
}
