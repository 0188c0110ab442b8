//! What can go wrong in sealing. None of these means that something was signed that should not have been.

use super::stake::validator::WouldEquivocate;
use super::{keys, roster};
use crate::chain::{Cut, Hash, Name, ValidatorId};
use crate::ledger;

/// Why a sealer could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The genesis' validators are no roster.
    #[error("genesis: {0}")]
    Roster(#[from] roster::Error),
    /// The keys do not belong to the genesis.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// No validator of this id is in the genesis.
    #[error("validator {0} is not in the genesis; name one that is")]
    Stranger(ValidatorId),
    /// The genesis has another kind of consensus.
    #[error("the chain has another kind of consensus: validators seal a chain of stake, miners one of work")]
    OtherKind,
    /// The account cannot take a reward.
    #[error("no one can be paid under the name `{0}`: name another account to mine for")]
    Miner(Name),
    /// One validator given twice.
    #[error("validator {0} is given twice")]
    Twice(ValidatorId),
}

/// Why a call to the sealer failed. `E` is what reading the state can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E> {
    /// The ledger could not execute. Its own error says what to do.
    #[error(transparent)]
    Ledger(ledger::Error<E>),
    /// The state's validators are not the genesis': stop, the state belongs to another chain.
    #[error(transparent)]
    Roster(#[from] roster::Error),
    /// The state is another chain's: stop.
    #[error(
        "the state is of the chain of genesis {state}, the sealer of {sealer}; give the state directory of this chain"
    )]
    OtherChain {
        /// The genesis hash of the state.
        state: Hash,
        /// The genesis hash of the sealer.
        sealer: Hash,
    },
    /// A cut that is a decision, without the decision: the caller must commit it first.
    #[error("height {height} is cut by `{cut}` without a committed decision; commit the decision, then seal")]
    CutNotCommitted {
        /// The height.
        height: u64,
        /// The cut.
        cut: Cut,
    },
    /// A validator was asked for a second header or vote in one turn: stop.
    #[error(transparent)]
    WouldEquivocate(#[from] WouldEquivocate),
    /// What validators have signed cannot be kept, or a height was signed that the topic does not have: stop.
    #[error("{0}")]
    NotKept(String),
    /// There is no account to mine for: the sealer was made to be looked at.
    #[error("height {0} has no account to mine for")]
    NobodyMines(u64),
    /// No round or no height is left to count.
    #[error("height {0} has no rounds left")]
    RoundsExhausted(u64),
}
