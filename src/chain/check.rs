//! Whether a block agrees with itself and with the one before. State and seals are not looked at.

use std::collections::{BTreeMap, btree_map};

use super::block::Block;
use super::entry::{Entry, Origin, TIMESTAMP_MS_MAX};
use super::frontier::Frontier;
use super::hash::Hash;
use super::header::{Author, Cut, Header, Range};
use super::json::Pruned;
use super::operation::Operation;
use super::{Error, Result, merkle};

/// The Merkle root of a block's entries.
#[must_use]
pub fn transactions_root(entries: &[Entry]) -> Hash {
    merkle::root(merkle::leaves(entries))
}

/// The Merkle root of a block's operations.
#[must_use]
pub fn operations_root(operations: &[Operation]) -> Hash {
    merkle::root(merkle::leaves(operations))
}

/// The stretches of the log that entries cover: by partition, as a header lists them, each with its last entry. Refuses
/// places and times that no log has, and offsets that do not ascend within a partition; between partitions any order
/// goes.
pub fn stretches(entries: &[Entry]) -> Result<Vec<(Range, &Entry)>, Misplaced> {
    let mut stretches: BTreeMap<i32, (Range, &Entry)> = BTreeMap::new();
    for entry in entries {
        let Origin { partition, offset, timestamp_ms } = entry.origin;
        let misplaced = |field, detail| Err(Misplaced { field, detail });
        if partition < 0 || offset < 0 {
            let detail = format!("partition {partition} offset {offset}: no log has such a place");
            return misplaced("transactions.offset", detail);
        }
        if timestamp_ms.unsigned_abs() > TIMESTAMP_MS_MAX.unsigned_abs() {
            let detail = format!("timestamp {timestamp_ms}: at most {TIMESTAMP_MS_MAX} from 1970");
            return misplaced("transactions.timestamp_ms", detail);
        }
        match stretches.entry(partition) {
            btree_map::Entry::Vacant(new) => {
                new.insert((Range { partition, first: offset, last: offset, count: 1 }, entry));
            }
            btree_map::Entry::Occupied(known) => {
                let (range, last) = known.into_mut();
                if offset <= range.last {
                    let detail = format!("partition {partition}: offset {offset} stands after offset {}", range.last);
                    return misplaced("transactions.offset", detail);
                }
                range.last = offset;
                range.count += 1;
                *last = entry;
            }
        }
    }
    Ok(stretches.into_values().collect())
}

/// Entries that do not stand as records of a log do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Misplaced {
    /// The path of the field.
    pub field: &'static str,
    /// What stands where.
    pub detail: String,
}

/// What a block must follow: the block before, and the blocks before that one.
#[derive(Clone, Copy, Debug)]
pub struct Parent {
    /// The chain: its genesis hash.
    pub genesis: Hash,
    /// The height of the block before.
    pub height: u64,
    /// Its hash.
    pub hash: Hash,
    /// Its active height.
    pub active_height: u64,
    /// The root over the hashes of all blocks up to this one, which the next header carries.
    pub next_history: Hash,
}

impl Parent {
    /// As the block's own header says it. `history` is the frontier over the hashes of the blocks before it, whose root
    /// that header carries.
    #[must_use]
    pub fn of(header: &Header, hash: Hash, history: &Frontier) -> Self {
        let Header { genesis, height, active_height, .. } = *header;
        let next_history = history.with(merkle::leaf(hash.as_bytes())).root();
        Self { genesis, height, hash, active_height, next_history }
    }
}

impl Block {
    /// Whether the block's hash is its header's, and the header what the body says: roots, ranges, places that a log
    /// has, ascending within a partition, extensions; for block 0 the genesis and what follows from it, for every other
    /// block a seal.
    pub fn check(&self) -> Result<()> {
        let header = &self.header;
        header.check()?;
        self.equal("hash", &self.hash, &header.hash())?;
        self.equal("header.transactions_root", &header.transactions_root, &transactions_root(&self.entries))?;
        self.equal("header.operations_root", &header.operations_root, &operations_root(&self.operations))?;
        self.check_entries()?;
        match (&self.genesis, &self.seal, header.height) {
            (Some(genesis), None, 0) => {
                genesis.validate()?;
                let expected = genesis.block(header.state_root);
                self.equal("header.genesis", &header.genesis, &expected.header.genesis)?;
                self.equal("header", &self.hash, &expected.hash)
            }
            (None, Some(_), 1..) => Ok(()),
            (_, _, 0) => Err(self.wrong("genesis", "block 0 has a genesis and no seal")),
            _ => Err(self.wrong("seal", "every block but block 0 has a seal and no genesis")),
        }
    }

    /// Whether the block may stand right after its parent: its header ([`Header::check_follows`]), and whether it
    /// counts as active exactly if a transaction in it was applied.
    pub fn check_follows(&self, parent: &Parent) -> Result<()> {
        self.header.check_follows(parent)?;
        let expected = parent.active_height.saturating_add(u64::from(self.is_active()));
        if self.header.active_height != expected {
            let detail = format!("{}, its transactions make it {expected}", self.header.active_height);
            return Err(self.wrong("header.active_height", detail));
        }
        Ok(())
    }

    /// Whether the entries stand at places and times that a log has, in ascending offsets by partition.
    fn check_entries(&self) -> Result<()> {
        let stretches = stretches(&self.entries).map_err(|Misplaced { field, detail }| self.wrong(field, detail))?;
        let (found, expected) = (self.header.ranges.iter(), stretches.iter().map(|(range, _)| range));
        let Some((same, found, expected)) = first_difference(found, expected) else { return Ok(()) };
        let show = |range: Option<&Range>| range.map_or_else(|| "nothing".to_owned(), |range| format!("{range:?}"));
        let (found, expected) = (show(found), show(expected));
        let detail = format!("number {same}: the header says {found}, the entries {expected}");
        Err(self.wrong("header.ranges", detail))
    }

    fn equal(&self, field: &'static str, found: &Hash, expected: &Hash) -> Result<()> {
        self.header.equal(field, found, expected)
    }

    fn wrong(&self, field: &'static str, detail: impl Into<String>) -> Error {
        self.header.wrong(field, detail)
    }
}

impl Pruned {
    /// Whether the hash is the header's, of a header that this program can judge. What the body was, nothing here can
    /// tell. Whether it stands in its place: [`Header::check_follows`].
    pub fn check(&self) -> Result<()> {
        self.header.check()?;
        if self.header.height == 0 {
            return Err(self.header.wrong("transactions", "block 0 is never pruned"));
        }
        self.header.equal("hash", &self.hash, &self.header.hash())
    }
}

impl Header {
    /// Whether this program can judge the header at all: version, hash algorithm, extensions. What only a newer program
    /// knows is [`Error::Newer`].
    pub fn check(&self) -> Result<()> {
        if self.version > Self::VERSION {
            return Err(Error::newer_version(self.height, u64::from(self.version)));
        }
        if self.version == 0 {
            return Err(self.wrong("header.version", "0: versions count from 1"));
        }
        if self.hash_algorithm != Self::SHA_256 {
            let known = format!("{} (SHA-256)", Self::SHA_256);
            return Err(self.newer("header.hash_algorithm", self.hash_algorithm.to_string(), known));
        }
        if (self.cut == Cut::Genesis) != (self.height == 0) {
            return Err(self.wrong("header.cut", format!("{} at height {}", self.cut, self.height)));
        }
        if (self.author == Author::Genesis) != (self.height == 0) {
            return Err(self.wrong("header.author", "block 0 has the genesis as its author, and no other block has"));
        }
        if self.extensions.windows(2).any(|pair| pair[0].id >= pair[1].id) {
            return Err(self.wrong("header.extensions", "not in ascending order of ids"));
        }
        // No extension is known yet.
        if let Some(critical) = self.extensions.iter().find(|extension| extension.critical) {
            return Err(self.newer("header.extensions", format!("critical {}", critical.id), "none".to_owned()));
        }
        Ok(())
    }

    /// Whether the header may stand right after a block: chain, height, parent and history are what follows from it,
    /// the active height is the same or one more.
    pub fn check_follows(&self, parent: &Parent) -> Result<()> {
        if Some(self.height) != parent.height.checked_add(1) {
            return Err(self.wrong("header.height", format!("it follows height {}", parent.height)));
        }
        self.equal("header.genesis", &self.genesis, &parent.genesis)?;
        self.equal("header.parent", &self.parent, &parent.hash)?;
        self.equal("header.history", &self.history, &parent.next_history)?;
        if !matches!(self.active_height.checked_sub(parent.active_height), Some(0 | 1)) {
            let detail = format!("{} follows {}", self.active_height, parent.active_height);
            return Err(self.wrong("header.active_height", detail));
        }
        Ok(())
    }

    fn equal(&self, field: &'static str, found: &Hash, expected: &Hash) -> Result<()> {
        if found == expected {
            return Ok(());
        }
        Err(self.wrong(field, format!("it says {found}, the rest of the chain gives {expected}")))
    }

    fn wrong(&self, field: &'static str, detail: impl Into<String>) -> Error {
        Error::Block { height: self.height, field, detail: detail.into() }
    }

    fn newer(&self, field: &'static str, found: String, known: String) -> Error {
        Error::Newer { height: self.height, field, found, known }
    }
}

/// The first place at which two lists differ, with what stands there; `None` where they are the same.
fn first_difference<'a, T: PartialEq>(
    one: impl Iterator<Item = &'a T>,
    other: impl Iterator<Item = &'a T>,
) -> Option<(usize, Option<&'a T>, Option<&'a T>)> {
    let (mut one, mut other) = (one.fuse(), other.fuse());
    (0..).map(|place| (place, one.next(), other.next())).find_map(|(place, one, other)| match (one, other) {
        (None, None) => Some(None),
        (one, other) => (one != other).then_some(Some((place, one, other))),
    })?
}
