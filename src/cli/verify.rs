//! `cairn verify`: does the chain follow from the transactions topic?

use std::path::{Path, PathBuf};

use clap::Args;
use topology::log::Log;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::output::{Paint, counted, grouped};
use super::pin::Pin;
use super::report::walk;
use super::shell::Shell;
use crate::audit::verify::{self, Options, Verified};
use crate::audit::{Anchor, Checkpoint, Summary};
use crate::chain::Block;
use crate::config::UsesLog;
use crate::consensus::trust;

const EXAMPLES: &str = "\
Examples:
  cairn verify --brokers localhost:9092 --genesis genesis.toml
  cairn verify --genesis-hash 5f1c... --checkpoint checkpoint.json

Exit code 0: intact. 1: broken; the first bad height and why. 3: could not be checked: no broker, no such topic, \
blocks without their bodies or of a newer program. The first lines also say what was \
not asked: a chain that nobody pinned by --genesis, --genesis-hash or a checkpoint is `unanchored`; without a \
transactions topic it was `compared with nothing`.";

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
    #[command(flatten)]
    pub(crate) pin: Pin,

    /// File with a height known to be good; the chain must contain it, and it moves on when the chain is intact
    #[arg(long, value_name = "FILE", env = "CAIRN_CHECKPOINT", hide_env = true)]
    pub(crate) checkpoint: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        self.check(shell).map_err(Error::undone)
    }

    fn check(self, shell: &Shell) -> Result<Exit> {
        let anchor = self.pin.anchor(shell)?;
        let checkpoint = self.checkpoint.as_deref().map(Checkpoint::read).transpose().map_err(Error::usage)?.flatten();
        self.checkpoint.as_deref().map_or(Ok(()), check_writable)?;
        shell.log(&self.log)?.open(Verify { arguments: self, shell, anchor, checkpoint })?
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
        let mut tip = None;
        let exit = walk(shell, "verifying", work, |report, chain_id| {
            if !report.has_transactions_topic {
                tracing::warn!("there is no topic '{}': the chain was compared with nothing", options.transactions);
            }
            tip = Some(Checkpoint::of(&report.summary.tip));
            let chain = Chain { id: chain_id, is_anchored: anchored };
            Ok(if shell.json { json(&report, chain) } else { text(&report, &options.transactions, chain, shell.paint) })
        })?;
        // Only now: the verdict is not lost to a disk that is full.
        if let (Some(path), Some(tip)) = (&arguments.checkpoint, tip) {
            tip.write(path).map_err(Error::failed)?;
        }
        Ok(exit)
    }
}

/// Refuses a file that could not be written after hours of work: what is written beside it is, and is removed.
fn check_writable(path: &Path) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let made = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&beside);
    made.and_then(|_| std::fs::remove_file(&beside))
        .map_err(|error| Error::usage(format!("cannot write the checkpoint {}: {error}", path.display())))
}

/// Which chain it is, and whether it had to be.
#[derive(Clone, Copy)]
struct Chain<'c> {
    id: &'c str,
    is_anchored: bool,
}

fn json(report: &Verified, chain: Chain<'_>) -> String {
    let Summary { tip, record_count, supply, .. } = &report.summary;
    serde_json::json!({
        "result": "intact",
        "height": tip.height,
        "block_hash": tip.hash,
        "state_root": tip.state_root,
        "chain_id": chain.id,
        "genesis_hash": tip.genesis,
        "records": record_count,
        "compared_from_height": report.compared_from_height,
        "transactions_topic": report.has_transactions_topic,
        "compared_records": report.compared_count,
        "unsealed_records": report.unsealed_count,
        "foreign_records": report.foreign_count,
        "minted": supply.minted.to_string(),
        "burnt": supply.burnt.to_string(),
        "anchored": chain.is_anchored,
        "trust": trust(report.summary.consensus),
    })
    .to_string()
}

fn text(report: &Verified, transactions: &str, chain: Chain<'_>, paint: Paint) -> String {
    let Summary { tip, record_count, .. } = &report.summary;
    let compared = compared(report, transactions);
    let mut text = paint.green("intact");
    if let Err(nothing) = &compared {
        text += &format!(", compared with nothing: {nothing}");
    }
    if !chain.is_anchored {
        text += "\nunanchored: nobody said which chain this must be; pin it with --genesis-hash or --checkpoint";
    }
    text += &format!(
        "\n\nheight      {}\nblock hash  {}\nstate root  {}\nchain       {}\ngenesis     {}\nrecords     {}\ncompared    {}\n",
        tip.height,
        tip.hash,
        tip.state_root,
        chain.id,
        tip.genesis,
        grouped(*record_count),
        compared.unwrap_or_else(|nothing| format!("nothing: {nothing}")),
    );
    if report.has_transactions_topic {
        text += &format!("unsealed    {} behind the last block\n", counted(report.unsealed_count, "record"));
    }
    text += &super::report::foreign(report.foreign_count);
    text + "\n" + trust(report.summary.consensus)
}

/// How much was compared with the transactions topic, or why nothing was.
fn compared(report: &Verified, transactions: &str) -> Result<String, String> {
    match report.compared_from_height {
        _ if !report.has_transactions_topic => Err(format!("there is no topic '{transactions}'")),
        Some(height) => Ok(format!("{}, from height {height} on", counted(report.compared_count, "record"))),
        None if report.summary.record_count == 0 => Err("no record is sealed yet".to_owned()),
        None => Err(format!("topic '{transactions}' does not hold the records of the last block")),
    }
}
