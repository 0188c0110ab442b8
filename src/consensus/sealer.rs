//! From a stretch of the log to a sealed block.
//!
//! ```text
//!   seal(state, stretch, committed decisions)
//!        │
//!        ▼             silent, not decided yet
//!   ┌─ round r ──────────────────────────────────► NeedDecision(RoundPassed { h, r })   commit it, then call again
//!   │    │   silent, decided        ─► Missed ─┐
//!   │    │   cheated                ─► Slash  ─┤   evidence goes out with the block
//!   │    │                                     │
//!   └────┼─────────── r + 1 ◄──────────────────┘
//!        │   neither enough attest nor refuse ───► Waiting { have, need }               keep the input, call again
//!        ▼
//!     Sealed: block, changes, tree update, reports
//! ```
//!
//! **Law**: what is signed is a function of committed state, committed decisions and input. The same call with the same
//! committed data signs the same bytes; so a crash or an aborted transaction at any point is followed by a retry, never by a
//! second header for one turn.

use std::rc::Rc;

use super::committee::{Bench, Committee, Outcome, Turn};
use super::decision::{Decision, Passed};
use super::keys::KeySet;
use super::report::Report;
use super::roster::Roster;
use super::rounds::Start;
use super::validator::{Fault, LocalValidator, Validator};
use super::{Error, SetupError, draw};
use crate::chain::{Block, Cut, Entry, Genesis, Member, Operation, Parameters, Seal, ValidatorId};
use crate::ledger::state::{self, Tip};
use crate::ledger::{Changes, Executed, Signature, Tree, View, execute, tree};

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
    /// This decision must be committed before anybody signs. Write it, and call again once the write is committed.
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
}

/// A sealed block and what follows from it. All of it belongs into one transaction, with the deletion of the height's
/// decisions.
#[derive(Debug)]
pub struct Sealed {
    /// The block.
    pub block: Block,
    /// What changes in the state, the tip included.
    pub changes: Changes,
    /// What changes in the state tree; commit it after the changes were applied.
    pub update: tree::Update,
    /// Offences that this block punishes, for the evidence topic.
    pub reports: Vec<Report>,
}

/// Seals blocks, one height after the other. Holds keys and what they signed, nothing of the chain's state.
#[derive(Debug)]
pub struct Sealer<V = LocalValidator> {
    chain_id: String,
    parameters: Parameters,
    roster: Roster,
    committee: Committee<V>,
}

impl Sealer<LocalValidator> {
    /// A committee of one process: `keys` must hold those of every validator in the genesis. `faults` are injected.
    pub fn local(
        genesis: &Genesis,
        keys: KeySet,
        faults: &[(ValidatorId, Fault)],
    ) -> Result<Sealer<LocalValidator>, SetupError> {
        keys.check_against(&genesis.validators)?;
        let listed = |id: &ValidatorId| genesis.validators.iter().any(|validator| validator.id == *id);
        if let Some((stranger, _)) = faults.iter().find(|(id, _)| !listed(id)) {
            return Err(SetupError::Stranger(stranger.clone()));
        }
        let validators = keys.into_pairs().into_iter().filter(|pair| listed(pair.id())).map(|pair| {
            let fault = faults.iter().find(|(id, _)| id == pair.id()).map(|(_, fault)| *fault);
            LocalValidator::new(pair).with_fault(fault)
        });
        Sealer::new(genesis, validators)
    }
}

impl<V: Validator> Sealer<V> {
    /// A committee of `validators`; one that the genesis lists and that is not among them is silent.
    pub fn new(genesis: &Genesis, validators: impl IntoIterator<Item = V>) -> Result<Sealer<V>, SetupError> {
        let roster = Roster::new(&genesis.validators)?;
        let mut seats: Vec<Option<V>> = roster.iter().map(|_| None).collect();
        for validator in validators {
            let id = validator.id().clone();
            let seat = roster.place(&id).and_then(|place| seats.get_mut(place));
            let seat = seat.ok_or_else(|| SetupError::Stranger(id.clone()))?;
            if seat.replace(validator).is_some() {
                return Err(SetupError::Twice(id));
            }
        }
        Ok(Sealer {
            chain_id: genesis.chain_id.clone(),
            parameters: genesis.parameters.clone(),
            roster,
            committee: Committee::new(seats),
        })
    }

    /// The validators' keys.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Seals the block after the state's last one, or says what is missing.
    ///
    /// `view` is the state after the last block and `tree` its tree. `decisions` are the **committed** ones; those about other
    /// heights are ignored. Errors leave everything as it was.
    pub fn seal<S: View + ?Sized>(
        &mut self,
        view: &S,
        tree: &Tree,
        stretch: Stretch<'_>,
        decisions: &[Decision],
    ) -> Result<Step, Error<S::Error>> {
        let tip = state::tip(view).map_err(Error::Ledger)?;
        let height = self.check(&tip, stretch.cut, decisions)?;
        let members: Vec<Member> =
            state::validators(view).map_err(Error::Ledger)?.iter().map(|(id, record)| record.member(id)).collect();
        let mut stakes = self.roster.stakes(&members)?;
        let start = Start { chain_id: &self.chain_id, height, seed: &tip.seed, roster: &self.roster };
        let executes = |candidate: &crate::ledger::Candidate<'_>| execute(view, tree, &self.parameters, candidate);
        let (mut prior, mut reports) = (Vec::new(), Vec::new());
        for round in 0..=u32::MAX {
            let due = start.due(round, &stakes).and_then(|place| Some((place, &self.roster.keys(place)?.id)));
            let Some((place, proposer)) = due else {
                return Ok(Step::Waiting { height, round, have: 0, need: stakes.quorum() });
            };
            let passed = Decision::RoundPassed { height, round, why: Passed::Silence };
            if decisions.contains(&passed) {
                prior.push(Operation::Missed { round, validator: proposer.clone() });
                continue;
            }
            let turn = Turn { start, stakes: &stakes, round, place, proposer };
            let mut bench = Bench {
                entries: stretch.entries.as_slice(),
                signatures: stretch.signatures,
                cut: stretch.cut,
                proposer,
                round,
                prior: &prior,
                execute: &executes,
                own: None,
            };
            match self.committee.run(&turn, &mut bench)? {
                Outcome::Sealed(seal) => {
                    let own = bench.own()?;
                    drop(bench);
                    let entries = std::mem::take(stretch.entries);
                    return Ok(Step::Sealed(Box::new(sealed(&self.chain_id, own, entries, seal, reports))));
                }
                Outcome::Slash(evidence, witness) => {
                    let amount = stakes.take(place);
                    prior.push(Operation::Slash {
                        round,
                        validator: proposer.clone(),
                        amount,
                        evidence: evidence.clone(),
                    });
                    reports.push(Report { height, round, validator: proposer.clone(), amount, evidence, witness });
                }
                Outcome::Missed => return Ok(Step::NeedDecision(passed)),
                Outcome::NoQuorum { have, need } => return Ok(Step::Waiting { height, round, have, need }),
            }
        }
        Err(Error::RoundsExhausted(height))
    }

    /// Whether the call can be for the next block; its height.
    fn check<E>(&self, tip: &Tip, cut: Cut, decisions: &[Decision]) -> Result<u64, Error<E>> {
        if tip.chain_id != self.chain_id {
            return Err(Error::OtherChain { state: tip.chain_id.clone(), sealer: self.chain_id.clone() });
        }
        let height = tip.height.checked_add(1).ok_or(Error::RoundsExhausted(tip.height))?;
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
}

fn sealed(chain_id: &str, own: Rc<Executed>, entries: Vec<Entry>, seal: Seal, reports: Vec<Report>) -> Sealed {
    let executed = Rc::try_unwrap(own).unwrap_or_else(|shared| (*shared).clone());
    let entries = executed.decide(entries);
    let header = executed.header.clone();
    let next_seed = draw::next_seed(chain_id, header.height.saturating_add(1), &header.seed, &seal.reveal);
    let block = Block {
        hash: executed.hash,
        header,
        seal: Some(seal),
        entries,
        operations: executed.operations.clone(),
        genesis: None,
    };
    let (changes, update) = executed.into_changes(next_seed);
    Sealed { block, changes, update, reports }
}

/// The state's last block right after genesis. `block` is block 0.
#[must_use]
pub fn genesis_tip(block: &Block) -> Tip {
    let header = &block.header;
    Tip {
        chain_id: header.chain_id.clone(),
        height: header.height,
        hash: block.hash,
        time_ms: header.time_ms,
        seed: draw::first_seed(&header.chain_id, &header.seed),
        state_root: header.state_root,
    }
}
