//! What a block leaves to the next one, in the place where a chain of stake keeps its seed.
//!
//! ```text
//! proof u64 | difficulty u64 | 16 zero bytes          little-endian; of the block that a state ends with
//! ```

use super::difficulty;
use crate::chain::{Hash, Header, Seal, Work};

/// The proof that block 0 stands for: the one of the system in Python.
pub const GENESIS_PROOF: u64 = 100;

/// What the next block is mined against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The last block's proof.
    pub proof: u64,
    /// The last block's difficulty.
    pub difficulty: u64,
}

impl Link {
    /// Of block 0, which is not mined.
    #[must_use]
    pub fn first(work: Work) -> Self {
        Self { proof: GENESIS_PROOF, difficulty: difficulty::least(work) }
    }

    /// Of a block that was mined; `None` for another.
    #[must_use]
    pub fn of(header: &Header, seal: Option<&Seal>) -> Option<Self> {
        Some(Self { proof: seal?.work()?.proof, difficulty: header.work()?.difficulty })
    }

    /// As a state keeps it.
    #[must_use]
    pub fn to_seed(self) -> Hash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.proof.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.difficulty.to_le_bytes());
        Hash(bytes)
    }

    /// As a state kept it.
    #[must_use]
    pub fn of_seed(seed: &Hash) -> Self {
        let number = |at: usize| {
            let bytes = seed.0.get(at..at + 8).and_then(|bytes| bytes.first_chunk::<8>());
            bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
        };
        Self { proof: number(0), difficulty: number(8) }
    }
}
