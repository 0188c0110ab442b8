//! How much work a block asks for: a function of the headers alone.
//!
//! ```text
//! least = 2^leading_zero_bits          most = least * 65,536, at most 2^48          T = target_interval_ms
//!
//! d(1) = least                         and where T is 0, d(h) = least for every h
//! d(h) = d(h - 1)                      where i <= 0: stream time stood still, and says nothing
//!                                      where i < T and the block ended full (`transactions`, `bytes`): it was not waited for
//!      = d(h - 1) * (17 T - min(i, 4 T)) / (16 T)       else, rounded down, not below least and not above most
//!                                      i = time(h) - time(h - 1)
//! ```
//!
//! So a block asks for at most a sixteenth more than the one before, and at most three sixteenths less. All of it is
//! integers.
//!
//! Header time is stream time: the latest timestamp of any record so far. What was recorded while a block was mined is
//! in the next one, so the time between two headers is about the time that mining took, if records keep coming. It is
//! the log's clock and the senders', never the miner's: `docs/consensus.md` says what that is worth.

use crate::chain::{Cut, Work};

/// By at most one part in so many a difficulty grows from block to block.
const STEPS: u128 = 16;
/// A longer time between blocks counts as so many times the target.
const INTERVALS_MAX: u128 = 4;
/// A difficulty is at most so many times the least.
const GROWTH_MAX: u64 = 1 << 16;
/// No difficulty is larger: of the 2^53 proofs that there are 32 hold then, and none in one block of 10^13. At 2^52
/// none would in one of seven, behind which there could never be another.
const DIFFICULTY_MAX: u64 = 1 << 48;

/// The block before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Its height.
    pub height: u64,
    /// Its difficulty; block 0 stands for the least.
    pub difficulty: u64,
    /// Its header's time, in milliseconds.
    pub time_ms: i64,
}

/// The least difficulty of a chain: at first, and at all times where it is not adjusted.
///
/// ```
/// use cairn::chain::Work;
/// use cairn::consensus::work::difficulty;
/// assert_eq!(difficulty::least(Work::default()), 65_536);
/// ```
#[must_use]
pub fn least(work: Work) -> u64 {
    1_u64.checked_shl(work.leading_zero_bits.into()).map_or(DIFFICULTY_MAX, |least| least.min(DIFFICULTY_MAX))
}

/// The largest difficulty of a chain.
#[must_use]
pub fn most(work: Work) -> u64 {
    match work.target_interval_ms {
        0 => least(work),
        _ => least(work).saturating_mul(GROWTH_MAX).min(DIFFICULTY_MAX),
    }
}

/// The difficulty of the block behind `previous`, whose header has this time and this cut.
#[must_use]
pub fn next(work: Work, previous: &Previous, time_ms: i64, cut: Cut) -> u64 {
    let least = least(work);
    if work.target_interval_ms == 0 || previous.height == 0 {
        return least;
    }
    let (target, interval) = (u128::from(work.target_interval_ms), i128::from(time_ms) - i128::from(previous.time_ms));
    let Some(interval) = u128::try_from(interval).ok().filter(|interval| *interval > 0) else {
        return previous.difficulty;
    };
    if interval < target && matches!(cut, Cut::Transactions | Cut::Bytes) {
        return previous.difficulty;
    }
    let parts = (STEPS + 1) * target - interval.min(INTERVALS_MAX * target);
    let next = u128::from(previous.difficulty) * parts / (STEPS * target);
    u64::try_from(next).unwrap_or(DIFFICULTY_MAX).clamp(least, most(work))
}
