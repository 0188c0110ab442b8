//! Records into blocks.
//!
//! ```text
//!   Founding: block 0 is sent ──── committed, and noted on disk ────> Open
//!   Rebuilding: the state is rebuilt from the topic ── committed ───> Open
//!   Passing: records come in another order; a round passes ── committed ──> Open
//!
//!           record             cut by a rule                     sealed
//!   Open ──────────> Open ───────────────────> sealing ─────────────────────> Open
//!    │                                          │    │ ▲
//!    │ too old or too heavy, or the input ends  │    │ └── on a timer
//!    │                       a round passes     │    └───────> Waiting: no quorum; Mining: no proof of work yet
//!    └──────> Deciding <────────────────────────┘
//!                │        the decision is written; input is suspended
//!                └── once the write is committed ──> sealing
//! ```
//!
//! All that is signed is a function of committed state, committed decisions and held input, so whatever happens to a
//! transaction, the retry signs the same bytes.

use std::sync::{Arc, PoisonError};

use rand::SeedableRng;
use rand::rngs::StdRng;
use topology::processor::{self, Context, Processor, Punctuation, Record, Schedule};
use topology::store::{self, KeyValueStore};
use topology::{Class, Error};

use crate::chain::Cut;
use crate::consensus::work::Unproved;
use crate::consensus::{self, Decision, Sealed, Step, Stretch};
use crate::ledger::cut::Placing;

use super::application::{Shared, Status};
use super::chain::{self, Chain, Mining, Opened, Phase, read_decisions};
use super::forward::{Outputs, forward_report};
use super::input::{TRANSACTIONS, at};
use super::intake::Intake;
use super::rebuild::{Look, Rebuild};
use super::view::Tables;
use super::{ledger_error, stop};

/// Between looks at a state that is being rebuilt, ms.
const REBUILD_LOOK_INTERVAL_MS: i64 = 100;

/// Between looks at a search for a proof of work, ms.
const MINING_LOOK_INTERVAL_MS: i64 = 5;

/// Seals records into blocks, in the order in which its input has them.
pub(super) struct Seal {
    shared: Arc<Shared>,
    tables: Tables,
    decisions: KeyValueStore<[u8], [u8]>,
    outputs: Outputs,
    randomness: StdRng,
    stage: Stage,
}

enum Stage {
    /// `init` was not called.
    Created,
    /// Takes no records yet. The intake goes to the chain.
    Rebuilding(Box<Rebuild>, Option<Intake>),
    Sealing(Box<Chain>),
}

type Output<'c> = Context<'c, [u8], [u8]>;

impl Seal {
    pub(super) fn new(
        shared: Arc<Shared>,
        tables: Tables,
        decisions: KeyValueStore<[u8], [u8]>,
        outputs: Outputs,
    ) -> Self {
        let randomness = StdRng::from_seed(shared.entropy);
        Self { shared, tables, decisions, outputs, randomness, stage: Stage::Created }
    }

    fn chain(&mut self) -> processor::Result<&mut Chain> {
        match &mut self.stage {
            Stage::Sealing(chain) => Ok(chain),
            Stage::Created | Stage::Rebuilding(..) => Err(no_chain().into()),
        }
    }

    /// Takes one record into the open block, sealing blocks that it ends. False: no more input for now.
    fn take(&mut self, record: &Record<'_, [u8], [u8]>, context: &mut Output<'_>) -> processor::Result<bool> {
        let partition = context.partition(TRANSACTIONS).partition;
        let now_ms = context.now_ms();
        let Stage::Sealing(chain) = &mut self.stage else { return Err(no_chain().into()) };
        let Some(mut incoming) = chain.intake.read(&self.shared, record, partition)? else { return Ok(true) };
        let origin = incoming.origin();
        loop {
            let chain = self.chain()?;
            let (placing, rest) = chain.open.offer(incoming, record, now_ms);
            if rest.is_none() {
                chain.intake.took(origin);
            }
            let cut = match placing {
                Placing::Keep => match chain.decided_cut() {
                    Some(decided) => (decided.through_offset <= record.offset).then_some(decided.cut),
                    // A function of the log, so a sealer that reads it again decides the same.
                    None if chain.open.is_heavy() => {
                        self.decide_cut(Cut::Age, context)?;
                        return Ok(false);
                    }
                    None => None,
                },
                Placing::CutBefore(cut) | Placing::CutAfter(cut) => Some(cut),
            };
            if let Some(cut) = cut
                && !self.seal(cut, context)?
            {
                return Ok(false);
            }
            match rest {
                Some(again) => incoming = again,
                None => return Ok(true),
            }
        }
    }

    /// Seals the open block. False: not yet; input is suspended behind it.
    fn seal(&mut self, cut: Cut, context: &mut Output<'_>) -> processor::Result<bool> {
        // Nothing of a topic that was deleted and made anew is signed.
        context.vouch_for_input()?;
        let Self { stage: Stage::Sealing(chain), tables, shared, randomness, .. } = self else { return Ok(false) };
        let policy = chain.replica.parameters().signatures;
        let signatures = chain.open.check_signatures(policy, &shared.genesis_hash, randomness);
        let step = {
            let mut sealer = shared.sealer.lock().unwrap_or_else(PoisonError::into_inner);
            let stretch = Stretch { entries: chain.open.entries_mut(), signatures: &signatures, cut };
            sealer.seal(tables, &chain.replica, stretch, &chain.decided).map_err(sealer_error)?
        };
        match step {
            Step::Sealed(sealed) => {
                self.finish(*sealed, context)?;
                Ok(true)
            }
            Step::NeedDecision(decision) => {
                self.decide(decision, cut, context)?;
                Ok(false)
            }
            Step::Waiting { have, need, .. } => {
                chain.phase = Phase::Waiting(cut);
                chain.suspend(context);
                shared.set_status(|status| status.waiting_for_quorum = Some((have, need)));
                Ok(false)
            }
            Step::Unproved(unproved) => self.mine(unproved, context),
        }
    }

    /// Begins to look for a block's proof of work; input is suspended behind it until there is one. True: it was found
    /// at once.
    fn mine(&mut self, unproved: Box<Unproved>, context: &mut Output<'_>) -> processor::Result<bool> {
        let puzzle = unproved.puzzle();
        let search = self.shared.miners.search(puzzle)?;
        if let Some(proof) = search.found() {
            self.prove(*unproved, proof, context)?;
            return Ok(true);
        }
        let looks = context.schedule(Schedule::WallClock { interval_ms: MINING_LOOK_INTERVAL_MS });
        let chain = self.chain()?;
        tracing::debug!(height = chain.replica.tip().height + 1, difficulty = puzzle.difficulty(), "mining");
        chain.phase = Phase::Mining;
        chain.mining = Some(Mining { unproved, search, looks });
        chain.suspend(context);
        self.shared.set_status(|status| status.mining = Some(puzzle.difficulty()));
        Ok(false)
    }

    /// Looks whether the proof was found; then the block is sealed, and input is taken again.
    fn look_for_proof(&mut self, context: &mut Output<'_>) -> processor::Result {
        let chain = self.chain()?;
        let Some(proof) = chain.mining.as_ref().and_then(|mining| mining.search.found()) else { return Ok(()) };
        // Mining took a while, in which the topic may have been made anew.
        context.vouch_for_input()?;
        let Some(Mining { unproved, looks, .. }) = chain.mining.take() else { return Ok(()) };
        context.cancel(looks);
        self.prove(*unproved, proof, context)?;
        context.resume();
        Ok(())
    }

    /// The proof is found: the block is sealed.
    fn prove(&mut self, unproved: Unproved, proof: u64, context: &mut Output<'_>) -> processor::Result {
        let entries = std::mem::take(self.chain()?.open.entries_mut());
        let sealed = unproved.complete(proof, entries);
        self.finish(sealed.ok_or_else(|| Error::stop("a proof of work was found that does not hold"))?, context)
    }

    /// A block is sealed: state, block, evidence, dead letters and the end of its decisions, all in one transaction.
    fn finish(&mut self, sealed: Sealed, context: &mut Output<'_>) -> processor::Result {
        let Sealed { block, executed, next_seed, reports } = sealed;
        let Self { stage: Stage::Sealing(chain), decisions, outputs, tables, .. } = self else { return Ok(()) };
        let last_offset = chain.open.last_offset().unwrap_or(-1);
        context.caused_by(at(last_offset));
        let changes = chain.replica.advance(executed, next_seed).map_err(|error| stop(&error))?;
        tables.write(&changes)?;
        for decision in chain.decided.drain(..) {
            decisions.delete(&&decision.key()[..])?;
        }
        chain.open.close(|letter| context.dead_letter(letter));
        chain.phase = Phase::Open;
        context.hold_from(None);
        for report in &reports {
            forward_report(&outputs.evidence, context, report, last_offset, block.header.time_ms)?;
        }
        outputs.forward_block(context, chain.classic.as_mut(), &block, last_offset)?;
        let (height, cut) = (block.header.height, block.header.cut);
        tracing::debug!(height, %cut, records = block.entries.len(), round = block.header.round(), "sealed");
        self.shared.set_status(|status| *status = Status { height: Some(height), ..Status::default() });
        Ok(())
    }

    /// Writes a decision; no validator signs before it is committed.
    fn decide(&mut self, decision: Decision, cut: Cut, context: &mut Output<'_>) -> processor::Result {
        // No record causes it: it must survive even though all input of the block is still held.
        context.caused_by(None);
        self.decisions.put(&&decision.key()[..], &&decision.value()[..])?;
        let chain = self.chain()?;
        chain.phase = Phase::Deciding(cut);
        chain.suspend(context);
        context.request_commit();
        Ok(())
    }

    /// Decides that the open block ends with the last record held, whatever the rules say.
    fn decide_cut(&mut self, cut: Cut, context: &mut Output<'_>) -> processor::Result {
        let chain = self.chain()?;
        let Some(through_offset) = chain.open.last_offset().filter(|_| chain.phase == Phase::Open) else {
            return Ok(());
        };
        if let Some(decided) = chain.decided_cut() {
            // After a restart. All that there was is read, and the record is not there that a forger has the block end
            // with.
            return self.resume(decided.cut, context);
        }
        let height = chain.replica.tip().height + 1;
        self.decide(Decision::Cut { height, cut, through_offset }, cut, context)
    }

    /// Looks how far a state is rebuilt, and writes what there is to write. At its end input is taken.
    fn look_at_rebuild(&mut self, context: &mut Output<'_>) -> processor::Result {
        let Stage::Rebuilding(rebuild, intake) = &mut self.stage else { return Ok(()) };
        let progress = rebuild.progress();
        self.shared.set_status(|status| status.rebuilding = Some(progress));
        match rebuild.look(&self.tables)? {
            Look::Reading => Ok(()),
            Look::Write(changes) => {
                // No record causes it.
                context.caused_by(None);
                self.tables.write(&changes)?;
                context.request_commit();
                Ok(())
            }
            Look::Done(replica) => {
                let intake = intake.take().ok_or_else(|| Error::stop("a rebuilt state was taken twice"))?;
                let height = replica.tip().height;
                let chain = Chain::go_on(&self.shared, *replica, &self.decisions, intake, context)?;
                self.stage = Stage::Sealing(Box::new(chain));
                self.shared.set_status(|status| status.rebuilding = None);
                tracing::info!(height, "the state is rebuilt");
                if self.chain()?.phase == Phase::Open {
                    context.resume();
                }
                Ok(())
            }
        }
    }

    /// Block 0 is committed: once that is on disk, input is taken.
    fn founded(&mut self, context: &mut Output<'_>) -> processor::Result {
        self.shared.note_founded()?;
        self.chain()?.phase = Phase::Open;
        context.resume();
        Ok(())
    }

    /// Tries again to seal what could not be sealed; takes input again if that works.
    fn resume(&mut self, cut: Cut, context: &mut Output<'_>) -> processor::Result {
        if self.seal(cut, context)? {
            context.resume();
        }
        Ok(())
    }
}

impl Drop for Seal {
    fn drop(&mut self) {
        if let Stage::Sealing(chain) = std::mem::replace(&mut self.stage, Stage::Created) {
            *self.shared.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(chain.replica);
        }
        // The task may go to another instance, which seals on.
        self.shared.set_status(|status| *status = Status::default());
    }
}

impl Processor for Seal {
    type Key = [u8];
    type Value = [u8];
    type KeyOut = [u8];
    type ValueOut = [u8];

    fn init(&mut self, context: &mut Output<'_>) -> processor::Result {
        let opened = chain::open(&self.shared, &self.tables, &self.decisions, &self.outputs, context)?;
        let age_ms = i64::try_from(self.shared.genesis.parameters.block_max_age_ms).unwrap_or(i64::MAX);
        let mut interval_ms = (age_ms / 10).clamp(5, 1_000);
        self.stage = match opened {
            Opened::Chain(chain) => Stage::Sealing(chain),
            Opened::Rebuild(rebuild, intake) => {
                interval_ms = interval_ms.min(REBUILD_LOOK_INTERVAL_MS);
                Stage::Rebuilding(rebuild, Some(intake))
            }
        };
        context.schedule(Schedule::WallClock { interval_ms });
        Ok(())
    }

    fn process(&mut self, record: &Record<'_, [u8], [u8]>, context: &mut Output<'_>) -> processor::Result {
        self.process_batch(std::slice::from_ref(record), context)
    }

    fn process_batch(&mut self, records: &[Record<'_, [u8], [u8]>], context: &mut Output<'_>) -> processor::Result {
        for record in records {
            if !self.take(record, context)? {
                return Ok(());
            }
        }
        let chain = self.chain()?;
        context.hold_from(chain.open.first_offset().map(at));
        Ok(())
    }

    fn punctuate(&mut self, _punctuation: Punctuation, context: &mut Output<'_>) -> processor::Result {
        if let Stage::Rebuilding(rebuild, _) = &self.stage {
            // A write is looked at when it is committed, and not before.
            return if rebuild.is_reading() { self.look_at_rebuild(context) } else { Ok(()) };
        }
        let age_max_ms = i64::try_from(self.shared.genesis.parameters.block_max_age_ms).unwrap_or(i64::MAX);
        let now_ms = context.now_ms();
        // A predecessor may have signed a block that the rules cut further on. Its signature counts whatever became of
        // its transaction, so nothing is cut by age until all that it can have read was seen.
        let has_read_all = context.next_position(TRANSACTIONS) >= context.end_position(TRANSACTIONS);
        let chain = self.chain()?;
        let age_ms = chain.open.age_ms(now_ms);
        match chain.phase {
            Phase::Open if age_ms >= age_max_ms && has_read_all => self.decide_cut(Cut::Age, context),
            Phase::Waiting(cut) => self.resume(cut, context),
            Phase::Mining => self.look_for_proof(context),
            Phase::Founding | Phase::Open | Phase::Deciding(_) | Phase::Passing => Ok(()),
        }
    }

    fn committed(&mut self, context: &mut Output<'_>) -> processor::Result {
        if let Stage::Rebuilding(..) = self.stage {
            return self.look_at_rebuild(context);
        }
        let chain = self.chain()?;
        let cut = match chain.phase {
            Phase::Founding => return self.founded(context),
            Phase::Deciding(cut) => Some(cut),
            Phase::Passing => None,
            Phase::Open | Phase::Waiting(_) | Phase::Mining => return Ok(()),
        };
        let (height, validator_count) = (chain.replica.tip().height + 1, chain.replica.members().len());
        let decided = read_decisions(&self.decisions, height, validator_count)?;
        let chain = self.chain()?;
        chain.decided = decided;
        chain.phase = Phase::Open;
        match cut {
            Some(cut) => self.resume(cut, context),
            None => {
                context.resume();
                Ok(())
            }
        }
    }

    fn end_of_input(&mut self, context: &mut Output<'_>) -> processor::Result {
        match self.stage {
            Stage::Sealing(_) => self.decide_cut(Cut::End, context),
            // The input goes on once the state is rebuilt.
            Stage::Created | Stage::Rebuilding(..) => Ok(()),
        }
    }
}

fn no_chain() -> Error {
    Error::stop("the sealer was given records before it had a chain")
}

fn sealer_error(error: consensus::Error<store::Error>) -> Error {
    match error {
        consensus::Error::Ledger(error) => ledger_error(error),
        other => Error::new(Class::Stop, other.to_string()),
    }
}
