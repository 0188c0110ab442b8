//! One value, one encoding.

use borsh::{BorshDeserialize, BorshSerialize};
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// A value comes back from its bytes; shortened, lengthened or altered bytes give an error or another value, never
/// the same one.
fn has_one_encoding<T>(value: &T, at: Index, flip: u8) -> Result<(), TestCaseError>
where
    T: BorshSerialize + BorshDeserialize + PartialEq + std::fmt::Debug,
{
    let mut bytes = to_canonical(value);
    prop_assert_eq!(&from_canonical::<T>(&bytes).unwrap(), value);
    prop_assert!(from_canonical::<T>(&bytes[..at.index(bytes.len())]).is_err());
    bytes.push(0);
    prop_assert!(from_canonical::<T>(&bytes).is_err());
    bytes.pop();
    let at = at.index(bytes.len());
    bytes[at] ^= flip;
    if let Ok(other) = from_canonical::<T>(&bytes) {
        prop_assert_ne!(&other, value);
        prop_assert_eq!(to_canonical(&other), bytes);
    }
    Ok(())
}

/// The value of the bytes with one of them altered, if they are of one.
fn altered<T: BorshSerialize + BorshDeserialize>(value: &T, at: Index, flip: u8) -> Option<T> {
    let mut bytes = to_canonical(value);
    let at = at.index(bytes.len());
    bytes[at] ^= flip;
    from_canonical(&bytes).ok()
}

proptest! {
    #[test]
    fn entries_have_one_encoding(value in arbitrary::entry(), at: Index, flip in 1_u8..) {
        has_one_encoding(&value, at, flip)?;
    }

    #[test]
    fn headers_have_one_encoding(value in arbitrary::header(), at: Index, flip in 1_u8..) {
        has_one_encoding(&value, at, flip)?;
    }

    #[test]
    fn operations_have_one_encoding(value in arbitrary::operation(), at: Index, flip in 1_u8..) {
        has_one_encoding(&value, at, flip)?;
    }

    #[test]
    fn genesis_has_one_encoding(value in arbitrary::genesis(), at: Index, flip in 1_u8..) {
        has_one_encoding(&value, at, flip)?;
    }

    #[test]
    fn seals_have_one_encoding(value in arbitrary::seal(), at: Index, flip in 1_u8..) {
        has_one_encoding(&value, at, flip)?;
    }

    #[test]
    fn one_byte_changed_is_another_hash(
        header in arbitrary::header(), entry in arbitrary::entry(), genesis in arbitrary::genesis(), at: Index, flip in 1_u8..,
    ) {
        if let Some(other) = altered(&header, at, flip) {
            prop_assert_ne!(other.hash(), header.hash());
        }
        if let Some(other) = altered(&entry, at, flip) {
            prop_assert_ne!(merkle::leaves([&other]), merkle::leaves([&entry]));
        }
        if let Some(other) = altered(&genesis, at, flip) {
            prop_assert_ne!(other.hash(), genesis.hash());
            prop_assert_eq!(other.parameters == genesis.parameters, other.parameters.hash() == genesis.parameters.hash());
        }
        if let Content::Transaction { transaction, .. } = &entry.content
            && let Some(other) = altered(transaction, at, flip)
        {
            let same = Transaction { authorization: transaction.authorization, ..other.clone() } == *transaction;
            prop_assert_eq!(same, other.body_hash() == transaction.body_hash());
            let (one, two) = (header.genesis, header.parent);
            prop_assert_eq!(same, other.signing_bytes(&one, &[0; 32]) == transaction.signing_bytes(&one, &[0; 32]));
            prop_assert_ne!(other.signing_bytes(&two, &[0; 32]), transaction.signing_bytes(&one, &[0; 32]));
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = from_canonical::<Entry>(&bytes);
        let _ = from_canonical::<Header>(&bytes);
        let _ = from_canonical::<Operation>(&bytes);
        let _ = from_canonical::<Genesis>(&bytes);
        let _ = from_canonical::<Seal>(&bytes);
        let _ = from_canonical::<merkle::Proof>(&bytes);
    }
}

fn transfer() -> Transaction {
    Transaction::transfer("a".parse().unwrap(), "b".parse().unwrap(), Amount::ZERO)
}

#[test]
fn a_value_out_of_bounds_does_not_decode() {
    let too_much = Amount::MAX.get() + 1;
    assert!(from_canonical::<Amount>(&too_much.to_le_bytes()).is_err());
    assert!(from_canonical::<Name>(&to_canonical("")).is_err());
    assert!(from_canonical::<Name>(&to_canonical("a\nb")).is_err());
    assert!(from_canonical::<Name>(&to_canonical("ed25519:00")).is_err());
    assert!(from_canonical::<Memo>(&to_canonical(&"x".repeat(257)[..])).is_err());
    assert!(from_canonical::<ValidatorId>(&to_canonical("$genesis")).is_err());
    assert!(from_canonical::<Bitmap>(&to_canonical(&vec![1_u8, 0])).is_err());
    assert!(from_canonical::<RejectCode>(&[0]).is_err());
    assert!(from_canonical::<Kind>(&[9]).is_err());
    assert!(from_canonical::<Author>(&[2]).is_err());
    assert!(from_canonical::<Author>(&[3]).is_err());
    assert!(from_canonical::<Seal>(&[&[2][..], &[0; 164]].concat()).is_err());
    assert!(from_canonical::<Consensus>(&[2, 0]).is_err());
    assert!(from_canonical::<Consensus>(&[2, 3, 16, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    assert!(from_canonical::<Consensus>(&[2, 2, 16, 0, 0, 0, 0, 0, 0, 0, 0]).is_ok());
    let receipt = to_canonical(&Receipt::UNDECIDED);
    assert!(from_canonical::<Receipt>(&[&[2], &receipt[1..]].concat()).is_err());
    let transaction = Transaction { nonce: Some(too_much), ..transfer() };
    assert!(from_canonical::<Transaction>(&to_canonical(&transaction)).is_err());
    // A length that claims four gigabytes is refused without asking for them.
    assert!(from_canonical::<Name>(&[0xff; 8]).is_err());
}

#[test]
fn tags_are_distinct_and_never_pass_for_a_merkle_prefix() {
    let tags: std::collections::BTreeSet<_> = Domain::ALL.iter().map(|domain| domain.tag()).collect();
    assert_eq!(tags.len(), Domain::ALL.len());
    assert!(tags.iter().all(|tag| tag.starts_with(b"cairn/")));
}
