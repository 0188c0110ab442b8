//! Signatures of accounts: Ed25519 by the rules of ZIP-215, under which verifying one by one and in batches agree on
//! every input.

use ed25519_zebra::{Signature, SigningKey, VerificationKeyBytes, batch};

use super::hash::Hash;
use super::transaction::{Authorization, Transaction};

/// Why a transaction's authorization does not authorize it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error("the transaction is not signed")]
    Missing,
    /// The sender is a keyed account, and the key is another one.
    #[error("the public key is not the one the sender's name gives")]
    OtherKey,
    /// The signature is not one of the key over [`Transaction::signing_bytes`].
    #[error("the signature does not verify")]
    Invalid,
}

impl Transaction {
    /// Signs the transaction for the chain of a genesis.
    #[must_use]
    pub fn signed(mut self, genesis: &Hash, key: &SigningKey) -> Self {
        let public_key: [u8; 32] = VerificationKeyBytes::from(key).into();
        let signature = key.sign(&self.signing_bytes(genesis, &public_key)).to_bytes();
        self.authorization = Some(Authorization { public_key, signature });
        self
    }

    /// Whether the transaction carries a signature that is valid on this chain and, where the sender is a keyed
    /// account, made with that account's key. Whether a signature is *needed* is not asked here.
    pub fn verify_signature(&self, genesis: &Hash) -> Result<(), SignatureError> {
        let item = self.signature_item(genesis)?;
        item.verify_single().map_err(|_| SignatureError::Invalid)
    }

    fn signature_item(&self, genesis: &Hash) -> Result<batch::Item, SignatureError> {
        let Authorization { public_key, signature } = self.authorization.ok_or(SignatureError::Missing)?;
        if self.from.public_key().is_some_and(|expected| expected != public_key) {
            return Err(SignatureError::OtherKey);
        }
        let message = self.signing_bytes(genesis, &public_key);
        Ok((VerificationKeyBytes::from(public_key), Signature::from_bytes(&signature), &message).into())
    }
}

/// [`Transaction::verify_signature`] for many transactions at once, at about half the cost of one by one; the answers
/// are the same, in the order given. The randomness weighs the signatures against each other: it must not be
/// foreseeable by their makers, and it does not change the answers. Where a batch fails, its transactions are
/// verified one by one.
pub fn verify_signatures<'a>(
    transactions: impl IntoIterator<Item = &'a Transaction>,
    genesis: &Hash,
    randomness: &mut impl rand::CryptoRng,
) -> Vec<Result<(), SignatureError>> {
    let items: Vec<_> = transactions.into_iter().map(|transaction| transaction.signature_item(genesis)).collect();
    let mut verifier = batch::Verifier::new();
    items.iter().flatten().for_each(|item| verifier.queue(item.clone()));
    let all_valid = verifier.verify(randomness).is_ok();
    let judge = |item: batch::Item| {
        if all_valid { Ok(()) } else { item.verify_single().map_err(|_| SignatureError::Invalid) }
    };
    items.into_iter().map(|item| item.and_then(judge)).collect()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::chain::{Amount, Name};

    const CHAIN: Hash = Hash([1; 32]);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from([seed; 32])
    }

    fn transfer(seed: u8) -> Transaction {
        let from = Name::keyed(&VerificationKeyBytes::from(&key(seed)).into());
        Transaction::transfer(from, "bob".parse().unwrap(), Amount::new(u64::from(seed)).unwrap())
    }

    #[test]
    fn a_signature_holds_for_one_chain_one_body_and_one_key() {
        let signed = transfer(1).signed(&CHAIN, &key(1));
        assert_eq!(signed.verify_signature(&CHAIN), Ok(()));
        assert_eq!(signed.verify_signature(&Hash([2; 32])), Err(SignatureError::Invalid));
        let altered = Transaction { amount: Amount::new(2).unwrap(), ..signed.clone() };
        assert_eq!(altered.verify_signature(&CHAIN), Err(SignatureError::Invalid));
        let unsigned = Transaction { authorization: None, ..signed };
        assert_eq!(unsigned.verify_signature(&CHAIN), Err(SignatureError::Missing));
        assert_eq!(transfer(1).signed(&CHAIN, &key(2)).verify_signature(&CHAIN), Err(SignatureError::OtherKey));
    }

    #[test]
    fn a_batch_answers_as_one_by_one_does_also_where_it_fails() {
        let mut randomness = ChaCha20Rng::seed_from_u64(7);
        let mut transactions: Vec<_> = (1..20).map(|seed| transfer(seed).signed(&CHAIN, &key(seed))).collect();
        let one_by_one = |transactions: &[Transaction]| -> Vec<_> {
            transactions.iter().map(|transaction| transaction.verify_signature(&CHAIN)).collect()
        };
        assert_eq!(verify_signatures(&transactions, &CHAIN, &mut randomness), one_by_one(&transactions));
        transactions[3].nonce = Some(1);
        transactions[5].authorization = None;
        transactions[9].authorization.as_mut().unwrap().signature = [0xff; 64];
        transactions[11].authorization.as_mut().unwrap().public_key = [0; 32];
        let answers = verify_signatures(&transactions, &CHAIN, &mut randomness);
        assert_eq!(answers, one_by_one(&transactions));
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 4);
    }

    #[test]
    fn what_is_signed_is_laid_out_as_documented() {
        let transaction = transfer(1);
        let bytes = transaction.signing_bytes(&CHAIN, &[9; 32]);
        let body = &crate::chain::to_canonical(&transaction)[..];
        let expected = [b"cairn/tx/1\0\0\0\0\0\0", &[1; 32][..], &[9; 32], &body[..body.len() - 1]].concat();
        assert_eq!(bytes, expected);
    }
}
