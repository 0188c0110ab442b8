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
//! open_block    the input that is held
//! covered       how far the input is in blocks
//! view          the ledger's tables over stores
//! ```

mod application;
mod covered;
mod open_block;
mod processor;
mod view;

pub use application::{Application, Options, Status, TopicTip, evidence_topic, task_name};
pub use view::{Stores, Tables, store_specs};
