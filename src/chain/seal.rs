//! Who vouches for a block. A seal is not covered by the block's hash: it signs it.

use borsh::{BorshDeserialize, BorshSerialize};

use super::validator::Bitmap;

/// Who vouches for a block, in the manner of the chain's consensus.
///
/// ```text
/// code u8 | body        1 stake: StakeSeal        2 work: WorkSeal
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Seal {
    /// Validators who hold more than two thirds of the stake.
    Stake(StakeSeal) = 1,
    /// The work of its miner.
    Work(WorkSeal) = 2,
}

impl Seal {
    /// The kinds of seal that this program knows, as in JSON.
    pub const KINDS: [&str; 2] = ["stake", "work"];

    /// The seal of a proof-of-stake chain, if it is one.
    #[must_use]
    pub fn stake(&self) -> Option<&StakeSeal> {
        match self {
            Self::Stake(seal) => Some(seal),
            Self::Work(_) => None,
        }
    }

    /// As [`Seal::stake`], to be altered.
    #[must_use]
    pub fn stake_mut(&mut self) -> Option<&mut StakeSeal> {
        match self {
            Self::Stake(seal) => Some(seal),
            Self::Work(_) => None,
        }
    }

    /// The seal of a proof-of-work chain, if it is one.
    #[must_use]
    pub fn work(&self) -> Option<&WorkSeal> {
        match self {
            Self::Stake(_) => None,
            Self::Work(seal) => Some(seal),
        }
    }

    /// As [`Seal::work`], to be altered.
    #[must_use]
    pub fn work_mut(&mut self) -> Option<&mut WorkSeal> {
        match self {
            Self::Stake(_) => None,
            Self::Work(seal) => Some(seal),
        }
    }
}

/// What was found. Who found it, and against what, says the block's author ([`WorkAuthor`](super::WorkAuthor)).
///
/// ```text
/// proof u64, at most 2^53 - 1
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct WorkSeal {
    /// The number with which the chain's rule holds.
    pub proof: u64,
}

/// A proposal's signature, the proposer's reveal, and the attestation of the others.
///
/// ```text
/// signature 64 | reveal 48 | attestation 48 | signers bitmap
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StakeSeal {
    /// Ed25519 by the proposer over [`Domain::Proposal`](super::Domain::Proposal)'s message of the block's hash.
    pub signature: [u8; 64],
    /// BLS by the proposer (a point of G1, compressed): the randomness of the next seed.
    pub reveal: [u8; 48],
    /// BLS by the signers over [`Domain::Attestation`](super::Domain::Attestation)'s message of the block's hash,
    /// aggregated (a point of G1, compressed).
    pub attestation: [u8; 48],
    /// Who attests, by their places in the validator set.
    pub signers: Bitmap,
}
