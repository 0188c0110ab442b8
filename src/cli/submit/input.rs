//! Where lines come from: a file, which is checked whole before anything of it is sent, or stdin, which can be read
//! once only.

use std::io::IsTerminal;
use std::path::Path;

use super::super::error::{Error, Result};
use super::format::{self, Source};
use super::lines::{Lines, Preparation};
use super::report::Checked;

/// A file, or stdin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'i> {
    file: Option<&'i Path>,
}

impl<'i> Input<'i> {
    /// The file that is named; none and `-` are stdin.
    pub(super) fn new(file: Option<&'i Path>) -> Self {
        Self { file: file.filter(|path| path.as_os_str() != "-") }
    }

    /// Begins to read it.
    pub(super) fn open(self) -> Result<Source<'static>> {
        let Some(path) = self.file else {
            if std::io::stdin().is_terminal() {
                tracing::info!("type transactions, one per line; Ctrl-D on an empty line ends");
            }
            return Ok(Box::new(std::io::stdin()));
        };
        refuse_unreadable(path)?;
        let file = std::fs::File::open(path)
            .map_err(|error| Error::usage(format!("cannot read {}: {error}", path.display())))?;
        Ok(Box::new(file))
    }

    /// Its size, if it can be read twice.
    pub(super) fn size_bytes(self) -> Option<u64> {
        self.file?.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
    }

    /// Reads it to its end. Lines up to `arrived_line` are not sent, so nothing is asked of them.
    pub(super) fn check(self, preparation: &Preparation, arrived_line: u64) -> Result<Checked> {
        let mut checked = Checked::default();
        let mut lines = Lines::new(self.open()?, preparation);
        while let Some(chunk) = lines.next()? {
            checked.add(chunk.len(), chunk.bad.into_iter().filter(|bad| bad.line > arrived_line));
        }
        Ok(checked)
    }

    /// Refuses what cannot be read, and a file with a line behind `arrived_line` that cannot be sent, unless it is to
    /// be forced.
    pub(super) fn refuse_bad_lines(self, preparation: &Preparation, arrived_line: u64, force: bool) -> Result<()> {
        self.file.map_or(Ok(()), refuse_unreadable)?;
        if force && self.size_bytes().is_some() {
            // Any lines will do, and lines they have to be.
            format::open(self.open()?)?;
        }
        if !force && self.size_bytes().is_some() && self.check(preparation, arrived_line)?.report() {
            return Err(Error::usage(format!("nothing was sent: mend these lines{}", preparation.or_force())));
        }
        Ok(())
    }
}

/// Refuses a directory, and a file that is not there.
fn refuse_unreadable(path: &Path) -> Result<()> {
    match path.metadata() {
        Err(error) => Err(Error::usage(format!("cannot read {}: {error}", path.display()))),
        Ok(found) if found.is_dir() => {
            Err(Error::usage(format!("{} is a directory: give a file of transactions", path.display())))
        }
        Ok(_) => Ok(()),
    }
}
