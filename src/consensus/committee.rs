//! One round: the drawn validator proposes, the others judge, and the signatures of enough of them decide.

use std::rc::Rc;

use super::roster::Stakes;
use super::rounds::Start;
use super::validator::{Body, Proposal, Share, Statement, Validator, Verdict};
use super::{Error, bls, evidence};
use crate::chain::{Bitmap, Cut, Entry, Evidence, Operation, RefusalReason, Seal, ValidatorId};
use crate::ledger::{self, Candidate, Executed, Signature};

/// A round of a height, and who is due in it.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'t> {
    /// Chain, height, seed and keys.
    pub start: Start<'t>,
    /// Stakes in this round.
    pub stakes: &'t Stakes,
    /// The round.
    pub round: u32,
    /// The place of the drawn validator.
    pub place: usize,
    /// The drawn validator.
    pub proposer: &'t ValidatorId,
}

/// Executes candidates.
pub type Execute<'b, E> = dyn Fn(&Candidate<'_>) -> Result<Executed, ledger::Error<E>> + 'b;

/// Where the validators of this process execute: the input of one round, and its outcome, which is computed once.
pub struct Bench<'b, E> {
    pub(super) entries: &'b [Entry],
    pub(super) signatures: &'b [Signature],
    pub(super) cut: Cut,
    pub(super) proposer: &'b ValidatorId,
    pub(super) round: u32,
    pub(super) prior: &'b [Operation],
    pub(super) execute: &'b Execute<'b, E>,
    pub(super) own: Option<Rc<Executed>>,
}

impl<E> Bench<'_, E> {
    /// What executing the input gives.
    pub fn own(&mut self) -> Result<Rc<Executed>, Error<E>> {
        if let Some(own) = &self.own {
            return Ok(Rc::clone(own));
        }
        let own = Rc::new(self.execute(self.entries, self.signatures)?);
        self.own = Some(Rc::clone(&own));
        Ok(own)
    }

    /// What executing other entries in the place of the input gives.
    pub fn execute(&self, entries: &[Entry], signatures: &[Signature]) -> Result<Executed, Error<E>> {
        let Bench { cut, proposer, round, prior, .. } = *self;
        let candidate = Candidate { entries, signatures, cut, proposer, round, prior, extensions: &[] };
        (self.execute)(&candidate).map_err(Error::Ledger)
    }

    /// A copy of the input.
    #[must_use]
    pub fn input(&self) -> (Vec<Entry>, Vec<Signature>) {
        (self.entries.to_vec(), self.signatures.to_vec())
    }
}

/// How a round ended.
#[derive(Debug)]
pub enum Outcome {
    /// Enough stake attests to what executing the input gives.
    Sealed(Seal),
    /// The proposer cheated, and here is the proof; for a refusal with what it proposed.
    Slash(Box<Evidence>, Option<Body>),
    /// The proposer made no proposal, and the others could seal one.
    Missed,
    /// Neither enough attest nor enough refuse.
    NoQuorum {
        /// The stake that signs, or that is there to sign.
        have: u64,
        /// What is needed.
        need: u64,
    },
}

/// The validators, by their places. A place without a validator is silent.
#[derive(Debug)]
pub struct Committee<V> {
    seats: Vec<Option<V>>,
}

impl<V: Validator> Committee<V> {
    /// `seats` by place.
    #[must_use]
    pub fn new(seats: Vec<Option<V>>) -> Committee<V> {
        Committee { seats }
    }

    /// Runs one round.
    pub fn run<E>(&mut self, turn: &Turn<'_>, bench: &mut Bench<'_, E>) -> Result<Outcome, Error<E>> {
        let mut proposals = match self.seats.get_mut(turn.place) {
            Some(Some(proposer)) => proposer.propose(turn, bench)?.into_iter(),
            _ => return Ok(self.missed(turn)),
        };
        let Some(proposal) = proposals.next() else {
            return Ok(self.missed(turn));
        };
        for other in proposals {
            if let Some(evidence) = evidence::equivocation(proposal.signed.clone(), other.signed) {
                return Ok(Outcome::Slash(Box::new(evidence), None));
            }
        }
        let own = bench.own()?;
        let verdicts = self.judge(turn, &proposal, &own, bench.entries);
        self.decide(turn, proposal, &own, &verdicts)
    }

    /// No proposal. Where those who are present could seal no other one either, passing the round would only pile up
    /// decisions.
    fn missed(&self, turn: &Turn<'_>) -> Outcome {
        let present = |(place, seat): (usize, &Option<V>)| {
            let takes_part = seat.as_ref().is_some_and(Validator::is_present);
            u16::try_from(place).ok().filter(|_| takes_part)
        };
        let have = turn.stakes.of(&self.seats.iter().enumerate().filter_map(present).collect());
        let need = turn.stakes.quorum();
        if have < need { Outcome::NoQuorum { have, need } } else { Outcome::Missed }
    }

    /// The verdicts of everybody with stake, by place. Whoever proposes stands by its proposal.
    fn judge(
        &mut self,
        turn: &Turn<'_>,
        proposal: &Proposal,
        own: &Executed,
        input: &[Entry],
    ) -> Vec<(usize, Verdict)> {
        let mut verdicts = vec![(turn.place, Verdict::Attest)];
        for (place, seat) in self.seats.iter_mut().enumerate() {
            let Some(validator) = seat else { continue };
            if place != turn.place && turn.stakes.at(place) > 0 {
                verdicts.extend(validator.judge(proposal, own, input).map(|verdict| (place, verdict)));
            }
        }
        verdicts.sort_unstable_by_key(|(place, _)| *place);
        verdicts
    }

    fn decide<E>(
        &mut self,
        turn: &Turn<'_>,
        proposal: Proposal,
        own: &Executed,
        verdicts: &[(usize, Verdict)],
    ) -> Result<Outcome, Error<E>> {
        let mut most_refusing = 0;
        for reason in [RefusalReason::Input, RefusalReason::Execution] {
            let (signers, have) = tally(turn.stakes, verdicts, Verdict::Refuse(reason));
            if have >= turn.stakes.quorum_against(turn.place) {
                let signature = self.sign(turn, &proposal, Verdict::Refuse(reason), &signers)?;
                let evidence = evidence::refusal(proposal.signed, reason, &signature, signers);
                return Ok(Outcome::Slash(Box::new(evidence), proposal.body));
            }
            most_refusing = have.max(most_refusing);
        }
        let (signers, have) = tally(turn.stakes, verdicts, Verdict::Attest);
        // A header that this process' own execution contradicts is never sealed here, whoever attests to it.
        let agrees = proposal.hash == own.hash;
        if agrees && have >= turn.stakes.quorum() {
            let attestation = self.sign(turn, &proposal, Verdict::Attest, &signers)?;
            return Ok(Outcome::Sealed(Seal {
                scheme: Seal::ED25519_BLS,
                signature: proposal.signed.signature,
                reveal: proposal.reveal.to_bytes(),
                attestation: attestation.to_bytes(),
                signers,
            }));
        }
        Ok(if agrees {
            Outcome::NoQuorum { have, need: turn.stakes.quorum() }
        } else {
            Outcome::NoQuorum { have: most_refusing, need: turn.stakes.quorum_against(turn.place) }
        })
    }

    /// The sum of the signers' signatures. Keys of this process are added up and sign once, so the message is hashed to the
    /// curve once however many they are. What was signed here is not verified again.
    fn sign<E>(
        &mut self,
        turn: &Turn<'_>,
        proposal: &Proposal,
        verdict: Verdict,
        signers: &Bitmap,
    ) -> Result<bls::Signature, Error<E>> {
        let statement = Statement { height: turn.start.height, round: turn.round, header: proposal.hash, verdict };
        let (mut keys, mut signatures) = (Vec::new(), Vec::new());
        for (_, seat) in self.seats.iter_mut().enumerate().filter(|(place, _)| signers.contains(*place)) {
            match seat.as_mut().map(|validator| validator.sign(&statement)).transpose()? {
                Some(Share::Key(key)) => keys.push(key),
                Some(Share::Signature(signature)) => signatures.push(signature),
                None => {}
            }
        }
        let message = statement.message();
        match bls::SecretKey::sum(keys.iter().copied()) {
            Some(sum) => signatures.push(sum.sign(&message)),
            // Keys that cancel each other out have no sum that signs; they still sign one by one.
            None => signatures.extend(keys.iter().map(|key| key.sign(&message))),
        }
        bls::Signature::aggregate(&signatures).ok_or(Error::NobodySigned)
    }
}

/// Who gave a verdict, and what stake they hold.
fn tally(stakes: &Stakes, verdicts: &[(usize, Verdict)], wanted: Verdict) -> (Bitmap, u64) {
    let places = verdicts.iter().filter(|(_, verdict)| *verdict == wanted).map(|(place, _)| *place);
    // Rosters have at most 65535 places.
    let signers: Bitmap = places.filter_map(|place| u16::try_from(place).ok()).collect();
    let have = stakes.of(&signers);
    (signers, have)
}
