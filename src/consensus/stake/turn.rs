//! Proposals and votes: values that need nothing around them to be judged, and that have canonical bytes.
//!
//! ```text
//! Turn       genesis 32 | height u64 | round u32 | seed 32 | proposer str
//! Proposal   header, signature 64 | reveal 48 | ?Body                   by the drawn validator
//! Body       entries | operations                                       what a proposal is about, where that is not the input
//! Statement  height u64 | round u32 | header hash 32 | verdict          what is said of a proposal
//! Vote       Statement | signers bitmap | signature 48                  by validators whose keys are in one process
//! verdict    0 attest | 1 refuse, reason u8
//! ```

use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_zebra::Signature;

use super::super::bls;
use super::super::roster::Roster;
use super::signing;
use crate::chain::{
    Bitmap, Entry, Hash, Header, Operation, RefusalReason, SignedHeader, ValidatorId, check::operations_root,
    check::transactions_root,
};

/// A round of a height of a chain, and the validator drawn for it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Turn {
    /// The chain's genesis hash.
    pub genesis: Hash,
    /// The height.
    pub height: u64,
    /// The round.
    pub round: u32,
    /// The seed of the height.
    pub seed: Hash,
    /// The drawn validator.
    pub proposer: ValidatorId,
}

impl Turn {
    /// The turn that a header was made in. `None`: its author is no validator drawn by stake.
    #[must_use]
    pub fn of(header: &Header) -> Option<Turn> {
        let author = header.stake()?;
        Some(Turn {
            genesis: header.genesis,
            height: header.height,
            round: author.round,
            seed: author.seed,
            proposer: author.proposer.clone(),
        })
    }

    /// What the drawn validator signs as its reveal.
    #[must_use]
    pub fn reveal_message(&self) -> Vec<u8> {
        signing::reveal(&self.genesis, self.height, self.round, &self.seed).to_vec()
    }
}

/// What a proposer sends to the others.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// The header with the proposer's signature.
    pub signed: SignedHeader,
    /// The proposer's reveal for this turn.
    pub reveal: bls::Signature,
    /// What the header is about, where that is something else than what executing the input gives.
    pub body: Option<Body>,
    #[borsh(skip)]
    trust: Trust,
}

/// Entries and operations of a proposal. Kept beside evidence as its witness, so that a refusal can be checked again.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Body {
    /// With their receipts.
    pub entries: Vec<Entry>,
    /// All of the block.
    pub operations: Vec<Operation>,
}

/// Whether this process has to check a value's signatures. Not part of what is said, and never sent: a value that was
/// read from bytes is one to check.
#[derive(Debug, Clone, Copy, Default)]
enum Trust {
    #[default]
    None,
    /// Signed or checked in this process.
    Checked,
}

impl PartialEq for Trust {
    fn eq(&self, _: &Trust) -> bool {
        true
    }
}

impl Eq for Trust {}

/// Why a proposal or a vote does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It belongs to another chain, height or round, or names another validator than the drawn one.
    #[error("it belongs to another turn")]
    OtherTurn,
    /// The header is not signed by the drawn validator.
    #[error("the header is not signed by the drawn validator")]
    Signature,
    /// The reveal is not the drawn validator's for this turn.
    #[error("the reveal is not the drawn validator's for this turn")]
    Reveal,
    /// The body is not the one that the header commits to.
    #[error("the body is not the header's")]
    Body,
    /// The vote is about a header that is not on the table.
    #[error("the vote is about another header")]
    OtherHeader,
    /// The signers are no validators, have no stake, or are none.
    #[error("the signers are not validators with stake")]
    Signers,
    /// The accused has no vote in its own case.
    #[error("the accused is among the signers of a refusal")]
    Accused,
    /// One of the signers has voted before.
    #[error("one of the signers has voted before")]
    Twice,
    /// The signature is not the signers' over this statement.
    #[error("the signature is not the signers'")]
    Share,
    /// The same proposal was on the table before.
    #[error("the proposal came before")]
    Again,
    /// It came before it was asked for, or after the turn was decided.
    #[error("it came before it was asked for, or after the decision")]
    NotNow,
}

impl Proposal {
    /// As it comes from another process.
    #[must_use]
    pub fn received(signed: SignedHeader, reveal: bls::Signature, body: Option<Body>) -> Proposal {
        Proposal { signed, reveal, body, trust: Trust::None }
    }

    /// Signed in this process with the drawn validator's keys.
    pub(super) fn made_here(signed: SignedHeader, reveal: bls::Signature, body: Option<Body>) -> Proposal {
        Proposal { signed, reveal, body, trust: Trust::Checked }
    }

    /// The header's hash, if the drawn validator of the turn signed it.
    pub(super) fn check_header(&self, turn: &Turn, roster: &Roster) -> Result<Hash, Refused> {
        let header = &self.signed.header;
        if Turn::of(header).as_ref() != Some(turn) {
            return Err(Refused::OtherTurn);
        }
        let hash = header.hash();
        if matches!(self.trust, Trust::None) {
            let keys = roster.place(&turn.proposer).and_then(|place| roster.keys(place)).ok_or(Refused::OtherTurn)?;
            let signature = Signature::from(self.signed.signature);
            keys.ed25519.verify(&signature, &signing::proposal(&hash)).map_err(|_| Refused::Signature)?;
        }
        Ok(hash)
    }

    /// Checks all of it, and notes that it was checked; the header's hash.
    pub(super) fn check(&mut self, turn: &Turn, roster: &Roster) -> Result<Hash, Refused> {
        let hash = self.check_header(turn, roster)?;
        if matches!(self.trust, Trust::Checked) {
            return Ok(hash);
        }
        let keys = roster.place(&turn.proposer).and_then(|place| roster.keys(place)).ok_or(Refused::OtherTurn)?;
        if !self.reveal.verify(&keys.bls, &turn.reveal_message()) {
            return Err(Refused::Reveal);
        }
        let header = &self.signed.header;
        let belongs = |body: &Body| {
            transactions_root(&body.entries) == header.transactions_root
                && operations_root(&body.operations) == header.operations_root
        };
        if !self.body.as_ref().is_none_or(belongs) {
            return Err(Refused::Body);
        }
        self.trust = Trust::Checked;
        Ok(hash)
    }
}

/// What a validator says about a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Verdict {
    /// Executing the input gives this header.
    Attest,
    /// It does not, and this is why.
    Refuse(RefusalReason),
}

/// A verdict on one header, as it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Statement {
    /// The height of the turn.
    pub height: u64,
    /// The round of the turn.
    pub round: u32,
    /// The header's hash.
    pub header: Hash,
    /// The verdict.
    pub verdict: Verdict,
}

impl Statement {
    /// The bytes that are signed (BLS).
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        match self.verdict {
            Verdict::Attest => signing::attestation(&self.header).to_vec(),
            Verdict::Refuse(reason) => signing::refusal(&self.header, reason).to_vec(),
        }
    }
}

/// A statement, signed by validators whose keys are in one process: one, or several with the sum of their keys.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Vote {
    /// The statement.
    pub statement: Statement,
    /// Who says it, by place.
    pub signers: Bitmap,
    /// The sum of their signatures.
    pub signature: bls::Signature,
    #[borsh(skip)]
    trust: Trust,
}

impl Vote {
    /// As it comes from another process.
    #[must_use]
    pub fn received(statement: Statement, signers: Bitmap, signature: bls::Signature) -> Vote {
        Vote { statement, signers, signature, trust: Trust::None }
    }

    /// Signed in this process with the signers' keys.
    pub(super) fn made_here(statement: Statement, signers: Bitmap, signature: bls::Signature) -> Vote {
        Vote { statement, signers, signature, trust: Trust::Checked }
    }

    /// Whether the signature is the signers'.
    pub(super) fn holds(&self, roster: &Roster) -> bool {
        if matches!(self.trust, Trust::Checked) {
            return true;
        }
        let key = roster.aggregate_key(&self.signers);
        key.is_some_and(|key| self.signature.verify(&key, &self.statement.message()))
    }
}
