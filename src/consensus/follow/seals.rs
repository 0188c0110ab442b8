//! Seals that were read and not checked yet: all that is left of them is curve arithmetic.

use super::{Broken, Reason};
use crate::consensus::scheme::{Claims, verify_many};

/// Seals of blocks that hold but for them, in the order of heights. They may be checked on another thread.
#[derive(Debug, Default)]
pub struct Seals {
    heights: Vec<u64>,
    claims: Vec<Claims>,
}

impl Seals {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    pub(super) fn push(&mut self, height: u64, claims: Claims) {
        self.heights.push(height);
        self.claims.push(claims);
    }

    /// Checks all of them at once; of bad ones the lowest is told. 64 at once cost a quarter of 64 times one.
    pub fn check(&self) -> Result<(), Broken> {
        verify_many(&self.claims).map_err(|(index, flaw)| {
            Broken::new(self.heights.get(index).copied().unwrap_or_default(), Reason::Seal, flaw)
        })
    }
}
