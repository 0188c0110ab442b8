//! Topologies where everything goes wrong that can, in virtual time, on a memory log: what happened under a seed, line
//! by line.
//!
//! ```text
//! cargo run --release --locked --example simulate -- count --seed 7
//! cargo run --release --locked --example simulate -- join --seeds 1000 --instances 3 --partitions 4
//! ```
//! The first prints the trace of one run: when, in ms of the simulation; which instance, and in which of its lives;
//! what. The second runs many, says how far it is every thousand, and prints the trace of the first that went wrong, if
//! one did. It uses one core: `--from 50000` begins there, for another process beside it.

mod count;
mod join;
mod repeating;
mod stages;

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;

use topology::simulator::{Fault, Simulation};

/// So many runs lie between two lines that say how far it is.
const SAY_EVERY: u64 = 1_000;

struct Arguments {
    topology: String,
    seed: Option<u64>,
    seeds: Range<u64>,
    instances: usize,
    partitions: i32,
}

impl Arguments {
    fn parse() -> Result<Self, String> {
        let mut parsed =
            Self { topology: "count".to_owned(), seed: None, seeds: 0..1_000, instances: 2, partitions: 1 };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            if !name.starts_with("--") {
                parsed.topology = name;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let refused = |_| format!("{name} cannot be '{value}'");
            match name.as_str() {
                "--seed" => parsed.seed = Some(value.parse().map_err(refused)?),
                "--from" => parsed.seeds.start = value.parse().map_err(refused)?,
                "--seeds" => parsed.seeds.end = value.parse().map_err(refused)?,
                "--instances" => parsed.instances = value.parse().map_err(refused)?,
                "--partitions" => parsed.partitions = value.parse().map_err(refused)?,
                _ => {
                    return Err(format!("unknown argument {name}; see the head of topology/examples/simulate/main.rs"));
                }
            }
        }
        parsed.seeds.end += parsed.seeds.start;
        Ok(parsed)
    }

    fn simulation(&self) -> topology::Result<Simulation> {
        let Self { topology, instances, partitions, .. } = self;
        let simulation = match topology.as_str() {
            "count" => count::count(*partitions)?,
            "join" => join::join(*partitions)?,
            "stages" => stages::stages(*partitions)?,
            "repeating" => repeating::repeating(*partitions)?,
            "repeating-unheld" => repeating::repeating_unheld(*partitions)?,
            _ => {
                let all = "count, join, stages, repeating or repeating-unheld";
                return Err(topology::Error::stop(format!("there is no '{topology}': {all}")));
            }
        };
        let again = format!("simulate -- {topology} --instances {instances} --partitions {partitions} --seed {{seed}}");
        Ok(simulation.instances(*instances).replayed_by(&format!("cargo run --release --locked --example {again}")))
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let simulation = arguments.simulation()?;
    if let Some(seed) = arguments.seed {
        let report = simulation.trace(seed)?;
        report.trace.iter().for_each(|line| println!("{line}"));
        println!("all is as it must be after {} turns in {} ms", report.turn_count, report.virtual_ms);
        return Ok(());
    }
    let mut counts: BTreeMap<Fault, u64> = BTreeMap::new();
    let (mut turn_count, mut virtual_ms) = (0, 0);
    for seed in arguments.seeds.clone() {
        let report = simulation.run(seed)?;
        turn_count += report.turn_count;
        virtual_ms += report.virtual_ms;
        report.faults.iter().for_each(|(fault, count)| *counts.entry(*fault).or_default() += count);
        let done = seed + 1 - arguments.seeds.start;
        if done.is_multiple_of(SAY_EVERY) {
            eprintln!("{done} of {} seeds", arguments.seeds.clone().count());
        }
    }
    println!(
        "{} seeds, {turn_count} turns, {} s: all is as it must be",
        arguments.seeds.clone().count(),
        virtual_ms / 1_000
    );
    counts.iter().for_each(|(fault, count)| println!("{count:>9} {fault:?}"));
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
