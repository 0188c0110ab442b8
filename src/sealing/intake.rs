//! How records come to the sealer: from the transactions topic itself, where that has one partition, or admitted from
//! several.
//!
//! ```text
//!              input              begins                              what comes twice    what is missing
//!   Direct     transactions       at the last record in a block       does not            is not there any more
//!   Admitted   what `admit` made  where the group's offset says, or   is passed over      ends the run
//!                                 at the first record there is
//! ```
//! How far a partition is sealed does not depend on that offset: each admitted record tells its place.

use topology::Error;
use topology::processor::{Context, Record};

use crate::chain::{Entry, Origin};
use crate::ledger::Replica;
use crate::ledger::state::Covered;

use super::admission::{Admission, Continuity, Refusal, Stamp, Standing};
use super::application::Shared;
use super::input::{InputStart, TRANSACTIONS};
use super::open_block::Incoming;

/// The sealer's input.
pub(super) enum Intake {
    /// The transactions topic.
    Direct(InputStart),
    /// What `admit` made of its partitions.
    Admitted(Box<Merged>),
}

/// What was admitted of several partitions.
pub(super) struct Merged {
    stamp: Stamp,
    continuity: Continuity,
    /// Where the input began.
    begin: i64,
    foreign_count: u64,
}

impl Intake {
    /// Sets where the task's input begins. `last` is the last record of the only partition that is in a block; of
    /// several, [`Intake::go_on`] learns it.
    pub(super) fn set(
        shared: &Shared,
        last: Option<&Covered>,
        context: &mut Context<'_, [u8], [u8]>,
    ) -> topology::Result<Self> {
        let Some(admission) = &shared.admission else { return InputStart::set(last, context).map(Self::Direct) };
        // An offset behind the end is one of a topic that was there before.
        let own = context.committed_position(TRANSACTIONS).filter(|own| *own <= context.end_position(TRANSACTIONS));
        let first = context.first_position(TRANSACTIONS);
        let begin = own.map_or(first, |own| own.max(first));
        context.begin_at(begin)?;
        Ok(Self::Admitted(Box::new(Merged {
            stamp: Stamp::new(&admission.key),
            continuity: Continuity::new(admission.partition_count, std::iter::empty()),
            begin: begin.offset,
            foreign_count: 0,
        })))
    }

    /// Goes on behind a replica's last block. Errors where the topic is not the one that the chain was made from.
    pub(super) fn go_on(&mut self, shared: &Shared, replica: &Replica) -> topology::Result<()> {
        let partition_count = shared.admission.as_ref().map_or(1, |admission| admission.partition_count);
        if let Some((partition, _)) = replica.coverage().find(|(partition, _)| *partition >= partition_count) {
            return Err(Error::stop(format!(
                "the chain holds records of partition {partition} of topic '{}', which has {partition_count} now: it was deleted \
                 and made anew, or it is another cluster's. Give the topic that belongs to this chain",
                shared.transactions
            )));
        }
        let (Self::Admitted(merged), Some(admission)) = (self, &shared.admission) else { return Ok(()) };
        let covered: Vec<(i32, Covered)> =
            replica.coverage().map(|(partition, covered)| (partition, *covered)).collect();
        let places: Vec<(i32, i64)> = covered.iter().map(|(partition, covered)| (*partition, covered.offset)).collect();
        let found = admission.origin.as_ref().map_or(Ok(Vec::new()), |origin| origin.look_up(&places))?;
        let mut looked_up = covered.iter().zip(&found);
        if let Some(((partition, Covered { offset, .. }), _)) =
            looked_up.find(|((_, covered), found)| !found.may_be(covered))
        {
            return Err(Error::stop(format!(
                "the chain holds partition {partition} of topic '{}' up to offset {offset}, but another record stands there now, or \
                 none: the topic was deleted and made anew, or it is another cluster's. Give the topic that belongs to this \
                 chain, or begin a new chain for the new topic",
                shared.transactions
            )));
        }
        merged.continuity = Continuity::new(partition_count, places.into_iter());
        Ok(())
    }

    /// The first offset of the input that can be in the block behind a replica's last one.
    pub(super) fn first_open_offset(&self, replica: &Replica, partition: i32) -> i64 {
        match self {
            Self::Direct(_) => replica.covered(partition).map_or(0, |covered| covered.offset.saturating_add(1)),
            Self::Admitted(merged) => merged.begin,
        }
    }

    /// Reads a record. `None`: it is in a block already, or nothing of the chain's.
    pub(super) fn read(
        &mut self,
        shared: &Shared,
        record: &Record<'_, [u8], [u8]>,
        partition: i32,
    ) -> topology::Result<Option<Incoming>> {
        match (self, &shared.admission) {
            (Self::Admitted(merged), Some(admission)) => merged.read(&shared.transactions, admission, record),
            (Self::Admitted(_), None) => Err(Error::stop("records were admitted, and none are to be")),
            (Self::Direct(start), _) => {
                let is_sealed = start.passes(record)?;
                Ok((!is_sealed).then(|| Incoming::read(record, partition)))
            }
        }
    }

    /// A record is in the open block.
    pub(super) fn took(&mut self, origin: Origin) {
        if let Self::Admitted(merged) = self {
            merged.continuity.take(origin.partition, origin.offset);
        }
    }
}

impl Merged {
    fn read(
        &mut self,
        transactions: &str,
        admission: &Admission,
        record: &Record<'_, [u8], [u8]>,
    ) -> topology::Result<Option<Incoming>> {
        let topic = &admission.topic;
        let admitted = match self.stamp.read(record.value) {
            Ok(admitted) => admitted,
            Err(Refusal::Newer) => {
                return Err(Error::stop(format!(
                    "the record at offset {} of topic '{topic}' was admitted by a newer program: run that one",
                    record.offset
                )));
            }
            Err(Refusal::Foreign) => {
                self.foreign_count += 1;
                // Each time that there are twice as many.
                if self.foreign_count.is_power_of_two() {
                    let (offset, count) = (record.offset, self.foreign_count);
                    tracing::warn!(topic, offset, count, "records that no run of this chain wrote are passed over");
                }
                return Ok(None);
            }
        };
        let Entry { origin: Origin { partition, offset, .. }, .. } = admitted.entry;
        match self.continuity.judge(partition, admitted.from, offset) {
            Standing::Next => {}
            Standing::Repetition => return Ok(None),
            Standing::Behind(gap) => {
                let missing = match &admission.origin {
                    Some(origin) => origin.first_record(partition, gap.start, gap.end)?,
                    None => Some(gap.start),
                };
                if let Some(missing) = missing {
                    return Err(not_admitted(transactions, topic, (partition, missing), offset));
                }
            }
            Standing::Stranger => {
                return Err(Error::stop(format!(
                    "a record of partition {partition} of topic '{transactions}' was admitted, and this run knows {} partitions: \
                     start it again",
                    admission.partition_count
                )));
            }
        }
        Ok(Some(Incoming::admitted(admitted)))
    }
}

fn not_admitted(transactions: &str, topic: &str, (partition, missing): (i32, i64), next: i64) -> Error {
    Error::stop(format!(
        "the record at offset {missing} of {transactions}-{partition} did not come, and offset {next} did: the group's offsets were \
         moved ahead, or topic '{topic}' lost records. Nothing behind offset {missing} was sealed. Stop all runs of this \
         application, run cairn reset for it, and start again: the state returns from the blockchain topic"
    ))
}
