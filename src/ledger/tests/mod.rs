//! The ledger's laws and rules, tested on chains made in memory.

mod arguments;
mod cuts;
mod ids;
mod laws;
mod measure;
mod rules;
mod seeds;
mod world;
