//! JSON into blocks: each field where `write` puts it, and none anywhere else. So a line that can be read is the one
//! rendering of what it says, and there is nothing to compare afterwards.

use super::cursor::{Cursor, Fault, Result, Wrong};
use super::record::{Pruned, Read};
use crate::chain::amount::Amount;
use crate::chain::block::Block;
use crate::chain::entry::{Content, Entry, Origin};
use crate::chain::evidence::{Evidence, SignedHeader};
use crate::chain::genesis::Genesis;
use crate::chain::header::{Author, Extension, Header, Range, StakeAuthor, Window, WorkAuthor};
use crate::chain::operation::Operation;
use crate::chain::receipt::{Outcome, Receipt};
use crate::chain::seal::{Seal, StakeSeal, WorkSeal};
use crate::chain::transaction::{Authorization, Kind, Transaction};
use crate::chain::validator::Bitmap;

/// The least that an entry takes in a line, in bytes: room is made for no more entries than a line can hold.
const ENTRY_SIZE_BYTES_MIN: usize = 150;

/// What stands in an entry before the outcome of its transaction.
const RECEIPT: &str = ",\"receipt\":{\"outcome\":";

/// The block, or the pruned block, that a line renders.
pub(super) fn line(line: &str) -> Result<Read> {
    let cursor = &mut Cursor::new(line);
    cursor.text("{\"header\":")?;
    let header = header(cursor)?;
    let hash = cursor.hash(",\"hash\":")?;
    let seal = cursor.option(",\"seal\":", seal)?;
    let read = match seal {
        Some(seal) if cursor.takes("}") => Read::Pruned(Box::new(Pruned { header, hash, seal })),
        seal => {
            let count = header.ranges.iter().fold(0, |count: u64, range| count.saturating_add(range.count));
            let count = usize::try_from(count).unwrap_or(usize::MAX).min(line.len() / ENTRY_SIZE_BYTES_MIN);
            let entries = cursor.list(",\"transactions\":", Vec::with_capacity(count), entry)?;
            let operations = cursor.list(",\"operations\":", Vec::new(), operation)?;
            let genesis = optional(cursor, ",\"genesis\":", genesis)?;
            cursor.text("}")?;
            Read::Block(Box::new(Block { header, hash, seal, entries, operations, genesis }))
        }
    };
    cursor.end().map(|()| read)
}

/// A genesis ends its line. It comes once in a chain's life, so it is rendered again and compared.
fn genesis(cursor: &mut Cursor<'_>) -> Result<Genesis> {
    let at = cursor.at();
    let json = cursor.up_to("}")?;
    let genesis: Genesis = serde_json::from_str(json).map_err(|error| {
        // A rendering has one line. What an error is about stands before its column.
        let before = if error.line() == 1 { error.column().saturating_sub(1).min(json.len()) } else { 0 };
        let text = error.to_string();
        Cursor::wrong(at + before, text.split(" at line ").next().unwrap_or_default())
    })?;
    let rendering = serde_json::to_string(&genesis).unwrap_or_default();
    if rendering == json {
        return Ok(genesis);
    }
    let same = json.bytes().zip(rendering.bytes()).take_while(|(found, wanted)| found == wanted).count();
    let wanted = String::from_utf8_lossy(rendering.as_bytes().get(same..).unwrap_or_default()).into_owned();
    Err(Fault { at: at + same, wrong: Wrong::Differs(wanted.into()) })
}

pub(super) fn header(cursor: &mut Cursor<'_>) -> Result<Header> {
    // Fields of a struct are evaluated in the order in which they are written.
    let header = Header {
        version: cursor.narrow("{\"version\":")?,
        hash_algorithm: cursor.narrow(",\"hash_algorithm\":")?,
        genesis: cursor.hash(",\"genesis\":")?,
        height: cursor.unsigned(",\"height\":")?,
        active_height: cursor.unsigned(",\"active_height\":")?,
        time_ms: cursor.signed(",\"time_ms\":")?,
        parent: cursor.hash(",\"parent\":")?,
        history: cursor.hash(",\"history\":")?,
        window: cursor.option(",\"window\":", window)?,
        cut: cursor.parsed(",\"cut\":")?,
        ranges: cursor.list(",\"ranges\":", Vec::new(), range)?,
        transactions_root: cursor.hash(",\"transactions_root\":")?,
        operations_root: cursor.hash(",\"operations_root\":")?,
        state_root: cursor.hash(",\"state_root\":")?,
        validators: cursor.hash(",\"validators\":")?,
        parameters: cursor.hash(",\"parameters\":")?,
        author: author(cursor)?,
        extensions: cursor.list(",\"extensions\":", Vec::new(), extension)?,
    };
    cursor.text("}").map(|()| header)
}

fn author(cursor: &mut Cursor<'_>) -> Result<Author> {
    let author = match kind(cursor, ",\"author\":{\"kind\":", &Author::KINDS)? {
        0 => Author::Genesis,
        1 => Author::Stake(StakeAuthor {
            proposer: cursor.parsed(",\"proposer\":")?,
            round: cursor.narrow(",\"round\":")?,
            seed: cursor.hash(",\"seed\":")?,
        }),
        _ => Author::Work(WorkAuthor {
            miner: cursor.parsed(",\"miner\":")?,
            difficulty: cursor.unsigned(",\"difficulty\":")?,
            last_proof: cursor.unsigned(",\"last_proof\":")?,
        }),
    };
    cursor.text("}").map(|()| author)
}

/// The place of what a string says in a list of all that it may say.
fn kind(cursor: &mut Cursor<'_>, before: &'static str, kinds: &[&str]) -> Result<usize> {
    cursor.text(before)?;
    let at = cursor.at();
    let found = cursor.string()?;
    let unknown = || Cursor::wrong(at, format_args!("`{found}` is not one of {}", kinds.join(", ")));
    kinds.iter().position(|kind| *kind == found).ok_or_else(unknown)
}

fn window(cursor: &mut Cursor<'_>) -> Result<Window> {
    let window = Window { start_ms: cursor.signed("{\"start_ms\":")?, end_ms: cursor.signed(",\"end_ms\":")? };
    cursor.text("}").map(|()| window)
}

fn range(cursor: &mut Cursor<'_>) -> Result<Range> {
    let range = Range {
        partition: partition(cursor)?,
        first: cursor.signed(",\"first\":")?,
        last: cursor.signed(",\"last\":")?,
        count: cursor.unsigned(",\"count\":")?,
    };
    cursor.text("}").map(|()| range)
}

fn partition(cursor: &mut Cursor<'_>) -> Result<i32> {
    cursor.text("{\"partition\":")?;
    let at = cursor.at();
    let number = cursor.signed("")?;
    i32::try_from(number).map_err(|_| Cursor::wrong(at, format_args!("{number} is no partition")))
}

fn extension(cursor: &mut Cursor<'_>) -> Result<Extension> {
    let id = cursor.narrow("{\"id\":")?;
    let critical = is_critical(cursor)?;
    let value = cursor.hex(",\"value\":")?;
    cursor.text("}").map(|()| Extension { id, critical, value })
}

fn is_critical(cursor: &mut Cursor<'_>) -> Result<bool> {
    cursor.text(",\"critical\":")?;
    if cursor.takes("true") { Ok(true) } else { cursor.text("false").map(|()| false) }
}

pub(super) fn seal(cursor: &mut Cursor<'_>) -> Result<Seal> {
    let seal = match kind(cursor, "{\"kind\":", &Seal::KINDS)? {
        0 => Seal::Stake(StakeSeal {
            signature: cursor.bytes(",\"signature\":")?,
            reveal: cursor.bytes(",\"reveal\":")?,
            attestation: cursor.bytes(",\"attestation\":")?,
            signers: signers(cursor)?,
        }),
        _ => Seal::Work(WorkSeal { proof: cursor.unsigned(",\"proof\":")? }),
    };
    cursor.text("}").map(|()| seal)
}

fn signers(cursor: &mut Cursor<'_>) -> Result<Bitmap> {
    cursor.text(",\"signers\":")?;
    let at = cursor.at();
    Bitmap::from_bytes(cursor.hex("")?)
        .ok_or_else(|| Cursor::wrong(at, "the last byte of a set of validators is not zero"))
}

pub(super) fn entry(cursor: &mut Cursor<'_>) -> Result<Entry> {
    let origin = Origin {
        partition: partition(cursor)?,
        offset: cursor.signed(",\"offset\":")?,
        timestamp_ms: cursor.signed(",\"timestamp_ms\":")?,
    };
    let original = cursor.hash(",\"original\":")?;
    let content = if cursor.takes(",\"stub\":") { stub(cursor)? } else { transaction(cursor)? };
    cursor.text("}").map(|()| Entry { origin, original, content })
}

fn stub(cursor: &mut Cursor<'_>) -> Result<Content> {
    let reason = cursor.parsed("{\"reason\":")?;
    let key = cursor.option(",\"key\":", |cursor| cursor.hash(""))?;
    cursor.text("}").map(|()| Content::Stub { reason, key })
}

/// A transaction's fields, inside the object of its entry, and its receipt.
fn transaction(cursor: &mut Cursor<'_>) -> Result<Content> {
    let kind = unusual(cursor, ",\"kind\":", Kind::Transfer, |cursor| cursor.parsed(""))?;
    let asset = unusual(cursor, ",\"asset\":", 0, |cursor| cursor.narrow(""))?;
    let from = cursor.parsed(",\"from\":")?;
    let to = cursor.parsed(",\"to\":")?;
    let amount = amount(cursor, ",\"amount\":")?;
    let mut transaction = Transaction { kind, asset, ..Transaction::transfer(from, to, amount) };
    // Most transactions have nothing else.
    if !cursor.takes(RECEIPT) {
        optional_fields(cursor, &mut transaction)?;
        cursor.text(RECEIPT)?;
    }
    let receipt = receipt(cursor)?;
    Ok(Content::Transaction { transaction, receipt })
}

fn optional_fields(cursor: &mut Cursor<'_>, transaction: &mut Transaction) -> Result<()> {
    let integer = |cursor: &mut Cursor<'_>| amount(cursor, "").map(Amount::get);
    transaction.fee = optional(cursor, ",\"fee\":", |cursor| amount(cursor, ""))?;
    transaction.id = optional(cursor, ",\"id\":", |cursor| cursor.parsed(""))?;
    transaction.nonce = optional(cursor, ",\"nonce\":", integer)?;
    transaction.valid_until = optional(cursor, ",\"valid_until\":", integer)?;
    transaction.memo = optional(cursor, ",\"memo\":", |cursor| cursor.parsed(""))?;
    transaction.validator = optional(cursor, ",\"validator\":", |cursor| cursor.parsed(""))?;
    transaction.timeout_ms = optional(cursor, ",\"timeout_ms\":", integer)?;
    transaction.reference = optional(cursor, ",\"reference\":", |cursor| cursor.hash(""))?;
    transaction.authorization = optional(cursor, ",\"public_key\":", |cursor| {
        Ok(Authorization { public_key: cursor.bytes("")?, signature: cursor.bytes(",\"signature\":")? })
    })?;
    Ok(())
}

/// The value of a field that may be left out.
fn optional<'l, T>(
    cursor: &mut Cursor<'l>,
    name: &str,
    read: impl FnOnce(&mut Cursor<'l>) -> Result<T>,
) -> Result<Option<T>> {
    if cursor.takes(name) { read(cursor).map(Some) } else { Ok(None) }
}

/// The value of a field that is left out where it has its usual value.
fn unusual<'l, T: PartialEq>(
    cursor: &mut Cursor<'l>,
    name: &str,
    usual: T,
    read: impl FnOnce(&mut Cursor<'l>) -> Result<T>,
) -> Result<T> {
    if !cursor.takes(name) {
        return Ok(usual);
    }
    let at = cursor.at();
    let value = read(cursor)?;
    if value == usual { Err(Cursor::wrong(at, "the usual value, with which the field is left out")) } else { Ok(value) }
}

/// An integer that every reader of JSON holds exactly.
fn amount(cursor: &mut Cursor<'_>, before: &'static str) -> Result<Amount> {
    cursor.text(before)?;
    let at = cursor.at();
    let number = cursor.unsigned("")?;
    Amount::new(number).ok_or_else(|| Cursor::wrong(at, format_args!("{number} is more than {}", Amount::MAX)))
}

/// What stands behind [`RECEIPT`].
fn receipt(cursor: &mut Cursor<'_>) -> Result<Receipt> {
    let outcome = if cursor.takes("\"applied\"") {
        Outcome::Applied
    } else {
        Outcome::Rejected(cursor.parsed("\"rejected\",\"reason\":")?)
    };
    let from_balance = cursor.signed(",\"from_balance\":")?;
    let to_balance = cursor.signed(",\"to_balance\":")?;
    cursor.text("}").map(|()| Receipt { outcome, from_balance, to_balance })
}

pub(super) fn operation(cursor: &mut Cursor<'_>) -> Result<Operation> {
    let kinds = ["fee", "reward", "missed", "slash", "miner_fee", "miner_reward"];
    let operation = match kind(cursor, "{\"kind\":", &kinds)? {
        0 => Operation::Fee {
            validator: cursor.parsed(",\"validator\":")?,
            account: cursor.parsed(",\"account\":")?,
            amount: amount(cursor, ",\"amount\":")?,
            balance: cursor.signed(",\"balance\":")?,
        },
        1 => Operation::Reward {
            validator: cursor.parsed(",\"validator\":")?,
            account: cursor.parsed(",\"account\":")?,
            amount: amount(cursor, ",\"amount\":")?,
            balance: cursor.signed(",\"balance\":")?,
        },
        2 => Operation::Missed { round: cursor.narrow(",\"round\":")?, validator: cursor.parsed(",\"validator\":")? },
        3 => Operation::Slash {
            round: cursor.narrow(",\"round\":")?,
            validator: cursor.parsed(",\"validator\":")?,
            amount: cursor.unsigned(",\"amount\":")?,
            evidence: Box::new(evidence(cursor, ",\"evidence\":{\"kind\":")?),
        },
        4 => Operation::MinerFee {
            account: cursor.parsed(",\"account\":")?,
            amount: amount(cursor, ",\"amount\":")?,
            balance: cursor.signed(",\"balance\":")?,
        },
        _ => Operation::MinerReward {
            account: cursor.parsed(",\"account\":")?,
            amount: amount(cursor, ",\"amount\":")?,
            balance: cursor.signed(",\"balance\":")?,
        },
    };
    cursor.text("}").map(|()| operation)
}

fn evidence(cursor: &mut Cursor<'_>, before: &'static str) -> Result<Evidence> {
    let evidence = match kind(cursor, before, &["equivocation", "refusal"])? {
        0 => Evidence::Equivocation {
            first: signed_header(cursor, ",\"first\":{\"header\":")?,
            second: signed_header(cursor, ",\"second\":{\"header\":")?,
        },
        _ => Evidence::Refusal {
            header: signed_header(cursor, ",\"header\":{\"header\":")?,
            reason: cursor.parsed(",\"reason\":")?,
            signature: cursor.bytes(",\"signature\":")?,
            signers: signers(cursor)?,
        },
    };
    cursor.text("}").map(|()| evidence)
}

fn signed_header(cursor: &mut Cursor<'_>, before: &'static str) -> Result<SignedHeader> {
    cursor.text(before)?;
    let signed = SignedHeader { header: header(cursor)?, signature: cursor.bytes(",\"signature\":")? };
    cursor.text("}").map(|()| signed)
}
