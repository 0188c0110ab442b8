//! The genesis: what a chain starts from.

mod consensus;
mod file;
mod parameters;
#[cfg(test)]
mod tests;
mod validate;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::block::Block;
use super::encoding::to_canonical;
use super::hash::{Domain, Hash, hash};
use super::header::{Author, Cut, Header};
use super::hex_array;
use super::merkle;
use super::name::Name;
use super::validator::{Member, ValidatorId, validators_hash};

pub use consensus::{Committee, Consensus, ConsensusKind, Work, WorkRule};
pub use parameters::{Balances, PARAMETER_KEYS, Parameters, ScheduledVersion, Signatures};

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

/// The id of a chain where no other is given.
pub const DEFAULT_CHAIN_ID: &str = "cairn";

/// The validators of a chain where no others are given, with their stakes in minor units: none holds a third, so that
/// any one can fail and the rest still have a quorum.
pub const DEFAULT_VALIDATORS: [(&str, u64); 5] =
    [("validator-1", 2000), ("validator-2", 1800), ("validator-3", 1600), ("validator-4", 1400), ("validator-5", 1200)];

/// What a chain starts from. Accounts are ordered by name, validators by id; each appears once.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Genesis {
    /// The chain's name for people: 1 to 64 characters of `a-z 0-9 . _ -`, as a validator's id. What tells chains apart
    /// is [`Genesis::hash`].
    pub chain_id: String,
    /// When the chain was made, in milliseconds since 1970 UTC; 0 unless somebody wants it otherwise.
    pub created_ms: i64,
    /// Accounts with their balances.
    pub accounts: Vec<(Name, i64)>,
    /// The validators; none where blocks are mined.
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

    /// The validators as the set the first blocks are decided by.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        self.validators.iter().map(GenesisValidator::member).collect()
    }

    /// The sum of the accounts' balances: the supply the chain starts with, stakes not counted. A validated genesis
    /// keeps it from 0 to 2^53 - 1.
    #[must_use]
    pub fn supply(&self) -> i128 {
        self.accounts.iter().map(|(_, balance)| i128::from(*balance)).sum()
    }

    /// The validator with the most stake and its share in percent, rounded down, if that is a third or more: then the
    /// chain stands still whenever this one fails.
    #[must_use]
    pub fn holder_of_a_third(&self) -> Option<(&ValidatorId, u8)> {
        let total: u128 = self.validators.iter().map(|validator| u128::from(validator.stake)).sum();
        let largest = self.validators.iter().max_by_key(|validator| validator.stake)?;
        let stake = u128::from(largest.stake);
        let percent = (stake * 100).checked_div(total).and_then(|percent| u8::try_from(percent).ok())?;
        (stake * 3 >= total).then_some((&largest.id, percent))
    }

    /// Block 0. It follows from the genesis and the state root: no validator proposes or seals it.
    #[must_use]
    pub fn block(&self, state_root: Hash) -> Block {
        let header = Header {
            version: self.parameters.version_at(0),
            hash_algorithm: Header::SHA_256,
            genesis: self.hash(),
            height: 0,
            active_height: 0,
            time_ms: self.created_ms,
            parent: Hash::ZERO,
            history: merkle::root(Vec::new()),
            window: None,
            cut: Cut::Genesis,
            ranges: Vec::new(),
            transactions_root: merkle::root(Vec::new()),
            operations_root: merkle::root(Vec::new()),
            state_root,
            validators: validators_hash(&self.members()),
            parameters: self.parameters.hash(),
            author: Author::Genesis,
            extensions: Vec::new(),
        };
        Block {
            hash: header.hash(),
            header,
            seal: None,
            entries: Vec::new(),
            operations: Vec::new(),
            genesis: Some(self.clone()),
        }
    }
}
