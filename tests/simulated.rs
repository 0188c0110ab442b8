//! The whole ledger where everything goes wrong that can: its blocks are one chain, of which everything can be computed
//! again.
//!
//! `CAIRN_SIMULATED_SEEDS=FIRST..END` chooses other seeds. Each run of the tests has 5,000 of them, spread over all
//! cores. `cargo run --release --locked --example simulate_ledger` shows what happens under one.

#![allow(clippy::expect_used, reason = "a test may stop where it stands")]

#[path = "../examples/simulate_ledger/ledger/mod.rs"]
mod ledger;

use std::num::NonZero;
use std::ops::Range;
use std::sync::Mutex;
use std::thread;

use ledger::{CHAINS, Chain, Setting, ledger};
use topology::simulator::Failure;

/// So many of all chains together in each run of the tests.
const SEED_COUNT: u64 = 5_000;

fn seeds() -> Range<u64> {
    let of_each = SEED_COUNT.div_ceil(CHAINS.len() as u64);
    let Ok(chosen) = std::env::var("CAIRN_SIMULATED_SEEDS") else { return 0..of_each };
    let bounds = chosen.split_once("..").map(|(first, end)| (first.parse(), end.parse()));
    let Some((Ok(first), Ok(end))) = bounds else { panic!("CAIRN_SIMULATED_SEEDS cannot be '{chosen}': 0..1000") };
    first..end
}

/// Runs all seeds, each with one of these numbers of partitions and instances; what is wrong with the first that fails
/// is the panic's message.
fn all(chain: &str) {
    let chain = Chain::of_name(chain).expect("a chain of this name");
    let simulations = [(1, 2), (2, 2), (1, 3), (3, 3)]
        .map(|(partitions, instances)| ledger(Setting { chain, partitions, instances }).expect("a ledger"));
    let todo = Mutex::new(seeds().zip(simulations.iter().cycle()));
    let run_some = || -> Option<Failure> {
        loop {
            // Not locked while it runs.
            let next = todo.lock().expect("no thread panics here").next();
            let (seed, simulation) = next?;
            if let Err(failure) = simulation.run(seed) {
                // The others end with what they run now.
                todo.lock().expect("no thread panics here").by_ref().for_each(drop);
                return Some(failure);
            }
        }
    };
    let failures: Vec<Failure> = thread::scope(|scope| {
        let threads: Vec<_> = (0..thread_count()).map(|_| scope.spawn(run_some)).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("a simulation does not panic")).collect()
    });
    if let Some(failure) = failures.iter().min_by_key(|failure| failure.seed) {
        panic!("{failure}");
    }
}

fn thread_count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

#[test]
fn with_open_balances_and_fees_each_record_is_in_one_block_of_one_chain_whatever_goes_wrong() {
    all("open");
}

#[test]
fn with_strict_balances_and_windows_each_record_is_in_one_block_of_one_chain_whatever_goes_wrong() {
    all("strict");
}

#[test]
fn with_a_silent_validator_turns_pass_and_nothing_is_signed_twice_whatever_goes_wrong() {
    all("silent");
}

#[test]
fn a_cheat_loses_its_stake_once_and_nobody_else_does_whatever_goes_wrong() {
    all("cheat");
}

#[test]
fn a_seed_does_the_same_in_each_run() {
    let chain = Chain::of_name("open").expect("a chain of this name");
    for (seed, partitions) in (0..12).zip([1, 2].into_iter().cycle()) {
        let simulation = ledger(Setting { chain, partitions, instances: 2 }).expect("a ledger");
        assert_eq!(simulation.run(seed), simulation.run(seed));
    }
}
