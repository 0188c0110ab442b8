//! The `cairn` binary on a real broker, for the end-to-end tests: a chain with names of its own, processes that end
//! with the test, topics as kcat sees them. Uses the binary and the broker; of the crates the log, and the reader of
//! topics.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test file uses its own part")]

mod payments;
mod process;
pub(crate) mod python;
mod registry;
mod stranger;
mod topics;
mod web;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use test_cluster::{Cluster, unique};

pub(crate) use payments::{assert_one_chain, payments, until_sealed};
pub(crate) use process::{Finished, Process};
pub(crate) use registry::Registry;
pub(crate) use stranger::check_with_the_stranger;
pub(crate) use topics::{Record, create_topic, delete_topics, describe, each, is_there, read, read_of};

/// A chain of its own: topics, application and state directory that no other test has.
pub(crate) struct Chain {
    /// Where its topics are: the broker that all tests share, but for those that need one of their own.
    pub(crate) cluster: &'static Cluster,
    pub(crate) application: String,
    pub(crate) transactions: String,
    pub(crate) blockchain: String,
    pub(crate) directory: tempfile::TempDir,
    /// Of the environment: chain parameters above all.
    pub(crate) variables: Vec<(String, String)>,
}

impl Chain {
    /// A chain with these parameters, and without windows unless they say otherwise.
    pub(crate) fn new(parameters: &[(&str, &str)]) -> Self {
        let pairs = [("CAIRN_BLOCK_WINDOW_MS", "0")].into_iter().chain(parameters.iter().copied());
        Self {
            cluster: Cluster::shared(),
            application: unique("app"),
            transactions: unique("transactions"),
            blockchain: unique("blockchain"),
            directory: tempfile::tempdir().unwrap(),
            variables: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// Where the directories of chains are: keys and genesis.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The key file that the first run has made.
    pub(crate) fn keys(&self) -> PathBuf {
        let homes: Vec<_> = std::fs::read_dir(self.data().join("cairn")).unwrap().map(|entry| entry.unwrap()).collect();
        let [home] = &homes[..] else { panic!("not one chain: {homes:?}") };
        home.path().join("validators.keys")
    }

    pub(crate) fn dead_letters(&self) -> String {
        format!("{}-dead-letters", self.transactions)
    }

    /// `cairn run` in this state directory.
    pub(crate) fn run_in(&self, state: &Path, options: &[&str]) -> Command {
        let mut command = cairn("run");
        command.args(["--log-format", "json", "--brokers", self.cluster.brokers()]);
        command.args(["--application-id", &self.application, "--transactions", &self.transactions]);
        command.args(["--blockchain", &self.blockchain, "--state-dir"]).arg(state).args(options);
        command.envs(self.variables.iter().map(|(name, value)| (name, value))).env("XDG_DATA_HOME", self.data());
        command
    }

    /// `cairn run` in the chain's state directory.
    pub(crate) fn run(&self, options: &[&str]) -> Command {
        self.run_in(&self.state(), options)
    }

    /// `cairn run` in the background, with its log lines in a file of the chain's directory.
    pub(crate) fn start(&self, options: &[&str]) -> Process {
        Process::start(&mut self.run(options), self.directory.path())
    }

    /// Runs up to the end of what is there; fails where that fails.
    pub(crate) fn run_until_end(&self) -> Finished {
        let finished = Process::start(&mut self.run(&["--until-end"]), self.directory.path()).wait();
        assert!(finished.status.success(), "{finished}");
        finished
    }

    /// The tip in a state directory, by `cairn inspect`.
    pub(crate) fn inspect(&self, state: &Path) -> Value {
        let mut command = cairn("inspect");
        command.args(["--json", "--application-id", &self.application, "--state-dir"]).arg(state);
        json(&mut command, self.directory.path())
    }

    /// The tip that the blockchain topic alone leads to, by `cairn replay` into an empty directory.
    pub(crate) fn replay(&self) -> Value {
        let empty = tempfile::tempdir().unwrap();
        let mut command = cairn("replay");
        command.args(["--json", "--brokers", self.cluster.brokers(), "--blockchain", &self.blockchain]);
        command.arg("--state-dir").arg(empty.path());
        json(&mut command, self.directory.path())
    }

    /// `cairn verify`, compared with a transactions topic.
    pub(crate) fn verify_with(&self, transactions: &str) -> Command {
        let mut command = cairn("verify");
        command.args(["--json", "--brokers", self.cluster.brokers(), "--blockchain", &self.blockchain]);
        command.args(["--transactions", transactions]);
        command
    }

    /// What `cairn verify` finds; it must find the chain intact.
    pub(crate) fn verify(&self) -> Value {
        let report = json(&mut self.verify_with(&self.transactions), self.directory.path());
        assert_eq!(report["result"], "intact", "{report}");
        report
    }

    /// Sends lines by `cairn submit`: in a transaction, whose end takes an offset too.
    pub(crate) fn submit(&self, lines: &str) {
        let file = self.directory.path().join("lines");
        std::fs::write(&file, lines).unwrap();
        let mut command = cairn("submit");
        command.args(["--brokers", self.cluster.brokers(), "--transactions", &self.transactions]).arg(&file);
        let finished = Process::start(&mut command, self.directory.path()).wait();
        assert!(finished.status.success(), "{finished}");
    }

    /// The changelog topics of its stores.
    pub(crate) fn changelogs(&self) -> Vec<String> {
        let stores = ["accounts", "chain", "coverage", "decisions", "expiries", "ids", "tip", "validators"];
        stores.map(|store| format!("{}-{store}-changelog", self.application)).to_vec()
    }

    /// Sends lines as they are, by kcat.
    pub(crate) fn produce(&self, lines: &str) {
        self.cluster.kcat(&["-P", "-t", &self.transactions], lines.as_bytes());
    }

    /// The blocks on the topic, oldest first.
    pub(crate) fn blocks(&self) -> Vec<Value> {
        read_of(self.cluster, &self.blockchain, "read_committed").iter().map(Record::json).collect()
    }
}

/// The binary, with nothing of the environment's settings, and no settings file where it runs. The kernel kills it with
/// the thread that starts it: a test that is killed leaves nothing behind.
pub(crate) fn cairn(subcommand: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_cairn")]).current_dir("/");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CAIRN_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").arg(subcommand);
    command
}

/// Runs a command that must succeed, and parses the one line of JSON it prints.
pub(crate) fn json(command: &mut Command, directory: &Path) -> Value {
    let finished = Process::start(command, directory).wait();
    assert!(finished.status.success(), "{finished}");
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"))
}

/// A transfer as people type it.
pub(crate) fn transfer(from: &str, to: &str, amount: u64) -> String {
    format!("{{\"from\":\"{from}\",\"to\":\"{to}\",\"amount\":{amount}}}\n")
}

/// What a command says that must fail with one line of error and nothing else but log lines.
pub(crate) fn refusal(command: &mut Command, directory: &Path) -> String {
    Process::start(command, directory).wait().refusal().to_owned()
}
