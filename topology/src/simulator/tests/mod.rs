//! Topologies of which it is known what must come of them, where everything goes wrong that can.

#[path = "../../../examples/simulate/count.rs"]
mod count;
#[path = "../../../examples/simulate/join.rs"]
mod join;
#[path = "../../../examples/simulate/stages.rs"]
mod stages;

mod mutants;

use std::ops::Range;

use super::Simulation;

/// So many runs of each topology in each run of the tests.
const SEEDS: u64 = 1_000;

/// Runs all of these seeds; what is wrong with the first of them that fails is the panic's message.
fn all(name: &str, simulation: Simulation, seeds: Range<u64>) {
    let again = format!("cargo run --release --locked --example simulate -- {name} --seed {{seed}}");
    let simulation = simulation.replayed_by(&again);
    for seed in seeds {
        if let Err(failure) = simulation.run(seed) {
            panic!("{failure}");
        }
    }
}

#[test]
fn counts_are_exact_whatever_goes_wrong() {
    all("count", count::count(1).unwrap(), 0..SEEDS);
}

#[test]
fn two_topics_are_merged_in_one_order_whatever_goes_wrong() {
    all("join", join::join(1).unwrap(), 0..SEEDS);
}

#[test]
fn what_passes_a_topic_between_two_stages_is_counted_once_whatever_goes_wrong() {
    all("stages", stages::stages(1).unwrap(), 0..SEEDS);
}

#[test]
fn a_seed_does_the_same_in_each_run() {
    for seed in 0..20 {
        let simulation = count::count(2).unwrap();
        assert_eq!(simulation.trace(seed), simulation.trace(seed));
    }
}
