//! A validator of this process: its keys, what it signed with them, and how it misbehaves, if it does.

use std::collections::BTreeMap;

use super::super::bls;
use super::super::keys::KeyPair;
use super::super::roster::Keys;
use super::fault::Fault;
use super::party::{Own, Reply};
use super::signing;
use super::turn::{Body, Proposal, Statement, Turn, Verdict};
use crate::chain::{Hash, Header, RefusalReason, SignedHeader, ValidatorId};
use crate::ledger::reexecute::input_difference;

/// Asked to sign a second, different thing for one turn. Nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "validator {validator} was asked to sign {asked} for height {height} round {round}, where it signed {signed} before; \
     nothing was signed. The input, the decisions or the state are no longer what they were: find out which before you start \
     again, for a new process does not remember what it signed"
)]
pub struct WouldEquivocate {
    /// Who.
    pub validator: ValidatorId,
    /// The height of the turn.
    pub height: u64,
    /// The round of the turn.
    pub round: u32,
    /// The header that it signed, or signed about, before.
    pub signed: Hash,
    /// The header that it was now asked about. The same one, if it would have said something else of it.
    pub asked: Hash,
}

/// What a validator remembers to have signed in a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Who.
    pub validator: ValidatorId,
    /// The height of the turn.
    pub height: u64,
    /// The round of the turn.
    pub round: u32,
    /// The header that it signed, or signed about.
    pub header: Hash,
    /// Whether it proposed the header, as the drawn validator does; else it said what it holds of it.
    pub is_proposal: bool,
}

/// A validator whose keys are in this process.
#[derive(Debug)]
pub struct LocalValidator {
    keys: KeyPair,
    fault: Option<Fault>,
    proposed: Memory<Hash>,
    voted: Memory<(Hash, Verdict)>,
}

impl LocalValidator {
    /// An honest validator.
    #[must_use]
    pub fn new(keys: KeyPair) -> LocalValidator {
        LocalValidator { keys, fault: None, proposed: Memory::new(), voted: Memory::new() }
    }

    /// The same validator, with a fault or, for `None`, without.
    #[must_use]
    pub fn with_fault(mut self, fault: Option<Fault>) -> LocalValidator {
        self.fault = fault;
        self
    }

    /// The same validator in another process, which remembers nothing.
    pub(super) fn anew(&self) -> LocalValidator {
        LocalValidator::new(self.keys.duplicate()).with_fault(self.fault)
    }

    /// What it remembers.
    pub(super) fn signed(&self) -> impl Iterator<Item = Signed> {
        let signed = |((height, round), header, is_proposal)| Signed {
            validator: self.id().clone(),
            height,
            round,
            header,
            is_proposal,
        };
        let proposed = self.proposed.signed.iter().map(|(turn, header)| (*turn, *header, true));
        proposed.chain(self.voted.signed.iter().map(|(turn, (header, _))| (*turn, *header, false))).map(signed)
    }

    pub(super) fn corrupt(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &ValidatorId {
        self.keys.id()
    }

    pub(super) fn public(&self) -> Keys {
        self.keys.public()
    }

    pub(super) fn is_silent(&self) -> bool {
        self.fault == Some(Fault::Silent)
    }

    /// What it says in its own turn.
    pub(super) fn propose(&mut self, own: &Own<'_>, turn: &Turn) -> Vec<Reply> {
        if let Some((entries, signatures)) = self.fault.and_then(|fault| fault.instead(own.input, own.signatures)) {
            return vec![Reply::Execute(entries, signatures)];
        }
        let header = own.executed.header.clone();
        if let Err(declined) = self.commit_to(turn, own.executed.hash) {
            return vec![Reply::Declined(declined)];
        }
        let twin = (self.fault == Some(Fault::Equivocate))
            .then(|| Header { time_ms: header.time_ms.wrapping_add(1), ..header.clone() });
        let headers = std::iter::once((own.executed.hash, header)).chain(twin.map(|twin| (twin.hash(), twin)));
        headers.map(|(hash, header)| self.proposal(turn, header, hash, None)).collect()
    }

    /// Proposes something else than executing the input gives.
    pub(super) fn propose_instead(&mut self, turn: &Turn, header: Header, body: Body) -> Vec<Reply> {
        let hash = header.hash();
        match self.commit_to(turn, hash) {
            Ok(()) => vec![self.proposal(turn, header, hash, Some(body))],
            Err(declined) => vec![Reply::Declined(declined)],
        }
    }

    fn commit_to(&mut self, turn: &Turn, hash: Hash) -> Result<(), WouldEquivocate> {
        let (height, round) = (turn.height, turn.round);
        let signed = self.proposed.keep_to(height, round, hash);
        let refused = |signed| WouldEquivocate { validator: self.id().clone(), height, round, signed, asked: hash };
        signed.map_err(refused)
    }

    fn proposal(&self, turn: &Turn, header: Header, hash: Hash, body: Option<Body>) -> Reply {
        let signature = self.keys.sign_ed25519(&signing::proposal(&hash));
        let reveal = self.keys.sign_bls(&turn.reveal_message());
        Reply::Proposed(Box::new(Proposal::made_here(SignedHeader { header, signature }, reveal, body)))
    }

    /// Its verdict on a proposal for this turn. `None`: silent. A cheat says nothing of its own proposal: it would not
    /// be counted.
    pub(super) fn judge(&self, own: &Own<'_>, turn: &Turn, proposal: &Proposal, header: &Hash) -> Option<Verdict> {
        if self.is_silent() {
            return None;
        }
        if *header == own.executed.hash {
            return Some(Verdict::Attest);
        }
        let follows = proposal.body.as_ref().is_none_or(|body| input_difference(own.input, &body.entries).is_none());
        let reason = if follows { RefusalReason::Execution } else { RefusalReason::Input };
        (turn.proposer != *self.id()).then_some(Verdict::Refuse(reason))
    }

    /// Its key, to sign this statement with: alone, or in a sum with others of this process. Refused where it has said
    /// something else in the same turn.
    pub(super) fn lend_key(&mut self, statement: &Statement) -> Result<&bls::SecretKey, WouldEquivocate> {
        let Statement { height, round, header: asked, verdict } = *statement;
        match self.voted.keep_to(height, round, (asked, verdict)) {
            Ok(()) => Ok(self.keys.bls()),
            Err((signed, _)) => Err(WouldEquivocate { validator: self.id().clone(), height, round, signed, asked }),
        }
    }
}

/// What one validator signed for the latest turns: one thing for each.
#[derive(Debug)]
struct Memory<T> {
    signed: BTreeMap<(u64, u32), T>,
}

impl<T: Copy + PartialEq> Memory<T> {
    /// More turns than one transaction of the log ever holds, so that a retry meets what it signed before.
    const TURNS_MAX: usize = 4096;

    fn new() -> Memory<T> {
        Memory { signed: BTreeMap::new() }
    }

    /// Remembers what is signed; errors with what was signed before, if that is something else.
    fn keep_to(&mut self, height: u64, round: u32, asked: T) -> Result<(), T> {
        let signed = *self.signed.entry((height, round)).or_insert(asked);
        if signed != asked {
            return Err(signed);
        }
        if self.signed.len() > Self::TURNS_MAX {
            self.signed.pop_first();
        }
        Ok(())
    }
}
