//! What to do with the segments of a task: a function of their sizes.

use std::ops::Range;

use super::run::Run;

/// What a folder does with a task's segments, which are numbered from the oldest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Work {
    /// Nothing yet.
    Nothing,
    /// Makes one of these.
    Merge(Range<usize>),
    /// Writes so many, from the oldest on, to the backend.
    Write(usize),
}

/// A reader looks into every segment, so there are not many for long.
pub(in crate::store) const SEGMENT_COUNT_MAX: usize = 8;
/// More are not made one. (A single segment may be larger: what a processor wrote between two commits.)
const MERGED_BYTES_MAX: usize = Run::BYTES_MAX / 4;

/// Decides, by `sizes` in bytes, oldest first.
///
/// A key that is written all the time is to reach the backend once: so segments are merged in memory first, and written
/// when what is left is large. A merge costs in proportion to its input, so a large segment is merged only with what
/// came since and is as large, and each write is copied a bounded number of times.
pub(in crate::store) fn plan(sizes: &[usize], fold_bytes: usize, must_write: bool) -> Work {
    let total: usize = sizes.iter().sum();
    let Some(&oldest) = sizes.first() else { return Work::Nothing };
    if must_write {
        return Work::Write(within_bound(sizes));
    }
    if total >= fold_bytes {
        // Merged already and still large, or else not merged yet.
        let write = sizes.len() == 1 || oldest >= fold_bytes / 2;
        let count = within_bound(sizes);
        return if write || count == 1 { Work::Write(count) } else { Work::Merge(0..count) };
    }
    if sizes.len() > SEGMENT_COUNT_MAX { Work::Merge(newest(sizes)..sizes.len()) } else { Work::Nothing }
}

/// How many of the oldest may be handled at once: at least one.
fn within_bound(sizes: &[usize]) -> usize {
    let mut total: usize = 0;
    let fits = |size: &&usize| {
        total = total.saturating_add(**size);
        total <= MERGED_BYTES_MAX
    };
    sizes.iter().take_while(fits).count().max(1)
}

/// Where the newest segments begin that are to become one: at least two, and those before that are smaller than the
/// sum.
fn newest(sizes: &[usize]) -> usize {
    let (mut first, mut sum) = (sizes.len(), 0);
    for (at, size) in sizes.iter().enumerate().rev() {
        if sizes.len() - at > 2 && *size >= sum {
            break;
        }
        first = at;
        sum += size;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_segments_wait_then_are_merged_and_large_ones_are_written() {
        assert_eq!(plan(&[], 100, true), Work::Nothing);
        assert_eq!(plan(&[5; 8], 100, false), Work::Nothing);
        assert_eq!(plan(&[5; 9], 100, false), Work::Merge(0..9));
        assert_eq!(plan(&[40, 1, 1, 1, 1, 1, 1, 1, 1], 100, false), Work::Merge(1..9), "the large one is left alone");
        assert_eq!(plan(&[20; 5], 100, false), Work::Merge(0..5), "most may be the same keys");
        assert_eq!(plan(&[60, 40], 100, false), Work::Write(2));
        assert_eq!(plan(&[100], 100, false), Work::Write(1));
        assert_eq!(plan(&[1, 1], 100, true), Work::Write(2));
        assert_eq!(plan(&[1], 0, false), Work::Write(1), "without a bound each commit is written");
        assert_eq!(plan(&[MERGED_BYTES_MAX, 9], 100, true), Work::Write(1), "no run becomes too long");
        assert_eq!(plan(&[2 * MERGED_BYTES_MAX, 9], 100, true), Work::Write(1));
    }

    proptest! {
        /// Merges at their worst, where no key comes twice: copies stay in proportion to writes.
        #[test]
        fn a_write_is_copied_a_bounded_number_of_times(commits in prop::collection::vec(1usize..2_000, 1..400)) {
            let (mut sizes, mut copied, mut written, mut all) = (Vec::<usize>::new(), 0, 0, 0);
            for commit in commits {
                sizes.push(commit);
                all += commit;
                loop {
                    match plan(&sizes, 20_000, false) {
                        Work::Nothing => break,
                        Work::Merge(range) => {
                            prop_assert!(range.len() > 1);
                            let sum: usize = sizes[range.clone()].iter().sum();
                            copied += sum;
                            sizes.splice(range, [sum]);
                        }
                        Work::Write(count) => written += sizes.drain(..count).sum::<usize>(),
                    }
                }
                prop_assert!(sizes.len() <= SEGMENT_COUNT_MAX && sizes.iter().sum::<usize>() < 20_000);
            }
            prop_assert_eq!(written + sizes.iter().sum::<usize>(), all);
            prop_assert!(copied <= 5 * all, "{} copied of {}", copied, all);
        }
    }
}
