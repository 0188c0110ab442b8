//! Keys and values of a store, as bytes and back.

use std::marker::PhantomData;
use std::ops::Bound;
use std::sync::Arc;

use super::error::{Error, Result};
use crate::codec::{Codec, DecodeError};
use crate::store;

/// A store's name and types.
pub(super) struct Typed<K: ?Sized, V: ?Sized> {
    name: Arc<str>,
    types: PhantomData<fn(&K, &V)>,
}

impl<K: ?Sized, V: ?Sized> Clone for Typed<K, V> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), types: PhantomData }
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> Typed<K, V> {
    pub(super) fn new(name: &str) -> Self {
        Self { name: Arc::from(name), types: PhantomData }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn key_bytes(&self, key: &K::Item<'_>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        K::encode(key, &mut bytes).map_err(|error| {
            Error::Invalid(format!("store {} was asked for a key that its codec cannot write: {error}", self.name))
        })?;
        Ok(bytes)
    }

    pub(super) fn bound(&self, bound: Bound<&K::Item<'_>>) -> Result<Bound<Vec<u8>>> {
        Ok(match bound {
            Bound::Included(key) => Bound::Included(self.key_bytes(key)?),
            Bound::Excluded(key) => Bound::Excluded(self.key_bytes(key)?),
            Bound::Unbounded => Bound::Unbounded,
        })
    }

    pub(super) fn key<'a>(&self, bytes: &'a [u8]) -> Result<K::Item<'a>> {
        K::decode(bytes).map_err(|error| self.undecodable(&error))
    }

    pub(super) fn value<'a>(&self, bytes: &'a [u8]) -> Result<V::Item<'a>> {
        V::decode(bytes).map_err(|error| self.undecodable(&error))
    }

    #[cold]
    fn undecodable(&self, error: &DecodeError) -> Error {
        Error::Store(store::Error::new(
            store::Kind::Corruption,
            format!(
                "store {} holds bytes that this codec cannot read ({error}): ask with the types that the graph's store has",
                self.name
            ),
        ))
    }
}
