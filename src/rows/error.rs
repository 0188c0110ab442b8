//! Why there are no rows of a block.

use crate::chain;
use crate::consensus::follow::{Broken, Reason, Refused};

/// Why there are no rows of a block. `E` is what reading the accounts can fail with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error<E = std::convert::Infallible> {
    /// The chain is wrong here: believe nothing from this height on. `cairn verify` looks at all of it.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A newer program made the block ([`chain::Error::Newer`]). Nothing is known to be wrong: ask a newer program.
    #[error(transparent)]
    Newer(chain::Error),
    /// The accounts cannot be read.
    #[error(transparent)]
    Accounts(E),
}

impl<E> Error<E> {
    pub(super) fn broken(height: u64, reason: Reason, detail: impl std::fmt::Display) -> Self {
        Self::Broken(Broken::new(height, reason, detail))
    }

    /// What is wrong with a block at this height, in the chain's own words.
    pub(super) fn of_block(height: u64, reason: Reason, error: chain::Error) -> Self {
        Refused::of_block(height, reason, error).into()
    }
}

impl<E> From<Refused> for Error<E> {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Broken(broken) => Self::Broken(broken),
            Refused::Newer(newer) => Self::Newer(newer),
        }
    }
}
