//! The rounds of a height: who was due in each, and what became of the ones that failed.
//!
//! ```text
//! round 0 ── drawn a: silent ──────► Missed { 0, a }
//! round 1 ── drawn b: cheated ─────► Slash { 1, b, its whole stake, evidence }      b has no stake from round 2 on
//! round 2 ── drawn c: header.author = { c, round 2 }
//! ```
//!
//! Every round below the header's has exactly one operation, in the order of rounds and before any other operation; no
//! other round has one. So the chain says for every turn what became of it.

use super::super::roster::{Roster, Stakes};
use super::{draw, evidence};
use crate::chain::{Hash, Header, Operation, ValidatorId};

/// Why the rounds of a block are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The header's seed is not the one that follows from the block before.
    #[error("the header draws from seed {found}, the block before gives {expected}")]
    Seed {
        /// What the block before gives.
        expected: Hash,
        /// The header's.
        found: Hash,
    },
    /// A failed round without its operation, or an operation out of its place.
    #[error("operation {index} should say what became of round {round}")]
    Unaccounted {
        /// The round.
        round: u32,
        /// The place in the list of operations.
        index: usize,
    },
    /// An operation for a round that did not fail.
    #[error("operation {index} speaks of round {round}, which did not fail or is already accounted for")]
    Superfluous {
        /// The round it names.
        round: u32,
        /// Its place in the list of operations.
        index: usize,
    },
    /// The header names no proposer.
    #[error("the header's author is no validator drawn by stake")]
    Author,
    /// Another validator was drawn.
    #[error("round {round}: {drawn} was drawn, not {found}")]
    Drawn {
        /// The round.
        round: u32,
        /// Who was drawn.
        drawn: ValidatorId,
        /// Who is named.
        found: ValidatorId,
    },
    /// No validator is left to be drawn.
    #[error("round {0}: no validator has any stake left")]
    NoneLeft(u32),
    /// The evidence of a slash does not hold.
    #[error("round {round}: {flaw}")]
    Evidence {
        /// The round.
        round: u32,
        /// What is wrong with it.
        flaw: evidence::Flaw,
    },
    /// The evidence is about another turn or another validator than the slash.
    #[error("round {0}: the evidence is about another turn")]
    OtherTurn(u32),
    /// A slash burns something else than the whole stake.
    #[error("round {round}: slashed {found}, the whole stake is {expected}")]
    Amount {
        /// The round.
        round: u32,
        /// The whole stake.
        expected: u64,
        /// What is burnt.
        found: u64,
    },
}

/// Where a height begins: what the block before leaves behind.
#[derive(Debug, Clone, Copy)]
pub struct Start<'c> {
    /// The chain: its genesis hash.
    pub genesis: &'c Hash,
    /// The height.
    pub height: u64,
    /// The seed of this height.
    pub seed: &'c Hash,
    /// The validators' keys.
    pub roster: &'c Roster,
}

impl Start<'_> {
    /// The place of the proposer due in `round` among `stakes`. `None`: no validator has stake.
    #[must_use]
    pub fn due(&self, round: u32, stakes: &Stakes) -> Option<usize> {
        draw::draw(self.genesis, self.height, round, self.seed, stakes.as_slice())
    }
}

/// Checks proposer, seed and the operations of failed rounds of a block. `stakes` are those before the block; the
/// answer is those in the round that sealed it, against which its seal counts.
pub fn verify(
    start: &Start<'_>,
    mut stakes: Stakes,
    header: &Header,
    operations: &[Operation],
) -> Result<Stakes, Flaw> {
    let author = header.stake().ok_or(Flaw::Author)?;
    if author.seed != *start.seed {
        return Err(Flaw::Seed { expected: *start.seed, found: author.seed });
    }
    let mut rest = operations.iter().enumerate();
    for round in 0..author.round {
        let (index, operation) = rest.next().ok_or(Flaw::Unaccounted { round, index: operations.len() })?;
        check_failed_round(start, &mut stakes, round, index, operation)?;
    }
    for (index, operation) in rest {
        if let Operation::Missed { round, .. } | Operation::Slash { round, .. } = operation {
            return Err(Flaw::Superfluous { round: *round, index });
        }
    }
    check_drawn(start, &stakes, author.round, &author.proposer)?;
    Ok(stakes)
}

fn check_failed_round(
    start: &Start<'_>,
    stakes: &mut Stakes,
    round: u32,
    index: usize,
    operation: &Operation,
) -> Result<(), Flaw> {
    match operation {
        Operation::Missed { round: named, validator } if *named == round => {
            check_drawn(start, stakes, round, validator).map(|_| ())
        }
        Operation::Slash { round: named, validator, amount, evidence } if *named == round => {
            let place = check_drawn(start, stakes, round, validator)?;
            let offence = evidence::verify(evidence, start.genesis, start.roster, stakes)
                .map_err(|flaw| Flaw::Evidence { round, flaw })?;
            if offence != (evidence::Offence { place, height: start.height, round }) {
                return Err(Flaw::OtherTurn(round));
            }
            let expected = stakes.take(place);
            if *amount == expected { Ok(()) } else { Err(Flaw::Amount { round, expected, found: *amount }) }
        }
        _ => Err(Flaw::Unaccounted { round, index }),
    }
}

fn check_drawn(start: &Start<'_>, stakes: &Stakes, round: u32, named: &ValidatorId) -> Result<usize, Flaw> {
    let place = start.due(round, stakes).ok_or(Flaw::NoneLeft(round))?;
    match start.roster.keys(place) {
        Some(keys) if keys.id == *named => Ok(place),
        Some(keys) => Err(Flaw::Drawn { round, drawn: keys.id.clone(), found: named.clone() }),
        None => Err(Flaw::NoneLeft(round)),
    }
}
