//! A block: a stretch of the log, what became of it, and who vouches for it.

use super::entry::Entry;
use super::genesis::Genesis;
use super::hash::Hash;
use super::header::Header;
use super::operation::Operation;
use super::seal::Seal;

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The header's hash.
    pub hash: Hash,
    /// Who vouches for it; block 0 alone has none.
    pub seal: Option<Seal>,
    /// The records of the stretch, in order.
    pub entries: Vec<Entry>,
    /// What else changed state, in order.
    pub operations: Vec<Operation>,
    /// The genesis; block 0 alone has one.
    pub genesis: Option<Genesis>,
}

impl Block {
    /// The key of the block's record: its height in decimal.
    #[must_use]
    pub fn key(&self) -> String {
        self.header.height.to_string()
    }

    /// Whether at least one transaction in it was applied: then it counts as an active height.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.entries.iter().any(Entry::is_applied)
    }
}
