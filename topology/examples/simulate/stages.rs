//! Two sub-topologies with a topic between them: what the first one commits is the second one's input.

use std::collections::BTreeMap;

use topology::error::Result;
use topology::graph::{Builder, Store, Topic, Topology};
use topology::simulator::{Outcome, Simulation};

/// Splits lines, and counts the words.
fn topology(partitions: i32) -> topology::Result<Topology> {
    let builder = Builder::new();
    let lines = builder.sub_topology("splitting").source::<str, str>(Topic::new("lines").partitions(partitions));
    let words = lines.flat_map::<str, ()>(|line, out| {
        line.value.unwrap_or_default().split(' ').for_each(|word| out.emit(word, ()));
    });
    words.sink(Topic::new("words").partitions(partitions));
    let counting = builder.sub_topology("counting");
    if partitions == 1 {
        // With a producer of its own: what befalls the transaction of one stage leaves the other's alone.
        counting.single_writer("counting-writer");
    }
    let words = counting.source::<str, ()>(Topic::new("words").partitions(partitions));
    words.count(&Store::rocksdb("counts")).sink(Topic::new("totals").partitions(partitions));
    builder.build()
}

fn counted(outcome: &Outcome) -> Result<()> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for (_, line) in outcome.read::<str, str>("lines")? {
        for word in line.unwrap_or_default().split(' ') {
            *counts.entry(word).or_default() += 1;
        }
    }
    let totals = counts.into_iter().flat_map(|(word, count)| (1..=count).map(move |count| (word, count)));
    outcome.expect::<str, i64>("totals", totals)
}

pub(crate) fn stages(partitions: i32) -> topology::Result<Simulation> {
    let simulation = Simulation::new(&topology(partitions)?, "app")
        .input(move |random, input| {
            for at in 0..random.within(1..60) {
                let words: Vec<&str> = (0..random.within(1..5)).map(|_| random.one_of(["a", "b", "c", "d"])).collect();
                let key = random.one_of(["1", "2", "3", "4"]);
                input.send::<str, str>("lines", key, &words.join(" "), at)?;
            }
            Ok(())
        })
        .check(counted)
        .same_as_undisturbed();
    Ok(simulation)
}
