//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::subject::{count, pipe};
use crate::{http, memory, rebalance};

/// Measures the engine beside a raw rdkafka pipe and Kafka Streams, on one broker, in alternating rounds.
#[derive(Debug, Parser)]
#[command(name = "cairn-bench", args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) program: Option<Program>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// Further measurements, of the engine or the ledger alone; and the programs that are measured and live in this
/// executable, which the driver starts.
#[derive(Debug, Subcommand)]
pub(crate) enum Program {
    Memory(memory::Arguments),
    Rebalance(rebalance::Arguments),
    Http(http::Arguments),
    /// The engine's count: what is measured, not the measurement
    Count(count::Arguments),
    /// The raw pipe: what is measured, not the measurement
    Pipe(pipe::Arguments),
}

/// What every program that is measured is told.
#[derive(Debug, Args)]
pub(crate) struct Application {
    /// Brokers to connect to, `HOST:PORT[,..]`
    #[arg(long)]
    pub(crate) brokers: String,
    /// Application id: the consumer group, and the prefix of internal topics
    #[arg(long)]
    pub(crate) application: String,
    /// Topic to read
    #[arg(long)]
    pub(crate) input: String,
    /// Topic to write
    #[arg(long)]
    pub(crate) output: String,
    /// Time between commits, ms
    #[arg(long)]
    pub(crate) commit_interval_ms: u32,
    /// Compression of what is produced: none, lz4, ..
    #[arg(long)]
    pub(crate) compression: String,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Scenario {
    /// Counting what is there, as fast as it goes
    Count,
    /// Coming back with an intact store, and without one
    Restore,
    /// Latency of commits while records come at a steady rate
    Latency,
}

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often each subject is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// What to measure; all, unless told otherwise
    #[arg(long, value_delimiter = ',', value_enum, default_values = ["count", "restore", "latency"])]
    pub(crate) scenarios: Vec<Scenario>,
    /// Which subjects to measure, by name [default: all but those that --list marks with a minus]
    #[arg(long, value_delimiter = ',')]
    pub(crate) subjects: Vec<String>,
    /// One more subject, another program that does the same: its name and a line of shell with {brokers} {application}
    /// {input} {output} {state_directory} {commit_interval_ms} {compression} in it. May be given several times
    #[arg(long, value_name = "NAME=COMMAND")]
    pub(crate) also: Vec<String>,
    /// One more ratio to compute: the first subject over the second. May be given several times
    #[arg(long, value_name = "SUBJECT/SUBJECT")]
    pub(crate) ratio: Vec<String>,
    /// List the subjects and what they are
    #[arg(long)]
    pub(crate) list: bool,

    /// Records to count
    #[arg(long, default_value_t = 4_000_000, value_parser = clap::value_parser!(u32).range(100_000..))]
    pub(crate) records: u32,
    /// Different keys among them
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) keys: u32,
    /// Seed of the records
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Share of the records that warms up and is not measured
    #[arg(long, default_value_t = 0.25, value_parser = share)]
    pub(crate) warm_up: f64,
    /// Records per second for latency
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    pub(crate) rate: u32,
    /// How long latency is measured, s
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) latency_s: u32,
    /// How long records come at that rate before, s
    #[arg(long, default_value_t = 15)]
    pub(crate) latency_warm_up_s: u32,

    /// Time between commits, ms
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) commit_interval_ms: u32,
    /// Compression of what is produced, for all subjects: none, lz4, ..
    #[arg(long, default_value = "none")]
    pub(crate) compression: String,
    /// Options of the JVMs of Kafka Streams
    #[arg(long, default_value = "-Xms1g -Xmx1g -XX:+UseParallelGC", allow_hyphen_values = true)]
    pub(crate) java_options: String,
    /// A broker that runs already, `HOST:PORT`; unless given, one is started
    #[arg(long)]
    pub(crate) brokers: Option<String>,
    /// Process id of that broker, for its CPU time
    #[arg(long, requires = "brokers")]
    pub(crate) broker_pid: Option<u32>,
    /// Where stores are kept while they are needed [default: a directory of its own in the system's temporary one]
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
    /// Print one JSON object in place of tables
    #[arg(long)]
    pub(crate) json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().map_err(|error| error.to_string())?;
    if (0.0..=0.9).contains(&share) { Ok(share) } else { Err("must be from 0 to 0.9".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
