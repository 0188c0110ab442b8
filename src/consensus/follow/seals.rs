//! Seals that were read and not checked yet: all that is left of them is curve arithmetic.

use super::{Broken, Reason};
use crate::consensus::scheme::{Claims, verify_many};

/// How many are checked together: 64 at once cost a quarter of 64 times one.
const AT_ONCE: usize = 64;

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

    /// Whether there are as many as are worth checking together.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= AT_ONCE
    }

    /// Adds what is left to check of a block's seal.
    pub(crate) fn push(&mut self, height: u64, claims: Claims) {
        self.heights.push(height);
        self.claims.push(claims);
    }

    /// Checks all of them at once; of bad ones the lowest is told.
    pub fn check(&self) -> Result<(), Broken> {
        verify_many(&self.claims).map_err(|(index, flaw)| {
            Broken::new(self.heights.get(index).copied().unwrap_or_default(), Reason::Seal, flaw)
        })
    }

    /// Of a breach and the seals that were not checked yet, what is told: the lower height, and at one height the seal,
    /// for only where that holds did the holders of the keys break the rest.
    #[must_use]
    pub fn first_breach(&self, broken: Broken) -> Broken {
        match self.check() {
            Err(seal) if seal.height <= broken.height => seal,
            _ => broken,
        }
    }
}
