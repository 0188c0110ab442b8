//! `cairn run`, as a user starts it, and transactions that come at a steady rate.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::{Cluster, Observer, Writer};
use crate::error::{Doing, Error, Result};
use crate::input::{Generator, key};
use crate::process::{Process, now};
use crate::subject::Ending;

const READY_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
/// Transactions are sent as often.
const TICK: Duration = Duration::from_millis(2);

pub(super) struct Ledger {
    pub(super) process: Process,
    /// Where it serves.
    pub(super) address: SocketAddr,
    transactions: String,
    observer: Observer,
}

impl Ledger {
    /// Starts it on topics of its own, and waits until it seals.
    pub(super) fn start(cluster: &Cluster, program: Option<&Path>, directory: &Path) -> Result<Self> {
        let program = program.map_or_else(beside, |program| Ok(program.to_owned()))?;
        let application = test_cluster::unique("bench-http");
        let transactions = format!("{application}-transactions");
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CAIRN_")) {
            command.env_remove(name);
        }
        command.args(["run", "--log-format", "json", "--http", "127.0.0.1:0", "--brokers", &cluster.brokers]);
        command.args(["--application-id", &application, "--transactions", &transactions]);
        command
            .args(["--blockchain", &format!("{application}-blockchain"), "--state-dir"])
            .arg(directory.join("state"));
        command.env("XDG_DATA_HOME", directory.join("data")).current_dir(directory);
        let log = directory.join("log");
        let mut process = Process::start(command, Ending::Terminate, &log)?;
        let address = serving(&mut process, &log)?;
        let observer = cluster.observer(&application)?;
        Ok(Self { process, address, transactions, observer })
    }

    /// Records of the transactions topic that are in blocks.
    pub(super) fn sealed(&self) -> Result<u64> {
        Ok(self.observer.committed(&self.transactions, 1)?.iter().sum())
    }

    /// Records that are on it.
    pub(super) fn sent(&self) -> Result<u64> {
        Ok(self.observer.end(&self.transactions, 1)?.unwrap_or(0))
    }

    /// Begins to send transactions, so many a second, among so many accounts.
    pub(super) fn send(&self, cluster: &Cluster, rate: u32, accounts: u32) -> Result<Sending> {
        let writer = cluster.writer(&self.transactions, 5)?;
        let stop = Arc::new(AtomicBool::new(false));
        let must_stop = Arc::clone(&stop);
        let thread = std::thread::spawn(move || send(&writer, rate, accounts, &must_stop));
        Ok(Sending { stop, thread })
    }

    pub(super) fn end(self) -> Result<()> {
        self.process.end()
    }
}

/// The program that was built with this one.
fn beside() -> Result<PathBuf> {
    let own = std::env::current_exe().doing("asking where this program is")?;
    let program = own.with_file_name("cairn");
    match program.is_file() {
        true => Ok(program),
        false => Err(Error::new(format!("there is no {}: build it, or name another with --cairn", program.display()))),
    }
}

/// Waits until it seals, and returns where it serves.
fn serving(process: &mut Process, log: &Path) -> Result<SocketAddr> {
    let begun = now();
    loop {
        process.must_run()?;
        let said = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let of = |message: &str| lines.iter().find(|line| line["message"] == message);
        if let (Some(serving), Some(_)) = (of("serving HTTP"), of("running")) {
            let url = serving["url"].as_str().unwrap_or_default();
            let address = url.trim_start_matches("http://").trim_end_matches('/');
            return address.parse().doing(format!("reading where it serves, `{url}`"));
        }
        if begun.elapsed() > READY_WITHIN {
            return Err(Error::new(format!("it was not running within {READY_WITHIN:?}{}", process.last_words())));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Transactions that come.
pub(super) struct Sending {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

impl Sending {
    pub(super) fn end(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(Error::new("the sender panicked")))
    }
}

fn send(writer: &Writer, rate: u32, accounts: u32, must_stop: &AtomicBool) -> Result<()> {
    let mut generator = Generator::new(42, accounts);
    let (begun, mut sent) = (now(), 0);
    while !must_stop.load(Ordering::Relaxed) {
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        for _ in sent..due {
            let [from, to] = [(); 2].map(|()| name(generator.key_number()));
            let transaction = format!("{{\"from\":\"{from}\",\"to\":\"{to}\",\"amount\":1}}");
            writer.send(from.as_bytes(), transaction.as_bytes())?;
        }
        sent = due;
        writer.serve();
        std::thread::sleep(TICK);
    }
    writer.finish()
}

/// An account of the input.
pub(super) fn name(number: u32) -> String {
    String::from_utf8_lossy(&key(number)).into_owned()
}
