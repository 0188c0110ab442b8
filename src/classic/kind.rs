//! Which of the two systems a chain is like.

use crate::chain::{Consensus, Parameters, Work, WorkRule};

/// Which system's blocks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The one in Java: `Index`, `Timestamp`, `Transactions`, `PreviousHash`, and who proposed.
    Stake,
    /// The one in Python: `index`, `timestamp`, `transactions`, `proof`, `previous_hash`.
    Work,
}

/// No classic blocks can be made of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "classic blocks of a chain of work need proofs by the classic rule, and this chain's bind its headers: leave --classic-topic out, or \
     make a new chain with work.rule = \"classic\""
)]
pub struct Refused;

impl Kind {
    /// The one of a chain with these parameters.
    ///
    /// ```
    /// use cairn::chain::Parameters;
    /// use cairn::classic::Kind;
    /// assert_eq!(Kind::of(&Parameters::default()), Ok(Kind::Stake));
    /// ```
    pub fn of(parameters: &Parameters) -> Result<Kind, Refused> {
        match parameters.consensus {
            Consensus::Stake { .. } => Ok(Kind::Stake),
            Consensus::Work(Work { rule: WorkRule::Classic, .. }) => Ok(Kind::Work),
            Consensus::Work(Work { rule: WorkRule::Header, .. }) => Err(Refused),
        }
    }
}
