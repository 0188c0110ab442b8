//! `cairn verify`: does the chain follow from the transactions topic?

use std::path::PathBuf;

use clap::Args;
use rand::rngs::StdRng;
use topology::log::Log;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::output::{Paint, grouped};
use super::progress::Heights;
use super::shell::Shell;
use crate::audit::verify::{self, Options, Report};
use crate::audit::{Anchor, Broken, Checkpoint, Summary};
use crate::chain::{Block, Hash};
use crate::config::{UsesLog, founding, key_file};
use crate::consensus::LOCAL_COMMITTEE_TRUST;

const EXAMPLES: &str = "\
Examples:
  cairn verify --brokers localhost:9092 --genesis genesis.toml
  cairn verify --brokers localhost:9092 --genesis-hash 5f1c... --checkpoint checkpoint.json

Exit code 0: intact. 1: broken; the first bad height and why. 3: could not be checked: no broker, no
such topic, a topic with other partitions. Without --genesis, --genesis-hash or a checkpoint the chain
is only checked against itself, and reported as `unanchored`.";

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
        self.check(shell).map_err(Error::undone)
    }

    fn check(self, shell: &Shell) -> Result<Exit> {
        let anchor = self.anchor(shell)?;
        let checkpoint = self.checkpoint.as_deref().map(Checkpoint::read).transpose().map_err(Error::usage)?.flatten();
        shell.log(&self.log)?.open(Verify { arguments: self, shell, anchor, checkpoint })?
    }

    /// What the chain must begin with. Of file and hash, the one from the stronger source counts.
    fn anchor(&self, shell: &Shell) -> Result<Anchor> {
        let of_file = |path| founding::read_file(path).map(|genesis| genesis.hash());
        let hash = match (&self.genesis, self.genesis_hash) {
            (None, None) => return Ok(Anchor::None),
            (None, Some(hash)) => hash,
            (Some(path), None) => of_file(path)?,
            (Some(path), Some(hash)) => match shell.rank("genesis").cmp(&shell.rank("genesis_hash")) {
                std::cmp::Ordering::Less => hash,
                std::cmp::Ordering::Greater => of_file(path)?,
                std::cmp::Ordering::Equal => {
                    let found = of_file(path)?;
                    if found != hash {
                        return Err(Error::usage(format!(
                            "the genesis in {} has the hash {found}, --genesis-hash says {hash}: which chain is meant? Leave one \
                             of them out",
                            path.display()
                        )));
                    }
                    hash
                }
            },
        };
        Ok(Anchor::Genesis(hash))
    }
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
        let work = |rng, progress: &mut dyn FnMut(&Block)| verify::verify(&log, &shell.clock, &options, rng, progress);
        walk(shell, "verifying", work, |report| {
            if !report.has_transactions_topic {
                tracing::warn!("there is no topic '{}': the chain was compared with nothing", options.transactions);
            }
            if let Some(path) = &arguments.checkpoint {
                Checkpoint::of(&report.summary.tip).write(path).map_err(Error::failed)?;
            }
            Ok(if shell.json {
                json(&report, anchored)
            } else {
                text(&report, &options.transactions, anchored, shell.paint)
            })
        })
    }
}

/// Walks over a chain and says what came of it: of an intact one what `tell` says, of a broken one where it breaks.
pub(super) fn walk<T>(
    shell: &Shell,
    doing: &'static str,
    work: impl FnOnce(StdRng, &mut dyn FnMut(&Block)) -> topology::Result<Result<T, Broken>>,
    tell: impl FnOnce(T) -> Result<String>,
) -> Result<Exit> {
    let mut heights = Heights::new(doing, &shell.clock);
    let found = work(key_file::system_rng()?, &mut |block| heights.pass(block.header.height));
    drop(heights);
    let (text, exit) = match found? {
        Ok(intact) => (tell(intact)?, Exit::Done),
        Err(broken) => (tell_broken(&broken, shell), Exit::Failed),
    };
    shell.print(&text)?;
    Ok(exit)
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
        "transactions_topic": report.has_transactions_topic,
        "compared_records": report.compared_count,
        "unsealed_records": report.unsealed_count,
        "minted": supply.minted.to_string(),
        "burnt": supply.burnt.to_string(),
        "anchored": anchored,
        "trust": LOCAL_COMMITTEE_TRUST,
    })
    .to_string()
}

fn text(report: &Report, transactions: &str, anchored: bool, paint: Paint) -> String {
    let Summary { tip, genesis_hash, record_count, .. } = &report.summary;
    let compared = match report.compared_from_height {
        _ if !report.has_transactions_topic => format!("nothing: there is no topic '{transactions}'"),
        Some(height) => format!("{} records, from height {height} on", grouped(report.compared_count)),
        None if *record_count == 0 => "nothing: no record is sealed yet".to_owned(),
        None => format!("nothing: topic '{transactions}' does not hold the records of the last block"),
    };
    let mut text = format!(
        "{}\n\nheight      {}\nblock hash  {}\nstate root  {}\ngenesis     {genesis_hash}\nrecords     {}\ncompared    {compared}\n",
        paint.green("intact"),
        tip.height,
        tip.hash,
        tip.state_root,
        grouped(*record_count),
    );
    if report.has_transactions_topic {
        text += &format!("unsealed    {} records behind the last block\n", grouped(report.unsealed_count));
    }
    if !anchored {
        text += "\nunanchored: nobody said which chain this must be; pin it with --genesis-hash or --checkpoint\n";
    }
    text + "\n" + LOCAL_COMMITTEE_TRUST
}

/// A broken chain, for a person or a machine.
fn tell_broken(broken: &Broken, shell: &Shell) -> String {
    let Broken { height, reason, detail } = broken;
    if shell.json {
        let reason = reason.as_str();
        return serde_json::json!({ "result": "broken", "height": height, "reason": reason, "detail": detail })
            .to_string();
    }
    format!("{} at height {height}: {reason}: {detail}", shell.paint.red("broken"))
}
