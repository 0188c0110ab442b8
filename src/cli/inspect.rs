//! `cairn inspect`: what a stopped instance's state holds.

use std::path::PathBuf;

use clap::Args;

use super::error::{Error, Exit, Result};
use super::shell::Shell;

const EXAMPLES: &str = "\
Examples:
  cairn inspect --state-dir /var/lib/cairn/state
  cairn inspect --state-dir /var/lib/cairn/state --json

The instance must be stopped: its stores are locked while it runs.";

/// Show tip, balances and validators held in a stopped instance's state
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// State directory of the instance
    #[arg(long, value_name = "DIR", env = "CAIRN_STATE_DIR", hide_env = true)]
    pub(crate) state_dir: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(self, _shell: &Shell) -> Result<Exit> {
        if self.state_dir.is_none() {
            return Err(Error::usage("give --state-dir DIR: which state?"));
        }
        Err(Error::failed("this build cannot inspect yet"))
    }
}
