//! `cairn inspect`: what a stopped instance's state holds.

use std::path::{Path, PathBuf};

use clap::Args;

use super::error::{Error, Exit, Result};
use super::output::{Align, Table, grouped};
use super::shell::Shell;
use crate::audit::inspect::{self, Inspection, Unsound};
use crate::config::Directories;
use crate::config::note::{Note, Stage};

const EXAMPLES: &str = "\
Examples:
  cairn inspect             of the instance that ran without --state-dir
  cairn inspect --state-dir /var/lib/cairn/state
  cairn inspect --state-dir /var/lib/cairn/state --json

The instance must be stopped: its stores are locked while it runs. The state root is computed anew from all tables, \
supply and ids are audited. Exit code 0: they agree. 1: they do not, and nothing is shown.";

/// Show tip, balances and validators held in a stopped instance's state
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// State directory of the instance [default: $XDG_STATE_HOME/cairn, ~/.local/state/cairn]
    #[arg(long, value_name = "DIR", env = "CAIRN_STATE_DIR", hide_env = true)]
    pub(crate) state_dir: Option<PathBuf>,

    /// Whose state, where the directory holds several
    #[arg(long, value_name = "ID", env = "CAIRN_APPLICATION_ID", hide_env = true)]
    pub(crate) application_id: Option<String>,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let directories = Directories::new(self.state_dir.as_deref(), |name| std::env::var(name).ok())?;
        let root = directories.state();
        if !root.is_dir() {
            return Err(Error::usage(format!(
                "there is no state directory {}: name one with --state-dir",
                root.display()
            )));
        }
        let application_id = match self.application_id {
            Some(application_id) => check_application(&directories, application_id)?,
            None => only_application(root)?,
        };
        // A state that was replayed belongs to no run, and nothing is noted beside it.
        let note = Note::of_application(&directories.application(&application_id)?).ok().flatten();
        let (text, exit) = match inspect::inspect(root, &application_id)? {
            Ok(None) => return Err(Error::failed(tell_empty(&application_id, root, note.as_ref()))),
            Ok(Some(inspection)) => {
                let note = note.filter(|note| note.genesis == Some(inspection.tip.genesis));
                let chain_id = note.as_ref().map(|note| note.chain_id.as_str());
                (if shell.json { json(&inspection, chain_id) } else { text(&inspection, chain_id) }, Exit::Done)
            }
            Err(unsound) => (tell_unsound(&unsound, &application_id, root, shell), Exit::Failed),
        };
        shell.print(&text)?;
        Ok(exit)
    }
}

fn check_application(directories: &Directories, application_id: String) -> Result<String> {
    if directories.application(&application_id)?.is_dir() {
        return Ok(application_id);
    }
    let root = directories.state();
    let found = inspect::applications(root)?;
    let there = if found.is_empty() { "holds none".to_owned() } else { format!("holds {}", found.join(", ")) };
    Err(Error::usage(format!("{} has no state of '{application_id}': it {there}", root.display())))
}

fn only_application(root: &Path) -> Result<String> {
    let mut found = inspect::applications(root)?;
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Error::usage(format!("{} holds no chain's state", root.display()))),
        (Some(last), false) => {
            let others = found.join(", ");
            Err(Error::usage(format!(
                "{} holds several: name one with --application-id: {others}, {last}",
                root.display()
            )))
        }
    }
}

/// A state without a block, and where the blocks are.
fn tell_empty(application_id: &str, root: &Path, note: Option<&Note>) -> String {
    let what = format!("the state of '{application_id}' in {} holds no block", root.display());
    match note {
        Some(Note { chain_id, place, stage: Stage::Founded, .. }) => format!(
            "{what} yet: blocks reach the disk some time after they are sealed. Those of its chain, {chain_id}, are on topic '{}': \
             cairn verify {} --blockchain {} shows the tip, and the next run restores the state from the changelogs",
            place.topic(),
            place.option(),
            place.topic()
        ),
        _ => format!("{what}: it never ran, or its run ended before its chain began"),
    }
}

/// A state that does not hold, for a person or a machine.
fn tell_unsound(unsound: &Unsound, application_id: &str, root: &Path, shell: &Shell) -> String {
    let detail = unsound.to_string();
    if shell.json {
        return serde_json::json!({ "result": "unsound", "detail": detail }).to_string();
    }
    format!(
        "{}: the state of '{application_id}' in {} contradicts itself: {detail}; delete that directory while nothing runs on it, and \
         the next run restores it from the changelogs",
        shell.paint.red("unsound"),
        root.display()
    )
}

fn json(inspection: &Inspection, chain_id: Option<&str>) -> String {
    let Inspection { tip, supply, validators, accounts } = inspection;
    let validators: Vec<_> = validators
        .iter()
        .map(|(id, record)| {
            serde_json::json!({
                "id": id, "stake": record.stake, "missed": record.missed, "slashed_at_height": record.slashed_at_height,
            })
        })
        .collect();
    let accounts: Vec<_> = accounts
        .iter()
        .map(|(name, account)| {
            serde_json::json!({ "name": name.as_str(), "balance": account.balance, "nonce": account.nonce })
        })
        .collect();
    serde_json::json!({
        "result": "sound",
        "chain_id": chain_id,
        "genesis_hash": tip.genesis,
        "height": tip.height,
        "block_hash": tip.hash,
        "state_root": tip.state_root,
        "supply": supply.current().to_string(),
        "minted": supply.minted.to_string(),
        "burnt": supply.burnt.to_string(),
        "validators": validators,
        "accounts": accounts,
    })
    .to_string()
}

fn text(inspection: &Inspection, chain_id: Option<&str>) -> String {
    let Inspection { tip, supply, validators, accounts } = inspection;
    let chain = chain_id.map(|id| format!("chain       {id}\n")).unwrap_or_default();
    let mut text = format!(
        "{chain}genesis     {}\nheight      {}\nblock hash  {}\nstate root  {} (computed from the tables)\nsupply      {} (minted {}, \
         burnt {})\n\n",
        tip.genesis,
        tip.height,
        tip.hash,
        tip.state_root,
        grouped(supply.current()),
        grouped(supply.minted),
        grouped(supply.burnt),
    );
    let columns =
        [("validator", Align::Left), ("stake", Align::Right), ("missed", Align::Right), ("status", Align::Left)];
    let mut table = Table::new(&columns);
    for (id, record) in validators {
        let status =
            record.slashed_at_height.map_or("active".to_owned(), |height| format!("slashed at height {height}"));
        table.row([id.to_string(), grouped(record.stake), grouped(record.missed), status]);
    }
    if !validators.is_empty() {
        text += &format!("{table}\n");
    }
    let mut table = Table::new(&[("account", Align::Left), ("balance", Align::Right), ("nonce", Align::Right)]);
    for (name, account) in accounts {
        table.row([name.as_str().to_owned(), grouped(account.balance), account.nonce.to_string()]);
    }
    text + &table.to_string()
}
