//! Prometheus and promtool, where the machine has them or can fetch them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Client;
use crate::path;
use crate::support::Process;

/// The directory with both; `None`, with a line that says why.
pub(crate) fn tools() -> Option<PathBuf> {
    let fetched = Command::new(path("tests/deploy/fetch")).stderr(Stdio::piped()).output().unwrap();
    if !fetched.status.success() {
        println!("SKIPPED: {}", String::from_utf8_lossy(&fetched.stderr).trim());
        return None;
    }
    Some(PathBuf::from(String::from_utf8(fetched.stdout).unwrap().trim()))
}

/// Runs promtool in the directory of the rules.
pub(crate) fn promtool(tools: &Path, words: &[&str], input: &str) -> Output {
    let mut command = Command::new(tools.join("promtool"));
    command.args(words).current_dir(path("deploy/prometheus")).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A Prometheus that scrapes these addresses every second as job `cairn`, with the rules.
pub(crate) struct Prometheus {
    process: Process,
    client: Client,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Prometheus {
    pub(crate) fn start(tools: &Path, directory: &Path, targets: &[String]) -> Self {
        let rules = path("deploy/prometheus/cairn.rules.yml");
        let settings = crate::text("deploy/prometheus/prometheus.yml")
            .replace("[\"cairn:8080\"]", &format!("{targets:?}"))
            .replace("- cairn.rules.yml", &format!("- {}", rules.display()))
            .replace("scrape_interval: 5s", "scrape_interval: 1s")
            .replace("evaluation_interval: 15s", "evaluation_interval: 1s");
        let file = directory.join("prometheus.yml");
        std::fs::write(&file, settings).unwrap();
        // It cannot be asked which port it took: one that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(tools.join("prometheus"));
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", directory.join("tsdb").display()));
        command.arg(format!("--web.listen-address={address}"));
        Self { process: Process::start(&mut command, directory), client: Client { address } }
    }

    /// The rows of an expression's answer, as soon as there are any; where there are none, what it says at the end.
    pub(crate) fn query(&mut self, expression: &str) -> Vec<Value> {
        let path = format!("/api/v1/query?query={}", encoded(expression));
        let start = Instant::now();
        loop {
            assert!(self.process.is_running(), "{}", self.process.stderr());
            if std::net::TcpStream::connect(self.client.address).is_ok() {
                let answer = self.client.get(&path);
                assert!(matches!(answer.status, 200 | 503), "{expression}: {}", answer.text());
                let rows =
                    if answer.status == 200 { answer.json()["data"]["result"].as_array().cloned() } else { None };
                let rows = rows.unwrap_or_default();
                if !rows.is_empty() || start.elapsed() > PATIENCE {
                    return rows;
                }
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// All rules, as it has them.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let answer = self.client.json("/api/v1/rules");
        let groups = answer["data"]["groups"].as_array().unwrap().clone();
        groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
