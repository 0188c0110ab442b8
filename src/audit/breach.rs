//! Why a walk over a chain ends before the chain does.

use topology::Error;

use crate::consensus::follow::{Broken, Refused};

/// Why a walk over a chain ends before the chain does.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The chain is broken.
    Broken(Broken),
    /// It could not be looked at, and nothing is known of the rest.
    Undone(Error),
}

impl From<Broken> for Halt {
    fn from(broken: Broken) -> Self {
        Halt::Broken(broken)
    }
}

impl From<Refused> for Halt {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Broken(broken) => Halt::Broken(broken),
            Refused::Newer(newer) => Halt::Undone(Error::stop(newer.to_string())),
        }
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Halt::Undone(error)
    }
}
