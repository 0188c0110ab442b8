//! Forgetting views.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use topology::log::Log;
use topology::reset;

use crate::cli::arguments::{Blockchain, Log as LogArguments};
use crate::cli::error::{Error, Exit, Result};
use crate::cli::output::Tense;
use crate::cli::shell::Shell;
use crate::cli::shutdown::Supervisor;
use crate::config::{Directories, UsesLog};
use crate::consensus::follow::Anchor;
use crate::views::{Encoding, Progress, Source, View};

const EXAMPLES: &str = "\
Examples:
  cairn views reset transfers --brokers localhost:9092    one of them, behind a question
  cairn views reset --log embedded:./log --dry-run        what would be deleted of all three
  cairn views reset --brokers localhost:9092 --yes        all three, without a question

Deletes of each view its topic, its changelogs, its offsets and its stores on this machine; the next `cairn views` makes \
all rows anew, the same ones. Refused while an instance runs: a killed one counts until its session ends (10 s).";

/// Forget views, with their topics: the next start makes all rows anew
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Which views: transfers, balances, validators [default: all]
    #[arg(value_name = "VIEW", value_parser = super::view)]
    views: Vec<View>,

    #[command(flatten)]
    log: LogArguments,
    #[command(flatten)]
    blockchain: Blockchain,

    /// Where stores are kept [default: $XDG_STATE_HOME/cairn, ~/.local/state/cairn]
    #[arg(long, value_name = "DIR", env = "CAIRN_STATE_DIR", hide_env = true)]
    state_dir: Option<PathBuf>,

    /// Only say what would be done
    #[arg(long, env = "CAIRN_DRY_RUN", hide_env = true, value_parser = BoolishValueParser::new())]
    dry_run: bool,

    /// Do not ask
    #[arg(short, long, env = "CAIRN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    yes: bool,
}

impl Arguments {
    pub(super) fn run(self, shell: &Shell) -> Result<Exit> {
        let directories = Directories::new(self.state_dir.as_deref(), |name| std::env::var(name).ok())?;
        let settings = shell.log(&self.log)?;
        let forget = Forget { arguments: &self, directories: &directories, shell };
        let reset = || settings.open(forget)?.map_err(|error| shell.explained(error));
        Supervisor::new()?.until_signal(|| None, reset)?
    }
}

struct Forget<'f> {
    arguments: &'f Arguments,
    directories: &'f Directories,
    shell: &'f Shell,
}

/// What is deleted of a view.
struct Plan {
    view: View,
    application_id: String,
    /// The topic of its rows, if it is there.
    topic: Option<String>,
    /// Changelogs, offsets, stores on this machine.
    engine: reset::Plan,
}

impl UsesLog for Forget<'_> {
    type Output = Result<Exit>;

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { arguments, directories, shell } = self;
        let look = |view| Plan::look(view, &arguments.blockchain.blockchain, directories, &log);
        let plans: Vec<Plan> = super::meant(&arguments.views).into_iter().map(look).collect::<Result<_>>()?;
        for plan in &plans {
            plan.engine.check_unused(&log).map_err(|error| Error::usage(error.to_string()))?;
        }
        if arguments.dry_run {
            shell.print(&told(&plans, Tense::Would, shell.json))?;
            return Ok(Exit::Done);
        }
        if !arguments.yes {
            shell.agree(&told(&plans, Tense::Will, false))?;
        }
        plans.iter().try_for_each(|plan| plan.carry_out(&log))?;
        shell.print(&told(&plans, Tense::Done, shell.json))?;
        Ok(Exit::Done)
    }
}

impl Plan {
    fn look<L: Log>(view: View, blockchain: &str, directories: &Directories, log: &L) -> Result<Self> {
        let source = Source { blockchain: blockchain.to_owned(), anchor: Anchor::None, encoding: Encoding::Json };
        let (graph, application_id) = (view.topology(&source, &Progress::default())?, view.application_id(blockchain));
        directories.application(&application_id)?;
        let engine = reset::Plan::look(&graph, log, &application_id, Some(directories.state()))?;
        let topic = view.topic(blockchain);
        let topic = log.describe_topic(&topic)?.map(|_| topic);
        Ok(Self { view, application_id, topic, engine })
    }

    /// First the offsets: without them, what is left of a reset that dies is refused by the next start, whether that is
    /// the view's state or its rows. Carried out again, it goes on where it was.
    fn carry_out<L: Log>(&self, log: &L) -> Result<()> {
        self.engine.check_unused(log)?;
        log.delete_group(&self.application_id)?;
        if let Some(topic) = &self.topic {
            log.delete_topics(std::slice::from_ref(topic))?;
        }
        Ok(self.engine.carry_out(log)?)
    }

    fn lines(&self) -> Vec<String> {
        let engine = self.engine.to_string();
        let topic = self.topic.iter().map(|topic| format!("topic {topic}"));
        topic.chain(engine.lines().map(str::to_owned)).collect()
    }
}

/// What is, will be or would be deleted, one a line.
fn told(plans: &[Plan], tense: Tense, as_json: bool) -> String {
    let delete = tense.of("delete", "deleted");
    let line = |plan: &Plan| {
        if as_json {
            let report = serde_json::json!({
                "view": plan.view.as_str(),
                "dry_run": tense == Tense::Would,
                "group": plan.application_id,
                "offsets": plan.engine.has_offsets(),
                "topics": plan.topic.iter().map(String::as_str).chain(plan.engine.topics().iter().map(String::as_str)).collect::<Vec<_>>(),
                "stores": plan.engine.stores(),
            });
            return format!("{report}\n");
        }
        let lines = plan.lines();
        match lines.is_empty() {
            true => format!("there is nothing of view {} to delete\n", plan.view.as_str()),
            false => lines.iter().map(|what| format!("{delete} {what}\n")).collect(),
        }
    };
    plans.iter().map(line).collect()
}
