//! A proof-of-stake ledger that runs as a stream processor on Kafka.
//!
//! ```text
//! chain       what the chain is made of: values, encoding, hashes, JSON      pure
//! ledger      what a block does to the state                                 pure, uses chain
//! consensus   who may seal a block, and how offences are proved              pure, uses chain and ledger
//! sealing     the ledger as a stream processor                               joins them to the engine
//! audit       checking a chain from its topics; replaying it; what a state holds
//! reader      a topic from its first record to its end                       uses the engine's log
//! http        a chain over HTTP: JSON, metrics, the explorer
//! config      settings and their sources; which log, which genesis, whose keys
//! cli         the commands
//! ```

pub mod audit;
pub mod chain;
pub mod cli;
pub mod config;
pub mod consensus;
pub mod http;
pub mod ledger;
pub mod reader;
pub mod sealing;

// What tests in here share with those outside names the crate.
#[cfg(test)]
extern crate self as cairn;
