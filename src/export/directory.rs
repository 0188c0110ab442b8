//! The directory of an export: which ranges are there, and how a range gets there.
//!
//! ```text
//! export.json                                 what the export is of, and its last range
//! transfers/000000000000-000000009999.parquet     one file for each range, in each table's directory
//! transfers/000000010000.parquet.part             a file that is being written, or that a killed process left
//! .lock                                       held by the process that writes
//! .state                                      where the next call goes on (checkpoint)
//! ```
//!
//! What is done to it, and in which order, are the plans of [`publish`](super::publish): here they are carried out.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{Error, Result, of_file};
use super::publish::{self, MANIFEST, Step};
use super::range::Finished;
use super::table::Table;
use super::writer::{Format, Subject};
use crate::chain::Hash;
use crate::rows::VERSION;

const LOCK: &str = ".lock";
const STATE: &str = ".state";

/// What an export is of, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: Format,
    /// The version of its rows.
    pub(super) row_version: u16,
    pub(super) chain_id: String,
    pub(super) genesis_hash: Hash,
    /// The first height that was asked for.
    pub(super) from_height: u64,
    /// The range that was published last.
    pub(super) last_range: Option<LastRange>,
}

/// The range that was published last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LastRange {
    pub(super) first_height: u64,
    pub(super) last_height: u64,
    /// The hash of the last height's block.
    pub(super) block_hash: Hash,
}

impl Manifest {
    /// Of an export that has no range yet.
    pub(super) fn of(subject: &Subject, format: Format, from_height: u64) -> Self {
        let &Subject { ref chain_id, genesis_hash } = subject;
        Self { format, row_version: VERSION, chain_id: chain_id.clone(), genesis_hash, from_height, last_range: None }
    }

    /// The first height that is not there.
    pub(super) fn next_height(&self) -> u64 {
        self.last_range.as_ref().map_or(self.from_height, |range| range.last_height.saturating_add(1))
    }
}

/// A directory that this process alone writes to.
pub(super) struct Directory {
    root: PathBuf,
    manifest: Option<Manifest>,
    lock: File,
}

impl Directory {
    /// Opens a directory for an export in this format: one that is empty or missing, or one with the beginning of such
    /// an export. What a killed process left is put in its place, or removed.
    pub(super) fn open(root: &Path, format: Format) -> Result<Self> {
        make(root).map_err(of_file("make", root))?;
        let path = root.join(LOCK);
        if !path.exists() && read_manifest(root)?.is_none() {
            // Nothing is put beside what somebody else keeps here, not even the lock.
            check_empty(root)?;
        }
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = opened.map_err(of_file("write", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let root = root.display();
                return Err(Error::Refused(format!("another cairn export writes to {root}: wait until it has ended")));
            }
            Err(TryLockError::Error(error)) => return Err(of_file("lock", &path)(error)),
        }
        let directory = Self { root: root.to_owned(), manifest: read_manifest(root)?, lock };
        match &directory.manifest {
            None => check_empty(root)?,
            Some(manifest) => {
                directory.check_same(manifest, format)?;
                directory.recover(manifest)?;
            }
        }
        Ok(directory)
    }

    /// What the export is of; `None` until [`Directory::begin`].
    pub(super) fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Makes the directory one of this export.
    pub(super) fn begin(&mut self, manifest: Manifest) -> Result<()> {
        self.carry_out(&publish::begin(self.text(&manifest)?))?;
        self.manifest = Some(manifest);
        Ok(())
    }

    /// Publishes a range, whose files lie beside their places.
    pub(super) fn publish(&mut self, range: &Finished) -> Result<()> {
        let (manifest, steps) = self.publication(range)?;
        self.carry_out(&steps)?;
        self.manifest = Some(manifest);
        Ok(())
    }

    /// How a range is published, and what the manifest is then.
    fn publication(&self, range: &Finished) -> Result<(Manifest, Vec<Step>)> {
        let Some(manifest) = &self.manifest else {
            return Err(Error::Refused(format!("{} is not one of an export", self.root.display())));
        };
        let &Finished { first_height, last_height, block_hash, .. } = range;
        let last_range = LastRange { first_height, last_height, block_hash };
        let manifest = Manifest { last_range: Some(last_range.clone()), ..manifest.clone() };
        let steps = publish::publish(&last_range, manifest.format, self.text(&manifest)?);
        Ok((manifest, steps))
    }

    /// Does what a plan says, one step after the other.
    fn carry_out(&self, steps: &[Step]) -> Result<()> {
        steps.iter().try_for_each(|step| {
            let (done, action, path) = match step {
                Step::Make(path) => (fs::create_dir_all(self.root.join(path)), "make", path),
                Step::Sync(path) => (sync(&self.root.join(path)), "write", path),
                Step::Write(path, bytes) => (write(&self.root.join(path), |file| file.write_all(bytes)), "write", path),
                Step::Move { from, to } => (fs::rename(self.root.join(from), self.root.join(to)), "write", to),
                Step::Remove(path) => (fs::remove_file(self.root.join(path)), "remove", path),
            };
            done.map_err(of_file(action, &self.root.join(path)))
        })
    }

    /// The file of a range that begins with this height, while it is written.
    pub(super) fn unfinished_file(&self, table: Table, first_height: u64, format: Format) -> PathBuf {
        self.root.join(publish::unfinished_file(table, first_height, format))
    }

    /// The file with the state from which the next call goes on.
    pub(super) fn state(&self) -> PathBuf {
        self.root.join(STATE)
    }

    /// Keeps the state, in the place of one that may be there: whole, and on the disk, or not at all.
    pub(super) fn keep_state(&self, content: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
        let path = self.root.join(publish::unfinished(Path::new(STATE)));
        write(&path, content).map_err(of_file("write", &self.state()))?;
        self.carry_out(&publish::put_in_place(Path::new(STATE)))
    }

    fn check_same(&self, manifest: &Manifest, format: Format) -> Result<()> {
        let root = self.root.display();
        if manifest.format != format {
            let (found, asked) = (manifest.format.as_str(), format.as_str());
            return Err(Error::Refused(format!(
                "{root} holds an export as {found}, and {asked} is asked for: name another directory"
            )));
        }
        if manifest.row_version != VERSION {
            return Err(Error::Refused(format!(
                "{root} holds rows of version {}, this program writes version {VERSION}: export into another directory",
                manifest.row_version
            )));
        }
        Ok(())
    }

    /// Ends what a killed process began to publish, and removes what it did not.
    fn recover(&self, manifest: &Manifest) -> Result<()> {
        self.carry_out(&publish::tables())?;
        let (range, present) = (manifest.last_range.as_ref(), self.present()?);
        for path in range.into_iter().flat_map(|range| publish::missing(range, manifest.format, &present)) {
            let place = self.root.join(path);
            tracing::warn!("{} is not there, and is not written again: was it moved?", place.display());
        }
        self.carry_out(&publish::recover(range, manifest.format, &present))
    }

    /// The files of the tables.
    fn present(&self) -> Result<BTreeSet<PathBuf>> {
        let mut present = BTreeSet::new();
        for table in Table::ALL.map(publish::of_table) {
            let directory = self.root.join(&table);
            for entry in fs::read_dir(&directory).map_err(of_file("read", &directory))? {
                present.insert(table.join(entry.map_err(of_file("read", &directory))?.file_name()));
            }
        }
        Ok(present)
    }

    fn text(&self, manifest: &Manifest) -> Result<Vec<u8>> {
        let path = self.root.join(MANIFEST);
        let mut text = serde_json::to_vec_pretty(manifest).map_err(|error| of_file("write", &path)(error.into()))?;
        text.push(b'\n');
        Ok(text)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Closing is not enough: a child process between its fork and its exec has the file open, too, and would hold
        // it.
        let _ = self.lock.unlock();
    }
}

fn check_empty(root: &Path) -> Result<()> {
    let entries = fs::read_dir(root).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = entries.map_err(of_file("read", root))?;
    // A process that was killed before it could say what it exports leaves its lock and empty directories.
    let is_left = |name: &Path| {
        name == Path::new(LOCK)
            || name == publish::unfinished(Path::new(MANIFEST))
            || Table::ALL.iter().any(|table| {
                name == Path::new(table.name())
                    && fs::read_dir(root.join(name)).is_ok_and(|mut entries| entries.next().is_none())
            })
    };
    if entries.iter().all(|entry| is_left(Path::new(&entry.file_name()))) {
        return Ok(());
    }
    let root = root.display();
    Err(Error::Refused(format!("{root} holds files, but no {MANIFEST} of an export: name an empty directory")))
}

fn read_manifest(root: &Path) -> Result<Option<Manifest>> {
    let path = root.join(MANIFEST);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(of_file("read", &path)(error)),
    };
    let manifest = serde_json::from_slice(&bytes).map_err(|error| {
        let path = path.display();
        Error::Refused(format!("{path} is not of an export ({error}): name another directory, or remove this one"))
    })?;
    Ok(Some(manifest))
}

/// Makes a directory, and those above it, so that they last: a new one is an entry of the one above.
fn make(root: &Path) -> std::io::Result<()> {
    let missing: Vec<&Path> =
        root.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    fs::create_dir_all(root)?;
    missing.into_iter().try_for_each(|made| {
        let above = made.parent().filter(|above| !above.as_os_str().is_empty());
        sync(above.unwrap_or(Path::new(".")))
    })
}

/// Writes a file that lasts.
fn write(path: &Path, content: impl FnOnce(&mut File) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    content(&mut file)?;
    file.sync_all()
}

fn sync(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
