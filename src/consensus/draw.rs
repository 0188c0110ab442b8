//! Who proposes: a draw weighted by stake, from a seed that nobody can grind.
//!
//! ```text
//! ticket(h, r)   = tag Draw   || chain id || h: u64 || r: u32 || seed(h)              (hashed)
//! reveal(h, r)   = tag Reveal || chain id || h: u64 || r: u32 || seed(h)              (BLS-signed by the winner)
//! seed(h + 1)    = H(tag Seed || chain id || h + 1: u64 || seed(h) || reveal: 48)     (reveal: of the round that sealed h)
//!
//! chain id is its length as u32 and its bytes; integers are little-endian; tags are 16 bytes (chain::Domain).
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
//! The draw reads nothing that whoever submits or orders transactions could choose: no transaction bytes, offsets,
//! times or block hashes. A reveal is the one BLS signature its owner can make over that message, so a proposer's only
//! choice is to stay silent and lose its turn.

use super::bls;
use crate::chain::{Domain, Hash, hash};

/// Words tried before giving up. Each is rejected with probability below one half, so giving up has probability below
/// 2^-1024: the bound is there so that the loop visibly ends.
const WORDS_MAX: usize = 1024;

/// The index into `stakes` of the validator that proposes in `round` of `height`. `stakes` are in the order of the
/// validators' ids; whoever may not be drawn stands there with zero. `None`: no stake at all, or a sum beyond 64 bits.
#[must_use]
pub fn draw(chain_id: &str, height: u64, round: u32, seed: &Hash, stakes: &[u64]) -> Option<usize> {
    let total = stakes.iter().try_fold(0u64, |sum, stake| sum.checked_add(*stake))?;
    let ticket = hash(Domain::Draw, &[&turn(chain_id, height, round, seed)]);
    let mut point = point_below(total, ticket)?;
    stakes.iter().position(|&stake| match point.checked_sub(stake) {
        Some(rest) => {
            point = rest;
            false
        }
        None => true,
    })
}

/// What the proposer of `round` of `height` signs as its reveal (BLS).
#[must_use]
pub fn reveal_message(chain_id: &str, height: u64, round: u32, seed: &Hash) -> Vec<u8> {
    [Domain::Reveal.tag().as_slice(), turn(chain_id, height, round, seed).as_slice()].concat()
}

/// The seed of `next_height`, from the seed of the height before it and the reveal in that height's seal.
#[must_use]
pub fn next_seed(chain_id: &str, next_height: u64, seed: &Hash, reveal: &[u8; bls::SIGNATURE_SIZE_BYTES]) -> Hash {
    let length = length(chain_id);
    hash(Domain::Seed, &[&length, chain_id.as_bytes(), &next_height.to_le_bytes(), seed.as_bytes(), reveal])
}

/// The seed of height 1. `genesis_seed` is the one in block 0's header; that block has no reveal, zeros stand in its place.
#[must_use]
pub fn first_seed(chain_id: &str, genesis_seed: &Hash) -> Hash {
    next_seed(chain_id, 1, genesis_seed, &[0; bls::SIGNATURE_SIZE_BYTES])
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
fn turn(chain_id: &str, height: u64, round: u32, seed: &Hash) -> Vec<u8> {
    [&length(chain_id), chain_id.as_bytes(), &height.to_le_bytes(), &round.to_le_bytes(), seed.as_bytes()].concat()
}

/// A chain id has at most 64 bytes, so its length always fits.
fn length(chain_id: &str) -> [u8; 4] {
    u32::try_from(chain_id.len()).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAKES: [u64; 5] = [2000, 1, 500, 1250, 250];

    /// Draws at `count` heights along a chain of seeds; how often each was drawn.
    fn tally(stakes: &[u64], count: u64) -> Vec<u64> {
        let mut seed = Hash::of(b"draws match stakes");
        let mut drawn = vec![0; stakes.len()];
        for height in 1..=count {
            drawn[draw("test", height, 0, &seed, stakes).unwrap()] += 1;
            seed = next_seed("test", height + 1, &seed, &[7; 48]);
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
    fn whoever_has_no_stake_is_never_drawn() {
        for height in 0..5_000 {
            let index = draw("test", height, 0, &Hash::ZERO, &[0, 300, 0, 0, 1, 0]).unwrap();
            assert!(index == 1 || index == 4);
        }
        assert_eq!(draw("test", 1, 0, &Hash::ZERO, &[0, 0]), None);
        assert_eq!(draw("test", 1, 0, &Hash::ZERO, &[]), None);
        assert_eq!(draw("test", 1, 0, &Hash::ZERO, &[u64::MAX, 1]), None, "a sum beyond 64 bits draws nobody");
    }

    #[test]
    fn chain_height_round_and_seed_each_change_the_ticket_and_the_message() {
        let base = turn("test", 1, 0, &Hash::ZERO);
        let others = [
            turn("tess", 1, 0, &Hash::ZERO),
            turn("test", 2, 0, &Hash::ZERO),
            turn("test", 1, 1, &Hash::ZERO),
            turn("test", 1, 0, &Hash([1; 32])),
        ];
        others.iter().for_each(|other| assert_ne!(*other, base));
    }

    #[test]
    fn the_layout_of_a_turn_is_the_documented_one() {
        let bytes = reveal_message("ab", 0x0102, 3, &Hash([9; 32]));
        let mut expected = b"cairn/reveal/1\0\0".to_vec();
        expected.extend([2, 0, 0, 0, b'a', b'b', 2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]);
        expected.extend([9; 32]);
        assert_eq!(bytes, expected);
    }

    proptest! {
        #[test]
        fn a_draw_hits_the_validator_whose_stretch_holds_the_point(
            stakes in prop::collection::vec(0u64..1000, 1..12), height: u64, round: u32, seed: [u8; 32],
        ) {
            let total: u64 = stakes.iter().sum();
            let drawn = draw("test", height, round, &Hash(seed), &stakes);
            prop_assert_eq!(drawn.is_none(), total == 0);
            if let Some(index) = drawn {
                let ticket = hash(Domain::Draw, &[&turn("test", height, round, &Hash(seed))]);
                let point = point_below(total, ticket).unwrap();
                let below: u64 = stakes[..index].iter().sum();
                prop_assert!(below <= point && point < below + stakes[index]);
            }
        }
    }
}
