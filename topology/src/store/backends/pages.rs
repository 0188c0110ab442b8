//! A sorted map as immutable pages: a new version shares with the old one what did not change.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::backend::{Bounds, Direction, Visitor};
use crate::store::error::Result;
use crate::store::segments::{Merged, Run};

/// Entries in key order, cut into pages.
///
/// ```text
/// firsts   first key of page 0 | of page 1 | of page 2 | ...      one place in memory, for the search
/// pages    [ entries ]           [ entries ]  [ entries ]         each shared with older versions
/// ```
#[derive(Debug, Default)]
pub(in crate::store) struct Pages {
    firsts: Run,
    pages: Vec<Arc<Run>>,
}

/// A page is closed when it has so many bytes, and one that is smaller than half of it is joined with the next.
const PAGE_BYTES: usize = 4 << 10;

impl Pages {
    /// The value of a key.
    pub(in crate::store) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let page = self.firsts.count_below(key, true).checked_sub(1)?;
        self.pages.get(page)?.get(key).flatten()
    }

    /// Shows the visitor what lies within bounds, in this direction, until it breaks.
    pub(in crate::store) fn range(&self, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) {
        if bounds.are_empty() {
            return;
        }
        let cut = bounds.slice(self.pages.len(), |page| self.firsts.key(page));
        // The page before may reach into the bounds.
        let pages = &self.pages[cut.start.saturating_sub(1)..cut.end.max(cut.start)];
        let mut show = |page: &Arc<Run>| {
            let mut entries = page.within(bounds, direction);
            entries.try_for_each(|(key, value)| value.map_or(ControlFlow::Continue(()), |value| visitor(key, value)))
        };
        let _ = match direction {
            Direction::Forward => pages.iter().try_for_each(&mut show),
            Direction::Reverse => pages.iter().rev().try_for_each(&mut show),
        };
    }

    /// The same with writes.
    pub(in crate::store) fn with(&self, writes: &Run) -> Result<Self> {
        let mut new = Builder::default();
        let mut done = 0;
        for (number, page) in self.pages.iter().enumerate() {
            // Writes before the first page are the first page's.
            let end = match number + 1 < self.pages.len() {
                true => writes.count_below(self.firsts.key(number + 1), false),
                false => writes.len(),
            };
            if done == end && !new.joins(page)? {
                new.take_whole(page)?;
                continue;
            }
            let old = page.part(0..page.len());
            new.extend(Merged::new(vec![writes.part(done..end), old], Direction::Forward))?;
            done = end;
        }
        if self.pages.is_empty() {
            new.extend(writes.iter())?;
        }
        new.finish()
    }
}

fn is_small(page: &Run) -> bool {
    page.size_bytes() < PAGE_BYTES / 2
}

#[derive(Default)]
struct Builder {
    pages: Vec<Arc<Run>>,
    open: Run,
}

impl Builder {
    /// Whether a page must be joined with what is before it, as that is too small to stay alone; reopens it if need be.
    fn joins(&mut self, page: &Run) -> Result<bool> {
        if self.open.is_empty() && is_small(page) && self.pages.last().is_some_and(|last| is_small(last)) {
            let last = self.pages.pop();
            self.extend(last.iter().flat_map(|last| last.iter()))?;
        }
        Ok(!self.open.is_empty() && is_small(&self.open))
    }

    fn take_whole(&mut self, page: &Arc<Run>) -> Result<()> {
        self.close()?;
        self.pages.push(Arc::clone(page));
        Ok(())
    }

    fn extend<'a>(&mut self, entries: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>) -> Result<()> {
        for (key, value) in entries {
            let Some(value) = value else { continue };
            let added_bytes = key.len() + value.len() + Run::ENTRY_BYTES;
            if !self.open.is_empty() && self.open.size_bytes() + added_bytes > PAGE_BYTES {
                self.close()?;
            }
            self.open.push(key, Some(value))?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let mut page = std::mem::take(&mut self.open);
        if is_small(&page)
            && let Some(last) = self.pages.pop_if(|last| is_small(last))
        {
            page = Run::merge(&page, &last)?;
        }
        page.shrink();
        self.pages.push(Arc::new(page));
        Ok(())
    }

    fn finish(mut self) -> Result<Pages> {
        self.close()?;
        let mut firsts = Run::with_capacity(self.pages.len(), 0);
        for page in &self.pages {
            firsts.push(page.key(0), None)?;
        }
        firsts.shrink();
        Ok(Pages { firsts, pages: self.pages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::ops::Bound;

    fn owned(pages: &Pages, bounds: Bounds<'_>, direction: Direction) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        pages.range(bounds, direction, &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        });
        found
    }

    type Batch = BTreeMap<u16, Option<usize>>;

    fn batches() -> impl Strategy<Value = Vec<Batch>> {
        // Values of up to two pages, and batches that touch few or most of the keys.
        let value = prop_oneof![4 => 0usize..40, 1 => 0usize..9_000];
        prop::collection::vec(prop::collection::btree_map(0u16..600, prop::option::of(value), 0..200), 0..6)
    }

    proptest! {
        #[test]
        fn pages_answer_as_a_sorted_map_and_older_versions_stay_as_they_were(batches in batches(), from in 0u16..600, to in 0u16..600) {
            let (mut pages, mut model) = (Pages::default(), BTreeMap::<Vec<u8>, Vec<u8>>::new());
            let mut versions = Vec::new();
            for (index, batch) in batches.into_iter().enumerate() {
                let batch: Vec<_> = batch.into_iter().map(|(key, size)| (key.to_be_bytes(), size.map(|size| vec![index as u8; size]))).collect();
                pages = pages.with(&Run::new(batch.iter().map(|(key, value)| (&key[..], value.as_deref()))).unwrap()).unwrap();
                for (key, value) in batch {
                    match value {
                        Some(value) => model.insert(key.to_vec(), value),
                        None => model.remove(&key[..]),
                    };
                }
                versions.push((Pages { firsts: Run::merge(&pages.firsts, &Run::default()).unwrap(), pages: pages.pages.clone() }, model.clone()));
            }
            for (pages, model) in versions {
                let bytes: Vec<usize> = pages.pages.iter().map(|page| page.size_bytes()).collect();
                prop_assert!(bytes.windows(2).all(|pair| pair[0] + pair[1] > PAGE_BYTES / 2), "{:?}", bytes);
                for key in 0u16..600 {
                    prop_assert_eq!(pages.get(&key.to_be_bytes()), model.get(&key.to_be_bytes()[..]).map(Vec::as_slice));
                }
                let (start, end) = (from.to_be_bytes(), to.to_be_bytes());
                for bounds in [Bounds::ALL, Bounds { start: Bound::Excluded(&start[..]), end: Bound::Included(&end[..]) }] {
                    let inside = |key: &Vec<u8>| bounds == Bounds::ALL || (key[..] > start[..] && key[..] <= end[..]);
                    let mut expected: Vec<_> = model.iter().filter(|(key, _)| inside(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
                    prop_assert_eq!(&owned(&pages, bounds, Direction::Forward), &expected);
                    expected.reverse();
                    prop_assert_eq!(&owned(&pages, bounds, Direction::Reverse), &expected);
                }
            }
        }
    }
}
