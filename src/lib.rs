//! A ledger that runs as a stream processor on Kafka, sealed by proof of stake or proof of work.
//!
//! ```text
//! chain       what the chain is made of: values, encoding, hashes, JSON      pure
//! checkpoint  what a chain is known to contain, signed and compared          pure, uses chain
//! ledger      what a block does to the state                                 pure, uses chain
//! consensus   who may seal a block, and how offences are proved              pure, uses chain and ledger
//! proof       claims about one block that can be checked offline             pure, uses the four above
//! rows        flat rows of a chain, for tables                               pure, uses chain, ledger and consensus
//! classic     blocks in the shape of the systems this one grew from          pure, uses chain
//! sealing     the ledger as a stream processor                               joins them to the engine
//! views       rows of a chain on topics of their own                         joins rows to the engine
//! audit       checking a chain from its topics; replaying it; what a state holds
//! export      a chain's rows in files: Parquet, CSV, JSON lines
//! reader      a topic from its first record to its end                       uses the engine's log
//! http        a chain over HTTP: JSON, metrics, the explorer
//! config      settings and their sources; which log, which genesis, whose keys
//! cli         the commands
//! ```

pub mod audit;
pub mod chain;
pub mod checkpoint;
pub mod classic;
pub mod cli;
pub mod config;
pub mod consensus;
pub mod export;
pub mod http;
pub mod ledger;
pub mod proof;
pub mod reader;
pub mod rows;
pub mod sealing;
pub mod views;

// What tests in here share with those outside names the crate.
#[cfg(test)]
extern crate self as cairn;
