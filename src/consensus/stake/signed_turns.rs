//! What validators signed last, kept where neither a crash nor the loss of a log's topics takes it.
//!
//! A header that is signed follows from committed state, committed decisions and the log. Decisions can be lost: `cairn
//! reset` deletes their changelog, and anybody who may write to it can forge it. Then the same validators would sign
//! another header for a turn in which they have signed one, whose block was never committed and whose signature can be
//! read all the same. What is kept here stops that.

use std::fmt::Debug;

use crate::chain::{Cut, Hash, Header};

/// A header that is signed, by its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedTurn {
    /// The height of the turn.
    pub height: u64,
    /// The round of the turn.
    pub round: u32,
    /// The header's hash.
    pub header: Hash,
}

impl SignedTurn {
    /// Of a header that a validator signs.
    #[must_use]
    pub fn of(header: &Header, hash: Hash) -> Self {
        Self { height: header.height, round: header.round(), header: hash }
    }

    /// Whether this may be signed where `last` is the last that was signed of its height: it is the same, or of a later
    /// round.
    #[must_use]
    pub fn may_follow(&self, last: &Self) -> bool {
        self == last || (self.height == last.height && self.round > last.round)
    }
}

/// Keeps what was signed.
pub trait SignedTurns: Debug + Send + Sync {
    /// Called before a signature over a header leaves the sealer. True: it is kept that it was signed, and nothing else
    /// was in its turn, nor in a later round of its height. False: something was, and the signature must not leave.
    ///
    /// `is_decided`: the header follows from more than the log, so what is kept must outlast the machine's power as
    /// well. Without it, outlasting the process will do: what is signed again after that follows from the log, and is
    /// the same.
    ///
    /// An error: it cannot be kept, or the height was signed long ago. Then nothing may be signed.
    fn keep_to(&self, turn: SignedTurn, is_decided: bool) -> Result<bool, String>;
}

/// Whether a header follows from more than the log and the state: from a decision, or from what became of earlier
/// rounds.
#[must_use]
pub fn is_decided(header: &Header) -> bool {
    header.round() > 0 || matches!(header.cut, Cut::Age | Cut::End)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_signed_of_a_height_is_the_same_again_or_of_a_later_round() {
        let turn = |height, round, byte| SignedTurn { height, round, header: Hash([byte; 32]) };
        let last = turn(7, 1, 1);
        for (next, may) in [
            (turn(7, 1, 1), true),
            (turn(7, 2, 2), true),
            (turn(7, 1, 2), false),
            (turn(7, 0, 1), false),
            (turn(8, 2, 1), false),
            (turn(6, 2, 1), false),
        ] {
            assert_eq!(next.may_follow(&last), may, "{next:?}");
        }
    }
}
