//! `cairn run`: seals what arrives.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use topology::client::{Client, Config, State};
use topology::log::Log;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::graph::{self, Malicious};
use super::shell::Shell;
use super::shutdown::{Shutdown, Supervisor};
use crate::chain::Hash;
use crate::config::founding::{self, Request, Source};
use crate::config::{Directories, UsesLog};
use crate::ledger::state::Tip;
use crate::reader::Reader;
use crate::sealing::Application;

const EXAMPLES: &str = "\
Examples:
  cairn run --brokers localhost:9092
  cairn run --brokers kafka:9093 -X security.protocol=SASL_SSL -X sasl.mechanism=PLAIN
  CAIRN_BLOCK_MAX_TRANSACTIONS=3 cairn run --brokers localhost:9092    a new chain, a block per 3
  cairn run --log embedded:/var/lib/cairn/log                          one machine, no Kafka

Secrets belong in the environment: CAIRN_KAFKA_SASL_PASSWORD is -X sasl.password.

Without --genesis, block 0 of the blockchain topic says what the chain is. Without a block 0, a new
chain begins: five validators, whose keys are made now and kept with the genesis in
STATE_DIR/@keys/TOPIC. Keep a copy of that directory: stores return from Kafka, keys do not. More
instances share the work if they have the same keys: copy it, or name the key file with --keys.

SIGTERM or Ctrl-C finishes the commit and leaves the group, with exit code 0; a second one, more than
a second later, ends at once.";

/// Seal transactions into blocks
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    chain: arguments::Chain,
    #[command(flatten)]
    engine: Engine,

    /// Genesis file of the chain (see `cairn genesis`)
    #[arg(long, value_name = "FILE", env = "CAIRN_GENESIS", hide_env = true)]
    genesis: Option<PathBuf>,

    /// Key file of the validators (see `cairn keys`) [default: STATE_DIR/@keys/TOPIC/validators.keys]
    #[arg(long, value_name = "FILE", env = "CAIRN_KEYS", hide_env = true)]
    keys: Option<PathBuf>,

    /// Where stores and keys are kept [default: $XDG_STATE_HOME/cairn, ~/.local/state/cairn]
    #[arg(long, value_name = "DIR", env = "CAIRN_STATE_DIR", hide_env = true)]
    state_dir: Option<PathBuf>,

    /// Make a validator of this process misbehave, for tests: ID or ID=alter-amount|drop-transaction|equivocate|silent
    // Not the demo's setting: what makes a demo worth watching must not burn the stake of a chain.
    #[arg(long, alias = "malicious", value_name = "VALIDATOR[=FAULT]", env = "CAIRN_RUN_MALICIOUS", value_delimiter = ',', hide = true, value_parser = graph::malicious)]
    run_malicious: Vec<Option<Malicious>>,
}

/// How the engine runs.
#[derive(Debug, Args)]
struct Engine {
    /// Consumer group, and prefix of changelog topics
    #[arg(long, value_name = "ID", env = "CAIRN_APPLICATION_ID", hide_env = true, default_value = "cairn")]
    application_id: String,

    /// Stream threads
    #[arg(long, value_name = "N", env = "CAIRN_THREADS", hide_env = true, default_value = "1")]
    threads: usize,

    /// Time between commits, in milliseconds: at most 5000, for a transaction ends after 10 s
    #[arg(long, value_name = "MS", env = "CAIRN_COMMIT_INTERVAL_MS", hide_env = true, default_value = "100", value_parser = clap::value_parser!(u32).range(..=5_000))]
    commit_interval_ms: u32,

    /// Replicas of topics that are created [default: the cluster's]
    #[arg(long, value_name = "N", env = "CAIRN_REPLICATION_FACTOR", hide_env = true)]
    replication_factor: Option<i32>,

    /// Process what is there now, seal it, commit and end; for a single instance
    #[arg(long, env = "CAIRN_UNTIL_END", hide_env = true, value_parser = BoolishValueParser::new())]
    until_end: bool,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let supervisor = Supervisor::new()?;
        let directories = Directories::new(self.state_dir.as_deref(), |name| std::env::var(name).ok())?;
        let home = directories.keys(&self.chain.blockchain.blockchain)?;
        directories.application(&self.engine.application_id)?;
        // Before anybody is asked and keys are made.
        self.engine.config(&directories).check().map_err(|error| Error::usage(error.to_string()))?;
        shell.log(&self.chain.log)?.open(Run { arguments: self, shell, directories, home, supervisor })?
    }
}

struct Run<'r> {
    arguments: Arguments,
    shell: &'r Shell,
    directories: Directories,
    home: PathBuf,
    supervisor: Supervisor,
}

impl UsesLog for Run<'_> {
    type Output = Result<Exit>;
    const MAKES_LOG: bool = true;

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { arguments, shell, directories, home, mut supervisor } = self;
        let until_end = arguments.engine.until_end;
        let reader = Reader::new(&log, &shell.clock, "cairn-run");
        // Ended in the middle of it, it is as if killed: key files appear whole, and creating topics can be repeated.
        let begun = supervisor.interruptible(|| arguments.begin(shell, &log, &reader, &directories, &home));
        let (application, client) = begun??;
        supervisor.wait(async |shutdown| supervise(client, &application, shutdown).await)?;
        let blockchain = &arguments.chain.blockchain.blockchain;
        match supervisor.interruptible(|| report(shell, &reader, blockchain, &home))? {
            // All is committed; that the log is gone since then makes no failure of a run that was told to stop.
            Err(error) if !until_end => {
                tracing::warn!("cannot read the last block: {error}");
                Ok(Exit::Done)
            }
            reported => reported,
        }
    }
}

impl Arguments {
    /// Everything up to the moment when the engine runs.
    fn begin<L: Log>(
        &self,
        shell: &Shell,
        log: &L,
        reader: &Reader<'_, L>,
        directories: &Directories,
        home: &Path,
    ) -> Result<(Application, Client)> {
        let topics = self.chain.topics();
        let request = Request {
            genesis: self.genesis.as_deref(),
            keys: self.keys.as_deref(),
            blockchain: &topics.blockchain,
            home,
            parameters: &shell.parameters,
        };
        tracing::info!(topic = topics.blockchain, "reading the chain");
        let founding = founding::settle(founding::read_genesis(reader, &topics.blockchain)?, &request)?;
        tell_source(founding.source, &request);

        let malicious: Vec<Malicious> = self.run_malicious.iter().flatten().cloned().collect();
        for Malicious { validator, fault } in &malicious {
            tracing::warn!("{validator} misbehaves, as asked: {}", fault.as_str());
        }
        let application = graph::application(log, founding, topics, &malicious)?;
        let fingerprint = graph::fingerprint(application.genesis_hash());
        let config = Config { fingerprint, ..self.engine.config(directories) };
        let client = Client::start(&application.topology()?, log.clone(), config)?;
        Ok((application, client))
    }
}

impl Engine {
    /// The engine's settings but for the fingerprint, which is known when the chain is.
    fn config(&self, directories: &Directories) -> Config {
        Config {
            state_directory: Some(directories.state().to_owned()),
            thread_count: self.threads,
            commit_interval_ms: self.commit_interval_ms,
            replication_factor: self.replication_factor,
            until_end: self.until_end,
            ..Config::new(&self.application_id)
        }
    }
}

fn tell_source(source: Source, request: &Request<'_>) {
    let home = request.home.display();
    match (source, request.keys) {
        (Source::New, None) => {
            tracing::info!("a new chain: its genesis and keys are in {home}; keep a copy of the keys");
        }
        (Source::New, Some(keys)) => {
            tracing::info!("a new chain: its genesis is in {home}, its keys in {}; keep a copy", keys.display());
        }
        (Source::Kept, _) => tracing::info!("the genesis is the one kept in {home}"),
        (Source::File, _) => tracing::info!("the genesis is the file's"),
        (Source::Chain, _) => tracing::info!("the genesis is that of the chain on the topic"),
    }
}

/// Waits for the end, telling of changes of state; asked by a signal, it ends the run cleanly.
async fn supervise(client: Client, application: &Application, shutdown: &mut Shutdown) -> Result<()> {
    supervise_until(client, application, shutdown, std::future::pending()).await
}

/// As [`supervise`]; it also ends the run when `enough` is there.
pub(crate) async fn supervise_until(
    mut client: Client,
    application: &Application,
    shutdown: &mut Shutdown,
    enough: impl Future<Output = ()>,
) -> Result<()> {
    let mut enough = std::pin::pin!(enough);
    let mut is_enough = false;
    let mut states = client.states();
    let mut watch = tokio::time::interval(Duration::from_secs(1));
    let mut waiting = None;
    let mut states_end = false;
    loop {
        tokio::select! {
            changed = states.changed(), if !states_end => match changed {
                Ok(()) => tell_state(*states.borrow_and_update(), application),
                Err(_) => states_end = true,
            },
            name = shutdown.asked() => {
                tracing::info!("{name}: finishing the commit and leaving the group; once more ends at once");
                client.stop();
            }
            () = &mut enough, if !is_enough => {
                is_enough = true;
                client.stop();
            }
            _ = watch.tick() => tell_quorum(application, &mut waiting),
            ended = client.ended() => {
                // The last change may have come together with the end.
                if states.has_changed().unwrap_or(true) {
                    tell_state(*states.borrow_and_update(), application);
                }
                return Ok(ended?);
            }
        }
    }
}

fn tell_state(state: State, application: &Application) {
    // `None` until the chain was taken over: another instance seals it.
    let height = application.status().height;
    match state {
        State::Created => {}
        State::Rebalancing => tracing::info!("waiting for the group"),
        State::Restoring => tracing::info!("restoring stores"),
        State::Running if height.is_none() => tracing::info!("standing by: another instance seals"),
        State::Running => tracing::info!(height, "running"),
        State::Stopping => tracing::info!("stopping"),
        State::Stopped => tracing::info!(height, "stopped"),
        State::Failed => tracing::error!(height, "failed"),
    }
}

fn tell_quorum(application: &Application, told: &mut Option<(u64, u64)>) {
    let now = application.status().waiting_for_quorum;
    if now != *told {
        match now {
            Some((have, need)) => tracing::warn!("waiting for quorum ({have}/{need})"),
            None => tracing::info!("there is a quorum again"),
        }
        *told = now;
    }
}

/// The tip, once all is committed.
fn report<L: Log>(shell: &Shell, reader: &Reader<'_, L>, blockchain: &str, home: &Path) -> Result<Exit> {
    let Some(block) = graph::last_block(reader, blockchain)? else { return Ok(Exit::Done) };
    founding::note_founded(home)?;
    shell.print(&tell(block.header.height, &block.hash, &block.header.state_root, shell))?;
    Ok(Exit::Done)
}

/// A tip, for a person or a machine.
pub(crate) fn tell_tip(tip: &Tip, shell: &Shell) -> String {
    tell(tip.height, &tip.hash, &tip.state_root, shell)
}

fn tell(height: u64, hash: &Hash, root: &Hash, shell: &Shell) -> String {
    if shell.json {
        serde_json::json!({ "height": height, "block_hash": hash, "state_root": root }).to_string()
    } else {
        format!("height      {height}\nblock hash  {hash}\nstate root  {root}")
    }
}
