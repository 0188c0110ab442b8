//! Bugs that were put in on purpose: each is found.

use super::count;
use crate::mutant::{self, Mutant};
use crate::simulator::Failure;

/// In so many runs at most.
const SEEDS: u64 = 1_000;

fn find(mutant: Mutant) -> Failure {
    let simulation = count::count(1).unwrap();
    let run = |seed| mutant::with(mutant, || simulation.run(seed)).err();
    let found = (0..SEEDS).find_map(run).unwrap_or_else(|| panic!("{mutant:?} was not found in {SEEDS} runs"));
    println!("{mutant:?} was found with seed {}: {}", found.seed, found.what);
    found
}

#[test]
fn stores_written_before_the_commit_are_found() {
    find(Mutant::StoreBeforeCommit);
}

#[test]
fn offsets_committed_outside_the_transaction_are_found() {
    find(Mutant::OffsetsOutside);
}

#[test]
fn a_producer_that_is_used_again_after_an_unknown_outcome_is_found() {
    find(Mutant::ReusedProducer);
}

#[test]
fn a_restore_that_stops_at_a_position_is_found() {
    let failure = find(Mutant::ShortRestore);
    assert!(failure.what.contains("ms after the last fault"), "it waits for ever: {}", failure.what);
}

#[test]
fn writes_that_outlive_their_transaction_are_found() {
    find(Mutant::KeptOverlay);
}

#[test]
fn reads_of_what_is_not_committed_are_found() {
    let failure = find(Mutant::UncommittedQuery);
    assert!(failure.what.contains("is committed up to"), "it is read, and nothing else is wrong: {}", failure.what);
}
