//! Where it is served, whether it is ready, the page, the metrics.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::client::Client;
use crate::{Serving, command};

#[test]
fn alive_and_ready_are_two_things_and_metrics_tell_of_both_engine_and_chain() {
    let serving = Serving::sealed("--rate 300", 3);
    assert_eq!(serving.json("/healthz")["status"], "alive");
    serving.until("it is ready", |client| client.get("/readyz").status == 200);
    let metrics = serving.get("/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = metrics.text();
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name}\n{text}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("cairn_height") >= 3.0 && value("cairn_ready") == 1.0);
    assert!(value("cairn_blocks_total") >= 3.0 && value("cairn_last_block_age_seconds") >= 0.0);
    assert!(value("cairn_transactions_total{outcome=\"applied\"}") > 100.0);
    assert!(value("cairn_seal_latency_seconds_count") >= 3.0);
    assert!(text.contains("topology_task_process_total{"), "{text}");
    assert!(text.contains("cairn_lag_offsets{partition=\"0\"}"), "{text}");
    assert_eq!(value("cairn_http_ended_threads"), 0.0);
}

#[test]
fn the_page_is_served_whole_with_its_files_under_a_strict_policy() {
    let serving = Serving::demo("--rate 50");
    let page = serving.get("/block/7");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let text = page.text();
    for file in ["style.css", "app.js", "icon.svg"] {
        let path = format!("/explorer/{file}");
        assert!(text.contains(&path), "{path}");
        let answer = serving.get(&path);
        assert_eq!(answer.status, 200);
        let tag = answer.header("etag").unwrap().to_owned();
        let again = serving.client.ask("GET", &path, &[&format!("if-none-match: {tag}")], "");
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        !policy.contains("unsafe") && policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'")
    );
    serving.get("/explorer/nothing.js").refused(404, "");
    assert_eq!(serving.client.ask("HEAD", "/", &[], "").body.len(), 0);
}

#[test]
fn a_demo_takes_another_port_where_its_own_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let words = format!("demo --json --blocks 2 --http {address}");
    let output = command(directory.path(), &words).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let other = Client::of(first["http"].as_str().unwrap()).address;
    assert!(other.ip().is_loopback() && other.port() != address.port() && other.port() != 0);
}

/// A run on the log in this directory, served at this address, and what it logged before that.
fn run_at(directory: tempfile::TempDir, address: &str) -> (Serving, String) {
    let words = format!("run --log embedded:./log --log-format json --http {address}");
    let mut child = command(directory.path(), &words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut said = String::new();
    let line = lines.by_ref().inspect(|line| said += line).find(|line| line.contains("serving HTTP")).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let client = Client::of(line["url"].as_str().unwrap());
    std::thread::spawn(move || lines.for_each(drop));
    (Serving { child, _directory: directory, client }, said)
}

fn run(directory: tempfile::TempDir) -> Serving {
    run_at(directory, "127.0.0.1:0").0
}

#[test]
fn an_address_that_others_reach_is_warned_about_and_answers_to_any_name() {
    let warning = "put a proxy before it";
    let (serving, said) = run_at(tempfile::tempdir().unwrap(), "0.0.0.0:0");
    assert!(said.contains(warning) && said.contains("WARN"), "{said}");
    let asked = serving.client.send(b"GET /healthz HTTP/1.1\r\nhost: ledger.example\r\nconnection: close\r\n\r\n");
    assert_eq!(asked.status, 200);
    let (_, said) = run_at(tempfile::tempdir().unwrap(), "127.0.0.1:0");
    assert!(!said.contains(warning), "{said}");
}

#[test]
fn where_every_record_is_in_a_block_nothing_waits_though_the_markers_of_transactions_have_offsets() {
    let directory = tempfile::tempdir().unwrap();
    let payment = "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n";
    std::fs::write(directory.path().join("payments.jsonl"), payment.repeat(3)).unwrap();
    for _ in 0..2 {
        // Each in a transaction of its own.
        let sent = command(directory.path(), "submit --log embedded:./log payments.jsonl").status().unwrap();
        assert!(sent.success());
    }
    let serving = run(directory);
    let is_sealed = |client: &Client| client.json("/v1/status")["activity"]["recent"] == 6;
    serving.until("all is in blocks", is_sealed);
    serving.until("nothing waits", |client| client.json("/v1/status")["lag_offsets"]["0"] == 0);
    assert!(serving.get("/metrics").text().contains("cairn_lag_offsets{partition=\"0\"} 0\n"));
    assert_eq!(serving.end(), 0);
}

#[test]
fn a_run_says_where_it_serves_takes_nothing_and_refuses_a_port_that_is_taken() {
    let serving = run(tempfile::tempdir().unwrap());
    serving.until("it is ready", |client| client.get("/readyz").status == 200);
    serving.until("block 0 is there", |client| client.json("/v1/status")["last"]["height"] == 0);
    let status = serving.json("/v1/status");
    assert_eq!((&status["state"], &status["takes_transfers"]), (&"sealing".into(), &false.into()));
    let body = serde_json::json!({ "from": "a", "to": "b", "amount": 1 });
    assert_eq!(serving.client.post("/v1/transfers", &body).status, 404);
    assert!(!serving.json("/v1/openapi.json")["paths"].as_object().unwrap().contains_key("/v1/transfers"));

    let other = tempfile::tempdir().unwrap();
    let words = format!("run --log embedded:./log --http {}", serving.client.address);
    let refused = command(other.path(), &words).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("error: cannot serve HTTP at 127.0.0.1:"), "{said}");
    assert!(std::fs::read_dir(other.path()).unwrap().next().is_none(), "nothing was begun");
    assert_eq!(serving.end(), 0);
}

#[test]
fn a_demo_that_is_told_to_end_says_what_its_chain_adds_up_to() {
    let directory = tempfile::tempdir().unwrap();
    let words = "demo --json --blocks 0 --http 127.0.0.1:0";
    let mut child = command(directory.path(), words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    let client = Client::of(first["http"].as_str().unwrap());
    let serving = Serving { child, _directory: directory, client };
    // Three blocks, then it is told.
    lines.by_ref().take(3).for_each(drop);
    test_cluster::process::terminate(serving.program()).unwrap();
    let last: Value = serde_json::from_str(&lines.last().unwrap()).unwrap();
    assert_eq!(last["verify"], "intact", "{last}");
    assert!(last["height"].as_u64() >= Some(3));
}
