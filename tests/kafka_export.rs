//! `cairn export --follow` on a real broker: files come while blocks are sealed, a killed follower is gone on with, and
//! SIGTERM ends it with whole files.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{Chain, Process, cairn, payments, until_sealed};

const PARAMETERS: &[(&str, &str)] = &[("CAIRN_BLOCK_MAX_TRANSACTIONS", "10"), ("CAIRN_BLOCK_MAX_AGE_MS", "50")];

fn export(chain: &Chain, out: &Path, words: &[&str]) -> Command {
    let mut command = cairn("export");
    command.args(["--log-format", "json", "--brokers", chain.cluster.brokers(), "--blockchain", &chain.blockchain]);
    command.args(["--json", "--format", "jsonl", "--out"]).arg(out).args(words);
    command
}

/// The files of a table, in the order of heights.
fn files(out: &Path, table: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(out.join(table)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    paths
}

fn text(out: &Path, table: &str) -> String {
    files(out, table).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// How many payments have rows.
fn exported(out: &Path) -> usize {
    text(out, "transfers").lines().filter(|line| line.contains("\"kind\":\"transfer\"")).count()
}

#[test]
fn a_follower_writes_what_is_sealed_goes_on_after_a_kill_and_ends_with_whole_files() {
    let chain = Chain::new(PARAMETERS);
    let out = chain.directory.path().join("out");
    let mut run = chain.start(&[]);
    run.until_logged("running");
    let follow = || {
        let words = ["--follow", "--follow-interval-s", "1", "--heights-per-file", "7"];
        Process::start(&mut export(&chain, &out, &words), chain.directory.path())
    };
    chain.submit(&payments(0..200));
    until_sealed(&chain, 200);
    let mut follower = follow();
    follower.until("the rows of what was there", |_| exported(&out) == 200);
    chain.submit(&payments(200..400));
    follower.until("rows of what came", |_| exported(&out) > 200);
    follower.kill();
    chain.submit(&payments(400..600));
    let mut follower = follow();
    until_sealed(&chain, 600);
    follower.until("the rest", |_| exported(&out) == 600);
    follower.terminate();
    let finished = follower.wait();
    assert_eq!(finished.status.code(), Some(0), "{finished}");
    let lines: Vec<Value> = finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["result"] == "exported"), "{finished}");
    run.terminate();
    run.wait();

    // The same rows as of one call, each height in one file of each table.
    let whole = chain.directory.path().join("whole");
    let finished = Process::start(&mut export(&chain, &whole, &[]), chain.directory.path()).wait();
    assert!(finished.status.success(), "{finished}");
    let rest = Process::start(&mut export(&chain, &out, &[]), chain.directory.path()).wait();
    assert!(rest.status.success(), "{rest}");
    for table in ["transfers", "balances", "validators", "blocks"] {
        assert!(text(&out, table) == text(&whole, table), "{table}");
    }
    println!("{} ranges followed", files(&out, "blocks").len());
    assert!(files(&out, "blocks").len() > 3);
    let mut held: BTreeMap<String, Value> = BTreeMap::new();
    for line in text(&out, "balances").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        held.insert(row["name"].as_str().unwrap().to_owned(), row["balance"].clone());
    }
    let state = chain.inspect(&chain.state());
    for account in state["accounts"].as_array().unwrap() {
        assert_eq!(held[account["name"].as_str().unwrap()], account["balance"], "{account}");
    }
}
