//! Stores and side outputs, as a graph declares them.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::store;

/// A key-value store: its mandatory name, and what it is kept in. Its types are its codecs. It belongs to the
/// sub-topology of the processors that it is given to, and has a changelog, unless it is told otherwise.
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
    pub(super) has_changelog: bool,
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

    /// The same without a changelog: what is written costs no record on the log, and nothing brings it back. The store
    /// is empty whenever its task begins: at the start, when the partition comes from another instance, and when the
    /// task begins again after a failure, as it does after any commit that failed. Within that, a commit takes its
    /// writes with it as it does those of other stores, and a failure voids them.
    ///
    /// So it is for what is there to save work, such as copies of what can be looked up or computed again. Results that
    /// depend on what it holds are not exactly-once: they would differ after a failure. `count` and `aggregate` refuse
    /// it therefore.
    ///
    /// ```
    /// use topology::graph::{Builder, Store};
    ///
    /// let rates: Store<str, f64> = Store::memory("rates").without_changelog();
    /// # let builder = Builder::new();
    /// let counting = builder.sub_topology("counting").source::<str, i64>("words");
    /// counting.count(&Store::memory("counts").without_changelog()).sink("totals");
    /// let refused = builder.build().err().unwrap().to_string();
    /// assert!(refused.contains("store 'counts' has no changelog"), "{refused}");
    /// ```
    pub fn without_changelog(self) -> Self {
        Self { id: next_id(), has_changelog: false, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn new(name: String, medium: store::Medium) -> Self {
        Self { id: next_id(), name, medium, has_changelog: true, types: PhantomData }
    }
}

impl<K: ?Sized, V: ?Sized> Clone for Store<K, V> {
    fn clone(&self) -> Self {
        let Self { id, medium, has_changelog, .. } = *self;
        Self { id, name: self.name.clone(), medium, has_changelog, types: PhantomData }
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
    /// A side output, to be given to a processor
    /// ([`ProcessorBuilder::with_output`](super::ProcessorBuilder::with_output)).
    pub fn new(name: impl Into<String>) -> Self {
        Self { id: next_id(), name: name.into(), types: PhantomData }
    }
}

impl<K: ?Sized, V: ?Sized> Clone for Output<K, V> {
    fn clone(&self) -> Self {
        Self { id: self.id, name: self.name.clone(), types: PhantomData }
    }
}

pub(super) fn next_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
