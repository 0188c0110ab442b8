//! Transactions, as the broker sees them.
//!
//! ```text
//!                init: epoch + 1, aborts what is open
//!   (unknown) ------------------------------------------> idle <-------------------+
//!                                                          |                       |
//!                                          first record    |     commit, abort,    |
//!                                          or offset       v     timeout (epoch+1) |
//!                                                         open --------------------+
//! ```
//! Records of an open transaction take offsets at once. Its end takes one more offset in each partition it touched,
//! for the marker, and is one write: the last records, the markers, the group offsets, and that it is no longer open.
//! Epochs live in memory only: after a restart no earlier producer is alive, and what it left open is aborted.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::log::{Committed, Error, Kind, Offset, OffsetCommit, Result, TopicPartition};

use super::batch::Builder;
use super::broker::State;
use super::group::Membership;
use super::partition::{Aborted, Partition};
use super::row;
use super::session::Session;
use super::storage::{Changes, PartitionId, Storage};

/// Dirty bytes below which a partition is not worth compacting unasked.
const DIRTY_BYTES_MIN: u64 = 1 << 20;

/// Marks batches that are in no transaction.
const NO_PRODUCER: i64 = -1;

/// What the broker knows of a transactional id.
#[derive(Debug)]
pub(crate) struct Transactional {
    producer_id: i64,
    epoch: Arc<AtomicI64>,
    timeout_ms: i64,
    open: Option<Transaction>,
}

/// An open transaction.
#[derive(Debug)]
struct Transaction {
    started_ms: i64,
    /// First offset in each partition that it touched.
    partitions: BTreeMap<PartitionId, Offset>,
    /// Whether its row was written.
    stored: bool,
    offsets: BTreeMap<String, BTreeMap<TopicPartition, Committed>>,
}

/// A transaction that a process left open when it ended: its producer id, and its first offset in each partition.
pub(crate) type Abandoned = (i64, Vec<(PartitionId, Offset)>);

/// A batch on its way into a partition.
pub(crate) struct Append<'a> {
    pub(crate) id: PartitionId,
    pub(crate) batch: &'a mut Builder,
}

/// How a write leaves the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Still open.
    Append,
    /// Ended.
    Commit,
    /// Ended, all in vain.
    Abort,
}

impl Transactional {
    /// When its open transaction times out.
    pub(crate) fn deadline_ms(&self) -> Option<i64> {
        self.open.as_ref().map(|open| open.started_ms.saturating_add(self.timeout_ms))
    }
}

impl State {
    /// Takes over a transactional id: aborts what is open, fences the predecessor.
    pub(crate) fn init_producer(&mut self, storage: &dyn Storage, id: &str, timeout_ms: u32) -> Result<Session> {
        self.abort_open(storage, id)?;
        if !self.producers.contains_key(id) {
            let producer_id = self.next_producer_id;
            self.next_producer_id += 1;
            let rows = vec![self.ids_row()];
            self.write(storage, &Changes { rows, ..Changes::default() })?;
            let epoch = Arc::new(AtomicI64::new(-1));
            self.producers.insert(id.to_owned(), Transactional { producer_id, epoch, timeout_ms: 0, open: None });
        }
        let Some(producer) = self.producers.get_mut(id) else {
            return Err(Error::new(Kind::Fatal, "a transactional id was lost"));
        };
        producer.timeout_ms = i64::from(timeout_ms);
        Ok(Session::begin(id, producer.producer_id, &producer.epoch))
    }

    /// Notes that a transaction is open: from now on it can time out.
    pub(crate) fn open_transaction(&mut self, session: &Session, now_ms: i64) -> Result<()> {
        let producer = self.session_mut(session)?;
        producer.open.get_or_insert_with(|| Transaction {
            started_ms: now_ms,
            partitions: BTreeMap::new(),
            stored: false,
            offsets: BTreeMap::new(),
        });
        let deadline_ms = producer.deadline_ms().unwrap_or(i64::MAX);
        self.deadline_ms = self.deadline_ms.min(deadline_ms);
        Ok(())
    }

    /// Adds offsets to the open transaction; the membership must still be good.
    pub(crate) fn add_offsets(
        &mut self,
        session: &Session,
        group: &str,
        membership: Option<&Membership>,
        commits: &[OffsetCommit],
    ) -> Result<()> {
        self.session_mut(session)?;
        self.check_offsets(group, membership, commits)?;
        let Some(open) = &mut self.session_mut(session)?.open else {
            return Err(not_open());
        };
        let offsets = open.offsets.entry(group.to_owned()).or_default();
        for OffsetCommit { partition, offset, metadata } in commits {
            offsets.insert(partition.clone(), Committed { offset: *offset, metadata: metadata.clone() });
        }
        self.version += 1;
        Ok(())
    }

    /// Takes offsets without a transaction; the membership must be good.
    pub(crate) fn commit_offsets(
        &mut self,
        storage: &dyn Storage,
        group: &str,
        membership: Option<&Membership>,
        commits: &[OffsetCommit],
    ) -> Result<()> {
        self.check_offsets(group, membership, commits)?;
        let committed = |commit: &OffsetCommit| Committed { offset: commit.offset, metadata: commit.metadata.clone() };
        let new: BTreeMap<TopicPartition, Committed> =
            commits.iter().map(|commit| (commit.partition.clone(), committed(commit))).collect();
        let row = |(at, committed): (&TopicPartition, _)| row::committed(group, &at.topic, at.partition, committed);
        let rows = new.iter().map(row).collect();
        self.write(storage, &Changes { rows, sync: true, ..Changes::default() })?;
        self.offsets.entry(group.to_owned()).or_default().extend(new);
        self.version += 1;
        Ok(())
    }

    fn check_offsets(&self, group: &str, membership: Option<&Membership>, commits: &[OffsetCommit]) -> Result<()> {
        if let Some(membership) = membership
            && !self.groups.get(group).is_some_and(|group| group.is_current(membership))
        {
            return Err(Error::new(
                Kind::NotMember,
                format!("the group '{group}' does not know this member in this generation; join again"),
            ));
        }
        commits.iter().try_for_each(|commit| self.id(&commit.partition).map(drop))
    }

    /// Writes batches outside of transactions: they can be read at once. Tells the last offset of each.
    pub(crate) fn append(
        &mut self,
        storage: &dyn Storage,
        batches: &mut [Append<'_>],
        delivered: &mut dyn FnMut(PartitionId, Offset),
    ) -> Result<()> {
        let mut after: BTreeMap<PartitionId, Partition> = BTreeMap::new();
        let mut changes = Changes { sync: true, ..Changes::default() };
        for append in batches.iter_mut().filter(|append| append.batch.count() > 0) {
            let id = append.id;
            let (_, end) = self.place(append, NO_PRODUCER, &mut after, &mut changes)?;
            delivered(id, end - 1);
        }
        changes.rows.extend(after.iter().map(|(id, partition)| row::partition(*id, partition)));
        self.write(storage, &changes)?;
        for (id, partition) in after {
            if is_dirty(self.partition(id)?.0, &partition) {
                self.compactable.insert(id);
            }
            *self.partition_mut(id)? = partition;
        }
        Ok(())
    }

    /// Gives a batch its offsets: those from the first to before the second of the result.
    fn place<'a>(
        &self,
        append: &'a mut Append<'_>,
        producer_id: i64,
        after: &mut BTreeMap<PartitionId, Partition>,
        changes: &mut Changes<'a>,
    ) -> Result<(Offset, Offset)> {
        let id = append.id;
        let partition = match after.entry(id) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.partition(id)?.1.clone()),
        };
        let base = partition.end;
        partition.end += Offset::from(append.batch.count());
        let bytes = append.batch.seal(base, producer_id);
        partition.dirty_bytes = partition.dirty_bytes.saturating_add(bytes.len() as u64);
        changes.put.push((id, base, bytes));
        Ok((base, partition.end))
    }

    /// Whether an open transaction has offsets of one of these partitions for the group.
    pub(crate) fn has_pending(&self, group: &str, partitions: &[TopicPartition]) -> bool {
        let pending = self.producers.values().filter_map(|producer| producer.open.as_ref()?.offsets.get(group));
        pending.into_iter().any(|offsets| partitions.iter().any(|partition| offsets.contains_key(partition)))
    }

    /// Forgets pending offsets of a group that is deleted.
    pub(crate) fn drop_pending(&mut self, group: &str) {
        for open in self.producers.values_mut().filter_map(|producer| producer.open.as_mut()) {
            open.offsets.remove(group);
        }
    }

    /// Writes batches, and ends the transaction if that is asked for. Tells the last offset of each batch through
    /// the batches. All of it happens or, with an error, nothing.
    pub(crate) fn write_transaction(
        &mut self,
        storage: &dyn Storage,
        session: &Session,
        batches: &mut [Append<'_>],
        step: Step,
        delivered: &mut dyn FnMut(PartitionId, Offset),
    ) -> Result<()> {
        let producer = self.session_mut(session)?;
        let Some(open) = producer.open.take() else {
            return if batches.is_empty() { Ok(()) } else { Err(not_open()) };
        };
        let outcome = self.write_open(storage, session.producer_id(), &open, batches, step, delivered);
        let kept = match outcome {
            Ok(kept) => kept,
            Err(error) => {
                self.session_mut(session)?.open = Some(open);
                return Err(error);
            }
        };
        if step == Step::Append {
            self.session_mut(session)?.open = Some(Transaction { partitions: kept, stored: true, ..open });
        } else if step == Step::Commit {
            for (group, offsets) in open.offsets {
                self.offsets.entry(group).or_default().extend(offsets);
            }
        }
        Ok(())
    }

    /// The write itself, and its effect on the partitions. Gives the partitions touched.
    fn write_open(
        &mut self,
        storage: &dyn Storage,
        producer_id: i64,
        open: &Transaction,
        batches: &mut [Append<'_>],
        step: Step,
        delivered: &mut dyn FnMut(PartitionId, Offset),
    ) -> Result<BTreeMap<PartitionId, Offset>> {
        let mut touched = open.partitions.clone();
        let mut after: BTreeMap<PartitionId, Partition> = BTreeMap::new();
        let mut changes = Changes { sync: step != Step::Append, ..Changes::default() };
        for append in batches.iter_mut().filter(|append| append.batch.count() > 0) {
            let id = append.id;
            let (base, end) = self.place(append, producer_id, &mut after, &mut changes)?;
            if let (Entry::Vacant(entry), Some(partition)) = (touched.entry(id), after.get_mut(&id)) {
                entry.insert(base);
                partition.open.push((producer_id, base));
            }
            delivered(id, end - 1);
        }
        if step != Step::Append {
            self.add_markers(producer_id, &touched, &mut after, &mut changes, step);
        }
        changes.rows.extend(after.iter().map(|(id, partition)| row::partition(*id, partition)));
        match step {
            Step::Append if touched.len() > open.partitions.len() => {
                changes.rows.push(row::open(producer_id, touched.iter()))
            }
            Step::Append => {}
            Step::Commit | Step::Abort if open.stored => changes.rows.push((row::open_key(producer_id), None)),
            Step::Commit | Step::Abort => {}
        }
        if step == Step::Commit {
            for (group, offsets) in &open.offsets {
                let row =
                    |(at, committed): (&TopicPartition, _)| row::committed(group, &at.topic, at.partition, committed);
                changes.rows.extend(offsets.iter().map(row));
            }
        }
        self.write(storage, &changes)?;
        for (id, partition) in after {
            if step != Step::Append && is_dirty(self.partition(id)?.0, &partition) {
                self.compactable.insert(id);
            }
            *self.partition_mut(id)? = partition;
        }
        Ok(touched)
    }

    /// Ends the transaction in each partition that it touched. Deleted topics are passed over.
    fn add_markers(
        &self,
        producer_id: i64,
        touched: &BTreeMap<PartitionId, Offset>,
        after: &mut BTreeMap<PartitionId, Partition>,
        changes: &mut Changes<'_>,
        step: Step,
    ) {
        for (id, first) in touched {
            let Ok((_, partition)) = self.partition(*id) else {
                continue;
            };
            let partition = after.entry(*id).or_insert_with(|| partition.clone());
            let aborted = Aborted { producer_id, first: *first, last: partition.end };
            partition.end += 1;
            partition.open.retain(|(open, _)| *open != producer_id);
            if step == Step::Abort {
                Arc::make_mut(&mut partition.aborted).add(aborted);
                changes.rows.push(row::aborted(*id, &aborted));
            }
        }
    }

    /// Aborts transactions that have been open for too long, and fences their producers.
    pub(crate) fn expire_transactions(&mut self, storage: &dyn Storage, now_ms: i64) -> Result<()> {
        let over = |producer: &Transactional| producer.deadline_ms().is_some_and(|deadline| now_ms >= deadline);
        let ids: Vec<String> =
            self.producers.iter().filter(|(_, producer)| over(producer)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.abort_open(storage, &id)?;
            if let Some(producer) = self.producers.get(&id) {
                producer.epoch.fetch_add(1, Ordering::AcqRel);
            }
        }
        Ok(())
    }

    /// Aborts what is open under a transactional id.
    fn abort_open(&mut self, storage: &dyn Storage, id: &str) -> Result<()> {
        let Some(producer) = self.producers.get_mut(id) else {
            return Ok(());
        };
        let Some(open) = producer.open.take() else {
            return Ok(());
        };
        let producer_id = producer.producer_id;
        let outcome = self.write_open(storage, producer_id, &open, &mut [], Step::Abort, &mut |_, _| {});
        if let (Err(_), Some(producer)) = (&outcome, self.producers.get_mut(id)) {
            producer.open = Some(open);
        }
        outcome.map(drop)
    }

    /// Aborts transactions that a process left open when it ended.
    pub(crate) fn abort_abandoned(&mut self, storage: &dyn Storage, all: Vec<Abandoned>) -> Result<()> {
        for (producer_id, partitions) in all {
            let open = Transaction {
                started_ms: 0,
                partitions: partitions.into_iter().collect(),
                stored: true,
                offsets: BTreeMap::new(),
            };
            self.write_open(storage, producer_id, &open, &mut [], Step::Abort, &mut |_, _| {})?;
        }
        Ok(())
    }

    fn session_mut(&mut self, session: &Session) -> Result<&mut Transactional> {
        match self.producers.get_mut(session.transactional_id()) {
            Some(producer) if !session.is_fenced() => Ok(producer),
            _ => Err(session.fenced()),
        }
    }
}

fn not_open() -> Error {
    Error::new(Kind::Fatal, "no transaction is open; call begin first")
}

fn is_dirty(settings: &super::topic::Settings, partition: &Partition) -> bool {
    let total = partition.clean_bytes.saturating_add(partition.dirty_bytes);
    settings.compact
        && partition.dirty_bytes >= DIRTY_BYTES_MIN
        && partition.dirty_bytes as f64 >= total as f64 * settings.min_cleanable_dirty_ratio
}
