//! Proof of an offence.

use borsh::{BorshDeserialize, BorshSerialize};

use super::code::codes;
use super::encoding::to_canonical;
use super::hash::{Domain, Hash, hash};
use super::header::Header;
use super::validator::Bitmap;

codes! {
    /// Why validators refuse a header.
    pub enum RefusalReason {
        /// The entries are not the ones the input holds.
        Input = 1 => "does_not_follow_from_the_input",
        /// Executing the entries gives something else.
        Execution = 2 => "does_not_re_execute",
    }
}

/// A header and its proposer's signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedHeader {
    /// The header.
    pub header: Header,
    /// Ed25519 by the proposer over [`Domain::Proposal`]'s message of the header's hash.
    pub signature: [u8; 64],
}

/// Proof that a validator offended. It needs nothing but the validators' keys and stakes to be checked.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[expect(clippy::large_enum_variant, reason = "evidence is rare, and boxed where it is kept")]
#[repr(u8)]
pub enum Evidence {
    /// Two headers by one proposer for one height and round.
    Equivocation {
        /// The header with the smaller hash.
        first: SignedHeader,
        /// The header with the larger hash.
        second: SignedHeader,
    } = 1,
    /// A header that more than two thirds of the stake refuse, the accused not voting.
    Refusal {
        /// What is refused.
        header: SignedHeader,
        /// Why.
        reason: RefusalReason,
        /// BLS over [`Domain::Refusal`]'s message of the header's hash and the reason, aggregated.
        signature: [u8; 48],
        /// Who refused, by their places in the validator set.
        signers: Bitmap,
    } = 2,
}

impl Evidence {
    /// The identity of the evidence: `hash(Evidence, canonical bytes)`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        hash(Domain::Evidence, &[&to_canonical(self)])
    }
}
