//! Keeping views up to date.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use futures::future::select_all;
use serde_json::json;
use topology::client::{Client, Config, OnPanic, State};
use topology::clock::{Clock, SystemClock};
use topology::log::Log;

use super::beginning::Beginning;
use super::registry::{Registry, Schema};
use crate::cli::error::{Error, Exit, Result};
use crate::cli::output::{Align, Table, grouped};
use crate::cli::pin::{PinnedChain, UNANCHORED};
use crate::cli::progress;
use crate::cli::shell::Shell;
use crate::cli::shutdown::{Shutdown, Supervisor};
use crate::config::{Directories, UsesLog};
use crate::consensus::follow::Anchor;
use crate::reader::Reader;
use crate::rows::avro;
use crate::views::{Encoding, Progress, Source, View};

/// The reader's name in the brokers' logs.
const CLIENT_ID: &str = "cairn-views";

/// At least so long between two lines that say how far a view is.
const TOLD_INTERVAL_MS: i64 = 10_000;

/// What is kept, and how.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Which views: transfers, balances, validators [default: all]
    #[arg(value_name = "VIEW", value_parser = super::view)]
    views: Vec<View>,

    #[command(flatten)]
    chain: PinnedChain,

    /// Where stores are kept [default: $XDG_STATE_HOME/cairn, ~/.local/state/cairn]
    #[arg(long, value_name = "DIR", env = "CAIRN_STATE_DIR", hide_env = true)]
    state_dir: Option<PathBuf>,

    /// Make the rows of what is there now, commit and end; for a single instance
    #[arg(long, env = "CAIRN_UNTIL_END", hide_env = true, value_parser = BoolishValueParser::new())]
    until_end: bool,

    /// How rows are written; Avro needs a schema registry
    // `format` alone is what `cairn topology` is written in, and a key has one meaning in all commands.
    #[arg(
        long,
        visible_alias = "format",
        value_name = "FORMAT",
        env = "CAIRN_VIEWS_FORMAT",
        hide_env = true,
        default_value = "json"
    )]
    views_format: Format,

    /// Register the rows' schemas there, and write before each row the number that its schema has got, as the
    /// registry's deserializers want it; from a view's beginning on, or never
    #[arg(long, value_name = "URL", env = "CAIRN_SCHEMA_REGISTRY", hide_env = true, hide_env_values = true)]
    schema_registry: Option<String>,

    /// On how many other instances stores are kept warm, so that one of them can go on at once; costs them memory and
    /// disk
    #[arg(long, value_name = "N", env = "CAIRN_STANDBY_REPLICAS", hide_env = true, default_value = "0")]
    standby_replicas: usize,

    /// Memory for stores and prefetched input of all views together, in MiB
    #[arg(long, value_name = "MIB", env = "CAIRN_MEMORY_MIB", hide_env = true, default_value = "256", value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    memory_mib: u32,

    /// Replicas of topics that are created [default: the cluster's]
    #[arg(long, value_name = "N", env = "CAIRN_REPLICATION_FACTOR", hide_env = true)]
    replication_factor: Option<i32>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Avro,
}

impl Arguments {
    pub(super) fn run(self, shell: &Shell) -> Result<Exit> {
        let arguments = &self;
        let views = &super::meant(&self.views)[..];
        let directories = &Directories::new(self.state_dir.as_deref(), |name| std::env::var(name).ok())?;
        let supervisor = Supervisor::new()?;
        let (blockchain, anchor) = (&arguments.chain.blockchain.blockchain, arguments.chain.pin.anchor(shell)?);
        for view in views {
            directories.application(&view.application_id(blockchain))?;
            config(arguments, views, directories, *view).check().map_err(|error| Error::usage(error.to_string()))?;
        }
        let registry = arguments.schema_registry.as_deref().map(Registry::new).transpose()?;
        if registry.is_none() && arguments.views_format == Format::Avro {
            return Err(Error::usage(
                "--format avro needs --schema-registry URL: a reader of Avro gets the schema from there",
            ));
        }
        if anchor == Anchor::None {
            tracing::warn!("{UNANCHORED}");
        }
        let log = shell.log(&arguments.chain.log)?;
        log.open(Keep { arguments, views, directories, shell, anchor, registry, supervisor })?
    }
}

struct Keep<'k> {
    arguments: &'k Arguments,
    views: &'k [View],
    directories: &'k Directories,
    shell: &'k Shell,
    anchor: Anchor,
    registry: Option<Registry>,
    supervisor: Supervisor,
}

impl UsesLog for Keep<'_> {
    type Output = Result<Exit>;

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { arguments, views, directories, shell, anchor, registry, mut supervisor } = self;
        let blockchain = &arguments.chain.blockchain.blockchain;
        // Ended in the middle of it, it is as if killed: creating topics and registering schemas can be repeated.
        let begin = || {
            let reader = Reader::new(&log, &shell.clock, CLIENT_ID);
            reader.chain_partition(blockchain)?;
            let start = |view: &View| {
                let (log, clock) = (&log, &shell.clock);
                Beginning { log, clock, reader: &reader, view: *view, blockchain }.check()?;
                let encoding = encoding(*view, blockchain, arguments.views_format, registry.as_ref())?;
                let source = Source { blockchain: blockchain.clone(), anchor, encoding };
                let progress = Progress::default();
                let config = config(arguments, views, directories, *view);
                let client = Client::start_blocking(&view.topology(&source, &progress)?, log.clone(), config)?;
                Ok(Kept { view: *view, progress, client: Some(client), told: Told::default() })
            };
            views.iter().map(start).collect::<Result<Vec<Kept>>>()
        };
        let mut kept = supervisor.interruptible(|| begin().map_err(|error| shell.explained(error)))??;
        if let Err(error) = supervisor.wait(async |shutdown| until_ended(&mut kept, shutdown).await) {
            return Err(supervisor.interruptible(|| shell.explained(error))?);
        }
        shell.print(&report(&kept, blockchain, shell))?;
        Ok(Exit::Done)
    }
}

fn config(arguments: &Arguments, views: &[View], directories: &Directories, view: View) -> Config {
    Config {
        state_directory: Some(directories.state().to_owned()),
        standby_replicas: arguments.standby_replicas,
        // What panics here is a fault of the program: it is seen by an exit code.
        on_panic: OnPanic::Stop,
        memory_bytes: ((arguments.memory_mib as usize) << 20) / views.len().max(1),
        replication_factor: arguments.replication_factor,
        until_end: arguments.until_end,
        fingerprint: view.fingerprint(),
        restore_listener: progress::restore_listener(),
        ..Config::new(view.application_id(&arguments.chain.blockchain.blockchain))
    }
}

/// How the rows of a view are written, once their schema is registered where there is a registry.
fn encoding(view: View, blockchain: &str, format: Format, registry: Option<&Registry>) -> Result<Encoding> {
    let Some(registry) = registry else { return Ok(Encoding::Json) };
    let (kind, text, encoding): (_, _, fn(u32) -> Encoding) = match format {
        Format::Json => ("JSON", view.schema().to_owned(), Encoding::RegisteredJson),
        Format::Avro => {
            let schema = avro::schema(view.schema()).map_err(|error| Error::failed(error.to_string()))?;
            ("AVRO", schema, Encoding::RegisteredAvro)
        }
    };
    registry.register(&view.topic(blockchain), &Schema { kind, text }).map(encoding)
}

/// A view that is kept.
struct Kept {
    view: View,
    progress: Progress,
    /// `None` once it has ended.
    client: Option<Client>,
    told: Told,
}

/// What was said of a view last.
#[derive(Default)]
struct Told {
    state: Option<State>,
    height: Option<u64>,
    at_ms: i64,
}

/// Waits until all have ended. Where one fails, or a signal asks for it, the others are ended cleanly.
async fn until_ended(kept: &mut [Kept], shutdown: &mut Shutdown) -> Result<()> {
    let (clock, mut failed) = (SystemClock::new(), None);
    let mut watch = tokio::time::interval(Duration::from_secs(1));
    while kept.iter().any(|view| view.client.is_some()) {
        tokio::select! {
            (index, ended) = first_end(kept) => {
                if let Err(error) = ended {
                    failed.get_or_insert(error);
                    stop(kept);
                }
                let running = kept.iter_mut().filter(|view| view.client.is_some()).nth(index);
                if let Some(view) = running {
                    view.tell(&clock);
                    view.client = None;
                }
            }
            request = shutdown.asked() => {
                tracing::info!("{request}: finishing the commit and leaving the groups; once more ends at once");
                stop(kept);
            }
            _ = watch.tick() => kept.iter_mut().for_each(|view| view.tell(&clock)),
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn stop(kept: &[Kept]) {
    kept.iter().filter_map(|view| view.client.as_ref()).for_each(Client::stop);
}

/// Which of those that run ends first, and how.
async fn first_end(kept: &mut [Kept]) -> (usize, topology::Result<()>) {
    let running = kept.iter_mut().filter_map(|view| view.client.as_mut());
    let (ended, index, _) = select_all(running.map(|client| Box::pin(client.closed()))).await;
    (index, ended)
}

impl Kept {
    /// Tells a state once, and now and then how far the view is.
    fn tell(&mut self, clock: &SystemClock) {
        let Some(client) = &self.client else { return };
        let (view, state, height) = (self.view.as_str(), *client.states().borrow(), self.progress.height());
        let now_ms = clock.monotonic_ms();
        if self.told.state != Some(state) {
            let what = match state {
                State::Created => "starting",
                State::Rebalancing => "waiting for the group",
                State::Restoring => "restoring stores",
                State::Running if height.is_none() => "standing by, or waiting for block 0",
                State::Running => "running",
                State::Stopping => "stopping",
                State::Stopped => "stopped",
                State::Failed => "failed",
            };
            tracing::info!(view, height, "{what}");
            self.told = Told { state: Some(state), height, at_ms: now_ms };
        } else if self.told.height != height && now_ms.saturating_sub(self.told.at_ms) >= TOLD_INTERVAL_MS {
            tracing::info!(view, height, "following");
            self.told = Told { state: Some(state), height, at_ms: now_ms };
        }
    }
}

/// How far the views are, once all is committed.
fn report(kept: &[Kept], blockchain: &str, shell: &Shell) -> String {
    if shell.json {
        let line = |kept: &Kept| {
            let (view, topic) = (kept.view.as_str(), kept.view.topic(blockchain));
            json!({ "view": view, "topic": topic, "height": kept.progress.height(), "rows": kept.progress.row_count() })
        };
        return kept.iter().map(|kept| line(kept).to_string() + "\n").collect();
    }
    let columns = [("view", Align::Left), ("topic", Align::Left), ("height", Align::Right), ("new rows", Align::Right)];
    let mut table = Table::new(&columns);
    for Kept { view, progress, .. } in kept {
        let height = progress.height().map_or_else(|| "-".to_owned(), grouped);
        table.row([view.as_str().to_owned(), view.topic(blockchain), height, grouped(progress.row_count())]);
    }
    table.to_string()
}
