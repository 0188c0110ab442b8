//! How much memory one process takes that has many tasks, from its start to the last of millions of records.
//!
//! ```text
//! mod       the measurement: once a second the resident memory, and how far the process has come
//! drawing   what came of it as a picture
//! ```

mod drawing;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use test_cluster::process::resident_bytes;

use crate::cluster::Cluster;
use crate::error::{Doing, Error, Result};
use crate::input::{Generator, key};
use crate::process::{Directory, Process, now};
use crate::subject::{Run, Shape, engine};

const EVERY: Duration = Duration::from_secs(1);
/// A process that commits nothing for this long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(90);

/// Counts millions of records in one process with many tasks, and looks at its memory once a second
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Partitions of the input: as many tasks, each with a store in RocksDB
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=1_000))]
    partitions: i32,
    /// Records to count
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    records: u32,
    /// Different keys among them
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    keys: u32,
    /// What the process is told to take, MiB
    #[arg(long, default_value_t = 256)]
    memory_mib: usize,
    /// What it may take at most, MiB: the drawing shows it, and more is an error
    #[arg(long, default_value_t = 400)]
    limit_mib: usize,
    /// Where the samples are written, as CSV
    #[arg(long)]
    csv: Option<PathBuf>,
    /// Where the drawing is written, as SVG
    #[arg(long)]
    svg: Option<PathBuf>,
}

/// At one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    /// Since the start of the process.
    at_s: f64,
    resident_mib: f64,
    /// Records counted and committed.
    counted: u64,
    /// What the process says of itself, by [`SHARES`]: 0 where it says nothing yet.
    shares_mib: [f64; SHARES.len()],
}

/// What the process counts of its memory: name here, and the metric's.
const SHARES: [(&str, &str); 7] = [
    ("block cache", "topology_rocksdb_block_cache_bytes"),
    ("write buffers", "topology_rocksdb_write_buffer_bytes"),
    ("segments", "topology_state_segment_bytes"),
    ("tables", "topology_state_table_bytes"),
    ("fetched", "topology_consumer_fetch_queue_bytes"),
    ("undelivered", "topology_producer_queue_bytes"),
    ("open files", "topology_rocksdb_table_reader_bytes"),
];

/// Where the process writes that down.
struct Shares {
    file: PathBuf,
}

impl Shares {
    fn read(&self) -> [f64; SHARES.len()] {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        SHARES.map(|(_, metric)| value_mib(&text, metric))
    }
}

/// The sum of a metric's rows.
fn value_mib(text: &str, metric: &str) -> f64 {
    let rows = text.lines().filter_map(|line| line.strip_prefix(metric));
    let rows = rows.filter(|rest| rest.starts_with([' ', '{']));
    rows.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() / f64::from(1 << 20)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Measures, and says what came of it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let directory = Directory::new(None)?;
    let cluster = Cluster::start()?;
    let application = test_cluster::unique("bench-memory");
    let run = Run {
        brokers: cluster.brokers.clone(),
        input: format!("{application}-input"),
        output: format!("{application}-output"),
        state_directory: directory.path().join("state"),
        commit_interval_ms: 100,
        compression: "none".to_owned(),
        changelog_per_mille: 0,
        application,
    };
    eprintln!("writing {} records to {} partitions", arguments.records, arguments.partitions);
    fill(&cluster, &run.input, arguments)?;
    cluster.create_topic(&run.output, arguments.partitions)?;
    let subject = engine(Shape { partitions: arguments.partitions, ..Shape::PLAIN });
    let mut command = subject.command(&run, None)?;
    command.args(["--memory-mib", &arguments.memory_mib.to_string()]);
    let shares = Shares { file: directory.path().join("metrics") };
    command.arg("--metrics").arg(&shares.file);
    let process = Process::start(command, subject.ending(), &directory.path().join("log"))?;
    let samples = watch(&cluster, &run, process, &shares, arguments)?;
    if let Some(path) = &arguments.csv {
        std::fs::write(path, csv(&samples)).doing(format!("writing {}", path.display()))?;
    }
    if let Some(path) = &arguments.svg {
        let drawn = drawing::draw(&samples, arguments.limit_mib as f64, &title(arguments));
        std::fs::write(path, drawn).doing(format!("writing {}", path.display()))?;
    }
    tell(&samples, arguments)
}

fn title(arguments: &Arguments) -> String {
    let (tasks, memory) = (arguments.partitions, arguments.memory_mib);
    let millions = f64::from(arguments.records) / 1e6;
    format!("{tasks} tasks in one process, memory_bytes = {memory} MiB, {millions} million records")
}

fn fill(cluster: &Cluster, topic: &str, arguments: &Arguments) -> Result<()> {
    cluster.create_topic(topic, arguments.partitions)?;
    let writer = cluster.writer(topic, 50)?;
    let mut generator = Generator::new(42, arguments.keys);
    for _ in 0..arguments.records {
        writer.send(&key(generator.key_number()), &generator.value())?;
    }
    writer.finish()
}

/// Looks once a second until all is counted, and some seconds longer.
fn watch(
    cluster: &Cluster,
    run: &Run,
    mut process: Process,
    shares: &Shares,
    arguments: &Arguments,
) -> Result<Vec<Sample>> {
    const AFTERWARDS: usize = 10;
    let observer = cluster.observer(&run.application)?;
    let (mut samples, mut left): (Vec<Sample>, usize) = (Vec::new(), AFTERWARDS);
    let mut progressed = now();
    while left > 0 {
        std::thread::sleep(EVERY.saturating_sub(Duration::from_millis(5)));
        process.must_run()?;
        let before = samples.last().map_or(0, |sample| sample.counted);
        // A question that is not answered is asked again.
        let counted = observer.committed(&run.input, arguments.partitions);
        let counted = counted.map_or(before, |offsets| offsets.iter().sum());
        let resident = resident_bytes(process.pid()).ok_or_else(|| Error::new("its memory cannot be read"))?;
        let at_s = process.started.elapsed().as_secs_f64();
        samples.push(Sample { at_s, resident_mib: mib(resident), counted, shares_mib: shares.read() });
        if counted > before {
            progressed = now();
        }
        if counted >= u64::from(arguments.records) {
            left -= 1;
        } else if progressed.elapsed() > STUCK_AFTER {
            return Err(Error::new(format!("it is stuck after {counted} records{}", process.last_words())));
        }
    }
    process.end()?;
    Ok(samples)
}

fn csv(samples: &[Sample]) -> String {
    let mut text = "seconds,resident_mib,counted".to_owned();
    SHARES.iter().for_each(|(name, _)| text.extend([",", &name.replace(' ', "_"), "_mib"]));
    for Sample { at_s, resident_mib, counted, shares_mib } in samples {
        // Writing to a string does not fail.
        let _ = write!(text, "\n{at_s:.1},{resident_mib:.1},{counted}");
        let _ = shares_mib.iter().try_for_each(|mib| write!(text, ",{mib:.1}"));
    }
    text + "\n"
}

/// How memory went: what growth there is shows between the middle of the work and its end.
fn tell(samples: &[Sample], arguments: &Arguments) -> Result<()> {
    let working: Vec<Sample> = samples.iter().copied().filter(|sample| sample.counted > 0).collect();
    let mean = |part: &[Sample]| part.iter().map(|sample| sample.resident_mib).sum::<f64>() / part.len().max(1) as f64;
    let third = working.len() / 3;
    let (middle, last) = (mean(&working[third..third * 2]), mean(&working[third * 2..]));
    let most = samples.iter().map(|sample| sample.resident_mib).fold(0.0, f64::max);
    println!("{}", title(arguments));
    println!("  most resident memory       {most:8.0} MiB");
    println!("  mean of the second third   {middle:8.0} MiB");
    println!("  mean of the last third     {last:8.0} MiB");
    println!("of which, by the process's own counters, mean of the last third and most:");
    for (at, (name, _)) in SHARES.iter().enumerate() {
        let of = |part: &[Sample]| part.iter().map(|sample| sample.shares_mib[at]).collect::<Vec<f64>>();
        let late = of(&working[third * 2..]);
        let mean = late.iter().sum::<f64>() / late.len().max(1) as f64;
        println!("  {name:<26} {mean:8.0} MiB {:8.0} MiB", of(samples).into_iter().fold(0.0, f64::max));
    }
    match most <= arguments.limit_mib as f64 {
        true => Ok(()),
        false => Err(Error::new(format!("it took {most:.0} MiB, of {} that it may take", arguments.limit_mib))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_lines() {
        let shares_mib = [0.0, 1.0, 2.5, 0.0, 0.0, 0.5, 0.0];
        let sample = Sample { at_s: 1.04, resident_mib: 100.25, counted: 7, shares_mib };
        let shares =
            "block_cache_mib,write_buffers_mib,segments_mib,tables_mib,fetched_mib,undelivered_mib,open_files_mib";
        let header = format!("seconds,resident_mib,counted,{shares}");
        assert_eq!(csv(&[sample]), format!("{header}\n1.0,100.2,7,0.0,1.0,2.5,0.0,0.0,0.5,0.0\n"));
    }

    #[test]
    fn a_share_is_the_sum_of_its_metrics_rows() {
        let text = "# HELP a_bytes All\na_bytes{client=\"c d\"} 1048576\na_bytes{client=\"e\"} 524288\na_bytes_more 7\nb 1048576\n";
        assert_eq!(["a_bytes", "b", "c"].map(|metric| value_mib(text, metric)), [1.5, 1.0, 0.0]);
    }
}
