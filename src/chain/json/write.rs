//! Blocks into JSON: bytes pushed into a buffer in one pass, no tree in between.

use super::scalars::{Sink, Size, bytes, hash, hex, list, option, plain, signed, text, unsigned};
use crate::chain::block::{Block, Content, Entry, Seal};
use crate::chain::evidence::{Evidence, SignedHeader};
use crate::chain::header::{Extension, Header, Range, Window};
use crate::chain::operation::Operation;
use crate::chain::receipt::{Outcome, Receipt};
use crate::chain::transaction::{Kind, Transaction};

/// The most bytes a receipt takes in an entry: its fixed text, the longest reason (18 bytes), and two balances of up to
/// 20 characters.
pub const ENTRY_RECEIPT_SIZE_BYTES_MAX: usize =
    br#","receipt":{"outcome":"rejected","reason":"","from_balance":,"to_balance":}"#.len() + 18 + 2 * 20;

/// What can be rendered as JSON.
pub trait Rendering {
    /// Appends the rendering to the buffer.
    fn render(&self, json: &mut Vec<u8>);

    /// The rendering as text.
    fn to_json(&self) -> String {
        let mut json = Vec::with_capacity(1024);
        self.render(&mut json);
        String::from_utf8_lossy(&json).into_owned()
    }
}

impl Rendering for Block {
    fn render(&self, json: &mut Vec<u8>) {
        json.reserve(2048 + 512 * self.entries.len());
        json.put(b"{\"header\":");
        header(json, &self.header);
        json.put(b",\"hash\":");
        hex(json, &self.hash.0);
        json.put(b",\"seal\":");
        option(json, self.seal.as_ref(), seal);
        json.put(b",\"transactions\":");
        list(json, &self.entries, entry);
        json.put(b",\"operations\":");
        list(json, &self.operations, operation);
        if let Some(genesis) = &self.genesis {
            json.put(b",\"genesis\":");
            // Once in a chain's life. Writing to memory does not fail, and a genesis has no map with other keys than text.
            json.put(serde_json::to_string(genesis).unwrap_or_default().as_bytes());
        }
        json.put(b"}");
    }
}

impl Rendering for Header {
    fn render(&self, json: &mut Vec<u8>) {
        header(json, self);
    }
}

impl Rendering for Entry {
    fn render(&self, json: &mut Vec<u8>) {
        entry(json, self);
    }
}

impl Rendering for Operation {
    fn render(&self, json: &mut Vec<u8>) {
        operation(json, self);
    }
}

impl Rendering for Evidence {
    fn render(&self, json: &mut Vec<u8>) {
        evidence(json, self);
    }
}

impl<T: Rendering> Rendering for [T] {
    fn render(&self, json: &mut Vec<u8>) {
        list(json, self, |json, item| item.render(json));
    }
}

impl Entry {
    /// How many bytes the entry counts for against `block.max_bytes`: its rendering and the comma after it, with the
    /// receipt at its longest ([`ENTRY_RECEIPT_SIZE_BYTES_MAX`]). So it is known before the entry is executed, and the
    /// entries of a block never take more than the sum of their sizes.
    #[must_use]
    pub fn rendered_size_bytes(&self) -> usize {
        let mut size = Size(1);
        size.put(b"}");
        entry_without_receipt(&mut size, self);
        match self.content {
            Content::Transaction { .. } => size.0 + ENTRY_RECEIPT_SIZE_BYTES_MAX,
            Content::Stub { .. } => size.0,
        }
    }
}

fn header(out: &mut impl Sink, header: &Header) {
    unsigned(out, b"{\"height\":", header.height);
    hash(out, b",\"parent\":", &header.parent);
    unsigned(out, b",\"version\":", u64::from(header.version));
    unsigned(out, b",\"hash_algorithm\":", u64::from(header.hash_algorithm));
    text(out, b",\"chain_id\":", &header.chain_id);
    signed(out, b",\"time_ms\":", header.time_ms);
    out.put(b",\"window\":");
    option(out, header.window.as_ref(), window);
    plain(out, b",\"cut\":", header.cut.as_str());
    out.put(b",\"ranges\":");
    list(out, &header.ranges, range);
    hash(out, b",\"transactions_root\":", &header.transactions_root);
    hash(out, b",\"operations_root\":", &header.operations_root);
    hash(out, b",\"state_root\":", &header.state_root);
    hash(out, b",\"validators\":", &header.validators);
    hash(out, b",\"parameters\":", &header.parameters);
    plain(out, b",\"proposer\":", header.proposer.as_str());
    unsigned(out, b",\"round\":", u64::from(header.round));
    hash(out, b",\"seed\":", &header.seed);
    out.put(b",\"extensions\":");
    list(out, &header.extensions, extension);
    out.put(b"}");
}

fn window(out: &mut impl Sink, window: &Window) {
    signed(out, b"{\"start_ms\":", window.start_ms);
    signed(out, b",\"end_ms\":", window.end_ms);
    out.put(b"}");
}

fn range(out: &mut impl Sink, range: &Range) {
    signed(out, b"{\"partition\":", i64::from(range.partition));
    signed(out, b",\"first\":", range.first);
    signed(out, b",\"last\":", range.last);
    unsigned(out, b",\"count\":", range.count);
    out.put(b"}");
}

fn extension(out: &mut impl Sink, extension: &Extension) {
    unsigned(out, b"{\"id\":", u64::from(extension.id));
    out.put(if extension.critical { b",\"critical\":true,\"value\":" } else { b",\"critical\":false,\"value\":" });
    hex(out, &extension.value);
    out.put(b"}");
}

fn seal(out: &mut impl Sink, seal: &Seal) {
    unsigned(out, b"{\"scheme\":", u64::from(seal.scheme));
    bytes(out, b",\"signature\":", &seal.signature);
    bytes(out, b",\"reveal\":", &seal.reveal);
    bytes(out, b",\"attestation\":", &seal.attestation);
    bytes(out, b",\"signers\":", seal.signers.as_bytes());
    out.put(b"}");
}

fn entry(out: &mut impl Sink, entry: &Entry) {
    entry_without_receipt(out, entry);
    if let Content::Transaction { receipt: value, .. } = &entry.content {
        receipt(out, value);
    }
    out.put(b"}");
}

fn entry_without_receipt(out: &mut impl Sink, entry: &Entry) {
    signed(out, b"{\"partition\":", i64::from(entry.origin.partition));
    signed(out, b",\"offset\":", entry.origin.offset);
    signed(out, b",\"timestamp_ms\":", entry.origin.timestamp_ms);
    hash(out, b",\"original\":", &entry.original);
    match &entry.content {
        Content::Transaction { transaction: value, .. } => transaction(out, value),
        Content::Stub { reason, key, value } => {
            plain(out, b",\"stub\":{\"reason\":", reason.as_str());
            hash(out, b",\"key\":", key);
            hash(out, b",\"value\":", value);
            out.put(b"}");
        }
    }
}

/// The transaction's fields, inside the object of its entry. What has its usual value (version 1, transfer, asset 0)
/// or is absent is left out.
fn transaction(out: &mut impl Sink, transaction: &Transaction) {
    if transaction.version != Transaction::VERSION {
        unsigned(out, b",\"version\":", u64::from(transaction.version));
    }
    if transaction.kind != Kind::Transfer {
        plain(out, b",\"kind\":", transaction.kind.as_str());
    }
    if transaction.asset != 0 {
        unsigned(out, b",\"asset\":", u64::from(transaction.asset));
    }
    text(out, b",\"from\":", transaction.from.as_str());
    text(out, b",\"to\":", transaction.to.as_str());
    unsigned(out, b",\"amount\":", transaction.amount.get());
    if let Some(fee) = transaction.fee {
        unsigned(out, b",\"fee\":", fee.get());
    }
    if let Some(id) = &transaction.id {
        text(out, b",\"id\":", id.as_str());
    }
    if let Some(nonce) = transaction.nonce {
        unsigned(out, b",\"nonce\":", nonce);
    }
    if let Some(height) = transaction.valid_until_height {
        unsigned(out, b",\"valid_until_height\":", height);
    }
    if let Some(memo) = &transaction.memo {
        text(out, b",\"memo\":", memo.as_str());
    }
    if let Some(authorization) = &transaction.authorization {
        bytes(out, b",\"public_key\":", &authorization.public_key);
        bytes(out, b",\"signature\":", &authorization.signature);
    }
}

fn receipt(out: &mut impl Sink, receipt: &Receipt) {
    match receipt.outcome {
        Outcome::Applied => out.put(b",\"receipt\":{\"outcome\":\"applied\""),
        Outcome::Rejected(reason) => {
            plain(out, b",\"receipt\":{\"outcome\":\"rejected\",\"reason\":", reason.as_str());
        }
    }
    signed(out, b",\"from_balance\":", receipt.from_balance);
    signed(out, b",\"to_balance\":", receipt.to_balance);
    out.put(b"}");
}

fn operation(out: &mut impl Sink, operation: &Operation) {
    match operation {
        Operation::Fee { validator, account, amount, balance } => {
            plain(out, b"{\"kind\":\"fee\",\"validator\":", validator.as_str());
            text(out, b",\"account\":", account.as_str());
            unsigned(out, b",\"amount\":", amount.get());
            signed(out, b",\"balance\":", *balance);
        }
        Operation::Reward { validator, account, amount, balance } => {
            plain(out, b"{\"kind\":\"reward\",\"validator\":", validator.as_str());
            text(out, b",\"account\":", account.as_str());
            unsigned(out, b",\"amount\":", amount.get());
            signed(out, b",\"balance\":", *balance);
        }
        Operation::Missed { round, validator } => {
            unsigned(out, b"{\"kind\":\"missed\",\"round\":", u64::from(*round));
            plain(out, b",\"validator\":", validator.as_str());
        }
        Operation::Slash { round, validator, amount, evidence: proof } => {
            unsigned(out, b"{\"kind\":\"slash\",\"round\":", u64::from(*round));
            plain(out, b",\"validator\":", validator.as_str());
            unsigned(out, b",\"amount\":", *amount);
            out.put(b",\"evidence\":");
            evidence(out, proof);
        }
    }
    out.put(b"}");
}

fn evidence(out: &mut impl Sink, evidence: &Evidence) {
    match evidence {
        Evidence::Equivocation { first, second } => {
            out.put(b"{\"kind\":\"equivocation\",\"first\":");
            signed_header(out, first);
            out.put(b",\"second\":");
            signed_header(out, second);
        }
        Evidence::Refusal { header, reason, signature, signers } => {
            out.put(b"{\"kind\":\"refusal\",\"header\":");
            signed_header(out, header);
            plain(out, b",\"reason\":", reason.as_str());
            bytes(out, b",\"signature\":", signature);
            bytes(out, b",\"signers\":", signers.as_bytes());
        }
    }
    out.put(b"}");
}

fn signed_header(out: &mut impl Sink, signed: &SignedHeader) {
    out.put(b"{\"header\":");
    header(out, &signed.header);
    bytes(out, b",\"signature\":", &signed.signature);
    out.put(b"}");
}
