//! Checking seals of kind stake: alone, and many heights at once.
//!
//! A seal says three things: the proposer signed this header, the reveal is the proposer's one signature over its turn,
//! and validators with strictly more than two thirds of the stake not slashed attest to the header.
//!
//! [`claims`] makes every check that costs no curve arithmetic and leaves the rest as claims; [`verify`] decides them
//! at once, [`verify_many`] decides those of many heights in one multi-pairing, about three times cheaper for each, and
//! finds the first bad one by halving. Which proposer was due is not a matter of the seal: see [`super::rounds`].

use ed25519_zebra::{Signature, VerificationKeyBytes, batch};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};

use super::super::bls;
use super::super::roster::{Roster, Stakes};
use super::signing;
use crate::chain::{Bitmap, Hash, Header, StakeSeal, ValidatorId};

/// Why a seal is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The header names no proposer.
    #[error("the header's author is no validator drawn by stake")]
    Author,
    /// The header belongs to another chain.
    #[error("header of the chain of genesis {found}, not {expected}")]
    Chain {
        /// This chain's genesis hash.
        expected: Hash,
        /// The header's.
        found: Hash,
    },
    /// The header belongs to another height.
    #[error("header of height {found}, not {expected}")]
    Height {
        /// The height being checked.
        expected: u64,
        /// The header's.
        found: u64,
    },
    /// The proposer is not in the set.
    #[error("proposer {0} is not in the validator set")]
    Proposer(ValidatorId),
    /// The Ed25519 signature is not the proposer's over this header.
    #[error("the signature is not proposer {0}'s over this header")]
    Signature(ValidatorId),
    /// The reveal is not the proposer's over this turn.
    #[error("the reveal is not proposer {0}'s for this height, round and seed")]
    Reveal(ValidatorId),
    /// The bitmap names a place that no validator has.
    #[error("the bitmap of signers names place {place}, the set has {count}")]
    Bitmap {
        /// The place.
        place: usize,
        /// How many validators there are.
        count: usize,
    },
    /// The bitmap names a validator without stake.
    #[error("validator {0} signs but has no stake (slashed, or never had any)")]
    NoStake(ValidatorId),
    /// Not enough stake signed.
    #[error("signers hold a stake of {have}, {need} are needed")]
    TooFew {
        /// What the signers hold.
        have: u64,
        /// The least that seals.
        need: u64,
    },
    /// The attestation is not the signers' over this header.
    #[error("the attestation is not the named signers' over this header")]
    Attestation,
}

/// What remains to be checked of a seal, all of it curve arithmetic.
#[derive(Debug, Clone)]
pub struct Claims {
    proposer: ValidatorId,
    signature: SignatureClaim,
    reveal: bls::Claim,
    attestation: bls::Claim,
}

/// The chain and height a seal is checked at, and the validators that decide there.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'c> {
    /// The chain: its genesis hash.
    pub genesis: &'c Hash,
    /// The height.
    pub height: u64,
    /// The validators' keys.
    pub roster: &'c Roster,
    /// Stakes in the round that sealed: a validator slashed in a round before it has none.
    pub stakes: &'c Stakes,
}

/// Checks everything about a seal but its curve arithmetic. `hash` is the header's hash, which the caller has computed.
pub fn claims(standing: &Standing<'_>, header: &Header, hash: &Hash, seal: &StakeSeal) -> Result<Claims, Flaw> {
    if header.genesis != *standing.genesis {
        return Err(Flaw::Chain { expected: *standing.genesis, found: header.genesis });
    }
    if header.height != standing.height {
        return Err(Flaw::Height { expected: standing.height, found: header.height });
    }
    let roster = standing.roster;
    let author = header.stake().ok_or(Flaw::Author)?;
    let proposer = &author.proposer;
    let keys = roster.place(proposer).and_then(|place| roster.keys(place));
    let keys = keys.ok_or_else(|| Flaw::Proposer(proposer.clone()))?;
    check_signers(standing, seal)?;
    Ok(Claims {
        proposer: proposer.clone(),
        signature: SignatureClaim { key: keys.ed25519.into(), header: *hash, signature: seal.signature },
        reveal: bls::Claim {
            key: keys.bls,
            message: signing::reveal(&header.genesis, header.height, author.round, &author.seed).to_vec(),
            signature: seal.reveal,
        },
        attestation: bls::Claim {
            key: roster.aggregate_key(&seal.signers).ok_or(Flaw::Attestation)?,
            message: signing::attestation(hash).to_vec(),
            signature: seal.attestation,
        },
    })
}

/// Checks one seal in full.
pub fn verify(standing: &Standing<'_>, header: &Header, hash: &Hash, seal: &StakeSeal) -> Result<(), Flaw> {
    claims(standing, header, hash, seal)?.decide()
}

/// Decides the claims of many seals. Errors: the index of the first bad one and its flaw; the answer is that of
/// [`Claims::decide`] on each. Work is done on the calling thread; callers share it out by slices.
pub fn verify_many(seals: &[Claims]) -> Result<(), (usize, Flaw)> {
    match seals {
        [] => Ok(()),
        [seal] => seal.clone().decide().map_err(|flaw| (0, flaw)),
        _ if all_hold(seals) => Ok(()),
        _ => {
            let (left, right) = seals.split_at(seals.len() / 2);
            verify_many(left)?;
            verify_many(right).map_err(|(index, flaw)| (left.len() + index, flaw))
        }
    }
}

impl Claims {
    /// Decides these claims alone.
    pub fn decide(self) -> Result<(), Flaw> {
        self.signature.item().verify_single().map_err(|_| Flaw::Signature(self.proposer.clone()))?;
        if !self.reveal.holds() {
            return Err(Flaw::Reveal(self.proposer));
        }
        if !self.attestation.holds() {
            return Err(Flaw::Attestation);
        }
        Ok(())
    }
}

fn check_signers(standing: &Standing<'_>, seal: &StakeSeal) -> Result<(), Flaw> {
    let count = standing.roster.count();
    // Looked at before anything is summed: a bitmap from outside may be as long as a message.
    if seal.signers.as_bytes().len() > count.div_ceil(8) {
        return Err(Flaw::Bitmap { place: highest_place(&seal.signers), count });
    }
    for place in seal.signers.places() {
        let keys = standing.roster.keys(place).ok_or(Flaw::Bitmap { place, count })?;
        if standing.stakes.at(place) == 0 {
            return Err(Flaw::NoStake(keys.id.clone()));
        }
    }
    let (have, need) = (standing.stakes.of(&seal.signers), standing.stakes.quorum());
    if have < need { Err(Flaw::TooFew { have, need }) } else { Ok(()) }
}

fn highest_place(signers: &Bitmap) -> usize {
    // The last byte of a bitmap is never zero.
    let bytes = signers.as_bytes();
    let bits = bytes.last().and_then(|last| last.checked_ilog2()).unwrap_or(0);
    bytes.len().saturating_sub(1) * 8 + bits as usize
}

/// `key` signed the proposal of the header with this hash (Ed25519).
#[derive(Debug, Clone)]
struct SignatureClaim {
    key: VerificationKeyBytes,
    header: Hash,
    signature: [u8; 64],
}

impl SignatureClaim {
    fn item(&self) -> batch::Item {
        (self.key, Signature::from(self.signature), &signing::proposal(&self.header)).into()
    }
}

fn all_hold(seals: &[Claims]) -> bool {
    signatures_hold(seals.iter().map(|seal| &seal.signature))
        && bls::verify_all(seals.iter().flat_map(|seal| [&seal.reveal, &seal.attestation]))
}

/// Like [`bls::verify_all`], the coefficients follow from everything that is claimed.
fn signatures_hold<'c>(claims: impl Iterator<Item = &'c SignatureClaim>) -> bool {
    let mut verifier = batch::Verifier::new();
    let mut commitment = Sha256::new();
    commitment.update(b"cairn/batch/ed25519/1");
    for claim in claims {
        commitment.update(<[u8; 32]>::from(claim.key));
        commitment.update(claim.header.0);
        commitment.update(claim.signature);
        verifier.queue(claim.item());
    }
    verifier.verify(StdRng::from_seed(commitment.finalize().into())).is_ok()
}

#[cfg(test)]
impl Claims {
    pub(super) fn break_signature(&mut self) -> ValidatorId {
        self.signature.signature[3] ^= 1;
        self.proposer.clone()
    }

    pub(super) fn break_reveal(&mut self) -> ValidatorId {
        self.reveal.message.push(0);
        self.proposer.clone()
    }

    pub(super) fn break_attestation(&mut self) {
        self.attestation.message.push(0);
    }

    pub(super) fn swap_attestation_signatures(&mut self, other: &mut Claims) {
        std::mem::swap(&mut self.attestation.signature, &mut other.attestation.signature);
    }
}
