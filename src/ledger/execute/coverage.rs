//! Which records a block takes from the log, and whether they go on where the blocks before ended.

use std::collections::BTreeMap;

use crate::chain::{Entry, Range, TIMESTAMP_MS_MAX};
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
        let mut stretches: BTreeMap<i32, (Range, Covered)> = BTreeMap::new();
        for Entry { origin, original, .. } in entries {
            let (partition, offset, timestamp_ms) = (origin.partition, origin.offset, origin.timestamp_ms);
            if partition < 0 || offset < 0 {
                return Err(format!("partition {partition} offset {offset}: no log has such a place"));
            }
            if timestamp_ms.unsigned_abs() > TIMESTAMP_MS_MAX.unsigned_abs() {
                return Err(format!("timestamp {timestamp_ms}: at most {TIMESTAMP_MS_MAX} from 1970"));
            }
            let covered = Covered { offset, timestamp_ms, original: *original };
            let (range, last) = match stretches.entry(partition) {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(new) => {
                    if let Some(before) = replica.covered(partition).filter(|before| offset <= before.offset) {
                        let before = before.offset;
                        return Err(format!(
                            "partition {partition}: offset {offset}, but {before} is in a block already"
                        ));
                    }
                    let range = Range { partition, first: offset, last: offset, count: 1 };
                    new.insert((range, covered));
                    continue;
                }
            };
            if offset <= range.last {
                let before = range.last;
                return Err(format!("partition {partition}: offset {offset} stands after offset {before}"));
            }
            range.last = offset;
            range.count += 1;
            *last = covered;
        }
        let (ranges, covered) =
            stretches.into_iter().map(|(partition, (range, covered))| (range, (partition, covered))).unzip();
        Ok(Self { ranges, covered })
    }

    pub(super) fn write_changes(&self, changes: &mut Changes) {
        for (partition, covered) in &self.covered {
            changes.put(Table::Coverage, &coverage_key(*partition), &to_record(covered));
        }
    }
}
