//! Blocks into JSON: bytes pushed into a buffer in one pass, no tree in between.

use super::record::Pruned;
use super::scalars::{Sink, Size, bytes, hash, hex, list, option, plain, signed, text, unsigned};
use crate::chain::block::Block;
use crate::chain::entry::{Content, Entry};
use crate::chain::evidence::{Evidence, SignedHeader};
use crate::chain::hash::Hash;
use crate::chain::header::{Author, Extension, Header, Range, Window};
use crate::chain::operation::Operation;
use crate::chain::receipt::{Outcome, Receipt};
use crate::chain::seal::Seal;
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
        block(json, self);
    }
}

impl Rendering for Pruned {
    fn render(&self, json: &mut Vec<u8>) {
        pruned(json, self);
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

impl Rendering for Seal {
    fn render(&self, json: &mut Vec<u8>) {
        seal(json, self);
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

pub(super) fn block(out: &mut impl Sink, block: &Block) {
    head(out, &block.header, &block.hash, block.seal.as_ref());
    out.put(b",\"transactions\":");
    list(out, &block.entries, entry);
    out.put(b",\"operations\":");
    list(out, &block.operations, operation);
    if let Some(genesis) = &block.genesis {
        out.put(b",\"genesis\":");
        // Once in a chain's life. Writing to memory does not fail, and a genesis has no map with other keys than text.
        out.put(serde_json::to_string(genesis).unwrap_or_default().as_bytes());
    }
    out.put(b"}");
}

pub(super) fn pruned(out: &mut impl Sink, pruned: &Pruned) {
    head(out, &pruned.header, &pruned.hash, Some(&pruned.seal));
    out.put(b"}");
}

fn head(out: &mut impl Sink, header_: &Header, hash_: &Hash, seal_: Option<&Seal>) {
    out.put(b"{\"header\":");
    header(out, header_);
    hash(out, b",\"hash\":", hash_);
    out.put(b",\"seal\":");
    option(out, seal_, seal);
}

fn header(out: &mut impl Sink, header: &Header) {
    unsigned(out, b"{\"version\":", u64::from(header.version));
    unsigned(out, b",\"hash_algorithm\":", u64::from(header.hash_algorithm));
    hash(out, b",\"genesis\":", &header.genesis);
    unsigned(out, b",\"height\":", header.height);
    unsigned(out, b",\"active_height\":", header.active_height);
    signed(out, b",\"time_ms\":", header.time_ms);
    hash(out, b",\"parent\":", &header.parent);
    hash(out, b",\"history\":", &header.history);
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
    out.put(b",\"author\":");
    author(out, &header.author);
    out.put(b",\"extensions\":");
    list(out, &header.extensions, extension);
    out.put(b"}");
}

fn author(out: &mut impl Sink, author: &Author) {
    match author {
        Author::Genesis => out.put(b"{\"kind\":\"genesis\""),
        Author::Stake(author) => {
            plain(out, b"{\"kind\":\"stake\",\"proposer\":", author.proposer.as_str());
            unsigned(out, b",\"round\":", u64::from(author.round));
            hash(out, b",\"seed\":", &author.seed);
        }
        Author::Work(author) => {
            text(out, b"{\"kind\":\"work\",\"miner\":", author.miner.as_str());
            unsigned(out, b",\"difficulty\":", author.difficulty);
            unsigned(out, b",\"last_proof\":", author.last_proof);
        }
    }
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
    match seal {
        Seal::Stake(seal) => {
            bytes(out, b"{\"kind\":\"stake\",\"signature\":", &seal.signature);
            bytes(out, b",\"reveal\":", &seal.reveal);
            bytes(out, b",\"attestation\":", &seal.attestation);
            bytes(out, b",\"signers\":", seal.signers.as_bytes());
        }
        Seal::Work(seal) => unsigned(out, b"{\"kind\":\"work\",\"proof\":", seal.proof),
    }
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
        Content::Stub { reason, key } => {
            plain(out, b",\"stub\":{\"reason\":", reason.as_str());
            out.put(b",\"key\":");
            option(out, key.as_ref(), |out, key| hash(out, b"", key));
            out.put(b"}");
        }
    }
}

/// The transaction's fields, inside the object of its entry. What has its usual value (transfer, asset 0)
/// or is absent is left out.
fn transaction(out: &mut impl Sink, transaction: &Transaction) {
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
    if let Some(height) = transaction.valid_until {
        unsigned(out, b",\"valid_until\":", height);
    }
    if let Some(memo) = &transaction.memo {
        text(out, b",\"memo\":", memo.as_str());
    }
    if let Some(validator) = &transaction.validator {
        plain(out, b",\"validator\":", validator.as_str());
    }
    if let Some(timeout_ms) = transaction.timeout_ms {
        unsigned(out, b",\"timeout_ms\":", timeout_ms);
    }
    if let Some(reference) = &transaction.reference {
        hash(out, b",\"reference\":", reference);
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
        Operation::MinerFee { account, amount, balance } => {
            text(out, b"{\"kind\":\"miner_fee\",\"account\":", account.as_str());
            unsigned(out, b",\"amount\":", amount.get());
            signed(out, b",\"balance\":", *balance);
        }
        Operation::MinerReward { account, amount, balance } => {
            text(out, b"{\"kind\":\"miner_reward\",\"account\":", account.as_str());
            unsigned(out, b",\"amount\":", amount.get());
            signed(out, b",\"balance\":", *balance);
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
