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

/// The most that `block.max_bytes` may be. A classic block takes up to 1.6 times the bytes that its transactions count
/// for in the chain's: it says less of each, but a name of 128 bytes takes up to 384 in it. It is to stay below the 8
/// MiB that its topic takes.
const BLOCK_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// Why no classic blocks can be made of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its proofs bind headers.
    #[error(
        "classic blocks of a chain of work need proofs by the classic rule, and this chain's bind its headers: leave --classic-topic out, \
         or make a new chain with work.rule = \"classic\""
    )]
    Rule,
    /// Its blocks may be too large.
    #[error(
        "classic blocks could grow larger than their topic takes where block.max_bytes is {0}: leave --classic-topic out, or make a new \
         chain with at most {most}",
        most = BLOCK_BYTES_MAX
    )]
    Size(u32),
}

impl Kind {
    /// The one of a chain with these parameters.
    ///
    /// ```
    /// use cairn::chain::Parameters;
    /// use cairn::classic::Kind;
    /// assert_eq!(Kind::of(&Parameters::default()), Ok(Kind::Stake));
    /// ```
    pub fn of(parameters: &Parameters) -> Result<Kind, Refused> {
        let kind = match parameters.consensus {
            Consensus::Stake { .. } => Kind::Stake,
            Consensus::Work(Work { rule: WorkRule::Classic, .. }) => Kind::Work,
            Consensus::Work(Work { rule: WorkRule::Header, .. }) => return Err(Refused::Rule),
        };
        match parameters.block_max_bytes {
            ..=BLOCK_BYTES_MAX => Ok(kind),
            larger => Err(Refused::Size(larger)),
        }
    }
}
