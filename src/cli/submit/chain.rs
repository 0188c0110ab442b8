//! The chain that lines are for: what its first and its last block say.

use topology::log::Log;

use super::super::error::{Error, Result};
use crate::audit::Anchor;
use crate::chain::{Hash, Signatures, Transaction};
use crate::checkpoint::Checkpoint;
use crate::config::topic;
use crate::reader::Reader;

/// A chain, as far as a sender has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) genesis: Hash,
    pub(super) chain_id: String,
    /// Which transactions need a signature.
    pub(super) signatures: Signatures,
    /// How many blocks were active so far.
    pub(super) active_height: u64,
    /// For how many more an id is remembered.
    pub(super) remember_blocks: u64,
    /// Whether it is the chain that was asked for, or any.
    pub(super) is_pinned: bool,
}

/// Which chain it must be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) anchor: Anchor,
    pub(super) checkpoint: Option<Checkpoint>,
}

impl Wanted {
    /// Whether any chain will do.
    pub(super) fn is_any(&self) -> bool {
        self.anchor == Anchor::None && self.checkpoint.is_none()
    }
}

impl Chain {
    /// The chain on a topic; `None` where there is none yet. Refuses another than the wanted one, and a topic that
    /// begins with one chain and ends with another.
    pub(super) fn read<L: Log>(reader: &Reader<'_, L>, blockchain: &str, wanted: &Wanted) -> Result<Option<Self>> {
        let Some(genesis) = topic::genesis(reader, blockchain)? else { return Ok(None) };
        let hash = genesis.hash();
        let of_checkpoint = wanted.checkpoint.as_ref().and_then(Checkpoint::genesis);
        let of_anchor = if let Anchor::Genesis(hash) = wanted.anchor { Some(hash) } else { None };
        if let Some(other) = of_anchor.into_iter().chain(of_checkpoint).find(|wanted| *wanted != hash) {
            return Err(Error::usage(format!(
                "topic '{blockchain}' holds the chain of genesis {hash}, and {other} was pinned: nothing was sent. Are these \
                 the right brokers and topic?"
            )));
        }
        let Some(tip) = topic::last_block(reader, blockchain)? else { return Ok(None) };
        if tip.header.genesis != hash {
            return Err(Error::failed(format!(
                "topic '{blockchain}' begins with the chain of genesis {hash}, and its last block is of another, {}: nothing was \
                 sent. Run cairn verify, and find out who else writes to the topic",
                tip.header.genesis
            )));
        }
        match &wanted.checkpoint {
            Some(checkpoint) if checkpoint.last_height() > Some(tip.header.height) => {
                return Err(Error::failed(format!(
                    "the chain on topic '{blockchain}' ends at height {}, and the checkpoint has {} blocks: nothing was sent. Run \
                     cairn verify with the same --checkpoint",
                    tip.header.height, checkpoint.size
                )));
            }
            _ => {}
        }
        Ok(Some(Self {
            genesis: hash,
            chain_id: genesis.chain_id,
            signatures: genesis.parameters.signatures,
            active_height: tip.header.active_height,
            remember_blocks: genesis.parameters.ids_remember_blocks,
            is_pinned: !wanted.is_any(),
        }))
    }

    /// The last active height at which what is signed now by its id alone may be applied; `None` where no ids are
    /// remembered.
    pub(super) fn furthest_valid_until(&self) -> Option<u64> {
        let furthest = self.active_height.saturating_add(self.remember_blocks).min(Transaction::INTEGER_MAX);
        (self.remember_blocks > 0).then_some(furthest)
    }

    /// Whether a line with this last active height can be applied, and, where there is a `furthest`, only once.
    pub(super) fn check_valid_until(&self, name: &str, height: u64, furthest: Option<u64>) -> Result<(), String> {
        if height <= self.active_height {
            return Err(format!(
                "{name} {height} is over: {} blocks were active so far, so it could not be applied any more",
                self.active_height
            ));
        }
        match furthest {
            Some(furthest) if height > furthest => Err(format!(
                "{name} {height} is further ahead than the chain remembers ids; give at most {furthest} now"
            )),
            _ => Ok(()),
        }
    }
}
