//! What a store shall be.

use crate::store::error::{Error, Kind, Result};

/// Where a store's committed state lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// In this process; restored from the beginning of its changelog at every start.
    Memory,
    /// In the task's directory; restored from where it stood. Needs the feature `rocksdb`, but where all stores are in
    /// memory anyway: in the test driver, the simulator, and a client without a state directory.
    RocksDb,
}

impl Medium {
    /// Whether this build of the crate has it.
    pub const fn is_built(self) -> bool {
        matches!(self, Self::Memory) || cfg!(feature = "rocksdb")
    }

    /// What to do about a store that lies where this build has nothing.
    pub(crate) fn missing(store: &str) -> String {
        format!(
            "store {store} is one in RocksDB, and this program was built without: build it with the feature `rocksdb` of the \
             crate `topology`, or leave the state directory out, so that all stores are in memory"
        )
    }
}

/// A store: its name, its medium, and whether it has a changelog. A task knows its stores by their index in its list of
/// specs, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Unique in the application; part of the changelog topic's name.
    pub name: String,
    /// Where it lives.
    pub medium: Medium,
    /// Whether what is written goes to a changelog too, from which it comes back. Without one the store is empty
    /// whenever its task begins, here or elsewhere, also where it begins again after a failure.
    pub has_changelog: bool,
}

impl Spec {
    /// A store with a changelog. The name must be fit for a topic's name: 1 to 120 of `a-z A-Z 0-9 . _ -`.
    pub fn new(name: impl Into<String>, medium: Medium) -> Result<Self> {
        let name = name.into();
        if is_plain_name(&name, 120) {
            return Ok(Self { name, medium, has_changelog: true });
        }
        Err(Error::new(
            Kind::Invalid,
            format!("{name:?} cannot name a store: use 1 to 120 of the characters a-z A-Z 0-9 . _ -"),
        ))
    }

    /// The same without a changelog.
    pub fn without_changelog(self) -> Self {
        Self { has_changelog: false, ..self }
    }
}

/// Whether a name is fit for topics and paths alike.
pub(crate) fn is_plain_name(name: &str, length_max: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=length_max).contains(&name.len()) && name.bytes().all(plain) && name != "." && name != ".."
}
