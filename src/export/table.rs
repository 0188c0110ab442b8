//! The tables of an export: their columns, and what a row has in them.

use serde::Serialize;

use super::block::BlockRow;
use crate::chain::Hash;
use crate::rows::{Balance, Transfer, Validator};

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// What moved, or was to.
    Transfers,
    /// Accounts after each block that changed them.
    Balances,
    /// Validators after each block that concerned them.
    Validators,
    /// Blocks.
    Blocks,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 4] = [Self::Transfers, Self::Balances, Self::Validators, Self::Blocks];

    /// Its name, which is that of its directory.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfers => "transfers",
            Self::Balances => "balances",
            Self::Validators => "validators",
            Self::Blocks => "blocks",
        }
    }

    /// Its columns, in the order of the fields of its rows.
    pub(super) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Transfers => &TRANSFERS,
            Self::Balances => &BALANCES,
            Self::Validators => &VALIDATORS,
            Self::Blocks => &BLOCKS,
        }
    }

    /// The columns by which its rows are sorted, ascending; the first is the height.
    pub(super) const fn sorted_by(self) -> &'static [&'static str] {
        match self {
            Self::Transfers => &["height", "index"],
            Self::Balances => &["height", "name"],
            Self::Validators => &["height", "id"],
            Self::Blocks => &["height"],
        }
    }
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// The name of the field, in JSON and CSV.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_nullable: bool,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An integer of 32 bits.
    Small,
    /// An integer of 64 bits.
    Integer,
    /// Milliseconds since 1970 UTC. The field's name ends with `_ms`.
    Time,
    /// One of few texts, or a name: worth a dictionary.
    Word,
    /// A text that few rows have in common.
    Text,
}

/// What a row has in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell<'r> {
    /// Nothing.
    Null,
    /// An integer, or a time.
    Integer(i64),
    /// An integer that is at least 0.
    Unsigned(u64),
    /// A text.
    Text(&'r str),
    /// A hash: a text of hexadecimal digits.
    Hash(&'r Hash),
}

/// A row of a table. It is serialized as one flat JSON object whose fields are the table's columns.
pub(super) trait Row: Serialize {
    /// Of which table.
    const TABLE: Table;
    /// As many as the table has columns.
    type Cells<'r>: IntoIterator<Item = Cell<'r>>
    where
        Self: 'r;

    /// What it has in each column, in their order.
    fn cells(&self) -> Self::Cells<'_>;
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, is_nullable: false }
}

const fn nullable(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, is_nullable: true }
}

const TRANSFERS: [Column; 21] = [
    column("version", Kind::Small),
    column("height", Kind::Integer),
    column("index", Kind::Small),
    column("block_hash", Kind::Word),
    column("block_time_ms", Kind::Time),
    nullable("kind", Kind::Word),
    column("status", Kind::Word),
    nullable("reason", Kind::Word),
    nullable("partition", Kind::Small),
    nullable("offset", Kind::Integer),
    nullable("record_time_ms", Kind::Time),
    nullable("sender", Kind::Word),
    nullable("recipient", Kind::Word),
    nullable("validator", Kind::Word),
    nullable("amount", Kind::Integer),
    column("fee", Kind::Integer),
    nullable("sender_balance", Kind::Integer),
    nullable("recipient_balance", Kind::Integer),
    nullable("transaction_id", Kind::Text),
    nullable("nonce", Kind::Integer),
    nullable("memo", Kind::Text),
];

const BALANCES: [Column; 8] = [
    column("version", Kind::Small),
    column("name", Kind::Word),
    column("balance", Kind::Integer),
    column("nonce", Kind::Integer),
    column("delta", Kind::Integer),
    column("height", Kind::Integer),
    column("block_hash", Kind::Word),
    column("block_time_ms", Kind::Time),
];

const VALIDATORS: [Column; 10] = [
    column("version", Kind::Small),
    column("id", Kind::Word),
    column("status", Kind::Word),
    column("stake", Kind::Integer),
    nullable("slashed_at_height", Kind::Integer),
    column("blocks_proposed", Kind::Integer),
    column("rounds_missed", Kind::Integer),
    column("height", Kind::Integer),
    column("block_hash", Kind::Word),
    column("block_time_ms", Kind::Time),
];

const BLOCKS: [Column; 15] = [
    column("version", Kind::Small),
    column("height", Kind::Integer),
    column("hash", Kind::Word),
    column("parent", Kind::Word),
    column("state_root", Kind::Word),
    column("time_ms", Kind::Time),
    column("cut", Kind::Word),
    column("consensus", Kind::Word),
    nullable("maker", Kind::Word),
    column("round", Kind::Integer),
    nullable("difficulty", Kind::Integer),
    column("records", Kind::Integer),
    column("applied", Kind::Integer),
    column("rejected", Kind::Integer),
    column("unreadable", Kind::Integer),
];

impl<'r> From<&'r Hash> for Cell<'r> {
    fn from(hash: &'r Hash) -> Self {
        Self::Hash(hash)
    }
}

impl<'r> From<&'r str> for Cell<'r> {
    fn from(text: &'r str) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell<'_> {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<i32> for Cell<'_> {
    fn from(integer: i32) -> Self {
        Self::Integer(integer.into())
    }
}

impl From<u64> for Cell<'_> {
    fn from(integer: u64) -> Self {
        Self::Unsigned(integer)
    }
}

impl From<u32> for Cell<'_> {
    fn from(integer: u32) -> Self {
        Self::Integer(integer.into())
    }
}

impl From<u16> for Cell<'_> {
    fn from(integer: u16) -> Self {
        Self::Integer(integer.into())
    }
}

impl<'r, T: Into<Cell<'r>>> From<Option<T>> for Cell<'r> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Row for Transfer<'_> {
    const TABLE: Table = Table::Transfers;
    type Cells<'r>
        = [Cell<'r>; TRANSFERS.len()]
    where
        Self: 'r;

    fn cells(&self) -> Self::Cells<'_> {
        [
            self.version.into(),
            self.height.into(),
            self.index.into(),
            (&self.block_hash).into(),
            self.block_time_ms.into(),
            self.kind.into(),
            self.status.as_str().into(),
            self.reason.into(),
            self.partition.into(),
            self.offset.into(),
            self.record_time_ms.into(),
            self.sender.into(),
            self.recipient.into(),
            self.validator.into(),
            self.amount.into(),
            self.fee.into(),
            self.sender_balance.into(),
            self.recipient_balance.into(),
            self.transaction_id.into(),
            self.nonce.into(),
            self.memo.into(),
        ]
    }
}

impl Row for Balance<'_> {
    const TABLE: Table = Table::Balances;
    type Cells<'r>
        = [Cell<'r>; BALANCES.len()]
    where
        Self: 'r;

    fn cells(&self) -> Self::Cells<'_> {
        [
            self.version.into(),
            self.name.into(),
            self.balance.into(),
            self.nonce.into(),
            self.delta.into(),
            self.height.into(),
            (&self.block_hash).into(),
            self.block_time_ms.into(),
        ]
    }
}

impl Row for Validator<'_> {
    const TABLE: Table = Table::Validators;
    type Cells<'r>
        = [Cell<'r>; VALIDATORS.len()]
    where
        Self: 'r;

    fn cells(&self) -> Self::Cells<'_> {
        [
            self.version.into(),
            self.id.into(),
            self.status.as_str().into(),
            self.stake.into(),
            self.slashed_at_height.into(),
            self.blocks_proposed.into(),
            self.rounds_missed.into(),
            self.height.into(),
            (&self.block_hash).into(),
            self.block_time_ms.into(),
        ]
    }
}

impl Row for BlockRow<'_> {
    const TABLE: Table = Table::Blocks;
    type Cells<'r>
        = [Cell<'r>; BLOCKS.len()]
    where
        Self: 'r;

    fn cells(&self) -> Self::Cells<'_> {
        [
            self.version.into(),
            self.height.into(),
            (&self.hash).into(),
            (&self.parent).into(),
            (&self.state_root).into(),
            self.time_ms.into(),
            self.cut.into(),
            self.consensus.into(),
            self.maker.into(),
            self.round.into(),
            self.difficulty.into(),
            self.records.into(),
            self.applied.into(),
            self.rejected.into(),
            self.unreadable.into(),
        ]
    }
}
