//! `cairn topics`: the topics that a run needs, beside what there is of them.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::BoolishValueParser;
use serde_json::{Value, json};
use topology::client::{CheckedTopic, TopicState};
use topology::log::Log;
use topology::log::memory::MemoryLog;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::graph::{self, Extras};
use super::output::{Align, Table, counted};
use super::shell::Shell;
use crate::chain::Genesis;
use crate::config::{LogSettings, UsesLog, genesis, topic};
use crate::reader::Reader;

const EXAMPLES: &str = "\
Examples:
  cairn topics --brokers localhost:9092
  cairn topics --brokers localhost:9092 --check && cairn run --brokers localhost:9092
  cairn topics --brokers kafka:9092 --replication-factor 3 --check
  cairn topics --brokers kafka:9092 --json | jq -r 'select(.state == \"missing\").topic'

Nothing is made or changed. Give the settings that `run` is given: the same cairn.toml and the same environment.

Each topic is `there` (as a run would make it), `missing` (a run would make it), `differs` (a run would start; a setting \
that it does not check is another than it would set), or `unfit` (a run would not start). Settings stand as a run \
would make them, with what is otherwise beside.

With --check the exit code tells: 0 where a run could start and nothing differs, 1 where something differs or is \
unfit, 3 where that could not be found out.";

/// Show the topics that a run needs, what there is of them, and what it would make
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    chain: arguments::Chain,

    /// Consumer group, and prefix of changelog topics
    #[arg(long, value_name = "ID", env = "CAIRN_APPLICATION_ID", hide_env = true, default_value = "cairn")]
    application_id: String,

    /// Topic that also gets the blocks in the shape of the system this chain is like
    #[arg(long, value_name = "TOPIC", env = "CAIRN_CLASSIC_TOPIC", hide_env = true)]
    classic_topic: Option<String>,

    /// Genesis file of the chain (see `cairn genesis`)
    #[arg(long, value_name = "FILE", env = "CAIRN_GENESIS", hide_env = true)]
    genesis: Option<PathBuf>,

    /// Replicas of topics that are created; fewer are a difference [default: the cluster's]
    #[arg(long, value_name = "N", env = "CAIRN_REPLICATION_FACTOR", hide_env = true)]
    replication_factor: Option<i32>,

    /// Fail unless a run could start and nothing differs
    #[arg(long, env = "CAIRN_CHECK", hide_env = true, value_parser = BoolishValueParser::new())]
    check: bool,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let settings = shell.log(&self.chain.log)?;
        let is_checked = self.check;
        let looked = if settings.is_to_be_made() {
            self.on_no_log(&settings, shell)
        } else {
            let look = Look { arguments: &self, shell };
            settings.open(look).map_err(Error::from).and_then(|looked| looked)
        };
        let topics = looked.map_err(Error::undone)?;
        tell(&topics, shell)?;
        let fits = topics.iter().all(|checked| matches!(checked.state(), TopicState::There | TopicState::Missing));
        Ok(if is_checked && !fits { Exit::Failed } else { Exit::Done })
    }

    /// What a run would find on a log that it would make first.
    fn on_no_log(&self, settings: &LogSettings, shell: &Shell) -> Result<Vec<CheckedTopic>> {
        settings.check_place()?;
        tracing::info!("the log is not there yet: a run would make it, too");
        Look { arguments: self, shell }.with(MemoryLog::new(Arc::new(|| 0)))
    }

    /// The genesis that a run would have, as far as its topics depend on it.
    fn genesis<L: Log>(&self, shell: &Shell, log: &L) -> Result<Genesis> {
        let genesis = match &self.genesis {
            Some(path) => genesis::read_file(path)?,
            None => match self.on_topic(shell, log)? {
                Some(genesis) => genesis,
                None => graph::placeholder_with(&shell.parameters)?,
            },
        };
        match shell.parameters.conflict_with(&genesis.parameters) {
            Some(conflict) => Err(Error::usage(conflict)),
            None => Ok(genesis),
        }
    }

    /// That of the chain which is there, if one is.
    fn on_topic<L: Log>(&self, shell: &Shell, log: &L) -> Result<Option<Genesis>> {
        let blockchain = &self.chain.blockchain.blockchain;
        // One that a broker made by itself, with more partitions, holds no chain and is told as unfit.
        match log.describe_topic(blockchain)?.map(|found| found.partition_count) {
            Some(1) => Ok(topic::genesis(&Reader::new(log, &shell.clock, "cairn-topics"), blockchain)?),
            _ => Ok(None),
        }
    }
}

struct Look<'l> {
    arguments: &'l Arguments,
    shell: &'l Shell,
}

impl UsesLog for Look<'_> {
    type Output = Result<Vec<CheckedTopic>>;

    fn with<L: Log>(self, log: L) -> Self::Output {
        let Self { arguments, shell } = self;
        let genesis = arguments.genesis(shell, &log)?;
        let extras = Extras { classic_topic: arguments.classic_topic.clone(), ..Extras::default() };
        let engine = (arguments.application_id.as_str(), arguments.replication_factor);
        graph::checked_topics(&log, genesis, arguments.chain.topics(), &extras, engine)
    }
}

fn tell(topics: &[CheckedTopic], shell: &Shell) -> Result<()> {
    if shell.json {
        let lines: Vec<String> = topics.iter().map(|checked| as_json(checked).to_string()).collect();
        return shell.print(&lines.join("\n"));
    }
    let columns =
        [("topic", Align::Left), ("partitions", Align::Right), ("state", Align::Left), ("settings", Align::Left)];
    let mut table = Table::new(&columns);
    topics.iter().for_each(|checked| add_rows(&mut table, checked));
    let mut text = table.to_string();
    for obstacle in topics.iter().filter_map(|checked| checked.obstacle.as_ref()) {
        text += &shell.paint.red(&format!("\na run would not start: {obstacle}\n"));
    }
    shell.print(&format!("{text}\n{}", summary(topics)))
}

/// A row for the topic, and one more for each setting behind the first.
fn add_rows(table: &mut Table, checked: &CheckedTopic) {
    let beside = |name: &str| {
        let difference = checked.differences.iter().find(|difference| difference.name == name);
        difference.map_or_else(String::new, |difference| format!(" (is {})", difference.found))
    };
    let mut settings: Vec<String> =
        checked.topic.settings().iter().map(|(name, value)| format!("{name}={value}{}", beside(name))).collect();
    // Asked for on the command line, and so shown where it matters alone.
    let counts = checked.differences.iter().filter(|difference| matches!(&*difference.name, "partitions" | "replicas"));
    settings.extend(
        counts.map(|difference| format!("{}={}{}", difference.name, difference.needed, beside(&difference.name))),
    );
    let mut settings = settings.into_iter();
    let count = checked.found.as_ref().map(|found| found.partition_count).or(checked.topic.partition_count());
    table.row([
        checked.topic.name().to_owned(),
        count.unwrap_or(1).to_string(),
        state(checked).to_owned(),
        settings.next().unwrap_or_default(),
    ]);
    settings.for_each(|setting| table.row([String::new(), String::new(), String::new(), setting]));
}

fn summary(topics: &[CheckedTopic]) -> String {
    let count = |wanted: TopicState| topics.iter().filter(|checked| checked.state() == wanted).count();
    let told = [
        (TopicState::There, "there"),
        (TopicState::Missing, "to be made by a run"),
        (TopicState::Differs, "otherwise than a run would make it"),
        (TopicState::Unfit, "unfit"),
    ];
    let told = told.map(|(state, words)| (count(state), words)).into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, words)| format!("{count} {words}")).collect();
    format!("{}: {}", counted(topics.len() as u64, "topic"), told.join(", "))
}

fn state(checked: &CheckedTopic) -> &'static str {
    match checked.state() {
        TopicState::There => "there",
        TopicState::Missing => "missing",
        TopicState::Differs => "differs",
        TopicState::Unfit => "unfit",
    }
}

fn as_json(checked: &CheckedTopic) -> Value {
    let topic = &checked.topic;
    let settings = |value: &dyn Fn(&str, &str) -> Option<String>| -> serde_json::Map<String, Value> {
        let told =
            topic.settings().iter().filter_map(|(name, needed)| Some((name.clone(), value(name, needed)?.into())));
        told.collect()
    };
    let found = checked.found.as_ref().map(|found| {
        json!({
            "partitions": found.partition_count,
            "replicas": found.replica_count,
            "settings": settings(&|name, _| found.settings.get(name).cloned()),
        })
    });
    let differences = checked
        .differences
        .iter()
        .map(|difference| json!({ "name": difference.name, "needed": difference.needed, "found": difference.found }));
    json!({
        "topic": topic.name(),
        "state": state(checked),
        "partitions": topic.partition_count().unwrap_or(1),
        "settings": settings(&|_, needed| Some(needed.to_owned())),
        "found": found,
        "differences": differences.collect::<Vec<_>>(),
        "obstacle": checked.obstacle,
    })
}
