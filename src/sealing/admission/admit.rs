//! Records of one partition, read and handed on.
//!
//! Nothing is kept: a record that is handed on and the offset behind it are of one transaction. After a crash `admit`
//! goes on at that offset; where it was lost or moved, further back, and `seal` passes over what it has.

use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use topology::log::ProducerRecord;
use topology::processor::{self, Context, DeadLetter, Position, Processor, Punctuation, Record, Schedule};

use crate::chain::{Entry, Reject};
use crate::ledger::{Signature, signatures};
use crate::sealing::application::Shared;
use crate::sealing::input::TRANSACTIONS;

use super::allowance::Allowance;
use super::{Admission, Admitted, Stamp};

/// Between looks at how many records wait for the sealer, ms. That is found out more often, so that what was handed on
/// since the last look but one is counted.
const LOOK_INTERVAL_MS: i64 = 50;

/// Admits the records of one partition.
pub(in crate::sealing) struct Admit {
    shared: Arc<Shared>,
    stamp: Stamp,
    allowance: Allowance,
    randomness: StdRng,
    /// Between this offset and the next record the partition holds none.
    from: i64,
    /// The value of the record that is being handed on.
    value: Vec<u8>,
}

type Output<'c> = Context<'c, [u8], [u8]>;

impl Admit {
    pub(in crate::sealing) fn new(shared: Arc<Shared>, stamp: Stamp) -> Self {
        let randomness = StdRng::from_seed(shared.entropy);
        let (ahead, partition_count) =
            shared.admission.as_ref().map_or((u64::MAX, 1), |admission| (admission.ahead, admission.partition_count));
        let allowance = Allowance::new(ahead, partition_count);
        Self { shared, stamp, allowance, randomness, from: 0, value: Vec::new() }
    }

    /// How many records wait for the sealer, as far as is known.
    fn waiting(&self) -> u64 {
        let origin = self.shared.admission.as_ref().and_then(|admission: &Admission| admission.origin.as_ref());
        origin.map_or(0, |origin| origin.waiting())
    }

    /// Where to begin, if the group's offset does not say it: behind what is in blocks, as far as that is known.
    fn begin(&mut self, context: &mut Output<'_>) -> processor::Result {
        let partition = context.partition(TRANSACTIONS).partition;
        let sealed = self.shared.sealed_of(partition)?;
        let first = context.first_position(TRANSACTIONS);
        self.from = sealed.map_or(0, |sealed| sealed.saturating_add(1));
        // What was deleted before anything of the partition was sealed is no loss to the chain.
        context.begin_at(sealed.map_or(first, |sealed| Position::new(TRANSACTIONS, sealed).next()))
    }

    fn hand_on(
        &mut self,
        record: &Record<'_, [u8], [u8]>,
        (entry, reject): (Entry, Option<Reject>),
        signature: Signature,
        context: &mut Output<'_>,
    ) -> processor::Result {
        context.observe(record);
        if let Some(reject) = reject {
            context.dead_letter(&DeadLetter {
                position: record.position(),
                timestamp_ms: record.timestamp_ms,
                key: record.key,
                value: record.value,
                headers: record.headers,
                reason: &reject.to_string(),
            });
        }
        let mut value = std::mem::take(&mut self.value);
        self.stamp.write(&Admitted { from: self.from, signature, entry }, &mut value);
        let handed_on =
            context.forward(Record::new(record.position(), ProducerRecord::NOW, None, Some(value.as_slice())));
        self.value = value;
        self.from = record.offset.saturating_add(1);
        handed_on
    }
}

impl Processor for Admit {
    type Key = [u8];
    type Value = [u8];
    type KeyOut = [u8];
    type ValueOut = [u8];

    fn init(&mut self, context: &mut Output<'_>) -> processor::Result {
        match context.committed_position(TRANSACTIONS) {
            Some(Position { offset, .. }) => self.from = offset,
            None => self.begin(context)?,
        }
        self.allowance.renew(self.waiting());
        context.schedule(Schedule::WallClock { interval_ms: LOOK_INTERVAL_MS });
        Ok(())
    }

    fn process(&mut self, record: &Record<'_, [u8], [u8]>, context: &mut Output<'_>) -> processor::Result {
        self.process_batch(std::slice::from_ref(record), context)
    }

    fn process_batch(&mut self, records: &[Record<'_, [u8], [u8]>], context: &mut Output<'_>) -> processor::Result {
        let partition = context.partition(TRANSACTIONS).partition;
        let (records, later) = records.split_at(self.allowance.take(records.len()));
        let read = |record: &Record<'_, [u8], [u8]>| {
            Entry::of_record(partition, record.offset, record.timestamp_ms, record.key, record.value)
        };
        let (entries, rejects): (Vec<Entry>, Vec<Option<Reject>>) = records.iter().map(read).unzip();
        let Shared { genesis, genesis_hash, .. } = &*self.shared;
        let policy = genesis.parameters.signatures;
        let answers = signatures::verify(&entries, policy, genesis_hash, &mut self.randomness);
        let read = entries.into_iter().zip(rejects).zip(answers);
        for (record, (read, signature)) in records.iter().zip(read) {
            self.hand_on(record, read, signature, context)?;
        }
        if let Some(next) = later.first() {
            context.suspend_from(next.position());
        }
        Ok(())
    }

    fn punctuate(&mut self, _punctuation: Punctuation, context: &mut Output<'_>) -> processor::Result {
        if self.allowance.renew(self.waiting()) && context.is_suspended() {
            context.resume();
        }
        Ok(())
    }
}
