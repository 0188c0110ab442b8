//! Whether a block agrees with itself and with the one before. State and seals are not looked at.

use std::collections::BTreeMap;

use super::block::{Block, Content, Entry};
use super::hash::Hash;
use super::header::{Cut, Header, Range};
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

/// The ranges of a header, from the entries of its block.
#[must_use]
pub fn ranges(entries: &[Entry]) -> Vec<Range> {
    let mut ranges = BTreeMap::new();
    for Entry { origin, .. } in entries {
        let (partition, offset) = (origin.partition, origin.offset);
        let new = Range { partition, first: offset, last: offset, count: 0 };
        let range: &mut Range = ranges.entry(partition).or_insert(new);
        range.last = offset;
        range.count += 1;
    }
    ranges.into_values().collect()
}

/// Whether the offsets of each partition ascend, and if not, where. Between partitions any order goes.
pub fn ascending(entries: &[Entry]) -> Result<(), String> {
    let mut last = BTreeMap::new();
    for Entry { origin, .. } in entries {
        let (partition, offset) = (origin.partition, origin.offset);
        if let Some(previous) = last.insert(partition, offset)
            && previous >= offset
        {
            return Err(format!("partition {partition}: offset {offset} stands after offset {previous}"));
        }
    }
    Ok(())
}

impl Block {
    /// Whether the block's hash is its header's, and the header what the body says: roots, ranges, offsets that a log has,
    /// ascending within a partition, extensions; for block 0 the genesis and what follows from it, for every other block a seal.
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
                self.equal("header.parent", &header.parent, &expected.header.parent)?;
                self.equal("header", &self.hash, &expected.hash)
            }
            (None, Some(_), 1..) => Ok(()),
            (_, _, 0) => Err(self.wrong("genesis", "block 0 has a genesis and no seal")),
            _ => Err(self.wrong("seal", "every block but block 0 has a seal and no genesis")),
        }
    }

    /// Whether the entries stand at places that a log has, in ascending offsets by partition, and stubs name the hash of the
    /// value once.
    fn check_entries(&self) -> Result<()> {
        for Entry { origin, original, content } in &self.entries {
            if origin.partition < 0 || origin.offset < 0 {
                let detail =
                    format!("partition {} offset {}: no log has such a place", origin.partition, origin.offset);
                return Err(self.wrong("transactions.offset", detail));
            }
            if let Content::Stub { value, .. } = content {
                self.equal("transactions.stub.value", value, original)?;
            }
        }
        ascending(&self.entries).map_err(|detail| self.wrong("transactions.offset", detail))?;
        let expected = ranges(&self.entries);
        if self.header.ranges != expected {
            let detail = format!("the header says {:?}, the entries {expected:?}", self.header.ranges);
            return Err(self.wrong("header.ranges", detail));
        }
        Ok(())
    }

    fn equal(&self, field: &'static str, found: &Hash, expected: &Hash) -> Result<()> {
        if found == expected {
            return Ok(());
        }
        Err(self.wrong(field, format!("it says {found}, the rest of the block gives {expected}")))
    }

    fn wrong(&self, field: &'static str, detail: impl Into<String>) -> Error {
        Error::Block { height: self.header.height, field, detail: detail.into() }
    }
}

impl Header {
    /// Whether this program can judge the header at all: version, hash algorithm, extensions.
    pub fn check(&self) -> Result<()> {
        let wrong = |field, detail: String| Err(Error::Block { height: self.height, field, detail });
        if self.version != Self::VERSION {
            return wrong("header.version", format!("{}, this program knows {}", self.version, Self::VERSION));
        }
        if self.hash_algorithm != Self::SHA_256 {
            let detail = format!("{}, this program knows {} (SHA-256)", self.hash_algorithm, Self::SHA_256);
            return wrong("header.hash_algorithm", detail);
        }
        if (self.cut == Cut::Genesis) != (self.height == 0) {
            return wrong("header.cut", format!("{} at height {}", self.cut, self.height));
        }
        if self.extensions.windows(2).any(|pair| pair[0].id >= pair[1].id) {
            return wrong("header.extensions", "not in ascending order of ids".to_owned());
        }
        // No extension is known yet.
        if let Some(critical) = self.extensions.iter().find(|extension| extension.critical) {
            let detail = format!("critical extension {} is not known to this program", critical.id);
            return wrong("header.extensions", detail);
        }
        Ok(())
    }

    /// Whether the header may stand right after another one.
    pub fn check_follows(&self, parent: &Header) -> Result<()> {
        let wrong = |field, detail: String| Err(Error::Block { height: self.height, field, detail });
        if Some(self.height) != parent.height.checked_add(1) {
            return wrong("header.height", format!("it follows height {}", parent.height));
        }
        let expected = parent.hash();
        if self.parent != expected {
            let detail = format!("it says {}, block {} has the hash {expected}", self.parent, parent.height);
            return wrong("header.parent", detail);
        }
        if self.chain_id != parent.chain_id {
            return wrong("header.chain_id", format!("`{}` follows `{}`", self.chain_id, parent.chain_id));
        }
        Ok(())
    }
}

/// Which offsets of each partition blocks have covered so far: each block must go on after the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    last: BTreeMap<i32, i64>,
}

impl Coverage {
    /// The last offset covered of a partition.
    #[must_use]
    pub fn last(&self, partition: i32) -> Option<i64> {
        self.last.get(&partition).copied()
    }

    /// Takes in the next block's ranges; refuses, and changes nothing, if one goes back.
    pub fn extend(&mut self, header: &Header) -> Result<()> {
        for range in &header.ranges {
            if let Some(last) = self.last(range.partition).filter(|last| range.first <= *last) {
                let partition = range.partition;
                let detail = format!("partition {partition} goes back to {}, {last} was covered before", range.first);
                return Err(Error::Block { height: header.height, field: "header.ranges", detail });
            }
        }
        self.last.extend(header.ranges.iter().map(|range| (range.partition, range.last)));
        Ok(())
    }
}
