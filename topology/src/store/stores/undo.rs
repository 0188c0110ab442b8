//! Taking back the writes of one input record, which a processor could not process to its end.
//!
//! ```text
//!   begin_undoable ──> put, delete, ... ──┬── end_undoable   the writes stay, uncommitted
//!                                         └── undo           they were never made
//! ```
//! For each write it is noted whether its key was written before, uncommitted, and with what; taken backwards, that
//! restores what was written. Nothing is read for it.

use super::{Causes, NO_CAUSE, Stores};
use crate::store::error::Result;
use crate::store::layers::empty;

/// What writes replaced, in their order.
#[derive(Debug)]
pub(super) struct Undo {
    is_on: bool,
    writes: Vec<Replaced>,
    bytes: Vec<u8>,
    causes: Causes,
}

/// Where keys and values lie in `bytes`.
type Span = (usize, usize);

#[derive(Debug)]
struct Replaced {
    store: usize,
    hash: u64,
    key: Span,
    /// `None`: the key was not written since the commit. `Some(None)`: it was deleted.
    before: Option<Option<Span>>,
}

impl Default for Undo {
    fn default() -> Self {
        Self { is_on: false, writes: Vec::new(), bytes: Vec::new(), causes: NO_CAUSE }
    }
}

impl Stores {
    /// What is written from now on can be taken back with [`Stores::undo`], until [`Stores::end_undoable`].
    pub(crate) fn begin_undoable(&mut self) {
        self.undo.is_on = true;
        self.undo.causes = self.causes;
    }

    /// What was written stays, uncommitted.
    pub(crate) fn end_undoable(&mut self) {
        self.undo.is_on = false;
        // A record that writes much is rare.
        empty(&mut self.undo.writes);
        empty(&mut self.undo.bytes);
    }

    /// What was written since [`Stores::begin_undoable`] was never written.
    pub(crate) fn undo(&mut self) -> Result<()> {
        let Self { undo, slots, .. } = self;
        let bytes = |(start, end): Span| &undo.bytes[start..end];
        for Replaced { store, hash, key, before } in undo.writes.iter().rev() {
            if let Some(slot) = slots.get_mut(*store) {
                slot.latest.put_back(*hash, bytes(*key), before.map(|before| before.map(bytes)))?;
            }
        }
        self.causes = self.undo.causes;
        self.end_undoable();
        Ok(())
    }

    /// A write is about to be made.
    #[inline]
    pub(super) fn note_replaced(&mut self, store: usize, hash: u64, key: &[u8]) {
        if self.undo.is_on {
            self.note(store, hash, key);
        }
    }

    fn note(&mut self, store: usize, hash: u64, key: &[u8]) {
        let Self { undo, slots, .. } = self;
        let Some(slot) = slots.get(store) else { return };
        let bytes = &mut undo.bytes;
        let mut copy = |from: &[u8]| {
            let start = bytes.len();
            bytes.extend_from_slice(from);
            (start, bytes.len())
        };
        let key_span = copy(key);
        let before = slot.latest.written(hash, key).map(|before| before.map(&mut copy));
        undo.writes.push(Replaced { store, hash, key: key_span, before });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::StoreOptions;
    use crate::store::backends::{Bounds, Direction};
    use crate::store::folding::Resources;
    use crate::store::spec::{Medium, Spec};
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;

    fn resources() -> Resources {
        Resources::without_thread(StoreOptions::default())
    }

    /// Which store, which key, its value.
    type Write = (usize, u8, Option<Vec<u8>>);

    fn write(stores: &mut Stores, (store, key, value): &Write) {
        match value {
            Some(value) => stores.put(*store, &[*key], value).unwrap(),
            None => stores.delete(*store, &[*key]).unwrap(),
        }
    }

    fn content(stores: &mut Stores, store: usize) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut visit = |key: &[u8], value: &[u8]| {
            found.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        };
        stores.range(store, Bounds::ALL, Direction::Forward, &mut visit).unwrap();
        found
    }

    fn changelog(stores: &mut Stores) -> Vec<(usize, Vec<u8>, Option<Vec<u8>>)> {
        let mut records = Vec::new();
        let taken: Result<(), ()> = stores.changelog_records(|record| {
            records.push((record.store, record.key.to_vec(), record.value.map(<[u8]>::to_vec)));
            Ok(())
        });
        taken.unwrap();
        records
    }

    fn writes() -> impl Strategy<Value = Vec<Write>> {
        prop::collection::vec((0..2_usize, 0..12_u8, prop::option::of(prop::collection::vec(any::<u8>(), 0..9))), 0..12)
    }

    #[test]
    fn what_is_undone_takes_no_memory() {
        let specs = vec![Spec::new("a", Medium::Memory).unwrap().without_changelog()];
        let mut stores = Stores::in_memory(specs, [0; 32], &resources()).unwrap();
        for key in 0..100_000_u32 {
            stores.begin_undoable();
            stores.put(0, &key.to_be_bytes(), &[7; 1_000]).unwrap();
            stores.undo().unwrap();
        }
        assert_eq!(stores.uncommitted_bytes(), 0);
        let (size_bytes, max_bytes) = (stores.slots[0].latest.taken_bytes(), resources().budget().table_bytes);
        assert!(size_bytes <= 2 * max_bytes, "{size_bytes}");
    }

    proptest! {
        #[test]
        fn what_is_undone_was_never_written(
            groups in prop::collection::vec((writes(), any::<bool>(), any::<bool>(), any::<bool>()), 0..12)
        ) {
            let make = || {
                let specs = ["a", "b"].map(|name| Spec::new(name, Medium::Memory).unwrap());
                let mut stores = Stores::in_memory(specs.to_vec(), [0; 32], &resources()).unwrap();
                (0..2).for_each(|store| stores.begin_changelog(store, [store as u8; 16]).unwrap());
                stores
            };
            let (mut stores, mut model) = (make(), make());
            for (group, is_kept, scans, commits) in &groups {
                stores.begin_undoable();
                group.iter().for_each(|one| write(&mut stores, one));
                if *scans {
                    (0..2).for_each(|store| drop(content(&mut stores, store)));
                }
                if *is_kept {
                    stores.end_undoable();
                    group.iter().for_each(|one| write(&mut model, one));
                } else {
                    stores.undo().unwrap();
                }
                prop_assert_eq!(stores.has_uncommitted(), model.has_uncommitted());
                for store in 0..2 {
                    prop_assert_eq!(content(&mut stores, store), content(&mut model, store));
                }
                prop_assert_eq!(changelog(&mut stores), changelog(&mut model));
                if *commits {
                    for stores in [&mut stores, &mut model] {
                        stores.commit(&[(0, 1), (1, 1)], 0).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_undone_has_no_cause() {
        let specs = vec![Spec::new("a", Medium::Memory).unwrap()];
        let mut stores = Stores::in_memory(specs, [0; 32], &resources()).unwrap();
        stores.set_cause(7);
        stores.put(0, b"key", b"1").unwrap();
        stores.begin_undoable();
        stores.set_cause(8);
        stores.put(0, b"key", b"2").unwrap();
        stores.undo().unwrap();
        assert_eq!(stores.take_cause(), Some(7));
    }
}
