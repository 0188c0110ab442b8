//! The parameters of a chain.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::chain::amount::Amount;
use crate::chain::code::codes;
use crate::chain::encoding::to_canonical;
use crate::chain::hash::{Domain, Hash, hash};

/// Which balances may fall below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Balances {
    /// None.
    Strict = 0,
    /// All, down to `-overdraft_max`.
    Open {
        /// The lowest balance is minus this, in minor units.
        overdraft_max: Amount,
    } = 1,
}

codes! {
    /// Which transactions need a signature. A keyed account's always do, except under [`Signatures::Off`].
    pub enum Signatures {
        /// Every transaction.
        Required = 0 => "required",
        /// Those of keyed accounts.
        WhenKeyed = 1 => "when_keyed",
        /// None; signatures are not looked at. Keyed accounts cannot send.
        Off = 2 => "off",
    }
}

codes! {
    /// Who holds the validators' keys.
    pub enum Committee {
        /// The process that seals holds them all.
        Local = 0 => "local",
    }
}

/// The parameters of a chain. The order of the fields is the order of the canonical encoding.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Parameters {
    /// The most entries a block holds.
    pub block_max_transactions: u32,
    /// The most bytes the entries of a block take as rendered in JSON.
    pub block_max_bytes: u32,
    /// How long the first record of a block waits at most, in milliseconds of wall time.
    pub block_max_age_ms: u64,
    /// The length of the event-time windows, in milliseconds; 0: blocks are not cut by event time.
    pub block_window_ms: u64,
    /// Which balances may fall below zero.
    pub balances: Balances,
    /// Which transactions need a signature.
    pub signatures: Signatures,
    /// The fee of every applied transaction, in minor units.
    pub fee: Amount,
    /// What the proposer of a block is given, in minor units, minted.
    pub reward: Amount,
    /// For how many blocks the ids of transactions are remembered.
    pub ids_remember_blocks: u64,
    /// Who holds the validators' keys.
    pub committee: Committee,
}

impl Default for Parameters {
    /// Windows of a second, at most 10,000 transactions, 900 KiB and a second per block; open balances with an
    /// overdraft of at most 2^53 - 1; signatures for keyed accounts; neither fee nor reward.
    fn default() -> Self {
        Self {
            block_max_transactions: 10_000,
            block_max_bytes: 900 * 1024,
            block_max_age_ms: 1_000,
            block_window_ms: 1_000,
            balances: Balances::Open { overdraft_max: Amount::MAX },
            signatures: Signatures::WhenKeyed,
            fee: Amount::ZERO,
            reward: Amount::ZERO,
            ids_remember_blocks: 10_000,
            committee: Committee::Local,
        }
    }
}

impl Parameters {
    /// The hash a header carries: `hash(Parameters, canonical bytes)`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        hash(Domain::Parameters, &[&to_canonical(self)])
    }
}
