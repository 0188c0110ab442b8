//! One chain, as far as it has come: what every block reads of it and advances with it.
//!
//! ```text
//!   begin(genesis)      load(view)              what a block may touch of the state at large (accounts, ids) is read from a
//!         └──── Replica ────┘                   `View`; all the rest is kept here
//!                  │ execute / reexecute        changes nothing
//!                  ▼
//!              Executed
//!                  │ advance                    tip, tree, validators, supply, coverage: all of them, or none
//!                  ▼
//!              Changes                          for the caller to write where `view` reads from
//! ```

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::execute::{self, Candidate, Executed};
use super::reexecute::{self, Known, Reexecuted};
use super::state::{self, Audited, Changes, Covered, Supply, Tip, ValidatorRecord, View};
use super::validators::Validators;
use super::{Error, Signature, Tree, tree};
use crate::chain::{Block, Frontier, Genesis, Hash, Member, Parameters, Parent, ValidatorId};

/// The chain after its last block.
#[derive(Clone, Debug)]
pub struct Replica {
    tip: Tip,
    /// The frontier over all blocks, the last one too: what the next header carries the root of.
    next_history: Frontier,
    tree: Tree,
    parameters: Parameters,
    parameters_hash: Hash,
    validators: Validators,
    supply: Supply,
    coverage: BTreeMap<i32, Covered>,
}

/// A chain that begins.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The chain after block 0.
    pub replica: Replica,
    /// Block 0.
    pub block: Block,
    /// The whole state, the tip included.
    pub changes: Changes,
}

impl Replica {
    /// The chain after block 0. `next_seed` is the seed of height 1. The genesis must be a valid one.
    pub fn begin(genesis: &Genesis, next_seed: Hash) -> Result<Begun, Error<Infallible>> {
        let mut changes = state::genesis(genesis);
        let mut tree = Tree::new();
        let update = tree.update(changes.to_tree())?;
        let state_root = update.root();
        tree.commit(update)?;
        let block = genesis.block(state_root);
        let tip = Tip {
            genesis: block.header.genesis,
            height: block.header.height,
            hash: block.hash,
            active_height: block.header.active_height,
            time_ms: block.header.time_ms,
            seed: next_seed,
            state_root,
            history: Frontier::default(),
        };
        changes.put_tip(&tip);
        let mut state = super::MemoryState::new();
        state.apply(&changes);
        let replica = Self::over(&state, tip, tree)?;
        Ok(Begun { replica, block, changes })
    }

    /// Takes a state over: builds its tree and checks all that can be checked of a state ([`state::audit`]). `None`:
    /// the state is empty, no chain was begun in it. What to do about an error says [`Error::needs_rebuild`].
    pub fn load<V: View + ?Sized>(view: &V) -> Result<Option<Self>, Error<V::Error>> {
        let Some(Audited { tip, tree, .. }) = state::audit(view)? else { return Ok(None) };
        Self::over(view, tip, tree).map(Some)
    }

    /// As [`Replica::load`]; but where the state's last block is this replica's, it is kept, and nothing is read again.
    /// For a caller whose last writes may have been lost.
    pub fn reload<V: View + ?Sized>(self, view: &V) -> Result<Option<Self>, Error<V::Error>> {
        if state::tip(view)?.is_some_and(|tip| tip == self.tip) { Ok(Some(self)) } else { Self::load(view) }
    }

    /// Of a state whose tree is this one.
    fn over<V: View + ?Sized>(view: &V, tip: Tip, tree: Tree) -> Result<Self, Error<V::Error>> {
        let parameters = state::parameters(view)?;
        Ok(Self {
            next_history: next_history(&tip),
            tip,
            tree,
            parameters_hash: parameters.hash(),
            parameters,
            validators: Validators::new(state::validators(view)?),
            supply: state::supply(view)?,
            coverage: state::coverage(view)?.into_iter().collect(),
        })
    }

    /// Executes a candidate for the next block. `view` is the state after the last one.
    pub fn execute<V: View + ?Sized>(&self, view: &V, candidate: &Candidate<'_>) -> Result<Executed, Error<V::Error>> {
        execute::execute(self, view, candidate, None)
    }

    /// Whether the next block is exactly what executing its records gives. `signatures` has one answer for each entry,
    /// as in a [`Candidate`]. Errors are about the state and the arguments; what is wrong with the block is a
    /// [`Reexecuted::Differs`].
    pub fn reexecute<V: View + ?Sized>(
        &self,
        view: &V,
        block: &Block,
        signatures: &[Signature],
        known: Known,
    ) -> Result<Reexecuted, Error<V::Error>> {
        reexecute::reexecute(self, view, block, signatures, known)
    }

    /// Takes in what was executed on this replica; refuses, and stays as it is, if that was another. `next_seed` is the
    /// seed of the height after, which follows from the seal's reveal.
    ///
    /// The changes, the tip included, are to be written where the view reads from before anything else is executed.
    /// Where that fails, the replica is ahead of the state: drop it, or [`Replica::reload`] it.
    pub fn advance(&mut self, executed: Executed, next_seed: Hash) -> Result<Changes, tree::Error> {
        let execute::Parts { header, hash, mut changes, update, supply, validators, covered } = executed.into_parts();
        self.tree.commit(update)?;
        self.tip = Tip {
            genesis: header.genesis,
            height: header.height,
            hash,
            active_height: header.active_height,
            time_ms: header.time_ms,
            seed: next_seed,
            state_root: header.state_root,
            history: std::mem::take(&mut self.next_history),
        };
        self.next_history = next_history(&self.tip);
        self.supply = supply;
        self.coverage.extend(covered);
        if let Some(validators) = validators {
            self.validators = validators;
        }
        changes.put_tip(&self.tip);
        Ok(changes)
    }

    /// The last block.
    #[must_use]
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The next block's height; `None` where no height comes after the last.
    #[must_use]
    pub fn next_height(&self) -> Option<u64> {
        self.tip.height.checked_add(1)
    }

    /// The number by which ids and validity are counted in the next block: one more than the blocks so far with an
    /// applied transaction.
    #[must_use]
    pub fn next_active_height(&self) -> u64 {
        self.tip.active_height.saturating_add(1)
    }

    /// What the next header carries as `history`.
    #[must_use]
    pub fn next_history(&self) -> Hash {
        self.next_history.root()
    }

    /// The last block as the parent of the next ([`Block::check_follows`]).
    #[must_use]
    pub fn parent(&self) -> Parent {
        let Tip { genesis, height, hash, active_height, .. } = self.tip;
        Parent { genesis, height, hash, active_height, next_history: self.next_history() }
    }

    /// The chain parameters in force.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(super) fn parameters_hash(&self) -> Hash {
        self.parameters_hash
    }

    /// The validators by id, slashed ones included.
    #[must_use]
    pub fn validators(&self) -> &[(ValidatorId, ValidatorRecord)] {
        self.validators.records()
    }

    /// The validators as the members of the set whose hash headers carry.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        self.validators.members()
    }

    pub(super) fn validator_set(&self) -> &Validators {
        &self.validators
    }

    /// What the chain holds.
    #[must_use]
    pub fn supply(&self) -> &Supply {
        &self.supply
    }

    /// The last record of a partition that is in a block.
    #[must_use]
    pub fn covered(&self, partition: i32) -> Option<&Covered> {
        self.coverage.get(&partition)
    }

    /// The last record of each partition that is in a block, by partition.
    pub fn coverage(&self) -> impl Iterator<Item = (i32, &Covered)> {
        self.coverage.iter().map(|(partition, covered)| (*partition, covered))
    }

    /// The state tree: for its root, and for proofs.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

fn next_history(tip: &Tip) -> Frontier {
    tip.history.with(crate::chain::merkle::leaf(tip.hash.as_bytes()))
}
