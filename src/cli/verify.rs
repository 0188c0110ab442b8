//! `cairn verify`: does the chain follow from the transactions topic?

use std::path::PathBuf;

use clap::Args;
use topology::clock::Clock;
use topology::log::Log;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::output::{counted, grouped};
use super::pin::Pin;
use super::report::{compared, walk};
use super::shell::Shell;
use super::trust::{self, Trust};
use crate::audit::verify::{self, Options, Verified};
use crate::audit::{Anchor, Summary, of_tip};
use crate::chain::Block;
use crate::checkpoint::{Accepted, SignedNote};
use crate::config::{UsesLog, checkpoint_file};
use crate::consensus;

const EXAMPLES: &str = "\
Examples:
  cairn verify --brokers localhost:9092 --genesis genesis.toml
  cairn verify --genesis-hash 5f1c... --checkpoint own.txt
  cairn verify --checkpoint cosigned.txt --policy witnesses.policy
  cairn verify --checkpoint cosigned.txt --witness w1+0a1b2c3d+BA...

The file of --checkpoint is made at the first verification and moves on with each that ends well, as long as it has no \
signatures. With signatures (cairn checkpoint --sign-with, cairn witness) it stays as it is. --policy or --witness say \
whose signatures it must have; without them the file is believed as it is.

Exit code 0: intact. 1: broken; the first bad height and why. 3: could not be checked: no broker, no such topic, \
blocks without their bodies or of a newer program, a checkpoint without the signatures that were asked for. The \
first lines also say what was not checked: without --genesis, --genesis-hash or a checkpoint the chain is `unanchored`; \
without a transactions topic it was `compared with nothing`.";

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

    /// File with a checkpoint: the chain must contain its blocks. Unsigned, it is made, and moves on when the chain is
    /// intact
    #[arg(long, value_name = "FILE", env = "CAIRN_CHECKPOINT", hide_env = true)]
    pub(crate) checkpoint: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        self.check(shell).map_err(Error::undone)
    }

    fn check(self, shell: &Shell) -> Result<Exit> {
        let anchor = self.pin.anchor(shell)?;
        let kept = Kept::read(self.checkpoint.as_ref(), &self.trust)?;
        shell.log(&self.log)?.open(Verify { arguments: self, shell, anchor, kept })?
    }
}

/// What is kept of the chain.
#[derive(Default)]
struct Kept {
    note: Option<SignedNote>,
    /// Who signed it, where that was asked.
    accepted: Option<Accepted>,
    /// Whether it says which chain is meant: a signature of witnesses alone is one on any chain.
    is_anchor: bool,
    /// Where the checkpoint of the verified chain goes: nowhere if it would take the place of one with signatures.
    next: Option<PathBuf>,
}

impl Kept {
    fn read(path: Option<&PathBuf>, trust: &Trust) -> Result<Self> {
        match (path, trust.policy()?) {
            (None, None) => Ok(Self::default()),
            (None, Some(_)) => {
                Err(Error::usage("whose signatures count is asked of a checkpoint: name it with --checkpoint FILE"))
            }
            (Some(path), Some(policy)) => {
                let note = checkpoint_file::read_existing(path)?;
                let accepted = trust::accept(&policy, &note, path)?;
                Ok(Self { note: Some(note), accepted: Some(accepted), is_anchor: policy.names_logs(), next: None })
            }
            (Some(path), None) => {
                let note = checkpoint_file::read(path)?;
                let is_signed = note.as_ref().is_some_and(|note| !note.signatures().is_empty());
                if is_signed {
                    tracing::info!(
                        "{} is signed and stays as it is; no signature was asked for: --policy or --witness do",
                        path.display()
                    );
                } else {
                    checkpoint_file::check_writable(path)?;
                    if note.is_none() {
                        tracing::info!(
                            "there is no checkpoint {} yet, so nothing is held against one: it is made if the chain is intact",
                            path.display()
                        );
                    }
                }
                Ok(Self { is_anchor: note.is_some(), note, accepted: None, next: (!is_signed).then(|| path.clone()) })
            }
        }
    }
}

struct Verify<'v> {
    arguments: Arguments,
    shell: &'v Shell,
    anchor: Anchor,
    kept: Kept,
}

impl UsesLog for Verify<'_> {
    type Output = Result<Exit>;

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { arguments, shell, anchor, kept } = self;
        let options = Options {
            blockchain: arguments.blockchain.blockchain,
            transactions: arguments.transactions.transactions,
            anchor,
            checkpoints: kept.note.iter().map(|note| note.checkpoint().clone()).collect(),
        };
        let work = |rng, progress: &mut dyn FnMut(&Block)| verify::verify(&log, &shell.clock, &options, rng, progress);
        let mut tip = None;
        let exit = walk(shell, "verifying", work, |report, chain_id| {
            if !report.has_transactions_topic {
                tracing::warn!("there is no topic '{}': the chain was compared with nothing", options.transactions);
            }
            tip = Some(of_tip(&report.summary.tip));
            let chain = Chain { id: chain_id, is_anchored: anchor != Anchor::None || kept.is_anchor, kept: &kept };
            Ok(if shell.json { json(&report, chain) } else { text(&report, &options.transactions, chain, shell) })
        })?;
        // Only now: the verdict is not lost to a disk that is full.
        if let (Some(path), Some(tip)) = (&kept.next, tip) {
            let size = tip.size;
            let written = checkpoint_file::write(path, &SignedNote::unsigned(tip));
            written.map_err(|error| Error::failed(error.to_string()))?;
            let did = if kept.note.is_some() { "moved on to" } else { "made, of" };
            tracing::info!("the checkpoint {} is {did} {}", path.display(), counted(size, "block"));
        }
        Ok(exit)
    }
}

/// Which chain it is, and whether it had to be.
#[derive(Clone, Copy)]
struct Chain<'c> {
    id: &'c str,
    is_anchored: bool,
    kept: &'c Kept,
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
        "checkpoint_size": chain.kept.note.as_ref().map(|note| note.checkpoint().size),
        "witnesses": chain.kept.accepted.as_ref().map(witnesses),
        "trust": consensus::trust(report.summary.consensus),
    })
    .to_string()
}

fn witnesses(accepted: &Accepted) -> Vec<serde_json::Value> {
    accepted.witnesses.iter().map(|(name, time_s)| serde_json::json!({ "name": name, "time_s": time_s })).collect()
}

fn text(report: &Verified, transactions: &str, chain: Chain<'_>, shell: &Shell) -> String {
    let Summary { tip, record_count, .. } = &report.summary;
    let compared = compared(report, transactions);
    let mut text = shell.paint.green("intact");
    if let Err(nothing) = &compared {
        text += &format!(", compared with nothing: {nothing}");
    }
    if !chain.is_anchored {
        text += match chain.kept.accepted {
            None => {
                "\nunanchored: no genesis hash or checkpoint was given, so any chain passes; pin yours with --genesis-hash or --checkpoint"
            }
            // A witness signs for many chains.
            Some(_) => {
                "\nunanchored: witnesses do not say which chain this must be; pin it with --genesis-hash, or a `log` line of a policy"
            }
        };
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
    if let Some(note) = &chain.kept.note {
        text += &format!("checkpoint  {}, all of this chain\n", counted(note.checkpoint().size, "block"));
    }
    if let Some(accepted) = &chain.kept.accepted {
        text += &format!("witnesses   {}\n", trust::tell_witnesses(accepted, shell.clock.now_ms()));
    }
    text + "\n" + consensus::trust(report.summary.consensus)
}
