//! A file of rows, in one of the formats.

use std::fs::File;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::parquet::Parquet;
use super::table::{Row, Table};
use super::text::{Csv, JsonLines};
use crate::chain::Hash;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Apache Parquet, compressed with Zstandard. A build without the feature `parquet` cannot write it.
    Parquet,
    /// Comma-separated values, quoted as in RFC 4180, with a header.
    Csv,
    /// An object of JSON a line.
    Jsonl,
}

impl Format {
    /// As on the command line; also what the names of its files end with.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}

/// What an export is of. A file says it of itself, where its format has a place for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The chain's name, which is not unique.
    pub chain_id: String,
    /// The chain's identity.
    pub genesis_hash: Hash,
}

/// A file that is being written.
pub(super) enum Writer {
    Parquet(Box<Parquet>),
    Csv(Csv),
    JsonLines(JsonLines),
}

impl Writer {
    /// Begins a file of rows of a table, in the place of one that may be there.
    pub(super) fn create(format: Format, table: Table, path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        Ok(match format {
            Format::Parquet => Self::Parquet(Box::new(Parquet::new(file, table)?)),
            Format::Csv => Self::Csv(Csv::new(file, table)?),
            Format::Jsonl => Self::JsonLines(JsonLines::new(file)),
        })
    }

    /// Adds a row.
    pub(super) fn row<R: Row>(&mut self, row: &R) -> io::Result<()> {
        match self {
            Self::Parquet(file) => file.row(row),
            Self::Csv(file) => file.row(row),
            Self::JsonLines(file) => file.row(row),
        }
    }

    /// Ends the file, which holds the rows of these heights; it is on the disk when this returns. How large it is, in
    /// bytes.
    pub(super) fn finish(self, subject: &Subject, (first, last): (u64, u64)) -> io::Result<u64> {
        let file = match self {
            Self::Parquet(file) => file.finish(subject, (first, last))?,
            Self::Csv(file) => file.finish()?,
            Self::JsonLines(file) => file.finish()?,
        };
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }
}
