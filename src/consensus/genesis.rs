//! How a chain begins: block 0, and the state and the state tree after it.

use super::sealer::genesis_tip;
use crate::chain::{Block, Genesis, Hash};
use crate::ledger::state::{self, Tip};
use crate::ledger::{Changes, Tree, tree};

/// A chain right after its genesis.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// Block 0.
    pub block: Block,
    /// What the chain goes on from.
    pub tip: Tip,
    /// The state as changes to an empty one, the tip included.
    pub changes: Changes,
    /// The tree of that state.
    pub tree: Tree,
}

/// The beginning of the chain of a genesis, which must be a valid one ([`Genesis::validate`]).
pub fn begin(genesis: &Genesis) -> Result<Beginning, tree::Error> {
    // The seed follows from the genesis alone, whatever the state is.
    let mut changes = state::genesis(genesis, genesis.block(Hash::ZERO).header.seed);
    let mut tree = Tree::new();
    let update = tree.update(changes.to_tree())?;
    let block = genesis.block(update.root());
    tree.commit(update)?;
    let tip = genesis_tip(&block);
    changes.put_tip(&tip);
    Ok(Beginning { block, tip, changes, tree })
}
