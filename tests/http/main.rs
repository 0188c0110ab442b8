//! A chain over HTTP: the real binary, sealing on an embedded log, asked over a socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]

mod accounts;
mod asked;
mod blocks;
mod client;
mod described;
mod events;
mod limits;
mod proofs;
mod schema;
mod serving;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use client::Client;
use serde_json::Value;

/// The program ends after ten minutes, and with the test.
const BOUNDED: &str = "setpriv --pdeathsig KILL timeout --foreground --kill-after 60 600 setpriv --pdeathsig KILL";
/// Between two looks at something that is to happen.
const PAUSE: Duration = Duration::from_millis(20);
/// So many looks: a minute.
const LOOKS: usize = 3_000;

/// The program, as it runs.
struct Serving {
    child: Child,
    _directory: tempfile::TempDir,
    client: Client,
}

impl Serving {
    /// A demo with these words, that seals on.
    fn demo(words: &str) -> Self {
        Self::demo_in(tempfile::tempdir().unwrap(), words, &[])
    }

    /// The same, in this directory, where the chain goes on if there is one, and with this environment.
    fn demo_in(directory: tempfile::TempDir, words: &str, environment: &[(&str, &str)]) -> Self {
        let words = format!("demo --json --dir d --blocks 0 --http 127.0.0.1:0 {words}");
        let mut command = command(directory.path(), &words);
        command.envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        // The rest is not read; it must not stop the program.
        std::thread::spawn(move || lines.for_each(drop));
        let client = Client::of(first["http"].as_str().unwrap());
        Self { child, _directory: directory, client }
    }

    /// As [`Serving::demo`], with so many blocks sealed.
    fn sealed(words: &str, blocks: u64) -> Self {
        let serving = Self::demo(words);
        serving.until("blocks", |client| client.json("/v1/status")["last"]["height"].as_u64() >= Some(blocks));
        serving
    }

    fn get(&self, path: &str) -> client::Response {
        self.client.get(path)
    }

    fn json(&self, path: &str) -> Value {
        self.client.json(path)
    }

    /// Waits for something.
    fn until(&self, what: &str, happened: impl Fn(&Client) -> bool) {
        for _ in 0..LOOKS {
            if happened(&self.client) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        panic!("never: {what}");
    }

    /// SIGTERM; the exit code.
    fn end(mut self) -> i32 {
        test_cluster::process::terminate(self.program()).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }

    /// The program's own process, below what bounds its time.
    fn program(&self) -> u32 {
        let children = |id: u32| std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let mut id = self.child.id();
        while let Some(child) = children(id).split_whitespace().next() {
            id = child.parse().unwrap();
        }
        id
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, in a directory of its own, with an environment that says nothing.
fn command(directory: &Path, words: &str) -> Command {
    let mut bounded = BOUNDED.split(' ');
    let mut command = Command::new(bounded.next().unwrap());
    command.args(bounded).arg(env!("CARGO_BIN_EXE_cairn")).args(words.split_whitespace());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CAIRN_") || matches!(&*text, "RUST_LOG" | "XDG_STATE_HOME" | "XDG_DATA_HOME") {
            command.env_remove(&name);
        }
    }
    command.current_dir(directory).env("HOME", directory).stdin(Stdio::null());
    command
}
