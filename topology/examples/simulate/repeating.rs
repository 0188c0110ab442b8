//! At least once: what may then be expected of copies and of counts, and what not.
//!
//! ```text
//! whatever goes wrong               each input is copied, once or more often; nothing else is; and the first copies of a key come in the
//!                                   order of its inputs
//! where no member is held up for    in addition the last copy of a key is that of its last input, and no count is too low
//! longer than a session lasts
//! ```
//! A member that was held up so long is fenced by nothing: it may write what its successor wrote long before, over what
//! came since, in its topics and in its changelogs. So nothing is said of what is in stores there, but that they can be
//! restored.

use std::collections::{BTreeMap, BTreeSet};

use topology::client::{Config, Guarantee};
use topology::error::{Error, Result};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::simulator::{Fault, Faults, Input, Outcome, Random, Simulation};

fn topology(partitions: i32) -> topology::Result<Topology> {
    let builder = Builder::new();
    let topic = |name| Topic::new(name).partitions(partitions);
    let copying = builder.sub_topology("copying");
    let numbers = copying.source::<str, i64>(topic("numbers"));
    numbers.sink(topic("copies"));
    numbers.count(&Store::rocksdb("counts")).sink(topic("totals"));
    builder.build()
}

fn by_key<'o>(outcome: &'o Outcome, topic: &str) -> Result<BTreeMap<&'o str, Vec<i64>>> {
    let mut by_key: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (key, value) in outcome.read::<str, i64>(topic)? {
        by_key.entry(key.unwrap_or_default()).or_default().push(value.unwrap_or_default());
    }
    Ok(by_key)
}

/// Whether the first copies of each key are its inputs, all of them and no others, in their order.
fn copied(outcome: &Outcome) -> Result<()> {
    let (numbers, mut copies) = (by_key(outcome, "numbers")?, by_key(outcome, "copies")?);
    for copies in copies.values_mut() {
        let mut seen = BTreeSet::new();
        copies.retain(|copy| seen.insert(*copy));
    }
    match copies == numbers {
        true => Ok(()),
        false => Err(Error::stop(format!("what was copied first is {copies:?}, and what there was is {numbers:?}"))),
    }
}

/// Whether the last copy of each key is its last input, and no count is too low.
fn none_goes_back(outcome: &Outcome) -> Result<()> {
    let (numbers, copies, totals) =
        (by_key(outcome, "numbers")?, by_key(outcome, "copies")?, by_key(outcome, "totals")?);
    for (key, numbers) in numbers {
        let last = |of: &BTreeMap<&str, Vec<i64>>| of.get(key).and_then(|values| values.last().copied());
        let (copied, counted) = (last(&copies), last(&totals).unwrap_or(0));
        if copied != numbers.last().copied() {
            return Err(Error::stop(format!("the last copy of '{key}' is {copied:?}, and {numbers:?} were there")));
        }
        if counted < numbers.len() as i64 {
            return Err(Error::stop(format!("'{key}' came {} times, and its last count is {counted}", numbers.len())));
        }
    }
    Ok(())
}

fn write(random: &mut Random, input: &mut Input) -> Result<()> {
    (0..random.within(1..200)).try_for_each(|number| {
        input.send::<str, i64>("numbers", random.one_of(["a", "b", "c", "d", "e"]), number, number)
    })
}

fn simulation(partitions: i32) -> topology::Result<Simulation> {
    let config = |_: &mut Random, config| Config { guarantee: Guarantee::AtLeastOnce, ..config };
    Ok(Simulation::new(&topology(partitions)?, "app").config(config).input(write).check(copied))
}

/// Whatever goes wrong.
pub(crate) fn repeating(partitions: i32) -> topology::Result<Simulation> {
    simulation(partitions)
}

/// Where no member is held up: brokers that are behind hold members up as well, which wait for what they do not show.
pub(crate) fn repeating_unheld(partitions: i32) -> topology::Result<Simulation> {
    let faults = [Fault::Pause, Fault::Zombie, Fault::StaleMetadata];
    let faults = faults.into_iter().fold(Faults::all(), |faults, fault| faults.with(fault, 0));
    Ok(simulation(partitions)?.faults(faults).check(none_goes_back))
}
