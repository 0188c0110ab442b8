//! Parties: validators whose keys are in one process, as a machine. Requests in, replies out.
//!
//! ```text
//!   Propose(turn)      ──► Proposed(p)                         of the drawn validator, if it is one of this party's
//!                      ──► Execute(..)  ─ Executed(..) ─►      a cheat first has its process execute something else
//!   Vote(p)            ──► Voted(v) for each verdict           signed once with the sum of the keys that say the same
//!   anything that would be a second, different thing for a turn ──► Declined, and nothing is signed
//! ```
//!
//! A party knows what executing the input in its own process gave ([`Own`]); that is never sent. Everything else that
//! it needs is in the request. So a party may be in the process that seals or in another one: what differs is who
//! carries the messages.

use super::super::bls;
use super::super::roster::{Keys, Roster, Stakes};
use super::fault::Fault;
use super::turn::{Body, Proposal, Statement, Turn, Verdict, Vote};
use super::validator::{LocalValidator, Signed, WouldEquivocate};
use crate::chain::{Bitmap, Entry, Header, ValidatorId};
use crate::ledger::{Executed, Signature};

/// What a party's own process knows of a turn.
#[derive(Debug, Clone, Copy)]
pub struct Own<'o> {
    /// The chain's validators.
    pub roster: &'o Roster,
    /// Their stakes in this round.
    pub stakes: &'o Stakes,
    /// The input: a stretch of the log.
    pub input: &'o [Entry],
    /// What the signatures in the input are worth.
    pub signatures: &'o [Signature],
    /// What executing the input gives, in this turn.
    pub executed: &'o Executed,
}

impl Own<'_> {
    /// The turn for which the input was executed. `None`: it was executed for no turn of a chain of this kind.
    #[must_use]
    pub fn turn(&self) -> Option<Turn> {
        Turn::of(&self.executed.header)
    }
}

/// What a party is asked.
#[derive(Debug, Clone)]
pub enum Request {
    /// To propose, for the turn's drawn validator.
    Propose(Turn),
    /// What its validators say about a proposal.
    Vote(Box<Proposal>),
    /// By its own process: what executing gave that it asked to execute.
    Executed(Box<Header>, Body),
}

/// What a party answers. A request may have no answer: silence.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A proposal.
    Proposed(Box<Proposal>),
    /// A vote.
    Voted(Vote),
    /// To its own process: execute this in place of the input, and answer with [`Request::Executed`].
    Execute(Vec<Entry>, Vec<Signature>),
    /// To its own process: one of its validators would have had to sign a second thing for the turn.
    Declined(WouldEquivocate),
}

/// Validators whose keys are in one process.
pub trait Party {
    /// Their public keys.
    fn validators(&self) -> Vec<Keys>;

    /// Whether one of them takes part at all. It signs nothing by this.
    fn is_present(&self, validator: &ValidatorId) -> bool;

    /// Takes a request in.
    fn step(&mut self, own: &Own<'_>, request: Request) -> Vec<Reply>;
}

/// Several validators of this process.
#[derive(Debug)]
pub struct LocalParty {
    validators: Vec<LocalValidator>,
}

impl LocalParty {
    /// Of these validators.
    #[must_use]
    pub fn new(validators: Vec<LocalValidator>) -> LocalParty {
        LocalParty { validators }
    }

    pub(super) fn anew(&self) -> Self {
        Self { validators: self.validators.iter().map(LocalValidator::anew).collect() }
    }

    pub(super) fn signed(&self) -> impl Iterator<Item = Signed> {
        self.validators.iter().flat_map(LocalValidator::signed)
    }

    /// Has one of them misbehave; false: it is none of them.
    pub(super) fn corrupt(&mut self, validator: &ValidatorId, fault: Fault) -> bool {
        let found = self.validators.iter_mut().find(|local| local.id() == validator);
        found.map(|local| local.corrupt(fault)).is_some()
    }
}

impl Party for LocalParty {
    fn validators(&self) -> Vec<Keys> {
        self.validators.iter().map(LocalValidator::public).collect()
    }

    fn is_present(&self, validator: &ValidatorId) -> bool {
        self.validators.iter().any(|local| local.id() == validator && !local.is_silent())
    }

    fn step(&mut self, own: &Own<'_>, request: Request) -> Vec<Reply> {
        step(&mut self.validators, own, request)
    }
}

/// One validator is a party of its own.
impl Party for LocalValidator {
    fn validators(&self) -> Vec<Keys> {
        vec![self.public()]
    }

    fn is_present(&self, validator: &ValidatorId) -> bool {
        self.id() == validator && !self.is_silent()
    }

    fn step(&mut self, own: &Own<'_>, request: Request) -> Vec<Reply> {
        step(std::slice::from_mut(self), own, request)
    }
}

fn step(validators: &mut [LocalValidator], own: &Own<'_>, request: Request) -> Vec<Reply> {
    // A request for another turn than the one that was executed here came late, or early: it has no answer.
    let Some(turn) = own.turn() else { return Vec::new() };
    let drawn = validators.iter_mut().find(|validator| *validator.id() == turn.proposer && !validator.is_silent());
    match (request, drawn) {
        (Request::Propose(asked), Some(drawn)) if asked == turn => drawn.propose(own, &turn),
        (Request::Executed(header, body), Some(drawn)) if Turn::of(&header).as_ref() == Some(&turn) => {
            drawn.propose_instead(&turn, *header, body)
        }
        (Request::Vote(proposal), _) => vote(validators, own, &turn, *proposal),
        (Request::Propose(_) | Request::Executed(..), _) => Vec::new(),
    }
}

/// The votes of validators of one process. Those that say the same sign with the sum of their keys, so the message is
/// hashed to the curve once however many they are.
fn vote(validators: &mut [LocalValidator], own: &Own<'_>, turn: &Turn, mut proposal: Proposal) -> Vec<Reply> {
    let Ok(header) = proposal.check(turn, own.roster) else { return Vec::new() };
    let mut verdicts: Vec<(Verdict, Vec<Voter<'_>>)> = Vec::new();
    for validator in validators {
        let place = own.roster.place(validator.id()).filter(|place| own.stakes.at(*place) > 0);
        // Rosters have at most 65535 places.
        let Some(place) = place.and_then(|place| u16::try_from(place).ok()) else { continue };
        let Some(verdict) = validator.judge(own, turn, &proposal, &header) else { continue };
        match verdicts.iter_mut().find(|(said, _)| *said == verdict) {
            Some((_, alike)) => alike.push((place, validator)),
            None => verdicts.push((verdict, vec![(place, validator)])),
        }
    }
    let mut replies = Vec::new();
    for (verdict, alike) in verdicts {
        sign(alike, Statement { height: turn.height, round: turn.round, header, verdict }, &mut replies);
    }
    replies
}

/// A validator with stake, and its place.
type Voter<'v> = (u16, &'v mut LocalValidator);

fn sign(voters: Vec<Voter<'_>>, statement: Statement, replies: &mut Vec<Reply>) {
    let mut keys: Vec<(u16, &bls::SecretKey)> = Vec::new();
    for (place, validator) in voters {
        match validator.lend_key(&statement) {
            Ok(key) => keys.push((place, key)),
            Err(declined) => replies.push(Reply::Declined(declined)),
        }
    }
    let message = statement.message();
    let mut voted = |places: &[u16], key: &bls::SecretKey| {
        let signers: Bitmap = places.iter().copied().collect();
        replies.push(Reply::Voted(Vote::made_here(statement, signers, key.sign(&message))));
    };
    match bls::SecretKey::sum(keys.iter().map(|(_, key)| *key)) {
        Some(sum) => voted(&keys.iter().map(|(place, _)| *place).collect::<Vec<_>>(), &sum),
        // Keys that cancel each other out have no sum that signs; they still sign one by one.
        None => keys.iter().for_each(|(place, key)| voted(&[*place], key)),
    }
}
