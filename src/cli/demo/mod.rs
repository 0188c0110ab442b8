//! `cairn demo`: blocks within seconds, without Kafka.
//!
//! ```text
//! blocks     a block as a line, and what the blocks of a chain add up to
//! home       where the chain lives
//! teller     takes transfers from the page
//! traffic    made-up transactions, on a thread of its own
//! viewer     blocks as they come, on a thread of its own
//! ```

mod blocks;
mod home;
mod teller;
mod traffic;
mod viewer;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::oneshot;
use topology::client::{Client, Config};
use topology::log::{Log, TopicSpec};

use super::arguments;
use super::error::{Error, Exit, Result};
use super::graph::{self, Extras, Malicious, Topics};
use super::output::{counted, grouped};
use super::serve;
use super::shell::Shell;
use super::shutdown::Supervisor;
use super::supervise;
use crate::audit::{Anchor, Broken, verify};
use crate::chain::{Amount, Balances, Block, DEFAULT_CHAIN_ID, Genesis, Hash, Name};
use crate::config::founding::{Founding, Source};
use crate::config::{genesis, key_file, keys, topic};
use crate::http::{Chain, Listener, Server};
use crate::reader::Reader;
use crate::sealing::Application;
use blocks::Tally;
use home::{DemoLog, Home};
use teller::Teller;

const EXAMPLES: &str = "\
Examples:
  cairn demo            one validator cheats and is caught; in a terminal with a page to look at, until Ctrl-C
  cairn demo --rate 5000 --blocks 50
  cairn demo --malicious validator-2=equivocate,validator-4=silent
  cairn demo --partitions 4
  cairn demo --dir ./demo && cairn verify --log embedded:./demo/log

Everything happens in one process, on a log in one directory. The validators' keys are made from --seed: they guard \
nothing.";

const TRANSACTIONS: &str = "transactions";
const BLOCKCHAIN: &str = "blockchain";
/// The account that blocks are mined for, where they are mined.
const MINER: &str = "miner";
const APPLICATION_ID: &str = "cairn-demo";
/// Shown, where no rate is given and no page is served.
const BLOCKS: u64 = 20;

/// Watch blocks being sealed and a cheating validator being caught, without Kafka
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Directory of the log and the stores, kept; a chain that is there goes on [default: a temporary one]
    #[arg(long, value_name = "DIR", env = "CAIRN_DIR", hide_env = true)]
    dir: Option<PathBuf>,

    /// Transactions per second
    #[arg(long, value_name = "TX_PER_S", env = "CAIRN_RATE", hide_env = true, default_value = "200", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,

    /// Partitions of the transactions topic [default: as many as it has in --dir, else 1]
    #[arg(long, value_name = "N", env = "CAIRN_PARTITIONS", hide_env = true, value_parser = arguments::partitions())]
    partitions: Option<i32>,

    /// Ends when so many blocks were shown; those that are sealed meanwhile are shown, too; 0: until Ctrl-C [default:
    /// 20; 0 with a page to look at]
    #[arg(long, value_name = "N", env = "CAIRN_BLOCKS", hide_env = true)]
    blocks: Option<u64>,

    #[command(flatten)]
    http: serve::Http,

    /// Validator that misbehaves: ID or ID=alter-amount|drop-transaction|equivocate|silent; `none` for none
    #[arg(long, value_name = "VALIDATOR[=FAULT]", env = "CAIRN_MALICIOUS", hide_env = true, value_delimiter = ',', default_value = "validator-1", value_parser = graph::malicious)]
    malicious: Vec<Option<Malicious>>,

    /// Seed of keys and transactions
    #[arg(long, value_name = "N", env = "CAIRN_SEED", hide_env = true, default_value = "1")]
    seed: u64,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let mut supervisor = Supervisor::new()?;
        let usual = (std::io::stdout().is_terminal() && !shell.json).then_some(serve::DEFAULT);
        let listener = self.http.bind_anyhow(usual)?;
        let blocks = self.blocks.unwrap_or(if listener.is_some() { 0 } else { BLOCKS });
        let home = home::open(self.dir.as_deref(), shell, &mut supervisor)?;
        let log = home.log.clone();
        // It does not wait, and makes directories: cut off, it could make one behind their removal. A signal waits.
        let (genesis, application, client) = self.begin(shell, home)?;
        let server = listener.map(|listener| self.serve(shell, &log, listener, (&genesis, &application, &client)));
        let server = server.transpose()?;
        self.watch(shell, (&log, blocks), &application, client, &mut supervisor)?;
        drop(server);

        // Asked to end before there was a block, there is nothing to look at.
        let reader = Reader::new(&log, &shell.clock, "cairn-demo");
        if supervisor.is_asked() && topic::last_block(&reader, BLOCKCHAIN)?.is_none() {
            return Ok(Exit::Done);
        }
        let (mut tally, mut tip) = (Tally::new(&genesis), None);
        let broken = supervisor.interruptible(|| {
            verify(&log, shell, &genesis, &mut |block| {
                tally.add(block);
                tip = Some((block.hash, block.header.state_root));
            })
        })??;
        report(shell, self.dir.as_deref(), &tally, tip, broken.as_ref())?;
        Ok(if broken.is_none() { Exit::Done } else { Exit::Failed })
    }

    /// Everything up to the moment when the engine runs.
    fn begin(&self, shell: &Shell, home: Home) -> Result<(Genesis, Application, Client)> {
        let Home { log, state_directory } = home;
        let founding = self.founding(&log, shell)?;
        let genesis = founding.genesis.clone();
        self.make_input(&log)?;
        let topics = Topics { transactions: TRANSACTIONS.to_owned(), blockchain: BLOCKCHAIN.to_owned() };
        let malicious = self.malicious.iter().flatten().cloned().collect();
        let extras = Extras {
            miner: Some(Name::new(MINER).map_err(|error| Error::usage(error.to_string()))?),
            malicious,
            ..Extras::default()
        };
        let application = graph::application(&log, APPLICATION_ID, founding, topics, extras)?;
        let config = Config {
            state_directory,
            commit_interval_ms: 50,
            fingerprint: graph::fingerprint(application.genesis_hash()),
            ..Config::new(APPLICATION_ID)
        };
        let client = Client::start_blocking(&application.topology()?, log, config)?;
        Ok((genesis, application, client))
    }

    /// The chain in the directory, or a new one; keys come from the seed, so that a chain goes on with them.
    fn founding(&self, log: &DemoLog, shell: &Shell) -> Result<Founding> {
        let keys = keys::default(&mut StdRng::seed_from_u64(self.seed))?;
        let on_topic = topic::genesis(&Reader::new(log, &shell.clock, "cairn-demo"), BLOCKCHAIN)?;
        let Some(genesis) = on_topic else {
            shell.parameters.refuse_misspelt()?;
            let genesis = funded(genesis::default(DEFAULT_CHAIN_ID.to_owned(), &keys, &shell.parameters)?, shell)?;
            return Ok(Founding { genesis, keys, source: Source::New, notes: None });
        };
        if let Some(conflict) = shell.parameters.conflict_with(&genesis.parameters) {
            return Err(Error::usage(conflict));
        }
        keys.check_against(&genesis.validators).map_err(|_| {
            Error::usage("the chain in --dir was made with another --seed: give that one, or another directory")
        })?;
        Ok(Founding { genesis, keys, source: Source::Chain, notes: None })
    }

    /// The topic of transactions, with the partitions that were asked for.
    fn make_input(&self, log: &DemoLog) -> Result<()> {
        let there = log.describe_topic(TRANSACTIONS)?.map(|found| found.partition_count);
        match (there, self.partitions) {
            (Some(count), Some(wanted)) if count != wanted => Err(Error::usage(format!(
                "the topic of transactions in --dir has {}: leave --partitions out, or give another directory",
                counted(u64::try_from(count).unwrap_or(0), "partition")
            ))),
            (Some(_), _) => Ok(()),
            (None, wanted) => {
                let settings = [("cleanup.policy", "delete"), ("message.timestamp.type", "LogAppendTime")];
                let config = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
                let (name, partition_count) = (TRANSACTIONS.to_owned(), wanted.unwrap_or(1));
                log.create_topics(&[TopicSpec { name, partition_count, replication_factor: None, config }])?;
                Ok(())
            }
        }
    }

    /// Serves the chain, with a form for transfers, and says where.
    fn serve(
        &self,
        shell: &Shell,
        log: &DemoLog,
        listener: Listener,
        (genesis, application, client): (&Genesis, &Application, &Client),
    ) -> Result<Server> {
        let url = serve::url(listener.address());
        if !listener.address().ip().to_canonical().is_loopback() {
            tracing::warn!("all who reach this address can also send transfers, and have validators cheat");
        }
        let teller = Arc::new(Teller::new(log, TRANSACTIONS, application)?);
        let chain = Chain::new(log.clone(), genesis.clone(), application, client, TRANSACTIONS, BLOCKCHAIN);
        let server = serve::start(listener, chain.with_teller(teller), self.http.options())?;
        if shell.json {
            shell.print(&serde_json::json!({ "http": url }).to_string())?;
        } else {
            shell.print(&format!("look at {url} while blocks are sealed; Ctrl-C ends the demo\n"))?;
        }
        Ok(server)
    }

    /// Runs until enough blocks were shown, or Ctrl-C.
    fn watch(
        &self,
        shell: &Shell,
        (log, blocks): (&DemoLog, u64),
        application: &Application,
        client: Client,
        supervisor: &mut Supervisor,
    ) -> Result<()> {
        let stop = &AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Each is dropped with its thread, however that ends: without traffic there is nothing to wait for, either.
            let (traffic_ends, traffic_ended) = oneshot::channel::<()>();
            let (viewer_ends, viewer_ended) = oneshot::channel::<()>();
            let traffic = scope.spawn(move || {
                let _ends = traffic_ends;
                traffic::send(log, TRANSACTIONS, self.rate, self.seed, stop)
            });
            let viewer = scope.spawn(move || viewer::show(log, BLOCKCHAIN, (blocks, viewer_ends), shell, stop));
            let enough = async {
                tokio::select! {
                    _ = traffic_ended => {}
                    _ = viewer_ended => {}
                }
            };
            let ended = supervisor.wait(async |shutdown| supervise::until(client, application, shutdown, enough).await);
            stop.store(true, Ordering::SeqCst);
            let died = |_| Error::failed("a thread of the demo died");
            let (traffic, viewer) = (traffic.join().map_err(died), viewer.join().map_err(died));
            // The engine's error explains those of the others.
            ended.and(traffic.flatten()).and(viewer.flatten())
        })
    }
}

/// Accounts with money, strict balances, a fee and a reward: something to see. What was asked for wins.
fn funded(mut genesis: Genesis, shell: &Shell) -> Result<Genesis> {
    let amount = |units| Amount::new(units).unwrap_or(Amount::ZERO);
    let parameters = &mut genesis.parameters;
    (parameters.balances, parameters.fee, parameters.reward) = (Balances::Strict, amount(1), amount(10));
    (parameters.block_window_ms, parameters.block_max_age_ms) = (500, 500);
    shell.parameters.apply(parameters)?;
    for account in traffic::accounts() {
        let name: Name = account.parse().map_err(|error| Error::failed(format!("{account}: {error}")))?;
        genesis.accounts.push((name, 10_000));
    }
    genesis.accounts.sort();
    genesis.validate().map_err(|error| Error::usage(error.to_string()))?;
    Ok(genesis)
}

/// What is wrong with the chain, checked as `cairn verify` does; `visit` is handed every block that holds.
fn verify(log: &DemoLog, shell: &Shell, genesis: &Genesis, visit: &mut dyn FnMut(&Block)) -> Result<Option<Broken>> {
    let options = verify::Options {
        blockchain: BLOCKCHAIN.to_owned(),
        transactions: TRANSACTIONS.to_owned(),
        anchor: Anchor::Genesis(genesis.hash()),
        checkpoints: Vec::new(),
    };
    let found = verify::verify(log, &shell.clock, &options, key_file::system_rng()?, visit)?;
    Ok(found.err())
}

fn report(
    shell: &Shell,
    kept: Option<&Path>,
    tally: &Tally,
    tip: Option<(Hash, Hash)>,
    broken: Option<&Broken>,
) -> Result<()> {
    let Some((block_hash, state_root)) = tip else { return Err(Error::failed("no block was sealed")) };
    if shell.json {
        let report = serde_json::json!({
            "height": tally.height,
            "block_hash": block_hash,
            "state_root": state_root,
            "applied": tally.applied_count,
            "rejected": tally.rejected_count,
            "unreadable": tally.unreadable_count,
            "validators": tally.validators_json(),
            "verify": broken.map_or_else(|| "intact".to_owned(), |broken| format!("broken: {broken}")),
        });
        return shell.print(&report.to_string());
    }
    let mut text = tally.table().map_or_else(|| "\n".to_owned(), |table| format!("\n{table}\n"));
    text += &format!(
        "{}: {} applied, {} rejected, {} unreadable\nstate root {state_root}",
        counted(tally.height, "block"),
        counted(tally.applied_count, "transaction"),
        grouped(tally.rejected_count),
        grouped(tally.unreadable_count),
    );
    text += &match broken {
        None => format!("\nverify: {}", shell.paint.green("intact")),
        Some(broken) => format!("\nverify: {}", shell.paint.red(&format!("broken: {broken}"))),
    };
    if let Some(kept) = kept {
        text += &format!("\nkept in {}: cairn verify --log embedded:{}", kept.display(), kept.join("log").display());
    }
    shell.print(&text)
}
