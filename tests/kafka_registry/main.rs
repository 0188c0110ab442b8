//! `cairn views` behind a schema registry that is not ours: schemas are registered, grow, are refused, and read rows
//! back in a stock client.
//!
//! ```text
//! apicurio   Apicurio Registry, from Maven Central
//! grown.py   rows read with a schema that has a field more
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod apicurio;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use cairn::rows::avro;
use cairn::views::View;
use serde_json::{Value, json};
use support::{Chain, Process, cairn, each, is_there, payments, python, refusal};

use apicurio::Apicurio;

/// What a reader needs.
const PACKAGES: [&str; 1] = ["confluent-kafka[avro,json,schemaregistry]"];

/// One that compares schemas; `None`, and said so, where there can be none.
fn registry() -> Option<Apicurio> {
    let registry = Apicurio::start().inspect_err(|why| println!("SKIPPED: {why}")).ok()?;
    registry.compare();
    Some(registry)
}

fn views(chain: &Chain, registry: &Apicurio, words: &[&str]) -> Command {
    let mut command = cairn("views");
    command.args(["--log-format", "json", "--brokers", chain.cluster.brokers(), "--blockchain", &chain.blockchain]);
    command.args(["--until-end", "--schema-registry", &registry.url, "--state-dir"]);
    command.arg(chain.directory.path().join("views")).args(words);
    command
}

/// The view's schema in this format, and the same with one optional field more.
fn schemas(view: View, format: &str) -> (&'static str, String, String) {
    if format == "json" {
        let mut grown: Value = serde_json::from_str(view.schema()).unwrap();
        grown["properties"]["more"] = json!({ "type": ["string", "null"], "description": "One field more." });
        return ("JSON", view.schema().to_owned(), grown.to_string());
    }
    let schema = avro::schema(view.schema()).unwrap();
    let mut grown: Value = serde_json::from_str(&schema).unwrap();
    let more = json!({ "name": "more", "type": ["null", "string"], "default": null });
    grown["fields"].as_array_mut().unwrap().push(more);
    ("AVRO", schema, grown.to_string())
}

/// Runs a script of Python's, and gives what it prints: `NAME BALANCE` in each line.
fn balances_read_by(python: &Path, script: &str, arguments: &[&str]) -> BTreeMap<String, i64> {
    let script = format!("{}/{script}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| line.rsplit_once(' ').unwrap());
    lines.map(|(name, balance)| (name.to_owned(), balance.parse().unwrap())).filter(|(_, held)| *held != 0).collect()
}

#[test]
fn schemas_are_registered_grow_and_read_rows_back_in_a_stock_client() {
    let Some(registry) = registry() else { return };
    let python = python::with_packages(&PACKAGES).inspect_err(|why| println!("SKIPPED: {why}")).ok();
    for format in ["json", "avro"] {
        let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "10")]);
        chain.submit(&payments(0..200));
        chain.run_until_end();
        let follow = || {
            let finished =
                Process::start(&mut views(&chain, &registry, &["--format", format]), chain.directory.path()).wait();
            assert!(finished.status.success(), "{finished}");
        };
        follow();
        let subject = |view: View| format!("{}-value", view.topic(&chain.blockchain));
        for view in View::ALL {
            let (kind, schema, grown) = schemas(view, format);
            let latest = registry.latest(&subject(view));
            assert_eq!((&latest["version"], &latest["schema"]), (&json!(1), &json!(schema)), "{latest}");
            let id = latest["id"].as_u64().unwrap() as u8;
            if format == "avro" {
                each(&view.topic(&chain.blockchain), |row| {
                    assert!(row.value.unwrap().starts_with(&[0, 0, 0, 0, id]));
                });
            }
            // A later program has one field more: the registry takes its schema, and a start of this one changes
            // nothing.
            let (status, answer) = registry.register(&subject(view), kind, &grown);
            assert_eq!(status, 200, "{answer}");
            let changed = grown.replacen("\"integer\"", "\"string\"", 1).replacen("\"long\"", "\"string\"", 1);
            let (status, answer) = registry.register(&subject(view), kind, &changed);
            assert_eq!(status, 409, "{answer}");
        }
        chain.submit(&payments(200..300));
        chain.run_until_end();
        follow();
        assert_eq!(registry.latest(&subject(View::Transfers))["version"], 2);
        let Some(python) = &python else { continue };
        let state = chain.inspect(&chain.state());
        let account =
            |account: &Value| (account["name"].as_str().unwrap().to_owned(), account["balance"].as_i64().unwrap());
        let state: BTreeMap<String, i64> = state["accounts"].as_array().unwrap().iter().map(account).collect();
        let topic = View::Balances.topic(&chain.blockchain);
        let arguments = [chain.cluster.brokers(), &topic, &registry.url];
        assert_eq!(balances_read_by(python, "examples/balances.py", &arguments), state);
        assert_eq!(balances_read_by(python, "tests/kafka_registry/grown.py", &arguments), state);
    }
}

#[test]
fn a_schema_that_does_not_go_on_with_the_one_before_begins_no_view() {
    let Some(registry) = registry() else { return };
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "10")]);
    chain.submit(&payments(0..20));
    chain.run_until_end();
    let topic = View::Validators.topic(&chain.blockchain);
    let other = View::Validators.schema().replacen("\"integer\"", "\"string\"", 1);
    let (status, answer) = registry.register(&format!("{topic}-value"), "JSON", &other);
    assert_eq!(status, 200, "{answer}");
    for format in ["json", "avro"] {
        let mut command = views(&chain, &registry, &["validators", "--format", format]);
        let refused = refusal(&mut command, chain.directory.path());
        assert!(refused.contains(&format!("{topic}-value")), "{refused}");
        println!("{format}: {refused}");
    }
    assert!(!is_there(&topic));
}
