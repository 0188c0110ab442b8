//! Lines signed as they are read: by one account, for one chain.
//!
//! ```text
//! {"to":"bob","amount":3}
//! {"from":"ed25519:..","id":"..","valid_until":10042,"signature":"..","to":"bob","amount":3}
//!  └────────────── put in front, as far as the line does not say it itself ─┘
//! ```
//! A transaction of an account with a key must not be usable twice. A line with a `nonce` is not. Every other gets an id and a
//! last active height:
//!
//! - The **id** follows from the submission's name, the line's number and what it says. So a line that is submitted again has
//!   the id that it had, and the chain rejects it for as long as it remembers that: as `duplicate`, or as `conflict` if it is
//!   valid for another time now.
//! - **valid until** is as far ahead as the chain remembers ids from now on. So once a line was applied, its id is remembered for
//!   as long as this record could be applied.
//!
//! When the id is forgotten, the line that is submitted again is a new payment. Only a `valid_until` that stays the same ends
//! that: given in the line, or for all lines with `--valid-until`.

use sha2::{Digest, Sha256};
use topology::log::Log;

use super::super::error::{Error, Result};
use crate::chain::{Hash, Id, Name, RejectCode, Signatures, Transaction, parse};
use crate::config::account::Account;
use crate::config::topic;
use crate::reader::Reader;

const ID_TAG: &[u8] = b"cairn/submit/1";
/// Of an id's 32 bytes so many stand in it: enough that no two lines have the same.
const ID_SIZE_BYTES: usize = 16;

/// Signs lines.
pub(super) struct Signer {
    account: Account,
    submission: String,
    /// `None`: lines are only checked.
    chain: Option<Chain>,
}

/// The chain that is signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    genesis: Hash,
    /// `None` where the chain remembers no ids.
    valid_until: Option<u64>,
}

/// A line that can be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) sender: Name,
    pub(super) value: Vec<u8>,
}

impl Chain {
    /// The chain on a topic, with lines valid until an active height or for as long as can be.
    pub(super) fn read<L: Log>(reader: &Reader<'_, L>, blockchain: &str, valid_until: Option<u64>) -> Result<Self> {
        let none = || {
            Error::usage(format!(
                "--sign-with signs for a chain, and topic '{blockchain}' holds none yet: name it with --blockchain, or let \
                 `cairn run` begin it first"
            ))
        };
        let genesis = topic::genesis(reader, blockchain)?.ok_or_else(none)?;
        let tip = topic::last_block(reader, blockchain)?.ok_or_else(none)?.header;
        if genesis.parameters.signatures == Signatures::Off {
            return Err(Error::usage(format!(
                "the chain on topic '{blockchain}' has signatures = \"off\": it checks none, so no account with a key can send"
            )));
        }
        let valid_until = last_height(tip.active_height, genesis.parameters.ids_remember_blocks, valid_until)?;
        Ok(Self { genesis: genesis.hash(), valid_until })
    }
}

/// The last active height at which what is signed now may be applied.
fn last_height(active_height: u64, remember_blocks: u64, asked: Option<u64>) -> Result<Option<u64>> {
    if remember_blocks == 0 {
        return Ok(None);
    }
    let furthest = active_height.saturating_add(remember_blocks).min(Transaction::INTEGER_MAX);
    match asked {
        Some(asked) if asked <= active_height => Err(Error::usage(format!(
            "--valid-until {asked} is over: {active_height} blocks were active so far, so no line could be applied any more; \
             nothing was sent"
        ))),
        Some(asked) if asked > furthest => Err(Error::usage(format!(
            "--valid-until {asked} is further ahead than the chain remembers ids; give at most {furthest} now"
        ))),
        asked => Ok(asked.or(Some(furthest))),
    }
}

impl Signer {
    /// A signer that checks lines; it signs when it has a chain.
    pub(super) fn new(account: Account, submission: Option<&str>) -> Self {
        Self { account, submission: submission.unwrap_or_default().to_owned(), chain: None }
    }

    /// Signs for this chain from now on.
    pub(super) fn sign_for(&mut self, chain: Chain) {
        self.chain = Some(chain);
    }

    /// The account that signs.
    pub(super) fn name(&self) -> &Name {
        self.account.name()
    }

    /// The last active height of lines that say none.
    pub(super) fn valid_until(&self) -> Option<u64> {
        self.chain.as_ref()?.valid_until
    }

    /// A line, signed; or why it cannot be.
    pub(super) fn sign(&self, number: u64, line: &[u8]) -> Result<Signed, String> {
        let (mut transaction, mut fields) = self.read(line)?;
        if transaction.authorization.is_some() {
            return Err("is signed already: send it without --sign-with".to_owned());
        }
        let sender = transaction.from.clone();
        let Some(chain) = &self.chain else { return Ok(Signed { sender, value: line.to_vec() }) };
        if transaction.nonce.is_none() {
            let id = self.id(number, &transaction)?;
            if transaction.id.is_none() {
                fields.push(("id", serde_json::Value::from(id.as_str())));
                transaction.id = Some(id);
            }
            if transaction.valid_until.is_none() {
                let valid_until = chain.valid_until.ok_or(
                    "needs a `nonce` of its own: this chain remembers no ids (ids.remember_blocks = 0), so nothing else keeps \
                     the payment from being repeated",
                )?;
                fields.push(("valid_until", valid_until.into()));
                transaction.valid_until = Some(valid_until);
            }
        }
        let signed = self.account.sign(transaction, &chain.genesis);
        if let Some(authorization) = &signed.authorization {
            if sender.public_key().is_none() {
                fields.push(("public_key", hex::encode(authorization.public_key).into()));
            }
            fields.push(("signature", hex::encode(authorization.signature).into()));
        }
        let value = with_fields(line, &fields).ok_or("is no object")?;
        match parse(Some(&value)) {
            Ok(transaction) if transaction == signed => Ok(Signed { sender, value }),
            // A field of the line that says nothing stands in the way of the one that was put in front.
            Ok(_) => Err("says something else when it is signed: it cannot be".to_owned()),
            Err(reject) if reject.code == RejectCode::DuplicateField => {
                Err("gives a field as null that is filled in: leave the field out".to_owned())
            }
            Err(reject) => Err(reject.to_string()),
        }
    }

    /// The transaction in a line, and the sender if the line does not say it.
    fn read(&self, line: &[u8]) -> Result<(Transaction, Vec<Field>), String> {
        match parse(Some(line)) {
            Ok(transaction) if transaction.from == *self.name() => Ok((transaction, Vec::new())),
            Ok(transaction) => {
                Err(format!("`from`: {} is not the account that signs, {}", transaction.from, self.name()))
            }
            Err(reject) if reject.code == RejectCode::MissingField => {
                let from = vec![("from", serde_json::Value::from(self.name().as_str()))];
                let line = with_fields(line, &from).ok_or_else(|| reject.to_string())?;
                match parse(Some(&line)) {
                    Ok(transaction) => Ok((transaction, from)),
                    // It was another field that is missing.
                    Err(twice) if twice.code == RejectCode::DuplicateField => Err(reject.to_string()),
                    Err(other) => Err(other.to_string()),
                }
            }
            Err(reject) => Err(reject.to_string()),
        }
    }

    fn id(&self, number: u64, transaction: &Transaction) -> Result<Id, String> {
        let mut digest = Sha256::new();
        digest.update(ID_TAG);
        digest.update((self.submission.len() as u64).to_le_bytes());
        digest.update(self.submission.as_bytes());
        digest.update(number.to_le_bytes());
        digest.update(transaction.body_hash().as_bytes());
        let digits: String = hex::encode(digest.finalize()).chars().take(2 * ID_SIZE_BYTES).collect();
        Id::new(&digits).map_err(|error| error.to_string())
    }
}

type Field = (&'static str, serde_json::Value);

/// A line with fields in front of its own. `None` if it is no object.
fn with_fields(line: &[u8], fields: &[Field]) -> Option<Vec<u8>> {
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))?;
    let rest = line.get(start..)?.strip_prefix(b"{")?;
    let is_empty = rest.trim_ascii_start().starts_with(b"}");
    let mut text = String::from("{");
    for (index, (name, value)) in fields.iter().enumerate() {
        let comma = if is_empty && index + 1 == fields.len() { "" } else { "," };
        text += &format!("\"{name}\":{value}{comma}");
    }
    Some([text.as_bytes(), rest].concat())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::chain::parse::VALUE_SIZE_BYTES_MAX;

    const GENESIS: Hash = Hash([9; 32]);

    fn signer(submission: Option<&str>, valid_until: Option<u64>) -> Signer {
        let mut signer = Signer::new(Account::generate(&mut StdRng::from_seed([5; 32])), submission);
        signer.sign_for(Chain { genesis: GENESIS, valid_until });
        signer
    }

    fn signed(signer: &Signer, number: u64, line: &str) -> Transaction {
        let signed = signer.sign(number, line.as_bytes()).unwrap();
        let transaction = parse(Some(&signed.value)).unwrap();
        assert_eq!(transaction.verify_signature(&GENESIS), Ok(()), "{line}");
        assert_eq!((&transaction.from, &signed.sender), (signer.name(), signer.name()));
        transaction
    }

    #[test]
    fn a_line_gets_sender_id_and_validity_and_keeps_what_it_says_itself() {
        let signer = signer(None, Some(100));
        let bare = signed(&signer, 1, r#" {"to":"bob","amount":3,"order":{"number":7}}"#);
        assert_eq!((bare.valid_until, bare.id.as_ref().map(|id| id.as_str().len())), (Some(100), Some(32)));
        let value = signer.sign(1, br#"{"to":"bob","amount":3,"order":{"number":7}}"#).unwrap().value;
        assert!(String::from_utf8(value).unwrap().ends_with(r#""to":"bob","amount":3,"order":{"number":7}}"#));

        let named = format!(r#"{{"sender":"{}","to":"bob","amount":3,"id":"mine","valid_until":50}}"#, signer.name());
        let named = signed(&signer, 1, &named);
        assert_eq!((named.id.unwrap().as_str(), named.valid_until), ("mine", Some(50)));
        let nonce = signed(&signer, 1, r#"{"to":"bob","amount":3,"nonce":0}"#);
        assert_eq!((nonce.id, nonce.valid_until, nonce.nonce), (None, None, Some(0)));
    }

    #[test]
    fn an_id_follows_from_submission_line_number_and_what_the_line_says() {
        let id = |submission, number, line| signed(&signer(submission, Some(100)), number, line).id;
        let line = r#"{"to":"bob","amount":3}"#;
        assert_eq!(id(None, 1, line), signed(&signer(None, Some(700)), 1, line).id, "whenever it is signed");
        assert_eq!(id(None, 1, line), id(None, 1, r#"{ "amount": 3, "to": "bob" }"#), "however it is written");
        let all = [
            id(None, 1, line),
            id(None, 2, line),
            id(Some("june"), 1, line),
            id(Some("july"), 1, line),
            id(None, 1, r#"{"to":"bob","amount":4}"#),
            id(None, 1, r#"{"to":"bob","amount":3,"memo":"again"}"#),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().map(|id| id.as_ref().unwrap().as_str()).collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn what_cannot_be_signed_says_why() {
        let (plenty, nothing) = (signer(None, Some(100)), signer(None, None));
        let why = |signer: &Signer, line: &str| signer.sign(1, line.as_bytes()).unwrap_err();
        assert!(
            why(&plenty, r#"{"from":"alice","to":"bob","amount":3}"#).contains("alice is not the account that signs")
        );
        assert!(why(&plenty, r#"{"to":"bob"}"#).starts_with("missing_field: `amount`"));
        assert!(
            why(&plenty, " { } ").starts_with("missing_field: `to`") && why(&plenty, "[]").starts_with("not_an_object")
        );
        assert!(why(&plenty, r#"{"to":"bob","amount":-3}"#).starts_with("amount_negative"));
        assert!(why(&plenty, r#"{"to":"bob","amount":3,"id":null}"#).contains("null"));
        let signature = "0".repeat(128);
        let line = format!(r#"{{"from":"{}","to":"bob","amount":3,"signature":"{signature}"}}"#, plenty.name());
        assert!(why(&plenty, &line).contains("signed already"));
        assert!(why(&nothing, r#"{"to":"bob","amount":3}"#).contains("`nonce`"));
        assert!(nothing.sign(1, br#"{"to":"bob","amount":3,"nonce":4}"#).is_ok());
        // With its signature it is larger than a transaction may be.
        let large = format!(r#"{{"to":"bob","amount":3,"x":"{}"}}"#, "x".repeat(VALUE_SIZE_BYTES_MAX - 100));
        assert!(why(&plenty, &large).starts_with("too_large"), "{}", why(&plenty, &large));
    }

    #[test]
    fn without_a_chain_lines_are_checked_and_left_as_they_are() {
        let signer = Signer::new(Account::generate(&mut StdRng::from_seed([5; 32])), None);
        let line = br#"{"to":"bob","amount":3}"#;
        assert_eq!(signer.sign(1, line).unwrap().value, line);
        assert!(signer.sign(1, br#"{"from":"alice","to":"bob","amount":3}"#).is_err());
    }

    #[test]
    fn validity_reaches_as_far_as_ids_are_remembered_and_no_further() {
        let height = |active, remember, asked| last_height(active, remember, asked).map_err(|error| error.to_string());
        assert_eq!(height(0, 10, None), Ok(Some(10)));
        assert_eq!(height(7, 10, Some(9)), Ok(Some(9)));
        assert_eq!(height(7, 0, None), Ok(None));
        assert_eq!(height(7, u64::MAX, None), Ok(Some(Transaction::INTEGER_MAX)));
        assert!(height(7, 10, Some(7)).unwrap_err().contains("is over"));
        assert!(height(7, 10, Some(18)).unwrap_err().contains("at most 17"));
    }
}
