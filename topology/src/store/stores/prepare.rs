//! What a commit sends to the log: changelog records, and what vouches for them.

use super::Stores;
use crate::log::{Offset, TopicPartition};
#[cfg(test)]
use crate::mutant::{self, Mutant};
use crate::store::changelog::{self, Covered, Incarnation, Origin};
use crate::store::spec::Spec;

/// A record for a store's changelog, as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangelogRecord<'a> {
    /// Of which store.
    pub store: usize,
    /// The record's key.
    pub key: &'a [u8],
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
}

impl Stores {
    /// Says how far each input is taken by the commit that is prepared now. Without it the commit says nothing of that,
    /// and it cannot be told afterwards whether the state belongs to the input's offset.
    pub fn cover(&mut self, inputs: Vec<(TopicPartition, Offset)>) {
        let highest = self.slots.iter().flat_map(|slot| &slot.meta).map(|meta| meta.covered.sequence).max();
        self.covering = Some(Covered { sequence: highest.unwrap_or(0).saturating_add(1), inputs });
    }

    /// Which changelog each store with one has, and the sequence of the last commit that wrote it, with what is written
    /// now as committed; `None` for a store that was never written.
    pub fn marks(&self) -> impl Iterator<Item = (&Spec, Option<(Incarnation, u64)>)> {
        let logged = self.specs.iter().zip(&self.slots).filter(|(spec, _)| spec.has_changelog);
        logged.map(|(spec, slot)| {
            let meta = slot.meta.as_ref();
            let covering = self.covering.as_ref().filter(|_| !slot.latest.has_no_writes());
            let covered = covering.or(meta.map(|meta| &meta.covered));
            let incarnation =
                meta.map(|meta| meta.incarnation).or(slot.new_changelog.map(|beginning| beginning.incarnation));
            (spec, incarnation.zip(covered.map(|covered| covered.sequence)))
        })
    }

    /// Hands over the uncommitted writes as changelog records: one per key, in key order, after the incarnation where
    /// the changelog is new, and what the commit covers ([`Stores::cover`]). Ends at the first error. The writes stay
    /// uncommitted.
    pub fn changelog_records<E>(
        &mut self,
        mut send: impl FnMut(ChangelogRecord<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (key_bytes, value_bytes) = &mut self.scratch;
        for (store, (slot, spec)) in self.slots.iter_mut().zip(&self.specs).enumerate() {
            if slot.latest.has_no_writes() || !spec.has_changelog {
                continue;
            }
            if let Some(beginning) = slot.new_changelog {
                let origin = Origin { incarnation: beginning.incarnation, fingerprint: self.fingerprint }.encode();
                beginning.encode_key(key_bytes);
                send(ChangelogRecord { store, key: key_bytes, value: Some(&origin) })?;
            }
            if let Some(covered) = &self.covering {
                changelog::encode_covered(covered, value_bytes);
                send(ChangelogRecord { store, key: changelog::COVERED_KEY, value: Some(value_bytes) })?;
            }
            for (key, value) in slot.latest.writes() {
                changelog::encode_key(key, key_bytes);
                let value = value.map(|value| {
                    changelog::encode_value(value, value_bytes);
                    &value_bytes[..]
                });
                send(ChangelogRecord { store, key: key_bytes, value })?;
            }
        }
        #[cfg(test)]
        if mutant::lives(Mutant::StoreBeforeCommit) {
            self.commit_early();
        }
        Ok(())
    }

    /// Takes the writes as committed though it is unknown yet whether they will be.
    #[cfg(test)]
    fn commit_early(&mut self) {
        let covering = self.covering.clone();
        let metas = self.slots.iter().enumerate();
        let positions: Vec<(usize, Offset)> =
            metas.map(|(store, slot)| (store, slot.meta.as_ref().map_or(0, |meta| meta.position))).collect();
        let now_ms = self.slots.iter().flat_map(|slot| &slot.meta).map(|meta| meta.applied_at_ms).max();
        self.commit(&positions, now_ms.unwrap_or(0)).expect("a memory backend takes everything");
        self.covering = covering;
    }
}
