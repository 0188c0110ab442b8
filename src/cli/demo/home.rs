//! Where the demo's chain lives: in a directory, or in memory where this program was built without a disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use topology::clock::{Clock, SystemClock};

use super::super::error::{Error, Result};
use super::super::shell::Shell;
use super::super::shutdown::Supervisor;

/// What the chain is on.
#[cfg(feature = "embedded")]
pub(super) type DemoLog = topology::log::embedded::EmbeddedLog;
#[cfg(not(feature = "embedded"))]
pub(super) type DemoLog = topology::log::memory::MemoryLog;

/// A log, and where the stores are.
pub(super) struct Home {
    pub(super) log: DemoLog,
    /// `None`: in memory.
    pub(super) state_directory: Option<PathBuf>,
}

/// In a directory that was named and is kept, or in one that is removed at the end.
#[cfg(feature = "embedded")]
pub(super) fn open(named: Option<&Path>, shell: &Shell, supervisor: &mut Supervisor) -> Result<Home> {
    let directory = match named {
        Some(named) => {
            std::fs::create_dir_all(named)
                .map_err(|error| Error::usage(format!("cannot make {}: {error}", named.display())))?;
            named.to_owned()
        }
        None => temporary(shell, supervisor)?,
    };
    let (options, clock) = (topology::log::embedded::Options::default(), SystemClock::new());
    let log = DemoLog::open(directory.join("log"), &options, Arc::new(move || clock.now_ms()))?;
    Ok(Home { log, state_directory: Some(directory.join("state")) })
}

#[cfg(feature = "embedded")]
fn temporary(shell: &Shell, supervisor: &mut Supervisor) -> Result<PathBuf> {
    let name = format!("cairn-demo-{}-{}", std::process::id(), shell.clock.now_ms());
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir(&path).map_err(|error| Error::failed(format!("cannot make {}: {error}", path.display())))?;
    supervisor.remove_at_end(path.clone());
    Ok(path)
}

/// In memory, and gone at the end.
#[cfg(not(feature = "embedded"))]
pub(super) fn open(named: Option<&Path>, _: &Shell, _: &mut Supervisor) -> Result<Home> {
    if let Some(named) = named {
        return Err(Error::usage(format!(
            "this cairn keeps nothing in {}: it was built without the log in a directory, and its demo is in memory. Leave --dir \
             out, or build it again with its default features",
            named.display()
        )));
    }
    let clock = SystemClock::new();
    Ok(Home { log: DemoLog::new(Arc::new(move || clock.now_ms())), state_directory: None })
}
