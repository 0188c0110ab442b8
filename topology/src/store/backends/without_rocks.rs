//! The disk, in a build without RocksDB: there is none.

use std::path::Path;

use crate::store::backends::Backend;
use crate::store::budget::Budget;
use crate::store::error::{Error, Kind, Result};
use crate::store::spec::{Medium, Spec};

/// No memory of RocksDB's.
#[derive(Clone)]
pub(in crate::store) struct RocksMemory;

impl RocksMemory {
    pub(in crate::store) fn new(_: &Budget) -> Self {
        Self
    }

    pub(in crate::store) fn usage(&self) -> (usize, usize) {
        (0, 0)
    }
}

/// Refuses.
pub(in crate::store) fn open_on_disk(
    specs: &[Spec],
    _: &Path,
    _may_make: bool,
    _: &RocksMemory,
) -> Result<Box<dyn Backend>> {
    let name = specs.iter().find(|spec| !spec.medium.is_built()).map_or("", |spec| &spec.name);
    Err(Error::new(Kind::Invalid, Medium::missing(name)))
}
