//! The header, from what was executed.

use borsh::BorshSerialize;
use borsh::io::{Result as WriteResult, Write};

use crate::chain::encoding::write_canonical;
use crate::chain::{Content, Entry, Hash, Header, Operation, Parameters, Range, Receipt, merkle};
use crate::ledger::cut;
use crate::ledger::execute::Candidate;
use crate::ledger::state::Tip;

/// What a header is built from.
pub(super) struct Parts<'a> {
    pub(super) tip: &'a Tip,
    pub(super) height: u64,
    pub(super) parameters: &'a Parameters,
    pub(super) candidate: &'a Candidate<'a>,
    pub(super) ranges: Vec<Range>,
    pub(super) receipts: &'a [Option<Receipt>],
    pub(super) operations: &'a [Operation],
    pub(super) state_root: Hash,
    pub(super) validators: Hash,
}

pub(super) fn build(parts: &Parts<'_>) -> Header {
    let Candidate { entries, cut, proposer, round, extensions, .. } = *parts.candidate;
    let timestamps_ms = entries.iter().map(|entry| entry.origin.timestamp_ms);
    let span = cut::span(parts.parameters, parts.tip.time_ms, timestamps_ms);
    Header {
        version: Header::VERSION,
        hash_algorithm: Header::SHA_256,
        chain_id: parts.tip.chain_id.clone(),
        height: parts.height,
        parent: parts.tip.hash,
        time_ms: span.time_ms,
        window: span.window,
        cut,
        ranges: parts.ranges.clone(),
        transactions_root: transactions_root(entries, parts.receipts),
        operations_root: merkle::root(merkle::leaves(parts.operations)),
        state_root: parts.state_root,
        validators: parts.validators,
        parameters: parts.parameters.hash(),
        proposer: proposer.clone(),
        round,
        seed: parts.tip.seed,
        extensions: extensions.to_vec(),
    }
}

/// An entry with the receipt it is given, encoded as [`Entry`] is.
struct Decided<'a> {
    entry: &'a Entry,
    receipt: &'a Option<Receipt>,
}

impl BorshSerialize for Decided<'_> {
    fn serialize<W: Write>(&self, writer: &mut W) -> WriteResult<()> {
        let (Content::Transaction { transaction, .. }, Some(receipt)) = (&self.entry.content, self.receipt) else {
            return self.entry.serialize(writer);
        };
        self.entry.origin.serialize(writer)?;
        self.entry.original.serialize(writer)?;
        0u8.serialize(writer)?;
        transaction.serialize(writer)?;
        receipt.serialize(writer)
    }
}

fn transactions_root(entries: &[Entry], receipts: &[Option<Receipt>]) -> Hash {
    let mut bytes = Vec::with_capacity(512);
    let leaf = |(entry, receipt)| {
        bytes.clear();
        write_canonical(&Decided { entry, receipt }, &mut bytes);
        merkle::leaf(&bytes)
    };
    merkle::root(entries.iter().zip(receipts).map(leaf).collect())
}
