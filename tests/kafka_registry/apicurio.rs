//! A registry that is not ours: Apicurio Registry, with its data in memory.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::Agent;

/// It starts within a few seconds on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);

/// A registry that runs until it is dropped.
pub(crate) struct Apicurio {
    process: Child,
    /// Where it speaks Confluent's contract.
    pub(crate) url: String,
}

impl Apicurio {
    /// Starts one; why there is none here, where there is none.
    pub(crate) fn start() -> Result<Self, String> {
        let fetch = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka_registry/fetch");
        let output = Command::new(fetch).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let home = String::from_utf8(output.stdout).unwrap();
        let (port, other) = (free_port(), free_port());
        let mut java = Command::new("setpriv");
        java.args(["--pdeathsig", "KILL", "java", "-Xmx300m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.arg(format!("-Dquarkus.http.port={port}")).arg(format!("-Dquarkus.management.port={other}"));
        java.args(["-Dquarkus.http.host=127.0.0.1", "-Dquarkus.management.host=127.0.0.1", "-jar"]);
        java.arg("apicurio-registry-app-3.0.9-runner.jar").current_dir(home.trim());
        java.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = java.spawn().map_err(|error| format!("java: {error}"))?;
        let mut registry = Self { process, url: format!("http://127.0.0.1:{port}/apis/ccompat/v7") };
        registry.until_ready();
        Ok(registry)
    }

    fn until_ready(&mut self) {
        let start = Instant::now();
        while ureq::get(format!("{}/subjects", self.url)).call().is_err() {
            assert!(self.process.try_wait().unwrap().is_none(), "it ended");
            assert!(start.elapsed() < PATIENCE, "it never answers");
            std::thread::sleep(PAUSE);
        }
    }

    /// Has it compare each schema with the one before, as Confluent's does unless it is told otherwise.
    pub(crate) fn compare(&self) {
        let (status, answer) = self.send("PUT", "config", &json!({ "compatibility": "BACKWARD" }));
        assert_eq!(status, 200, "{answer}");
    }

    /// Registers a schema: status, and the number or what is wrong.
    pub(crate) fn register(&self, subject: &str, kind: &str, schema: &str) -> (u16, Value) {
        self.send("POST", &format!("subjects/{subject}/versions"), &json!({ "schemaType": kind, "schema": schema }))
    }

    /// The last schema of a subject, with its number and version.
    pub(crate) fn latest(&self, subject: &str) -> Value {
        let path = format!("{}/subjects/{subject}/versions/latest", self.url);
        let text = ureq::get(path).call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("{}/{path}", self.url);
        let request = if method == "PUT" { agent.put(url) } else { agent.post(url) };
        let mut answer = request.header("content-type", "application/json").send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

impl Drop for Apicurio {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
