//! `cairn reset`: forgets an application's progress and state.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use topology::clock::Clock;
use topology::log::Log;
use topology::reset;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::graph::{self, Topics};
use super::output::Tense;
use super::shell::Shell;
use crate::config::note::{Note, Place};
use crate::config::{Directories, LogSettings, UsesLog, topic};
use crate::reader::Reader;
use crate::sealing::evidence_topic;

const EXAMPLES: &str = "\
Examples:
  cairn reset --brokers localhost:9092 --application-id cairn --dry-run
  cairn reset --application-id cairn --state-dir ./state --yes

Deletes the application's changelog topics and the group's offsets; with --state-dir its stores on this machine, \
too. Topics of transactions, dead letters and blocks stay, unless --delete-blockchain is given: then blocks and \
evidence go as well, stores too (without --state-dir those that `run` has without one), and the chain's directory of \
keys is set aside, renamed to CHAIN_ID.until-TIME. Refused while the group has members: a killed instance counts \
until its session ends (10 s).";

/// Forget an application's progress and state, so that it starts again from the beginning
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    chain: arguments::Chain,

    /// The application to reset
    #[arg(long, value_name = "ID", env = "CAIRN_APPLICATION_ID", hide_env = true)]
    application_id: Option<String>,

    /// State directory whose stores are deleted
    #[arg(long, value_name = "DIR", env = "CAIRN_STATE_DIR", hide_env = true)]
    state_dir: Option<PathBuf>,

    /// Delete the topics of blocks and evidence, too
    #[arg(long, env = "CAIRN_DELETE_BLOCKCHAIN", hide_env = true, value_parser = BoolishValueParser::new())]
    delete_blockchain: bool,

    /// Only say what would be done
    #[arg(long, env = "CAIRN_DRY_RUN", hide_env = true, value_parser = BoolishValueParser::new())]
    dry_run: bool,

    /// Do not ask
    #[arg(short, long, env = "CAIRN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    yes: bool,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let application_id = self.application_id.clone();
        let application_id =
            application_id.ok_or_else(|| Error::usage("give --application-id ID: which application?"))?;
        let settings = shell.log(&self.chain.log)?;
        settings.open(Reset { arguments: self, application_id, shell, settings: &settings })?
    }
}

struct Reset<'r> {
    arguments: Arguments,
    application_id: String,
    shell: &'r Shell,
    settings: &'r LogSettings,
}

/// What a reset will do.
struct Plan {
    application_id: String,
    /// The engine's part: changelogs, offsets, stores on this machine.
    engine: reset::Plan,
    /// Topics of the chain.
    topics: Vec<String>,
    /// The directory of the chain's keys, and where it is set aside. Several, if more than one chain is noted to be
    /// there.
    keys: Vec<(PathBuf, PathBuf)>,
}

impl UsesLog for Reset<'_> {
    type Output = Result<Exit>;

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { arguments, application_id, shell, settings } = self;
        let blockchain = &arguments.chain.blockchain.blockchain;
        let plan = Plan::new(&arguments, application_id, shell, settings, &log)?;
        if plan.engine.is_empty() {
            tracing::warn!(
                "nothing of '{}' was found, neither changelog topics nor offsets nor stores: is this its --application-id?",
                plan.application_id
            );
        }
        plan.engine.check_unused(&log).map_err(|error| Error::usage(error.to_string()))?;
        if arguments.dry_run {
            plan.tell(shell, Tense::Would)?;
            return Ok(Exit::Done);
        }
        if !arguments.yes {
            shell.agree(&plan.lines(Tense::Will).join("\n"))?;
        }
        plan.carry_out(&log)?;
        plan.tell(shell, Tense::Done)?;
        if !plan.engine.is_empty() && !arguments.delete_blockchain && log.describe_topic(blockchain)?.is_some() {
            tracing::warn!(
                "topic '{blockchain}' keeps its chain: the next run on it rebuilds the state from its blocks. Reset with \
                 --delete-blockchain to begin another chain there"
            );
        }
        Ok(Exit::Done)
    }
}

impl Plan {
    fn new<L: Log>(
        arguments: &Arguments,
        application_id: String,
        shell: &Shell,
        settings: &LogSettings,
        log: &L,
    ) -> Result<Self> {
        let Topics { blockchain, .. } = arguments.chain.topics();
        let graph = graph::any_chain(arguments.chain.topics())?;
        let topics = match arguments.delete_blockchain {
            true => existing(log, vec![blockchain.clone(), evidence_topic(&blockchain)])?,
            false => Vec::new(),
        };
        let directories = match (arguments.state_dir.as_deref(), arguments.delete_blockchain) {
            (None, false) => None,
            // Keys of a chain that is gone would keep the next one from being begun: they are found where `run` has
            // them.
            (directory, _) => Some(Directories::new(directory, |name| std::env::var(name).ok())?),
        };
        let stores = directories.as_ref().map(|all| all.application(&application_id)).transpose()?;
        let root = stores.as_ref().and_then(|path| path.parent());
        let engine = reset::Plan::look(&graph, log, &application_id, root)?;
        let keys = match &directories {
            Some(all) if arguments.delete_blockchain => {
                chains(all, &application_id, &settings.place(&blockchain), shell, log)?
            }
            _ => BTreeSet::new(),
        };
        let aside = |home: PathBuf| {
            let mut name = home.file_name().unwrap_or_default().to_owned();
            name.push(format!(".until-{}", shell.clock.now_ms()));
            let aside = home.with_file_name(name);
            (home, aside)
        };
        Ok(Self { application_id, engine, topics, keys: keys.into_iter().map(aside).collect() })
    }

    fn lines(&self, tense: Tense) -> Vec<String> {
        let (delete, move_) = (tense.of("delete", "deleted"), tense.of("move", "moved"));
        let engine = self.engine.to_string();
        let topics = self.topics.iter().map(|topic| format!("topic {topic}"));
        let lines = topics.chain(engine.lines().map(str::to_owned)).map(|what| format!("{delete} {what}"));
        let mut lines: Vec<String> = lines.collect();
        let aside =
            |(from, to): &(PathBuf, PathBuf)| format!("{move_} keys from {} to {}", from.display(), to.display());
        lines.extend(self.keys.iter().map(aside));
        if lines.is_empty() {
            lines.push(format!("there is nothing of '{}' to delete", self.application_id));
        }
        lines
    }

    fn tell(&self, shell: &Shell, tense: Tense) -> Result<()> {
        if !shell.json {
            return shell.print(&self.lines(tense).join("\n"));
        }
        let report = serde_json::json!({
            "dry_run": tense == Tense::Would,
            "group": self.application_id,
            "offsets": self.engine.has_offsets(),
            "topics": self.engine.topics().iter().chain(&self.topics).collect::<Vec<_>>(),
            "stores": self.engine.stores(),
            "keys_moved_to": self.keys.iter().map(|(_, to)| to).collect::<Vec<_>>(),
        });
        shell.print(&report.to_string())
    }

    fn carry_out<L: Log>(&self, log: &L) -> Result<()> {
        self.engine.carry_out(log)?;
        log.delete_topics(&self.topics)?;
        for (from, to) in &self.keys {
            std::fs::rename(from, to).map_err(|error| {
                Error::failed(format!("cannot move {} to {}: {error}", from.display(), to.display()))
            })?;
        }
        Ok(())
    }
}

/// The directories of the chain on a topic, or that was on it: of block 0 if there is one, else as is noted.
fn chains<L: Log>(
    directories: &Directories,
    application_id: &str,
    place: &Place,
    shell: &Shell,
    log: &L,
) -> Result<BTreeSet<PathBuf>> {
    let Some(data) = directories.data() else { return Ok(BTreeSet::new()) };
    let on_topic = topic::genesis(&Reader::new(log, &shell.clock, "cairn-reset"), place.topic());
    let on_topic = on_topic.unwrap_or_else(|error| {
        tracing::warn!("{error}");
        None
    });
    let noted = Note::of_application(&directories.application(application_id)?)?;
    let noted = noted.filter(|note| note.place.topic() == place.topic()).map(|note| note.chain_id);
    let ids = on_topic.map(|genesis| genesis.chain_id).into_iter().chain(noted);
    let mut found: BTreeSet<PathBuf> = ids.map(|id| directories.chain(&id)).collect::<Result<_, _>>()?;
    found.extend(Note::at(data, place)?.into_iter().map(|(directory, _)| directory));
    found.retain(|directory| directory.exists());
    Ok(found)
}

/// Those of the topics that are there.
fn existing<L: Log>(log: &L, topics: Vec<String>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for topic in topics {
        if log.describe_topic(&topic)?.is_some() {
            found.push(topic);
        }
    }
    Ok(found)
}
