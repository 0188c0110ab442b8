//! Flat rows of a chain, for tables: what moved, who holds what, who validates.
//!
//! ```text
//!   block ──> Chain::follow ──┬──> transfers      stateless: one row for each record, fee, reward, slash
//!             (does it follow │
//!              from the last?)├──> balances       against the accounts before the block
//!                             └──> validators     what the chain knows of those that the block concerns
//! ```
//!
//! ```text
//! chain       what is kept of a chain between its blocks, and whether a block follows
//! transfer    rows of what moved, or was to
//! balance     rows of accounts that a block changed
//! validator   rows of validators that a block concerns
//! book        a chain as far as its rows were made: its accounts, in memory, and seals, which are checked many at a time
//! schema      what a row looks like, for programs
//! avro        rows in Avro's binary, and their schemas
//! error       why there are no rows
//! ```
//!
//! Rows are serialized as one flat JSON object each (`docs/schemas/`), and have a `version`: a field that is added
//! keeps it, any other change raises it.
//!
//! Pure. May use `chain`, `ledger` and `consensus`, nothing else of this crate.

pub mod avro;
mod balance;
mod book;
mod chain;
mod error;
pub mod schema;
mod transfer;
mod validator;

pub use balance::{Balance, balances};
pub use book::Book;
pub use chain::{Chain, Standing, Tip};
pub use error::Error;
pub use transfer::{Status, Transfer, TransferKind, transfers};
pub use validator::{Validator, ValidatorStatus, concerned, validators};

/// The version of every kind of row.
pub const VERSION: u16 = 1;
