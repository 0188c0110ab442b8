//! Committed values kept ready in memory, in front of a medium whose reads are slow.

use crate::store::layers::table::Table;

/// Recently read and written values of one store, absent ones included, bounded in bytes.
///
/// Two generations share the room. Entries enter the young one, and an old entry that is used enters it again; when the
/// young one is full the old one is forgotten and the young one grows old. So what is used stays, each step costs a hash
/// look-up, and nothing is freed entry by entry.
#[derive(Debug)]
pub(in crate::store) struct Cache {
    young: Table,
    old: Table,
    generation_bytes: usize,
}

impl Cache {
    /// A cache of at most `size_bytes`; 0 keeps nothing.
    pub(in crate::store) fn new(size_bytes: usize) -> Self {
        // Two generations, each of which may overshoot by its last entry, a quarter at most. An arena ends at 4 GiB.
        Self { young: Table::default(), old: Table::default(), generation_bytes: (size_bytes / 5 * 2).min(1 << 31) }
    }

    /// The committed value of a key: `Some(None)` if it is known to be absent, `None` if nothing is known.
    pub(in crate::store) fn get(&mut self, hash: u64, key: &[u8]) -> Option<Option<&[u8]>> {
        if self.generation_bytes == 0 {
            return None;
        }
        if let Some(number) = self.young.find(hash, key) {
            return Some(self.young.value(number));
        }
        let old = self.old.find(hash, key)?;
        let Ok(young) = self.young.insert(hash, key, self.old.value(old)) else {
            return Some(self.old.value(old)); // it found no room, and is forgotten early, which is no harm
        };
        if self.young.size_bytes() > self.generation_bytes {
            self.grow_old();
            return Some(self.old.value(young));
        }
        Some(self.young.value(young))
    }

    /// Notes a key's committed value, or that there is none.
    pub(in crate::store) fn set(&mut self, hash: u64, key: &[u8], value: Option<&[u8]>) {
        if self.generation_bytes == 0 {
            return;
        }
        let size = key.len().saturating_add(value.map_or(0, <[u8]>::len)).saturating_add(Table::ENTRY_BYTES);
        if size > self.generation_bytes / 4 || self.young.set(hash, key, value).is_err() {
            // Too large to be worth the room: but what is known of the key would be wrong now.
            self.clear();
        } else if self.young.size_bytes() > self.generation_bytes {
            self.grow_old();
        }
    }

    /// Forgets everything.
    pub(in crate::store) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    fn grow_old(&mut self) {
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn hash(key: u16) -> u64 {
        u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    proptest! {
        #[test]
        fn what_it_answers_is_never_stale(steps in prop::collection::vec((0u16..200, prop::option::of(0usize..60), any::<bool>()), 0..600)) {
            let mut cache = Cache::new(4_000);
            let mut model: HashMap<u16, Option<Vec<u8>>> = HashMap::new();
            for (index, (key, value, write)) in steps.into_iter().enumerate() {
                let bytes = key.to_be_bytes();
                if write {
                    let value = value.map(|size| vec![index as u8; size * if index % 50 == 0 { 20 } else { 1 }]);
                    cache.set(hash(key), &bytes, value.as_deref());
                    model.insert(key, value);
                } else if let Some(found) = cache.get(hash(key), &bytes) {
                    prop_assert_eq!(Some(found.map(<[u8]>::to_vec)), model.get(&key).cloned());
                }
                prop_assert!(cache.young.size_bytes() + cache.old.size_bytes() <= 4_000);
            }
        }
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut cache = Cache::new(100_000);
        cache.set(hash(0), &0u16.to_be_bytes(), Some(b"used"));
        cache.set(hash(1), &1u16.to_be_bytes(), Some(b"not used"));
        for key in 2u16..10_000 {
            cache.set(hash(key), &key.to_be_bytes(), Some(b"12345678"));
            assert_eq!(cache.get(hash(0), &0u16.to_be_bytes()), Some(Some(&b"used"[..])));
        }
        assert_eq!(cache.get(hash(1), &1u16.to_be_bytes()), None);
    }
}
