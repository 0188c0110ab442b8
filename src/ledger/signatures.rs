//! Signature checks. They read no state, so they can be done ahead of execution, in batches, by a thread that has time.

use rand::CryptoRng;

use crate::chain::signature::{SignatureError, verify_signatures};
use crate::chain::{Content, Entry, Hash, Signatures};

/// What a transaction's signature is worth. Whether it was needed, and whether its key is the sender's, is judged when
/// the transaction is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// There is none, or the policy does not look at it.
    Absent,
    /// It is the one of its public key over the transaction, for this chain.
    Valid,
    /// It is not.
    Invalid,
}

/// Checks the signatures of entries: one answer for each entry, in their order ([`Signature::Absent`] for stubs).
///
/// Entries may be split over threads at will: the answers do not depend on it, nor on the randomness, which only must
/// not be foreseeable by those who signed.
pub fn verify(
    entries: &[Entry],
    policy: Signatures,
    genesis: &Hash,
    randomness: &mut impl CryptoRng,
) -> Vec<Signature> {
    let mut answers = vec![Signature::Absent; entries.len()];
    if policy == Signatures::Off {
        return answers;
    }
    let (places, signed): (Vec<usize>, Vec<_>) = (entries.iter().enumerate())
        .filter_map(|(place, entry)| match &entry.content {
            Content::Transaction { transaction, .. } if transaction.authorization.is_some() => {
                Some((place, transaction))
            }
            _ => None,
        })
        .unzip();
    if signed.is_empty() {
        return answers;
    }
    for (place, answer) in places.into_iter().zip(verify_signatures(signed, genesis, randomness)) {
        answers[place] = match answer {
            Ok(()) => Signature::Valid,
            Err(SignatureError::Missing) => Signature::Absent,
            Err(SignatureError::OtherKey | SignatureError::Invalid) => Signature::Invalid,
        };
    }
    answers
}
