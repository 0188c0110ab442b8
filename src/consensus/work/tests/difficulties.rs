//! What difficulty follows from what headers.

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::difficulty::{Previous, least, most, next};
use crate::chain::{Cut, Work, WorkRule};

const TARGET_MS: u64 = 1_000;

fn adjusted(leading_zero_bits: u8) -> Work {
    Work { rule: WorkRule::Header, leading_zero_bits, target_interval_ms: TARGET_MS }
}

fn after(difficulty: u64, interval_ms: i64, cut: Cut) -> u64 {
    let previous = Previous { height: 7, difficulty, time_ms: 5_000 };
    next(adjusted(10), &previous, 5_000 + interval_ms, cut)
}

#[test]
fn the_rule_is_the_documented_one() {
    assert_eq!(after(16_000, 1_000, Cut::Age), 16_000);
    assert_eq!(after(16_000, 500, Cut::Age), 16_500);
    assert_eq!(after(16_000, 1, Cut::Age), 16_999);
    assert_eq!(after(16_000, 2_000, Cut::Age), 15_000);
    assert_eq!(after(16_000, 4_000, Cut::Age), 13_000);
    assert_eq!(after(16_000, i64::MAX - 5_000, Cut::Age), 13_000, "and no less for any gap");
    for standing in [0, -1, i64::MIN] {
        assert_eq!(after(16_000, standing, Cut::Age), 16_000, "stream time stood still");
    }
    for full in [Cut::Transactions, Cut::Bytes] {
        assert_eq!(after(16_000, 500, full), 16_000, "a full block was not waited for");
        assert_eq!(after(16_000, 2_000, full), 15_000);
    }
    assert_eq!(after(1_024, 4_000, Cut::Age), 1_024, "the least");
    assert_eq!(after(1_024 << 16, 1, Cut::Age), 1_024 << 16, "the most");
    let second = Previous { height: 0, difficulty: 1_024, time_ms: 0 };
    assert_eq!(next(adjusted(10), &second, 1, Cut::Age), 1_024, "between block 0 and the first record may lie years");
    let fixed = Work { target_interval_ms: 0, ..adjusted(10) };
    assert_eq!(next(fixed, &Previous { height: 7, difficulty: 5_000, time_ms: 0 }, 1, Cut::Age), 1_024);
}

proptest! {
    #[test]
    fn a_difficulty_moves_by_little_and_within_its_bounds(
        bits in 8_u8..=36, start in any::<u64>(), time_ms in any::<i64>(), before_ms in any::<i64>(), is_full in any::<bool>(),
    ) {
        let work = adjusted(bits);
        prop_assert!(least(work) < most(work));
        let difficulty = start.clamp(least(work), most(work));
        let cut = if is_full { Cut::Transactions } else { Cut::Age };
        let due = next(work, &Previous { height: 3, difficulty, time_ms: before_ms }, time_ms, cut);
        prop_assert!((least(work)..=most(work)).contains(&due));
        prop_assert!(due <= difficulty + difficulty / 16 + 1);
        prop_assert!(due >= difficulty - difficulty / 16 * 3 - 3);
    }
}

/// Mines in virtual time: a stream of records without gaps, a miner who tries so many proofs a millisecond, and blocks
/// that take in what came until they are cut. Answers the intervals between headers, in ms.
fn intervals(work: Work, tries_per_ms: f64, start: u64, count: usize, seed: u64) -> Vec<f64> {
    const AGE_MS: f64 = 100.0;
    let mut random = StdRng::seed_from_u64(seed);
    let (mut now_ms, mut previous) = (0.0, Previous { height: 1, difficulty: start, time_ms: 0 });
    let mut found = Vec::new();
    for _ in 0..count {
        // The block is open until its first record is this old; then it is mined, at the difficulty that its time asks
        // for.
        now_ms += AGE_MS;
        let time_ms = now_ms as i64;
        let difficulty = next(work, &previous, time_ms, Cut::Age);
        found.push((time_ms - previous.time_ms) as f64);
        previous = Previous { height: previous.height + 1, difficulty, time_ms };
        // Trials are independent, so their number is geometrical: as good as exponential.
        let chance: f64 = random.random_range(f64::MIN_POSITIVE..1.0);
        now_ms += -chance.ln() * difficulty as f64 / tries_per_ms;
    }
    found
}

#[test]
fn whatever_a_miner_can_do_and_wherever_it_begins_there_comes_a_block_a_second() {
    let work = adjusted(16);
    for (tries_per_ms, start) in [(400.0, 1 << 16), (4_000.0, 1 << 16), (4_000.0, 1 << 26), (100_000.0, 1 << 30)] {
        for seed in 0..5 {
            let all = intervals(work, tries_per_ms, start, 3_000, seed);
            let settled = &all[400..];
            let mean = settled.iter().sum::<f64>() / settled.len() as f64;
            let variance = settled.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / settled.len() as f64;
            println!(
                "{tries_per_ms} tries/ms from {start}, seed {seed}: mean {mean:.0} ms, deviation {:.0} ms",
                variance.sqrt()
            );
            assert!((900.0..1_100.0).contains(&mean), "{mean}");
            // Mining is a matter of luck: the deviation is about as large as what is mined of the interval.
            assert!((600.0..1_300.0).contains(&variance.sqrt()), "{}", variance.sqrt());
        }
    }
}

#[test]
fn a_miner_that_is_gone_or_comes_is_followed() {
    let work = adjusted(16);
    let slow = intervals(work, 400.0, 1 << 24, 60, 1);
    assert!(slow[0] < 200.0 && slow.iter().any(|interval| *interval > 10_000.0), "42 s a block, at first");
    let last: f64 = slow[40..].iter().sum::<f64>() / 20.0;
    assert!(last < 2_000.0, "{last}");
}
