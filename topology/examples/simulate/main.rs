//! Topologies where everything goes wrong that can, in virtual time, on a memory log: what happened under a seed, line
//! by line.
//!
//! ```text
//! cargo run -p topology --no-default-features --features simulator --example simulate -- count --seed 7
//! cargo run --release --locked --example simulate -- join --seeds 1000 --instances 3 --partitions 4
//! ```
//! The first prints the trace of one run: when, in ms of the simulation; which instance, and in which of its lives;
//! what. The second runs many, says how far it is every thousand, and prints the trace of the first that went wrong, if
//! one did. It uses one core: `--from 50000` begins there, for another process beside it.

mod count;
mod join;
mod repeating;
mod stages;

use std::process::ExitCode;

use clap::{Parser as _, ValueEnum as _};
use topology::simulator::{Simulation, Totals};

/// What runs it without a C++ compiler.
const RUN: &str = "cargo run --release -p topology --no-default-features --features simulator --example";
/// So many runs lie between two lines that say how far it is.
const SAY_EVERY: u64 = 1_000;

/// A topology under every fault that the simulator has, in virtual time: the trace of one seed, or many together.
#[derive(clap::Parser)]
#[command(
    after_help = "Examples:\n  simulate count --seed 7\n  simulate join --seeds 1000 --instances 3 --partitions 4"
)]
struct Arguments {
    /// What is run.
    #[arg(default_value = "count")]
    topology: Which,
    /// Run this seed alone, and print what happened, line by line.
    #[arg(long, conflicts_with_all = ["from", "seeds"])]
    seed: Option<u64>,
    /// The first of the seeds.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// How many instances share the work.
    #[arg(long, default_value_t = 2)]
    instances: usize,
    /// How many partitions each input has.
    #[arg(long, default_value_t = 1)]
    partitions: i32,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Which {
    /// Records of each key are counted.
    Count,
    /// A task reads two topics.
    Join,
    /// Words are split and then counted, with a topic between the two.
    Stages,
    /// Numbers are copied and counted, at least once.
    Repeating,
    /// The same, where no member is held up for longer than its session lasts.
    RepeatingUnheld,
}

impl Arguments {
    fn simulation(&self) -> topology::Result<Simulation> {
        let Self { topology, instances, partitions, .. } = self;
        let simulation = match topology {
            Which::Count => count::count(*partitions)?,
            Which::Join => join::join(*partitions)?,
            Which::Stages => stages::stages(*partitions)?,
            Which::Repeating => repeating::repeating(*partitions)?,
            Which::RepeatingUnheld => repeating::repeating_unheld(*partitions)?,
        };
        let name = topology.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let again = format!("simulate -- {name} --instances {instances} --partitions {partitions} --seed {{seed}}");
        Ok(simulation.instances(*instances).replayed_by(&format!("{RUN} {again}")))
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
    let mut totals = Totals::default();
    for seed in arguments.from..arguments.from + arguments.seeds {
        totals.add(&simulation.run(seed)?);
        if totals.seed_count.is_multiple_of(SAY_EVERY) {
            eprintln!("{} of {} seeds", totals.seed_count, arguments.seeds);
        }
    }
    println!("all is as it must be: {totals}");
    Ok(())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
