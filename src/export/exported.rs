//! What a round of an export has published.

use super::range::Finished;
use super::table::Table;
use crate::chain::Hash;

/// What a round has published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The first and the last height; `None`: there was nothing new.
    pub heights: Option<(u64, u64)>,
    /// The hash of the last height's block.
    pub block_hash: Option<Hash>,
    /// Rows and bytes of each table, in the order of [`Table::ALL`].
    pub tables: [(u64, u64); Table::ALL.len()],
    /// Files, over all tables.
    pub file_count: u64,
    /// Records met on the topic that are not the chain's: their key is no height.
    pub foreign_count: u64,
}

impl Exported {
    /// Counts another round in.
    pub fn add(&mut self, other: &Self) {
        if let Some((first, last)) = other.heights {
            self.heights = Some((self.heights.map_or(first, |(first, _)| first), last));
            self.block_hash = other.block_hash;
        }
        for (table, (rows, bytes)) in self.tables.iter_mut().zip(other.tables) {
            *table = (table.0 + rows, table.1 + bytes);
        }
        self.file_count += other.file_count;
        self.foreign_count += other.foreign_count;
    }

    pub(super) fn add_range(&mut self, range: &Finished) {
        let mut tables = [(0, 0); Table::ALL.len()];
        for (table, size) in tables.iter_mut().zip(&range.sizes) {
            *table = (size.rows, size.bytes);
        }
        self.add(&Self {
            heights: Some((range.first_height, range.last_height)),
            block_hash: Some(range.block_hash),
            tables,
            file_count: range.sizes.len() as u64,
            foreign_count: 0,
        });
    }
}
