//! A proof-of-stake ledger that runs as a stream processor on Kafka.

pub mod chain;
pub mod consensus;
