//! Where the chain is when a task starts or rewinds: continued from the stores, rebuilt from the topic, or founded.
//!
//! The topic's last block is the authority. All that the sealer is about to build on is recomputed from that block and
//! its seal, and must be what the state says, root of the tree included:
//!
//! ```text
//! state            topic                            what is done
//! none             empty                            the chain is founded
//! none             a chain                          the state is rebuilt from the topic
//! sound            its last block is the state's    sealing goes on
//! sound            it ends elsewhere, not below     the state is rebuilt from the topic: it was forged, or is old
//! any              empty, or it ends below          refused: the topic lost blocks that validators signed
//! unsound          a chain                          the state is rebuilt from the topic
//! ```

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use topology::Error;
use topology::processor::{Context, PunctuationId};
use topology::store::{self, Direction, KeyValueStore};

use crate::chain::{Block, Cut};
use crate::consensus::decision::{Decision, Passed};
use crate::consensus::work::Unproved;
use crate::consensus::{self, follow};
use crate::ledger::{self, Begun, Cutter, Replica};

use super::application::Shared;
use super::classic::Series;
use super::forward::Outputs;
use super::input::{self, TRANSACTIONS, at};
use super::intake::Intake;
use super::mining::Search;
use super::open_block::{DecidedCut, OpenBlock};
use super::order::Order;
use super::rebuild::Rebuild;
use super::view::Tables;
use super::{ledger_error, stop};

/// The most rounds that pass at one height. Each passes because a validator drawn by stake is silent while more than
/// two thirds of the stake take part: that this happens so often in a row has a probability below 3^-64.
const ROUNDS_PASSED_MAX: usize = 64;

/// Where the chain is.
pub(super) struct Chain {
    pub(super) replica: Replica,
    pub(super) open: OpenBlock,
    /// Committed decisions about the next height.
    pub(super) decided: Vec<Decision>,
    pub(super) phase: Phase,
    pub(super) intake: Intake,
    /// The classic blocks, where there are any.
    pub(super) classic: Option<Series>,
    /// In [`Phase::Mining`].
    pub(super) mining: Option<Mining>,
}

/// A block whose proof of work is being looked for.
pub(super) struct Mining {
    pub(super) unproved: Box<Unproved>,
    pub(super) search: Search,
    /// The looks at the search.
    pub(super) looks: PunctuationId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Block 0 was sent and is not committed yet.
    Founding,
    /// Takes records.
    Open,
    /// The open block is cut, for this reason, and a decision about it was written and is not committed yet.
    Deciding(Cut),
    /// The open block is cut, and not enough stake signs it.
    Waiting(Cut),
    /// The open block is cut, and its proof of work is being looked for.
    Mining,
    /// A decision was written, and is not committed yet, that the turn passes in which a predecessor may have signed
    /// records in another order.
    Passing,
}

/// What a task starts with.
pub(super) enum Opened {
    /// A chain.
    Chain(Box<Chain>),
    /// A state that has to be rebuilt first; and its input, until then.
    Rebuild(Box<Rebuild>, Intake),
}

/// Continues the chain, begins to rebuild its state, or founds it.
pub(super) fn open(
    shared: &Arc<Shared>,
    tables: &Tables,
    decisions: &KeyValueStore<[u8], [u8]>,
    outputs: &Outputs,
    context: &mut Context<'_, [u8], [u8]>,
) -> topology::Result<Opened> {
    let left = shared.left.lock().unwrap_or_else(PoisonError::into_inner).take();
    // What came from the changelogs since is looked at as in a new process: anybody may have written to them.
    let left = left.filter(|_| context.are_stores_as_left());
    // What the topic ends with costs less to ask for than the state to load.
    let last = shared.topic.as_ref().map_or(Ok(None), |topic| topic.last_block())?;
    let loaded = match left {
        Some(replica) => replica.reload(tables),
        None => Replica::load(tables),
    };
    let judgement = match &shared.topic {
        Some(_) => judge(shared, loaded, last)?,
        // Without a topic to ask, the state is all there is.
        None => loaded.map_err(ledger_error)?.map_or(Judgement::Found, |replica| Judgement::GoOn(Box::new(replica))),
    };
    match judgement {
        Judgement::Found => {
            found(shared, tables, decisions, outputs, context).map(|chain| Opened::Chain(Box::new(chain)))
        }
        Judgement::GoOn(replica) => {
            // Block 0 is committed, or there would be no state: nothing is signed before that is on disk.
            shared.note_founded()?;
            let last = replica.covered(context.partition(TRANSACTIONS).partition);
            let intake = Intake::set(shared, last, context)?;
            Chain::go_on(shared, *replica, decisions, intake, context).map(|chain| Opened::Chain(Box::new(chain)))
        }
        Judgement::Rebuild { why, last } => rebuild(shared, &why, &last, context),
    }
}

impl Chain {
    /// The chain behind a replica's tip, open for records, with what predecessors decided about the next height.
    pub(super) fn go_on(
        shared: &Shared,
        replica: Replica,
        decisions: &KeyValueStore<[u8], [u8]>,
        mut intake: Intake,
        context: &mut Context<'_, [u8], [u8]>,
    ) -> topology::Result<Self> {
        intake.go_on(shared, &replica)?;
        let classic = shared.classic_series(Some(replica.tip()))?;
        let order = Order::of(shared.admission.as_ref())?;
        if Order::noted(decisions)? != order {
            pass_turn(decisions, &replica, context)?;
            order.note(decisions)?;
            let chain = Self::behind(shared, replica, Vec::new(), intake);
            return Ok(Self { phase: Phase::Passing, classic, ..chain });
        }
        let decided = inherited_decisions(decisions, &replica, &intake, context)?;
        Ok(Self { classic, ..Self::behind(shared, replica, decided, intake) })
    }

    fn behind(shared: &Shared, replica: Replica, decided: Vec<Decision>, intake: Intake) -> Self {
        let tip = replica.tip();
        shared.set_status(|status| status.height = Some(tip.height));
        let open = OpenBlock::new(Cutter::new(replica.parameters(), tip.time_ms));
        Self { replica, open, decided, phase: Phase::Open, intake, classic: None, mining: None }
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

    /// Takes no more input for now. What comes behind the open block's last record is delivered again when it is
    /// sealed.
    pub(super) fn suspend(&self, context: &mut Context<'_, [u8], [u8]>) {
        if let Some(last) = self.open.last_offset() {
            context.suspend_from(at(last).next());
        }
        context.hold_from(self.open.first_offset().map(at));
    }
}

/// What is to be done with what the stores and the topic hold.
enum Judgement {
    /// Both hold nothing: a chain begins.
    Found,
    /// The stores hold what the topic's last block leads to.
    GoOn(Box<Replica>),
    /// The stores hold something else.
    Rebuild {
        why: String,
        /// What the topic ends with.
        last: Box<Block>,
    },
}

/// Whether the state in the stores may be built on.
fn judge(
    shared: &Shared,
    loaded: Result<Option<Replica>, ledger::Error<store::Error>>,
    last: Option<Block>,
) -> topology::Result<Judgement> {
    let Some(last) = last else {
        return match loaded {
            Ok(None) => Ok(Judgement::Found),
            Ok(Some(replica)) => Err(ends_below(&replica, "holds no block")),
            Err(error) if error.needs_rebuild() => Err(Error::stop(format!(
                "the stores hold something else than a chain's state ({error}), and the blockchain topic holds no block to \
                 rebuild it from: are these the right brokers and topic? To begin a chain, reset the application first"
            ))),
            Err(error) => Err(ledger_error(error)),
        };
    };
    let rebuild = |why: String| Ok(Judgement::Rebuild { why, last: Box::new(last.clone()) });
    let replica = match loaded {
        Ok(Some(replica)) => replica,
        Ok(None) => return rebuild("this application has no state of the chain yet".to_owned()),
        Err(error) if error.needs_rebuild() => return rebuild(error.to_string()),
        Err(error) => return Err(ledger_error(error)),
    };
    let height = last.header.height;
    if height < replica.tip().height {
        return Err(ends_below(&replica, &format!("ends with height {height}")));
    }
    let scheme = shared.sealer.lock().unwrap_or_else(PoisonError::into_inner).scheme();
    match follow::check_tip(&replica, &shared.genesis, &scheme, &last) {
        Ok(()) => Ok(Judgement::GoOn(Box::new(replica))),
        // Another state would not make this block a better one.
        Err(mismatch) if mismatch.is_of_the_topic() => Err(stop(&mismatch)),
        Err(mismatch) => rebuild(mismatch.to_string()),
    }
}

fn rebuild(
    shared: &Arc<Shared>,
    why: &str,
    last: &Block,
    context: &mut Context<'_, [u8], [u8]>,
) -> topology::Result<Opened> {
    tracing::warn!(height = last.header.height, "rebuilding the state from the blockchain topic: {why}");
    shared.note_founded()?;
    let intake = Intake::set(shared, input::last_of(last).as_ref(), context)?;
    context.suspend_from(context.next_position(TRANSACTIONS));
    let rebuild = Rebuild::start(shared, last)?;
    // Before anybody asks: no height and no rebuilding is what an instance says that stands by.
    shared.set_status(|status| status.rebuilding = Some(rebuild.progress()));
    Ok(Opened::Rebuild(Box::new(rebuild), intake))
}

/// Writes the state after genesis into stores that are empty, and block 0. Input waits until they are committed, and
/// that is on disk.
fn found(
    shared: &Shared,
    tables: &Tables,
    decisions: &KeyValueStore<[u8], [u8]>,
    outputs: &Outputs,
    context: &mut Context<'_, [u8], [u8]>,
) -> topology::Result<Chain> {
    let genesis = &shared.genesis;
    let mut classic = shared.classic_series(None)?;
    shared.note_founding()?;
    let intake = Intake::set(shared, None, context)?;
    context.suspend_from(context.next_position(TRANSACTIONS));
    let Begun { block, replica, changes } = consensus::begin(genesis).map_err(|error| stop(&error))?;
    // No record causes it.
    context.caused_by(None);
    tables.write(&changes)?;
    // What a changelog brought about a chain that is not there decides nothing about this one.
    clear(decisions)?;
    Order::of(shared.admission.as_ref())?.note(decisions)?;
    outputs.forward_block(context, classic.as_mut(), &block, -1)?;
    context.request_commit();
    tracing::info!(chain = genesis.chain_id, genesis = %shared.genesis_hash, "a new chain begins");
    let chain = Chain::behind(shared, replica, Vec::new(), intake);
    Ok(Chain { phase: Phase::Founding, classic, ..chain })
}

/// Decides that the turn passes in which a predecessor may have signed; where it would have ended the block, it is of
/// another order. Input waits until that is committed.
fn pass_turn(
    decisions: &KeyValueStore<[u8], [u8]>,
    replica: &Replica,
    context: &mut Context<'_, [u8], [u8]>,
) -> topology::Result<()> {
    let height = replica.tip().height + 1;
    let decided = read_decisions(decisions, height, replica.members().len())?;
    let is_cut = |decision: &&Decision| matches!(decision, Decision::Cut { .. });
    // No record causes it.
    context.caused_by(None);
    for cut in decided.iter().filter(is_cut) {
        decisions.delete(&&cut.key()[..])?;
    }
    let rounds = decided.iter().filter_map(|decision| match decision {
        Decision::RoundPassed { round, .. } => Some(*round),
        Decision::Cut { .. } => None,
    });
    let passed: Vec<u32> = rounds.collect();
    let round = passed.iter().max().map_or(0, |last| last.saturating_add(1));
    // Rounds that were left out pass too: in them a predecessor signed records in the other order, whether the proposer
    // cheated or a forger has a later round pass.
    for round in (0..=round).filter(|round| !passed.contains(round)) {
        let decision = Decision::RoundPassed { height, round, why: Passed::Silence };
        decisions.put(&&decision.key()[..], &&decision.value()[..])?;
    }
    context.suspend_from(context.next_position(TRANSACTIONS));
    context.request_commit();
    tracing::warn!(
        height,
        round,
        "records come in another order than before, as where a topic was widened: the round passes"
    );
    Ok(())
}

fn clear(decisions: &KeyValueStore<[u8], [u8]>) -> topology::Result<()> {
    let mut keys = Vec::new();
    decisions.scan(Direction::Forward, |key, _| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    })?;
    keys.iter().try_for_each(|key| decisions.delete(&&key[..]))?;
    Ok(())
}

/// The committed decisions of predecessors about the height behind the replica's. They came from a changelog, and
/// unlike the state there is no block to compare them with; so one that no predecessor can have made is refused: it
/// would cut a block as the rules do not, or hold input back for ever.
fn inherited_decisions(
    decisions: &KeyValueStore<[u8], [u8]>,
    replica: &Replica,
    intake: &Intake,
    context: &Context<'_, [u8], [u8]>,
) -> topology::Result<Vec<Decision>> {
    let height = replica.tip().height + 1;
    let decided = read_decisions(decisions, height, replica.members().len())?;
    // A decision is about records that were held when it was committed.
    let first = intake.first_open_offset(replica, context.partition(TRANSACTIONS).partition);
    let open = first..context.end_position(TRANSACTIONS).offset;
    for decision in &decided {
        if let Decision::Cut { cut, through_offset, .. } = decision
            && !(matches!(cut, Cut::Age | Cut::End) && open.contains(through_offset))
        {
            return Err(Error::stop(format!(
                "the decisions store has block {height} end with offset {through_offset} by {cut}, which no run can have \
                 decided: something else writes to its changelog. Find it, then run cairn reset for this application: the next \
                 run rebuilds the state from the blockchain topic"
            )));
        }
    }
    Ok(decided)
}

/// The committed decisions about a height. Where more rounds passed than ever will, a forger keeps the height from
/// being sealed. A round that is left out failed otherwise: its proposer cheated. That costs a validator its stake each
/// time, so no more are left out than there are validators.
pub(super) fn read_decisions(
    decisions: &KeyValueStore<[u8], [u8]>,
    height: u64,
    validator_count: usize,
) -> topology::Result<Vec<Decision>> {
    let mut found = Vec::new();
    let mut unreadable = false;
    decisions.prefix(&Decision::key_prefix(height), Direction::Forward, |key, value| {
        match Decision::from_value(value) {
            Some(decision) if decision.key() == *key => found.push(decision),
            Some(_) | None => unreadable = true,
        }
        // One more than there can be is enough to tell.
        if found.len() > ROUNDS_PASSED_MAX + 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if unreadable {
        return Err(Error::stop(format!(
            "the decisions store holds one about height {height} that this version cannot read: run the version that \
             wrote it. If none did, something else writes to its changelog: find it, then run cairn reset for this application"
        )));
    }
    let rounds = found.iter().filter_map(|decision| match decision {
        Decision::RoundPassed { round, .. } => Some(*round as usize),
        Decision::Cut { .. } => None,
    });
    if rounds.clone().count() > ROUNDS_PASSED_MAX
        || rounds.enumerate().any(|(place, round)| round.saturating_sub(place) > validator_count)
    {
        return Err(Error::stop(format!(
            "the decisions store has rounds of height {height} pass that no run can have let pass: something else writes to its \
             changelog. Find it, then run cairn reset for this application: the next run rebuilds the state from the \
             blockchain topic"
        )));
    }
    Ok(found)
}

fn ends_below(replica: &Replica, topic: &str) -> Error {
    let (height, hash) = (replica.tip().height, replica.tip().hash);
    Error::stop(format!(
        "the state ends at height {height} ({hash}), the blockchain topic {topic}: it lost blocks that validators have signed, \
         was made anew, or a height was written to it again. Are these the right brokers and topic? Run cairn verify, bring the \
         blocks back or give the topic that belongs to this state"
    ))
}
