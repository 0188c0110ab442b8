//! Chains that were really sealed, and what the audit says of them: intact, altered, cut, replaced, replayed.
//!
//! ```text
//! chain          a chain, made without a broker; its topics on a log in memory
//! attack         alterations, by attackers who can do less and more
//! alterations    every alteration of a block or its place: the height and the reason that are named
//! whole          intact chains, old transactions that are gone, cut tails, other chains
//! replay         the state from the blockchain topic alone
//! seed_systems   the two systems this one grew from, by configuration alone
//! ```
//! Uses the public interface of the crate and of its engine.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alterations;
mod attack;
mod chain;
mod replay;
mod seed_systems;
mod whole;
