//! A proof, put together from the line of blocks, one block, and the state.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::http::StatusCode;
use topology::Class;
use topology::clock::{Clock, SystemClock};
use topology::log::Log;

use super::history::with_tiles;
use super::line::Line;
use super::standing::Standing;
use super::{Asked, Made, Wanted};
use crate::audit::Anchor;
use crate::audit::prove::{self, Answer, Cover, Options, Question, Unproved};
use crate::chain::{Block, Genesis, Hash, Header, Read, Seal};
use crate::checkpoint::Checkpoint;
use crate::config::key_file;
use crate::http::committed::Committed;
use crate::http::feed::Feed;
use crate::http::lookup::{Found, Reading};
use crate::http::problem::{Problem, Result};
use crate::ledger::state;
use crate::proof::{Claim, History, Proof, Sealed, Trusted};

/// A question may have the line read on for so long; then its answer is that there is more to read.
const READ_ON_MS: i64 = 4_000;
/// The same, while no question waits.
const READ_ON_IDLE_MS: i64 = 500;
/// So long a state serves the proofs that are about its block.
const STANDING_AGE_MAX_MS: i64 = 15_000;
/// So long it serves those that ask for none in particular.
const STANDING_FRESH_MS: i64 = 2_000;

pub(super) struct Making<L: Log> {
    pub(super) log: L,
    pub(super) clock: SystemClock,
    blockchain: String,
    genesis: Genesis,
    committed: Committed,
    pub(super) feed: Arc<Feed>,
    stop: Arc<AtomicBool>,
    pub(super) reading: Reading<L>,
    pub(super) line: Line,
    standing: Option<Standing>,
    pub(super) tiles: VecDeque<(u64, Vec<Hash>)>,
    has_begun: bool,
    /// The proof for which the chain was followed last, with what was asked: the asker may have been told to come again.
    followed: Option<(Followed, Proof)>,
}

/// What is asked, after which height, in the history of how many blocks, and whether with the seal.
type Followed = (Question, u64, u64, bool);

/// A block, and what is claimed of it.
struct Target {
    claim: Claim,
    header: Header,
    seal: Option<Seal>,
}

impl<L: Log> Making<L> {
    pub(super) fn new(
        log: L,
        blockchain: String,
        genesis: Genesis,
        committed: Committed,
        feed: Arc<Feed>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let line = Line::new(&blockchain, genesis.hash());
        let reading = Reading::new(log.clone(), blockchain.clone());
        let (standing, tiles, clock) = (None, VecDeque::new(), SystemClock::new());
        Self {
            log,
            clock,
            blockchain,
            genesis,
            committed,
            feed,
            stop,
            reading,
            line,
            standing,
            tiles,
            has_begun: false,
            followed: None,
        }
    }

    /// Whether there is nothing to do before something is asked.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_behind() && self.standing.is_none()
    }

    /// Whether there is more to read of what was there when something was last asked.
    pub(super) fn is_behind(&self) -> bool {
        self.has_begun && !self.line.is_at_end()
    }

    /// Does what there is to do while no question waits.
    pub(super) fn go_on(&mut self) {
        let now_ms = self.clock.monotonic_ms();
        self.standing = self.standing.take().filter(|standing| now_ms - standing.made_ms < STANDING_AGE_MAX_MS);
        // Where that fails, the next question is told.
        if self.is_behind() && self.read_on(READ_ON_IDLE_MS).is_err() {
            self.has_begun = false;
        }
    }

    pub(super) fn answer(&mut self, asked: &Asked) -> Result<Made> {
        match asked {
            Asked::Proof(wanted) => self.prove(wanted).map(|proof| Made::Proof(proof.to_file())),
            Asked::Checkpoint(size) => {
                self.catch_up()?;
                let size = self.size(*size)?;
                Ok(Made::History { size, root: self.root(size)?, path: Vec::new() })
            }
            Asked::Consistency(old_size, size) => {
                self.catch_up()?;
                let size = self.size(*size)?;
                if *old_size == 0 || *old_size > size {
                    let detail =
                        format!("a history of {size} blocks goes on from one of 1 to {size}, not of {old_size}");
                    return Err(Problem::bad_request(detail));
                }
                let root = self.root(size)?;
                let path =
                    with_tiles(self, |past, tiles| past.consistency(*old_size, size, &mut |number| tiles(number)))?;
                Ok(Made::History { size, root, path })
            }
        }
    }

    // ---- The line of blocks

    fn read_on(&mut self, for_ms: i64) -> Result<bool> {
        self.has_begun = true;
        let until_ms = self.clock.monotonic_ms().saturating_add(for_ms);
        let until = (&self.clock as &dyn Clock, until_ms);
        self.line.read_on(&self.log, &mut self.reading, until, &self.stop).map_err(unread)
    }

    fn catch_up(&mut self) -> Result<()> {
        if self.read_on(READ_ON_MS)? {
            return Ok(());
        }
        let percent = self.line.percent();
        Err(Problem::unavailable(format!(
            "the server reads all blocks once before its first proof, and has read {percent} %: ask again"
        )))
    }

    // ---- A proof

    fn prove(&mut self, wanted: &Wanted) -> Result<Proof> {
        let question = &wanted.question;
        let target = match wanted.block {
            Some(height) => {
                self.catch_up()?;
                self.in_block(question, height)?
            }
            None => {
                // A state that is about to be asked is behind nothing that is read after it.
                self.stand(wanted.at_height.or(wanted.size.map(|size| size.saturating_sub(1))))?;
                self.catch_up()?;
                match self.of_state(wanted)? {
                    Some(target) => target,
                    None => return self.follow(wanted),
                }
            }
        };
        let height = target.header.height;
        let size = self.size(wanted.size)?;
        if height >= size {
            return Err(behind(height, size));
        }
        let sealed = if wanted.with_seal { self.sealed(&target) } else { None };
        let history = self.history(height, size)?;
        let Target { claim, header, .. } = target;
        checked(Proof { claim, header, history, sealed })
    }

    fn sealed(&self, target: &Target) -> Option<Sealed> {
        let is_by_stake = target.seal.as_ref().is_none_or(|seal| seal.stake().is_some());
        let slashes = self.line.slashes(target.header.height).filter(|_| is_by_stake)?;
        Some(Sealed { genesis: self.genesis.clone(), slashes, seal: target.seal.clone() })
    }

    /// What a block says.
    fn in_block(&mut self, question: &Question, height: u64) -> Result<Target> {
        let (answer, header, seal) = match self.block(height)?.read()? {
            Read::Block(block) => {
                let Block { header, seal, .. } = &*block;
                (question.ask(&block), header.clone(), seal.clone())
            }
            Read::Pruned(pruned) if question.needs_body(&pruned.header) => {
                let detail = format!("the body of block {height} was pruned, so what is in it cannot be proved");
                return Err(Problem::new(StatusCode::GONE, detail));
            }
            Read::Pruned(pruned) => (question.ask_header(&pruned.header), pruned.header.clone(), Some(pruned.seal)),
            Read::Foreign => return Err(unread(Line::altered())),
        };
        match answer {
            Answer::Claim(claim) => Ok(Target { claim, header, seal }),
            Answer::None(why) => Err(Problem::not_found(why)),
            Answer::Silent => Err(Problem::not_found(format!("block {height} does not have it"))),
        }
    }

    fn block(&mut self, height: u64) -> Result<Found> {
        let known = self.feed.index().block(height).map(|block| block.offset);
        let found = match known {
            Some(offset) => self.reading.at(offset).map_err(unread)?.filter(|found| found.height == height),
            None => None,
        };
        let found = match found {
            None => self.reading.height(height).map_err(unread)?,
            found => found,
        };
        found.ok_or_else(|| Problem::not_found(format!("there is no block {height}")))
    }

    /// Has the state after a block at hand, if that can be: the last block's, or one that was asked for a moment ago.
    fn stand(&mut self, height: Option<u64>) -> Result<()> {
        let now_ms = self.clock.monotonic_ms();
        let serves = |standing: &Standing| {
            let age_ms = now_ms - standing.made_ms;
            match height {
                Some(height) => standing.tip.height == height && age_ms < STANDING_AGE_MAX_MS,
                None => age_ms < STANDING_FRESH_MS,
            }
        };
        if !self.standing.as_ref().is_some_and(serves) {
            self.standing = None;
            // To make one of a block that is not the last is in vain, and costs a walk over the state.
            // An instance without the state can still follow the chain.
            let last = height.and_then(|_| self.committed.height().ok().flatten());
            if height.is_none_or(|height| last == Some(height)) {
                self.standing = Some(Standing::make(&self.committed, now_ms)?);
            }
        }
        Ok(())
    }

    /// What the state says; `None`: it is not at hand.
    fn of_state(&mut self, wanted: &Wanted) -> Result<Option<Target>> {
        let asked = wanted.at_height.or(wanted.size.map(|size| size.saturating_sub(1)));
        let Some(standing) = self.standing.as_ref() else { return Ok(None) };
        let height = standing.tip.height;
        if asked.is_some_and(|asked| asked != height) {
            return Ok(None);
        }
        if height >= self.line.past.count() {
            return Err(Problem::unavailable(format!("block {height} is not to be read yet: ask again")));
        }
        if let Question::Id { sender, id } = &wanted.question
            && let Some(used) = state::remembered_id(&standing.state, sender, id)?
        {
            let block = self.first_active(used.active_height, height)?;
            return self.in_block(&wanted.question, block).map(Some);
        }
        let claim = wanted.question.ask_state(&standing.state, &standing.tree)?.map_err(Problem::unprovable)?;
        let hash = standing.tip.hash;
        let (header, seal) = match self.block(height)?.read()? {
            Read::Block(block) => (block.header, block.seal),
            Read::Pruned(pruned) => (pruned.header, Some(pruned.seal)),
            Read::Foreign => return Err(unread(Line::altered())),
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
            let header = match self.block(middle)?.read()? {
                Read::Block(block) => block.header,
                Read::Pruned(pruned) => pruned.header,
                Read::Foreign => return Err(unread(Line::altered())),
            };
            if header.active_height < active_height { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// Follows the chain to a height whose state is not at hand, where that does not take long.
    fn follow(&mut self, wanted: &Wanted) -> Result<Proof> {
        let size = self.size(wanted.size)?;
        let height = wanted.at_height.unwrap_or(size - 1);
        if height >= size {
            return Err(behind(height, size));
        }
        if !self.line.may_be_followed(height) {
            return Err(Problem::unprovable(format!(
                "the state after block {height} is not at hand, and the chain is too long to be followed to it here: ask without \
                 at_height for the last block, or use cairn prove"
            )));
        }
        let asked = (wanted.question.clone(), height, size, wanted.with_seal);
        if let Some((_, proof)) = self.followed.as_ref().filter(|(known, _)| *known == asked) {
            return Ok(proof.clone());
        }
        let options = Options {
            blockchain: self.blockchain.clone(),
            anchor: Anchor::Genesis(self.genesis.hash()),
            question: wanted.question.clone(),
            at_height: Some(height),
            cover: Cover::Size(size),
            with_seal: wanted.with_seal,
        };
        let rng = key_file::system_rng().map_err(|error| Problem::unavailable(error.to_string()))?;
        match prove::prove(&self.log, &self.clock, &options, rng, &mut |_| {}).map_err(unread)? {
            Ok(proof) => {
                // One of all ids may be large.
                if !matches!(asked.0, Question::Id { .. }) {
                    self.followed = Some((asked, proof.clone()));
                }
                Ok(proof)
            }
            Err(Unproved::NotThere(why) | Unproved::Beyond(why)) => Err(Problem::not_found(why)),
            Err(broken @ Unproved::Broken(_)) => {
                Err(Problem::new(StatusCode::BAD_GATEWAY, format!("{broken}: run cairn verify")))
            }
        }
    }
}

/// A proof that its reader will take; an error where the chain is broken.
fn checked(proof: Proof) -> Result<Proof> {
    let History { size, root, .. } = proof.history;
    let checkpoint = Checkpoint { origin: Checkpoint::origin_of(&proof.header.genesis), size, root };
    match proof.check(Trusted { checkpoint: Some(&checkpoint), genesis: None }) {
        Ok(_) => Ok(proof),
        Err(refusal) => {
            Err(Problem::new(StatusCode::BAD_GATEWAY, format!("the chain proves nothing: {refusal}; run cairn verify")))
        }
    }
}

fn behind(height: u64, size: u64) -> Problem {
    Problem::bad_request(format!(
        "a checkpoint of {size} blocks ends with height {}, and does not cover height {height}",
        size - 1
    ))
}

pub(super) fn unread(error: topology::Error) -> Problem {
    match error.class() {
        // To ask again would not help.
        Class::Stop => Problem::new(StatusCode::BAD_GATEWAY, format!("{error}: run cairn verify")),
        _ => Problem::unavailable(format!("the blockchain topic cannot be read: {error}")),
    }
}
