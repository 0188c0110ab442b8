//! The ledger's rules.
pub mod tree;
