//! What a header says of the places of its block's entries.

use std::collections::BTreeMap;

use cairn::chain::{Entry, Origin, Range};

/// The ranges of a header whose block has these entries, wherever they stand.
pub(crate) fn ranges(entries: &[Entry]) -> Vec<Range> {
    let mut ranges = BTreeMap::new();
    for Entry { origin: Origin { partition, offset, .. }, .. } in entries {
        let new = Range { partition: *partition, first: *offset, last: *offset, count: 0 };
        let range: &mut Range = ranges.entry(*partition).or_insert(new);
        range.last = *offset;
        range.count += 1;
    }
    ranges.into_values().collect()
}
