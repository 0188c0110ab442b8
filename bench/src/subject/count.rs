//! The engine's program: counts the records of each key. All that is measured of the engine goes through this
//! file; the command line and the end of standard input are the driver's way to start and end it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use topology::client::{Client, Config, Guarantee, State};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::GroupProtocol;
use topology::log::kafka::{self, KafkaLog};

use crate::arguments::Application;
use crate::error::{Doing, Result};

/// What the count takes beside what every subject takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    application: Application,
    /// Where the store is kept.
    #[arg(long)]
    state_directory: PathBuf,
    /// Keep the store in memory.
    #[arg(long)]
    in_memory: bool,
    /// Partitions of the output.
    #[arg(long, default_value_t = 1)]
    partitions: i32,
    /// Stream threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// At least once in place of exactly once.
    #[arg(long)]
    at_least_once: bool,
    /// On how many other instances stores are kept warm.
    #[arg(long, default_value_t = 0)]
    standbys: usize,
    /// Memory for stores and prefetched input, MiB.
    #[arg(long, default_value_t = 256)]
    memory_mib: usize,
    /// Where the program's own counters are written once a second, as OpenMetrics text.
    #[arg(long)]
    metrics: Option<PathBuf>,
    /// The consumer protocol in place of the classic one.
    #[arg(long)]
    consumer_protocol: bool,
}

fn counting(arguments: &Arguments) -> topology::Result<Topology> {
    let builder = Builder::new();
    let counts = match arguments.in_memory {
        true => Store::memory("counts"),
        false => Store::rocksdb("counts"),
    };
    let input = Topic::new(&arguments.application.input).must_exist();
    let output = Topic::new(&arguments.application.output).partitions(arguments.partitions);
    builder.sub_topology("counting").source::<[u8], [u8]>(input).count(&counts).sink(output);
    builder.build()
}

/// Counts until standard input ends.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    // rust-rdkafka calls it an error that a consumer which is dropped was closed before.
    let lines = "warn,rdkafka::consumer::base_consumer=off";
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(lines).init();
    let application = &arguments.application;
    let mut properties = vec![("compression.type".to_owned(), application.compression.clone())];
    properties.extend(arguments.metrics.iter().map(|_| ("statistics.interval.ms".to_owned(), "1000".to_owned())));
    let log = KafkaLog::new(kafka::Options {
        properties,
        client_id: application.application.clone(),
        ..kafka::Options::new(&application.brokers)
    })
    .doing("connecting")?;
    let config = Config {
        state_directory: Some(arguments.state_directory.clone()),
        commit_interval_ms: application.commit_interval_ms,
        thread_count: arguments.threads,
        memory_bytes: arguments.memory_mib << 20,
        standby_replicas: arguments.standbys,
        guarantee: if arguments.at_least_once { Guarantee::AtLeastOnce } else { Guarantee::ExactlyOnce },
        group_protocol: if arguments.consumer_protocol { GroupProtocol::Consumer } else { GroupProtocol::Classic },
        ..Config::new(&application.application)
    };
    let topology = counting(arguments).doing("building the topology")?;
    let mut client = Client::start_blocking(&topology, log, config).doing("starting")?;

    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    std::thread::spawn(move || {
        // Nothing is said there; an error is an end too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::SeqCst);
    });
    let mut turns = (0..20).cycle();
    while !stop.load(Ordering::SeqCst) && !matches!(*client.states().borrow(), State::Stopped | State::Failed) {
        std::thread::sleep(Duration::from_millis(50));
        if let (Some(path), Some(0)) = (&arguments.metrics, turns.next()) {
            write_whole(path, &client.exported_metrics().to_text())?;
        }
    }
    client.stop();
    client.wait().doing("running")
}

/// So that one who reads it meanwhile sees all of it, or all of what was there before.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    let part = path.with_extension("part");
    std::fs::write(&part, text).doing(format!("writing {}", part.display()))?;
    std::fs::rename(&part, path).doing(format!("writing {}", path.display()))
}
