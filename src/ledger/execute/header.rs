//! The header, from what was executed.

use borsh::BorshSerialize;
use borsh::io::{Result as WriteResult, Write};

use crate::chain::{Author, Content, Entry, Hash, Header, Operation, Range, Receipt, StakeAuthor, merkle};
use crate::ledger::execute::{Candidate, Maker};
use crate::ledger::{Replica, cut};

/// What a header is built from, apart from the replica that the block goes on.
pub(super) struct Parts<'a> {
    pub(super) candidate: &'a Candidate<'a>,
    pub(super) height: u64,
    pub(super) active_height: u64,
    pub(super) history: Hash,
    pub(super) ranges: Vec<Range>,
    pub(super) roots: Roots,
    pub(super) state_root: Hash,
    pub(super) validators: Hash,
}

pub(super) fn build(replica: &Replica, parts: Parts<'_>) -> Header {
    let Candidate { entries, cut, maker, extensions, .. } = *parts.candidate;
    let tip = replica.tip();
    let timestamps_ms = entries.iter().map(|entry| entry.origin.timestamp_ms);
    let span = cut::span(replica.parameters(), tip.time_ms, timestamps_ms);
    Header {
        version: replica.parameters().version_at(parts.height),
        hash_algorithm: Header::SHA_256,
        genesis: tip.genesis,
        height: parts.height,
        active_height: parts.active_height,
        time_ms: span.time_ms,
        parent: tip.hash,
        history: parts.history,
        window: span.window,
        cut,
        ranges: parts.ranges,
        transactions_root: parts.roots.transactions,
        operations_root: parts.roots.operations,
        state_root: parts.state_root,
        validators: parts.validators,
        parameters: replica.parameters_hash(),
        author: match maker {
            Maker::Proposer { proposer, round, .. } => {
                Author::Stake(StakeAuthor { proposer: proposer.clone(), round, seed: tip.seed })
            }
            Maker::Miner(author) => Author::Work(author.clone()),
        },
        extensions: extensions.to_vec(),
    }
}

/// The Merkle roots of a block's body.
#[derive(Clone, Copy)]
pub(in crate::ledger) struct Roots {
    pub(in crate::ledger) transactions: Hash,
    pub(in crate::ledger) operations: Hash,
}

impl Roots {
    pub(super) fn of(entries: &[Entry], receipts: &[Option<Receipt>], operations: &[Operation]) -> Self {
        let decided = entries.iter().zip(receipts).map(|(entry, receipt)| Decided { entry, receipt });
        Self {
            transactions: merkle::root(merkle::leaves(decided)),
            operations: merkle::root(merkle::leaves(operations)),
        }
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
