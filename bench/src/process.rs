//! The process of a subject: started, watched, and ended; and the directory of the driver's own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use test_cluster::process::{resident_max_bytes, terminate};

use crate::error::{Doing, Error, Result};
use crate::subject::Ending;

/// How long a process may take to close and leave its group.
const END_WITHIN: Duration = Duration::from_secs(60);
/// How long one that may know nothing of the end of its standard input is waited for, before SIGTERM.
const TERMINATE_AFTER: Duration = Duration::from_secs(2);

#[allow(clippy::disallowed_methods, reason = "a measurement is about real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A subject that runs. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    ending: Ending,
    /// What it says, on both outputs.
    log: PathBuf,
    pub(crate) started: Instant,
}

impl Process {
    /// Starts a command; what it says goes to a file.
    pub(crate) fn start(mut command: Command, ending: Ending, log: &Path) -> Result<Self> {
        let file = File::create(log).doing(format!("creating {}", log.display()))?;
        let same = file.try_clone().doing("sharing a file")?;
        command.stdin(Stdio::piped()).stdout(file).stderr(same);
        let started = now();
        let child = command.spawn().doing(format!("starting {}", command.get_program().to_string_lossy()))?;
        Ok(Self { child, ending, log: log.to_owned(), started })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error where it has ended.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        match self.child.try_wait().doing("looking after a process")? {
            Some(status) => Err(Error::new(format!("it ended by itself, {status}{}", self.last_words()))),
            None => Ok(()),
        }
    }

    /// The end of what it said, for an error message.
    pub(crate) fn last_words(&self) -> String {
        let said = std::fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            return String::new();
        }
        let last = lines[lines.len().saturating_sub(8)..].join("\n    ");
        format!("; it said last:\n    {last}")
    }

    pub(crate) fn resident_max_mib(&self) -> Option<f64> {
        resident_max_bytes(self.pid()).map(|bytes| bytes as f64 / f64::from(1 << 20))
    }

    /// Tells it to end and waits until it has.
    pub(crate) fn end(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        if self.ending == Ending::Kill {
            self.child.kill().doing("killing a process")?;
        }
        if self.ending == Ending::Terminate && !self.has_ended(TERMINATE_AFTER)? {
            // It is this process's child and was not waited for, so its number is its own yet.
            terminate(self.pid()).doing("sending SIGTERM")?;
        }
        if self.has_ended(END_WITHIN)? {
            return Ok(());
        }
        Err(Error::new(format!("it did not end in {} s{}", END_WITHIN.as_secs(), self.last_words())))
    }

    /// Whether it ends within this time.
    fn has_ended(&mut self, within: Duration) -> Result<bool> {
        let begun = now();
        loop {
            if self.child.try_wait().doing("looking after a process")?.is_some() {
                return Ok(true);
            }
            if begun.elapsed() > within {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory of this process alone, deleted when dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(parent: Option<&Path>) -> Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let path = parent.join(test_cluster::unique("cairn-bench"));
        std::fs::create_dir_all(&path).doing(format!("creating {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Where that fails, files stay in the temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
