//! A chain on an embedded log, the program that works on it, and what an attacker can do to its topics between two
//! runs.

use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cairn::chain::{Block, Read};
use cairn::reader::Reader;
use serde_json::Value;
use tempfile::TempDir;
use topology::clock::SystemClock;
use topology::log::embedded::{EmbeddedLog, Options};
use topology::log::{Log, Producer, ProducerOptions, ProducerRecord, Start, TopicPartition, TopicSpec};

/// What starts the program: it ends after two minutes, and with the test.
const BOUNDED: [&str; 9] =
    ["setpriv", "--pdeathsig", "KILL", "timeout", "--foreground", "--kill-after", "60", "120", "setpriv"];
const LONG: Duration = Duration::from_secs(30);
pub(crate) const START_MS: i64 = 1_700_000_000_000;
pub(crate) const TRANSACTIONS: &str = "transactions";
pub(crate) const BLOCKCHAIN: &str = "blockchain";

/// A record as it lies in a topic, or is to lie there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Kept {
    pub(crate) fn new(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        let (key, value) = (Some(key.as_ref().to_vec()), Some(value.as_ref().to_vec()));
        Self { offset: 0, timestamp_ms: START_MS, key, value }
    }

    /// A record of the transactions topic.
    pub(crate) fn of(value: impl AsRef<[u8]>, timestamp_ms: i64) -> Self {
        Self { offset: 0, timestamp_ms, key: None, value: Some(value.as_ref().to_vec()) }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().unwrap()).unwrap()
    }
}

/// Three transactions make a block, unless the variables say otherwise, and neither age nor event time does.
pub(crate) struct World {
    directory: TempDir,
    variables: Vec<(String, String)>,
    /// Options of every `run`.
    pub(crate) options: String,
}

impl World {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let usual = [
            ("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"),
            ("CAIRN_BLOCK_WINDOW_MS", "0"),
            ("CAIRN_BLOCK_MAX_AGE_MS", "60000"),
        ];
        let variables = usual.iter().chain(variables).map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let world = Self { directory: tempfile::tempdir().unwrap(), variables, options: String::new() };
        world.create(TRANSACTIONS, "delete");
        world
    }

    /// A chain with a block for each three payments of alice to bob, and one for the rest.
    pub(crate) fn with_payments(count: usize) -> Self {
        let world = Self::new(&[]);
        world.pay(count);
        world.run();
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// The directory with keys and genesis of the one chain that was begun here.
    pub(crate) fn home(&self) -> PathBuf {
        let homes: Vec<_> = std::fs::read_dir(self.path().join("data/cairn")).unwrap().collect();
        let [Ok(home)] = &homes[..] else { panic!("not one chain: {homes:?}") };
        home.path()
    }

    // The program.

    fn prepare(&self, mut command: Command, words: &str) -> Command {
        command.arg(env!("CARGO_BIN_EXE_cairn")).args(words.split_whitespace());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CAIRN_") || text == "RUST_LOG" || text.starts_with("XDG_") {
                command.env_remove(&name);
            }
        }
        command.current_dir(self.path()).env("HOME", self.path()).env("XDG_DATA_HOME", self.path().join("data"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(BOUNDED[0]);
        command.args(&BOUNDED[1..]).args(["--pdeathsig", "KILL"]);
        self.prepare(command, words)
    }

    pub(crate) fn cairn(&self, words: &str) -> Ran {
        Ran::of(self.command(words).output().unwrap(), words)
    }

    fn run_words(&self) -> String {
        format!("run --log embedded:log --state-dir state {}", self.options)
    }

    /// `run` up to the end of the input, however it ends.
    pub(crate) fn try_run(&self) -> Ran {
        self.cairn(&format!("{} --until-end --json", self.run_words()))
    }

    /// `run` up to the end of the input: what it logged, and the last block's height, hash and state root.
    #[track_caller]
    pub(crate) fn run(&self) -> (String, Value) {
        let ran = self.try_run().done();
        (ran.stderr.clone(), ran.json())
    }

    /// Starts `run`, and kills it with SIGKILL when it logs this.
    #[track_caller]
    pub(crate) fn kill_when_logged(&self, text: &str) {
        let (found, said) = self.killed_when_logged("", text);
        assert!(found, "never logged: {text}\n{said:#?}");
    }

    /// As [`World::kill_when_logged`], with more options; whether it was logged before the run ended by itself, and
    /// what was.
    pub(crate) fn killed_when_logged(&self, options: &str, text: &str) -> (bool, Vec<String>) {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        let mut running =
            Running(self.prepare(command, &format!("{} -v {options}", self.run_words())).spawn().unwrap());
        let lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let found = lines.map(Result::unwrap).any(|line| {
            let found = line.contains(text);
            said.push(line);
            found
        });
        drop(running);
        (found, said)
    }

    pub(crate) fn try_verify(&self) -> Ran {
        self.cairn("verify --log embedded:log --json")
    }

    /// What `verify` says of a chain that must be intact.
    #[track_caller]
    pub(crate) fn verify(&self) -> Value {
        let report = self.try_verify().done().json();
        assert_eq!(report["result"], "intact", "{report}");
        report
    }

    pub(crate) fn try_replay(&self) -> Ran {
        let replayed = tempfile::tempdir_in(self.path()).unwrap();
        self.cairn(&format!("replay --log embedded:log --json --state-dir {}", replayed.path().join("new").display()))
    }

    /// What the stores hold, by `inspect`.
    #[track_caller]
    pub(crate) fn inspect(&self) -> Value {
        self.cairn("inspect --state-dir state --json").done().json()
    }

    /// What an account holds.
    #[track_caller]
    pub(crate) fn balance(&self, name: &str) -> i64 {
        let state = self.inspect();
        let found = state["accounts"].as_array().unwrap().iter().find(|account| account["name"] == name);
        found.map_or(0, |account| account["balance"].as_i64().unwrap())
    }

    // The topics.

    pub(crate) fn log(&self) -> EmbeddedLog {
        EmbeddedLog::open(self.path().join("log"), &Options::default(), Arc::new(|| START_MS)).unwrap()
    }

    pub(crate) fn create(&self, topic: &str, policy: &str) {
        // As a run makes them: what it writes itself bears the log's time.
        let time = if policy == "compact" { "LogAppendTime" } else { "CreateTime" };
        let settings = [("cleanup.policy", policy), ("message.timestamp.type", time)];
        let config = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let spec = TopicSpec { name: topic.to_owned(), partition_count: 1, replication_factor: None, config };
        self.log().create_topics(&[spec]).unwrap();
    }

    pub(crate) fn append(&self, topic: &str, records: &[Kept]) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let options = ProducerOptions {
            transactional_id: format!("attack-{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
            transaction_timeout_ms: 60_000,
            client_id: "attack".to_owned(),
            track_topics: Vec::new(),
        };
        let log = self.log();
        let mut producer = log.producer(&options).unwrap();
        producer.init_transactions(LONG).unwrap();
        producer.begin().unwrap();
        for Kept { timestamp_ms, key, value, .. } in records {
            let (key, value) = (key.as_deref(), value.as_deref());
            let timestamp_ms = *timestamp_ms;
            producer
                .send(&ProducerRecord { topic, partition: Some(0), timestamp_ms, key, value, headers: &[] })
                .unwrap();
        }
        producer.commit(LONG).unwrap();
    }

    /// The records of a topic, oldest first.
    pub(crate) fn read(&self, topic: &str) -> Vec<Kept> {
        let (log, clock, mut found) = (self.log(), SystemClock::new(), Vec::new());
        let from = [(TopicPartition::new(topic, 0), Start::Beginning)];
        let copy = |record: &topology::log::Record<'_>| Kept {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
        };
        Reader::new(&log, &clock, "attack")
            .read(&from, |_, records| {
                found.extend(records.iter().map(copy));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        found
    }

    /// Makes a topic anew with these records: what compaction leaves of one that was written to again.
    pub(crate) fn rewrite(&self, topic: &str, policy: &str, records: &[Kept]) {
        self.log().delete_topics(&[topic.to_owned()]).unwrap();
        self.create(topic, policy);
        self.append(topic, records);
    }

    pub(crate) fn delete_topics(&self, topics: &[String]) {
        self.log().delete_topics(topics).unwrap();
    }

    /// Lines for the transactions topic.
    pub(crate) fn send(&self, lines: &[String]) {
        let records: Vec<Kept> = lines.iter().map(|line| Kept::of(line, START_MS)).collect();
        self.append(TRANSACTIONS, &records);
    }

    /// Payments of 1 from alice to bob.
    pub(crate) fn pay(&self, count: usize) {
        self.send(&vec![transfer("alice", "bob", 1); count]);
    }

    /// The blocks, each of which must agree with itself.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let block = |kept: &Kept| {
            let read = Block::from_record(kept.key.as_deref(), kept.value.as_deref()).and_then(Read::block).unwrap();
            let block = read.unwrap();
            block.check().unwrap();
            block
        };
        self.read(BLOCKCHAIN).iter().map(block).collect()
    }

    /// The entries of all blocks, as JSON, in order.
    pub(crate) fn entries(&self) -> Vec<Value> {
        let json = |kept: &Kept| serde_json::from_str::<Value>(kept.text()).unwrap();
        self.read(BLOCKCHAIN)
            .iter()
            .map(json)
            .flat_map(|block| block["transactions"].as_array().unwrap().clone())
            .collect()
    }
}

/// Killed with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn transfer(from: &str, to: &str, amount: u64) -> String {
    format!("{{\"from\":\"{from}\",\"to\":\"{to}\",\"amount\":{amount}}}")
}

/// The name of a store's changelog.
pub(crate) fn changelog(store: &str) -> String {
    format!("cairn-{store}-changelog")
}

/// What a use of the program left behind.
pub(crate) struct Ran {
    words: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn of(output: Output, words: &str) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        Self { words: words.to_owned(), code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// It did what was asked.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }

    /// It ended with this code, and its last line says all of this.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, says: &[&str]) -> Self {
        let last = self.stderr.lines().last().unwrap_or_default();
        assert_eq!(self.code, code, "{self}");
        assert!(last.starts_with("error: "), "{self}");
        for part in says {
            assert!(last.contains(part), "`{part}` is not in the last line: {self}");
        }
        self
    }

    /// It found the chain broken, for one of these reasons.
    #[track_caller]
    pub(crate) fn broken(self, reasons: &[&str]) -> Value {
        assert_eq!(self.code, 1, "{self}");
        let report = self.json();
        assert_eq!(report["result"], "broken", "{self}");
        assert!(reasons.contains(&report["reason"].as_str().unwrap()), "{self}");
        report
    }

    /// The one line of stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.stdout.lines().next().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cairn {} ended with {}\n{}{}", self.words, self.code, self.stdout, self.stderr)
    }
}
