//! What passes from `admit` to `seal`: a record of the transactions topic as it was read there, with a proof that a run
//! of this chain did.
//!
//! ```text
//! format u8 (1) | from i64 | signature u8 | entry: origin, original, content | mac 32
//! ```
//! `from`: between it and the entry's own offset the partition holds no record. Signature: 0 none, 1 valid, 2 not
//! valid. The entry is canonical, with a receipt that says nothing yet. `mac` is HMAC-SHA256 of all before it. Integers
//! are little-endian.

use borsh::BorshDeserialize;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::chain::Entry;
use crate::chain::encoding::write_canonical;
use crate::ledger::Signature;

const FORMAT: u8 = 1;
const MAC_SIZE_BYTES: usize = 32;

/// A record of the transactions topic, admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sealing) struct Admitted {
    /// Between this offset and the entry's own the partition holds no record.
    pub(in crate::sealing) from: i64,
    /// What its signature is worth.
    pub(in crate::sealing) signature: Signature,
    /// What it became.
    pub(in crate::sealing) entry: Entry,
}

/// Why a record is not one that was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sealing) enum Refusal {
    /// Its writer did not have the key: it is foreign.
    Foreign,
    /// It was written with the key, in a format that this program does not know.
    Newer,
}

/// Proves that a record was admitted by somebody who has the same key.
#[derive(Clone)]
pub(in crate::sealing) struct Stamp(Hmac<Sha256>);

impl Stamp {
    pub(in crate::sealing) fn new(key: &[u8; 32]) -> Self {
        // A key that is shorter than a block of the hash stands for the one with zeros behind it.
        let mut block = [0; 64];
        block[..32].copy_from_slice(key);
        Self(Hmac::new(&block.into()))
    }

    /// The record's value, in place of what `value` holds.
    pub(in crate::sealing) fn write(&self, admitted: &Admitted, value: &mut Vec<u8>) {
        value.clear();
        value.push(FORMAT);
        value.extend_from_slice(&admitted.from.to_le_bytes());
        value.push(match admitted.signature {
            Signature::Absent => 0,
            Signature::Valid => 1,
            Signature::Invalid => 2,
        });
        write_canonical(&admitted.entry, value);
        let mac = self.mac(value).finalize().into_bytes();
        value.extend_from_slice(&mac);
    }

    /// Reads a value. Whatever bytes it holds, this answers.
    pub(in crate::sealing) fn read(&self, value: Option<&[u8]>) -> Result<Admitted, Refusal> {
        let (body, mac) = value.and_then(<[u8]>::split_last_chunk::<MAC_SIZE_BYTES>).ok_or(Refusal::Foreign)?;
        self.mac(body).verify_slice(mac).map_err(|_| Refusal::Foreign)?;
        read_body(body).ok_or(Refusal::Newer)
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(body);
        mac
    }
}

fn read_body(body: &[u8]) -> Option<Admitted> {
    let rest = body.strip_prefix(&[FORMAT])?;
    let (from, rest) = rest.split_first_chunk::<8>()?;
    let (signature, entry) = rest.split_first()?;
    let signature = match signature {
        0 => Signature::Absent,
        1 => Signature::Valid,
        2 => Signature::Invalid,
        _ => return None,
    };
    Some(Admitted { from: i64::from_le_bytes(*from), signature, entry: Entry::try_from_slice(entry).ok()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chain::arbitrary;

    fn admitted() -> impl Strategy<Value = Admitted> {
        let signature = prop_oneof![Just(Signature::Absent), Just(Signature::Valid), Just(Signature::Invalid)];
        (any::<i64>(), signature, arbitrary::entry()).prop_map(|(from, signature, entry)| Admitted {
            from,
            signature,
            entry,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_by_those_who_have_the_key_and_by_nobody_else(
            admitted in admitted(), key: [u8; 32], other: [u8; 32],
        ) {
            let mut value = vec![7];
            Stamp::new(&key).write(&admitted, &mut value);
            prop_assert_eq!(Stamp::new(&key).read(Some(&value)), Ok(admitted));
            prop_assume!(key != other);
            prop_assert_eq!(Stamp::new(&other).read(Some(&value)), Err(Refusal::Foreign));
        }

        #[test]
        fn no_bit_can_be_altered_and_no_byte_be_taken_or_added(
            admitted in admitted(), place: prop::sample::Index, bit in 0..8_u8, tail: Vec<u8>,
        ) {
            let (stamp, mut value) = (Stamp::new(&[1; 32]), Vec::new());
            stamp.write(&admitted, &mut value);
            let mut altered = value.clone();
            altered[place.index(value.len())] ^= 1 << bit;
            prop_assert_eq!(stamp.read(Some(&altered)), Err(Refusal::Foreign));
            prop_assert_eq!(stamp.read(Some(&value[..place.index(value.len())])), Err(Refusal::Foreign));
            prop_assume!(!tail.is_empty());
            prop_assert_eq!(stamp.read(Some(&[value, tail].concat())), Err(Refusal::Foreign));
        }

        #[test]
        fn no_bytes_that_carry_a_right_mac_make_reading_panic(body: Vec<u8>, known: bool) {
            let stamp = Stamp::new(&[1; 32]);
            let body = if known { [&[FORMAT][..], &body].concat() } else { body };
            let value = [&body[..], &stamp.mac(&body).finalize().into_bytes()].concat();
            prop_assert_ne!(stamp.read(Some(&value)), Err(Refusal::Foreign));
        }
    }

    #[test]
    fn a_record_without_a_value_and_one_too_short_are_nobodys() {
        let stamp = Stamp::new(&[1; 32]);
        assert_eq!(stamp.read(None), Err(Refusal::Foreign));
        assert_eq!(stamp.read(Some(&[0; 31])), Err(Refusal::Foreign));
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let entry = Entry::of_record(3, 9, 5, None, None).0;
        let mut value = Vec::new();
        Stamp::new(&[1; 32])
            .write(&Admitted { from: 7, signature: Signature::Invalid, entry: entry.clone() }, &mut value);
        let entry = crate::chain::to_canonical(&entry);
        assert_eq!(value[..10], [1, 7, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(value[10..value.len() - 32], entry);
        let mut mac = Hmac::<Sha256>::new_from_slice(&[1; 32]).unwrap();
        mac.update(&value[..value.len() - 32]);
        mac.verify_slice(&value[value.len() - 32..]).unwrap();
    }
}
