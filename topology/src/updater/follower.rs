//! Standbys: stores that follow their changelogs for ever, so that a task that comes here is soon restored.
//!
//! ```text
//!            the changelog's first record                  the end of what is stable
//!   Probing ─────────────────────────────> Reading ───────────────────────────────────> written down, Reading
//! ```
//! One whose changelogs cannot be looked at, as where a broker does not show a topic yet, is looked at again after a
//! rest; others are read meanwhile.
//!
//! One consumer reads the changelogs of all standbys: of many tasks each brings little. It stands still while stores
//! are restored for which a task waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::handle::Owner;
use super::restore::replay::{Phase, Replay};
use super::restore::{Plan, starts};
use crate::clock::Clock;
use crate::error::{Class, Error, Result};
use crate::log::{self, Consumer, Event, Log, Offset, TopicPartition};
use crate::store::Stores;

/// Follows the changelogs of standbys, whose tasks `T` names.
pub(super) struct Follower<T, L: Log> {
    log: L,
    clock: Arc<dyn Clock>,
    consumer: Option<L::Consumer>,
    standbys: Vec<Standby<T>>,
    /// Nothing is read before this, monotonic ms.
    read_at_ms: i64,
    /// Whether it is told that reading fails, and will be tried again.
    is_told: bool,
}

/// A task's stores.
struct Standby<T> {
    owner: Owner,
    task: T,
    stores: Stores,
    /// `None` before its changelogs were looked at.
    replays: Option<Vec<Replay>>,
    /// They are not looked at before this, monotonic ms.
    look_at_ms: i64,
    /// Of the commit up to which all stores are said to be, at least, the sequence.
    reached: Option<u64>,
    plan: Plan,
}

/// How far a standby has read, for those who compare it with what there is.
#[derive(Debug)]
pub(crate) struct Followed {
    /// By changelog: the next offset to be read; -1 before that is known.
    positions: Vec<(TopicPartition, AtomicI64)>,
}

impl Followed {
    /// Of these changelogs nothing is read yet.
    pub(crate) fn new(changelogs: Vec<TopicPartition>) -> Self {
        Self { positions: changelogs.into_iter().map(|changelog| (changelog, AtomicI64::new(-1))).collect() }
    }

    /// The next offset of each changelog; `None` before that is known.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (&TopicPartition, Option<Offset>)> {
        let of = |position: &AtomicI64| Some(position.load(Ordering::Relaxed)).filter(|position| *position >= 0);
        self.positions.iter().map(move |(changelog, position)| (changelog, of(position)))
    }

    fn forget(&self, changelog: &TopicPartition) {
        self.note(changelog, -1);
    }

    fn note(&self, changelog: &TopicPartition, position: Offset) {
        if let Some((_, known)) = self.positions.iter().find(|(known, _)| known == changelog) {
            known.store(position, Ordering::Relaxed);
        }
    }
}

/// Stores given back, and why where they cannot follow.
pub(super) struct GivenUp<T> {
    pub(super) owner: Owner,
    pub(super) task: T,
    pub(super) stores: Stores,
    pub(super) error: Option<Error>,
}

/// Between two attempts at what failed.
const REST_MS: i64 = 1_000;

impl<T: PartialEq, L: Log> Follower<T, L> {
    pub(super) fn new(log: L, clock: Arc<dyn Clock>) -> Self {
        Self { log, clock, consumer: None, standbys: Vec::new(), read_at_ms: i64::MIN, is_told: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.standbys.is_empty()
    }

    /// Whether all that there is to do is to wait until what failed may be tried again.
    pub(super) fn is_resting(&self) -> bool {
        let now_ms = self.clock.monotonic_ms();
        self.standbys.iter().all(|standby| match standby.replays {
            Some(_) => now_ms < self.read_at_ms,
            None => now_ms < standby.look_at_ms,
        })
    }

    /// These stores follow from now on.
    pub(super) fn add(&mut self, owner: Owner, task: T, mut stores: Stores, plan: Plan) {
        stores.discard();
        self.standbys.push(Standby { owner, task, stores, replays: None, look_at_ms: i64::MIN, reached: None, plan });
    }

    /// Gives stores back as they are. What was read is written down first, as far as that goes.
    pub(super) fn give_back(&mut self, is_asked: &impl Fn(Owner, &T) -> bool) -> Vec<GivenUp<T>> {
        let (asked, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.standbys).into_iter().partition(|standby| is_asked(standby.owner, &standby.task));
        self.standbys = rest;
        asked.into_iter().map(|standby| self.give_up(standby, None)).collect()
    }

    /// Reads some. Waits up to `timeout` if there is nothing to read. Returns those that cannot follow.
    pub(super) fn step(&mut self, timeout: Duration) -> Vec<GivenUp<T>> {
        let now_ms = self.clock.monotonic_ms();
        let mut failed = self.begin_new(now_ms);
        if now_ms >= self.read_at_ms {
            match self.read(timeout) {
                Ok(()) => self.is_told = false,
                Err(error) => self.rest(&error, now_ms),
            }
        }
        let now_ms = self.clock.now_ms();
        let mut index = 0;
        while let Some(standby) = self.standbys.get_mut(index) {
            match standby.write_down(now_ms) {
                Ok(()) => index += 1,
                Err(error) => {
                    let standby = self.standbys.swap_remove(index);
                    failed.push(self.give_up(standby, Some(error)));
                }
            }
        }
        failed
    }

    /// Nothing is read for a while.
    fn rest(&mut self, error: &Error, now_ms: i64) {
        self.read_at_ms = now_ms.saturating_add(REST_MS);
        if error.class() != Class::Retry {
            tracing::warn!(%error, "standbys begin to follow again");
            self.consumer = None;
            self.standbys.iter_mut().for_each(Standby::begin_again);
        } else if !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!(%error, "standbys cannot be read for; trying again");
        }
    }

    /// Looks at the changelogs of those that are new, and reads them from now on.
    fn begin_new(&mut self, monotonic_ms: i64) -> Vec<GivenUp<T>> {
        let mut failed = Vec::new();
        let mut index = 0;
        while let Some(standby) = self.standbys.get_mut(index) {
            let is_due = standby.replays.is_none() && monotonic_ms >= standby.look_at_ms;
            let begun = if is_due { standby.begin(&self.log, &mut self.consumer, self.clock.now_ms()) } else { Ok(()) };
            match begun {
                Ok(()) => index += 1,
                Err(error) if error.class() == Class::Retry => {
                    if standby.look_at_ms == i64::MIN {
                        tracing::warn!(%error, "a standby cannot follow yet; trying again");
                    }
                    standby.look_at_ms = self.clock.monotonic_ms().saturating_add(REST_MS);
                    index += 1;
                }
                Err(error) => {
                    let standby = self.standbys.swap_remove(index);
                    failed.push(self.give_up(standby, Some(error)));
                }
            }
        }
        failed
    }

    fn read(&mut self, timeout: Duration) -> Result<()> {
        let Self { consumer: Some(consumer), standbys, .. } = self else { return Ok(()) };
        let polled = consumer.poll(timeout, &mut |event| {
            let partition = match &event {
                Event::Records { partition, .. } | Event::EndOfPartition { partition, .. } => *partition,
                Event::Assigned(_) | Event::Revoked { .. } => return,
            };
            let Some((stores, replay)) = find(standbys, partition) else { return };
            match event {
                // What one cannot take is no other's matter.
                Event::Records { records, .. } => {
                    replay.take(stores, records).unwrap_or_else(|error| replay.fail(error))
                }
                Event::EndOfPartition { offset, .. } => replay.reach(offset),
                Event::Assigned(_) | Event::Revoked { .. } => {}
            }
        });
        let mut outcome = polled.map_err(log::Error::may_pass);
        for replay in standbys.iter_mut().flat_map(|standby| &mut standby.replays).flatten() {
            if let Phase::Seeking(offset) = replay.phase {
                // Where it fails the consumer is past records that were of no use before: it seeks when it reads again.
                match consumer.seek(&replay.partition, offset) {
                    Ok(()) => replay.phase = Phase::Reading,
                    Err(error) => outcome = outcome.and(Err(error.may_pass())),
                }
            }
        }
        outcome
    }

    /// Nothing more is read for it.
    fn give_up(&mut self, standby: Standby<T>, error: Option<Error>) -> GivenUp<T> {
        let Standby { owner, task, mut stores, replays, plan, .. } = standby;
        let mut replays = replays.unwrap_or_default();
        let partitions: Vec<TopicPartition> = replays.iter().map(|replay| replay.partition.clone()).collect();
        let taken_out = self.consumer.as_mut().map_or(Ok(()), |consumer| consumer.incremental_unassign(&partitions));
        if let Err(error) = taken_out {
            tracing::debug!(%error, "a changelog is still read, for nothing");
        }
        let now_ms = self.clock.now_ms();
        for replay in &mut replays {
            // Where it cannot be written it is read again.
            let _ = replay.write_down(&mut stores, &plan.options, true, now_ms);
        }
        stores.discard();
        GivenUp { owner, task, stores, error }
    }
}

impl<T> Standby<T> {
    /// Looks at its changelogs, and has a consumer read them as well; makes one where there is none.
    fn begin<L: Log>(&mut self, log: &L, consumer: &mut Option<L::Consumer>, now_ms: i64) -> Result<()> {
        let mut replays = Vec::new();
        for (store, changelog) in self.plan.changelogs.iter().enumerate() {
            let Some(changelog) = changelog else { continue };
            replays.push(self.plan.look(log, store, changelog, now_ms)?);
        }
        let starts = starts(&replays);
        let assigned = match consumer {
            Some(consumer) => consumer.incremental_assign(&starts),
            None => consumer.insert(self.plan.options.consumer(log)?).assign(&starts),
        };
        assigned.map_err(log::Error::may_pass)?;
        (self.replays, self.reached) = (Some(replays), None);
        Ok(())
    }

    /// The consumer cannot go on: it begins where its stores stand. What was read and not written down is read again.
    fn begin_again(&mut self) {
        self.stores.discard();
        for replay in self.replays.take().into_iter().flatten() {
            if let Some(followed) = &self.plan.followed {
                followed.forget(&replay.partition);
            }
        }
    }

    fn write_down(&mut self, now_ms: i64) -> Result<()> {
        for replay in self.replays.iter_mut().flatten() {
            replay.take_failure()?;
            replay.write_down(&mut self.stores, &self.plan.options, false, now_ms)?;
            if let (Some(followed), Phase::Reading) = (&self.plan.followed, replay.phase) {
                followed.note(&replay.partition, replay.read_to());
            }
        }
        self.say_reached();
        self.stores.flush_if_due(now_ms)?;
        Ok(())
    }

    /// Each store follows its changelog at its own pace. Which of them are behind, and which were not written, cannot
    /// be told apart; but the commit that wrote the one that was written least lately is in all of them.
    fn say_reached(&mut self) {
        let replays = self.replays.iter().flatten();
        let Some(whole) = replays.map(Replay::reached_whole).collect::<Option<Vec<_>>>() else { return };
        let Some(oldest) = whole.into_iter().min_by_key(|covered| covered.sequence) else { return };
        if self.reached.is_none_or(|reached| reached < oldest.sequence) {
            self.reached = Some(oldest.sequence);
            self.stores.note_reached(&oldest.inputs);
        }
    }
}

fn find<'s, T>(standbys: &'s mut [Standby<T>], partition: &TopicPartition) -> Option<(&'s mut Stores, &'s mut Replay)> {
    standbys.iter_mut().find_map(|standby| {
        let replay = standby.replays.iter_mut().flatten().find(|replay| replay.partition == *partition)?;
        Some((&mut standby.stores, replay))
    })
}
