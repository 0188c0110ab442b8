//! Checking a chain from its topics, and rebuilding its state from them.
//!
//! ```text
//! auditor      the chain against itself: hashes, seals, rounds, evidence, re-execution     pure
//! comparison   the chain against the transactions it says it holds                         pure
//! checkpoint   a height known to be good, in a file
//! verify       both topics, read side by side
//! replay       blocks into the stores of a state directory
//! inspect      what a state directory holds
//! ```
//! The auditor needs the blocks alone, in order, one at a time; its memory is that of the chain's state, not of its length.

mod auditor;
mod checkpoint;
mod comparison;
pub mod inspect;
pub mod replay;
pub mod verify;

use topology::log::{Log, TopicPartition};
use topology::{Error, Result};

use crate::reader::{NO_CHAIN, Reader};

pub use auditor::{Anchor, Auditor, Broken, Reason, Summary};
pub use checkpoint::Checkpoint;
pub use comparison::{Comparison, Original};

/// The partition of a blockchain topic, which must be there.
fn chain_partition<L: Log>(reader: &Reader<'_, L>, topic: &str) -> Result<TopicPartition> {
    let missing = || Error::stop(format!("there is no topic '{topic}': give the topic of a chain as --blockchain"));
    reader.only_partition(topic, NO_CHAIN)?.ok_or_else(missing)
}
