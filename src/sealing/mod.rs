//! The sealing sub-topology: the ledger as a stream processor.
//!
//! ```text
//!   transactions ──> seal ──────────────> blockchain           key: height, value: the block as JSON
//!                     │ ├──[evidence]──> blockchain-evidence   offences with their proof
//!                     │ └──(engine)────> transactions-dead-letters
//!                     └── stores: one per table of the ledger, and `decisions`
//! ```
//!
//! This is the only part of the library that joins the ledger to the engine: `ledger`, `chain` and `consensus` know nothing of
//! records and stores, `topology` nothing of blocks.
//!
//! ```text
//! application   what is sealed, and the graph for it
//! processor     records -> open block -> sealed block
//! chain         where the chain is, from the stores
//! open_block    the input that is held
//! covered       how far the input is in blocks
//! forward       blocks and offences, as they leave
//! view          the ledger's tables over stores
//! ```

mod application;
mod chain;
mod covered;
mod forward;
mod open_block;
mod processor;
#[cfg(test)]
mod tests;
mod view;

use topology::{Error, store};

pub use application::{Application, Options, Status, TopicTip, evidence_topic, task_name};
pub use view::{Stores, Tables, store_specs};

fn stop(error: &dyn std::error::Error) -> Error {
    Error::stop(error.to_string())
}

/// A store's error keeps its class; all others of the ledger stop.
fn ledger_error(error: crate::ledger::Error<store::Error>) -> Error {
    match error {
        crate::ledger::Error::View(error) => error.into(),
        other => stop(&other),
    }
}
