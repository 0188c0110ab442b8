//! Everything besides transactions that changes state.

use borsh::{BorshDeserialize, BorshSerialize};

use super::amount::Amount;
use super::evidence::Evidence;
use super::name::Name;
use super::validator::ValidatorId;

/// An operation: executed after the transactions of its block, in the order of the list.
///
/// Bytes 5 to 9 are reserved: stake, unstake, release of stake, key of an account, change of a parameter. Of fee and
/// reward there are two each: to a validator's earnings, and to the account that a block was mined for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Operation {
    /// The fees of the block's transactions go to its proposer.
    Fee {
        /// The proposer.
        validator: ValidatorId,
        /// The account credited.
        account: Name,
        /// The sum of the fees.
        amount: Amount,
        /// The account's balance afterwards.
        balance: i64,
    } = 1,
    /// The block's proposer is rewarded with new units.
    Reward {
        /// The proposer.
        validator: ValidatorId,
        /// The account credited.
        account: Name,
        /// How much was minted.
        amount: Amount,
        /// The account's balance afterwards.
        balance: i64,
    } = 2,
    /// A drawn proposer made no proposal in a round; it forfeits the reward, nothing else.
    Missed {
        /// The round.
        round: u32,
        /// The silent validator.
        validator: ValidatorId,
    } = 3,
    /// A validator offended and loses its stake.
    Slash {
        /// The round in which the offence was reported.
        round: u32,
        /// The offender.
        validator: ValidatorId,
        /// How much stake was burnt, in minor units.
        amount: u64,
        /// The proof.
        evidence: Box<Evidence>,
    } = 4,
    /// The fees of a mined block's transactions go to its miner.
    MinerFee {
        /// The miner's account.
        account: Name,
        /// The sum of the fees.
        amount: Amount,
        /// The account's balance afterwards.
        balance: i64,
    } = 10,
    /// The miner of a block is rewarded with new units.
    MinerReward {
        /// The miner's account.
        account: Name,
        /// How much was minted.
        amount: Amount,
        /// The account's balance afterwards.
        balance: i64,
    } = 11,
}
