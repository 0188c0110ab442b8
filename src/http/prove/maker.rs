//! A proof, put together from the history, one block, and the state.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::http::StatusCode;
use topology::clock::{Clock, SystemClock};
use topology::log::Log;

use super::budget::Budget;
use super::follow::Followed;
use super::headers::Headers;
use super::history::{History, unread};
use super::state_at::StateAt;
use super::{Answers, Top, Wanted};
use crate::audit::prove::{Answer, Question};
use crate::chain::{Block, Genesis, Hash, Header, Read, Seal};
use crate::checkpoint::Checkpoint;
use crate::http::committed::Committed;
use crate::http::feed::Feed;
use crate::http::problem::{Problem, Result};
use crate::ledger::state::remembered_id;
use crate::proof::{self, Claim, Proof, Sealed, Trusted};

/// So long a state serves the proofs that are about its block.
const STATE_AGE_MAX_MS: i64 = 15_000;
/// The most bytes of a proof that an id was not used. Larger ones are for who has the topic.
pub(super) const FILE_BYTES_MAX: usize = 8 << 20;
/// So long it serves those that ask for none in particular.
const STATE_FRESH_MS: i64 = 2_000;

/// Makes all proofs.
pub(super) struct Maker<L: Log> {
    /// What is read apart from the history: a chain that is followed.
    pub(super) log: L,
    pub(super) clock: SystemClock,
    pub(super) blockchain: String,
    pub(super) genesis: Genesis,
    pub(super) history: History<L>,
    committed: Committed,
    state: Option<StateAt>,
    /// For what costs more than a look at a topic.
    pub(super) budget: Budget,
    /// The proof for which the chain was followed last, with what was asked: the asker may have been told to come
    /// again. It leads to the history that ends with its block.
    pub(super) followed: Option<(Followed, Proof)>,
}

/// A block, and what is claimed of it.
struct Target {
    claim: Claim,
    header: Header,
    seal: Option<Seal>,
}

impl<L: Log> Maker<L> {
    pub(super) fn new(
        log: L,
        blockchain: String,
        genesis: Genesis,
        (committed, feed): (Committed, Arc<Feed>),
        stop: Arc<AtomicBool>,
    ) -> Self {
        let history = History::new(log.clone(), &blockchain, &genesis, feed, stop);
        let (clock, budget) = (SystemClock::new(), Budget::default());
        Self { log, clock, blockchain, genesis, history, committed, state: None, budget, followed: None }
    }

    /// Whether there is nothing to do before something is asked.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_behind() && self.state.is_none()
    }

    /// Whether there is more to read of what was there when something was last asked.
    pub(super) fn is_behind(&self) -> bool {
        self.history.is_behind()
    }

    /// Does what there is to do while no question waits.
    pub(super) fn go_on(&mut self) {
        let now_ms = self.clock.monotonic_ms();
        self.state = self.state.take().filter(|state| now_ms - state.made_ms < STATE_AGE_MAX_MS);
        self.history.go_on();
    }

    fn prove(&mut self, wanted: &Wanted) -> Result<Proof> {
        let question = &wanted.question;
        let target = match wanted.block {
            Some(height) => {
                self.history.catch_up()?;
                if height >= self.history.count() {
                    return Err(Problem::not_found(format!("there is no block {height} yet")).of(height.to_string()));
                }
                self.in_block(question, height)?
            }
            None => {
                // A state that is about to be asked is behind nothing that is read after it.
                self.take_state(wanted.at_height.or(wanted.size.map(|size| size.saturating_sub(1))))?;
                self.history.catch_up()?;
                match self.of_state(wanted)? {
                    Some(target) => target,
                    None => return self.follow(wanted),
                }
            }
        };
        let height = target.header.height;
        let size = self.history.size(wanted.size)?;
        if height >= size {
            return Err(behind(height, size));
        }
        let sealed = if wanted.with_seal { self.sealed(&target) } else { None };
        let history = self.history.of(height, size)?;
        let Target { claim, header, .. } = target;
        checked(Proof { claim, header, history, sealed })
    }

    fn sealed(&self, target: &Target) -> Option<Sealed> {
        let is_by_stake = target.seal.as_ref().is_none_or(|seal| seal.stake().is_some());
        let slashes = self.history.slashes(target.header.height).filter(|_| is_by_stake)?;
        Some(Sealed { genesis: self.genesis.clone(), slashes, seal: target.seal.clone() })
    }

    /// What a block says.
    fn in_block(&mut self, question: &Question, height: u64) -> Result<Target> {
        let (answer, header, seal) = match self.history.block(height)?.read()? {
            Read::Block(block) => {
                let Block { header, seal, .. } = &*block;
                (question.ask(&block), header.clone(), seal.clone())
            }
            Read::Pruned(pruned) if question.needs_body(&pruned.header) => {
                let detail = format!("the body of block {height} was pruned, so what is in it cannot be proved");
                return Err(Problem::new(StatusCode::GONE, detail));
            }
            Read::Pruned(pruned) => (question.ask_header(&pruned.header), pruned.header.clone(), Some(pruned.seal)),
            Read::Foreign => return Err(unread(Headers::altered())),
        };
        match answer {
            Answer::Claim(claim) => Ok(Target { claim, header, seal }),
            Answer::None(why) => Err(Problem::not_found(why)),
            Answer::Silent => Err(Problem::not_found(format!("block {height} does not have it"))),
        }
    }

    /// Has the state after a block at hand, if that can be: the last block's, or one that was asked for a moment ago.
    fn take_state(&mut self, height: Option<u64>) -> Result<()> {
        let now_ms = self.clock.monotonic_ms();
        let serves = |state: &StateAt| {
            let age_ms = now_ms - state.made_ms;
            match height {
                Some(height) => state.tip.height == height && age_ms < STATE_AGE_MAX_MS,
                None => age_ms < STATE_FRESH_MS,
            }
        };
        if !self.state.as_ref().is_some_and(serves) {
            self.state = None;
            // To make one of a block that is not the last is in vain, and costs a walk over the state.
            // An instance without the state can still follow the chain.
            let last = height.and_then(|_| self.committed.height().ok().flatten());
            if height.is_none_or(|height| last == Some(height)) {
                self.budget.check(now_ms)?;
                let made = StateAt::make(&self.committed, now_ms);
                self.budget.spend(now_ms, self.clock.monotonic_ms());
                self.state = Some(made?);
            }
        }
        Ok(())
    }

    /// What the state says; `None`: it is not at hand.
    fn of_state(&mut self, wanted: &Wanted) -> Result<Option<Target>> {
        let asked = wanted.at_height.or(wanted.size.map(|size| size.saturating_sub(1)));
        let Some(state) = self.state.as_ref() else { return Ok(None) };
        let height = state.tip.height;
        if asked.is_some_and(|asked| asked != height) {
            return Ok(None);
        }
        if height >= self.history.count() {
            return Err(Problem::unavailable(format!("block {height} is not to be read yet: ask again")));
        }
        if let Question::Id { sender, id } = &wanted.question
            && let Some(used) = remembered_id(&state.state, sender, id)?
        {
            let block = self.first_active(used.active_height, height)?;
            return self.in_block(&wanted.question, block).map(Some);
        }
        let asked = wanted.question.ask_state(&state.state, &state.tree, FILE_BYTES_MAX)?;
        let claim = asked.map_err(too_large)?;
        let hash = state.tip.hash;
        let (header, seal) = match self.history.block(height)?.read()? {
            Read::Block(block) => (block.header, block.seal),
            Read::Pruned(pruned) => (pruned.header, Some(pruned.seal)),
            Read::Foreign => return Err(unread(Headers::altered())),
        };
        if header.hash() != hash {
            return Err(Problem::unavailable("the topic goes on from another block than the state: ask again"));
        }
        Ok(Some(Target { claim, header, seal }))
    }

    /// The height of the block that has this active height and an applied transaction: the first with it.
    fn first_active(&mut self, active_height: u64, last: u64) -> Result<u64> {
        let (mut low, mut high) = (0, last);
        while low < high {
            let middle = low + (high - low) / 2;
            let header = match self.history.block(middle)?.read()? {
                Read::Block(block) => block.header,
                Read::Pruned(pruned) => pruned.header,
                Read::Foreign => return Err(unread(Headers::altered())),
            };
            if header.active_height < active_height { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

impl<L: Log> Answers for Maker<L> {
    fn proof(&mut self, wanted: &Wanted) -> Result<Vec<u8>> {
        self.prove(wanted).map(|proof| proof.to_file())
    }

    fn history(&mut self, size: Option<u64>) -> Result<Top> {
        self.history.catch_up()?;
        let size = self.history.size(size)?;
        self.history.top(size)
    }

    fn consistency(&mut self, old_size: u64, size: Option<u64>) -> Result<(Top, Vec<Hash>)> {
        let top = Answers::history(self, size)?;
        let size = top.size;
        if old_size == 0 || old_size > size {
            let detail = format!("a history of {size} blocks goes on from one of 1 to {size}, not of {old_size}");
            return Err(Problem::bad_request(detail));
        }
        Ok((top, self.history.consistency(old_size, size)?))
    }
}

/// A proof that its reader will take; an error where the chain is broken.
pub(super) fn checked(proof: Proof) -> Result<Proof> {
    let proof::History { size, root, .. } = proof.history;
    let checkpoint = Checkpoint { origin: Checkpoint::origin_of(&proof.header.genesis), size, root };
    match proof.check(Trusted { checkpoint: Some(&checkpoint), genesis: None }) {
        Ok(_) => Ok(proof),
        Err(refusal) => {
            Err(Problem::new(StatusCode::BAD_GATEWAY, format!("the chain proves nothing: {refusal}; run cairn verify")))
        }
    }
}

pub(super) fn too_large(why: String) -> Problem {
    Problem::unprovable(format!("{why}, more than this server spends on a proof: make it with cairn prove"))
}

pub(super) fn behind(height: u64, size: u64) -> Problem {
    Problem::bad_request(format!(
        "a checkpoint of {size} blocks ends with height {}, and does not cover height {height}",
        size - 1
    ))
}
