//! The classic topic: the chain's blocks in the shape of the system it is like, in the same transactions as the blocks.
//!
//! The topic's own last block is what the next one is linked to, and nothing is kept beside it. It is written together with the chain's
//! block or not at all, so it is of the height that the chain ends with; where it is not, the topic is another chain's, or the chain was
//! sealed without it for a while, and nothing is written behind it.

use topology::Error;

use crate::chain::Block;
use crate::classic::{Kind, Link, is_of, render};
use crate::consensus::work::link;
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

/// The end of the classic topic, read from outside of the task. Called when the task was taken over, so that no other process can
/// add to the topic any more.
pub trait ClassicTail: Send + Sync {
    /// The value of the last record; `None` where there is none.
    fn last(&self) -> topology::Result<Option<Vec<u8>>>;
}

/// The classic blocks of a chain, as far as they have come.
pub(super) struct Series {
    kind: Kind,
    last: Option<Link>,
}

impl Classic {
    /// Behind the block with which the chain ends. `None`: before block 0.
    pub(super) fn go_on(&self, tip: Option<&Tip>) -> topology::Result<Series> {
        let value = self.tail.as_ref().map_or(Ok(None), |tail| tail.last())?;
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
            // Another chain may have a block of this height as well.
            let is_own = |(value, tip): (&Vec<u8>, &Tip)| {
                is_of(kind, value, tip.height, tip.time_ms, link::Link::of_seed(&tip.seed).proof)
            };
            return match value.as_ref().zip(tip).is_none_or(is_own) {
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
