//! `cairn replay`: the state from the blockchain topic alone.

use std::path::PathBuf;

use clap::Args;
use topology::log::Log;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::shell::Shell;
use super::verify::walk;
use crate::audit::replay;
use crate::chain::Block;
use crate::config::UsesLog;

const EXAMPLES: &str = "\
Examples:
  cairn replay --brokers localhost:9092 --state-dir ./replayed
  cairn replay --brokers localhost:9092 --state-dir ./replayed --to-height 100 --json

Exit code 0: rebuilt. 1: the chain is broken; the first bad height and why. 3: could not be done: no
broker, no such topic, a directory that is not empty.";

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
        self.rebuild(shell).map_err(Error::undone)
    }

    fn rebuild(self, shell: &Shell) -> Result<Exit> {
        let Some(root) = self.state_dir.clone() else {
            return Err(Error::usage("give --state-dir DIR: where should the state be rebuilt?"));
        };
        shell.log(&self.log)?.open(Replay { arguments: self, shell, root })?
    }
}

struct Replay<'r> {
    arguments: Arguments,
    shell: &'r Shell,
    root: PathBuf,
}

impl UsesLog for Replay<'_> {
    type Output = Result<Exit>;

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { arguments, shell, root } = self;
        let (blockchain, to_height) = (arguments.blockchain.blockchain, arguments.to_height);
        let work = |rng, progress: &mut dyn FnMut(&Block)| {
            replay::replay(&log, &shell.clock, &blockchain, &root, to_height, rng, progress)
        };
        walk(shell, "replaying", work, |summary| Ok(super::run::tell_tip(&summary.tip, shell)))
    }
}
