//! The open block: input that is held until it closes.

use rand::CryptoRng;
use topology::log::Header;
use topology::processor::{DeadLetter, Record};

use crate::chain::{Cut, Entry, Hash, Origin, Reject, Signatures};
use crate::ledger::cut::{Cutter, Item, Placing};
use crate::ledger::{Signature, signatures};

use super::admission::Admitted;
use super::input::at;

/// Originals are kept whole, and count little against the size of a block: past this many bytes of them the block is
/// cut.
const ORIGINALS_SIZE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The records since the last block, decoded, and where the rules are.
pub(super) struct OpenBlock {
    cutter: Cutter,
    entries: Vec<Entry>,
    /// What their signatures are worth, one for each, where that was found out before they came.
    answers: Vec<Signature>,
    /// Where the first and the last of them stand in the input.
    span: Option<(i64, i64)>,
    /// What cannot be read as a transaction, as it came: it goes to the dead letters with the block.
    originals: Vec<Original>,
    originals_size_bytes: usize,
    /// When the first record came, wall clock, ms.
    since_ms: Option<i64>,
}

/// A record kept as it came.
struct Original {
    offset: i64,
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    reason: String,
}

/// A record, read.
pub(super) struct Incoming {
    entry: Entry,
    /// Why it is no transaction, where a copy of it is still to go to the dead letters.
    reason: Option<Reject>,
    /// What its signature is worth, where that is known.
    answer: Option<Signature>,
}

impl Incoming {
    /// Reads a record of the transactions topic. Whatever it holds, it becomes an entry.
    pub(super) fn read(record: &Record<'_, [u8], [u8]>, partition: i32) -> Self {
        let (entry, reason) = Entry::of_record(partition, record.offset, record.timestamp_ms, record.key, record.value);
        Self { entry, reason, answer: None }
    }

    /// What was read before, in its partition.
    pub(super) fn admitted(Admitted { entry, signature, .. }: Admitted) -> Self {
        Self { entry, reason: None, answer: Some(signature) }
    }

    /// Where it stands in the transactions topic.
    pub(super) fn origin(&self) -> Origin {
        self.entry.origin
    }
}

impl OpenBlock {
    /// Nothing is open yet; `cutter` stands behind the last block.
    pub(super) fn new(cutter: Cutter) -> Self {
        Self {
            cutter,
            entries: Vec::new(),
            answers: Vec::new(),
            span: None,
            originals: Vec::new(),
            originals_size_bytes: 0,
            since_ms: None,
        }
    }

    /// Offers a record: it is taken unless the placing is [`Placing::CutBefore`].
    pub(super) fn offer(
        &mut self,
        incoming: Incoming,
        record: &Record<'_, [u8], [u8]>,
        now_ms: i64,
    ) -> (Placing, Option<Incoming>) {
        let placing = self.cutter.offer(&Item::from(&incoming.entry));
        if let Placing::CutBefore(_) = placing {
            return (placing, Some(incoming));
        }
        self.since_ms.get_or_insert(now_ms);
        if let Some(reject) = incoming.reason {
            let original = Original::copy(record, &reject);
            self.originals_size_bytes += original.size_bytes();
            self.originals.push(original);
        }
        self.entries.push(incoming.entry);
        self.answers.extend(incoming.answer);
        let first = self.span.map_or(record.offset, |(first, _)| first);
        self.span = Some((first, record.offset));
        (placing, None)
    }

    /// Offset of the first held record, in the input.
    pub(super) fn first_offset(&self) -> Option<i64> {
        self.span.map(|(first, _)| first)
    }

    /// Offset of the last held record, in the input.
    pub(super) fn last_offset(&self) -> Option<i64> {
        self.span.map(|(_, last)| last)
    }

    /// How long the first held record has waited, ms. Where the clock was set back it has waited since now: else the
    /// block would wait for as long as that was.
    pub(super) fn age_ms(&mut self, now_ms: i64) -> i64 {
        let Some(since_ms) = &mut self.since_ms else { return 0 };
        *since_ms = now_ms.min(*since_ms);
        now_ms - *since_ms
    }

    /// Whether what is held for the dead letters is more than one block may keep in memory and send in one transaction.
    pub(super) fn is_heavy(&self) -> bool {
        self.originals_size_bytes > ORIGINALS_SIZE_BYTES_MAX
    }

    /// The held entries, for the sealer.
    pub(super) fn entries_mut(&mut self) -> &mut Vec<Entry> {
        &mut self.entries
    }

    /// What the held signatures are worth.
    pub(super) fn check_signatures(
        &self,
        policy: Signatures,
        genesis: &Hash,
        randomness: &mut impl CryptoRng,
    ) -> Vec<Signature> {
        match self.answers.len() == self.entries.len() {
            true => self.answers.clone(),
            false => signatures::verify(&self.entries, policy, genesis, randomness),
        }
    }

    /// The block is sealed: hands over its dead letters and begins the next.
    pub(super) fn close(&mut self, mut dead_letter: impl FnMut(&DeadLetter<'_>)) {
        for original in self.originals.drain(..) {
            let headers: Vec<Header<'_>> =
                original.headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
            dead_letter(&DeadLetter {
                position: at(original.offset),
                timestamp_ms: original.timestamp_ms,
                key: original.key.as_deref(),
                value: original.value.as_deref(),
                headers: headers.as_slice().into(),
                reason: &original.reason,
            });
        }
        self.originals_size_bytes = 0;
        self.entries.clear();
        self.answers.clear();
        self.span = None;
        self.since_ms = None;
        self.cutter.close();
    }
}

impl Original {
    fn copy(record: &Record<'_, [u8], [u8]>, reject: &Reject) -> Self {
        Self {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record
                .headers
                .to_vec()
                .iter()
                .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
            reason: format!("{}: {}", reject.code, reject.detail),
        }
    }

    fn size_bytes(&self) -> usize {
        let bytes = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + bytes(value));
        bytes(&self.key) + bytes(&self.value) + headers.sum::<usize>()
    }
}

/// A cut that the rules did not make: decided, and committed before anybody signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DecidedCut {
    /// Why.
    pub cut: Cut,
    /// The block's last record, in the input.
    pub through_offset: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Parameters;

    #[test]
    fn a_clock_that_is_set_back_by_an_hour_does_not_keep_a_block_open_for_an_hour() {
        let mut open = OpenBlock::new(Cutter::new(&Parameters::default(), 0));
        open.since_ms = Some(3_600_000);
        assert_eq!([3_600_100, 0, 300].map(|now_ms| open.age_ms(now_ms)), [100, 0, 300]);
    }
}
