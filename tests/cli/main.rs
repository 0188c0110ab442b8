//! The program as people and scripts use it: the real binary, its exit codes, what it writes where. No broker: logs are
//! embedded ones.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]

mod analyst;
mod blocks;
mod chain;
mod checkpoints;
mod documents;
mod exporting;
mod first_steps;
mod formats;
mod founding;
mod lost_rows;
mod memory;
mod partitions;
mod proving;
mod registries;
mod reports;
mod settings;
mod signals;
mod signed_turns;
mod signing;
mod stderr;
mod stock;
mod submitting;
mod topics;
mod verifying;
mod views;
mod witnessing;

#[path = "../support/all_rows.rs"]
mod all_rows;
#[path = "../support/python.rs"]
mod python;
#[path = "../support/web.rs"]
mod web;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use topology::log::embedded::{EmbeddedLog, Options};
use topology::log::{Header, Log, Producer, ProducerOptions, ProducerRecord, TopicSpec};

/// What starts the program: it ends after two minutes, and with the test.
const BOUNDED: &str = "setpriv --pdeathsig KILL timeout --foreground --kill-after 60 120 setpriv --pdeathsig KILL";

/// One use of the program: in a directory of its own, with an environment that says nothing.
struct Cairn {
    directory: tempfile::TempDir,
}

impl Cairn {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// The directory with keys and genesis of the one chain that was begun here.
    fn home(&self) -> PathBuf {
        let data = self.path().join(".local/share/cairn");
        let homes: Vec<_> = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [home] = &homes[..] else { panic!("not one chain: {homes:?}") };
        home.clone()
    }

    /// The program with these words, separated by spaces.
    fn command(&self, words: &str) -> Command {
        let mut bounded = BOUNDED.split(' ');
        let mut command = Command::new(bounded.next().unwrap());
        command.args(bounded).arg(env!("CARGO_BIN_EXE_cairn")).args(words.split_whitespace());
        self.at_home(command)
    }

    /// A command, in the directory and the environment of this use.
    fn at_home(&self, mut command: Command) -> Command {
        command.current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("CAIRN_") || matches!(&*name_text, "RUST_LOG" | "XDG_STATE_HOME" | "XDG_DATA_HOME")
            {
                command.env_remove(&name);
            }
        }
        command.env("HOME", self.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Writes a record past the program, to a topic of the log in `log`.
    fn forge(&self, topic: &str, key: Option<&str>, value: &str, headers: &[(&str, &str)]) {
        self.forge_at(0, topic, key, value, headers);
    }

    /// As [`Cairn::forge`], with this timestamp.
    fn forge_at(&self, timestamp_ms: i64, topic: &str, key: Option<&str>, value: &str, headers: &[(&str, &str)]) {
        let log = EmbeddedLog::open(self.path().join("log"), &Options::default(), Arc::new(|| 0)).unwrap();
        let name = topic.to_owned();
        log.create_topics(&[TopicSpec { name, partition_count: 1, replication_factor: None, config: Vec::new() }])
            .unwrap();
        let mut producer = log
            .producer(&ProducerOptions {
                transactional_id: "forger".to_owned(),
                transaction_timeout_ms: 10_000,
                client_id: "forger".to_owned(),
                track_topics: Vec::new(),
            })
            .unwrap();
        let limit = Duration::from_secs(10);
        producer.init_transactions(limit).unwrap();
        producer.begin().unwrap();
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| Header { name: name.as_bytes(), value: Some(value.as_bytes()) })
            .collect();
        let (key, value) = (key.map(str::as_bytes), Some(value.as_bytes()));
        let partition = None;
        producer.send(&ProducerRecord { topic, partition, timestamp_ms, key, value, headers: &headers }).unwrap();
        producer.commit(limit).unwrap();
    }

    fn run(&self, words: &str) -> Ran {
        Ran::of(self.command(words).output().unwrap(), words)
    }

    fn run_with(&self, words: &str, variables: &[(&str, &str)]) -> Ran {
        Ran::of(self.command(words).envs(variables.iter().copied()).output().unwrap(), words)
    }

    fn run_with_input(&self, words: &str, input: &str) -> Ran {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().unwrap();
        // It may end before it has read all of it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::of(child.wait_with_output().unwrap(), words)
    }
}

/// What a use of the program left behind.
struct Ran {
    words: String,
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(output: Output, words: &str) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().expect("ended by itself");
        Self { words: words.to_owned(), code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// It did what was asked.
    #[track_caller]
    fn done(self) -> Self {
        assert_eq!(self.code, 0, "cairn {}\n{}{}", self.words, self.stdout, self.stderr);
        self
    }

    /// It ended with this code, and its last word is one line that says all of this.
    #[track_caller]
    fn refused(self, code: i32, says: &[&str]) -> Self {
        let last = self.stderr.lines().last().unwrap_or_default();
        assert_eq!(self.code, code, "cairn {}\n{}{}", self.words, self.stdout, self.stderr);
        assert!(last.starts_with("error: "), "cairn {}: {last}", self.words);
        for part in says {
            assert!(last.contains(part), "cairn {}: `{part}` is not in: {last}", self.words);
        }
        self
    }

    /// The lines of stdout as JSON.
    #[track_caller]
    fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

const COMMANDS: [&str; 18] = [
    "demo",
    "run",
    "submit",
    "blocks",
    "verify",
    "checkpoint",
    "witness",
    "prove",
    "check",
    "replay",
    "export",
    "views",
    "inspect",
    "topics",
    "topology",
    "reset",
    "genesis",
    "keys",
];

/// What stands below a command.
const BELOW: [&str; 1] = ["views reset"];

/// A line of a paragraph that ends before the width, though the first word of the next one would have fitted.
fn wrapped_twice(help: &str, width: usize) -> Option<(&str, &str)> {
    let is_text = |line: &str| line.starts_with(|character: char| !character.is_whitespace());
    help.lines().zip(help.lines().skip(1)).find(|(line, next)| {
        let word = next.split_whitespace().next().unwrap_or_default();
        is_text(line) && is_text(next) && line.chars().count() + 1 + word.chars().count() < width
    })
}

#[test]
fn every_command_explains_itself_with_examples_within_a_hundred_columns() {
    let cairn = Cairn::new();
    let all = cairn.run("--help").done().stdout;
    for command in COMMANDS {
        assert!(all.contains(&format!("\n  {command} ")), "{command} is not in the overview");
    }
    for command in COMMANDS.into_iter().chain(BELOW) {
        let help = cairn.run(&format!("{command} --help")).done().stdout;
        assert!(help.contains("\nExamples:\n"), "{command} --help has no examples");
        let long = help.lines().find(|line| line.chars().count() > 100);
        assert_eq!(long, None, "{command} --help");
        for (columns, width) in [("80", 80), ("120", 100)] {
            let help = cairn.run_with(&format!("{command} --help"), &[("COLUMNS", columns)]).done().stdout;
            assert_eq!(wrapped_twice(&help, width), None, "{command} --help at {columns} columns");
        }
    }
    assert_eq!(cairn.run("--version").done().stdout, format!("cairn {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_is_exit_code_2_and_nothing_on_stdout() {
    let cairn = Cairn::new();
    for words in ["", "seal", "run --no-such-option", "demo --rate fast", "topology --format svg", "demo --rate 0"] {
        let ran = cairn.run(words);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "cairn {words}\n{}", ran.stderr);
    }
    cairn.run("run").refused(2, &["--brokers HOST:PORT", "--log embedded:DIR"]);
    cairn.run("run --brokers a:1 --log embedded:log").refused(2, &["both --brokers and --log"]);
    cairn.run("run --log memory:").refused(2, &["embedded:DIR"]);
    cairn.run("run --brokers a:1 -X enable.idempotence=false").refused(2, &["enable.idempotence cannot be set"]);
    cairn.run("run --log embedded:").refused(2, &["--log 'embedded:' names no log"]);
    cairn.run("verify --log embedded:log -X linger.ms=5").refused(2, &["-X", "leave one of them out"]);
    cairn.run("reset --log embedded:log").refused(2, &["--application-id ID"]);
}

#[test]
fn a_broker_that_does_not_answer_is_told_in_one_plain_line() {
    let cairn = Cairn::new();
    let ran = cairn.run("verify --brokers 127.0.0.1:1");
    let ran =
        ran.refused(3, &["no broker answers at 127.0.0.1:1 (connection refused; waited 10 s)", "Check --brokers"]);
    assert_eq!((ran.stderr.lines().count(), ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    let verbose = cairn.run("verify --brokers 127.0.0.1:1 -v");
    assert!(verbose.stderr.contains("\n  caused by: cannot describe topic"), "{}", verbose.stderr);
    let property = cairn.run("verify --brokers 127.0.0.1:1 -X foo.bar=1").refused(2, &["foo.bar=1: No such"]);
    assert_eq!(property.stderr.matches("foo.bar").count(), 1, "{}", property.stderr);
}

#[test]
fn the_graph_is_shown_as_text_and_as_dot() {
    let cairn = Cairn::new();
    let text = cairn.run("topology").done().stdout;
    for part in ["Sub-topology: seal (single writer: cairn-<genesis hash>-seal)", "(topic: transactions)", "Store: "] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let dot = cairn.run("topology --format dot").done().stdout;
    assert!(dot.starts_with("digraph ") && dot.trim_end().ends_with('}'), "{dot}");
}

#[test]
fn what_caused_an_error_is_shown_with_verbose_and_only_then() {
    let cairn = Cairn::new();
    let quiet = cairn.run("submit --check /proc/self/mem").refused(1, &["cannot read the input"]);
    assert!(!quiet.stderr.contains("caused by"), "{}", quiet.stderr);
    let verbose = cairn.run("submit --check /proc/self/mem -v");
    assert!(verbose.stderr.contains("\n  caused by: "), "{}", verbose.stderr);
    let variable = cairn.run_with("submit --check /proc/self/mem", &[("CAIRN_VERBOSE", "1")]);
    assert!(variable.stderr.contains("\n  caused by: "), "{}", variable.stderr);
    cairn.write("cairn.toml", "verbose = true\n");
    let file = cairn.run("submit --check /proc/self/mem");
    assert!(file.stderr.contains("\n  caused by: "), "{}", file.stderr);
}
