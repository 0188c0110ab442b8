//! What stands in `deploy/`, read by those who will read it: Kubernetes' own types and kustomize, promtool and a
//! Prometheus that scrapes two instances, systemd, a broker that allows what the manifests grant and nothing else.
//! Where one of them is not on this machine, a line says so.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

#[allow(dead_code, reason = "of a client that others use more of")]
#[path = "../http/client.rs"]
mod client;
mod expression;
mod manifests;
mod observed;
mod prometheus;
mod rules;
mod strimzi;
#[path = "../support/mod.rs"]
mod support;
mod topics;
mod unit;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of the project.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The documents of a file of YAML.
fn yaml(name: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Whether a variable is an option of `cairn run`, or a chain parameter, or a property of the connection.
fn is_setting(variable: &str, help: &str) -> bool {
    let words = variable.trim_start_matches("CAIRN_").to_lowercase();
    let is_option = help.contains(&format!("--{} ", words.replace('_', "-")));
    let is_parameter = cairn::chain::genesis::PARAMETER_KEYS.iter().any(|key| key.replace('.', "_") == words);
    is_option || is_parameter || variable.starts_with("CAIRN_KAFKA_")
}

/// What `cairn run --help` says.
fn help_of_run() -> String {
    let help = support::cairn("run").arg("--help").output().unwrap();
    String::from_utf8(help.stdout).unwrap()
}
