//! The fields of a transaction, once found, into a transaction.

use super::scan::{Raw, Token};
use super::{Reject, RejectCode};
use crate::chain::amount::Amount;
use crate::chain::hash::Hash;
use crate::chain::hex_array;
use crate::chain::name::{Id, Memo, Name, TextError};
use crate::chain::transaction::{Authorization, Kind, Transaction};
use crate::chain::validator::ValidatorId;

/// A field that means something; every other is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Field {
    From,
    To,
    Amount,
    Fee,
    Id,
    Nonce,
    ValidUntil,
    Memo,
    Validator,
    TimeoutMs,
    Reference,
    PublicKey,
    Signature,
    Version,
    Kind,
    Asset,
}

const FIELD_COUNT: usize = Field::Asset as usize + 1;

impl Field {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "from" | "sender" | "Sender" => Field::From,
            "to" | "recipient" | "Recipient" => Field::To,
            "amount" | "Amount" => Field::Amount,
            "fee" => Field::Fee,
            "id" => Field::Id,
            "nonce" => Field::Nonce,
            "valid_until" => Field::ValidUntil,
            "memo" => Field::Memo,
            "validator" => Field::Validator,
            "timeout_ms" => Field::TimeoutMs,
            "reference" => Field::Reference,
            "public_key" => Field::PublicKey,
            "signature" => Field::Signature,
            "version" => Field::Version,
            "kind" => Field::Kind,
            "asset" => Field::Asset,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Field::From => "from",
            Field::To => "to",
            Field::Amount => "amount",
            Field::Fee => "fee",
            Field::Id => "id",
            Field::Nonce => "nonce",
            Field::ValidUntil => "valid_until",
            Field::Memo => "memo",
            Field::Validator => "validator",
            Field::TimeoutMs => "timeout_ms",
            Field::Reference => "reference",
            Field::PublicKey => "public_key",
            Field::Signature => "signature",
            Field::Version => "version",
            Field::Kind => "kind",
            Field::Asset => "asset",
        }
    }

    #[cold]
    fn reject(self, code: RejectCode, detail: impl std::fmt::Display) -> Reject {
        Reject { code, detail: format!("`{}`: {detail}", self.name()) }
    }
}

type Result<T> = std::result::Result<T, Reject>;

/// The values of the fields met so far.
#[derive(Default)]
pub(super) struct Fields<'a> {
    values: [Option<Token<'a>>; FIELD_COUNT],
    duplicate: Option<Field>,
}

impl<'a> Fields<'a> {
    /// Notes a field of the object.
    pub(super) fn note(&mut self, name: Raw<'a>, value: Token<'a>) {
        let field = if name.escaped { Field::of(&name.resolve()) } else { Field::of(name.text) };
        if let Some(field) = field {
            let previous = self.values[field as usize].replace(value);
            if previous.is_some() {
                self.duplicate.get_or_insert(field);
            }
        }
    }

    /// The transaction. Fields are judged in one order, whatever order they came in, so that a value with several
    /// faults has one code.
    pub(super) fn into_transaction(self) -> Result<Transaction> {
        if let Some(field) = self.duplicate {
            return Err(field.reject(RejectCode::DuplicateField, "given twice (names of one field count together)"));
        }
        for field in [Field::From, Field::To, Field::Amount] {
            if self.values[field as usize].is_none() {
                return Err(field.reject(RejectCode::MissingField, "missing"));
            }
        }
        let version = self.version()?;
        let kind = self.kind()?;
        let asset = self.integer(Field::Asset, RejectCode::BadAsset, u64::from(u32::MAX))?.unwrap_or(0);
        let from = self.account(Field::From)?;
        let to = self.account(Field::To)?;
        let amount = self.amount(Field::Amount, self.values[Field::Amount as usize].unwrap_or(Token::Null))?;
        Ok(Transaction {
            version,
            kind,
            asset: u32::try_from(asset).unwrap_or(u32::MAX),
            amount,
            fee: self.optional(Field::Fee).map(|value| self.amount(Field::Fee, value)).transpose()?,
            id: self.text(Field::Id, RejectCode::BadId, Id::new)?,
            nonce: self.integer(Field::Nonce, RejectCode::BadInteger, Transaction::INTEGER_MAX)?,
            valid_until: self.integer(Field::ValidUntil, RejectCode::BadInteger, Transaction::INTEGER_MAX)?,
            memo: self.text(Field::Memo, RejectCode::BadMemo, Memo::new)?,
            validator: self.text(Field::Validator, RejectCode::BadValidator, ValidatorId::new)?,
            timeout_ms: self.integer(Field::TimeoutMs, RejectCode::BadInteger, Transaction::INTEGER_MAX)?,
            reference: self.hex(Field::Reference, RejectCode::BadReference)?.map(Hash),
            authorization: self.authorization(&from)?,
            from,
            to,
        })
    }

    /// A field that may be missing; null means missing.
    fn optional(&self, field: Field) -> Option<Token<'a>> {
        self.values[field as usize].filter(|value| *value != Token::Null)
    }

    fn version(&self) -> Result<u8> {
        match self.optional(Field::Version) {
            None | Some(Token::Number("1")) => Ok(Transaction::VERSION),
            _ => Err(Field::Version.reject(RejectCode::UnknownVersion, "only 1 is known")),
        }
    }

    fn kind(&self) -> Result<Kind> {
        let known = match self.optional(Field::Kind) {
            None => Some(Kind::Transfer),
            Some(Token::Text(raw)) => raw.resolve().parse().ok(),
            Some(_) => None,
        };
        known.ok_or_else(|| Field::Kind.reject(RejectCode::UnknownKind, "only \"transfer\" is in use"))
    }

    fn account(&self, field: Field) -> Result<Name> {
        let Some(Token::Text(raw)) = self.values[field as usize] else {
            return Err(field.reject(RejectCode::WrongType, "a name is a string"));
        };
        let name = if raw.escaped { Name::new(&raw.resolve()) } else { Name::new(raw.text) };
        name.map_err(|error| {
            let code = match error {
                TextError::Empty => RejectCode::NameEmpty,
                TextError::TooLong { .. } => RejectCode::NameTooLong,
                TextError::ControlCharacter { .. } => RejectCode::NameControlCharacter,
                TextError::ForbiddenCharacter { .. } => RejectCode::NameForbiddenCharacter,
                TextError::NotNormalized { .. } => RejectCode::NameNotNormalized,
                TextError::BadKey => RejectCode::NameBadKey,
            };
            field.reject(code, error)
        })
    }

    /// An amount, by its text alone: `0|[1-9][0-9]*`, at most 2^53 - 1.
    fn amount(&self, field: Field, value: Token<'a>) -> Result<Amount> {
        let Token::Number(number) = value else {
            return Err(field.reject(RejectCode::AmountNotANumber, "an amount is a number without quotes"));
        };
        if number.starts_with('-') {
            return Err(field.reject(RejectCode::AmountNegative, "an amount is not negative"));
        }
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            let detail = "an amount is an integer in minor units, without fraction or exponent";
            return Err(field.reject(RejectCode::AmountNotAnInteger, detail));
        }
        number
            .parse()
            .ok()
            .and_then(Amount::new)
            .ok_or_else(|| field.reject(RejectCode::AmountTooLarge, "an amount is at most 9007199254740991"))
    }

    fn integer(&self, field: Field, code: RejectCode, max: u64) -> Result<Option<u64>> {
        match self.optional(field) {
            None => Ok(None),
            // An unsigned number as JSON writes it; u64's own grammar would also take a leading plus, which JSON has
            // not.
            Some(Token::Number(number)) if number.parse::<u64>().is_ok_and(|value| value <= max) => {
                Ok(number.parse().ok())
            }
            Some(_) => Err(field.reject(code, format_args!("an integer from 0 to {max} is expected"))),
        }
    }

    fn text<T, E: std::fmt::Display>(
        &self,
        field: Field,
        code: RejectCode,
        new: impl Fn(&str) -> std::result::Result<T, E>,
    ) -> Result<Option<T>> {
        match self.optional(field) {
            None => Ok(None),
            Some(Token::Text(raw)) => new(&raw.resolve()).map(Some).map_err(|error| field.reject(code, error)),
            Some(_) => Err(field.reject(RejectCode::WrongType, "a string is expected")),
        }
    }

    fn authorization(&self, from: &Name) -> Result<Option<Authorization>> {
        let signature = self.hex::<64>(Field::Signature, RejectCode::BadAuthorization)?;
        let public_key = self.hex::<32>(Field::PublicKey, RejectCode::BadAuthorization)?;
        match (signature, public_key.or_else(|| from.public_key())) {
            (Some(signature), Some(public_key)) => Ok(Some(Authorization { public_key, signature })),
            (Some(_), None) => Err(Field::PublicKey.reject(RejectCode::BadAuthorization, "missing beside `signature`")),
            (None, _) if public_key.is_some() => {
                Err(Field::Signature.reject(RejectCode::BadAuthorization, "missing beside `public_key`"))
            }
            (None, _) => Ok(None),
        }
    }

    fn hex<const N: usize>(&self, field: Field, code: RejectCode) -> Result<Option<[u8; N]>> {
        let bytes = match self.optional(field) {
            None => return Ok(None),
            Some(Token::Text(raw)) => hex_array::decode_any_case(&raw.resolve()),
            Some(_) => return Err(field.reject(RejectCode::WrongType, "a string of hex digits is expected")),
        };
        let refuse = || field.reject(code, format_args!("{} hex digits are expected", N * 2));
        bytes.ok_or_else(refuse).map(Some)
    }
}
