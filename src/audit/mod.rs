//! Checking a chain from its topics, and rebuilding its state from them.
//!
//! ```text
//! verify       both topics, read side by side
//! replay       blocks into the stores of a state directory
//! inspect      what a state directory holds
//! prove        a proof of one thing, from the blocks
//!
//! record       a record of the blockchain topic, and what an error about it means
//! walk         the blocks of a topic, each checked against those before (consensus::follow)
//! originals    the records of the transactions topic, as entries
//! partition    the entries of one partition, until they were compared                              pure
//! comparison   blocks against those entries                                                        pure
//! checkpoint   what the chain must contain, because the auditor has kept it
//! breach       what is wrong with a chain
//! reading      a topic on a thread of its own
//! ahead        the queue from that thread, bounded in bytes
//! ```
//! Blocks are needed in order, one at a time; memory is that of the chain's state and of what is read ahead, not of its
//! length. May use the layers below (chain, checkpoint, ledger, consensus, proof), the stores of `sealing`, `reader`,
//! and the engine.

mod ahead;
mod breach;
mod checkpoint;
mod comparison;
pub mod inspect;
mod originals;
mod partition;
pub mod prove;
mod reading;
pub(crate) mod record;
pub mod replay;
pub mod verify;
mod walk;

pub(crate) use breach::Halt;

pub use crate::consensus::follow::{Anchor, Broken, Reason, Summary};
pub use checkpoint::of_tip;
pub use comparison::Comparison;
