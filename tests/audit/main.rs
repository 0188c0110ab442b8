//! Chains that were really sealed, and what the audit says of them: intact, altered, cut, replaced, replayed.
//!
//! ```text
//! chain          a chain, made without a broker; its topics on a log in memory
//! attack         alterations, by attackers who can do less and more
//! alterations    other records in a block, and blocks that end elsewhere: the height and the reason that are named
//! outcomes       other receipts and operations
//! fields         whatever else may stand in any field of a block, and other renderings of the same
//! json           lines of JSON with their fields in order
//! records        records of the blockchain topic that are no blocks of this program
//! places         blocks in other places, or with other seals
//! ranges         what a header says of the places of its entries
//! live           verifying while others write, delete and fail
//! whole          intact chains, old transactions that are gone, cut tails, other chains
//! replay         the state from the blockchain topic alone
//! seed_systems   the two systems this one grew from, by configuration alone
//! proofs         one thing of a chain, proved and checked without the chain
//! forged_proofs  what no chain holds, told alike by all three checkers
//! refused_proofs forged proofs, and those of other chains
//! altered_proofs every byte of a proof counts
//! page           the explorer's checker, which is a third implementation, says the same
//! work           chains that were mined
//! mined_proofs   one thing of a mined chain
//! classic        blocks in the shape of those two systems
//! rows           flat rows of a chain: its receipts, its state
//! row_schemas    rows are as their schemas say, in JSON and in Avro
//! views          those rows on topics, whatever dies
//! schema         whether a value is as a schema says
//! stranger       a second implementation, written from the pages alone
//! ```
//! Uses the public interface of the crate and of its engine.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/all_rows.rs"]
mod all_rows;
mod alterations;
mod altered_proofs;
mod attack;
mod chain;
mod classic;
mod fields;
mod forged_proofs;
mod json;
mod live;
mod mined_proofs;
mod outcomes;
mod page;
mod partitions;
mod places;
mod proofs;
#[path = "../support/ranges.rs"]
mod ranges;
mod records;
mod refused_proofs;
mod replay;
mod row_schemas;
mod rows;
#[path = "../http/schema.rs"]
mod schema;
mod seed_systems;
mod stranger;
mod views;
mod whole;
mod work;
