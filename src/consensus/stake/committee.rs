//! One turn of a committee, as a machine: messages in, actions out.
//!
//! ```text
//!   start ──► AskProposal
//!                │  Proposed(p)      first one: kept          another one: Slash (equivocation)
//!              End ─────────────► nothing was proposed: Missed, or NoQuorum where those present could not seal either
//!                │
//!              AskVote(p)
//!                │  Voted(v)         counted, each validator once
//!              End ─────────────► Sealed | Slash (refusal) | NoQuorum
//! ```
//!
//! The machine holds no keys and reads no clock. Proposals and votes may come from anywhere, in any order, twice, or
//! never: what does not hold, or is not due, is answered by [`Action::Ignored`] and changes nothing. [`Message::End`]
//! comes from the process that drives the machine, when it has delivered all that it waited for. The outcome is a
//! function of *which* messages came before the ends, not of their order. (Two exceptions, both of a faulty sender's
//! making: of three different proposals the first two are the evidence; of two contradicting votes by one validator the
//! first counts.)

use super::super::bls;
use super::super::roster::{Roster, Stakes};
use super::evidence;
use super::turn::{Body, Proposal, Refused, Turn, Verdict, Vote};
use crate::chain::{Bitmap, Evidence, Hash, RefusalReason, StakeSeal};

/// What the machine is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A validator proposes.
    Proposed(Box<Proposal>),
    /// Validators vote.
    Voted(Vote),
    /// By the process that drives the machine: what has not come by now is not waited for.
    End,
}

/// What the machine wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask the drawn validator for its proposal.
    AskProposal(Turn),
    /// Ask every validator for its verdict, the drawn one included.
    AskVote(Box<Proposal>),
    /// The turn is over.
    Decided(Outcome),
    /// The message does not count, and changed nothing.
    Ignored(Refused),
}

/// How a turn ended. `S` is what came of it if it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<S = Box<StakeSeal>> {
    /// Enough stake attests to what executing the input gives.
    Sealed(S),
    /// The proposer cheated, and here is the proof; for a refusal with what it proposed.
    Slash(Box<Evidence>, Option<Body>),
    /// The proposer made no proposal, and the others could seal one.
    Missed,
    /// Neither enough attest nor enough refuse.
    NoQuorum {
        /// The stake that signs, or that is there to sign.
        have: u64,
        /// The stake that is needed.
        need: u64,
    },
}

impl<S> Outcome<S> {
    /// The same outcome, with something else for what was sealed.
    pub fn map<T>(self, sealed: impl FnOnce(S) -> T) -> Outcome<T> {
        match self {
            Outcome::Sealed(seal) => Outcome::Sealed(sealed(seal)),
            Outcome::Slash(evidence, witness) => Outcome::Slash(evidence, witness),
            Outcome::Missed => Outcome::Missed,
            Outcome::NoQuorum { have, need } => Outcome::NoQuorum { have, need },
        }
    }
}

/// The validators that decide in a turn.
#[derive(Debug, Clone, Copy)]
pub struct Electorate<'c> {
    /// Their keys.
    pub roster: &'c Roster,
    /// Their stakes in this round.
    pub stakes: &'c Stakes,
    /// Those that take part at all. Decides only whether passing the round is worth a decision.
    pub present: &'c Bitmap,
}

impl Electorate<'_> {
    /// What becomes of a turn without a proposal. Where those who are present could seal no other one either, passing
    /// the round would only pile up decisions.
    #[must_use]
    pub fn without_proposal<S>(&self) -> Outcome<S> {
        let (have, need) = (self.stakes.of(self.present), self.stakes.quorum());
        if have < need { Outcome::NoQuorum { have, need } } else { Outcome::Missed }
    }
}

/// A turn under way.
#[derive(Debug)]
pub struct Committee<'c> {
    electorate: Electorate<'c>,
    turn: Turn,
    /// The drawn validator's.
    place: usize,
    /// The hash of the header that executing the input gives in this process.
    own: Hash,
    /// What is on the table, and its header's hash.
    proposal: Option<(Hash, Box<Proposal>)>,
    phase: Phase,
    attesting: Side,
    refusing: [(RefusalReason, Side); 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Proposing,
    Voting,
    Decided,
}

/// Those who say the same.
#[derive(Debug, Default)]
struct Side {
    signers: Bitmap,
    signatures: Vec<bls::Signature>,
}

impl<'c> Committee<'c> {
    /// Begins the turn for which the validator at `place` was drawn. `own` is the hash of the header that executing the
    /// input in this process gives for this turn.
    #[must_use]
    pub fn start(electorate: Electorate<'c>, turn: Turn, place: usize, own: Hash) -> (Committee<'c>, Action) {
        let ask = Action::AskProposal(turn.clone());
        let refusing = [RefusalReason::Input, RefusalReason::Execution].map(|reason| (reason, Side::default()));
        let (proposal, phase, attesting) = (None, Phase::Proposing, Side::default());
        (Committee { electorate, turn, place, own, proposal, phase, attesting, refusing }, ask)
    }

    /// Takes a message in.
    pub fn step(&mut self, message: Message) -> Option<Action> {
        let done = match message {
            Message::Proposed(proposal) => self.proposed(proposal),
            Message::Voted(vote) => self.voted(vote).map(|()| None),
            Message::End => Ok(self.end()),
        };
        let action = done.unwrap_or_else(|refused| Some(Action::Ignored(refused)));
        if let Some(Action::Decided(_)) = action {
            self.phase = Phase::Decided;
        }
        action
    }

    fn proposed(&mut self, mut proposal: Box<Proposal>) -> Result<Option<Action>, Refused> {
        if self.phase == Phase::Decided {
            return Err(Refused::NotNow);
        }
        let Some((first, on_table)) = &self.proposal else {
            let hash = proposal.check(&self.turn, self.electorate.roster)?;
            self.proposal = Some((hash, proposal));
            return Ok(None);
        };
        // Two signed headers are the offence, whatever came with them.
        let hash = proposal.check_header(&self.turn, self.electorate.roster)?;
        if *first == hash {
            return Err(Refused::Again);
        }
        let evidence = evidence::equivocation(on_table.signed.clone(), proposal.signed).ok_or(Refused::Again)?;
        Ok(Some(Action::Decided(Outcome::Slash(Box::new(evidence), None))))
    }

    fn voted(&mut self, vote: Vote) -> Result<(), Refused> {
        let Some((hash, _)) = self.proposal.as_ref().filter(|_| self.phase == Phase::Voting) else {
            return Err(Refused::NotNow);
        };
        let (Electorate { roster, stakes, .. }, statement) = (self.electorate, vote.statement);
        if (statement.height, statement.round) != (self.turn.height, self.turn.round) {
            return Err(Refused::OtherTurn);
        }
        if statement.header != *hash {
            return Err(Refused::OtherHeader);
        }
        // Looked at before anything is summed: a bitmap from outside may be as long as a message.
        let fits = vote.signers.as_bytes().len() <= roster.count().div_ceil(8);
        if !fits || vote.signers.places().next().is_none() || vote.signers.places().any(|place| stakes.at(place) == 0) {
            return Err(Refused::Signers);
        }
        if statement.verdict != Verdict::Attest && vote.signers.contains(self.place) {
            return Err(Refused::Accused);
        }
        let has_voted = |place| self.sides().any(|side| side.signers.contains(place));
        if vote.signers.places().any(has_voted) {
            return Err(Refused::Twice);
        }
        if !vote.holds(roster) {
            return Err(Refused::Share);
        }
        self.count(vote);
        Ok(())
    }

    fn sides(&self) -> impl Iterator<Item = &Side> {
        std::iter::once(&self.attesting).chain(self.refusing.iter().map(|(_, side)| side))
    }

    fn count(&mut self, vote: Vote) {
        let side = match vote.statement.verdict {
            Verdict::Attest => Some(&mut self.attesting),
            Verdict::Refuse(reason) => self.refusing.iter_mut().find(|(of, _)| *of == reason).map(|(_, side)| side),
        };
        let Some(side) = side else { return };
        // Rosters have at most 65535 places.
        vote.signers
            .places()
            .filter_map(|place| u16::try_from(place).ok())
            .for_each(|place| side.signers.insert(place));
        side.signatures.push(vote.signature);
    }

    fn end(&mut self) -> Option<Action> {
        match (self.phase, &self.proposal) {
            (Phase::Decided, _) => None,
            (_, None) => Some(Action::Decided(self.electorate.without_proposal())),
            (Phase::Proposing, Some((_, proposal))) => {
                let ask = Action::AskVote(proposal.clone());
                self.phase = Phase::Voting;
                Some(ask)
            }
            (Phase::Voting, Some((hash, proposal))) => Some(Action::Decided(self.decide(*hash, proposal))),
        }
    }

    fn decide(&self, hash: Hash, proposal: &Proposal) -> Outcome {
        let stakes = self.electorate.stakes;
        let need_against = stakes.quorum_against(self.place);
        let mut most_refusing = 0;
        for (reason, side) in &self.refusing {
            let have = stakes.of(&side.signers);
            if have >= need_against
                && let Some(signature) = bls::Signature::aggregate(&side.signatures)
            {
                let evidence = evidence::refusal(proposal.signed.clone(), *reason, &signature, side.signers.clone());
                return Outcome::Slash(Box::new(evidence), proposal.body.clone());
            }
            most_refusing = have.max(most_refusing);
        }
        // A header that this process' own execution contradicts is never sealed here, however many attest to it.
        if hash != self.own {
            return Outcome::NoQuorum { have: most_refusing, need: need_against };
        }
        let (have, need) = (stakes.of(&self.attesting.signers), stakes.quorum());
        match bls::Signature::aggregate(&self.attesting.signatures) {
            Some(attestation) if have >= need => Outcome::Sealed(Box::new(StakeSeal {
                signature: proposal.signed.signature,
                reveal: proposal.reveal.to_bytes(),
                attestation: attestation.to_bytes(),
                signers: self.attesting.signers.clone(),
            })),
            _ => Outcome::NoQuorum { have, need },
        }
    }
}
