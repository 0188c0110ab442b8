//! A proof against what its reader trusts.

use super::refusal::{Part, Refusal};
use super::{History, Proof};
use crate::chain::Hash;
use crate::checkpoint::Checkpoint;

/// What the reader of a proof trusts: at least one of the two.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trusted<'t> {
    /// A checkpoint of the chain. Who signed it is for the reader to judge.
    pub checkpoint: Option<&'t Checkpoint>,
    /// The hash of the chain's genesis.
    pub genesis: Option<&'t Hash>,
}

/// What the claim of a proof that holds rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The checkpoint: the block is one of those that it covers.
    Checkpoint,
    /// The genesis alone: its validators' keys sealed the block.
    Genesis,
}

/// A proof that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The hash of the block.
    pub hash: Hash,
    /// What the claim rests on.
    pub basis: Basis,
}

impl Proof {
    /// Checks everything in the proof, and that it leads to all that is trusted.
    pub fn check(&self, trusted: Trusted<'_>) -> Result<Checked, Refusal> {
        let Self { claim, header, history, sealed } = self;
        header.check().map_err(|error| Refusal::of_chain(Part::Header, error))?;
        let hash = header.hash();
        // The trusted hash comes first: other faults in the proof of another chain are of no interest.
        if let Some(genesis) = trusted.genesis.filter(|genesis| **genesis != header.genesis) {
            let found = header.genesis;
            let detail = format!("the proof is of the chain of genesis {found}, not of the one with genesis {genesis}");
            return Err(Refusal::wrong(Part::Genesis, detail));
        }
        if let Some(checkpoint) = trusted.checkpoint {
            check_origin(checkpoint, &header.genesis)?;
        }
        claim.check(header)?;
        history.check(header, &hash)?;
        if let Some(sealed) = sealed {
            sealed.check(header, &hash)?;
        }
        let basis = match (trusted, sealed) {
            (Trusted { checkpoint: Some(checkpoint), .. }, _) => {
                history.check_against(checkpoint, header.height)?;
                Basis::Checkpoint
            }
            (Trusted { genesis: Some(_), .. }, Some(_)) => Basis::Genesis,
            (Trusted { genesis: Some(_), .. }, None) if header.work().is_some() => {
                return Err(Refusal::Unfit(
                    "the blocks of this chain are mined, so the genesis alone cannot show that the block is the chain's: give a \
                     --checkpoint"
                        .to_owned(),
                ));
            }
            (Trusted { genesis: Some(_), .. }, None) => {
                return Err(Refusal::Unfit(
                    "the proof has no seal, so the genesis alone cannot show that the block is the chain's: give a \
                     --checkpoint, or have a proof made by cairn prove without --without-seal"
                        .to_owned(),
                ));
            }
            _ => return Err(Refusal::Unfit("nothing was given that a proof could lead to".to_owned())),
        };
        Ok(Checked { hash, basis })
    }
}

fn check_origin(checkpoint: &Checkpoint, genesis: &Hash) -> Result<(), Refusal> {
    let origin = Checkpoint::origin_of(genesis);
    if checkpoint.origin == origin {
        return Ok(());
    }
    let detail = format!("the checkpoint is of `{}`, the proof of `{origin}`: another chain", checkpoint.origin);
    Err(Refusal::wrong(Part::Checkpoint, detail))
}

impl History {
    /// Whether the checkpoint, of this chain, is over these very blocks.
    fn check_against(&self, checkpoint: &Checkpoint, height: u64) -> Result<(), Refusal> {
        let (size, given) = (self.size, checkpoint.size);
        if given <= height {
            return Err(Refusal::Unfit(format!(
                "the checkpoint covers {given} blocks, up to height {}, and the proof is about block {height}: give a later checkpoint, or \
                 have a proof of an earlier height made",
                given.saturating_sub(1)
            )));
        }
        if given != size {
            return Err(Refusal::Unfit(format!(
                "the proof leads to a checkpoint of {size} blocks, the one given is of {given}: have one made that fits by cairn prove \
                 --checkpoint-size {given} (or --checkpoint with this file), for the block at height {height}"
            )));
        }
        if checkpoint.root == self.root {
            return Ok(());
        }
        let detail = format!(
            "of the first {size} blocks the checkpoint has the root {}, the proof {}: it is of another history, one of the two was forked",
            checkpoint.root, self.root
        );
        Err(Refusal::wrong(Part::Checkpoint, detail))
    }
}
