//! The sealing sub-topology: the ledger as a stream processor.
//!
//! ```text
//!   transactions ──> seal ──────────────> blockchain           key: height, value: the block as JSON
//!                     │ ├──[evidence]──> blockchain-evidence   offences with their proof
//!                     │ ├──[classic]───> (where it is named)   the blocks in the shape of another system
//!                     │ └──(engine)────> transactions-dead-letters
//!                     └── stores: one per table of the ledger, and `decisions`
//! ```
//!
//! Where the transactions topic has several partitions, `admission` reads them and `seal` what comes of it.
//!
//! This and `views` are the only parts of the library that join the ledger to the engine: `ledger`, `chain` and
//! `consensus` know nothing of records and stores, `topology` nothing of blocks.
//!
//! ```text
//! application   what is sealed, and the graph for it
//! processor     records -> open block -> sealed block
//! chain         where the chain is: continued from the stores, rebuilt, or founded
//! rebuild       the state from the blockchain topic alone
//! intake        how records come: from the topic itself, or admitted from several partitions
//! input         where the one partition goes on
//! admission     what is made of several partitions, and how it is passed on
//! order         which log says in what order records are sealed
//! open_block    the input that is held
//! mining        the search for proofs of work, off the stream thread
//! classic       the blocks in the shape of another system  (a trait: the commands bring the log)
//! forward       blocks and offences, as they leave
//! view          the ledger's tables over stores
//! topic         the blockchain topic, as it is read here          (a trait: the commands bring the log)
//! notary        that a chain exists, on disk                      (a trait: the commands bring the disk)
//! ```

mod admission;
mod application;
mod chain;
mod classic;
mod forward;
mod input;
mod intake;
mod mining;
mod notary;
mod open_block;
mod order;
mod processor;
mod rebuild;
#[cfg(test)]
mod tests;
mod topic;
mod view;

use topology::{Error, store};

pub use admission::{Admission, Found, Origin};
pub use application::{Application, Setup, Status, admitted_topic, evidence_topic, task_name};
pub use classic::{Classic, ClassicTail};
pub use mining::Miners;
pub use notary::Notary;
pub use rebuild::Progress;
pub use topic::BlockchainTopic;
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
