//! `cairn run`: seals what arrives.

use std::cell::Cell;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use topology::client::{Client, Config, OnPanic};
use topology::log::{GroupProtocol, Log};

use super::arguments;
use super::error::{Error, Exit, Result};
use super::graph::{self, Extras, Malicious, Topics};
use super::progress;
use super::report;
use super::serve;
use super::shell::Shell;
use super::shutdown::Supervisor;
use super::supervise;
use crate::chain::{ConsensusKind, DEFAULT_CHAIN_ID, Genesis, Name};
use crate::config::founding::{self, Founding, Request, Source};
use crate::config::note::Place;
use crate::config::{self, Directories, LogSettings, UsesLog, genesis, topic};
use crate::http::{Chain, Listener};
use crate::reader::Reader;
use crate::sealing::{Application, Miners};

const EXAMPLES: &str = "\
Examples:
  cairn run --brokers localhost:9092
  cairn run --brokers kafka:9093 -X security.protocol=SSL
  CAIRN_BLOCK_MAX_TRANSACTIONS=3 cairn run    a new chain, a block per 3
  cairn run --log embedded:./log              one machine, no Kafka
  CAIRN_CONSENSUS=work CAIRN_REWARD=1 cairn run --miner alice    a new chain, whose blocks are mined
  cairn run --http 127.0.0.1:8080             with the explorer, JSON and metrics

Secrets belong in the environment: CAIRN_KAFKA_SASL_PASSWORD is -X sasl.password.

Without --genesis, block 0 of the blockchain topic says what the chain is. Without a block 0, a new chain begins: \
five validators, whose keys are made now and kept with the genesis in a directory named after the chain, \
$XDG_DATA_HOME/cairn/CHAIN_ID (else ~/.local/share/cairn/CHAIN_ID). Keep a copy of it: stores return from Kafka, \
keys do not. More instances stand by if they have the same keys: copy the directory, or name the key file with \
--keys.

Threads and instances share the partitions of the topic of transactions: a task for each of them reads records and \
checks signatures, and one task of the whole chain seals. With one partition there is that one task only: more threads \
have nothing to do, more instances wait for their turn. The instance that takes the sealing over restores the chain's state \
first, from its changelogs; with --standby-replicas 1 the instance that would be next has it ready.

SIGTERM or Ctrl-C finishes the commit and leaves the group, with exit code 0; a second one, more than a second \
later, ends at once.";

/// Seal transactions into blocks
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    chain: arguments::Chain,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    mining: Mining,

    /// Topic that also gets the blocks in the shape of the system this chain is like; from the chain's beginning on, or
    /// never
    #[arg(long, value_name = "TOPIC", env = "CAIRN_CLASSIC_TOPIC", hide_env = true)]
    classic_topic: Option<String>,

    /// Genesis file of the chain (see `cairn genesis`)
    #[arg(long, value_name = "FILE", env = "CAIRN_GENESIS", hide_env = true)]
    genesis: Option<PathBuf>,

    /// Key file of the validators (see `cairn keys`) [default: validators.keys in the chain's data directory]
    #[arg(long, value_name = "FILE", env = "CAIRN_KEYS", hide_env = true)]
    keys: Option<PathBuf>,

    /// Where stores are kept [default: $XDG_STATE_HOME/cairn, ~/.local/state/cairn]
    #[arg(long, value_name = "DIR", env = "CAIRN_STATE_DIR", hide_env = true)]
    state_dir: Option<PathBuf>,

    #[command(flatten)]
    http: serve::Http,

    /// Where to ask this instance: others name it when it has the state [default: the address of --http, if it is one]
    #[arg(long, value_name = "HOST:PORT", env = "CAIRN_HTTP_ADVERTISED", hide_env = true)]
    http_advertised: Option<String>,

    /// Make a validator of this process misbehave, for tests: ID or ID=alter-amount|drop-transaction|equivocate|silent
    // Not the demo's setting: what makes a demo worth watching must not burn the stake of a chain.
    #[arg(long, alias = "malicious", value_name = "VALIDATOR[=FAULT]", env = "CAIRN_RUN_MALICIOUS", value_delimiter = ',', hide = true, value_parser = graph::malicious)]
    run_malicious: Vec<Option<Malicious>>,
}

/// Who mines, where blocks are mined.
#[derive(Debug, Args)]
struct Mining {
    /// Account that takes fees and rewards of the blocks mined here, on a chain with consensus = "work"
    #[arg(long, value_name = "NAME", env = "CAIRN_MINER", hide_env = true)]
    miner: Option<Name>,

    /// Threads that mine [default: one for each processor]
    #[arg(long, value_name = "N", env = "CAIRN_MINER_THREADS", hide_env = true, value_parser = clap::value_parser!(u16).range(1..=1024))]
    miner_threads: Option<u16>,
}

/// How the engine runs.
#[derive(Debug, Args)]
struct Engine {
    /// Consumer group, and prefix of changelog topics
    #[arg(long, value_name = "ID", env = "CAIRN_APPLICATION_ID", hide_env = true, default_value = "cairn")]
    application_id: String,

    /// Stream threads: they share the partitions of the topic of transactions, and one of them seals
    #[arg(long, value_name = "N", env = "CAIRN_THREADS", hide_env = true, default_value = "1")]
    threads: usize,

    /// On how many other instances the state is kept warm, so that one of them can seal at once; costs them its memory
    /// and disk
    #[arg(long, value_name = "N", env = "CAIRN_STANDBY_REPLICAS", hide_env = true, default_value = "0")]
    standby_replicas: usize,

    /// Time between commits, in milliseconds: at most 5000, for a transaction ends after 10 s
    #[arg(long, value_name = "MS", env = "CAIRN_COMMIT_INTERVAL_MS", hide_env = true, default_value = "100", value_parser = clap::value_parser!(u32).range(..=5_000))]
    commit_interval_ms: u32,

    /// Memory for stores and prefetched input, in MiB; the state tree and the open block come on top
    #[arg(long, value_name = "MIB", env = "CAIRN_MEMORY_MIB", hide_env = true, default_value = "256", value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    memory_mib: u32,

    /// How the group moves work between instances: consumer is KIP-848, for brokers from 4.0 on
    #[arg(long, value_name = "PROTOCOL", env = "CAIRN_GROUP_PROTOCOL", hide_env = true, default_value = "classic")]
    group_protocol: Protocol,

    /// Replicas of topics that are created [default: the cluster's]
    #[arg(long, value_name = "N", env = "CAIRN_REPLICATION_FACTOR", hide_env = true)]
    replication_factor: Option<i32>,

    /// Process what is there now, seal it, commit and end; for a single instance
    #[arg(long, env = "CAIRN_UNTIL_END", hide_env = true, value_parser = BoolishValueParser::new())]
    until_end: bool,
}

/// [`GroupProtocol`], as it is written on the command line: under Kafka's own names.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    Classic,
    Consumer,
}

impl From<Protocol> for GroupProtocol {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Classic => Self::Classic,
            Protocol::Consumer => Self::Consumer,
        }
    }
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let supervisor = Supervisor::new()?;
        let directories = Directories::new(self.state_dir.as_deref(), |name| std::env::var(name).ok())?;
        directories.application(&self.engine.application_id)?;
        if self.keys.is_none() {
            directories.chain(DEFAULT_CHAIN_ID)?;
        }
        // Before brokers are asked and keys are made.
        self.config(&directories).check().map_err(|error| Error::usage(error.to_string()))?;
        let listener = self.http.bind()?;
        let settings = shell.log(&self.chain.log)?;
        if settings.is_to_be_made() {
            let place = settings.place(&self.chain.blockchain.blockchain);
            founding::check(&self.request(shell, &directories, &place), &self.accepts())?;
        }
        settings.open(Run { arguments: self, shell, directories, settings: &settings, supervisor, listener })?
    }
}

struct Run<'r> {
    arguments: Arguments,
    shell: &'r Shell,
    directories: Directories,
    settings: &'r LogSettings,
    supervisor: Supervisor,
    listener: Option<Listener>,
}

impl UsesLog for Run<'_> {
    type Output = Result<Exit>;

    fn makes_log(&self) -> bool {
        true
    }

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { arguments, shell, directories, settings, mut supervisor, listener } = self;
        let place = settings.place(&arguments.chain.blockchain.blockchain);
        let until_end = arguments.engine.until_end;
        let reader = Reader::new(&log, &shell.clock, "cairn-run");
        // Ended in the middle of it, it is as if killed: key files appear whole, and creating topics can be repeated.
        let begin = || arguments.begin(shell, &log, &reader, &directories, &place);
        let begun = supervisor.interruptible(|| begin().map_err(|error| shell.explained(error)));
        let (genesis, application, client) = begun??;
        let serving = listener.map(|listener| {
            tracing::info!(url = serve::url(listener.address()), "serving HTTP");
            let Topics { transactions, blockchain } = arguments.chain.topics();
            let chain = Chain::new(log.clone(), genesis, &application, &client, transactions, blockchain);
            serve::start(listener, chain, arguments.http.options())
        });
        let server = serving.transpose()?;
        supervisor
            .wait(async |shutdown| supervise::until(client, &application, shutdown, std::future::pending()).await)?;
        drop(server);
        let blockchain = &arguments.chain.blockchain.blockchain;
        match supervisor.interruptible(|| tell_tip(shell, &reader, blockchain))? {
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
    fn request<'r>(&'r self, shell: &'r Shell, directories: &'r Directories, place: &'r Place) -> Request<'r> {
        Request {
            genesis: self.genesis.as_deref(),
            keys: self.keys.as_deref(),
            directories,
            application_id: &self.engine.application_id,
            place,
            parameters: &shell.parameters,
        }
    }

    /// What the other options make of a genesis, before anything is kept of it.
    fn accepts(&self) -> impl Fn(&Genesis) -> config::Result<()> {
        let (extras, topics) = (self.extras(), self.chain.topics());
        move |genesis| {
            let checked = extras.check(genesis, &topics, &self.engine.application_id);
            checked.map_err(|error| config::Error::new(error.to_string()))
        }
    }

    /// Finds or makes genesis and keys. Topics that a run would not start with are refused before anything is made.
    fn settle<L: Log>(&self, log: &L, reader: &Reader<'_, L>, request: &Request<'_>) -> Result<Founding> {
        let (extras, refused) = (self.accepts(), Cell::new(None));
        let accepts = |genesis: &Genesis| {
            extras(genesis)?;
            self.check_topics(log, genesis).map_err(|error| {
                let text = error.to_string();
                refused.set(Some(error));
                config::Error::new(text)
            })
        };
        let read_topic = || -> Result<Option<Genesis>> {
            // What was refused before it is read again may not be refused any more.
            refused.take();
            let blockchain = request.place.topic();
            let genesis = topic::genesis(reader, blockchain)?;
            // A chain that a newer program goes on with is left alone, before anything is made or noted.
            topic::last_block(reader, blockchain)?;
            Ok(genesis)
        };
        let settled = founding::settle(&read_topic, request, &accepts);
        // A topic's error is the log's, with an exit code of its own: it is none of a setting.
        settled.map_err(|error| refused.take().unwrap_or(error))
    }

    fn check_topics<L: Log>(&self, log: &L, genesis: &Genesis) -> Result<()> {
        let engine = (self.engine.application_id.as_str(), self.engine.replication_factor);
        let checked = graph::checked_topics(log, genesis.clone(), self.chain.topics(), &self.extras(), engine)?;
        let obstacles: Vec<String> = checked.into_iter().filter_map(|checked| checked.obstacle).collect();
        if obstacles.is_empty() { Ok(()) } else { Err(topology::Error::stop(obstacles.join("; ")).into()) }
    }

    fn extras(&self) -> Extras {
        let Mining { miner, miner_threads } = &self.mining;
        Extras {
            miner: miner.clone(),
            miners: miner_threads.map_or_else(Miners::default, |count| Miners::new(count.into())),
            classic_topic: self.classic_topic.clone(),
            malicious: self.run_malicious.iter().flatten().cloned().collect(),
        }
    }

    fn config(&self, directories: &Directories) -> Config {
        let told = self.http_advertised.clone().filter(|_| self.http.is_on());
        let advertised_address = told.or_else(|| self.http.reached_at().map(|address| address.to_string()));
        Config { advertised_address, ..self.engine.config(directories) }
    }

    /// Everything up to the moment when the engine runs.
    fn begin<L: Log>(
        &self,
        shell: &Shell,
        log: &L,
        reader: &Reader<'_, L>,
        directories: &Directories,
        place: &Place,
    ) -> Result<(Genesis, Application, Client)> {
        let topics = self.chain.topics();
        let request = self.request(shell, directories, place);
        tracing::info!(topic = topics.blockchain, "reading the chain");
        let founding = self.settle(log, reader, &request)?;
        tell_source(&founding, &request);
        if let Some(warning) = genesis::warn_of_a_third(&founding.genesis) {
            tracing::warn!("{warning}");
        }

        let extras = self.extras();
        for Malicious { validator, fault } in &extras.malicious {
            tracing::warn!("{validator} misbehaves, as asked: {}", fault.as_str());
        }
        let genesis = founding.genesis.clone();
        if extras.miner.is_some() && genesis.parameters.consensus.kind() == ConsensusKind::Stake {
            tracing::warn!(
                "--miner means nothing here: validators seal the blocks of this chain. That is fixed when a chain is made, with \
                 CAIRN_CONSENSUS=work for one whose blocks are mined"
            );
        }
        let application = graph::application(log, &self.engine.application_id, founding, topics, extras)?;
        let fingerprint = graph::fingerprint(application.genesis_hash());
        let config = Config { fingerprint, ..self.config(directories) };
        let client = Client::start_blocking(&application.topology()?, log.clone(), config)?;
        Ok((genesis, application, client))
    }
}

impl Engine {
    /// The engine's own settings. The fingerprint is known when the chain is.
    fn config(&self, directories: &Directories) -> Config {
        Config {
            state_directory: Some(directories.state().to_owned()),
            thread_count: self.threads,
            standby_replicas: self.standby_replicas,
            // What panics here is a fault of the program: it is seen by an exit code.
            on_panic: OnPanic::Stop,
            commit_interval_ms: self.commit_interval_ms,
            memory_bytes: (self.memory_mib as usize) << 20,
            group_protocol: self.group_protocol.into(),
            replication_factor: self.replication_factor,
            until_end: self.until_end,
            restore_listener: progress::restore_listener(),
            ..Config::new(&self.application_id)
        }
    }
}

fn tell_source(founding: &Founding, request: &Request<'_>) {
    let home = request.directories.chain(&founding.genesis.chain_id).unwrap_or_default();
    let home = home.display();
    match (founding.source, request.keys) {
        (Source::New, None) if founding.genesis.parameters.consensus.kind() == ConsensusKind::Work => {
            tracing::info!("a new chain: its genesis is in {home}; its blocks are mined, so there are no keys");
        }
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

/// The tip, once all is committed.
fn tell_tip<L: Log>(shell: &Shell, reader: &Reader<'_, L>, blockchain: &str) -> Result<Exit> {
    let Some(block) = topic::last_block_of_known(reader, blockchain)? else { return Ok(Exit::Done) };
    shell.print(&report::tell_block(&block, shell))?;
    Ok(Exit::Done)
}
