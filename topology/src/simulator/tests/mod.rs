//! Topologies of which it is known what must come of them, where everything goes wrong that can.

#[path = "../../../examples/simulate/count.rs"]
mod count;
#[path = "../../../examples/simulate/join.rs"]
mod join;
#[path = "../../../examples/simulate/repeating.rs"]
mod repeating;
#[path = "../../../examples/simulate/stages.rs"]
mod stages;

mod mutants;
mod verdicts;

use super::{Fault, Faults, Simulation};

/// So many runs of each topology in each run of the tests.
const SEEDS: u64 = 5_000;

/// Runs all seeds, with one partition or more and two instances or more; what is wrong with the first that fails is the
/// panic's message.
fn all(name: &str, make: fn(i32) -> crate::Result<Simulation>) {
    let simulations = [(1, 2), (2, 2), (3, 3)].map(|(partitions, instances)| {
        let again = format!("simulate -- {name} --partitions {partitions} --instances {instances} --seed {{seed}}");
        let again = format!("cargo run --release --locked --example {again}");
        make(partitions).unwrap().instances(instances).replayed_by(&again)
    });
    for (seed, simulation) in (0..SEEDS).zip(simulations.iter().cycle()) {
        if let Err(failure) = simulation.run(seed) {
            panic!("{failure}");
        }
    }
}

#[test]
fn counts_are_exact_whatever_goes_wrong() {
    all("count", count::count);
}

#[test]
fn two_topics_are_merged_in_one_order_whatever_goes_wrong() {
    all("join", join::join);
}

#[test]
fn what_passes_a_topic_between_two_stages_is_counted_once_whatever_goes_wrong() {
    all("stages", stages::stages);
}

#[test]
fn at_least_once_loses_nothing_and_repeats_in_order_whatever_goes_wrong() {
    all("repeating", repeating::repeating);
}

#[test]
fn at_least_once_goes_not_back_where_nobody_is_held_up() {
    all("repeating-unheld", repeating::repeating_unheld);
}

#[test]
fn where_nothing_but_threads_come_and_go_all_is_counted_once() {
    const SEEDS: u64 = 200;
    let changes = [Fault::AddedThread, Fault::RemovedThread];
    let faults = changes.iter().fold(Faults::none(), |faults, fault| faults.with(*fault, 300));
    let simulation = stages::stages(3).unwrap().faults(faults);
    let mut counts = changes.map(|fault| (fault, 0));
    for seed in 0..SEEDS {
        let report = simulation.run(seed).unwrap_or_else(|failure| panic!("{failure}"));
        for (fault, count) in report.faults {
            counts.iter_mut().filter(|(of, _)| *of == fault).for_each(|(_, sum)| *sum += count);
        }
    }
    assert!(counts.iter().all(|(_, sum)| *sum > SEEDS), "more often than once in a run: {counts:?}");
}

#[test]
fn a_seed_does_the_same_in_each_run() {
    for seed in 0..20 {
        let simulation = stages::stages(2).unwrap();
        // Not the traces: beside other tests some of the engine's own log lines may be missing in one of them.
        assert_eq!(simulation.run(seed), simulation.run(seed));
    }
}
