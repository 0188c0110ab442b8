//! The genesis: what a chain starts from.

mod parameters;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::encoding::to_canonical;
use super::hash::{Domain, Hash, hash};
use super::hex_array;
use super::name::Name;
use super::validator::{Member, ValidatorId};

pub use parameters::{Balances, Committee, Parameters, Signatures};

/// A validator the chain starts with.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisValidator {
    /// Its id.
    pub id: ValidatorId,
    /// The key it signs proposals with.
    #[serde(with = "hex_array")]
    pub ed25519: [u8; 32],
    /// The key of its reveals and attestations (BLS12-381 G2, compressed).
    #[serde(with = "hex_array")]
    pub bls: [u8; 96],
    /// Its signature under the BLS key that shows that it holds it.
    #[serde(with = "hex_array")]
    pub possession: [u8; 48],
    /// Its stake in minor units.
    pub stake: u64,
}

impl GenesisValidator {
    /// The validator as a member of the set.
    #[must_use]
    pub fn member(&self) -> Member {
        Member { id: self.id.clone(), ed25519: self.ed25519, bls: self.bls, stake: self.stake }
    }
}

/// What a chain starts from. Accounts are ordered by name, validators by id; each appears once.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Genesis {
    /// The chain's id: 1 to 64 characters of `a-z 0-9 . _ -`.
    pub chain_id: String,
    /// When the chain was made, in milliseconds since 1970 UTC; 0 unless somebody wants it otherwise.
    pub created_ms: i64,
    /// Accounts with their balances.
    pub accounts: Vec<(Name, i64)>,
    /// The validators.
    pub validators: Vec<GenesisValidator>,
    /// The chain parameters.
    pub parameters: Parameters,
}

impl Genesis {
    /// The chain's identity: `hash(Genesis, canonical bytes)`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        hash(Domain::Genesis, &[&to_canonical(self)])
    }
}
