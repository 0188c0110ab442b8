//! From a stretch of the log to a sealed block.
//!
//! ```text
//!   seal(state, stretch, committed decisions)
//!        │  execute the stretch for this miner, at the difficulty that its time asks for
//!        ▼
//!     Unproved ── puzzle ──► a search, wherever the caller likes
//!        │ complete(proof)
//!        ▼
//!     Sealed
//! ```
//!
//! Nothing is signed, so nothing can be signed twice: a search that is cut short by a crash begins anew, with another
//! proof in the end, perhaps by another miner. What makes one block of a height count is the log, which takes one
//! writer.

use super::super::decision::Decision;
use super::super::scheme::Scheme;
use super::super::sealer::{self, Sealed, Step, Stretch};
use super::super::{Error, SetupError};
use super::difficulty::{self, Previous};
use super::link::Link;
use super::puzzle::Puzzle;
use super::seal;
use crate::chain::{Block, Entry, Genesis, Hash, Name, Seal, Work, WorkAuthor, WorkSeal};
use crate::ledger::{Candidate, Executed, Maker, Replica, View, cut};

/// Makes blocks for one miner.
#[derive(Clone, Debug)]
pub struct Sealer {
    genesis: Hash,
    work: Work,
    miner: Option<Name>,
}

impl Sealer {
    /// One that mines for an account.
    pub fn new(genesis: &Genesis, miner: Name) -> Result<Sealer, SetupError> {
        let work = genesis.parameters.consensus.work().ok_or(SetupError::OtherKind)?;
        if !seal::can_mine(genesis.parameters.consensus, &miner) {
            return Err(SetupError::Miner(miner));
        }
        Ok(Sealer { genesis: genesis.hash(), work, miner: Some(miner) })
    }

    /// One without an account to mine for, which seals nothing.
    #[must_use]
    pub fn idle(genesis: &Genesis) -> Sealer {
        let work = genesis.parameters.consensus.work().unwrap_or_default();
        Sealer { genesis: genesis.hash(), work, miner: None }
    }

    /// How the chain agrees on its blocks.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        Scheme::Work(self.work)
    }

    /// Makes the block after the replica's last one, but for its proof. Arguments are those of
    /// [`Sealer::seal`](super::super::Sealer::seal).
    pub fn seal<V: View + ?Sized>(
        &self,
        view: &V,
        replica: &Replica,
        stretch: Stretch<'_>,
        decisions: &[Decision],
    ) -> Result<Step, Error<V::Error>> {
        let height = sealer::check(&self.genesis, replica, stretch.cut, decisions)?;
        let Some(miner) = self.miner.clone() else { return Err(Error::NobodyMines(height)) };
        let Stretch { entries, signatures, cut } = stretch;
        let (tip, link) = (replica.tip(), Link::of_seed(&replica.tip().seed));
        let timestamps_ms = entries.iter().map(|entry| entry.origin.timestamp_ms);
        let time_ms = cut::span(replica.parameters(), tip.time_ms, timestamps_ms).time_ms;
        let previous = Previous { height: tip.height, difficulty: link.difficulty, time_ms: tip.time_ms };
        let difficulty = difficulty::next(self.work, &previous, time_ms, cut);
        let author = WorkAuthor { miner, difficulty, last_proof: link.proof };
        let maker = Maker::Miner(&author);
        let candidate = Candidate { entries, signatures, cut, maker, extensions: &[] };
        let executed = replica.execute(view, &candidate).map_err(Error::Ledger)?;
        let puzzle = seal::puzzle(self.work, &author, &executed.hash);
        Ok(Step::Unproved(Box::new(Unproved { executed, puzzle })))
    }
}

/// A block that only lacks its proof of work.
#[derive(Debug)]
pub struct Unproved {
    executed: Executed,
    puzzle: Puzzle,
}

impl Unproved {
    /// What a proof is to be found for.
    #[must_use]
    pub fn puzzle(&self) -> Puzzle {
        self.puzzle
    }

    /// The sealed block. `entries` are those of the stretch. `None`: the proof does not hold.
    #[must_use]
    pub fn complete(self, proof: u64, entries: Vec<Entry>) -> Option<Sealed> {
        if !self.puzzle.is_solved_by(proof) {
            return None;
        }
        let executed = self.executed;
        let block = Block {
            hash: executed.hash,
            header: executed.header.clone(),
            seal: Some(Seal::Work(WorkSeal { proof })),
            entries: executed.decide(entries),
            operations: executed.operations.clone(),
            genesis: None,
        };
        let next_seed = Link { proof, difficulty: self.puzzle.difficulty() }.to_seed();
        Some(Sealed { block, executed, next_seed, reports: Vec::new() })
    }
}
