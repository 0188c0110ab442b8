//! Forgetting views.

use topology::log::Log;
use topology::reset;

use super::Arguments;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::shell::Shell;
use crate::cli::shutdown::Supervisor;
use crate::config::{Directories, UsesLog};
use crate::consensus::follow::Anchor;
use crate::views::{Encoding, Progress, Source, View};

pub(super) fn run(
    arguments: &Arguments,
    views: &[View],
    directories: &Directories,
    shell: &Shell,
    mut supervisor: Supervisor,
) -> Result<Exit> {
    let settings = shell.log(&arguments.chain.log)?;
    let forget = Forget { arguments, views, directories, shell };
    let reset = || settings.open(forget)?.map_err(|error| shell.explained(error));
    supervisor.until_signal(reset)?
}

struct Forget<'f> {
    arguments: &'f Arguments,
    views: &'f [View],
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
        let Self { arguments, views, directories, shell } = self;
        let blockchain = &arguments.chain.blockchain.blockchain;
        let look = |view: &View| Plan::look(*view, blockchain, directories, &log);
        let plans: Vec<Plan> = views.iter().map(look).collect::<Result<_>>()?;
        for plan in &plans {
            plan.engine.check_unused(&log).map_err(|error| Error::usage(error.to_string()))?;
        }
        if arguments.dry_run {
            shell.print(&told(&plans, "would delete", shell.json))?;
            return Ok(Exit::Done);
        }
        if !arguments.yes {
            if !shell.can_ask() {
                return Err(Error::usage(
                    "there is no terminal to ask on: give --yes, or --dry-run to see what would be done",
                ));
            }
            eprint!("{}", told(&plans, "will delete", false));
            if !shell.ask("Go on?")? {
                return Err(Error::usage("nothing was done"));
            }
        }
        plans.iter().try_for_each(|plan| plan.carry_out(&log))?;
        shell.print(&told(&plans, "deleted", shell.json))?;
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

    /// First the offsets: without them, what is left of a reset that dies is refused by the next start, whether that is the view's
    /// state or its rows. Carried out again, it goes on where it was.
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
fn told(plans: &[Plan], delete: &str, as_json: bool) -> String {
    let line = |plan: &Plan| {
        if as_json {
            let report = serde_json::json!({
                "view": plan.view.as_str(),
                "dry_run": delete == "would delete",
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
