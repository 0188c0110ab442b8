//! Lines signed as they are read: by one account, for one chain.
//!
//! ```text
//! {"to":"bob","amount":3}
//! {"from":"ed25519:..","id":"..","valid_until":10042,"signature":"..","to":"bob","amount":3}
//!  └────────────── put in front, as far as the line does not say it itself ─┘
//! ```
//! A transaction of an account with a key must not be usable twice. A line with a `nonce` is not. Every other gets an
//! id and a last active height:
//!
//! - The **id** follows from the submission's name, the line's number and what it says. So a line that is submitted
//!   again has the id that it had, and the chain rejects it for as long as it remembers that: as `duplicate`, or as
//!   `conflict` if it is valid for another time now.
//! - **valid until** is as far ahead as the chain remembers ids from now on. So once a line was applied, its id is
//!   remembered for as long as this record could be applied. One that is given must not reach further, and must not be
//!   over.
//!
//! When the id is forgotten, the line that is submitted again is a new payment. Only a `valid_until` that stays the
//! same ends that: given in the line, or with `--valid-until` for all lines that say none, those with a `nonce` too.

use sha2::{Digest, Sha256};

use super::chain::Chain;
use crate::chain::{Id, Name, RejectCode, Transaction, parse};
use crate::config::account::AccountKey;

const ID_TAG: &[u8] = b"cairn/submit/1";
/// Of an id's 32 bytes so many stand in it: enough that no two lines have the same.
const ID_SIZE_BYTES: usize = 16;

/// Signs lines.
#[derive(Debug)]
pub(super) struct Signer {
    account: AccountKey,
    submission: String,
    /// For lines that say none themselves.
    valid_until: Option<u64>,
    /// `None`: lines are only checked.
    chain: Option<Chain>,
}

/// A line that can be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) sender: Name,
    pub(super) value: Vec<u8>,
    pub(super) valid_until: Option<u64>,
}

impl Signer {
    /// A signer that checks lines; it signs when it has a chain. `valid_until` is of lines that say none themselves.
    pub(super) fn new(account: AccountKey, submission: Option<&str>, valid_until: Option<u64>) -> Self {
        Self { account, submission: submission.unwrap_or_default().to_owned(), valid_until, chain: None }
    }

    /// Signs for this chain from now on.
    pub(super) fn sign_for(&mut self, chain: Chain) {
        self.chain = Some(chain);
    }

    /// The chain that is signed for.
    pub(super) fn chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }

    /// The account that signs.
    pub(super) fn name(&self) -> &Name {
        self.account.name()
    }

    /// A line, signed; or why it cannot be.
    pub(super) fn sign(&self, number: u64, line: &[u8]) -> Result<Signed, String> {
        let (mut transaction, mut fields) = self.read(line)?;
        if transaction.authorization.is_some() {
            return Err("is signed already: send it without --sign-with".to_owned());
        }
        let sender = transaction.from.clone();
        let Some(chain) = &self.chain else { return Ok(Signed { sender, value: line.to_vec(), valid_until: None }) };
        let asked = if transaction.valid_until.is_none() { self.valid_until } else { None };
        let furthest = match transaction.nonce {
            Some(_) => None,
            None => Some(chain.furthest_valid_until().ok_or(
                "needs a `nonce` of its own: this chain remembers no ids (ids.remember_blocks = 0), so nothing else keeps the \
                 payment from being repeated",
            )?),
        };
        if furthest.is_some() && transaction.id.is_none() {
            let id = self.id(number, &transaction)?;
            fields.push(("id", serde_json::Value::from(id.as_str())));
            transaction.id = Some(id);
        }
        if transaction.valid_until.is_none()
            && let Some(valid_until) = asked.or(furthest)
        {
            fields.push(("valid_until", valid_until.into()));
            transaction.valid_until = Some(valid_until);
        }
        let valid_until = transaction.valid_until;
        if let Some(height) = valid_until {
            let name = if asked.is_some() { "--valid-until" } else { "valid_until" };
            chain.check_valid_until(name, height, furthest)?;
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
            Ok(transaction) if transaction == signed => Ok(Signed { sender, value, valid_until }),
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
    use crate::chain::{Hash, Signatures};

    const GENESIS: Hash = Hash([9; 32]);

    fn chain(active_height: u64, remember_blocks: u64) -> Chain {
        Chain {
            genesis: GENESIS,
            chain_id: "c".to_owned(),
            signatures: Signatures::Required,
            active_height,
            remember_blocks,
            is_pinned: false,
        }
    }

    fn unbound(submission: Option<&str>, valid_until: Option<u64>) -> Signer {
        Signer::new(AccountKey::generate(&mut StdRng::from_seed([5; 32])), submission, valid_until)
    }

    /// A signer for a chain at height 0 that remembers ids for so many blocks.
    fn signer(submission: Option<&str>, remember_blocks: u64) -> Signer {
        let mut signer = unbound(submission, None);
        signer.sign_for(chain(0, remember_blocks));
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
        let signer = signer(None, 100);
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
        let id = |submission, number, line| signed(&signer(submission, 100), number, line).id;
        let line = r#"{"to":"bob","amount":3}"#;
        assert_eq!(id(None, 1, line), signed(&signer(None, 700), 1, line).id, "whenever it is signed");
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
        let (plenty, nothing) = (signer(None, 100), signer(None, 0));
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
        let signer = unbound(None, None);
        let line = br#"{"to":"bob","amount":3}"#;
        assert_eq!(signer.sign(1, line).unwrap().value, line);
        assert!(signer.sign(1, br#"{"from":"alice","to":"bob","amount":3}"#).is_err());
    }

    #[test]
    fn validity_that_is_asked_for_goes_into_every_line_that_says_none_and_is_checked_in_every_line() {
        let signer = |asked, active_height, remember_blocks| {
            let mut signer = unbound(None, asked);
            signer.sign_for(chain(active_height, remember_blocks));
            signer
        };
        let bare = r#"{"to":"bob","amount":3}"#;
        let nonce = r#"{"to":"bob","amount":3,"nonce":4}"#;
        let own = r#"{"to":"bob","amount":3,"valid_until":9}"#;
        let height = |signer: &Signer, line: &str| signed(signer, 1, line).valid_until;
        let asking = signer(Some(10), 7, 10);
        assert_eq!([bare, nonce, own].map(|line| height(&asking, line)), [Some(10), Some(10), Some(9)]);
        assert_eq!(height(&signer(Some(10), 7, 0), nonce), Some(10), "also where no ids are remembered");
        let free = signer(None, 7, 10);
        assert_eq!([bare, nonce, own].map(|line| height(&free, line)), [Some(17), None, Some(9)]);
        assert_eq!(height(&signer(None, 7, u64::MAX), bare), Some(Transaction::INTEGER_MAX));
        // With a nonce it may be any height to come.
        assert_eq!(height(&signer(Some(1_000), 7, 10), nonce), Some(1_000));

        let why = |signer: &Signer, line: &str| signer.sign(1, line.as_bytes()).unwrap_err();
        let over = why(&signer(None, 9, 10), own);
        assert!(over.contains("valid_until 9 is over") && over.contains("9 blocks"), "{over}");
        assert!(why(&signer(Some(9), 9, 10), nonce).contains("--valid-until 9 is over"));
        let far = why(&signer(Some(18), 7, 10), bare);
        assert!(far.contains("--valid-until 18 is further ahead") && far.contains("at most 17"), "{far}");
        assert!(why(&signer(None, 1, 7), own).contains("at most 8"));
        assert!(why(&signer(None, 7, 0), own).contains("`nonce`"), "an id is not remembered for one block");
    }
}
