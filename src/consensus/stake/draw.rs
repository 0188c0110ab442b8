//! Who proposes: a draw weighted by stake, from a seed that no validator can grind.
//!
//! ```text
//! turn(h, r)     = genesis hash 32 || h: u64 || r: u32 || seed(h) 32                         76 bytes
//! ticket(h, r)   = tag Draw   || turn(h, r)                                                  (hashed)
//! reveal(h, r)   = tag Reveal || turn(h, r)                                                  (BLS-signed by the winner)
//! seed(0)        = H(tag Seed || genesis hash)
//! seed(h + 1)    = H(tag Seed || genesis hash || h + 1: u64 || seed(h) || reveal 48)         (reveal: of the round that sealed h;
//!                                                                                            zeros for h = 0)
//! integers are little-endian; tags are 16 bytes (chain::Domain).
//!
//! The ticket as an integer below the total stake, by rejection:
//!
//!   digest 0 = H(ticket)    digest n + 1 = H(tag Draw || digest n)
//!   each digest is four words of 8 bytes, little-endian, taken in order
//!   a word is masked to the bits of (total - 1); the first word below the total is the point
//!
//!   0            stake a       stake a+b                 total
//!   |------ a ------|----- b -----|-------- c ... ---------|
//!                          ^ point: b proposes               validators in the order of their ids
//! ```
//!
//! The draw reads nothing that a sender of transactions or an orderer of the log could choose: no transaction bytes,
//! offsets, times or block hashes. A reveal is the one BLS signature its owner can make over that message, so a
//! proposer's only choice is to stay silent and lose its turn. What the author of a genesis can choose is said in
//! `docs/consensus.md`.

use super::super::bls;
use crate::chain::{Domain, Hash, hash};

/// Bytes that name a turn and its seed.
pub(super) const TURN_SIZE_BYTES: usize = 76;

/// Words tried before giving up. Each is rejected with probability below one half, so giving up has probability below
/// 2^-1024: the bound is there so that the loop visibly ends.
const WORDS_MAX: usize = 1024;

/// The index into `stakes` of the validator that proposes in `round` of `height`, on the chain with this genesis hash.
/// `stakes` are in the order of the validators' ids; one that may not be drawn stands there with zero. `None`: no stake
/// at all, or a sum beyond 64 bits.
#[must_use]
pub fn draw(genesis: &Hash, height: u64, round: u32, seed: &Hash, stakes: &[u64]) -> Option<usize> {
    let total = stakes.iter().try_fold(0u64, |sum, stake| sum.checked_add(*stake))?;
    let ticket = hash(Domain::Draw, &[&turn(genesis, height, round, seed)]);
    let mut point = point_below(total, ticket)?;
    stakes.iter().position(|&stake| match point.checked_sub(stake) {
        Some(rest) => {
            point = rest;
            false
        }
        None => true,
    })
}

/// The seed of `next_height`, from the seed of the height before it and the reveal in that height's seal.
#[must_use]
pub fn next_seed(genesis: &Hash, next_height: u64, seed: &Hash, reveal: &[u8; bls::SIGNATURE_SIZE_BYTES]) -> Hash {
    hash(Domain::Seed, &[genesis.as_bytes(), &next_height.to_le_bytes(), seed.as_bytes(), reveal])
}

/// The seed of height 1. Block 0 has no reveal, zeros stand in its place.
#[must_use]
pub fn first_seed(genesis: &Hash) -> Hash {
    let seed = hash(Domain::Seed, &[genesis.as_bytes()]);
    next_seed(genesis, 1, &seed, &[0; bls::SIGNATURE_SIZE_BYTES])
}

/// A uniform integer below `total` from a uniform digest, without the bias of a remainder. `None` for zero.
fn point_below(total: u64, ticket: Hash) -> Option<u64> {
    let mask = u64::MAX.checked_shr(total.checked_sub(1)?.leading_zeros()).unwrap_or(0);
    let digests = std::iter::successors(Some(ticket), |digest| Some(hash(Domain::Draw, &[digest.as_bytes()])));
    let words = digests.flat_map(|digest| {
        let (words, _) = digest.0.as_chunks::<8>();
        [words[0], words[1], words[2], words[3]].map(u64::from_le_bytes)
    });
    words.take(WORDS_MAX).map(|word| word & mask).find(|point| *point < total)
}

/// What names a turn and its seed, as it is hashed and signed.
pub(super) fn turn(genesis: &Hash, height: u64, round: u32, seed: &Hash) -> [u8; TURN_SIZE_BYTES] {
    let mut turn = [0; TURN_SIZE_BYTES];
    turn[..32].copy_from_slice(genesis.as_bytes());
    turn[32..40].copy_from_slice(&height.to_le_bytes());
    turn[40..44].copy_from_slice(&round.to_le_bytes());
    turn[44..].copy_from_slice(seed.as_bytes());
    turn
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GENESIS: Hash = Hash([7; 32]);
    const STAKES: [u64; 5] = [2000, 1, 500, 1250, 250];

    /// Draws at `count` heights along a chain of seeds; how often each was drawn.
    fn tally(stakes: &[u64], count: u64) -> Vec<u64> {
        let mut seed = Hash::of(b"draws match stakes");
        let mut drawn = vec![0; stakes.len()];
        for height in 1..=count {
            drawn[draw(&GENESIS, height, 0, &seed, stakes).unwrap()] += 1;
            seed = next_seed(&GENESIS, height + 1, &seed, &[7; 48]);
        }
        drawn
    }

    /// Sum of (observed - expected)^2 / expected.
    fn chi_squared(observed: &[u64], stakes: &[u64]) -> f64 {
        let count = observed.iter().sum::<u64>() as f64;
        let total = stakes.iter().sum::<u64>() as f64;
        let terms = observed.iter().zip(stakes).map(|(observed, stake)| {
            let expected = count * *stake as f64 / total;
            (*observed as f64 - expected).powi(2) / expected
        });
        terms.sum()
    }

    #[test]
    fn draws_match_stakes_over_ten_thousand_heights() {
        let drawn = tally(&STAKES, 10_000);
        assert_eq!(drawn.iter().sum::<u64>(), 10_000);
        // 99.9th percentile of chi-squared with 4 degrees of freedom.
        let statistic = chi_squared(&drawn, &STAKES);
        assert!(statistic < 18.467, "{statistic} for {drawn:?}");
    }

    #[test]
    fn the_statistic_notices_a_draw_that_is_off_by_one_in_a_hundred_stakes() {
        // The same draws held against stakes that differ from those drawn with: what keeps the test above honest.
        let statistic = chi_squared(&tally(&STAKES, 10_000), &[1900, 1, 500, 1250, 350]);
        assert!(statistic > 18.467, "{statistic}");
    }

    #[test]
    fn rejection_leaves_no_bias_at_awkward_totals() {
        // At 3 * 2^62 a remainder of a 64-bit word would favour the first third two to one.
        let third = 1u64 << 62;
        let drawn = tally(&[third; 3], 3_000);
        let statistic = chi_squared(&drawn, &[1; 3]);
        // 99.9th percentile with 2 degrees of freedom.
        assert!(statistic < 13.816, "{statistic} for {drawn:?}");
        for total in [1, 2, 3, 5, 63, 64, 65, 127] {
            let drawn = tally(&vec![1; total], 200 * total as u64);
            let freedom = total as f64 - 1.0;
            // Wilson-Hilferty approximation of the 99.9th percentile, generous at one degree of freedom.
            let bound = freedom.max(1.0)
                * (1.0 - 2.0 / (9.0 * freedom.max(1.0)) + 3.09 * (2.0 / (9.0 * freedom.max(1.0))).sqrt()).powi(3);
            let statistic = chi_squared(&drawn, &vec![1; total]);
            assert!(statistic <= bound, "total {total}: {statistic} > {bound}");
        }
    }

    #[test]
    fn points_lie_below_every_total_up_to_the_largest() {
        for total in [1, 2, 3, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX / 2 + 2, u64::MAX - 1, u64::MAX] {
            for ticket in 0..200u8 {
                assert!(point_below(total, Hash([ticket; 32])).unwrap() < total);
            }
        }
        assert_eq!(point_below(0, Hash::ZERO), None);
    }

    #[test]
    fn a_validator_without_stake_is_never_drawn() {
        for height in 0..5_000 {
            let index = draw(&GENESIS, height, 0, &Hash::ZERO, &[0, 300, 0, 0, 1, 0]).unwrap();
            assert!(index == 1 || index == 4);
        }
        assert_eq!(draw(&GENESIS, 1, 0, &Hash::ZERO, &[0, 0]), None);
        assert_eq!(draw(&GENESIS, 1, 0, &Hash::ZERO, &[]), None);
        assert_eq!(draw(&GENESIS, 1, 0, &Hash::ZERO, &[u64::MAX, 1]), None, "a sum beyond 64 bits draws none");
    }

    #[test]
    fn genesis_height_round_and_seed_each_change_the_ticket_and_the_reveal() {
        let base = turn(&GENESIS, 1, 0, &Hash::ZERO);
        let others = [
            turn(&Hash([8; 32]), 1, 0, &Hash::ZERO),
            turn(&GENESIS, 2, 0, &Hash::ZERO),
            turn(&GENESIS, 1, 1, &Hash::ZERO),
            turn(&GENESIS, 1, 0, &Hash([1; 32])),
        ];
        others.iter().for_each(|other| assert_ne!(*other, base));
    }

    #[test]
    fn the_first_seed_is_the_documented_one() {
        let tag = Domain::Seed.tag().as_slice();
        let zero = Hash::of(&[tag, &[7; 32]].concat());
        let one = [tag, &[7; 32], &[1, 0, 0, 0, 0, 0, 0, 0], zero.as_bytes(), &[0; 48]].concat();
        assert_eq!(first_seed(&GENESIS), Hash::of(&one));
    }

    proptest! {
        #[test]
        fn a_draw_hits_the_validator_whose_stretch_holds_the_point(
            stakes in prop::collection::vec(0u64..1000, 1..12), height: u64, round: u32, seed: [u8; 32],
        ) {
            let total: u64 = stakes.iter().sum();
            let drawn = draw(&GENESIS, height, round, &Hash(seed), &stakes);
            prop_assert_eq!(drawn.is_none(), total == 0);
            if let Some(index) = drawn {
                let ticket = hash(Domain::Draw, &[&turn(&GENESIS, height, round, &Hash(seed))]);
                let point = point_below(total, ticket).unwrap();
                let below: u64 = stakes[..index].iter().sum();
                prop_assert!(below <= point && point < below + stakes[index]);
            }
        }
    }
}
