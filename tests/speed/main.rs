//! Measurements, not run by default: how long `cairn verify`, `cairn replay` and `cairn export` take, on how much CPU
//! time and memory; and that an export of so many transfers, killed on the way, is what the chain says ([`exported`]).
//!
//! ```sh
//! cargo test --release --test speed -- --ignored --nocapture
//! MEASURE_ACCOUNTS=1000000 MEASURE_TRANSFERS=2000000 cargo test --release --test speed -- --ignored --nocapture
//! ```
//!
//! `submit` and `run` make a chain of unsigned transfers between accounts drawn at random, blocks of 1,000, on an
//! embedded log in a temporary directory; then `verify`, `replay` and `export` walk over it, in turn. A word behind
//! `--ignored` chooses a test: `verifying` or `exported`. Settings are of the environment:
//!
//! | Variable | Means | Default |
//! |---|---|---|
//! | `MEASURE_TRANSFERS` | how many transfers | 1,000,000 |
//! | `MEASURE_ACCOUNTS` | between how many accounts | 100,000 |
//! | `MEASURE_PARTITIONS` | of how many partitions of the transactions topic | 1 |
//! | `MEASURE_THREADS` | stream threads of `run` | 1 |
//! | `MEASURE_PADDING_BYTES` | of how many bytes a field is that the program does not know, in each value | 0: no such field |
//! | `MEASURE_ROUNDS` | how often each command runs; medians are printed | 5 |
//! | `MEASURE_PROGRAM` | another build of `cairn` than this tree's | |

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]

mod exported;
#[path = "../support/python.rs"]
mod python;

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use test_cluster::process::{cpu_s, has_ended, resident_max_bytes};
use topology::clock::{Clock, SystemClock};
use topology::log::embedded::{EmbeddedLog, Options};
use topology::log::{Log, TopicSpec};

/// Between two looks at a running command. Its end is what is waited for, so a wall time is this much too long at most.
const PAUSE: Duration = Duration::from_millis(2);

/// Those of `cairn export`.
const FORMATS: [&str; 3] = ["parquet", "csv", "jsonl"];

/// A setting, or its default.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// What a command took.
struct Taken {
    wall_s: f64,
    cpu_s: f64,
    resident_max_mib: f64,
}

/// A command of the program, in a directory.
fn command(directory: &Path, words: &str, variables: &[(&str, &str)]) -> Command {
    let program = std::env::var_os("MEASURE_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_cairn").into());
    let mut command = Command::new(program);
    command.current_dir(directory).args(words.split_whitespace()).stdin(Stdio::null()).stdout(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CAIRN_")) {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).env("HOME", directory).env("RUST_LOG", "warn");
    command
}

/// Runs a command of the program in a directory; it must succeed.
fn run(directory: &Path, words: &str, variables: &[(&str, &str)]) -> Taken {
    let clock = SystemClock::new();
    let mut child = command(directory, words, variables).spawn().unwrap();
    let mut resident_max = 0;
    // What has ended stays in /proc until the test waits for it, with its times and without its memory.
    let wall_s = loop {
        resident_max = resident_max_bytes(child.id()).unwrap_or(resident_max);
        if has_ended(child.id()) {
            break clock.monotonic_ms() as f64 / 1e3;
        }
        std::thread::sleep(PAUSE);
    };
    let cpu_s = cpu_s(child.id()).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "cairn {words}: {status}");
    Taken { wall_s, cpu_s, resident_max_mib: resident_max as f64 / f64::from(1 << 20) }
}

/// Transfers as lines of JSON, between accounts drawn by a generator with a fixed seed.
fn write_transfers(path: &Path, transfers: u64, accounts: u64, padding_bytes: usize) {
    let mut state = 7_u64;
    let mut drawn = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % accounts
    };
    let padding =
        if padding_bytes == 0 { String::new() } else { format!(r#","padding":"{}""#, "x".repeat(padding_bytes)) };
    let mut out = BufWriter::new(std::fs::File::create(path).unwrap());
    for _ in 0..transfers {
        let (from, to) = (drawn(), drawn());
        writeln!(out, r#"{{"from":"account-{from:07}","to":"account-{to:07}","amount":3{padding}}}"#).unwrap();
    }
    out.flush().unwrap();
}

/// The transactions topic, with so many partitions: `submit` would create it with one.
fn create_transactions(directory: &Path, partition_count: i32) {
    let log = EmbeddedLog::open(directory.join("log"), &Options::default(), Arc::new(|| 0)).unwrap();
    let name = "transactions".to_owned();
    log.create_topics(&[TopicSpec { name, partition_count, replication_factor: None, config: Vec::new() }]).unwrap();
}

/// How many bytes the files in a directory have, and in those below it.
fn size_bytes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let size = |entry: std::fs::DirEntry| match entry.metadata().unwrap() {
        metadata if metadata.is_dir() => size_bytes(&entry.path()),
        metadata => metadata.len(),
    };
    entries.map(size).sum()
}

/// The median of what some runs took, by what of it.
fn median(all: &[Taken], what: impl Fn(&Taken) -> f64) -> f64 {
    let mut values: Vec<f64> = all.iter().map(what).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What a chain is made of.
struct Size {
    transfers: u64,
    accounts: u64,
    padding_bytes: usize,
    partitions: u64,
    threads: u64,
}

impl Size {
    fn of_the_environment() -> Self {
        Self {
            transfers: setting("MEASURE_TRANSFERS", 1_000_000),
            accounts: setting("MEASURE_ACCOUNTS", 100_000),
            padding_bytes: setting("MEASURE_PADDING_BYTES", 0) as usize,
            partitions: setting("MEASURE_PARTITIONS", 1),
            threads: setting("MEASURE_THREADS", 1),
        }
    }
}

/// Makes a chain in a directory, in blocks of 1,000; what the sealing took.
fn seal(path: &Path, size: &Size, parameters: &[(&str, &str)]) -> Taken {
    let threads = size.threads.to_string();
    create_transactions(path, i32::try_from(size.partitions).unwrap());
    write_transfers(&path.join("transfers.jsonl"), size.transfers, size.accounts, size.padding_bytes);
    run(path, "submit --log embedded:log transfers.jsonl", &[]);
    std::fs::remove_file(path.join("transfers.jsonl")).unwrap();
    let full_blocks = [
        ("CAIRN_BLOCK_MAX_TRANSACTIONS", "1000"),
        ("CAIRN_BLOCK_WINDOW_MS", "0"),
        ("CAIRN_BLOCK_MAX_AGE_MS", "600000"),
        ("CAIRN_BLOCK_MAX_BYTES", "1000000"),
        ("CAIRN_THREADS", &threads),
    ];
    run(path, "run --log embedded:log --state-dir state --until-end", &[&full_blocks[..], parameters].concat())
}

#[test]
#[ignore = "a measurement"]
fn verifying_and_replaying_a_chain_of_transfers() {
    let size = Size::of_the_environment();
    let rounds = setting("MEASURE_ROUNDS", 5).max(1);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let sealing = seal(path, &size, &[]);
    let Size { transfers, accounts, padding_bytes, partitions, threads } = size;
    let mut table = format!("{transfers} transfers, {accounts} accounts, {partitions} partitions, {threads} threads, ");
    writeln!(table, "{padding_bytes} bytes of padding, {rounds} rounds").unwrap();
    table += "command   s (wall)  transfers/s  CPU-s per million  peak MiB\n";
    let mut row = |command: &str, taken: &[Taken]| {
        let (wall_s, cpu_s) = (median(taken, |one| one.wall_s), median(taken, |one| one.cpu_s));
        let per_million = cpu_s * 1e6 / transfers as f64;
        let mib = median(taken, |one| one.resident_max_mib);
        let speed = transfers as f64 / wall_s;
        writeln!(table, "{command:<8}  {wall_s:>8.2}  {speed:>11.0}  {per_million:>17.2}  {mib:>8.0}").unwrap();
    };
    row("run", &[sealing]);
    let (mut verifying, mut replaying) = (Vec::new(), Vec::new());
    let mut exporting = FORMATS.map(|_| Vec::new());
    let mut sizes_bytes = FORMATS.map(|_| 0);
    for _ in 0..rounds {
        verifying.push(run(path, "verify --log embedded:log", &[]));
        replaying.push(run(path, "replay --log embedded:log --state-dir replayed", &[]));
        std::fs::remove_dir_all(path.join("replayed")).unwrap();
        for ((format, taken), size) in FORMATS.iter().zip(&mut exporting).zip(&mut sizes_bytes) {
            taken.push(run(path, &format!("export --log embedded:log --format {format} --out exported"), &[]));
            *size = size_bytes(&path.join("exported"));
            std::fs::remove_dir_all(path.join("exported")).unwrap();
        }
    }
    row("verify", &verifying);
    row("replay", &replaying);
    for (format, taken) in FORMATS.iter().zip(&exporting) {
        row(format, taken);
    }
    println!("{table}bytes of {FORMATS:?}: {sizes_bytes:?}");
}
