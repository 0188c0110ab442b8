//! Counts words where everything goes wrong that can, in virtual time, on a memory log: what happened under a seed, line by
//! line.
//!
//! ```text
//! cargo run --release --locked --example simulate -- --seed 7
//! cargo run --release --locked --example simulate -- --seeds 1000 --instances 3 --partitions 4
//! ```
//! The first prints the trace of one run: when, in ms of the simulation; which instance, and in which of its lives; what. The
//! second runs many, and prints the trace of the first that went wrong, if one did.

use std::collections::BTreeMap;
use std::process::ExitCode;

use topology::graph::{Builder, Store, Topic};
use topology::simulator::{Outcome, Simulation};

struct Arguments {
    seed: Option<u64>,
    seed_count: u64,
    instances: usize,
    partitions: i32,
}

impl Arguments {
    fn parse() -> Result<Self, String> {
        let mut parsed = Self { seed: None, seed_count: 1_000, instances: 2, partitions: 1 };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let refused = |_| format!("{name} cannot be '{value}'");
            match name.as_str() {
                "--seed" => parsed.seed = Some(value.parse().map_err(refused)?),
                "--seeds" => parsed.seed_count = value.parse().map_err(refused)?,
                "--instances" => parsed.instances = value.parse().map_err(refused)?,
                "--partitions" => parsed.partitions = value.parse().map_err(refused)?,
                _ => return Err(format!("unknown argument {name}; see the head of topology/examples/simulate.rs")),
            }
        }
        Ok(parsed)
    }
}

/// Of each word: 1, 2, 3 ...
fn counted(outcome: &Outcome) -> topology::Result<()> {
    let mut counts = BTreeMap::new();
    let words = outcome.read::<str, ()>("words")?;
    let totals = words.into_iter().filter_map(|(word, _)| word).map(|word| {
        let count = counts.entry(word).or_insert(0);
        *count += 1;
        (word, *count)
    });
    outcome.expect::<str, i64>("totals", totals)
}

fn simulation(arguments: &Arguments) -> topology::Result<Simulation> {
    let builder = Builder::new();
    let words = Topic::new("words").partitions(arguments.partitions);
    let words = builder.sub_topology("counting").source::<str, ()>(words);
    words.count(&Store::rocksdb("counts")).sink("totals");
    let simulation = Simulation::new(&builder.build()?, "count")
        .instances(arguments.instances)
        .input(|random, input| {
            (0..100).try_for_each(|at| input.send::<str, ()>("words", random.one_of(["tea", "ink", "salt"]), (), at))
        })
        .check(counted);
    Ok(simulation)
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let simulation = simulation(arguments)?;
    if let Some(seed) = arguments.seed {
        let report = simulation.trace(seed)?;
        report.trace.iter().for_each(|line| println!("{line}"));
        println!("all is as it must be after {} turns in {} ms", report.turn_count, report.virtual_ms);
        return Ok(());
    }
    for seed in 0..arguments.seed_count {
        simulation.run(seed)?;
    }
    println!("{} seeds, and all is as it must be", arguments.seed_count);
    Ok(())
}

fn main() -> ExitCode {
    let done = Arguments::parse().map_err(Into::into).and_then(|arguments| run(&arguments));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
