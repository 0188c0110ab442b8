//! From a stretch of the log to a sealed block, whatever the kind of consensus.

use std::sync::Arc;

use super::decision::Decision;
use super::keys::KeySet;
use super::scheme::Scheme;
use super::stake::fault::Fault;
use super::stake::report::Offence;
use super::stake::sealer as stake;
use super::stake::signed_turns::SignedTurns;
use super::stake::validator::Signed;
use super::work::sealer as work;
use super::{Error, SetupError};
use crate::chain::{Block, Consensus, Cut, Entry, Genesis, Hash, Name, ValidatorId};
use crate::ledger::{Executed, Replica, Signature, View};

/// A stretch of the log that is to be the next block.
#[derive(Debug)]
pub struct Stretch<'s> {
    /// Its records, undecided, in order. Taken when the block is sealed, untouched otherwise.
    pub entries: &'s mut Vec<Entry>,
    /// What their signatures are worth, one for each.
    pub signatures: &'s [Signature],
    /// Why it ends.
    pub cut: Cut,
}

/// What a call comes to.
#[derive(Debug)]
pub enum Step {
    /// A sealed block.
    Sealed(Box<Sealed>),
    /// This decision must be committed before any validator signs. Write it, and call again once the write is
    /// committed.
    NeedDecision(Decision),
    /// Not enough stake signs, one way or the other. Keep the input and call again later.
    Waiting {
        /// The height that waits.
        height: u64,
        /// Its round.
        round: u32,
        /// The stake that signs.
        have: u64,
        /// The stake that is needed.
        need: u64,
    },
    /// A block that only lacks its proof of work. Keep the input, search, and complete it
    /// ([`work::Unproved::complete`]).
    Unproved(Box<work::Unproved>),
}

/// A sealed block and what follows from it. All of it belongs into one transaction, with the deletion of the height's
/// decisions.
#[derive(Debug)]
pub struct Sealed {
    /// The block.
    pub block: Block,
    /// What executing it gave: [`Replica::advance`] takes it in, together with the seed, and answers what changes in
    /// the state.
    pub executed: Executed,
    /// The seed of the height after.
    pub next_seed: Hash,
    /// Offences that this block punishes, for the evidence topic.
    pub reports: Vec<Offence>,
}

/// Seals blocks, one height after the other. Holds keys and what they signed, or who mines; nothing of the chain's
/// state.
#[derive(Debug)]
pub enum Sealer {
    /// A committee.
    Stake(Box<stake::Sealer>),
    /// A miner.
    Work(work::Sealer),
}

impl Sealer {
    /// A committee of one process ([`stake::Sealer::local`]).
    pub fn local(genesis: &Genesis, keys: KeySet, faults: &[(ValidatorId, Fault)]) -> Result<Sealer, SetupError> {
        match genesis.parameters.consensus {
            Consensus::Stake { .. } => {
                stake::Sealer::local(genesis, keys, faults).map(|sealer| Sealer::Stake(Box::new(sealer)))
            }
            Consensus::Work(_) => Err(SetupError::OtherKind),
        }
    }

    /// The same, which keeps to what its validators signed in processes before this one. A miner signs nothing.
    #[must_use]
    pub fn keeping(self, turns: Arc<dyn SignedTurns>) -> Self {
        match self {
            Sealer::Stake(sealer) => Sealer::Stake(Box::new(sealer.keeping(turns))),
            Sealer::Work(sealer) => Sealer::Work(sealer),
        }
    }

    /// A miner, for this account.
    pub fn miner(genesis: &Genesis, miner: Name) -> Result<Sealer, SetupError> {
        work::Sealer::new(genesis, miner).map(Sealer::Work)
    }

    /// One that seals nothing: it has no keys, and no account to mine for. For a graph that is only looked at.
    pub fn idle(genesis: &Genesis) -> Result<Sealer, SetupError> {
        match genesis.parameters.consensus {
            Consensus::Stake { .. } => {
                stake::Sealer::new(genesis, std::iter::empty()).map(|sealer| Sealer::Stake(Box::new(sealer)))
            }
            Consensus::Work(_) => Ok(Sealer::Work(work::Sealer::idle(genesis))),
        }
    }

    /// How the chain agrees on its blocks.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        match self {
            Sealer::Stake(sealer) => sealer.scheme(),
            Sealer::Work(sealer) => sealer.scheme(),
        }
    }

    /// The sealer of another process with the same keys: it remembers nothing of what this one's validators have
    /// signed, but for what is kept outside of both ([`Sealer::keeping`]).
    #[must_use]
    pub fn anew(&self) -> Self {
        match self {
            Sealer::Stake(sealer) => Sealer::Stake(Box::new(sealer.anew())),
            Sealer::Work(sealer) => Sealer::Work(sealer.clone()),
        }
    }

    /// What the validators of this process remember to have proposed and voted in the latest turns: one thing of each
    /// kind in a turn. A miner signs nothing.
    pub fn signed(&self) -> impl Iterator<Item = Signed> {
        let committee = match self {
            Sealer::Stake(sealer) => Some(sealer.signed()),
            Sealer::Work(_) => None,
        };
        committee.into_iter().flatten()
    }

    /// Has a validator misbehave from its next turn on; false: there is no such validator, as where blocks are mined.
    pub fn corrupt(&mut self, validator: &ValidatorId, fault: Fault) -> bool {
        match self {
            Sealer::Stake(sealer) => sealer.corrupt(validator, fault),
            Sealer::Work(_) => false,
        }
    }

    /// Seals the block after the replica's last one, or says what is missing.
    ///
    /// `view` is the state after that block. `decisions` are the **committed** ones; those about other heights are
    /// ignored. Errors leave everything as it was.
    pub fn seal<V: View + ?Sized>(
        &mut self,
        view: &V,
        replica: &Replica,
        stretch: Stretch<'_>,
        decisions: &[Decision],
    ) -> Result<Step, Error<V::Error>> {
        match self {
            Sealer::Stake(sealer) => sealer.seal(view, replica, stretch, decisions),
            Sealer::Work(sealer) => sealer.seal(view, replica, stretch, decisions),
        }
    }
}

/// Whether a call can be for the block after the replica's last one; its height.
pub(super) fn check<E>(genesis: &Hash, replica: &Replica, cut: Cut, decisions: &[Decision]) -> Result<u64, Error<E>> {
    let tip = replica.tip();
    if tip.genesis != *genesis {
        return Err(Error::OtherChain { state: tip.genesis, sealer: *genesis });
    }
    let height = replica.next_height().ok_or(Error::RoundsExhausted(tip.height))?;
    let is_decided = decisions.iter().any(|decision| match decision {
        Decision::Cut { height: of, cut: decided, .. } => *of == height && *decided == cut,
        Decision::RoundPassed { .. } => false,
    });
    match cut {
        Cut::Age | Cut::End if !is_decided => Err(Error::CutNotCommitted { height, cut }),
        Cut::Genesis => Err(Error::CutNotCommitted { height, cut }),
        _ => Ok(height),
    }
}
