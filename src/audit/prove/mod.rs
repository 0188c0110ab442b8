//! A proof of one thing, made from the blocks of a topic.
//!
//! ```text
//! question     what is asked, and what a block or a state says to it                                pure
//! trace        what is kept of the blocks as they pass                                              pure
//!
//! in a block (a record, an id that was used, the block)     blocks are read and linked, none is executed
//! in the state (a balance, a validator, an id not used)     followed to the height, as `verify` does; linked behind it
//! ```
//! *Linked* means: each block agrees with itself, and names hash and history of the ones before. Only the block that
//! the proof is about has its seal checked: the proof goes through the check that its reader makes before it is handed
//! out.

mod question;
mod trace;

use std::ops::ControlFlow;

use rand::CryptoRng;
use topology::clock::Clock;
use topology::log::{Isolation, Log, Start};
use topology::{Error, Result};

use super::breach::Halt;
use super::record::{self, Found};
use super::walk::{Route, Walk};
use super::{Anchor, Broken, Reason};
use crate::chain::Read;
use crate::checkpoint::Checkpoint;
use crate::proof::{Part, Proof, Refusal, Trusted};
use crate::reader::{Extent, Reader};
pub(crate) use question::Answer;
pub use question::Question;
use trace::Trace;

/// The reader's name in the brokers' logs.
const CLIENT_ID: &str = "cairn-prove";

/// What to prove, of which chain.
#[derive(Clone, Debug)]
pub struct Options {
    /// The blockchain topic.
    pub blockchain: String,
    /// What the chain must begin with.
    pub anchor: Anchor,
    /// What is asked.
    pub question: Question,
    /// After which block; `None`: the last one that the proof's history has.
    pub at_height: Option<u64>,
    /// The history that the proof leads to.
    pub cover: Cover,
    /// Whether the seal goes into the proof, and the genesis with it.
    pub with_seal: bool,
    /// The most bytes that all ids may take which show that one was not used.
    pub size_bytes_max: usize,
}

/// The history that a proof leads to: what its reader's checkpoint covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cover {
    /// All blocks there are.
    Tip,
    /// So many blocks, from block 0.
    Size(u64),
    /// The blocks of this checkpoint.
    Checkpoint(Checkpoint),
}

impl Cover {
    fn size(&self) -> Option<u64> {
        match self {
            Cover::Tip => None,
            Cover::Size(size) => Some(*size),
            Cover::Checkpoint(checkpoint) => Some(checkpoint.size),
        }
    }
}

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproved {
    /// The chain is broken.
    #[error("the chain is broken at {0}")]
    Broken(Broken),
    /// What was asked for is not on this chain.
    #[error("{0}")]
    NotThere(String),
    /// The chain does not have the blocks that were asked for.
    #[error("{0}")]
    Beyond(String),
    /// It would take more than a proof may.
    #[error("{0}")]
    Large(String),
}

/// Makes a proof. The outer error: it could not be done. The inner one: there is none. `progress` is told every height
/// that passes.
pub fn prove<L: Log>(
    log: &L,
    clock: &dyn Clock,
    options: &Options,
    randomness: impl CryptoRng + Send,
    progress: &mut dyn FnMut(u64),
) -> Result<std::result::Result<Proof, Unproved>> {
    let reader = Reader::new(log, clock, CLIENT_ID);
    let partition = reader.chain_partition(&options.blockchain)?;
    let extent = reader.extent(&partition, Start::Beginning, Isolation::ReadUncommitted)?;
    let prover = Prover { log, clock, options, extent };
    match prover.run(randomness, progress) {
        Ok(proof) => Ok(Ok(proof)),
        Err(End::Unproved(unproved)) => Ok(Err(unproved)),
        Err(End::Halt(Halt::Broken(broken))) => Ok(Err(Unproved::Broken(broken))),
        Err(End::Halt(Halt::Undone(error))) => Err(error),
    }
}

/// Why a prover stops before it has a proof.
enum End {
    Halt(Halt),
    Unproved(Unproved),
}

impl From<Halt> for End {
    fn from(halt: Halt) -> Self {
        End::Halt(halt)
    }
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        End::Halt(broken.into())
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        End::Halt(error.into())
    }
}

impl From<Unproved> for End {
    fn from(unproved: Unproved) -> Self {
        End::Unproved(unproved)
    }
}

struct Prover<'p, L> {
    log: &'p L,
    clock: &'p dyn Clock,
    options: &'p Options,
    /// The topic, as it is now.
    extent: Extent,
}

impl<L: Log> Prover<'_, L> {
    fn run(&self, randomness: impl CryptoRng + Send, progress: &mut dyn FnMut(u64)) -> std::result::Result<Proof, End> {
        let height = self.height()?;
        let question = &self.options.question;
        let mut trace = Trace::default();
        if question.is_of_a_block() {
            let is_asked = |of_block: u64| height.is_none_or(|last| of_block <= last);
            self.link(&mut trace, self.extent.clone(), &is_asked, progress)?;
        }
        if !trace.is_marked() {
            if question.is_answered_once() {
                return Err(not_sealed(question, &trace).into());
            }
            trace = self.follow(height, randomness, progress)?;
        }
        self.check_covered(&trace)?;
        if let Some(height) = self.options.at_height.filter(|height| *height >= trace.next_height()) {
            return Err(beyond(height, &trace).into());
        }
        let proof = trace.into_proof(self.options.with_seal)?;
        self.check(&proof)?;
        Ok(proof)
    }

    /// Whether all blocks of the history have passed.
    fn check_covered(&self, trace: &Trace) -> std::result::Result<(), Unproved> {
        match (trace.next_height(), self.options.cover.size()) {
            (passed, Some(wanted)) if passed < wanted => Err(Unproved::Beyond(format!(
                "the chain has {passed} blocks, fewer than the {wanted} of the checkpoint: is this the log that it was taken from?"
            ))),
            _ => Ok(()),
        }
    }

    /// The height that is asked for, if one is given by whatever way; it is one that the history has.
    fn height(&self) -> std::result::Result<Option<u64>, Unproved> {
        let Options { question, at_height, cover, .. } = self.options;
        let asked = match question {
            Question::Block { height } => Some(*height),
            _ => *at_height,
        };
        match (asked, cover.size()) {
            (_, Some(0)) => Err(Unproved::Beyond("a checkpoint of no blocks covers nothing".to_owned())),
            (Some(height), Some(size)) if height >= size => Err(Unproved::Beyond(format!(
                "a checkpoint of {size} blocks ends with height {}, and does not cover height {height}",
                size - 1
            ))),
            (None, Some(size)) => Ok(Some(size - 1)),
            (asked, _) => Ok(asked),
        }
    }

    /// Follows the chain to a height or to its end, as the rules have it, and asks the state there; links the blocks
    /// behind.
    fn follow(
        &self,
        to_height: Option<u64>,
        randomness: impl CryptoRng + Send,
        progress: &mut dyn FnMut(u64),
    ) -> std::result::Result<Trace, End> {
        let mut trace = Trace::default();
        let anchor = self.options.anchor;
        let walked = std::thread::scope(|scope| {
            let route = Route { client_id: CLIENT_ID, extent: self.extent.clone(), anchor, to_height, randomness };
            let mut walk = Walk::start(scope, (self.log, self.clock), route)?;
            let mut passed = Ok(());
            while let (Ok(()), Some(block)) = (&passed, walk.next()) {
                passed = trace.pass(&block, anchor);
                progress(block.header.height);
            }
            let mut walked = walk.end()?;
            if walked.conclude(passed)?.is_none() {
                return Err(Halt::Broken(Broken::new(0, Reason::Height, "the topic holds no block")));
            }
            Ok((walked.behind(), walked.into_parts()))
        });
        let (behind, parts) = walked?;
        let (Some(behind), Some((state, replica))) = (behind, parts) else {
            return Err(Error::stop("there is a last block and no state after it").into());
        };
        if let Some(height) = to_height.filter(|height| *height >= trace.next_height()) {
            // Where the question has no height, it is the history's.
            self.options.at_height.map_or_else(|| self.check_covered(&trace), |_| Ok(()))?;
            return Err(beyond(height, &trace).into());
        }
        let asked = self.options.question.ask_state(&state, replica.tree(), self.options.size_bytes_max);
        trace.mark(asked.map_err(|error| Error::stop(error.to_string()))?.map_err(Unproved::Large)?);
        // The state may be large, and is not needed any more.
        drop((state, replica));
        self.link(&mut trace, Extent { first: behind, ..self.extent.clone() }, &|_| false, progress)?;
        Ok(trace)
    }

    /// Links the blocks of a stretch to those that have passed, and asks those that are to be asked, until the history
    /// is full.
    fn link(
        &self,
        trace: &mut Trace,
        extent: Extent,
        is_asked: &dyn Fn(u64) -> bool,
        progress: &mut dyn FnMut(u64),
    ) -> std::result::Result<(), End> {
        let size = self.options.cover.size();
        std::thread::scope(|scope| {
            let mut reading = record::read_topic(scope, (self.log, self.clock), CLIENT_ID, extent)?;
            while size.is_none_or(|size| trace.next_height() < size) {
                let Some(found) = reading.next()? else { break };
                if self.link_one(trace, found, is_asked, progress)?.is_break() {
                    break;
                }
            }
            Ok::<(), End>(())
        })?;
        if trace.next_height() == 0 {
            return Err(Broken::new(0, Reason::Height, "the topic holds no block").into());
        }
        Ok(())
    }

    /// Breaks off where it is known that nothing can be proved by a block, and the state has to be asked.
    fn link_one(
        &self,
        trace: &mut Trace,
        Found { offset, read, .. }: Found,
        is_asked: &dyn Fn(u64) -> bool,
        progress: &mut dyn FnMut(u64),
    ) -> std::result::Result<ControlFlow<()>, End> {
        let question = &self.options.question;
        let asks = |trace: &Trace, height| is_asked(height) && !(question.is_answered_once() && trace.is_marked());
        let answer = match read.map_err(|error| record::judge(offset, error, trace.next_height()))? {
            Read::Foreign => return Ok(ControlFlow::Continue(())),
            Read::Block(block) => {
                trace.pass(&block, self.options.anchor)?;
                if asks(trace, block.header.height) { question.ask(&block) } else { Answer::Silent }
            }
            Read::Pruned(pruned) => {
                trace.pass_pruned(&pruned)?;
                let height = pruned.header.height;
                match asks(trace, height) {
                    true if question.needs_body(&pruned.header) => return Err(without_body(height).into()),
                    true => question.ask_header(&pruned.header),
                    false => Answer::Silent,
                }
            }
        };
        match answer {
            Answer::Claim(claim) => trace.mark(claim),
            Answer::None(why) => return Err(Unproved::NotThere(why).into()),
            Answer::Silent => {}
        }
        let height = trace.next_height().saturating_sub(1);
        progress(height);
        let is_over = !trace.is_marked() && !is_asked(trace.next_height());
        Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Checks the proof as its reader will.
    fn check(&self, proof: &Proof) -> std::result::Result<(), End> {
        let own = Checkpoint {
            origin: Checkpoint::origin_of(&proof.header.genesis),
            size: proof.history.size,
            root: proof.history.root,
        };
        let checkpoint = match &self.options.cover {
            Cover::Checkpoint(given) => given,
            Cover::Tip | Cover::Size(_) => &own,
        };
        let height = proof.header.height;
        let (part, detail) = match proof.check(Trusted { checkpoint: Some(checkpoint), genesis: None }) {
            Ok(_) => return Ok(()),
            Err(Refusal::Wrong { part, detail }) => (part, detail),
            Err(other) => return Err(Error::stop(other.to_string()).into()),
        };
        Err(match part {
            Part::Checkpoint => Unproved::NotThere(detail).into(),
            Part::Seal => Broken::new(height, Reason::Seal, detail).into(),
            _ => Broken::new(height, Reason::Form, detail).into(),
        })
    }
}

fn without_body(height: u64) -> Halt {
    let what = format!("the body of block {height} was pruned, so what is in it cannot be proved");
    Halt::Undone(Error::stop(format!("{what}: give a topic with whole blocks as --blockchain")))
}

fn beyond(height: u64, trace: &Trace) -> Unproved {
    let tip = trace.next_height().saturating_sub(1);
    Unproved::Beyond(format!("the chain ends at height {tip}: prove something of that one or less, not of {height}"))
}

/// No block has what was asked for.
fn not_sealed(question: &Question, trace: &Trace) -> Unproved {
    let tip = trace.next_height().saturating_sub(1);
    match question {
        Question::Transaction { partition, offset } => Unproved::NotThere(format!(
            "no block up to height {tip} has the record at offset {offset} of partition {partition}: it is not sealed yet, or not there"
        )),
        Question::Block { height } => beyond(*height, trace),
        _ => Unproved::NotThere(format!("no block up to height {tip} has it")),
    }
}
