//! What a proof needs of the blocks, as they pass: of their number only the logarithm is kept.
//!
//! ```text
//! before the block that is proved     the frontier over their hashes; slashes with their evidence; the genesis of block 0
//! the block                           its header and seal
//! behind it                           their hashes, as its way up in the history
//! ```

use topology::Error;

use crate::audit::breach::Halt;
use crate::audit::record;
use crate::audit::{Anchor, Broken, Reason};
use crate::chain::{Block, Climb, Frontier, Genesis, Hash, Header, Operation, Parent, Pruned, Seal, merkle};
use crate::consensus::follow::{self, Refused};
use crate::proof::{Claim, History, Proof, Sealed};

/// The blocks that have passed, and the one that a proof will be about.
#[derive(Default)]
pub(super) struct Trace {
    genesis: Option<Genesis>,
    /// Over the hashes of the blocks before the last.
    before: Frontier,
    last: Option<Head>,
    slashes: Slashes,
    target: Option<Target>,
}

/// A block without its body.
#[derive(Clone)]
struct Head {
    header: Header,
    hash: Hash,
    seal: Option<Seal>,
}

/// The slashes so far; `None`: there are some in a body that was pruned.
#[derive(Clone)]
struct Slashes(Option<Vec<Operation>>);

impl Default for Slashes {
    fn default() -> Self {
        Self(Some(Vec::new()))
    }
}

/// The block that a proof will be about.
struct Target {
    claim: Claim,
    head: Head,
    slashes: Slashes,
    climb: Climb,
}

impl Trace {
    /// The height that must come next: as many blocks have passed.
    pub(super) fn next_height(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.header.height.saturating_add(1))
    }

    /// The header of the last block.
    pub(super) fn last(&self) -> Option<&Header> {
        self.last.as_ref().map(|last| &last.header)
    }

    /// Takes the next block in, if it is in its place behind the last.
    pub(super) fn pass(&mut self, block: &Block, anchor: Anchor) -> Result<(), Halt> {
        let Block { header, hash, seal, operations, .. } = block;
        match self.parent(header)? {
            Some(parent) => {
                let follows = block.check_follows(&parent);
                follows.map_err(|error| Refused::of_block(header.height, Reason::Parent, error))?;
            }
            None => {
                follow::begin(block, anchor)?;
                self.genesis.clone_from(&block.genesis);
            }
        }
        if let Some(slashes) = &mut self.slashes.0 {
            slashes.extend(operations.iter().filter(|one| matches!(one, Operation::Slash { .. })).cloned());
        }
        self.push(Head { header: header.clone(), hash: *hash, seal: seal.clone() });
        Ok(())
    }

    /// As [`Trace::pass`], of a block without its body.
    pub(super) fn pass_pruned(&mut self, pruned: &Pruned) -> Result<(), Halt> {
        let Pruned { header, hash, seal } = pruned;
        if self.parent(header)?.is_none() {
            return Err(Broken::new(0, Reason::Form, "block 0 is never pruned").into());
        }
        if self.last().is_some_and(|last| last.validators != header.validators) {
            self.slashes.0 = None;
        }
        self.push(Head { header: header.clone(), hash: *hash, seal: Some(seal.clone()) });
        Ok(())
    }

    /// What a header follows, as it must, if it has the height that comes next; `None` of the first one.
    fn parent(&self, header: &Header) -> Result<Option<Parent>, Halt> {
        record::in_its_place(header.height, self.next_height())?;
        let Some((last, genesis)) = self.last.as_ref().zip(self.genesis.as_ref()) else { return Ok(None) };
        let parent = Parent::of(&last.header, last.hash, &self.before);
        follow::check_parent(header, &parent, &genesis.parameters)?;
        Ok(Some(parent))
    }

    fn push(&mut self, head: Head) {
        let leaf = |head: &Head| merkle::leaf(head.hash.as_bytes());
        if let Some(target) = &mut self.target {
            target.climb.append(leaf(&head));
        }
        if let Some(last) = self.last.replace(head) {
            self.before.append(leaf(&last));
        }
    }

    /// The last block is the one that a proof will be about, in place of any that was before.
    pub(super) fn mark(&mut self, claim: Claim) {
        if let Some(head) = self.last.clone() {
            let (slashes, climb) = (self.slashes.clone(), Climb::new(&self.before));
            self.target = Some(Target { claim, head, slashes, climb });
        }
    }

    /// Whether there is a block that a proof will be about.
    pub(super) fn is_marked(&self) -> bool {
        self.target.is_some()
    }

    /// The proof, in the history of all blocks that have passed.
    pub(super) fn into_proof(self, with_seal: bool) -> topology::Result<Proof> {
        let Self { genesis, before, last, target, .. } = self;
        let (Some(genesis), Some(last), Some(target)) = (genesis, last, target) else {
            return Err(Error::stop("there is no block that the proof could be about"));
        };
        let root = before.with(merkle::leaf(last.hash.as_bytes())).root();
        let Target { claim, head: Head { header, seal, .. }, slashes, climb } = target;
        // Only a seal by stake leads back to the genesis.
        let is_by_stake = seal.as_ref().is_none_or(|seal| seal.stake().is_some());
        let slashes = slashes.0.filter(|_| with_seal && is_by_stake);
        let sealed = slashes.map(|slashes| Sealed { genesis, slashes, seal });
        Ok(Proof { claim, header, history: History::new(climb.proof(), root), sealed })
    }
}
