//! The headers of a chain, each linked to the one before: what a proof needs of all blocks, kept up with the topic.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;
use serde_json::value::RawValue;
use topology::clock::Clock;
use topology::log::{Isolation, Log, Offset, Start, TopicPartition};
use topology::{Class, Error};

use super::hash_tree::HashTree;
use crate::chain::{Block, Frontier, Genesis, Hash, Header, Operation, Parent, merkle};
use crate::http::lookup::Reading;
use crate::reader::{Extent, Reader};

type Result<T, E = Error> = std::result::Result<T, E>;

/// The reader's name in the brokers' logs.
pub(super) const CLIENT_ID: &str = "cairn-http-prove";
/// So many offsets are few.
const FEW: Offset = 256;
/// What is fetched ahead, in bytes.
const PREFETCH_BYTES: usize = 4 << 20;
/// A chain is followed to a height for a proof if the records up to it have so many bytes at most.
const FOLLOWED_BYTES_MAX: u64 = 64 << 20;

/// All blocks, as far as they were read.
pub(super) struct Headers {
    partition: TopicPartition,
    genesis: Hash,
    validator_count: usize,
    pub(super) tree: HashTree,
    /// Over the same hashes.
    frontier: Frontier,
    last: Option<(Header, Hash)>,
    /// The slashes of the chain, each with its height; `None`: there are some in a body that was pruned.
    slashes: Option<Vec<(u64, Operation)>>,
    next_offset: Offset,
    /// The end of the topic, as it was last asked for.
    end_offset: Offset,
    read_bytes: u64,
    /// The last height to which the chain may be followed.
    followed_max: Option<u64>,
}

/// The operations of a record; none where its body was pruned. The rest is passed over.
#[derive(Deserialize)]
struct Operations<'r> {
    #[serde(borrow, default)]
    operations: Option<Vec<&'r RawValue>>,
}

/// The header of a record, which stands at its beginning: the rest is not looked at. Within a text each quote has a
/// backslash before it, so the end that is found is none of a text's.
fn header_of(value: &[u8]) -> Result<Header, String> {
    const END: &[u8] = b"},\"hash\":\"";
    let behind = value.strip_prefix(b"{\"header\":").ok_or("it begins otherwise than a block")?;
    let end = behind.windows(END.len()).position(|window| window == END).ok_or("its header does not end")?;
    let text = std::str::from_utf8(&behind[..=end]).map_err(|error| error.to_string())?;
    Header::from_json(text).map_err(|error| error.to_string())
}

impl Headers {
    pub(super) fn new(blockchain: &str, genesis: &Genesis) -> Self {
        Self {
            partition: TopicPartition::new(blockchain, 0),
            genesis: genesis.hash(),
            validator_count: genesis.validators.len(),
            tree: HashTree::default(),
            frontier: Frontier::default(),
            last: None,
            slashes: Some(Vec::new()),
            next_offset: 0,
            end_offset: 0,
            read_bytes: 0,
            followed_max: None,
        }
    }

    /// Reads on until the end that the topic has now, or until a time. A few blocks are taken as others are that are
    /// asked for, many by a reader of their own. Whether the end was reached.
    pub(super) fn read_on<L: Log>(
        &mut self,
        log: &L,
        reading: &mut Reading<L>,
        (clock, until_ms): (&dyn Clock, i64),
        stop: &AtomicBool,
    ) -> Result<bool> {
        let reader = Reader::new(log, clock, CLIENT_ID).prefetching(PREFETCH_BYTES).expecting_topics();
        let extent = reader.extent(&self.partition, Start::At(self.next_offset), Isolation::ReadCommitted)?;
        let end = extent.end;
        self.end_offset = end;
        let is_over = || clock.monotonic_ms() >= until_ms || stop.load(Ordering::Relaxed);
        let mut is_done = false;
        if end.saturating_sub(self.next_offset) <= FEW {
            while !is_done && !is_over() {
                match reading.at(self.next_offset)?.filter(|found| found.place.offset < end) {
                    Some(found) => self.take(found.place.offset, found.height, &found.value)?,
                    None => is_done = true,
                }
            }
        } else {
            is_done = true;
            reader.read_to(&[extent], |_, records| {
                for record in records {
                    if let (Some(height), Some(value)) = (Block::height_of_key(record.key), record.value) {
                        self.take(record.offset, height, value)?;
                    }
                }
                is_done = !is_over();
                Ok(if is_done { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
        }
        // What is left, if anything, are markers of transactions and records of others.
        if is_done {
            self.next_offset = end.max(self.next_offset);
        }
        Ok(self.is_at_end())
    }

    /// Whether all is read that was there when it was last asked.
    pub(super) fn is_at_end(&self) -> bool {
        self.next_offset >= self.end_offset
    }

    /// How far it has come, in percent of the topic.
    pub(super) fn percent(&self) -> i64 {
        (self.next_offset.saturating_mul(100)).checked_div(self.end_offset).unwrap_or(100)
    }

    fn take(&mut self, offset: Offset, height: u64, value: &[u8]) -> Result<()> {
        let broken = |what: &dyn std::fmt::Display| {
            Error::stop(format!("the record at offset {offset} is not the block behind the last: {what}"))
        };
        let header = header_of(value).map_err(|error| broken(&error))?;
        header.check().map_err(|error| broken(&error))?;
        let hash = header.hash();
        self.link(&header, height).map_err(|error| broken(&error))?;
        let has_changed = self.last.as_ref().is_some_and(|(last, _)| last.validators != header.validators);
        if has_changed && let Some(slashes) = &mut self.slashes {
            let body: Operations<'_> = serde_json::from_slice(value).map_err(|error| broken(&error))?;
            match body.operations {
                Some(operations) => {
                    for text in operations {
                        let operation = Operation::from_json(text.get()).map_err(|error| broken(&error))?;
                        if matches!(operation, Operation::Slash { .. }) {
                            // Blocks are not executed here, and a topic may hold any.
                            if slashes.len() == self.validator_count {
                                return Err(broken(&"more stakes are taken than there are validators"));
                            }
                            slashes.push((height, operation));
                        }
                    }
                }
                None => self.slashes = None,
            }
        }
        let leaf = merkle::leaf(hash.as_bytes());
        self.tree.append(leaf);
        self.frontier.append(leaf);
        self.last = Some((header, hash));
        self.next_offset = offset + 1;
        self.read_bytes = self.read_bytes.saturating_add(value.len() as u64);
        if self.read_bytes <= FOLLOWED_BYTES_MAX {
            self.followed_max = Some(height);
        }
        Ok(())
    }

    /// Whether a header goes on from the last one.
    fn link(&self, header: &Header, height: u64) -> Result<(), String> {
        if header.height != height || height != self.tree.count() {
            return Err(format!("it is block {}, block {} must come", header.height, self.tree.count()));
        }
        let Some((last, hash)) = &self.last else {
            let is_ours = header.genesis == self.genesis;
            return if is_ours { Ok(()) } else { Err("it is of another chain".to_owned()) };
        };
        // The frontier has the last block's hash, too.
        let Header { genesis, height, active_height, .. } = *last;
        let parent = Parent { genesis, height, hash: *hash, active_height, next_history: self.frontier.root() };
        header.check_follows(&parent).map_err(|error| error.to_string())
    }

    /// The slashes up to a height, this one included; `None`: not all are known.
    pub(super) fn slashes(&self, height: u64) -> Option<Vec<Operation>> {
        let slashes = self.slashes.as_ref()?.iter();
        Some(slashes.take_while(|(at, _)| *at <= height).map(|(_, slash)| slash.clone()).collect())
    }

    /// Whether the chain may be followed to a height for a proof.
    pub(super) fn may_be_followed(&self, height: u64) -> bool {
        self.followed_max.is_some_and(|last| height <= last)
    }

    /// The leaves of some heights that lie side by side, read again from where the first of them stands.
    pub(super) fn leaves<L: Log>(
        &self,
        log: &L,
        clock: &dyn Clock,
        first: (u64, Offset),
        count: usize,
    ) -> Result<Vec<Hash>> {
        let reader = Reader::new(log, clock, CLIENT_ID).prefetching(PREFETCH_BYTES).expecting_topics();
        let (height, offset) = first;
        let extent = Extent { partition: self.partition.clone(), first: offset, end: self.next_offset };
        let mut leaves = Vec::with_capacity(count);
        reader.read_to(&[extent], |_, records| {
            for record in records {
                let (Some(found), Some(value)) = (Block::height_of_key(record.key), record.value) else { continue };
                let Some(header) = header_of(value).ok().filter(|_| found == height + leaves.len() as u64) else {
                    continue;
                };
                leaves.push(merkle::leaf(header.hash().as_bytes()));
                if leaves.len() == count {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(leaves)
    }

    /// What it means that the leaves of a tile are not those that were read before.
    pub(super) fn altered() -> Error {
        Error::new(Class::Retry, "the topic does not hold the blocks any more that it held")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chain::{Rendering, arbitrary};

    proptest! {
        #[test]
        fn a_header_is_read_from_the_beginning_of_a_block_whatever_texts_are_in_it(block in arbitrary::block()) {
            let json = block.to_json();
            prop_assert_eq!(header_of(json.as_bytes()), Ok(block.header));
            let cut = json.replacen("},\"hash\":\"", "}", 1);
            for other in [&json[1..], &json[..100], &cut, "", "{\"header\":"] {
                prop_assert!(header_of(other.as_bytes()).is_err(), "{}", other);
            }
        }
    }
}
