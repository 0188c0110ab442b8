//! What clients of HTTP get from a ledger that seals, and what they cost it: transactions come at a steady rate while
//! hundreds ask for accounts.
//!
//! ```text
//! mod       the phases, and the table
//! ledger    the program under test, and the transactions it is sent
//! client    who asks: clients that measure, and peers that hold connections and give nothing
//! ```
//! The phases follow one another on one process, and the first is measured once more at the end: what is slower then is
//! slower by age.

mod client;
mod ledger;

use std::path::PathBuf;
use std::time::Duration;

use test_cluster::process::{cpu_s, resident_bytes};

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::process::{Directory, now};
use client::{Clients, Crowd, Known, Tally};
use ledger::Ledger;

const EVERY: Duration = Duration::from_secs(1);

/// Seals transactions at a steady rate, and looks at what HTTP clients get meanwhile, and cost
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Clients that ask for accounts, each on a connection of its own
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=350))]
    clients: u32,
    /// So long a client waits after an answer, ms
    #[arg(long, default_value_t = 100)]
    pause_ms: u64,
    /// Clients that ask for proofs, of balances and of records, while no others ask
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=350))]
    provers: u32,
    /// Peers that take a large answer a few bytes at a time
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(..=80))]
    slow: u32,
    /// Peers that send half a request, and nothing more
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(..=80))]
    half_open: u32,
    /// Transactions per second
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// Accounts that they are of
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    accounts: u32,
    /// How long each phase is measured, s
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// How long each phase lasts before that, s
    #[arg(long, default_value_t = 5)]
    warm_up_s: u32,
    /// The program under test [default: the `cairn` beside this program]
    #[arg(long)]
    cairn: Option<PathBuf>,
    /// A broker that runs already, `HOST:PORT`; unless given, one is started
    #[arg(long)]
    brokers: Option<String>,
}

/// What a phase came to.
struct Row {
    name: String,
    sealed_per_s: f64,
    /// Records that were in no block yet, at the end.
    waiting: u64,
    cores: f64,
    resident_max_mib: f64,
    /// Without clients there are no answers.
    tally: Option<Tally>,
}

/// Measures, and prints a table.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let cluster = match &arguments.brokers {
        Some(brokers) => Cluster::external(brokers, None),
        None => Cluster::start()?,
    };
    let directory = Directory::new(None)?;
    let mut ledger = Ledger::start(&cluster, arguments.cairn.as_deref(), directory.path())?;
    let sending = ledger.send(&cluster, arguments.rate, arguments.accounts)?;
    let clients = Crowd { clients: arguments.clients, ..Crowd::default() };
    let all = Crowd { slow: arguments.slow, half_open: arguments.half_open, ..clients };
    let provers = Crowd { provers: arguments.provers, ..Crowd::default() };
    let with_bad = format!("{} clients, {} slow, {} half-open", all.clients, all.slow, all.half_open);
    let mut rows = Vec::new();
    for (name, crowd) in [
        ("nobody".to_owned(), None),
        (format!("{} clients", clients.clients), Some(clients)),
        (with_bad, Some(all)),
        (format!("{} asking for proofs", provers.provers), Some(provers)),
        ("nobody again".to_owned(), None),
    ] {
        eprintln!("{name}: {} s", arguments.warm_up_s + arguments.seconds);
        rows.push(phase(name, crowd, &mut ledger, arguments)?);
    }
    sending.end()?;
    ledger.end()?;
    tell(&rows, arguments);
    Ok(())
}

fn phase(name: String, crowd: Option<Crowd>, ledger: &mut Ledger, arguments: &Arguments) -> Result<Row> {
    let pause = Duration::from_millis(arguments.pause_ms);
    let known = Known { accounts: arguments.accounts, sealed: ledger.sealed()? };
    let clients = crowd.map(|crowd| Clients::start(ledger.address, crowd, known, pause)).transpose()?;
    std::thread::sleep(Duration::from_secs(arguments.warm_up_s.into()));
    let begun = now();
    let pid = ledger.process.pid();
    let cpu = || cpu_s(pid).ok_or_else(|| Error::new("its CPU time cannot be read"));
    let (sealed_before, cpu_before) = (ledger.sealed()?, cpu()?);
    clients.iter().for_each(Clients::measure);
    let mut resident_max: u64 = 0;
    for _ in 0..arguments.seconds {
        std::thread::sleep(EVERY);
        ledger.process.must_run()?;
        resident_max = resident_max.max(resident_bytes(pid).unwrap_or(0));
    }
    let tally = clients.map(Clients::end).transpose()?;
    let (sealed, passed_s) = (ledger.sealed()?, begun.elapsed().as_secs_f64());
    Ok(Row {
        name,
        sealed_per_s: sealed.saturating_sub(sealed_before) as f64 / passed_s,
        waiting: ledger.sent()?.saturating_sub(sealed),
        cores: (cpu()? - cpu_before) / passed_s,
        resident_max_mib: resident_max as f64 / f64::from(1 << 20),
        tally,
    })
}

fn tell(rows: &[Row], arguments: &Arguments) {
    println!("{} transactions a second, {} s each", arguments.rate, arguments.seconds);
    println!(
        "{:<36} {:>9} {:>9} {:>6} {:>9} {:>10} {:>7} {:>7} {:>7} {:>8} {:>6}",
        "asking",
        "sealed/s",
        "waiting",
        "cores",
        "RSS MiB",
        "answers/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "refused",
        "broken"
    );
    for row in rows {
        let Row { name, sealed_per_s, waiting, cores, resident_max_mib, tally } = row;
        print!("{name:<36} {sealed_per_s:>9.0} {waiting:>9} {cores:>6.2} {resident_max_mib:>9.0}");
        match tally {
            None => println!(),
            Some(tally) => {
                let per_s = tally.latencies_us.len() as f64 / f64::from(arguments.seconds);
                let ms = |share: f64| tally.latency_us(share) / 1e3;
                let (refused, broken) = (tally.refused, tally.broken);
                println!(" {per_s:>10.0} {:>7.1} {:>7.1} {:>7.1} {refused:>8} {broken:>6}", ms(0.5), ms(0.99), ms(1.0));
            }
        }
    }
    let alone: Vec<f64> = rows.iter().filter(|row| row.tally.is_none()).map(|row| row.sealed_per_s).collect();
    let alone = alone.iter().sum::<f64>() / alone.len().max(1) as f64;
    for row in rows.iter().filter(|row| row.tally.is_some()) {
        println!("{}: {:.1} % of the sealing rate with nobody asking", row.name, row.sealed_per_s / alone * 100.0);
    }
}
