//! The whole ledger where everything goes wrong that can, in virtual time, on a memory log: what happened under a seed,
//! line by line.
//!
//! ```text
//! cargo run --release --locked --example simulate_ledger -- --seed 7
//! cargo run --release --locked --example simulate_ledger -- --seeds 1000 --chain cheat --instances 3 --partitions 2
//! ```
//! The first prints the trace of one run: when, in ms of the simulation; which instance, and in which of its lives;
//! what. The second runs many, and prints the trace of the first that went wrong, if one did.

#![allow(clippy::expect_used, reason = "an example may stop where it stands")]

mod ledger;

use std::process::ExitCode;

use clap::Parser as _;
use ledger::{CHAINS, Chain, Setting, ledger};
use topology::simulator::Totals;

/// So many runs lie between two lines that say how far it is.
const SAY_EVERY: u64 = 1_000;

/// The whole ledger under every fault that the simulator has, in virtual time: the trace of one seed, or many together.
#[derive(clap::Parser)]
#[command(after_help = "Examples:\n  simulate_ledger --seed 7\n  simulate_ledger --chain cheat --seeds 1000")]
struct Arguments {
    #[arg(long, default_value = CHAINS[0].name, value_parser = chain, help = format!("The chain: {}", chains()))]
    chain: &'static Chain,
    /// Run this seed alone, and print what happened, line by line.
    #[arg(long, conflicts_with_all = ["from", "seeds"])]
    seed: Option<u64>,
    /// The first of the seeds.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// How many instances share the work.
    #[arg(long, default_value_t = 2)]
    instances: usize,
    /// How many partitions the transactions topic has.
    #[arg(long, default_value_t = 1)]
    partitions: i32,
}

fn chain(name: &str) -> Result<&'static Chain, String> {
    Chain::of_name(name).ok_or_else(|| format!("the chains are {}", chains()))
}

fn chains() -> String {
    CHAINS.iter().map(|chain| chain.name).collect::<Vec<_>>().join(", ")
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { chain, partitions, instances, .. } = *arguments;
    let simulation = ledger(Setting { chain, partitions, instances })?;
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
