//! Which records a block takes from the log, and whether they go on where the blocks before ended.

use crate::chain::{Entry, Origin, Range, check};
use crate::ledger::Replica;
use crate::ledger::state::{Changes, Covered, Table, coverage_key, to_record};

/// The stretches of the log that a block covers.
pub(in crate::ledger) struct Stretches {
    /// By partition, as the header lists them.
    pub(super) ranges: Vec<Range>,
    /// The last record of each.
    pub(super) covered: Vec<(i32, Covered)>,
}

impl Stretches {
    /// Of the entries of the next block. Refuses places and times that no log has, offsets that do not ascend within a
    /// partition, and records that are in a block already.
    pub(in crate::ledger) fn new(replica: &Replica, entries: &[Entry]) -> Result<Self, String> {
        let stretches = check::stretches(entries).map_err(|misplaced| misplaced.to_string())?;
        let (mut ranges, mut covered) = (Vec::new(), Vec::new());
        for (range, last) in stretches {
            let Range { partition, first, .. } = range;
            if let Some(before) = replica.covered(partition).filter(|before| first <= before.offset) {
                let before = before.offset;
                return Err(format!("partition {partition}: offset {first}, but {before} is in a block already"));
            }
            let Origin { offset, timestamp_ms, .. } = last.origin;
            ranges.push(range);
            covered.push((partition, Covered { offset, timestamp_ms, original: last.original }));
        }
        Ok(Self { ranges, covered })
    }

    pub(super) fn write_changes(&self, changes: &mut Changes) {
        for (partition, covered) in &self.covered {
            changes.put(Table::Coverage, &coverage_key(*partition), &to_record(covered));
        }
    }
}
