//! Values of the transactions topic, as people send them, into transactions.
//!
//! `frame` takes off what a schema registry puts before the JSON, `scan` finds the fields and checks the JSON, `fields`
//! judges them. A value breaks the first rule that it breaks in this order: null, size, compression, UTF-8; then JSON,
//! depth and surrogates as met from left to right; an object; no field twice; no field missing; then `version`, `kind`,
//! `asset`, `from`, `to`, `amount`, `fee`, `id`, `nonce`, `valid_until`, `memo`, `validator`, `timeout_ms`,
//! `reference`, `signature`, `public_key`.

mod fields;
mod frame;
mod scan;
#[cfg(test)]
mod tests;

use super::code::codes;
use super::transaction::Transaction;

pub use scan::DEPTH_MAX;

/// The largest value that is looked at, in bytes, a schema registry's frame included.
pub const VALUE_SIZE_BYTES_MAX: usize = 64 * 1024;

/// The transaction in a record's value, or why there is none.
///
/// The same bytes give the same answer for ever: the answer is part of the chain's rules.
///
/// ```
/// use cairn::chain::{RejectCode, parse};
/// let transaction = parse(Some(br#"{"from":"alice","to":"bob","amount":3}"#)).unwrap();
/// assert_eq!((transaction.from.as_str(), transaction.amount.get()), ("alice", 3));
///
/// let reject = parse(Some(br#"{"from":"alice","to":"bob","amount":3.0}"#)).unwrap_err();
/// assert_eq!(reject.code, RejectCode::AmountNotAnInteger);
/// ```
pub fn parse(value: Option<&[u8]>) -> Result<Transaction, Reject> {
    let reject = |code, detail: String| Reject { code, detail };
    let Some(value) = value else {
        return Err(reject(RejectCode::NullValue, "the record has no value".to_owned()));
    };
    if value.len() > VALUE_SIZE_BYTES_MAX {
        let detail = format!("{} bytes, at most {VALUE_SIZE_BYTES_MAX} are allowed", value.len());
        return Err(reject(RejectCode::TooLarge, detail));
    }
    let json = frame::strip(value)?;
    let text = std::str::from_utf8(json).map_err(|error| {
        let at = error.valid_up_to() + (value.len() - json.len());
        reject(RejectCode::NotUtf8, format!("not UTF-8 at byte {at}"))
    })?;
    let mut found = fields::Fields::default();
    scan::Scanner::new(text).object(|name, value| found.note(name, value))?;
    found.into_transaction()
}

codes! {
    /// Why a record could not be read as a transaction. Texts and bytes are stable; a retired one is never used
    /// again.
    pub enum RejectCode {
        /// The record has no value.
        NullValue = 1 => "null_value",
        /// The value has more bytes than a transaction may have.
        TooLarge = 2 => "too_large",
        /// The value is not UTF-8.
        NotUtf8 = 3 => "not_utf8",
        /// The value is not JSON.
        NotJson = 4 => "not_json",
        /// The value is JSON, but not an object.
        NotAnObject = 5 => "not_an_object",
        /// Arrays and objects lie deeper in each other than allowed.
        NestedTooDeep = 6 => "nested_too_deep",
        /// A string has half of a surrogate pair, which is no character.
        LoneSurrogate = 7 => "lone_surrogate",
        /// A field is given twice, under whichever of its names.
        DuplicateField = 8 => "duplicate_field",
        /// `from`, `to` or `amount` is missing.
        MissingField = 9 => "missing_field",
        /// A field has a value of another type.
        WrongType = 10 => "wrong_type",
        /// An amount is not a number, such as `"3"`.
        AmountNotANumber = 11 => "amount_not_a_number",
        /// An amount starts with a minus sign.
        AmountNegative = 12 => "amount_negative",
        /// An amount is written with a fraction or an exponent, such as `3.0` or `1e2`.
        AmountNotAnInteger = 13 => "amount_not_an_integer",
        /// An amount is more than 2^53 - 1.
        AmountTooLarge = 14 => "amount_too_large",
        /// A name is empty.
        NameEmpty = 15 => "name_empty",
        /// A name has more than 128 bytes.
        NameTooLong = 16 => "name_too_long",
        /// A name contains a control character.
        NameControlCharacter = 17 => "name_control_character",
        /// A name starts with `ed25519:` but is no keyed account.
        NameBadKey = 18 => "name_bad_key",
        /// The id is empty, too long, not normalized, or contains a control character or a forbidden one.
        BadId = 19 => "bad_id",
        /// The memo is too long.
        BadMemo = 20 => "bad_memo",
        /// `nonce`, `valid_until` or `timeout_ms` is not an integer from 0 to 2^53 - 1.
        BadInteger = 21 => "bad_integer",
        /// `public_key` or `signature` is not hex of its length, or one of the two is missing.
        BadAuthorization = 22 => "bad_authorization",
        /// A version that this program does not know.
        UnknownVersion = 23 => "unknown_version",
        /// A kind that this program does not know.
        UnknownKind = 24 => "unknown_kind",
        /// `asset` is not an integer from 0 to 2^32 - 1.
        BadAsset = 25 => "bad_asset",
        /// A name is not in Unicode's normalization form C.
        NameNotNormalized = 26 => "name_not_normalized",
        /// A name contains a character that cannot be seen, that changes how others are shown, or that Unicode has not
        /// assigned.
        NameForbiddenCharacter = 27 => "name_forbidden_character",
        /// A schema registry's frame says that the value is compressed.
        CompressedFrame = 28 => "compressed_frame",
        /// `validator` is not the id of a validator.
        BadValidator = 29 => "bad_validator",
        /// `reference` is not 64 hex digits.
        BadReference = 30 => "bad_reference",
    }
}

/// A record that is no transaction: a stable code, and a detail for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Reject {
    /// The stable code. It goes into the block.
    pub code: RejectCode,
    /// What exactly was found. It goes into the dead letter's headers, never into a block.
    pub detail: String,
}
