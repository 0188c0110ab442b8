//! `cairn replay`: the state from the blockchain topic alone.

use std::path::PathBuf;

use clap::Args;
use topology::log::Log;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::pin::{PinnedChain, UNANCHORED};
use super::report::{foreign, tell_tip, walk};
use super::shell::Shell;
use crate::audit::Anchor;
use crate::audit::replay::{self, Options, Replayed};
use crate::chain::Block;
use crate::config::{UsesLog, topic};
use crate::reader::Reader;

const EXAMPLES: &str = "\
Examples:
  cairn replay --state-dir ./replayed --genesis-hash 5f1c...
  cairn replay --state-dir ./replayed --to-height 100 --json

Exit code 0: rebuilt. 1: the chain is broken; the first bad height and why. 3: could not be done: no broker, no such \
topic, a directory that is not empty, blocks without their bodies or of a newer program. Without --genesis or \
--genesis-hash any chain will do, and the state is `unanchored`.";

/// Rebuild the state from the blockchain topic alone; prints height, block hash and state root
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) chain: PinnedChain,

    /// Where the state is rebuilt
    #[arg(long, value_name = "DIR", env = "CAIRN_STATE_DIR", hide_env = true)]
    pub(crate) state_dir: Option<PathBuf>,

    /// Last height to apply [default: the tip]
    #[arg(long, value_name = "H", env = "CAIRN_TO_HEIGHT", hide_env = true, value_parser = arguments::height, allow_negative_numbers = true)]
    pub(crate) to_height: Option<u64>,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        self.rebuild(shell).map_err(Error::undone)
    }

    fn rebuild(self, shell: &Shell) -> Result<Exit> {
        let Some(state_directory) = self.state_dir else {
            return Err(Error::usage("give --state-dir DIR: where should the state be rebuilt?"));
        };
        let PinnedChain { log, blockchain, pin } = self.chain;
        let (anchor, blockchain) = (pin.anchor(shell)?, blockchain.blockchain);
        let options = Options { blockchain, state_directory, to_height: self.to_height, anchor };
        shell.log(&log)?.open(Replay { options, shell })?
    }
}

struct Replay<'r> {
    options: Options,
    shell: &'r Shell,
}

impl UsesLog for Replay<'_> {
    type Output = Result<Exit>;

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { options, shell } = self;
        if let Some(asked) = options.to_height
            // A tip that cannot be read is for the replay to judge, which may end before it.
            && let Ok(Some(tip)) = topic::last_block(&Reader::new(&log, &shell.clock, "cairn-replay"), &options.blockchain)
            && let tip = tip.header.height
            && asked > tip
        {
            return Err(Error::usage(format!(
                "--to-height {asked}: the chain ends at height {tip}; replay to that one or less"
            )));
        }
        let work = |rng, progress: &mut dyn FnMut(&Block)| replay::replay(&log, &shell.clock, &options, rng, progress);
        walk(shell, "replaying", work, |report, id| Ok(tell(&report, id, options.anchor != Anchor::None, shell)))
    }
}

fn tell(report: &Replayed, chain_id: &str, anchored: bool, shell: &Shell) -> String {
    let Replayed { summary, foreign_count } = report;
    let tip = &summary.tip;
    if shell.json {
        return serde_json::json!({
            "height": tip.height,
            "block_hash": tip.hash,
            "state_root": tip.state_root,
            "chain_id": chain_id,
            "genesis_hash": tip.genesis,
            "records": summary.record_count,
            "foreign_records": foreign_count,
            "anchored": anchored,
        })
        .to_string();
    }
    let mut text = format!(
        "{}\nchain       {chain_id}\ngenesis     {}\n{}",
        tell_tip(tip, shell),
        tip.genesis,
        foreign(*foreign_count)
    );
    if !anchored {
        text += &format!("\n{UNANCHORED}\n");
    }
    text
}
