//! Checking author and seal of a block that was mined.

use super::difficulty::{self, Previous};
use super::link::Link;
use super::puzzle::Puzzle;
use crate::chain::{Consensus, Hash, Header, Name, Work, WorkAuthor, WorkRule, WorkSeal};

/// Why a block is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The header names no miner.
    #[error("the header's author is no miner")]
    Author,
    /// The account cannot take the reward.
    #[error("miner `{0}`: this name is the system's, or stands for no account")]
    Miner(Name),
    /// Another difficulty is due.
    #[error("the difficulty is {found}, from the headers follows {expected}")]
    Difficulty {
        /// What follows from the headers.
        expected: u64,
        /// The header's.
        found: u64,
    },
    /// The proof before was another one.
    #[error("the header's last proof is {found}, the block before has {expected}")]
    LastProof {
        /// The block's before.
        expected: u64,
        /// The header's.
        found: u64,
    },
    /// The proof does not hold.
    #[error("proof {proof} does not hold at difficulty {difficulty}")]
    Proof {
        /// The seal's.
        proof: u64,
        /// The header's.
        difficulty: u64,
    },
}

/// What the block before leaves behind: its height, its time, and its proof and difficulty.
#[derive(Debug, Clone, Copy)]
pub struct Parent {
    /// Its height.
    pub height: u64,
    /// Its header's time, in milliseconds.
    pub time_ms: i64,
    /// Its proof and difficulty.
    pub link: Link,
}

/// Whether an account can be mined for.
#[must_use]
pub fn can_mine(consensus: Consensus, miner: &Name) -> bool {
    !miner.is_system() && !consensus.is_nobody(miner.as_str())
}

/// Checks everything about a mined block's author and seal. `hash` is the header's, which the caller has computed.
/// Without the block before, its difficulty is only known within bounds, and the proof before is taken from the header.
pub fn check(work: Work, parent: Option<&Parent>, header: &Header, hash: &Hash, seal: &WorkSeal) -> Result<(), Flaw> {
    let author = header.work().ok_or(Flaw::Author)?;
    let WorkAuthor { miner, difficulty, last_proof } = author;
    if !can_mine(Consensus::Work(work), miner) {
        return Err(Flaw::Miner(miner.clone()));
    }
    if let Some(Parent { link, .. }) = parent
        && link.proof != *last_proof
    {
        return Err(Flaw::LastProof { expected: link.proof, found: *last_proof });
    }
    let expected = match parent {
        Some(parent) => due(work, parent, header),
        None => (*difficulty).clamp(difficulty::least(work), difficulty::most(work)),
    };
    if *difficulty != expected {
        return Err(Flaw::Difficulty { expected, found: *difficulty });
    }
    if !puzzle(work, author, hash).is_solved_by(seal.proof) {
        return Err(Flaw::Proof { proof: seal.proof, difficulty: *difficulty });
    }
    Ok(())
}

/// The difficulty that is due of the header behind `parent`.
fn due(work: Work, parent: &Parent, header: &Header) -> u64 {
    difficulty::next(work, &parent.previous(), header.time_ms, header.cut)
}

impl Parent {
    /// As the difficulty looks at it.
    #[must_use]
    pub fn previous(&self) -> Previous {
        Previous { height: self.height, difficulty: self.link.difficulty, time_ms: self.time_ms }
    }
}

/// What a block's proof must hold for.
#[must_use]
pub fn puzzle(work: Work, author: &WorkAuthor, hash: &Hash) -> Puzzle {
    match work.rule {
        WorkRule::Header => Puzzle::header(*hash, author.difficulty),
        WorkRule::Classic => Puzzle::classic(author.last_proof, author.difficulty),
    }
}
