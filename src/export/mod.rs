//! A chain's rows ([`rows`](crate::rows)) in files: Parquet, CSV or JSON lines.
//!
//! ```text
//!   reading thread      record ──> block
//!   caller              block ──> book (does it follow? rows) ──> range (a writer for each table) ──> directory
//! ```
//!
//! ```text
//! round       one pass from where the files end to where the topic ends
//! exported    what that has published                                                             pure
//! checkpoint  the book in a file, so that a later call need not follow the chain from its beginning
//! range       the files of a range of heights while they are written, and where a range ends
//! directory   which ranges are there, on the disk
//! publish     how a range gets there, all of it or nothing: step by step                       pure
//! table       tables, their columns and rows                                                   pure
//! block       rows of blocks                                                                   pure
//! writer      a file of rows in one of the formats
//! parquet     Parquet, where the build has it
//! text        CSV and JSON lines
//! ```
//!
//! A range of heights has one file in each table's directory. Its files are published together, behind the seals of all
//! its blocks: what is read of them is of a chain that follows and is sealed up to there. Memory is that of the chain's
//! accounts and of one row group for each table, whatever the chain's length.
//!
//! May use `chain`, `ledger`, `consensus`, `rows`, the readers of `audit`, `reader`, and the engine's log.

mod block;
mod checkpoint;
mod directory;
mod error;
mod exported;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(not(feature = "parquet"))]
#[path = "parquet_left_out.rs"]
mod parquet;
mod publish;
mod range;
mod round;
#[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "what columns hold is for Parquet alone"))]
mod table;
mod text;
mod writer;

pub use block::BlockRow;
pub use error::Error;
pub use exported::Exported;
pub use range::Limits;
pub use round::{Export, Options};
pub use table::Table;
pub use writer::{Format, Subject};
