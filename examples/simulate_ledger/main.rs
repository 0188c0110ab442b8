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

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;

use ledger::{CHAINS, Chain, Setting, ledger};
use topology::simulator::{Fault, Simulation};

/// So many runs lie between two lines that say how far it is.
const SAY_EVERY: u64 = 1_000;

struct Arguments {
    seed: Option<u64>,
    seeds: Range<u64>,
    setting: Setting,
}

impl Arguments {
    fn parse() -> Result<Self, String> {
        let setting = Setting { chain: &CHAINS[0], partitions: 1, instances: 2 };
        let mut parsed = Self { seed: None, seeds: 0..100, setting };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let refused = |_| format!("{name} cannot be '{value}'");
            match name.as_str() {
                "--seed" => parsed.seed = Some(value.parse().map_err(refused)?),
                "--from" => parsed.seeds.start = value.parse().map_err(refused)?,
                "--seeds" => parsed.seeds.end = value.parse().map_err(refused)?,
                "--instances" => parsed.setting.instances = value.parse().map_err(refused)?,
                "--partitions" => parsed.setting.partitions = value.parse().map_err(refused)?,
                "--chain" => {
                    let names = || CHAINS.iter().map(|chain| chain.name).collect::<Vec<_>>().join(", ");
                    let chain = Chain::of_name(&value);
                    parsed.setting.chain = chain.ok_or_else(|| format!("there is no chain '{value}': {}", names()))?;
                }
                _ => return Err(format!("unknown argument {name}; see the head of examples/simulate_ledger/main.rs")),
            }
        }
        parsed.seeds.end += parsed.seeds.start;
        Ok(parsed)
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let simulation: Simulation = ledger(arguments.setting)?;
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
    let count = arguments.seeds.clone().count();
    println!("{count} seeds, {turn_count} turns, {} s: all is as it must be", virtual_ms / 1_000);
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
