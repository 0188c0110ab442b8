//! Counts the records of each key: a RocksDB store with a changelog, key and count to an output topic, exactly once.
//!
//! ```text
//! cargo run --release --locked --example count -- --brokers localhost:9092 --in words --out totals --state-dir ./counts
//! ```
//! The input must exist; each of its partitions is counted by a task of its own. The output is created, with one. Start
//! it on several machines, or several times with other state directories, or with `--threads`: they share the input's
//! partitions, and with `--standbys 1` each keeps warm what it would get of another. `--at-least-once` does without
//! transactions, and `--group-protocol consumer` is for brokers since Kafka 4.0.
//!
//! With `--until-end` it stops when everything that was there at the start is counted; with `--measure` it prints one
//! JSON line about how fast that went (Linux only: CPU times come from /proc).

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser as _;
use topology::client::{Client, Config, Guarantee, State};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::kafka::{self, KafkaLog};
use topology::log::{GroupProtocol, Isolation, Log, TopicPartition};

fn counting(arguments: &Arguments) -> topology::Result<Topology> {
    let counts = match arguments.in_memory {
        true => Store::memory("counts"),
        false => Store::rocksdb("counts"),
    };
    let builder = Builder::new();
    let words = builder.sub_topology("counting").source::<[u8], [u8]>(Topic::new(&arguments.input).must_exist());
    words.count(&counts).sink(Topic::new(&arguments.output).partitions(1));
    builder.build()
}

/// Counts the records of each key of a topic, exactly once.
#[derive(clap::Parser)]
#[command(after_help = "Example:\n  count --brokers localhost:9092 --in words --out totals --state-dir ./counts")]
struct Arguments {
    /// HOST:PORT of a broker or more, with commas.
    #[arg(long, default_value = "localhost:9092")]
    brokers: String,
    /// Names the group, the changelog and the transactions.
    #[arg(long = "app-id", default_value = "count")]
    application_id: String,
    /// The topic that is counted. It must exist.
    #[arg(long = "in", default_value = "words")]
    input: String,
    /// The topic that counts go to.
    #[arg(long = "out", default_value = "totals")]
    output: String,
    /// Where the store is kept.
    #[arg(long = "state-dir", default_value = "counts")]
    state_directory: PathBuf,
    /// A property of librdkafka.
    #[arg(short = 'X', value_name = "PROPERTY=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// Keep the store in memory.
    #[arg(long = "memory")]
    in_memory: bool,
    /// Stop when everything that was there at the start is counted.
    #[arg(long)]
    until_end: bool,
    /// Print one JSON line about how fast that went.
    #[arg(long)]
    measure: bool,
    /// How many stream threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// How many instances keep each store warm beside the one that has it.
    #[arg(long, default_value_t = 0)]
    standbys: usize,
    /// Do without transactions.
    #[arg(long)]
    at_least_once: bool,
    #[arg(long, value_enum, default_value_t = Protocol::Classic, help = "'consumer' is for brokers since Kafka 4.0")]
    group_protocol: Protocol,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Protocol {
    Classic,
    Consumer,
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is PROPERTY=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    // rust-rdkafka calls it an error that a consumer which is dropped was closed before.
    let lines = "info,rdkafka::consumer::base_consumer=off";
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(lines).init();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> topology::Result<()> {
    let log = KafkaLog::new(kafka::Options {
        properties: arguments.properties.clone(),
        client_id: arguments.application_id.clone(),
        ..kafka::Options::new(&arguments.brokers)
    })?;
    let total = if arguments.measure { left_to_count(&log, arguments)? } else { 0 };
    let config = Config {
        state_directory: Some(arguments.state_directory.clone()),
        until_end: arguments.until_end,
        thread_count: arguments.threads,
        standby_replicas: arguments.standbys,
        guarantee: if arguments.at_least_once { Guarantee::AtLeastOnce } else { Guarantee::ExactlyOnce },
        group_protocol: match arguments.group_protocol {
            Protocol::Classic => GroupProtocol::Classic,
            Protocol::Consumer => GroupProtocol::Consumer,
        },
        ..Config::new(&arguments.application_id)
    };
    let mut client = Client::start_blocking(&counting(arguments)?, log, config)?;
    if arguments.measure {
        println!("{}", measure(&client, total));
    }
    client.wait()
}

/// How many offsets of the input lie behind what is committed.
fn left_to_count(log: &KafkaLog, arguments: &Arguments) -> topology::Result<u64> {
    let partition_count = log.describe_topic(&arguments.input)?.map_or(0, |topic| topic.partition_count);
    let input = |partition| TopicPartition::new(&arguments.input, partition);
    let inputs: Vec<TopicPartition> = (0..partition_count).map(input).collect();
    let committed = log.committed(&arguments.application_id, &inputs)?;
    let mut left = 0;
    for (input, committed) in inputs.iter().zip(committed) {
        let end = log.watermarks(input, Isolation::ReadCommitted)?.high;
        left += end - committed.map_or(0, |committed| committed.offset);
    }
    Ok(u64::try_from(left).unwrap_or(0))
}

/// From the first record to the commit that covers the last one; "steady" begins at a fifth.
fn measure(client: &Client, total: u64) -> String {
    let has_ended = || matches!(*client.states().borrow(), State::Stopped | State::Failed);
    let until = |reached: &dyn Fn() -> bool| {
        while !reached() && !has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Sample::now(client)
    };
    let first = until(&|| client.metrics().record_count > 0);
    let fifth = until(&|| client.metrics().record_count >= total / 5);
    until(&|| client.metrics().record_count >= total);
    let commits = client.metrics().commit_count;
    let last = until(&|| client.metrics().commit_count > commits);
    let rate = |from: &Sample| (last.records - from.records) as f64 / (last.at - from.at).as_secs_f64();
    let cpu = |from: &Sample| (last.cpu_s - from.cpu_s) * 1e6 / (last.records - from.records).max(1) as f64;
    format!(
        "{{\"workload\":\"count\",\"records\":{},\"wall_s\":{:.3},\"rec_per_s\":{:.0},\"cpu_s_per_M\":{:.3},\"steady_rec_per_s\":{:.0},\"steady_cpu_s_per_M\":{:.3},\"commits\":{},\"max_rss_mb\":{:.1},\"restored\":{}}}",
        last.records,
        (last.at - first.at).as_secs_f64(),
        rate(&first),
        cpu(&first),
        rate(&fifth),
        cpu(&fifth),
        client.metrics().commit_count,
        max_rss_mb(),
        client.metrics().restored_record_count,
    )
}

struct Sample {
    at: Instant,
    records: u64,
    cpu_s: f64,
}

impl Sample {
    #[allow(clippy::disallowed_methods, reason = "a measurement is about real time")]
    fn now(client: &Client) -> Self {
        Self { at: Instant::now(), records: client.metrics().record_count, cpu_s: cpu_s() }
    }
}

/// User and system time of this process, s; in ticks of 10 ms.
fn cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn max_rss_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
