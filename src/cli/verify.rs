//! `cairn verify`: does the chain follow from the transactions topic?

use std::path::{Path, PathBuf};

use clap::Args;
use topology::log::Log;

use super::error::{Error, Exit, Result};
use super::output::{Paint, grouped};
use super::shell::Shell;
use super::{arguments, progress};
use crate::audit::verify::{self, Options, Report};
use crate::audit::{Anchor, Broken, Checkpoint, Summary};
use crate::chain::{Genesis, Hash};
use crate::config::{UsesLog, key_file};
use crate::consensus::LOCAL_COMMITTEE_TRUST;

const EXAMPLES: &str = "\
Examples:
  cairn verify --brokers localhost:9092 --genesis genesis.toml
  cairn verify --brokers localhost:9092 --genesis-hash 5f1c... --checkpoint checkpoint.json

Exit code 0: intact. 1: broken; the first bad height and why. Without --genesis, --genesis-hash or a
checkpoint the chain is only checked against itself, and reported as `unanchored`.";

/// Check that the chain follows from the transactions: nothing dropped, reordered or invented
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) log: arguments::Log,
    #[command(flatten)]
    pub(crate) transactions: arguments::Transactions,
    #[command(flatten)]
    pub(crate) blockchain: arguments::Blockchain,

    /// Genesis file the chain must begin with
    #[arg(long, value_name = "FILE", env = "CAIRN_GENESIS", hide_env = true)]
    pub(crate) genesis: Option<PathBuf>,

    /// Hash of the genesis the chain must begin with
    #[arg(long, value_name = "HASH", env = "CAIRN_GENESIS_HASH", hide_env = true)]
    pub(crate) genesis_hash: Option<Hash>,

    /// File with a height known to be good; the chain must contain it, and it moves on when the chain is intact
    #[arg(long, value_name = "FILE", env = "CAIRN_CHECKPOINT", hide_env = true)]
    pub(crate) checkpoint: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let anchor = match (&self.genesis, self.genesis_hash) {
            (Some(_), Some(_)) => return Err(Error::usage("give --genesis or --genesis-hash, not both")),
            (Some(path), None) => Anchor::Genesis(read_genesis(path)?.hash()),
            (None, Some(hash)) => Anchor::Genesis(hash),
            (None, None) => Anchor::None,
        };
        let checkpoint = self.checkpoint.as_deref().map(Checkpoint::read).transpose().map_err(Error::usage)?.flatten();
        shell.log(&self.log)?.open(Verify { arguments: self, shell, anchor, checkpoint })?
    }
}

fn read_genesis(path: &Path) -> Result<Genesis> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Error::usage(format!("cannot read {shown}: {error}")))?;
    Genesis::from_toml(&text).map_err(|error| Error::usage(format!("{shown}: {error}")))
}

struct Verify<'v> {
    arguments: Arguments,
    shell: &'v Shell,
    anchor: Anchor,
    checkpoint: Option<Checkpoint>,
}

impl UsesLog for Verify<'_> {
    type Output = Result<Exit>;

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { arguments, shell, anchor, checkpoint } = self;
        let anchored = anchor != Anchor::None || checkpoint.is_some();
        let options = Options {
            blockchain: arguments.blockchain.blockchain,
            transactions: arguments.transactions.transactions,
            anchor,
            checkpoint,
        };
        let bar = progress::heights("verifying");
        let found = verify::verify(&log, &shell.clock, &options, key_file::system_rng()?, &mut |height| {
            bar.set_position(height)
        });
        bar.finish_and_clear();
        match found? {
            Ok(report) => {
                if let Some(path) = &arguments.checkpoint {
                    Checkpoint::of(&report.summary.tip).write(path).map_err(Error::failed)?;
                }
                shell.print(&if shell.json {
                    json(&report, anchored)
                } else {
                    text(&report, anchored, shell.paint)
                })?;
                Ok(Exit::Done)
            }
            Err(broken) => {
                shell.print(&tell_broken(&broken, shell))?;
                Ok(Exit::Failed)
            }
        }
    }
}

fn json(report: &Report, anchored: bool) -> String {
    let Summary { tip, genesis_hash, record_count, supply } = &report.summary;
    serde_json::json!({
        "result": "intact",
        "height": tip.height,
        "block_hash": tip.hash,
        "state_root": tip.state_root,
        "chain_id": tip.chain_id,
        "genesis_hash": genesis_hash,
        "records": record_count,
        "compared_from_height": report.compared_from_height,
        "compared_records": report.compared_count,
        "minted": supply.minted.to_string(),
        "burnt": supply.burnt.to_string(),
        "anchored": anchored,
        "trust": LOCAL_COMMITTEE_TRUST,
    })
    .to_string()
}

fn text(report: &Report, anchored: bool, paint: Paint) -> String {
    let Summary { tip, genesis_hash, record_count, .. } = &report.summary;
    let compared = match report.compared_from_height {
        Some(height) => format!("{} records, from height {height} on", grouped(report.compared_count)),
        None => "nothing: the transactions topic holds none of the chain's records".to_owned(),
    };
    let mut text = format!(
        "{}\n\nheight      {}\nblock hash  {}\nstate root  {}\ngenesis     {genesis_hash}\nrecords     {}\ncompared    {compared}\n",
        paint.green("intact"),
        tip.height,
        tip.hash,
        tip.state_root,
        grouped(*record_count),
    );
    if !anchored {
        text += "\nunanchored: nobody said which chain this must be; pin it with --genesis-hash or --checkpoint\n";
    }
    text + "\n" + LOCAL_COMMITTEE_TRUST
}

/// A broken chain, for a person or a machine. Also what `replay` says of one.
pub(crate) fn tell_broken(broken: &Broken, shell: &Shell) -> String {
    let Broken { height, reason, detail } = broken;
    if shell.json {
        let reason = reason.as_str();
        return serde_json::json!({ "result": "broken", "height": height, "reason": reason, "detail": detail })
            .to_string();
    }
    format!("{} at height {height}: {reason}: {detail}", shell.paint.red("broken"))
}
