//! Asks a store from many threads while it is counted at full speed, and prints what that costs the count.
//!
//! ```text
//! cargo run --release --locked --example queries -- --help
//! ```
//! The log is in memory, unless a Kafka cluster is named, whose broker then has its part of the processors. Each round
//! counts the same input in four ways, each time anew, and each round begins with another of them:
//!
//! ```text
//! alone    no one asks
//! asked    each thread asks the store that is counted, so many times a second
//! pressed  each thread asks it again as soon as it is answered
//! aside    the same, of the store of another application in this process, which is idle
//! ```
//! What *pressed* loses against *aside* is what readers and the stream thread cost each other; what *aside* loses
//! against *alone* is what threads that never rest take of the processors, whatever they do.
//!
//! Of 100 questions 99 are for one key and one is for a hundred entries from a key on. Linux only: CPU times come from
//! /proc.
#![allow(clippy::disallowed_methods, reason = "a measurement is about real time")]

mod count;
mod processors;
mod readers;
mod report;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser as _;
use topology::log::Log;
use topology::log::kafka::{self, KafkaLog};
use topology::log::memory::MemoryLog;

use count::{Bench, Measured};
use readers::Pace;

/// Asks a store from many threads while it is counted at full speed, and prints what that costs the count.
#[derive(clap::Parser)]
struct Arguments {
    /// How many threads ask.
    #[arg(long, default_value_t = 8)]
    threads: usize,
    /// How often each of them does.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    per_second: u64,
    /// How many records each round counts.
    #[arg(long, default_value_t = 3_000_000, value_parser = clap::value_parser!(u64).range(10..))]
    records: u64,
    /// How many keys they have.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// How often all is measured.
    #[arg(long, default_value = "5")]
    rounds: NonZeroUsize,
    /// Keep the store in memory.
    #[arg(long = "memory")]
    in_memory: bool,
    /// HOST:PORT of a broker or more, with commas. Without it the log is in memory.
    #[arg(long)]
    brokers: Option<String>,
}

/// A way to count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Alone,
    Asked,
    Pressed,
    Aside,
}

impl Way {
    const ALL: [Way; 4] = [Way::Alone, Way::Asked, Way::Pressed, Way::Aside];

    fn name(self) -> &'static str {
        match self {
            Way::Alone => "alone",
            Way::Asked => "asked",
            Way::Pressed => "pressed",
            Way::Aside => "aside",
        }
    }
}

fn main() -> ExitCode {
    // rust-rdkafka calls it an error that a consumer which is dropped was closed before.
    let lines = "warn,rdkafka::consumer::base_consumer=off";
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(lines).init();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> topology::Result<()> {
    match &arguments.brokers {
        Some(brokers) => measure(KafkaLog::new(kafka::Options::new(brokers))?, arguments),
        None => {
            let start = Instant::now();
            measure(MemoryLog::new(Arc::new(move || start.elapsed().as_millis() as i64)), arguments)
        }
    }
}

fn measure<L: Log>(log: L, arguments: &Arguments) -> topology::Result<()> {
    let bench = Bench::prepare(log, arguments)?;
    let idle = bench.start("idle")?;
    bench.wait_for(&idle, arguments.records);
    let mut rounds: Vec<[Measured; 4]> = Vec::with_capacity(arguments.rounds.get());
    for round in 0..arguments.rounds.get() {
        let mut measured = [Measured::default(); 4];
        for step in 0..Way::ALL.len() {
            let at = (round + step) % Way::ALL.len();
            let way = Way::ALL[at];
            let name = format!("{round}-{}", way.name());
            let client = bench.start(&name)?;
            let asked = match way {
                Way::Alone => None,
                Way::Asked => Some((client.store(bench.counts())?, Pace::PerSecond(arguments.per_second))),
                Way::Pressed => Some((client.store(bench.counts())?, Pace::Unbroken)),
                Way::Aside => Some((idle.store(bench.counts())?, Pace::Unbroken)),
            };
            measured[at] = bench.measure(&client, asked)?;
            eprintln!("round {} of {}, {}: {}", round + 1, arguments.rounds, way.name(), measured[at]);
            bench.end(client, &name)?;
        }
        rounds.push(measured);
    }
    bench.end(idle, "idle")?;
    println!("{}", report::table(arguments, &rounds));
    bench.clean_up()
}
