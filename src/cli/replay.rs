//! `cairn replay`: the state from the blockchain topic alone.

use std::path::PathBuf;

use clap::Args;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::shell::Shell;

const EXAMPLES: &str = "\
Examples:
  cairn replay --brokers localhost:9092 --state-dir ./replayed
  cairn replay --brokers localhost:9092 --state-dir ./replayed --to-height 100 --json";

/// Rebuild the state from the blockchain topic alone; prints height, block hash and state root
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) log: arguments::Log,
    #[command(flatten)]
    pub(crate) blockchain: arguments::Blockchain,

    /// Where the state is rebuilt
    #[arg(long, value_name = "DIR", env = "CAIRN_STATE_DIR", hide_env = true)]
    pub(crate) state_dir: Option<PathBuf>,

    /// Last height to apply [default: the tip]
    #[arg(long, value_name = "H", env = "CAIRN_TO_HEIGHT", hide_env = true)]
    pub(crate) to_height: Option<u64>,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        if self.state_dir.is_none() {
            return Err(Error::usage("give --state-dir DIR: where should the state be rebuilt?"));
        }
        shell.log(&self.log)?;
        Err(Error::failed("this build cannot replay yet"))
    }
}
