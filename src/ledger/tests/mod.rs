//! The ledger's laws and rules, tested on chains made in memory.

mod arguments;
mod attacks;
mod cuts;
mod ids;
mod laws;
mod measure;
mod operations;
mod rules;
mod seeds;
mod world;
