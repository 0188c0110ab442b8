//! Proof that a proposer offended: making it, and checking it from its own bytes and the validators' keys and stakes.
//!
//! ```text
//! equivocation   two headers of one genesis, height and round, both signed by one proposer      self-contained
//! refusal        one signed header and a certificate: validators with strictly more than two thirds of the stake that
//!                the others hold sign (header hash, reason). The accused has no vote and no weight
//! ```
//!
//! An offence costs the whole stake, once: a validator without stake cannot be convicted again ([`Flaw::NoStake`]).
//! Silence is no offence. Equivocation is stored with the smaller hash first, so that one offence has one identity.

use ed25519_zebra::Signature;

use super::super::bls;
use super::super::roster::{Roster, Stakes};
use super::signing;
use crate::chain::{Bitmap, Evidence, Hash, Header, RefusalReason, SignedHeader, StakeAuthor, ValidatorId};

/// Why evidence is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// A header belongs to another chain: what was signed there proves nothing here.
    #[error("evidence of the chain of genesis {found}, not {expected}")]
    Chain {
        /// This chain's genesis hash.
        expected: Hash,
        /// The header's.
        found: Hash,
    },
    /// A header names no proposer, so there is no validator to accuse.
    #[error("the header's author is no validator drawn by stake")]
    Author,
    /// The accused is not in the set.
    #[error("the accused, {0}, is not in the validator set")]
    Accused(ValidatorId),
    /// The accused has no stake: already slashed, or never had any. An offence costs the stake once.
    #[error("the accused, {0}, has no stake left to lose; an offence is punished once")]
    NoStake(ValidatorId),
    /// The two headers are not for one height and round.
    #[error("two headers for different turns (height {0} round {1}, height {2} round {3}) are no equivocation")]
    Turns(u64, u32, u64, u32),
    /// The two headers are not by one proposer.
    #[error("two headers by different proposers ({0} and {1}) are no equivocation")]
    Proposers(ValidatorId, ValidatorId),
    /// The two headers are one, or the second has the smaller hash.
    #[error("the first header's hash must be smaller than the second's ({0}, {1}); equal headers are no equivocation")]
    Order(Hash, Hash),
    /// A header is not signed by the accused.
    #[error("the header {1} is not signed by the accused, {0}")]
    Signature(ValidatorId, Hash),
    /// The bitmap names a place that no validator has.
    #[error("the bitmap of signers names a place beyond the set's {0}")]
    Bitmap(usize),
    /// The accused is among the signers.
    #[error("the accused, {0}, is among the signers")]
    AccusedSigns(ValidatorId),
    /// A validator without stake is among the signers.
    #[error("validator {0} signs but has no stake")]
    SignerWithoutStake(ValidatorId),
    /// Not enough stake refused.
    #[error("signers hold a stake of {have}, {need} are needed to convict")]
    TooFew {
        /// What the signers hold.
        have: u64,
        /// The least that convicts.
        need: u64,
    },
    /// The certificate is not the signers' over this header and reason.
    #[error("the certificate is not the named signers' over this header and reason")]
    Certificate,
}

/// What evidence proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offence {
    /// The offender's place in the validator set.
    pub place: usize,
    /// The height of the turn in which it offended.
    pub height: u64,
    /// The round of that turn.
    pub round: u32,
}

/// Evidence that one proposer signed both headers, in its one canonical order. `None`: they are the same header.
#[must_use]
pub fn equivocation(one: SignedHeader, other: SignedHeader) -> Option<Evidence> {
    match one.header.hash().cmp(&other.header.hash()) {
        std::cmp::Ordering::Less => Some(Evidence::Equivocation { first: one, second: other }),
        std::cmp::Ordering::Greater => Some(Evidence::Equivocation { first: other, second: one }),
        std::cmp::Ordering::Equal => None,
    }
}

/// Evidence that `signers` refused a header. `signature` is the sum of theirs over [`signing::refusal`].
#[must_use]
pub fn refusal(header: SignedHeader, reason: RefusalReason, signature: &bls::Signature, signers: Bitmap) -> Evidence {
    Evidence::Refusal { header, reason, signature: signature.to_bytes(), signers }
}

/// The header that names the turn and the accused.
#[must_use]
pub fn subject(evidence: &Evidence) -> &SignedHeader {
    match evidence {
        Evidence::Equivocation { first, .. } => first,
        Evidence::Refusal { header, .. } => header,
    }
}

/// Checks evidence in full, against the stakes as they stand when it is reported.
pub fn verify(evidence: &Evidence, genesis: &Hash, roster: &Roster, stakes: &Stakes) -> Result<Offence, Flaw> {
    let header = &subject(evidence).header;
    let author = turn_of(header, genesis)?;
    let place = roster.place(&author.proposer).ok_or_else(|| Flaw::Accused(author.proposer.clone()))?;
    if stakes.at(place) == 0 {
        return Err(Flaw::NoStake(author.proposer.clone()));
    }
    match evidence {
        Evidence::Equivocation { first, second } => check_equivocation(first, second, genesis, roster, place)?,
        Evidence::Refusal { header, reason, signature, signers } => {
            check_signed(header, roster, place)?;
            check_signers(signers, roster, stakes, place)?;
            check_certificate(header, *reason, signature, signers, roster)?;
        }
    }
    Ok(Offence { place, height: header.height, round: author.round })
}

/// The turn that a header of this chain names.
fn turn_of<'h>(header: &'h Header, genesis: &Hash) -> Result<&'h StakeAuthor, Flaw> {
    if header.genesis != *genesis {
        return Err(Flaw::Chain { expected: *genesis, found: header.genesis });
    }
    header.stake().ok_or(Flaw::Author)
}

fn check_equivocation(
    first: &SignedHeader,
    second: &SignedHeader,
    genesis: &Hash,
    roster: &Roster,
    place: usize,
) -> Result<(), Flaw> {
    let (a, b) = (turn_of(&first.header, genesis)?, turn_of(&second.header, genesis)?);
    let heights = (first.header.height, second.header.height);
    if (heights.0, a.round) != (heights.1, b.round) {
        return Err(Flaw::Turns(heights.0, a.round, heights.1, b.round));
    }
    if a.proposer != b.proposer {
        return Err(Flaw::Proposers(a.proposer.clone(), b.proposer.clone()));
    }
    let hashes = (check_signed(first, roster, place)?, check_signed(second, roster, place)?);
    if hashes.0 >= hashes.1 { Err(Flaw::Order(hashes.0, hashes.1)) } else { Ok(()) }
}

/// The header's hash, if the validator at `place` signed it.
fn check_signed(signed: &SignedHeader, roster: &Roster, place: usize) -> Result<Hash, Flaw> {
    let hash = signed.header.hash();
    let keys = roster.keys(place).ok_or(Flaw::Author)?;
    let refused = || Flaw::Signature(keys.id.clone(), hash);
    let signature = Signature::from(signed.signature);
    keys.ed25519.verify(&signature, &signing::proposal(&hash)).map_err(|_| refused())?;
    Ok(hash)
}

fn check_signers(signers: &Bitmap, roster: &Roster, stakes: &Stakes, accused: usize) -> Result<(), Flaw> {
    if signers.as_bytes().len() > roster.count().div_ceil(8) {
        return Err(Flaw::Bitmap(roster.count()));
    }
    for place in signers.places() {
        let keys = roster.keys(place).ok_or(Flaw::Bitmap(roster.count()))?;
        if place == accused {
            return Err(Flaw::AccusedSigns(keys.id.clone()));
        }
        if stakes.at(place) == 0 {
            return Err(Flaw::SignerWithoutStake(keys.id.clone()));
        }
    }
    let (have, need) = (stakes.of(signers), stakes.quorum_against(accused));
    if have < need { Err(Flaw::TooFew { have, need }) } else { Ok(()) }
}

fn check_certificate(
    header: &SignedHeader,
    reason: RefusalReason,
    signature: &[u8; bls::SIGNATURE_SIZE_BYTES],
    signers: &Bitmap,
    roster: &Roster,
) -> Result<(), Flaw> {
    let key = roster.aggregate_key(signers).ok_or(Flaw::Certificate)?;
    let signature = bls::Signature::from_bytes(signature).ok_or(Flaw::Certificate)?;
    let holds = signature.verify(&key, &signing::refusal(&header.header.hash(), reason));
    if holds { Ok(()) } else { Err(Flaw::Certificate) }
}
