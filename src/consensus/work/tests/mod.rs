//! Puzzles, difficulties, seals and chains of work.

mod chain;
mod difficulties;
mod forged;
mod world;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::link::Link;
use super::puzzle::{PROOF_MAX, Puzzle};
use crate::chain::{Hash, Work};

fn leading_zero_bits(hash: &[u8]) -> u32 {
    let zero_bytes = hash.iter().take_while(|byte| **byte == 0).count();
    8 * zero_bytes as u32 + hash.get(zero_bytes).map_or(0, |byte| byte.leading_zeros())
}

proptest! {
    #[test]
    fn a_difficulty_of_a_power_of_two_asks_for_leading_zero_bits(bits in 0_u32..14, last in any::<u64>(), proof in 0..=PROOF_MAX) {
        let zeros = leading_zero_bits(&Sha256::digest(format!("{last}{proof}")));
        prop_assert_eq!(Puzzle::classic(last, 1 << bits).is_solved_by(proof), zeros >= bits);
        let header = Hash::of(&last.to_be_bytes());
        let bound = [&b"cairn/work/1\0\0\0\0"[..], &header.0, &proof.to_le_bytes()].concat();
        let zeros = leading_zero_bits(&Sha256::digest(bound));
        prop_assert_eq!(Puzzle::header(header, 1 << bits).is_solved_by(proof), zeros >= bits);
    }

    #[test]
    fn what_holds_at_a_difficulty_holds_at_every_lower_one(last in any::<u64>(), proof in 0..=PROOF_MAX, difficulty in 2..100_u64) {
        let holds = |difficulty| Puzzle::classic(last, difficulty).is_solved_by(proof);
        prop_assert!(!holds(difficulty) || holds(difficulty - 1));
    }

    #[test]
    fn a_link_survives_the_state(proof in any::<u64>(), difficulty in any::<u64>()) {
        let link = Link { proof, difficulty };
        prop_assert_eq!(Link::of_seed(&link.to_seed()), link);
    }
}

#[test]
fn a_search_finds_the_first_proof_and_no_larger_one_than_json_can_hold() {
    let puzzle = Puzzle::header(Hash::of(b"block"), 1 << 10);
    let found = puzzle.search(0, u64::MAX).unwrap();
    assert!((0..found).all(|proof| !puzzle.is_solved_by(proof)) && puzzle.is_solved_by(found));
    assert_eq!(puzzle.search(found + 1, 0), None);
    let any = Puzzle::header(Hash::of(b"block"), 1);
    assert_eq!(any.search(PROOF_MAX, u64::MAX), Some(PROOF_MAX));
    assert_eq!(any.search(PROOF_MAX + 1, u64::MAX), None);
    assert!(!any.is_solved_by(PROOF_MAX + 1));
}

#[test]
fn block_0_stands_for_the_proof_of_the_first_block_in_python() {
    assert_eq!(Link::first(Work::default()), Link { proof: 100, difficulty: 65_536 });
}
