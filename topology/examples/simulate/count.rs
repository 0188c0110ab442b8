//! Counts the records of each key.

use std::collections::BTreeMap;

use topology::error::Result;
use topology::graph::{Builder, Store, Topic, Topology};
use topology::simulator::{Input, Outcome, Random, Simulation};

fn topology(partitions: i32) -> topology::Result<Topology> {
    let builder = Builder::new();
    let words = builder.sub_topology("counting").source::<str, ()>(Topic::new("words").partitions(partitions));
    words.count(&Store::rocksdb("counts")).sink(Topic::new("totals").partitions(partitions));
    builder.build()
}

/// Of each word: 1, 2, 3 ...
fn counted(outcome: &Outcome) -> Result<()> {
    let mut counts = BTreeMap::new();
    let words = outcome.read::<str, ()>("words")?;
    let totals = words.into_iter().flat_map(|(word, _)| word).map(|word| {
        let count = counts.entry(word).or_insert(0);
        *count += 1;
        (word, *count)
    });
    outcome.expect::<str, i64>("totals", totals)
}

fn write(random: &mut Random, input: &mut Input) -> Result<()> {
    let words = ["a", "b", "c", "d", "e", "f", "g", "h"];
    (0..random.within(1..200)).try_for_each(|at| input.send::<str, ()>("words", random.one_of(words), (), at))
}

pub(crate) fn count(partitions: i32) -> topology::Result<Simulation> {
    Ok(Simulation::new(&topology(partitions)?, "app").input(write).check(counted).same_as_undisturbed())
}
