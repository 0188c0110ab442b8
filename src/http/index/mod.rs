//! The last blocks of a chain and what is in them, within a bounded memory.
//!
//! ```text
//! summary    a block in a few words, and what is listed of it
//! posting    what moved a balance, or was to
//! totals     what was counted since the start
//! activity   what the last minutes were like
//! tests
//! ```
//! ```text
//!   blocks    | 41 | 42 | 43 | 44 |      by hash; by partition and first offset
//!               │    │
//!   postings  |aaa|bbbbb|cc|dddd|       by account: the numbers of those that concern it, ascending
//! ```
//! When it is full, the oldest block goes with its postings. Pure: no log, no clock.

mod activity;
mod posting;
mod summary;
#[cfg(test)]
mod tests;
mod totals;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;
use std::sync::Arc;

pub(super) use activity::Activity;
pub(super) use posting::{Place, Posting, PostingKind};
pub(super) use summary::{BlockSummary, Offence};
pub(super) use totals::{LATENCY_BOUNDS_MS, Totals};

use crate::chain::{Block, Hash};

/// What a block takes beside its postings, in bytes: summary, hash, places, tables.
const BLOCK_SIZE_BYTES: usize = 1_024;
/// What a block takes for each range of the log, and for each validator that it names: tables, texts.
const PLACE_SIZE_BYTES: usize = 96;
/// What a posting takes, with its numbers under two accounts.
const POSTING_SIZE_BYTES: usize = 290;
/// What an account takes beside its name.
const ACCOUNT_SIZE_BYTES: usize = 160;
/// Offences that are remembered, whatever became of their blocks.
const OFFENCES_MAX: usize = 100;

/// A record under a height that is not the block behind the last one: somebody else wrote it, or the chain's topic is
/// broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record under height {height} is not the block behind block {last}: run cairn verify")]
pub(super) struct OutOfLine {
    height: u64,
    last: u64,
}

/// See above.
#[derive(Debug)]
pub(super) struct Index {
    memory_max_bytes: usize,
    memory_bytes: usize,
    blocks: VecDeque<Kept>,
    by_hash: BTreeMap<Hash, u64>,
    /// Partition and first offset of each range, with the height.
    by_place: BTreeMap<(i32, i64), u64>,
    postings: VecDeque<Posting>,
    /// The number of the first posting that is kept.
    first_posting: u64,
    by_account: BTreeMap<Arc<str>, VecDeque<u64>>,
    /// What an id or the hash of a record's value comes down to, with the numbers of the postings that have it.
    by_text: BTreeSet<(u64, u64)>,
    /// Its key: none can be made up that others come down to.
    keyed: RandomState,
    /// How many of the blocks that are kept each validator proposed.
    proposed: BTreeMap<String, u64>,
    offences: VecDeque<Offence>,
    totals: Totals,
}

#[derive(Debug)]
struct Kept {
    summary: Arc<BlockSummary>,
    places: Vec<(i32, i64)>,
    posting_count: usize,
}

impl Kept {
    /// What it takes beside its postings. A block of records that are no transactions has none, and may have a range of
    /// each partition.
    fn size_bytes(&self) -> usize {
        let BlockSummary { signers, slashed, missed, .. } = &*self.summary;
        BLOCK_SIZE_BYTES
            + PLACE_SIZE_BYTES * (self.places.len() + slashed.len() + missed.len())
            + size_of_val(signers.as_slice())
    }
}

impl Index {
    /// An empty one, for about so many bytes.
    pub(super) fn new(memory_max_bytes: usize) -> Self {
        Self {
            memory_max_bytes,
            memory_bytes: 0,
            blocks: VecDeque::new(),
            by_hash: BTreeMap::new(),
            by_place: BTreeMap::new(),
            postings: VecDeque::new(),
            first_posting: 0,
            by_account: BTreeMap::new(),
            by_text: BTreeSet::new(),
            keyed: RandomState::new(),
            proposed: BTreeMap::new(),
            offences: VecDeque::new(),
            totals: Totals::default(),
        }
    }

    /// Adds the block behind the last one, which stands at `place` on its topic.
    pub(super) fn add(&mut self, block: &Block, place: Place) -> Result<Arc<BlockSummary>, OutOfLine> {
        let height = block.header.height;
        if let Some(last) = self.last() {
            let follows = Some(height) == last.height.checked_add(1) && block.header.parent == last.hash;
            if !follows {
                return Err(OutOfLine { height, last: last.height });
            }
        }
        let summary = Arc::new(BlockSummary::of(block, place));
        let places: Vec<(i32, i64)> = block.header.ranges.iter().map(|range| (range.partition, range.first)).collect();
        self.by_place.extend(places.iter().map(|place| (*place, height)));
        self.by_hash.insert(summary.hash, height);
        if let Some(proposer) = &summary.proposer {
            *self.proposed.entry(proposer.clone()).or_default() += 1;
        }
        self.offences.extend(Offence::all_of(block, place.time_ms));
        let surplus = self.offences.len().saturating_sub(OFFENCES_MAX);
        self.offences.drain(..surplus);
        self.totals.add(block, &summary);
        let posting_count = self.post(block);
        let kept = Kept { summary: Arc::clone(&summary), places, posting_count };
        self.memory_bytes += kept.size_bytes();
        self.blocks.push_back(kept);
        // The newest block stays, however large it is.
        while self.memory_bytes > self.memory_max_bytes && self.blocks.len() > 1 {
            self.forget_oldest();
        }
        Ok(summary)
    }

    fn post(&mut self, block: &Block) -> usize {
        let before = self.postings.len();
        posting::each(block, &mut |found| {
            let number = self.first_posting + self.postings.len() as u64;
            let from = self.account(found.from, number);
            // Who pays itself has one posting, not two.
            let to = if found.to == found.from { Arc::clone(&from) } else { self.account(found.to, number) };
            self.memory_bytes += POSTING_SIZE_BYTES + found.id.map_or(0, str::len);
            let posting = found.keep(from, to);
            let texts = self.texts(&posting);
            self.by_text.extend(texts.map(|text| (text, number)));
            self.postings.push_back(posting);
        });
        self.postings.len() - before
    }

    /// The name of an account, which gets a posting of this number. A name of no bytes is no account's.
    fn account(&mut self, name: &str, number: u64) -> Arc<str> {
        if let Some((known, _)) = self.by_account.get_key_value(name) {
            let known = Arc::clone(known);
            self.by_account.entry(Arc::clone(&known)).or_default().push_back(number);
            return known;
        }
        let shared: Arc<str> = Arc::from(name);
        if !name.is_empty() {
            self.memory_bytes += ACCOUNT_SIZE_BYTES + name.len();
            self.by_account.insert(Arc::clone(&shared), VecDeque::from([number]));
        }
        shared
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.blocks.pop_front() else { return };
        self.memory_bytes -= oldest.size_bytes();
        self.by_hash.remove(&oldest.summary.hash);
        for place in &oldest.places {
            self.by_place.remove(place);
        }
        if let Some(count) = oldest.summary.proposer.as_ref().and_then(|proposer| self.proposed.get_mut(proposer)) {
            *count = count.saturating_sub(1);
        }
        for _ in 0..oldest.posting_count {
            let Some(posting) = self.postings.pop_front() else { return };
            for text in self.texts(&posting) {
                self.by_text.remove(&(text, self.first_posting));
            }
            self.memory_bytes -= POSTING_SIZE_BYTES + posting.id.as_deref().map_or(0, str::len);
            for name in [&posting.from, &posting.to] {
                let Some(numbers) = self.by_account.get_mut(&**name) else { continue };
                // Of a payment to oneself the second look finds the next posting's number, or none.
                if numbers.front() == Some(&self.first_posting) {
                    numbers.pop_front();
                }
                if numbers.is_empty() {
                    self.by_account.remove(&**name);
                    self.memory_bytes -= ACCOUNT_SIZE_BYTES + name.len();
                }
            }
            self.first_posting += 1;
        }
    }

    /// The newest block.
    pub(super) fn last(&self) -> Option<&Arc<BlockSummary>> {
        self.blocks.back().map(|kept| &kept.summary)
    }

    /// The oldest block that is kept.
    pub(super) fn first(&self) -> Option<&Arc<BlockSummary>> {
        self.blocks.front().map(|kept| &kept.summary)
    }

    /// The block of a height, if it is kept.
    pub(super) fn block(&self, height: u64) -> Option<&Arc<BlockSummary>> {
        let place = height.checked_sub(self.first()?.height)?;
        self.blocks.get(usize::try_from(place).ok()?).map(|kept| &kept.summary)
    }

    /// Blocks below a height, the newest first.
    pub(super) fn below(&self, height: u64) -> impl Iterator<Item = &Arc<BlockSummary>> {
        let first = self.first().map_or(0, |first| first.height);
        let count = usize::try_from(height.saturating_sub(first)).unwrap_or(usize::MAX).min(self.blocks.len());
        self.blocks.range(..count).rev().map(|kept| &kept.summary)
    }

    /// Blocks behind a height, the oldest first.
    pub(super) fn behind(&self, height: u64) -> impl ExactSizeIterator<Item = &Arc<BlockSummary>> {
        let first = self.first().map_or(0, |first| first.height);
        let skipped = usize::try_from(height.saturating_add(1).saturating_sub(first))
            .unwrap_or(usize::MAX)
            .min(self.blocks.len());
        self.blocks.range(skipped..).map(|kept| &kept.summary)
    }

    /// The heights of blocks whose hash begins so, some at most.
    pub(super) fn by_hash_prefix(&self, prefix: &str, limit: usize) -> Vec<&Arc<BlockSummary>> {
        if let Ok(hash) = prefix.parse::<Hash>() {
            return self.by_hash.get(&hash).and_then(|height| self.block(*height)).into_iter().collect();
        }
        let Some(first) = (prefix.len() < 64).then(|| format!("{prefix:0<64}").parse::<Hash>().ok()).flatten() else {
            return Vec::new();
        };
        let matching = self.by_hash.range(first..).take_while(|(hash, _)| hash.to_string().starts_with(prefix));
        matching.take(limit).filter_map(|(_, height)| self.block(*height)).collect()
    }

    /// The block that holds the record at a place of the transactions topic, if it is kept, or the one nearest before
    /// it of that partition: the caller looks whether it has the record.
    pub(super) fn holder(&self, partition: i32, offset: i64) -> Option<u64> {
        let before = self.by_place.range((partition, i64::MIN)..=(partition, offset)).next_back();
        before.map(|(_, height)| *height)
    }

    /// Whether a later record of the partition is in a block that is kept.
    pub(super) fn is_passed(&self, partition: i32, offset: i64) -> bool {
        self.by_place.range((partition, offset)..=(partition, i64::MAX)).any(|((_, first), _)| *first > offset)
    }

    /// The postings of an account, the newest first, from behind a place on (exclusive).
    pub(super) fn postings(&self, account: &str, behind: Option<(u64, u32)>) -> impl Iterator<Item = &Posting> {
        let posting =
            move |number: &u64| self.postings.get(usize::try_from(number.checked_sub(self.first_posting)?).ok()?);
        // Numbers ascend with places: a cursor far back, or a made-up one, costs no walk over those before it.
        let is_wanted = move |number: &u64| match behind {
            Some(behind) => posting(number).is_some_and(|posting| (posting.height, posting.index) < behind),
            None => true,
        };
        let numbers = self.by_account.get(account).into_iter();
        numbers.flat_map(move |numbers| numbers.range(..numbers.partition_point(is_wanted)).rev()).filter_map(posting)
    }

    /// What a posting is found by: its id, and the hash of its record's value; what a validator earned has neither.
    fn texts(&self, posting: &Posting) -> impl Iterator<Item = u64> + use<> {
        let id = posting.id.as_deref().map(|id| self.keyed.hash_one(id.as_bytes()));
        let original = posting.origin.map(|_| self.keyed.hash_one(posting.original));
        id.into_iter().chain(original)
    }

    /// Postings with this id, or of a record whose value has this hash: with the id first, and of either the newest.
    pub(super) fn find<'i>(&'i self, text: &'i str) -> impl Iterator<Item = &'i Posting> {
        let original = text.parse::<Hash>().ok();
        let keys = [Some(self.keyed.hash_one(text.as_bytes())), original.map(|hash| self.keyed.hash_one(hash))];
        let numbers = keys.into_iter().flatten().flat_map(|key| self.by_text.range((key, 0)..=(key, u64::MAX)).rev());
        numbers
            .filter_map(|(_, number)| self.postings.get(usize::try_from(number.checked_sub(self.first_posting)?).ok()?))
            .filter(move |posting| posting.id.as_deref() == Some(text) || original == Some(posting.original))
    }

    /// Names of accounts that have postings and begin so, some at most.
    pub(super) fn accounts(&self, prefix: &str, limit: usize) -> Vec<Arc<str>> {
        let from = self.by_account.range::<str, _>((Bound::Included(prefix), Bound::Unbounded)).map(|(name, _)| name);
        from.take_while(|name| name.starts_with(prefix)).take(limit).map(Arc::clone).collect()
    }

    /// How many blocks that are kept each validator proposed.
    pub(super) fn proposed(&self) -> &BTreeMap<String, u64> {
        &self.proposed
    }

    /// How many blocks are kept that validators proposed.
    pub(super) fn proposed_count(&self) -> u64 {
        self.proposed.values().sum()
    }

    /// Offences, the newest first.
    pub(super) fn offences(&self) -> impl Iterator<Item = &Offence> {
        self.offences.iter().rev()
    }

    /// What was counted since the start.
    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Counts from here on.
    pub(super) fn count_anew(&mut self) {
        self.totals = Totals::default();
    }

    /// What the minutes before a time were like.
    pub(super) fn activity(&self, now_ms: i64) -> Activity {
        Activity::of(self.blocks.iter().rev().map(|kept| &*kept.summary), now_ms)
    }
}
