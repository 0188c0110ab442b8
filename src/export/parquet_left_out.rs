//! Parquet, in a build without the feature `parquet`: there is no such file.

use std::fs::File;
use std::io;

use super::table::{Row, Table};
use super::writer::Subject;

/// A file that cannot be.
pub(super) enum Parquet {}

impl Parquet {
    pub(super) fn new(_: File, _: Table) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "built without the feature `parquet`"))
    }

    pub(super) fn row<R: Row>(&mut self, _: &R) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn finish(self, _: &Subject, _: (u64, u64)) -> io::Result<File> {
        match self {}
    }
}
