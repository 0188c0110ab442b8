//! Measures the engine beside a raw rdkafka pipe and Kafka Streams, on one broker, in alternating rounds.
//!
//! ```text
//! arguments            the command line
//! subject/             what is measured, and how it is started and ended
//! measure/             how: from outside, the same way for every subject
//! memory/              how much memory many tasks take, over time
//! rebalance/           how long tasks stand still when instances come and go
//! http/                what clients of HTTP get from a ledger that seals, and cost it
//! report/              spreads, ratios, tables, JSON
//! cluster              the driver's own dealings with the broker
//! process              a subject's process
//! input                the records, and what their counts must be
//! ```
//! Of the engine, only `subject/count` knows anything, and `rebalance` asks its log who has which partition.

mod arguments;
mod cluster;
mod error;
mod http;
mod input;
mod measure;
mod memory;
mod process;
mod rebalance;
mod report;
mod rounds;
mod subject;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Program};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.program {
        Some(Program::Count(count)) => subject::count::run(count),
        Some(Program::Pipe(pipe)) => subject::pipe::run(pipe),
        Some(Program::Memory(memory)) => memory::run(memory),
        Some(Program::Rebalance(rebalance)) => rebalance::run(rebalance),
        Some(Program::Http(http)) => http::run(http),
        None => rounds::run(&arguments.options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
