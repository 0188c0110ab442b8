//! From a stretch of the log to a sealed block.
//!
//! ```text
//!   seal(state, stretch, committed decisions)
//!        │
//!        ▼  execute the stretch for this round, then drive the committee's machine
//!        │             silent, not decided yet
//!   ┌─ round r ──────────────────────────────────► NeedDecision(RoundPassed { h, r })   commit it, then call again
//!   │    │   silent, decided        ─► Missed ─┐
//!   │    │   cheated                ─► Slash  ─┤   evidence goes out with the block
//!   │    │                                     │
//!   └────┼─────────── r + 1 ◄──────────────────┘
//!        │   neither enough attest nor refuse ───► Waiting { have, need }               keep the input, call again
//!        ▼
//!     Sealed: block, what to advance the replica by, reports
//! ```
//!
//! **Law**: a signed header is a function of committed state, committed decisions and input. The same call with the
//! same committed data signs the same bytes; so a crash or an aborted transaction at any point is followed by a retry,
//! never by a second header for one turn.

use std::sync::Arc;

use super::super::decision::{Decision, Passed};
use super::super::keys::{self, KeySet};
use super::super::roster::{Roster, Stakes};
use super::super::scheme::Scheme;
use super::super::sealer::{self, Sealed, Step, Stretch};
use super::super::{Error, SetupError};
use super::committee::{Electorate, Outcome};
use super::draw;
use super::drive::Drive;
use super::fault::Fault;
use super::party::{LocalParty, Own, Party};
use super::report::Offence;
use super::rounds::Start;
use super::signed_turns::{SignedTurn, SignedTurns, is_decided};
use super::turn::{Body, Turn};
use super::validator::{LocalValidator, Signed};
use crate::chain::{Bitmap, Block, Entry, Evidence, Genesis, Hash, Operation, Seal, StakeSeal, ValidatorId};
use crate::ledger::{Candidate, Executed, Maker, Replica, Signature, View};

/// Seals blocks, one height after the other. Holds keys and what they signed, nothing of the chain's state.
#[derive(Debug)]
pub struct Sealer<P = LocalParty> {
    genesis: Hash,
    roster: Roster,
    parties: Vec<P>,
    /// By place: whose party has the validator's keys. A validator without a party is silent.
    seats: Vec<Option<usize>>,
    /// What processes before this one have signed with the same keys; `None`: nothing keeps it.
    turns: Option<Arc<dyn SignedTurns>>,
}

impl Sealer<LocalParty> {
    /// A committee of one process: `keys` must hold those of every validator in the genesis. `faults` are injected.
    pub fn local(
        genesis: &Genesis,
        keys: KeySet,
        faults: &[(ValidatorId, Fault)],
    ) -> Result<Sealer<LocalParty>, SetupError> {
        keys.check_against(&genesis.validators)?;
        let listed = |id: &ValidatorId| genesis.validators.iter().any(|validator| validator.id == *id);
        if let Some((stranger, _)) = faults.iter().find(|(id, _)| !listed(id)) {
            return Err(SetupError::Stranger(stranger.clone()));
        }
        let validators = keys.into_pairs().into_iter().filter(|pair| listed(pair.id())).map(|pair| {
            let fault = faults.iter().find(|(id, _)| id == pair.id()).map(|(_, fault)| *fault);
            LocalValidator::new(pair).with_fault(fault)
        });
        Sealer::new(genesis, [LocalParty::new(validators.collect())])
    }

    /// The sealer of another process with the same keys: it remembers nothing of what this one's validators have
    /// signed, but for what is kept outside of both.
    #[must_use]
    pub fn anew(&self) -> Self {
        let Self { genesis, roster, parties, seats, turns } = self;
        let parties = parties.iter().map(LocalParty::anew).collect();
        Self { genesis: *genesis, roster: roster.clone(), parties, seats: seats.clone(), turns: turns.clone() }
    }

    /// What the validators of this process remember to have proposed and voted in the latest turns: one thing of each
    /// kind in a turn.
    pub fn signed(&self) -> impl Iterator<Item = Signed> {
        self.parties.iter().flat_map(LocalParty::signed)
    }

    /// Has a validator misbehave from its next turn on; false: there is no such validator. What it signed it remembers,
    /// so that it signs nothing else in the turn under way.
    pub fn corrupt(&mut self, validator: &ValidatorId, fault: Fault) -> bool {
        self.parties.iter_mut().any(|party| party.corrupt(validator, fault))
    }
}

impl<P: Party> Sealer<P> {
    /// A committee of `parties`; a validator that the genesis lists and that no party has is silent.
    pub fn new(genesis: &Genesis, parties: impl IntoIterator<Item = P>) -> Result<Sealer<P>, SetupError> {
        let roster = Roster::new(&genesis.validators)?;
        let parties: Vec<P> = parties.into_iter().collect();
        let mut seats: Vec<Option<usize>> = roster.iter().map(|_| None).collect();
        for (number, party) in parties.iter().enumerate() {
            for own in party.validators() {
                let seat = roster.place(&own.id).and_then(|place| Some((seats.get_mut(place)?, roster.keys(place)?)));
                let Some((seat, keys)) = seat else { return Err(SetupError::Stranger(own.id)) };
                // What a party signs is not checked again in this process, so its keys are checked once.
                if *keys != own {
                    return Err(keys::Error::Foreign(own.id).into());
                }
                if seat.replace(number).is_some() {
                    return Err(SetupError::Twice(own.id));
                }
            }
        }
        Ok(Sealer { genesis: genesis.hash(), roster, parties, seats, turns: None })
    }

    /// The same, which keeps to what was signed in processes before this one.
    #[must_use]
    pub fn keeping(self, turns: Arc<dyn SignedTurns>) -> Self {
        Self { turns: Some(turns), ..self }
    }

    /// How the chain agrees on its blocks.
    pub fn scheme(&self) -> Scheme {
        Scheme::Stake(self.roster.clone())
    }

    /// Seals the block after the replica's last one, or says what is missing.
    ///
    /// `view` is the state after that block. `decisions` are the **committed** ones; those about other heights are
    /// ignored. Errors leave everything as it was.
    pub fn seal<V: View + ?Sized>(
        &mut self,
        view: &V,
        replica: &Replica,
        stretch: Stretch<'_>,
        decisions: &[Decision],
    ) -> Result<Step, Error<V::Error>> {
        let height = sealer::check(&self.genesis, replica, stretch.cut, decisions)?;
        let stakes = self.roster.stakes(replica.members())?;
        let mut past = Past { height, stakes, operations: Vec::new(), reports: Vec::new() };
        for round in 0..=u32::MAX {
            let start = Start { genesis: &self.genesis, height, seed: &replica.tip().seed, roster: &self.roster };
            let due =
                start.due(round, &past.stakes).and_then(|place| Some((place, self.roster.keys(place)?.id.clone())));
            let Some((place, proposer)) = due else {
                return Ok(Step::Waiting { height, round, have: 0, need: past.stakes.quorum() });
            };
            let passed = Decision::RoundPassed { height, round, why: Passed::Silence };
            if decisions.contains(&passed) {
                past.operations.push(Operation::Missed { round, validator: proposer });
                continue;
            }
            let turn = Turn { genesis: self.genesis, height, round, seed: replica.tip().seed, proposer };
            match self.run(view, replica, &stretch, &past, place, &turn)? {
                // Its validators take no part in this turn: they did, before something was lost that the block followed
                // from.
                Outcome::Sealed((_, executed)) if !self.may_leave::<V::Error>(&executed)? => {
                    return Ok(Step::NeedDecision(passed));
                }
                Outcome::Sealed((seal, executed)) => {
                    let entries = std::mem::take(stretch.entries);
                    return Ok(Step::Sealed(Box::new(sealed(executed, entries, &turn, *seal, past.reports))));
                }
                Outcome::Slash(evidence, witness) => past.slash(round, place, turn.proposer, evidence, witness),
                Outcome::Missed => return Ok(Step::NeedDecision(passed)),
                Outcome::NoQuorum { have, need } => return Ok(Step::Waiting { height, round, have, need }),
            }
        }
        Err(Error::RoundsExhausted(height))
    }

    /// One round: executes the stretch for it, and drives the committee's machine. With the seal comes what was
    /// executed. Where nothing can come from the drawn validator, nothing is executed.
    fn run<V: View + ?Sized>(
        &mut self,
        view: &V,
        replica: &Replica,
        stretch: &Stretch<'_>,
        past: &Past,
        place: usize,
        turn: &Turn,
    ) -> Result<Outcome<(Box<StakeSeal>, Executed)>, Error<V::Error>> {
        let present = self.present();
        let electorate = Electorate { roster: &self.roster, stakes: &past.stakes, present: &present };
        if !present.contains(place) {
            return Ok(electorate.without_proposal());
        }
        let execute = |entries: &[Entry], signatures: &[Signature]| {
            let (cut, proposer, round, prior) = (stretch.cut, &turn.proposer, turn.round, past.operations.as_slice());
            let maker = Maker::Proposer { proposer, round, prior };
            let candidate = Candidate { entries, signatures, cut, maker, extensions: &[] };
            replica.execute(view, &candidate).map_err(Error::Ledger)
        };
        let executed = execute(stretch.entries, stretch.signatures)?;
        let (roster, input, signatures) = (&self.roster, stretch.entries.as_slice(), stretch.signatures);
        let own = Own { roster, stakes: &past.stakes, input, signatures, executed: &executed };
        let drive = Drive { parties: &mut self.parties, seats: &self.seats, electorate, place, own };
        let outcome = drive.run(turn, &execute)?;
        Ok(outcome.map(|seal| (seal, executed)))
    }

    /// Whether a signed header may leave the sealer. Nothing else that is signed leaves it: offences only with the
    /// block behind them.
    fn may_leave<E>(&self, executed: &Executed) -> Result<bool, Error<E>> {
        let Some(turns) = &self.turns else { return Ok(true) };
        let turn = SignedTurn::of(&executed.header, executed.hash);
        turns.keep_to(turn, is_decided(&executed.header)).map_err(Error::NotKept)
    }

    /// The places of the validators that take part.
    fn present(&self) -> Bitmap {
        let takes_part = |(place, seat): (usize, &Option<usize>)| {
            let party = self.parties.get((*seat)?)?;
            party.is_present(&self.roster.keys(place)?.id).then_some(u16::try_from(place).ok()?)
        };
        self.seats.iter().enumerate().filter_map(takes_part).collect()
    }
}

/// What became of the rounds of a height so far.
struct Past {
    height: u64,
    /// What is left of the stakes.
    stakes: Stakes,
    /// One for each round.
    operations: Vec<Operation>,
    reports: Vec<Offence>,
}

impl Past {
    fn slash(
        &mut self,
        round: u32,
        place: usize,
        validator: ValidatorId,
        evidence: Box<Evidence>,
        witness: Option<Body>,
    ) {
        let (height, amount) = (self.height, self.stakes.take(place));
        let operation = Operation::Slash { round, validator: validator.clone(), amount, evidence: evidence.clone() };
        self.operations.push(operation);
        self.reports.push(Offence { height, round, validator, amount, evidence, witness });
    }
}

fn sealed(executed: Executed, entries: Vec<Entry>, turn: &Turn, seal: StakeSeal, reports: Vec<Offence>) -> Sealed {
    let entries = executed.decide(entries);
    let next_seed = draw::next_seed(&turn.genesis, turn.height.saturating_add(1), &turn.seed, &seal.reveal);
    let block = Block {
        hash: executed.hash,
        header: executed.header.clone(),
        seal: Some(Seal::Stake(seal)),
        entries,
        operations: executed.operations.clone(),
        genesis: None,
    };
    Sealed { block, executed, next_seed, reports }
}
