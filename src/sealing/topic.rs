//! The blockchain topic, as the sealer reads it: its last block is the authority on the state, and its blocks rebuild
//! one.

use std::time::Duration;

use crate::chain::{Block, Range};

/// The blockchain topic, read from outside of the task. Called when the task was taken over, so that no other process
/// can add to the topic any more.
pub trait BlockchainTopic: Send + Sync {
    /// The last block; `None` where there is none. Errors (stop) where the topic does not end with a block that agrees
    /// with itself: its hash, its roots and its rendering are those of what it holds.
    fn last_block(&self) -> topology::Result<Option<Block>>;

    /// The ranges of the last few blocks there are, in the order of the topic. Less, or nothing, is no error.
    fn last_ranges(&self) -> topology::Result<Vec<Range>> {
        Ok(Vec::new())
    }

    /// Hands over all blocks, in the order of the topic, until `visit` answers false; each agrees with itself
    /// ([`Block::check`]). Errors where a record under a height is not that block.
    fn blocks(&self, visit: &mut dyn FnMut(Block) -> bool) -> topology::Result<()>;

    /// Whether all blocks are read on a thread of their own, for that may take hours. Where not, the task's thread does
    /// it.
    fn is_read_beside(&self) -> bool {
        true
    }

    /// Waits so long, before the topic is asked again.
    fn wait(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}
