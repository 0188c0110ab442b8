//! Stores and side outputs, as a graph declares them.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::store;

/// A key-value store: its mandatory name, and what it is kept in. Its types are its codecs. It belongs to the sub-topology of the
/// processors that it is given to, and has a changelog.
///
/// ```
/// use topology::graph::Store;
///
/// let counts: Store<str, i64> = Store::rocksdb("counts");
/// assert_eq!(counts.name(), "counts");
/// ```
pub struct Store<K: ?Sized, V: ?Sized> {
    /// Unlike that of any other store; clones are the same store.
    pub(super) id: usize,
    name: String,
    pub(super) medium: store::Medium,
    types: PhantomData<fn(&K, &V)>,
}

impl<K: ?Sized, V: ?Sized> Store<K, V> {
    /// Kept in RocksDB: may be larger than memory, and after a restart only the newest changes are restored.
    pub fn rocksdb(name: impl Into<String>) -> Self {
        Self::new(name.into(), store::Medium::RocksDb)
    }

    /// Kept in memory: restored whole from its changelog at every start.
    pub fn memory(name: impl Into<String>) -> Self {
        Self::new(name.into(), store::Medium::Memory)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn new(name: String, medium: store::Medium) -> Self {
        Self { id: next_id(), name, medium, types: PhantomData }
    }
}

impl<K: ?Sized, V: ?Sized> Clone for Store<K, V> {
    fn clone(&self) -> Self {
        Self { id: self.id, name: self.name.clone(), medium: self.medium, types: PhantomData }
    }
}

/// A side output of a processor, by name.
pub struct Output<K: ?Sized, V: ?Sized> {
    /// Unlike that of any other output; clones are the same output.
    pub(super) id: usize,
    pub(super) name: String,
    types: PhantomData<fn(&K, &V)>,
}

impl<K: ?Sized, V: ?Sized> Output<K, V> {
    /// A side output, to be given to a processor ([`ProcessorBuilder::with_output`](super::ProcessorBuilder::with_output)).
    pub fn new(name: impl Into<String>) -> Self {
        Self { id: next_id(), name: name.into(), types: PhantomData }
    }
}

impl<K: ?Sized, V: ?Sized> Clone for Output<K, V> {
    fn clone(&self) -> Self {
        Self { id: self.id, name: self.name.clone(), types: PhantomData }
    }
}

fn next_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
