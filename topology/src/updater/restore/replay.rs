//! One store being restored: what to do with what is read from its changelog.

use super::RestoreOptions;
use super::decision::{Decision, Reason, Situation, decide};
use crate::error::Result;
use crate::log::{Offset, Record, TopicPartition};
#[cfg(test)]
use crate::mutant::{self, Mutant};
use crate::store::changelog::{self, Beginning, Entry, Origin};
use crate::store::{Covered, Error, Kind, Meta, Stores};
use crate::updater::StoreProgress;

/// What was done with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    /// Which store.
    pub store: usize,
    /// What was decided for it.
    pub decision: Decision,
    /// How many records were read into it; the changelog's first one is not counted, nor one read to decide, nor
    /// those that say what is covered.
    pub records: u64,
}

/// What becomes of a store without a changelog, unless it is another application's: it is to be emptied.
pub(super) fn without_changelog(stores: &Stores, store: usize, now_ms: i64) -> Result<Restored> {
    let name = stores.specs().get(store).map_or("", |spec| spec.name.as_str());
    let situation = Situation {
        store: name,
        topic: "",
        meta: stores.meta(store),
        fingerprint: *stores.fingerprint(),
        origin: None,
        end: 0,
        delete_retention_ms: 0,
        now_ms,
    };
    Ok(Restored { store, decision: decide(&situation)?, records: 0 })
}

/// ```text
///              first record                       seek                    end >= watermark
///   Probing ------------------> Seeking(offset) -------> Reading -----------------------------> Done
///      |    \______________________________________________^                                      ^
///      |             rebuild: it is at the beginning already                                      |
///      +------------------------------------------------------------------------------------------+
///                       end >= watermark, and there is no record: begin
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::updater) enum Phase {
    /// Waiting for the changelog's first record.
    Probing,
    /// Records are of no use before the consumer was told to read from here.
    Seeking(Offset),
    /// Each record goes into the store.
    Reading,
    /// Everything below the watermark is in the store.
    Done,
}

pub(in crate::updater) struct Replay {
    pub(super) store: usize,
    pub(in crate::updater) partition: TopicPartition,
    pub(in crate::updater) phase: Phase,
    /// The high watermark when the restore began: everything that was ever committed before is below.
    pub(in crate::updater) end: Offset,
    /// One past the last record read.
    pub(in crate::updater) position: Offset,
    /// Where reading began.
    pub(super) first: Offset,
    /// The last end that was reported, if it was below the watermark: somebody's transaction is open.
    pub(super) open_at: Option<Offset>,
    pub(super) records: u64,
    decision: Option<Decision>,
    /// Whether the last batch is applied.
    finished: bool,
    origin: Option<Origin>,
    /// What the last record read says, or the store itself where none came. Writes of that commit may be still to come.
    covered: Covered,
    /// The last commit of which all that it wrote was read; `None` before that is known.
    whole: Option<Covered>,
    /// The same of what a standby has written down.
    reached_whole: Option<Covered>,
    /// If it is empty.
    beginning: Beginning,
    delete_retention_ms: i64,
    started_ms: i64,
    /// The time to write beside positions until everything was read.
    as_of_ms: i64,
    /// A standby has read all below, marks behind transactions included, of which its position knows nothing.
    read_to: Offset,
    /// A standby has read what is stable, and not written it down yet.
    reached: bool,
    /// Where a standby stood when it was last written down.
    written_to: Offset,
    /// Why a standby could not take what it read.
    failure: Option<crate::error::Error>,
}

/// What is known of a changelog before reading it.
pub(in crate::updater) struct Extent {
    pub(in crate::updater) low: Offset,
    pub(in crate::updater) end: Offset,
    pub(in crate::updater) delete_retention_ms: i64,
    pub(in crate::updater) now_ms: i64,
}

impl Replay {
    pub(in crate::updater) fn new(
        store: usize,
        partition: TopicPartition,
        beginning: Beginning,
        extent: &Extent,
    ) -> Self {
        Self {
            store,
            partition,
            phase: Phase::Probing,
            end: extent.end,
            position: extent.low,
            first: extent.low,
            open_at: None,
            records: 0,
            decision: None,
            finished: false,
            origin: None,
            covered: Covered::default(),
            whole: None,
            reached_whole: None,
            beginning,
            delete_retention_ms: extent.delete_retention_ms,
            started_ms: extent.now_ms,
            as_of_ms: extent.now_ms,
            read_to: extent.low,
            reached: false,
            written_to: extent.low,
            failure: None,
        }
    }

    /// Takes records, in order.
    pub(in crate::updater) fn take(&mut self, stores: &mut Stores, records: &[Record<'_>]) -> Result<()> {
        self.open_at = None;
        let mut records = records;
        if self.phase == Phase::Probing {
            let Some((first, rest)) = records.split_first() else { return Ok(()) };
            let Entry::Incarnation(origin) = changelog::decode(&self.partition, first)? else {
                return Err(self.no_beginning(first.offset).into());
            };
            self.origin = Some(origin);
            self.position = first.offset.saturating_add(1);
            self.begin(stores)?;
            records = rest;
        }
        if self.phase != Phase::Reading {
            return Ok(());
        }
        for record in records.iter().filter(|record| record.offset >= self.position) {
            match changelog::decode(&self.partition, record)? {
                Entry::Put { key, value } => stores.stage(self.store, key, Some(value))?,
                Entry::Delete { key } => stores.stage(self.store, key, None)?,
                Entry::Covered(covered) => {
                    self.whole = Some(std::mem::replace(&mut self.covered, covered));
                    continue;
                }
                // Another member began it as well.
                Entry::Incarnation(origin) if Some(origin) == self.origin => {}
                Entry::Incarnation(_) => return Err(self.no_beginning(record.offset).into()),
            }
            self.records += 1;
        }
        if let Some(last) = records.last() {
            self.position = self.position.max(last.offset.saturating_add(1));
        }
        Ok(())
    }

    /// Takes note that there is nothing more to read below `offset`, the last stable one.
    pub(super) fn take_end(&mut self, stores: &mut Stores, offset: Offset) -> Result<()> {
        #[cfg(test)]
        let offset = if mutant::lives(Mutant::ShortRestore) { self.position } else { offset };
        match self.phase {
            Phase::Seeking(_) | Phase::Done => return Ok(()),
            Phase::Probing | Phase::Reading if offset < self.end => {
                self.open_at = Some(offset);
                return Ok(());
            }
            Phase::Probing => self.begin(stores)?,
            Phase::Reading => {}
        }
        self.open_at = None;
        self.phase = Phase::Done;
        Ok(())
    }

    /// Nothing more is stable at or above `offset` for now: a standby writes down what it read, and reads on.
    pub(in crate::updater) fn reach(&mut self, offset: Offset) {
        self.end = self.end.max(offset);
        if let Phase::Seeking(_) = self.phase {
            return;
        }
        self.read_to = offset;
        self.reached = self.phase == Phase::Reading;
        if self.reached {
            // A transaction is stable as a whole.
            self.whole = Some(self.covered.clone());
        }
    }

    /// The last commit of which a standby has all that it wrote to this store; `None` before that is known.
    pub(in crate::updater) fn reached_whole(&self) -> Option<&Covered> {
        self.reached_whole.as_ref()
    }

    /// Up to where a standby has read.
    pub(in crate::updater) fn read_to(&self) -> Offset {
        self.read_to.max(self.position)
    }

    /// What was read could not be taken: the first to ask is told.
    pub(in crate::updater) fn fail(&mut self, error: crate::error::Error) {
        self.failure.get_or_insert(error);
    }

    /// Why what was read could not be taken, if it could not.
    pub(in crate::updater) fn take_failure(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Writes down what a standby read, where that is worth a batch, the end of what is stable is reached, or it must
    /// be.
    pub(in crate::updater) fn write_down(
        &mut self,
        stores: &mut Stores,
        options: &RestoreOptions,
        must: bool,
        now_ms: i64,
    ) -> Result<()> {
        let Some(origin) = self.origin.filter(|_| self.phase == Phase::Reading) else { return Ok(()) };
        let is_new = self.position > self.written_to;
        let is_worth_it = stores.staged_bytes(self.store) >= options.batch_bytes;
        if std::mem::take(&mut self.reached) {
            // As of now nothing above was stable.
            self.as_of_ms = now_ms;
        } else if !is_worth_it && !must {
            return Ok(());
        }
        if is_new {
            self.write(stores, origin, now_ms)?;
            self.written_to = self.position;
        }
        self.reached_whole.clone_from(&self.whole);
        Ok(())
    }

    /// Writes down what was read, once it is worth a batch, and at the end.
    pub(super) fn apply(&mut self, stores: &mut Stores, options: &RestoreOptions, now_ms: i64) -> Result<()> {
        let staged_bytes = stores.staged_bytes(self.store);
        let done = self.phase == Phase::Done;
        let (Some(origin), false) = (self.origin, self.finished) else { return Ok(()) };
        if staged_bytes < options.batch_bytes && !done {
            return Ok(());
        }
        if done {
            // As of the start, there was nothing above what has been read by now.
            self.as_of_ms = self.started_ms;
        }
        self.write(stores, origin, now_ms)?;
        self.finished = done;
        if done {
            stores.end_staging(self.store);
        }
        Ok(())
    }

    /// Writes down what was read, and where that ends.
    fn write(&self, stores: &mut Stores, origin: Origin, now_ms: i64) -> Result<()> {
        let meta = Meta {
            fingerprint: origin.fingerprint,
            incarnation: origin.incarnation,
            position: self.position,
            applied_at_ms: self.as_of_ms,
            covered: self.covered.clone(),
        };
        Ok(stores.apply(&[(self.store, meta)], now_ms)?)
    }

    /// What was done.
    pub(super) fn restored(&self) -> Restored {
        let decision = self.decision.unwrap_or(Decision::Rebuild(Reason::NoPosition));
        Restored { store: self.store, decision, records: self.records }
    }

    /// How far it is, and whether that is the end; `None` before it is known from where to read.
    pub(super) fn progress(&self) -> Option<(StoreProgress<'_>, bool)> {
        let progress = StoreProgress {
            changelog: &self.partition,
            first: self.first,
            position: self.position,
            end: self.end,
            record_count: self.records,
        };
        (self.phase != Phase::Probing).then_some((progress, self.phase == Phase::Done))
    }

    /// How many offsets are to be read yet.
    pub(in crate::updater) fn remaining(&self) -> u64 {
        match self.phase {
            Phase::Done => 0,
            _ => u64::try_from(self.end.saturating_sub(self.position)).unwrap_or(0),
        }
    }

    /// How many offsets were to be read when it began to read.
    pub(super) fn extent(&self) -> u64 {
        u64::try_from(self.end.saturating_sub(self.first)).unwrap_or(0)
    }

    /// Decides what to do with the store, and begins.
    fn begin(&mut self, stores: &mut Stores) -> Result<()> {
        let name = stores.specs().get(self.store).map_or_else(String::new, |spec| spec.name.clone());
        let meta = stores.meta(self.store);
        let decision = decide(&Situation {
            store: &name,
            topic: &self.partition.topic,
            meta: meta.clone(),
            fingerprint: *stores.fingerprint(),
            origin: self.origin,
            end: self.end,
            delete_retention_ms: self.delete_retention_ms,
            now_ms: self.started_ms,
        })?;
        self.decision = Some(decision);
        match decision {
            Decision::Continue(position) => {
                self.as_of_ms = meta.as_ref().map_or(self.started_ms, |meta| meta.applied_at_ms);
                self.covered = meta.map(|meta| meta.covered).unwrap_or_default();
                self.position = position.max(self.position);
                self.first = self.position;
                self.phase = Phase::Seeking(self.position);
            }
            Decision::Rebuild(reason) => {
                if meta.is_some() {
                    tracing::warn!(store = name, changelog = %self.partition, "rebuilding the store from empty: {reason}");
                }
                stores.wipe(self.store)?;
                self.phase = Phase::Reading;
            }
            Decision::Begin => {
                if meta.is_some() {
                    tracing::warn!(store = name, changelog = %self.partition, "emptying the store: its changelog is empty");
                }
                stores.wipe(self.store)?;
                stores.begin_changelog(self.store, self.beginning)?;
            }
        }
        Ok(())
    }

    #[cold]
    fn no_beginning(&self, offset: Offset) -> Error {
        Error::new(
            Kind::Corruption,
            format!(
                "changelog {} offset {offset}: its first record, and only that, must tell its incarnation; the topic's \
                 beginning was deleted or something else wrote to it: reset the application, or choose another \
                 application id",
                self.partition
            ),
        )
    }
}
