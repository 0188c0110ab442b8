//! Which offset has a height: heights ascend with offsets, but not one by one, for markers of transactions and other
//! people's records lie between.

use topology::log::Offset;

/// Where the search may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) offset: Offset,
    pub(super) height: u64,
}

/// Finds the offset of a height. `low` is a block at or before it; from `end` on there is nothing below `end_height`,
/// which lies behind it. `probe` answers the first block at or behind an offset.
///
/// Guesses in proportion and halves in turn, so that it takes a few probes where blocks lie evenly, and a logarithm of
/// them where they do not.
pub(super) fn search<E>(
    target: u64,
    mut low: Known,
    mut end: Known,
    mut probe: impl FnMut(Offset) -> Result<Option<Known>, E>,
) -> Result<Option<Offset>, E> {
    let mut guesses = true;
    loop {
        if low.height == target {
            return Ok(Some(low.offset));
        }
        // Before low there is nothing of interest, between low and end there may be.
        if target < low.height || target >= end.height || end.offset - low.offset <= 1 {
            return Ok(None);
        }
        let at = if guesses { in_proportion(target, low, end) } else { low.offset + (end.offset - low.offset) / 2 };
        guesses = !guesses;
        let at = at.clamp(low.offset + 1, end.offset - 1);
        match probe(at)? {
            Some(found) if found.height == target => return Ok(Some(found.offset)),
            Some(found) if found.height < target && found.offset < end.offset => low = found,
            // What is behind `at` is too high, or nothing.
            found => {
                let height = found.map_or(end.height, |found| found.height.min(end.height));
                end = Known { offset: at, height: height.max(target + 1) };
            }
        }
    }
}

fn in_proportion(target: u64, low: Known, end: Known) -> Offset {
    let (offsets, heights) = (i128::from(end.offset - low.offset), i128::from(end.height - low.height));
    let guess = i128::from(low.offset) + offsets * i128::from(target - low.height) / heights.max(1);
    i64::try_from(guess).unwrap_or(low.offset)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Blocks of ascending heights at these offsets.
    fn look(offsets: &[Offset], first: u64, target: u64) -> (Option<Offset>, usize) {
        let known = |place: usize| Known { offset: offsets[place], height: first + place as u64 };
        let end = Known { offset: offsets[offsets.len() - 1] + 1, height: first + offsets.len() as u64 };
        let mut probes = 0;
        let found = search(target, known(0), end, |at| {
            probes += 1;
            let place = offsets.partition_point(|offset| *offset < at);
            Ok::<_, ()>((place < offsets.len()).then(|| known(place)))
        });
        (found.unwrap(), probes)
    }

    #[test]
    fn blocks_that_lie_evenly_take_a_few_probes() {
        let offsets: Vec<Offset> = (0..1_000_000).map(|place| place * 2).collect();
        for target in [0, 1, 77_777, 500_000, 999_999] {
            let (found, probes) = look(&offsets, 0, target);
            assert_eq!(found, Some(target as i64 * 2));
            assert!(probes <= 3, "{probes}");
        }
        assert_eq!(look(&offsets, 0, 1_000_000).0, None);
    }

    proptest! {
        #[test]
        fn every_height_is_found_wherever_blocks_lie_and_no_other(
            gaps in proptest::collection::vec(prop_oneof![1..3_i64, 1..5_000_i64], 1..200),
            first in 0..50_u64,
        ) {
            let offsets: Vec<Offset> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            for (place, offset) in offsets.iter().enumerate() {
                let (found, probes) = look(&offsets, first, first + place as u64);
                prop_assert_eq!(found, Some(*offset));
                prop_assert!(probes < 50);
            }
            prop_assert_eq!(look(&offsets, first, first + offsets.len() as u64).0, None);
            prop_assert_eq!(look(&offsets, first, first.wrapping_sub(1)).0, None);
        }
    }
}
