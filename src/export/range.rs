//! A range of heights: where it ends, and its files while they are written.

use std::num::NonZeroU64;
use std::path::PathBuf;

use super::directory::Directory;
use super::error::{Result, of_file};
use super::table::{Row, Table};
use super::writer::{Format, Subject, Writer};
use crate::chain::Hash;

/// Where a range of heights ends: at the first of these bounds. Together with the chain they say which files there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A range does not go over a multiple of so many heights.
    pub heights: NonZeroU64,
    /// A range ends behind the block with which a table has so many rows.
    pub rows: NonZeroU64,
}

impl Limits {
    /// Whether a range ends with this height, when a table of it has at most so many rows.
    pub(super) fn end_with(&self, height: u64, row_count: u64) -> bool {
        row_count >= self.rows.get() || height.checked_add(1).is_none_or(|next| next.is_multiple_of(self.heights.get()))
    }
}

/// The files of a range that is not published.
pub(super) struct Open {
    first: u64,
    /// In the order of [`Table::ALL`].
    files: Vec<OpenFile>,
}

struct OpenFile {
    path: PathBuf,
    writer: Writer,
    row_count: u64,
}

/// A range whose files are whole and on the disk, beside their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) first_height: u64,
    pub(super) last_height: u64,
    /// The hash of the last height's block.
    pub(super) block_hash: Hash,
    /// Rows and bytes, in the order of [`Table::ALL`].
    pub(super) sizes: Vec<Size>,
}

/// How much a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Open {
    /// Begins a range with this height.
    pub(super) fn begin(directory: &Directory, format: Format, first: u64) -> Result<Self> {
        // Dropped with those that were begun, where one cannot be.
        let mut open = Self { first, files: Vec::new() };
        for table in Table::ALL {
            let path = directory.unfinished_file(table, first, format);
            let writer = Writer::create(format, table, &path).map_err(of_file("write", &path))?;
            open.files.push(OpenFile { path, writer, row_count: 0 });
        }
        Ok(open)
    }

    /// Adds rows to their table.
    pub(super) fn rows<R: Row>(&mut self, rows: impl IntoIterator<Item = R>) -> Result<()> {
        let Some(file) = self.files.get_mut(R::TABLE as usize) else { return Ok(()) };
        for row in rows {
            file.writer.row(&row).map_err(of_file("write", &file.path))?;
            file.row_count += 1;
        }
        Ok(())
    }

    /// The rows of the table that has most.
    pub(super) fn row_count_max(&self) -> u64 {
        self.files.iter().map(|file| file.row_count).max().unwrap_or(0)
    }

    /// Ends the range with this height.
    pub(super) fn finish(mut self, subject: &Subject, last: u64, block_hash: Hash) -> Result<Finished> {
        let first = self.first;
        let finish = |file: OpenFile| {
            let finished = file.writer.finish(subject, (first, last));
            let bytes = finished.map_err(of_file("write", &file.path))?;
            Ok(Size { rows: file.row_count, bytes })
        };
        let files = std::mem::take(&mut self.files);
        let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
        let sizes: Result<Vec<Size>> = files.into_iter().map(finish).collect();
        let sizes = sizes.inspect_err(|_| remove(&paths))?;
        Ok(Finished { first_height: first, last_height: last, block_hash, sizes })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        remove(self.files.iter().map(|file| &file.path));
    }
}

/// Removes what is not finished, which is of no use: on a disk that is full, others need the room. Where that fails,
/// the next call does it.
fn remove<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) {
    for path in paths {
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::super::directory::Manifest;
    use super::*;

    #[test]
    fn where_a_disk_is_full_nothing_is_left_of_a_range() {
        for full in Table::ALL {
            let root = tempfile::tempdir().unwrap();
            let mut directory = Directory::open(root.path(), Format::Csv).unwrap();
            let genesis_hash = Hash::of(b"genesis");
            let subject = Subject { chain_id: "cairn-test".to_owned(), genesis_hash };
            directory.begin(Manifest::of(&subject, Format::Csv, 0)).unwrap();
            std::os::unix::fs::symlink("/dev/full", directory.unfinished_file(full, 0, Format::Csv)).unwrap();
            let open = Open::begin(&directory, Format::Csv, 0).unwrap();
            let error = open.finish(&subject, 0, Hash::of(b"block")).unwrap_err().to_string();
            assert!(error.contains("No space left on device") && error.contains(full.name()), "{error}");
            for table in Table::ALL {
                assert!(!directory.unfinished_file(table, 0, Format::Csv).exists(), "{full:?} {table:?}");
            }
        }
    }

    #[test]
    fn a_range_ends_before_a_multiple_of_the_heights_or_when_a_table_is_full() {
        let bound = |number| NonZeroU64::new(number).unwrap();
        let limits = Limits { heights: bound(100), rows: bound(1_000) };
        for (height, row_count, ends) in [
            (0, 0, false),
            (98, 999, false),
            (99, 0, true),
            (100, 1, false),
            (199, 5, true),
            (150, 1_000, true),
            (150, 5_000, true),
            (u64::MAX, 0, true),
        ] {
            assert_eq!(limits.end_with(height, row_count), ends, "{height} {row_count}");
        }
        assert!(Limits { heights: bound(1), rows: bound(u64::MAX) }.end_with(0, 0));
    }
}
