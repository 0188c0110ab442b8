//! Where the chain is: derived from the stores when a task starts or rewinds, or begun.

use std::sync::PoisonError;

use topology::Error;
use topology::codec::Bytes;
use topology::processor::Context;
use topology::store::{Direction, KeyValueStore};

use crate::chain::{Cut, Hash};
use crate::consensus::decision::Decision;
use crate::consensus::{self, Beginning};
use crate::ledger::cut::Cutter;
use crate::ledger::state::{self, Table, Tip, View};
use crate::ledger::{self, Tree};

use super::application::Shared;
use super::covered::{Covered, Passing};
use super::forward::forward_block;
use super::open_block::{DecidedCut, OpenBlock};
use super::view::Tables;
use super::{ledger_error, stop};

/// Where the chain is.
pub(super) struct Chain {
    pub(super) tip: Tip,
    pub(super) tree: Tree,
    pub(super) open: OpenBlock,
    /// Committed decisions about the next height.
    pub(super) decided: Vec<Decision>,
    pub(super) phase: Phase,
    pub(super) covered: Option<Covered>,
    /// How far input that is in blocks already is being passed over.
    pub(super) passing: Passing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Takes records.
    Open,
    /// The open block is cut, for this reason, and a decision about it was written and is not committed yet.
    Deciding(Cut),
    /// The open block is cut, and not enough stake signs it.
    Waiting(Cut),
}

/// What a processor leaves to its successor after a rewind in the same process, so that not all of the state is read again.
#[derive(Default)]
pub(super) struct Left {
    /// The state tree as it was. It is still the one of the stores if its root is theirs, that is if no block was lost.
    pub(super) tree: Option<Tree>,
    /// Whether this process has audited the state. From then on the rules keep what the audit asks for.
    is_audited: bool,
}

impl Chain {
    /// Continues the chain in the stores, or begins it.
    pub(super) fn open(
        shared: &Shared,
        tables: &Tables,
        decisions: &KeyValueStore<Bytes, Bytes>,
        context: &mut Context<'_, Bytes, Bytes>,
    ) -> topology::Result<Self> {
        let has_state = tables.get(Table::Tip, b"tip", &mut Vec::new())?;
        let topic_tip = match &shared.topic_tip {
            Some(read) => Some(read()?),
            None => None,
        };
        let (tip, tree) = match has_state {
            true => read_state(shared, tables)?,
            false => begin(shared, tables, context, topic_tip.flatten().is_some())?,
        };
        if let Some(topic_tip) = topic_tip
            && has_state
            && topic_tip != Some((tip.height, tip.hash))
        {
            return Err(other_tip(&tip, topic_tip));
        }
        let covered = Covered::read(tables, context.partition().partition)?;
        if let Some(covered) = &covered {
            covered.check_end(context.input_end())?;
        }
        let decided = read_decisions(decisions, tip.height + 1)?;
        shared.set_status(|status| status.height = Some(tip.height));
        let open = OpenBlock::new(Cutter::new(&shared.genesis.parameters, tip.time_ms));
        Ok(Self { tip, tree, open, decided, phase: Phase::Open, covered, passing: Passing::default() })
    }

    /// The decision about where the open block ends, if there is one.
    pub(super) fn decided_cut(&self) -> Option<DecidedCut> {
        self.decided.iter().find_map(|decision| match decision {
            Decision::Cut { cut, through_offset, .. } => {
                Some(DecidedCut { cut: *cut, through_offset: *through_offset })
            }
            Decision::RoundPassed { .. } => None,
        })
    }

    /// Takes no more input for now. What comes behind the open block's last record is delivered again when it is sealed.
    pub(super) fn suspend(&self, context: &mut Context<'_, Bytes, Bytes>) {
        if let Some(last) = self.open.last_offset() {
            context.suspend_from(last + 1);
        }
        context.hold_from(self.open.first_offset());
    }
}

/// The state in the stores and its tree.
fn read_state(shared: &Shared, tables: &Tables) -> topology::Result<(Tip, Tree)> {
    let tip = state::tip(tables).map_err(ledger_error)?;
    let mut left = shared.left.lock().unwrap_or_else(PoisonError::into_inner);
    if !left.is_audited {
        state::audit_supply(tables).map_err(ledger_error)?;
        state::audit_ids(tables).map_err(ledger_error)?;
        left.is_audited = true;
    }
    if let Some(tree) = left.tree.take().filter(|tree| tree.root() == tip.state_root) {
        return Ok((tip, tree));
    }
    let tree = state::build_tree(tables).map_err(ledger_error)?;
    if tree.root() != tip.state_root {
        let (tree, state) = (tree.root(), tip.state_root);
        return Err(ledger_error(ledger::Error::OtherTree { tree, state }));
    }
    Ok((tip, tree))
}

/// Writes the state after genesis, and block 0.
fn begin(
    shared: &Shared,
    tables: &Tables,
    context: &mut Context<'_, Bytes, Bytes>,
    topic_has_blocks: bool,
) -> topology::Result<(Tip, Tree)> {
    if topic_has_blocks {
        return Err(Error::stop(
            "the blockchain topic already holds a chain, but this application has no state of it: start with the \
             application id that made it, or write to another topic",
        ));
    }
    let genesis = &shared.genesis;
    let Beginning { block, tip, changes, tree } = consensus::begin(genesis).map_err(|error| stop(&error))?;
    tables.write(&changes)?;
    forward_block(context, &block, -1)?;
    tracing::info!(chain = genesis.chain_id, genesis = %shared.genesis_hash, "a new chain begins");
    Ok((tip, tree))
}

/// The committed decisions about a height.
pub(super) fn read_decisions(decisions: &KeyValueStore<Bytes, Bytes>, height: u64) -> topology::Result<Vec<Decision>> {
    let mut found = Vec::new();
    let mut unreadable = false;
    decisions.prefix(&Decision::key_prefix(height), Direction::Forward, |_, value| {
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

fn other_tip(tip: &Tip, topic: Option<(u64, Hash)>) -> Error {
    let topic = topic.map_or_else(|| "nothing".to_owned(), |(height, hash)| format!("{height} ({hash})"));
    let (height, hash) = (tip.height, tip.hash);
    Error::stop(format!(
        "the state ends at height {height} ({hash}), the blockchain topic at {topic}: somebody else wrote to the topic, or it \
         was made anew. Run cairn verify to see which, then give the topic that belongs to this state"
    ))
}
