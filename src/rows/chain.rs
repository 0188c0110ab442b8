//! What is kept of a chain between its blocks: enough to tell whether a block follows, and what its rows say of
//! validators.
//!
//! A block is checked against itself and the one before, and its author and seal against the validators. Its records
//! are not executed again, and the place of its end is not checked: `cairn verify` does that. Of balances,
//! [`balances`](super::balances) compares every receipt with the sum of what moved before.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};

use super::Error;
use crate::chain::{
    Amount, Block, Frontier, Genesis, Hash, Header, Member, Operation, Parent, ValidatorId, merkle, validators_hash,
};
use crate::consensus::follow::{self, Anchor, Link, Reason};
use crate::consensus::roster;
use crate::consensus::scheme::{self, Before, Claims, Flaw, Scheme};

/// The last block that was followed, and what the next must go on from.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Tip {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: Hash,
    /// How many blocks, up to and with it, have an applied transaction.
    pub active_height: u64,
    /// Stream time at its cut, in milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// The seed of the next height.
    pub seed: Hash,
    /// The frontier over the hashes of all blocks, its own included.
    pub history: Frontier,
    /// The last offset of each partition of the transactions topic that is in a block.
    pub covered: BTreeMap<i32, i64>,
}

/// A validator, as the blocks so far leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Standing {
    /// Its stake in minor units; 0 once slashed.
    pub stake: u64,
    /// The height of the block that slashed it.
    pub slashed_at_height: Option<u64>,
    /// Rounds that it was drawn for and let pass.
    pub rounds_missed: u64,
    /// Blocks that it proposed and the others sealed.
    pub blocks_proposed: u64,
}

/// A chain, as far as it was followed.
#[derive(Clone, Debug)]
pub struct Chain {
    genesis: Genesis,
    genesis_hash: Hash,
    scheme: Scheme,
    tip: Tip,
    /// In the order of ids, as in the genesis.
    members: Vec<Member>,
    standings: BTreeMap<ValidatorId, Standing>,
}

impl Chain {
    /// The chain after its block 0, which must be one.
    pub fn begin(block: &Block) -> Result<Self, Error> {
        let broken = |reason, detail: &dyn std::fmt::Display| Error::broken(0, reason, detail);
        if block.header.height != 0 {
            let detail = format!("height {} comes where 0 must: a chain begins with its genesis", block.header.height);
            return Err(broken(Reason::Height, &detail));
        }
        block.check().map_err(|error| Error::of_block(0, Reason::Form, error))?;
        let (_, scheme) = follow::begin(block, Anchor::None)?;
        let genesis = block.genesis.clone().ok_or_else(|| broken(Reason::Form, &"block 0 holds no genesis"))?;
        let mut history = Frontier::default();
        history.append(merkle::leaf(block.hash.as_bytes()));
        let tip = Tip {
            height: 0,
            hash: block.hash,
            active_height: 0,
            time_ms: block.header.time_ms,
            seed: scheme::first_seed(&genesis),
            history,
            covered: BTreeMap::new(),
        };
        Ok(Self::with_scheme(genesis, scheme, tip, []))
    }

    /// The chain as it was kept: its genesis, its last block, and what became of validators since. One that is not
    /// named stands as in the genesis.
    pub fn resume(
        genesis: Genesis,
        tip: Tip,
        standings: impl IntoIterator<Item = (ValidatorId, Standing)>,
    ) -> Result<Self, roster::Error> {
        let scheme = Scheme::of(&genesis)?;
        Ok(Self::with_scheme(genesis, scheme, tip, standings))
    }

    /// Reading the scheme takes milliseconds for each validator.
    fn with_scheme(
        genesis: Genesis,
        scheme: Scheme,
        tip: Tip,
        standings: impl IntoIterator<Item = (ValidatorId, Standing)>,
    ) -> Self {
        let first = |stake| Standing { stake, slashed_at_height: None, rounds_missed: 0, blocks_proposed: 0 };
        let mut all: BTreeMap<_, _> =
            genesis.validators.iter().map(|validator| (validator.id.clone(), first(validator.stake))).collect();
        all.extend(standings);
        let mut members = genesis.members();
        for member in &mut members {
            member.stake = all.get(&member.id).map_or(member.stake, |standing| standing.stake);
        }
        Self { genesis_hash: genesis.hash(), genesis, scheme, tip, members, standings: all }
    }

    /// Takes in the next block, if it follows. What is left to check of its seal are the claims
    /// ([`verify_many`](crate::consensus::scheme::verify_many)): a caller believes the block only where they hold. A
    /// mined block leaves none. After an error the chain is as it was.
    pub fn follow(&mut self, block: &Block) -> Result<Option<Claims>, Error> {
        let height = block.header.height;
        let next = self.next_height();
        if Some(height) != next {
            let next = next.unwrap_or(u64::MAX);
            let detail = format!("height {height} comes where {next} must");
            return Err(Error::broken(height.min(next), Reason::Height, detail));
        }
        block.check().map_err(|error| Error::of_block(height, Reason::Form, error))?;
        let claims = self.check_link(block)?;
        let seed = scheme::next_seed(&self.tip.seed, block)
            .ok_or_else(|| Error::broken(height, Reason::Seal, Flaw::Unsealed))?;
        let members = self.members_after(block)?;
        self.advance(block, seed, members);
        Ok(claims)
    }

    /// The height of the next block; `None` where no height comes after the last.
    #[must_use]
    pub fn next_height(&self) -> Option<u64> {
        self.tip.height.checked_add(1)
    }

    /// The last block.
    #[must_use]
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// What the chain began with.
    #[must_use]
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The genesis' hash: the chain's identity.
    #[must_use]
    pub fn genesis_hash(&self) -> Hash {
        self.genesis_hash
    }

    /// What every applied transaction costs its sender, in minor units.
    #[must_use]
    pub fn fee(&self) -> Amount {
        self.genesis.parameters.fee
    }

    /// A validator after the last block.
    #[must_use]
    pub fn standing(&self, id: &ValidatorId) -> Option<&Standing> {
        self.standings.get(id)
    }

    /// All validators after the last block, by id.
    pub fn standings(&self) -> impl Iterator<Item = (&ValidatorId, &Standing)> {
        self.standings.iter()
    }

    fn check_link(&self, block: &Block) -> Result<Option<Claims>, Error> {
        let (tip, height) = (&self.tip, block.header.height);
        let parent = Parent {
            genesis: self.genesis_hash,
            height: tip.height,
            hash: tip.hash,
            active_height: tip.active_height,
            next_history: tip.history.root(),
        };
        let before = Before {
            genesis: &self.genesis_hash,
            height,
            seed: &tip.seed,
            parent_time_ms: Some(tip.time_ms),
            members: &self.members,
        };
        let covered = &|partition: i32| tip.covered.get(&partition).copied();
        let link = Link { parameters: &self.genesis.parameters, scheme: &self.scheme, parent, before, covered };
        let claims = link.check(block)?;
        // Where a block is executed, that shows whether it is active.
        block.check_follows(&parent).map_err(|error| Error::of_block(height, Reason::Parent, error))?;
        Ok(claims)
    }

    /// The members after the block's slashes, whose hash its header carries; `None` where they are those before. That
    /// each takes the whole stake of a validator that has one was seen with its rounds.
    fn members_after(&self, block: &Block) -> Result<Option<Vec<Member>>, Error> {
        let mut members = None;
        for operation in &block.operations {
            if let Operation::Slash { validator, .. } = operation {
                let members = members.get_or_insert_with(|| self.members.clone());
                members.iter_mut().filter(|member| member.id == *validator).for_each(|member| member.stake = 0);
            }
        }
        let expected = validators_hash(members.as_ref().unwrap_or(&self.members));
        let found = block.header.validators;
        if found == expected {
            return Ok(members);
        }
        let detail = format!("header.validators: {found}, the validators after its slashes hash to {expected}");
        Err(Error::broken(block.header.height, Reason::Execution, detail))
    }

    fn advance(&mut self, block: &Block, seed: Hash, members: Option<Vec<Member>>) {
        let Header { height, active_height, time_ms, ref ranges, .. } = block.header;
        let tip = &mut self.tip;
        (tip.height, tip.hash, tip.active_height) = (height, block.hash, active_height);
        (tip.time_ms, tip.seed) = (time_ms, seed);
        tip.history.append(merkle::leaf(block.hash.as_bytes()));
        tip.covered.extend(ranges.iter().map(|range| (range.partition, range.last)));
        self.members = members.unwrap_or_else(|| std::mem::take(&mut self.members));
        for operation in &block.operations {
            match operation {
                Operation::Missed { validator, .. } => {
                    self.change(validator, |standing| standing.rounds_missed += 1);
                }
                Operation::Slash { validator, .. } => self.change(validator, |standing| {
                    (standing.stake, standing.slashed_at_height) = (0, Some(height));
                }),
                _ => {}
            }
        }
        if let Some(proposer) = block.header.proposer() {
            self.change(proposer, |standing| standing.blocks_proposed += 1);
        }
    }

    fn change(&mut self, id: &ValidatorId, change: impl FnOnce(&mut Standing)) {
        if let Some(standing) = self.standings.get_mut(id) {
            change(standing);
        }
    }
}
