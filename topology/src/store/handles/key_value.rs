//! A store as a processor sees it: typed keys and values.

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow};
use std::rc::Rc;

use crate::codec::{Codec, Data, DecodeError, EncodeError};
use crate::store::backends::{Bounds, Direction, prefix_end};
use crate::store::chunk::{self, Chunk};
use crate::store::error::{Error, Kind, Result};
use crate::store::stores::Stores;

/// A typed handle on one store of a task.
///
/// ```
/// # use std::{cell::RefCell, rc::Rc};
/// # use topology::store::{Medium, StoreOptions, Resources, Spec, Stores};
/// use topology::store::KeyValueStore;
///
/// # let specs = vec![Spec::new("counts", Medium::Memory)?];
/// # let stores = Stores::in_memory(specs, [0; 32], &Resources::without_thread(StoreOptions::default()))?;
/// # let stores = Rc::new(RefCell::new(stores));
/// let counts = KeyValueStore::<str, u64>::new(stores, 0)?;
/// for word in ["to", "be", "or", "not", "to", "be"] {
///     let count = counts.get(&word)?.unwrap_or(0) + 1;
///     counts.put(&word, &count)?;
/// }
/// assert_eq!(counts.get(&"be")?, Some(2));
/// # Ok::<(), topology::store::Error>(())
/// ```
pub struct KeyValueStore<K: Codec + ?Sized, V: Codec + ?Sized> {
    stores: Rc<RefCell<Stores>>,
    store: usize,
    name: Rc<str>,
    types: PhantomData<fn(&K, &V)>,
    /// Taken out while in use, so that a call made from within a visitor finds none and makes its own.
    key_bytes: Cell<Vec<u8>>,
    value_bytes: Cell<Vec<u8>>,
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> Clone for KeyValueStore<K, V> {
    fn clone(&self) -> Self {
        Self {
            stores: Rc::clone(&self.stores),
            store: self.store,
            name: Rc::clone(&self.name),
            types: PhantomData,
            key_bytes: Cell::default(),
            value_bytes: Cell::default(),
        }
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> fmt::Debug for KeyValueStore<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValueStore").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> KeyValueStore<K, V> {
    /// A handle on store number `store` of these.
    pub fn new(stores: Rc<RefCell<Stores>>, store: usize) -> Result<Self> {
        let name = stores.borrow().specs().get(store).map(|spec| Rc::from(spec.name.as_str()));
        let name = name.ok_or_else(|| Error::new(Kind::Invalid, format!("there is no store number {store}")))?;
        let (key_bytes, value_bytes) = Default::default();
        Ok(Self { stores, store, name, types: PhantomData, key_bytes, value_bytes })
    }

    /// The value of a key, where values do not borrow: numbers, JSON.
    pub fn get<T>(&self, key: &K::Item<'_>) -> Result<Option<T>>
    where
        V: for<'a> Data<Item<'a> = T>,
    {
        self.read(key, |value| {
            value.map(|(value, _)| V::decode(value).map_err(|error| self.undecodable(&error))).transpose()
        })?
    }

    /// The value of a key with the event time that it was put with, ms since 1970; -1: it was put without one.
    pub fn get_timed<T>(&self, key: &K::Item<'_>) -> Result<Option<(T, i64)>>
    where
        V: for<'a> Data<Item<'a> = T>,
    {
        self.read(key, |value| {
            let decoded = value.map(|(value, time_ms)| Ok((V::decode(value)?, time_ms)));
            decoded.transpose().map_err(|error: DecodeError| self.undecodable(&error))
        })?
    }

    /// Shows `read` the value of a key, borrowed.
    pub fn get_with<R>(&self, key: &K::Item<'_>, read: impl FnOnce(Option<V::Item<'_>>) -> R) -> Result<R> {
        self.read(key, |value| {
            let value = value.map(|(value, _)| V::decode(value)).transpose();
            Ok(read(value.map_err(|error| self.undecodable(&error))?))
        })?
    }

    /// Whether a key has a value.
    pub fn contains(&self, key: &K::Item<'_>) -> Result<bool> {
        self.read(key, |value| value.is_some())
    }

    /// Sets a key's value, as of the event time of the record that is being processed.
    pub fn put(&self, key: &K::Item<'_>, value: &V::Item<'_>) -> Result<()> {
        self.put_encoded(key, value, None)
    }

    /// Sets a key's value, as of an event time, ms since 1970.
    pub fn put_timed(&self, key: &K::Item<'_>, value: &V::Item<'_>, time_ms: i64) -> Result<()> {
        self.put_encoded(key, value, Some(time_ms))
    }

    fn put_encoded(&self, key: &K::Item<'_>, value: &V::Item<'_>, time_ms: Option<i64>) -> Result<()> {
        let mut value_bytes = self.value_bytes.take();
        value_bytes.clear();
        let encoded = V::encode(value, &mut value_bytes).map_err(|error| self.unencodable(&error));
        let put = |stores: &mut Stores, key: &[u8]| {
            stores.put_timed(self.store, key, &value_bytes, time_ms.unwrap_or_else(|| stores.time_ms()))
        };
        let done = encoded.and_then(|()| self.with_key(key, put));
        self.value_bytes.set(value_bytes);
        done
    }

    /// Replaces a key's value by what `change` makes of it, and returns that; `None` is no value, before and after. It
    /// costs less than a `get` and a `put`: a key in use is hashed once and looked up once. `change` may use the
    /// stores, but what it writes under this key is overwritten.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc};
    /// # use topology::store::{KeyValueStore, Medium, StoreOptions, Resources, Spec, Stores};
    /// # let specs = vec![Spec::new("stock", Medium::Memory)?];
    /// # let stores = Stores::in_memory(specs, [0; 32], &Resources::without_thread(StoreOptions::default()))?;
    /// # let stores = Rc::new(RefCell::new(stores));
    /// let stock = KeyValueStore::<str, u64>::new(stores, 0)?;
    /// assert_eq!(stock.update(&"apples", |count| Some(count.unwrap_or(0) + 2))?, Some(2));
    ///
    /// // The last one sold leaves no entry.
    /// let sell = |count: Option<u64>| count.map(|count| count.saturating_sub(1)).filter(|&left| left > 0);
    /// assert_eq!((stock.update(&"apples", sell)?, stock.update(&"apples", sell)?), (Some(1), None));
    /// assert!(!stock.contains(&"apples")?);
    /// # Ok::<(), topology::store::Error>(())
    /// ```
    pub fn update<T>(&self, key: &K::Item<'_>, change: impl FnOnce(Option<T>) -> Option<T>) -> Result<Option<T>>
    where
        V: for<'a> Data<Item<'a> = T>,
    {
        let (mut key_bytes, mut value_bytes) = (self.key_bytes.take(), self.value_bytes.take());
        key_bytes.clear();
        let encoded = K::encode(key, &mut key_bytes).map_err(|error| self.unencodable(&error));
        let changed = encoded.and_then(|()| self.update_bytes(&key_bytes, &mut value_bytes, change));
        self.key_bytes.set(key_bytes);
        self.value_bytes.set(value_bytes);
        changed
    }

    fn update_bytes<T>(
        &self,
        key: &[u8],
        value: &mut Vec<u8>,
        change: impl FnOnce(Option<T>) -> Option<T>,
    ) -> Result<Option<T>>
    where
        V: for<'a> Data<Item<'a> = T>,
    {
        let mut stores = self.stores.borrow_mut();
        let hash = stores.hash(key);
        let (found, place) = stores.get_hashed(self.store, hash, key, value)?;
        let (found, time_ms) = (found.is_some(), stores.time_ms());
        // What follows is the caller's code, which may use the stores.
        drop(stores);
        let before = found.then(|| V::decode(value)).transpose();
        let after = change(before.map_err(|error| self.undecodable(&error))?);
        value.clear();
        if let Some(after) = &after {
            V::encode(after, value).map_err(|error| self.unencodable(&error))?;
        }
        if found || after.is_some() {
            let value = after.is_some().then_some((time_ms, &value[..]));
            self.stores.borrow_mut().set_hashed(self.store, place, hash, key, value)?;
        }
        Ok(after)
    }

    /// Deletes a key. One that has no value is no error.
    pub fn delete(&self, key: &K::Item<'_>) -> Result<()> {
        self.with_key(key, |stores, key| stores.delete(self.store, key))
    }

    /// Shows the visitor all entries in this direction, until it breaks. See [`KeyValueStore::range`].
    pub fn scan(
        &self,
        direction: Direction,
        visitor: impl FnMut(K::Item<'_>, V::Item<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.visit(Bounds::ALL, direction, visitor)
    }

    /// Shows the visitor the entries within bounds, in the order of the keys' bytes or its reverse, until it breaks.
    /// The visitor may use the stores; whether the scan sees what it writes ahead of the scan is not defined.
    pub fn range(
        &self,
        start: Bound<&K::Item<'_>>,
        end: Bound<&K::Item<'_>>,
        direction: Direction,
        visitor: impl FnMut(K::Item<'_>, V::Item<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let encode = |bound: Bound<&K::Item<'_>>| -> Result<Bound<Vec<u8>>> {
            let mut bytes = Vec::new();
            if let Bound::Included(key) | Bound::Excluded(key) = bound {
                K::encode(key, &mut bytes).map_err(|error| self.unencodable(&error))?;
            }
            Ok(bound.map(|_| bytes))
        };
        let (start, end) = (encode(start)?, encode(end)?);
        let bounds = Bounds { start: start.as_ref().map(Vec::as_slice), end: end.as_ref().map(Vec::as_slice) };
        self.visit(bounds, direction, visitor)
    }

    /// Shows the visitor the entries whose keys' bytes begin with `prefix`. See [`KeyValueStore::range`].
    pub fn prefix(
        &self,
        prefix: &[u8],
        direction: Direction,
        visitor: impl FnMut(K::Item<'_>, V::Item<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let end = prefix_end(prefix);
        self.visit(Bounds::of_prefix(prefix, end.as_deref()), direction, visitor)
    }

    fn with_key<R>(&self, key: &K::Item<'_>, act: impl FnOnce(&mut Stores, &[u8]) -> Result<R>) -> Result<R> {
        let mut key_bytes = self.key_bytes.take();
        key_bytes.clear();
        let encoded = K::encode(key, &mut key_bytes).map_err(|error| self.unencodable(&error));
        // No other code runs while the stores are borrowed, so this cannot meet another borrow.
        let result = encoded.and_then(|()| act(&mut self.stores.borrow_mut(), &key_bytes));
        self.key_bytes.set(key_bytes);
        result
    }

    fn read<R>(&self, key: &K::Item<'_>, read: impl FnOnce(Option<(&[u8], i64)>) -> R) -> Result<R> {
        let mut value = self.value_bytes.take();
        let found = self.with_key(key, |stores, key| stores.get_timed(self.store, key, &mut value));
        let result = found.map(|time_ms| read(time_ms.map(|time_ms| (&value[..], time_ms))));
        self.value_bytes.set(value);
        result
    }

    fn visit(
        &self,
        bounds: Bounds<'_>,
        direction: Direction,
        mut visitor: impl FnMut(K::Item<'_>, V::Item<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let fill = |chunk: &mut Chunk, rest: Bounds<'_>| {
            chunk.fill(|take| self.stores.borrow_mut().range_timed(self.store, rest, direction, take))
        };
        chunk::visit(bounds, direction, fill, |(key, value, _)| {
            let key = K::decode(key).map_err(|error| self.undecodable(&error))?;
            let value = V::decode(value).map_err(|error| self.undecodable(&error))?;
            Ok(visitor(key, value))
        })
    }

    #[cold]
    fn unencodable(&self, error: &EncodeError) -> Error {
        Error::new(Kind::Invalid, format!("store {} was given an item that its codec cannot write: {error}", self.name))
    }

    #[cold]
    fn undecodable(&self, error: &DecodeError) -> Error {
        Error::new(
            Kind::Corruption,
            format!(
                "store {} holds bytes that its codec cannot read ({error}): if the codec changed, reset the application \
                 or give the store a new name",
                self.name
            ),
        )
    }
}
