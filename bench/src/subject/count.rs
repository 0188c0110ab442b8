//! The engine's program: counts the records of each key, exactly once. All that is measured of the engine goes through this
//! file; the command line and the end of standard input are the driver's way to start and end it.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use topology::client::{Client, Config, State};
use topology::codec::{Bytes, I64};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::kafka::{self, KafkaLog};
use topology::processor::{Context, Processor, Record};
use topology::store::KeyValueStore;

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
}

struct Count {
    counts: KeyValueStore<Bytes, I64>,
}

impl Processor for Count {
    type Key = Bytes;
    type Value = Bytes;
    type KeyOut = Bytes;
    type ValueOut = I64;

    fn process(
        &mut self,
        record: &Record<'_, Bytes, Bytes>,
        context: &mut Context<'_, Bytes, I64>,
    ) -> topology::processor::Result {
        let Some(key) = record.key else { return Ok(()) };
        let count = self.counts.update(&key, |count| Some(count.unwrap_or(0) + 1))?;
        context.forward(record.with(Some(key), count))
    }
}

fn counting(arguments: &Arguments) -> topology::Result<Topology> {
    let mut builder = Builder::new();
    let mut counting = builder.sub_topology("counting");
    let counts = match arguments.in_memory {
        true => Store::memory("counts", Bytes, I64),
        false => Store::rocksdb("counts", Bytes, I64),
    };
    let counts = counting.store(counts);
    let input = counting.source("input", Topic::new(&arguments.application.input).must_exist(), Bytes, Bytes);
    let counted = counting
        .processor("count", &input)
        .with_store(&counts)
        .supply(move |wiring| Ok(Count { counts: wiring.store(&counts)? }));
    let output = Topic::new(&arguments.application.output).partitions(1);
    counting.sink("output", &counted, output, Bytes, I64);
    builder.build()
}

/// Counts until standard input ends.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    // rust-rdkafka calls it an error that a consumer which is dropped was closed before.
    let lines = "warn,rdkafka::consumer::base_consumer=off";
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(lines).init();
    let application = &arguments.application;
    let log = KafkaLog::new(kafka::Options {
        properties: vec![("compression.type".to_owned(), application.compression.clone())],
        client_id: application.application.clone(),
        ..kafka::Options::new(&application.brokers)
    })
    .doing("connecting")?;
    let mut config = Config::new(&application.application);
    config.state_directory = Some(arguments.state_directory.clone());
    config.commit_interval_ms = application.commit_interval_ms;
    let topology = counting(arguments).doing("building the topology")?;
    let mut client = Client::start(&topology, log, config).doing("starting")?;

    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    std::thread::spawn(move || {
        // Nothing is said there; an error is an end too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::SeqCst);
    });
    while !stop.load(Ordering::SeqCst) && !matches!(*client.states().borrow(), State::Stopped | State::Failed) {
        std::thread::sleep(Duration::from_millis(50));
    }
    client.stop();
    client.wait().doing("running")
}
