//! The classic topic: the chain's blocks in the shape of the system it is like, in the same transactions as the blocks.
//!
//! The topic's own last block is what the next one is linked to, and nothing is kept beside it. It is written together
//! with the chain's block or not at all, so it is what the chain's last block gives behind the classic block before it;
//! where it is not, somebody else has written to the topic, or the chain was sealed without it for a while, and nothing
//! is written behind it.

use topology::Error;

use crate::chain::Block;
use crate::classic::{Kind, Link, render};
use crate::ledger::state::Tip;

/// Where classic blocks go.
pub struct Classic {
    /// The topic.
    pub topic: String,
    /// Whose shape they have.
    pub kind: Kind,
    /// The topic, as it is read. Without it only a chain that begins has classic blocks.
    pub tail: Option<Box<dyn ClassicTail>>,
}

/// The end of the classic topic, read from outside of the task. Called when the task was taken over, so that no other
/// process can add to the topic any more.
pub trait ClassicTail: Send + Sync {
    /// The values of the last two records, the last one last; fewer where there are not so many.
    fn last_two(&self) -> topology::Result<Vec<Vec<u8>>>;
}

/// The classic blocks of a chain, as far as they have come.
pub(super) struct Series {
    kind: Kind,
    last: Option<Link>,
}

impl Classic {
    /// Behind the block with which the chain ends, `block` where that is at hand. `None`: before block 0.
    pub(super) fn go_on(&self, tip: Option<&Tip>, block: Option<&Block>) -> topology::Result<Series> {
        let mut values = self.tail.as_ref().map_or(Ok(Vec::new()), |tail| tail.last_two())?;
        let (value, before) = (values.pop(), values.pop());
        let (topic, kind) = (&self.topic, self.kind);
        let unreadable = || {
            Error::stop(format!(
                "the last record of topic '{topic}' is no classic block of this chain: name a topic for --classic-topic that no one else \
                 writes to"
            ))
        };
        let last = value.as_deref().map(|value| Link::read(kind, value).ok_or_else(unreadable)).transpose()?;
        let (found, height) = (last.map(|link| link.height), tip.map(|tip| tip.height));
        if found == height {
            // Others may have written one of this height as well, with other transactions, or behind another block.
            let before = before.map(|before| Link::read(kind, &before).ok_or_else(unreadable)).transpose()?;
            let is_next = before.map(|link| link.height.saturating_add(1)) == height.filter(|height| *height > 0);
            let is_own = |(value, block): (&Vec<u8>, &Block)| {
                is_next && *value == render(kind, before.as_ref(), block).as_bytes()
            };
            return match value.as_ref().zip(block).is_none_or(is_own) {
                true => Ok(Series { kind, last }),
                false => Err(unreadable()),
            };
        }
        let ends = |height: Option<u64>| {
            height.map_or("holds no block".to_owned(), |height| format!("ends at height {height}"))
        };
        Err(Error::stop(format!(
            "topic '{topic}' {}, the chain {}: classic blocks are written from a chain's beginning on, with every block. Leave \
             --classic-topic out, or begin a new chain with it",
            ends(found),
            ends(height)
        )))
    }
}

impl Series {
    /// The classic block of the chain's next block.
    pub(super) fn next(&mut self, block: &Block) -> String {
        let value = render(self.kind, self.last.as_ref(), block);
        self.last = Link::read(self.kind, value.as_bytes());
        value
    }
}
