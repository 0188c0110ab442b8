//! Asks a store from many threads while it is counted at full speed, and prints what that costs the count. It needs no broker: the
//! log is in memory.
//!
//! ```text
//! cargo run --release --locked --example queries -- [--threads 8] [--per-second 2000] [--records 3000000] [--keys 100000]
//!                                                   [--rounds 5] [--memory]
//! ```
//! Each round counts the same input three times, each time anew: *alone*; *asked*, while the threads ask the store that is counted,
//! each so many times a second (0: as fast as it can); and *aside*, while they ask the store of another application in this
//! process, which is idle. What *asked* loses against *aside* is what readers and the stream thread cost each other; what *aside* loses
//! against *alone* is the readers' share of the processors.
//!
//! Of 100 questions 99 are for one key and one is for a hundred entries from a key on.
#![allow(clippy::disallowed_methods, reason = "a measurement is about real time")]

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use topology::client::{Client, Config, State};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::memory::MemoryLog;
use topology::log::{Log, Producer, ProducerOptions, ProducerRecord, TopicSpec};
use topology::query::{self, KeyValue};
use topology::store::Direction;

struct Arguments {
    threads: usize,
    per_second: u64,
    records: u64,
    keys: u64,
    rounds: usize,
    in_memory: bool,
}

impl Arguments {
    fn parse() -> Result<Self, String> {
        let mut parsed =
            Self { threads: 8, per_second: 2_000, records: 3_000_000, keys: 100_000, rounds: 5, in_memory: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let mut number = || {
                let text = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
                text.parse::<u64>().map_err(|_| format!("{name} needs a number, not {text}"))
            };
            match name.as_str() {
                "--threads" => parsed.threads = number()? as usize,
                "--per-second" => parsed.per_second = number()?,
                "--records" => parsed.records = number()?,
                "--keys" => parsed.keys = number()?.max(1),
                "--rounds" => parsed.rounds = number()? as usize,
                "--memory" => parsed.in_memory = true,
                _ => return Err(format!("unknown argument {name}; see the head of topology/examples/queries.rs")),
            }
        }
        Ok(parsed)
    }
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter("warn").init();
    let result = Arguments::parse().and_then(|arguments| measure(&arguments).map_err(|error| error.to_string()));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn store(arguments: &Arguments) -> Store<[u8], i64> {
    if arguments.in_memory { Store::memory("counts") } else { Store::rocksdb("counts") }
}

fn counting(counts: &Store<[u8], i64>, output: &str) -> topology::Result<Topology> {
    let builder = Builder::new();
    let words = builder.sub_topology("counting").source::<[u8], [u8]>(Topic::new("words").must_exist());
    words.count(counts).sink(Topic::new(output).partitions(1));
    builder.build()
}

/// What a round compares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    None,
    OfTheCount,
    OfAnother,
}

fn measure(arguments: &Arguments) -> topology::Result<()> {
    let start = Instant::now();
    let log = MemoryLog::new(Arc::new(move || start.elapsed().as_millis() as i64));
    fill(&log, arguments)?;
    let root = std::env::temp_dir().join(format!("queries-{}", std::process::id()));
    let counts = store(arguments);
    let run = |name: &str| run(&log, arguments, &counts, name, &root);
    let idle = run("idle")?;
    wait_for(&idle, arguments.records);
    let aside = idle.store(&counts)?;
    let mut rates: [Vec<f64>; 3] = Default::default();
    for round in 0..arguments.rounds {
        let mut line = format!("round {}:", round + 1);
        for (at, readers) in [Readers::None, Readers::OfTheCount, Readers::OfAnother].into_iter().enumerate() {
            let name = format!("count-{round}-{at}");
            let client = run(&name)?;
            let asked = match readers {
                Readers::None => None,
                Readers::OfTheCount => Some(client.store(&counts)?),
                Readers::OfAnother => Some(aside.clone()),
            };
            let (rate, answers_per_s) = counted(&client, asked, arguments)?;
            drop(client);
            log.delete_topics(&[name.clone(), format!("{name}-counts-changelog")])?;
            let what = ["alone", "asked", "aside"][at];
            line.push_str(&format!("  {what} {rate:.0} records/s"));
            if readers != Readers::None {
                line.push_str(&format!(" with {answers_per_s:.0} answers/s"));
            }
            rates[at].push(rate);
        }
        println!("{line}");
    }
    let [alone, asked, aside] = rates.map(median);
    println!(
        "medians: alone {alone:.0}, asked {asked:.0}, aside {aside:.0} records/s; asked / alone {:.3}, asked / aside {:.3}",
        asked / alone,
        asked / aside
    );
    drop(idle);
    std::fs::remove_dir_all(&root).map_err(|error| topology::Error::stop("cannot clean up").caused_by(error))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(0.0)
}

fn run(
    log: &MemoryLog,
    arguments: &Arguments,
    counts: &Store<[u8], i64>,
    name: &str,
    root: &Path,
) -> topology::Result<Client> {
    let state_directory: Option<PathBuf> = (!arguments.in_memory).then(|| root.join(name));
    let config = Config { state_directory, ..Config::new(name) };
    Client::start_blocking(&counting(counts, name)?, log.clone(), config)
}

fn has_ended(client: &Client) -> bool {
    matches!(*client.states().borrow(), State::Stopped | State::Failed)
}

fn wait_for(client: &Client, records: u64) {
    while client.metrics().record_count < records && !has_ended(client) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Records a second between a fifth of the input and its end, and answers a second meanwhile.
fn counted(client: &Client, asked: Option<KeyValue<[u8], i64>>, arguments: &Arguments) -> topology::Result<(f64, f64)> {
    let (is_over, answers) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let asking: Vec<_> =
            asked.iter().flat_map(|asked| (0..arguments.threads).map(move |thread| (thread, asked))).collect();
        let asking: Vec<_> = asking
            .into_iter()
            .map(|(thread, asked)| {
                let (asked, is_over, answers) = (asked.clone(), &is_over, &answers);
                scope.spawn(move || ask(thread as u64, &asked, arguments, is_over, answers))
            })
            .collect();
        wait_for(client, arguments.records / 5);
        let (from, records, answered) =
            (Instant::now(), client.metrics().record_count, answers.load(Ordering::Relaxed));
        wait_for(client, arguments.records);
        let seconds = from.elapsed().as_secs_f64();
        let (records, answered) = (client.metrics().record_count - records, answers.load(Ordering::Relaxed) - answered);
        is_over.store(true, Ordering::SeqCst);
        for thread in asking {
            thread.join().map_err(|_| topology::Error::stop("a reader panicked"))??;
        }
        Ok((records as f64 / seconds, answered as f64 / seconds))
    })
}

/// Asks until it is over.
fn ask(
    seed: u64,
    asked: &KeyValue<[u8], i64>,
    arguments: &Arguments,
    is_over: &AtomicBool,
    answers: &AtomicU64,
) -> query::Result<()> {
    let (start, mut random, mut count) = (Instant::now(), Random(seed + 1), 0u64);
    while !is_over.load(Ordering::Relaxed) {
        let key = key(random.below(arguments.keys));
        let answer = if count % 100 == 99 { some_from(asked, &key) } else { asked.get(&key.as_slice()).map(drop) };
        match answer {
            Ok(()) => drop(answers.fetch_add(1, Ordering::Relaxed)),
            // It has not begun yet.
            Err(query::Error::Moving(_)) => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => return Err(error),
        }
        count += 1;
        if let Some(due_us) = (count * 1_000_000).checked_div(arguments.per_second) {
            std::thread::sleep(Duration::from_micros(due_us).saturating_sub(start.elapsed()));
        }
    }
    Ok(())
}

fn some_from(asked: &KeyValue<[u8], i64>, key: &[u8]) -> query::Result<()> {
    let mut entries = asked.range(Bound::Included(&key), Bound::Unbounded, Direction::Forward)?;
    for _ in 0..100 {
        if entries.next_entry()?.is_none() {
            break;
        }
    }
    Ok(())
}

/// A multiplicative congruential generator: the same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("account-{number:012}").into_bytes()
}

/// The input: random keys, in transactions of 100,000 records.
fn fill(log: &MemoryLog, arguments: &Arguments) -> topology::Result<()> {
    let name = "words".to_owned();
    log.create_topics(&[TopicSpec { name, partition_count: 1, replication_factor: None, config: Vec::new() }])?;
    let (timeout, mut random) = (Duration::from_secs(30), Random(7));
    let mut producer = log.producer(&ProducerOptions {
        transactional_id: "words".to_owned(),
        transaction_timeout_ms: 60_000,
        client_id: "words".to_owned(),
        track_topics: Vec::new(),
    })?;
    producer.init_transactions(timeout)?;
    for first in (0..arguments.records).step_by(100_000) {
        producer.begin()?;
        for _ in first..(first + 100_000).min(arguments.records) {
            let key = key(random.below(arguments.keys));
            let (topic, partition, value) = ("words", Some(0), Some(&b"x"[..]));
            producer.send(&ProducerRecord {
                topic,
                partition,
                timestamp_ms: 0,
                key: Some(&key),
                value,
                headers: &[],
            })?;
        }
        producer.commit(timeout)?;
    }
    Ok(())
}
