//! What a directory's files go through, step by step: plans as values, which [`Directory`](super::directory::Directory)
//! carries out.
//!
//! ```text
//! begin    the tables' directories ─> export.json
//! publish  a finished file of each table, beside its place ─> export.json names the range │ ─> each file in its place
//! recover                                        nothing of it is published before here   │   after: the rest is done
//! ```
//! A process may die between any two steps. What it leaves, [`recover`] takes on: it moves what a range that is named
//! lacks, and removes what belongs to none. Paths are those below the directory; the disk is not looked at.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::directory::LastRange;
use super::table::Table;
use super::writer::Format;

/// What says how far an export is.
pub(super) const MANIFEST: &str = "export.json";
/// What the names of files end with that are not in their places.
const UNFINISHED: &str = ".part";

/// One thing that is done to the disk: whole, or not at all, but for the content of a file that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A directory is made, unless it is there.
    Make(PathBuf),
    /// What a directory lists lasts from here on.
    Sync(PathBuf),
    /// A file is written with this content, which lasts from here on.
    Write(PathBuf, Vec<u8>),
    /// A file is put in the place of one that may be there.
    Move { from: PathBuf, to: PathBuf },
    /// A file goes.
    Remove(PathBuf),
}

/// Makes an empty directory one of an export, with this manifest.
pub(super) fn begin(manifest: Vec<u8>) -> Vec<Step> {
    [tables(), write_manifest(manifest)].concat()
}

/// The directories of the tables.
pub(super) fn tables() -> Vec<Step> {
    let made = Table::ALL.into_iter().map(|table| Step::Make(of_table(table)));
    made.chain([Step::Sync(PathBuf::new())]).collect()
}

/// Publishes a range, whose finished files lie beside their places. The manifest names it.
pub(super) fn publish(range: &LastRange, format: Format, manifest: Vec<u8>) -> Vec<Step> {
    let placed = moves(range, format).into_iter().map(|(from, to)| Step::Move { from, to }).collect();
    // That the files are there must last before anything says so.
    [sync_tables(), write_manifest(manifest), placed, sync_tables()].concat()
}

/// Does what a process left undone that died, once the directories of the tables are there: `range` is what the
/// manifest names, `present` the files in those directories.
pub(super) fn recover(range: Option<&LastRange>, format: Format, present: &BTreeSet<PathBuf>) -> Vec<Step> {
    let named: Vec<_> = range.into_iter().flat_map(|range| moves(range, format)).collect();
    let is_of_the_range = |path: &PathBuf| named.iter().any(|(from, _)| from == path);
    let removed: Vec<Step> = present
        .iter()
        .filter(|path| is_unfinished(path) && !is_of_the_range(path))
        .cloned()
        .map(Step::Remove)
        .collect();
    let moved = named.iter().filter(|(from, _)| present.contains(from)).cloned();
    let moved = moved.map(|(from, to)| Step::Move { from, to }).collect();
    [moved, removed, sync_tables()].concat()
}

/// Files of the range that the manifest names which are neither in their places nor beside them.
pub(super) fn missing(range: &LastRange, format: Format, present: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let is_there = |path: &PathBuf| present.contains(path);
    moves(range, format).into_iter().filter(|(from, to)| !is_there(from) && !is_there(to)).map(|(_, to)| to).collect()
}

/// Puts a file that was written whole, and lasts, in its place in the directory itself.
pub(super) fn put_in_place(path: &Path) -> Vec<Step> {
    vec![Step::Move { from: unfinished(path), to: path.to_owned() }, Step::Sync(PathBuf::new())]
}

/// The directory of a table.
pub(super) fn of_table(table: Table) -> PathBuf {
    PathBuf::from(table.name())
}

/// The file of a range that begins with this height, while it is written: where the range ends is not known yet. No
/// pattern finds it that ends with the format.
pub(super) fn unfinished_file(table: Table, first_height: u64, format: Format) -> PathBuf {
    unfinished(&of_table(table).join(format!("{first_height:012}.{}", format.as_str())))
}

/// Where a file is until it is whole.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(UNFINISHED);
    path.with_file_name(name)
}

fn is_unfinished(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(UNFINISHED.as_bytes())
}

/// The place of a table's file of a range.
fn file(table: Table, range: &LastRange, format: Format) -> PathBuf {
    of_table(table).join(format!("{:012}-{:012}.{}", range.first_height, range.last_height, format.as_str()))
}

/// From where to where the files of a range go.
fn moves(range: &LastRange, format: Format) -> [(PathBuf, PathBuf); Table::ALL.len()] {
    Table::ALL.map(|table| (unfinished_file(table, range.first_height, format), file(table, range, format)))
}

/// Writes the manifest in the place of the one before.
fn write_manifest(manifest: Vec<u8>) -> Vec<Step> {
    let path = Path::new(MANIFEST);
    [vec![Step::Write(unfinished(path), manifest)], put_in_place(path)].concat()
}

fn sync_tables() -> Vec<Step> {
    Table::ALL.into_iter().map(|table| Step::Sync(of_table(table))).collect()
}
