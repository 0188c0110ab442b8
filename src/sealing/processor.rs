//! Records into blocks.
//!
//! ```text
//!           record             cut by a rule                     sealed
//!   Open ──────────> Open ───────────────────> sealing ─────────────────────> Open
//!    │                                          │    │ ▲
//!    │ too old, or the input ends               │    │ └── on a timer
//!    │                       a round passes     │    └───────> Waiting: no quorum
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
use topology::codec::Bytes;
use topology::log::Headers;
use topology::processor::{Context, Port, Processor, Punctuation, Record, Schedule};
use topology::store::{self, Direction, KeyValueStore};
use topology::{Class, Error};

use crate::chain::{Cut, Rendering};
use crate::consensus::decision::Decision;
use crate::consensus::report::Report;
use crate::consensus::sealer::{self, Sealed, Step, Stretch};
use crate::ledger::cut::{Cutter, Verdict};
use crate::ledger::state::{self, Table, Tip, View};
use crate::ledger::{self, Tree};

use super::application::Shared;
use super::covered::{Covered, Passing};
use super::open_block::{DecidedCut, Incoming, OpenBlock};
use super::view::Tables;

/// Seals the records of one partition into blocks.
pub(super) struct Seal {
    shared: Arc<Shared>,
    tables: Tables,
    decisions: KeyValueStore<Bytes, Bytes>,
    evidence: Port<Bytes, Bytes>,
    randomness: StdRng,
    /// `None` before `init`.
    chain: Option<Chain>,
}

/// Where the chain is, derived from the stores.
struct Chain {
    tip: Tip,
    tree: Tree,
    open: OpenBlock,
    /// Committed decisions about the next height.
    decided: Vec<Decision>,
    phase: Phase,
    covered: Option<Covered>,
    /// How far input that is in blocks already is being passed over.
    passing: Passing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Takes records.
    Open,
    /// The open block is cut, for this reason, and a decision about it was written and is not committed yet.
    Deciding(Cut),
    /// The open block is cut, and not enough stake signs it.
    Waiting(Cut),
}

type Output<'c> = Context<'c, Bytes, Bytes>;

impl Seal {
    pub(super) fn new(
        shared: Arc<Shared>,
        tables: Tables,
        decisions: KeyValueStore<Bytes, Bytes>,
        evidence: Port<Bytes, Bytes>,
    ) -> topology::Result<Self> {
        let randomness = StdRng::from_seed(shared.entropy);
        Ok(Self { shared, tables, decisions, evidence, randomness, chain: None })
    }

    fn chain(&mut self) -> topology::Result<&mut Chain> {
        self.chain.as_mut().ok_or_else(|| Error::stop("the sealer was given records before it was initialised"))
    }

    /// Continues the chain in the stores, or begins it.
    fn open_chain(&mut self, context: &mut Output<'_>) -> topology::Result<Chain> {
        let has_state = self.tables.get(Table::Tip, b"tip", &mut Vec::new())?;
        let topic_tip = match &self.shared.topic_tip {
            Some(read) => Some(read()?),
            None => None,
        };
        let (tip, tree) = if has_state {
            let tip = state::tip(&self.tables).map_err(ledger_error)?;
            state::audit_supply(&self.tables).map_err(ledger_error)?;
            (tip, state::build_tree(&self.tables).map_err(ledger_error)?)
        } else {
            self.begin_chain(context, topic_tip.flatten().is_some())?
        };
        if let Some(topic_tip) = topic_tip
            && has_state
            && topic_tip != Some((tip.height, tip.hash))
        {
            return Err(other_tip(&tip, topic_tip.map(|(height, hash)| format!("{height} ({hash})"))));
        }
        let cutter = Cutter::new(&self.shared.genesis.parameters, tip.time_ms);
        let decided = self.read_decisions(tip.height + 1)?;
        self.set_status(|status| status.height = Some(tip.height));
        let covered = Covered::read(&self.tables, context.partition().partition)?;
        let open = OpenBlock::new(cutter);
        Ok(Chain { tip, tree, open, decided, phase: Phase::Open, covered, passing: Passing::default() })
    }

    /// Writes the state after genesis, and block 0.
    fn begin_chain(&mut self, context: &mut Output<'_>, topic_has_blocks: bool) -> topology::Result<(Tip, Tree)> {
        if topic_has_blocks {
            return Err(Error::stop(
                "the blockchain topic already holds a chain, but this application has no state of it: start with the \
                 application id that made it, or write to another topic",
            ));
        }
        let genesis = &self.shared.genesis;
        let seed = genesis.block(crate::chain::Hash::ZERO).header.seed;
        let mut changes = state::genesis(genesis, seed);
        let mut tree = Tree::new();
        let update = tree.update(changes.to_tree()).map_err(|error| stop(&error))?;
        let block = genesis.block(update.root());
        tree.commit(update).map_err(|error| stop(&error))?;
        let tip = sealer::genesis_tip(&block);
        changes.put_tip(&tip);
        self.tables.write(&changes)?;
        forward_block(context, &block, -1, genesis.created_ms)?;
        tracing::info!(chain = genesis.chain_id, genesis = %self.shared.genesis_hash, "a new chain begins");
        Ok((tip, tree))
    }

    fn read_decisions(&self, height: u64) -> topology::Result<Vec<Decision>> {
        let mut found = Vec::new();
        let mut unreadable = false;
        self.decisions.prefix(&Decision::key_prefix(height), Direction::Forward, |_, value| {
            match Decision::from_value(value) {
                Some(decision) => found.push(decision),
                None => unreadable = true,
            }
            std::ops::ControlFlow::Continue(())
        })?;
        match unreadable {
            false => Ok(found),
            true => Err(Error::stop(format!(
                "the decisions store holds one about height {height} that this version cannot read: run the version that wrote it"
            ))),
        }
    }

    /// Takes one record into the open block, sealing blocks that it ends. False: no more input for now.
    fn take(&mut self, record: &Record<'_, Bytes, Bytes>, context: &mut Output<'_>) -> topology::Result<bool> {
        let partition = context.partition().partition;
        let now_ms = context.now_ms();
        let chain = self.chain()?;
        if chain.passing.passes(chain.covered.as_ref(), record)? {
            return Ok(true);
        }
        let mut incoming = Incoming::read(record, partition);
        loop {
            let chain = self.chain()?;
            let (verdict, rest) = chain.open.offer(incoming, record, now_ms);
            let cut = match verdict {
                Verdict::Keep => {
                    chain.decided_cut().filter(|cut| cut.through_offset <= record.offset).map(|cut| cut.cut)
                }
                Verdict::CutBefore(cut) | Verdict::CutAfter(cut) => Some(cut),
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
    fn seal(&mut self, cut: Cut, context: &mut Output<'_>) -> topology::Result<bool> {
        let Self { chain: Some(chain), tables, shared, randomness, .. } = self else { return Ok(false) };
        let signatures = chain.open.check_signatures(&shared.genesis, randomness);
        let step = {
            let mut sealer = shared.sealer.lock().unwrap_or_else(PoisonError::into_inner);
            let stretch = Stretch { entries: chain.open.entries_mut(), signatures: &signatures, cut };
            sealer.seal(tables, &chain.tree, stretch, &chain.decided).map_err(sealer_error)?
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
            Step::Waiting { height, round, have, need } => {
                if chain.phase != Phase::Waiting(cut) {
                    tracing::warn!(height, round, "waiting for quorum ({have}/{need})");
                }
                chain.phase = Phase::Waiting(cut);
                suspend(chain, context);
                self.set_status(|status| status.waiting_for_quorum = Some((have, need)));
                Ok(false)
            }
        }
    }

    /// A block is sealed: state, block, evidence, dead letters and the end of its decisions, all in one transaction.
    fn finish(&mut self, sealed: Sealed, context: &mut Output<'_>) -> topology::Result<()> {
        let Sealed { block, changes, update, reports } = sealed;
        let last_offset = block.entries.last().map_or(-1, |entry| entry.origin.offset);
        context.caused_by(last_offset);
        self.tables.write(&changes)?;
        let Self { chain: Some(chain), decisions, evidence, tables, .. } = self else { return Ok(()) };
        for decision in chain.decided.drain(..) {
            decisions.delete(&&decision.key()[..])?;
        }
        chain.tree.commit(update).map_err(|error| stop(&error))?;
        chain.tip = state::tip(tables).map_err(ledger_error)?;
        if let Some(last) = block.entries.last() {
            let covered = Covered::of(last);
            covered.write(tables, last.origin.partition)?;
            chain.covered = Some(covered);
        }
        chain.open.close(|letter| context.dead_letter(letter));
        chain.phase = Phase::Open;
        context.hold_from(None);
        for report in &reports {
            forward_report(evidence, context, report, last_offset, block.header.time_ms)?;
        }
        forward_block(context, &block, last_offset, block.header.time_ms)?;
        let (height, cut) = (block.header.height, block.header.cut);
        tracing::debug!(height, %cut, records = block.entries.len(), round = block.header.round, "sealed");
        self.set_status(|status| *status = super::Status { height: Some(height), waiting_for_quorum: None });
        Ok(())
    }

    /// Writes a decision; nobody signs before it is committed.
    fn decide(&mut self, decision: Decision, cut: Cut, context: &mut Output<'_>) -> topology::Result<()> {
        // No record causes it: it must survive even though all input of the block is still held.
        context.caused_by(-1);
        self.decisions.put(&&decision.key()[..], &&decision.value()[..])?;
        let chain = self.chain()?;
        chain.phase = Phase::Deciding(cut);
        suspend(chain, context);
        context.request_commit();
        Ok(())
    }

    /// Decides that the open block ends with the last record held, whatever the rules say.
    fn decide_cut(&mut self, cut: Cut, context: &mut Output<'_>) -> topology::Result<()> {
        let chain = self.chain()?;
        let Some(through_offset) = chain.open.last_offset().filter(|_| chain.phase == Phase::Open) else {
            return Ok(());
        };
        if chain.decided_cut().is_some() {
            // After a restart: the records that it names are still on their way.
            return Ok(());
        }
        let height = chain.tip.height + 1;
        self.decide(Decision::Cut { height, cut, through_offset }, cut, context)
    }

    /// Tries again to seal what could not be sealed; takes input again if that works.
    fn resume(&mut self, cut: Cut, context: &mut Output<'_>) -> topology::Result<()> {
        if self.seal(cut, context)? {
            context.resume();
        }
        Ok(())
    }

    fn set_status(&self, change: impl FnOnce(&mut super::Status)) {
        change(&mut self.shared.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Chain {
    fn decided_cut(&self) -> Option<DecidedCut> {
        self.decided.iter().find_map(|decision| match decision {
            Decision::Cut { cut, through_offset, .. } => {
                Some(DecidedCut { cut: *cut, through_offset: *through_offset })
            }
            Decision::RoundPassed { .. } => None,
        })
    }
}

impl Processor for Seal {
    type Key = Bytes;
    type Value = Bytes;
    type KeyOut = Bytes;
    type ValueOut = Bytes;

    fn init(&mut self, context: &mut Output<'_>) -> topology::Result<()> {
        let chain = self.open_chain(context)?;
        self.chain = Some(chain);
        let age_ms = i64::try_from(self.shared.genesis.parameters.block_max_age_ms).unwrap_or(i64::MAX);
        if age_ms > 0 {
            context.schedule(Schedule::WallClock { interval_ms: (age_ms / 10).clamp(5, 1_000) });
        }
        Ok(())
    }

    fn process(&mut self, record: &Record<'_, Bytes, Bytes>, context: &mut Output<'_>) -> topology::Result<()> {
        self.process_batch(std::slice::from_ref(record), context)
    }

    fn process_batch(
        &mut self,
        records: &[Record<'_, Bytes, Bytes>],
        context: &mut Output<'_>,
    ) -> topology::Result<()> {
        for record in records {
            if !self.take(record, context)? {
                return Ok(());
            }
        }
        let chain = self.chain()?;
        context.hold_from(chain.open.first_offset());
        Ok(())
    }

    fn punctuate(&mut self, _punctuation: Punctuation, context: &mut Output<'_>) -> topology::Result<()> {
        let age_max_ms = i64::try_from(self.shared.genesis.parameters.block_max_age_ms).unwrap_or(i64::MAX);
        let now_ms = context.now_ms();
        let chain = self.chain()?;
        match chain.phase {
            Phase::Open if chain.open.age_ms(now_ms) >= age_max_ms => self.decide_cut(Cut::Age, context),
            Phase::Waiting(cut) => self.resume(cut, context),
            Phase::Open | Phase::Deciding(_) => Ok(()),
        }
    }

    fn committed(&mut self, context: &mut Output<'_>) -> topology::Result<()> {
        let chain = self.chain()?;
        let Phase::Deciding(cut) = chain.phase else { return Ok(()) };
        let height = chain.tip.height + 1;
        let decided = self.read_decisions(height)?;
        let chain = self.chain()?;
        chain.decided = decided;
        chain.phase = Phase::Open;
        self.resume(cut, context)
    }

    fn end_of_input(&mut self, context: &mut Output<'_>) -> topology::Result<()> {
        self.decide_cut(Cut::End, context)
    }
}

/// The records from the open block's last one on are delivered again when the block is sealed.
fn suspend(chain: &Chain, context: &mut Output<'_>) {
    if let Some(last) = chain.open.last_offset() {
        context.suspend_from(last + 1);
    }
    context.hold_from(chain.open.first_offset());
}

fn forward_block(
    context: &mut Output<'_>,
    block: &crate::chain::Block,
    offset: i64,
    timestamp_ms: i64,
) -> topology::Result<()> {
    let mut json = Vec::new();
    block.render(&mut json);
    let key = block.key();
    let record =
        Record { offset, timestamp_ms, key: Some(key.as_bytes()), value: Some(&json[..]), headers: Headers::NONE };
    context.forward(record)
}

fn forward_report(
    port: &Port<Bytes, Bytes>,
    context: &mut Output<'_>,
    report: &Report,
    offset: i64,
    timestamp_ms: i64,
) -> topology::Result<()> {
    tracing::warn!(height = report.height, round = report.round, validator = %report.validator, amount = report.amount, "slashed");
    let mut json = Vec::new();
    report.render(&mut json);
    let key = report.key();
    let record =
        Record { offset, timestamp_ms, key: Some(key.as_bytes()), value: Some(&json[..]), headers: Headers::NONE };
    context.forward_to(port, record)
}

fn other_tip(tip: &Tip, topic: Option<String>) -> Error {
    let topic = topic.unwrap_or_else(|| "nothing".to_owned());
    let (height, hash) = (tip.height, tip.hash);
    Error::stop(format!(
        "the state ends at height {height} ({hash}), the blockchain topic at {topic}: somebody else wrote to the topic, or it \
         was made anew. Run cairn verify to see which, then give the topic that belongs to this state"
    ))
}

fn stop(error: &dyn std::error::Error) -> Error {
    Error::stop(error.to_string())
}

fn ledger_error(error: ledger::Error<store::Error>) -> Error {
    match error {
        ledger::Error::View(error) => error.into(),
        other => stop(&other),
    }
}

fn sealer_error(error: crate::consensus::Error<store::Error>) -> Error {
    match error {
        crate::consensus::Error::Ledger(error) => ledger_error(error),
        other => Error::new(Class::Stop, other.to_string()),
    }
}
