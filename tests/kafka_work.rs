//! `cairn run` on a chain of work: two miners, one of which is killed; SIGTERM in the middle of a search; classic
//! blocks as kcat reads them.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Chain, Process, check_with_the_stranger, read, read_of, refusal, transfer};
use test_cluster::unique;

const TRANSACTIONS: usize = 600;

fn work(parameters: &[(&str, &str)]) -> Chain {
    let parameters = [&[("CAIRN_CONSENSUS", "work"), ("CAIRN_REWARD", "1")][..], parameters].concat();
    Chain::new(&parameters)
}

/// A miner in a state directory of its own.
fn miner(chain: &Chain, name: &str, options: &[&str]) -> Process {
    let options = [&["--miner", name, "--miner-threads", "1"][..], options].concat();
    Process::start(&mut chain.run_in(&chain.directory.path().join(name), &options), chain.directory.path())
}

/// What a checker in Python says of a topic that kcat reads; it must find it valid.
fn check_classic(script: &str, lines: &[support::Record]) -> usize {
    let script = format!("{}/tests/checker/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let text: String = lines.iter().map(|record| format!("{}\n", record.value)).collect();
    // Closed early, the pipe fails; then the checker says why.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    said.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn two_miners_make_one_chain_and_one_classic_chain_though_either_is_killed() {
    let chain = work(&[("CAIRN_WORK_RULE", "classic"), ("CAIRN_BLOCK_MAX_TRANSACTIONS", "3")]);
    let classic = unique("classic");
    let options = ["--classic-topic", classic.as_str()];
    let lines: Vec<String> = (0..TRANSACTIONS).map(|number| transfer("alice", "bob", 1 + number as u64)).collect();
    chain.submit(&lines[..TRANSACTIONS / 3].concat());
    let mut ann = miner(&chain, "ann", &options);
    ann.until_logged("running");
    let mut ben = miner(&chain, "ben", &options);
    ben.until("standing by", |process| process.stderr().contains("standing by: another instance seals"));
    chain.produce(&lines[TRANSACTIONS / 3..2 * TRANSACTIONS / 3].concat());
    ben.until("blocks of ann's", |_| chain.blocks().len() > 40);
    ann.kill();
    chain.produce(&lines[2 * TRANSACTIONS / 3..].concat());
    let is_all_sealed = || sealed(&chain) == TRANSACTIONS;
    ben.until("all blocks", |_| is_all_sealed());
    // The second one is killed as well, and what it left is gone on with.
    ben.kill();
    chain.produce(&lines[..30].concat());
    let mut ann = miner(&chain, "ann", &options);
    ann.until("the rest", |_| sealed(&chain) == TRANSACTIONS + 30);
    ann.terminate();
    let finished = ann.wait();
    assert_eq!(finished.status.code(), Some(0), "{finished}");

    let blocks = chain.blocks();
    for (height, block) in blocks.iter().enumerate() {
        assert_eq!(block["header"]["height"], height, "one block for each height");
    }
    let entries = blocks.iter().flat_map(|block| block["transactions"].as_array().unwrap());
    let offsets: Vec<i64> = entries.map(|entry| entry["offset"].as_i64().unwrap()).collect();
    let on_topic: Vec<i64> = read(&chain.transactions, "read_committed").iter().map(|record| record.offset).collect();
    assert_eq!(offsets, on_topic, "each transaction once");
    let miners: Vec<&str> =
        blocks[1..].iter().map(|block| block["header"]["author"]["miner"].as_str().unwrap()).collect();
    println!("{} blocks, {} of ben's", miners.len(), miners.iter().filter(|miner| **miner == "ben").count());
    assert!(miners.contains(&"ann") && miners.contains(&"ben"));
    let rewards = |block: &Value| block["operations"].as_array().unwrap().len();
    assert!(blocks[1..].iter().all(|block| rewards(block) == 1), "the reward once");
    let verified = chain.verify();
    assert_eq!(verified["minted"], (blocks.len() - 1).to_string());
    assert_eq!(chain.replay()["state_root"], verified["state_root"]);
    check_with_the_stranger(&read(&chain.blockchain, "read_committed"), &["--execute"]);

    let lines = read_of(chain.cluster, &classic, "read_committed");
    assert_eq!(check_classic("classic_work.py", &lines), blocks.len());
    let aborted = read_of(chain.cluster, &classic, "read_uncommitted").len() - lines.len();
    println!("{} classic blocks, {aborted} more were aborted", lines.len());
}

#[test]
fn stake_classic_blocks_pass_their_check_though_the_run_is_killed_again_and_again() {
    let chain =
        Chain::new(&[("CAIRN_FEE", "7"), ("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"), ("CAIRN_BLOCK_WINDOW_MS", "0")]);
    let classic = unique("classic");
    let options = ["--classic-topic", classic.as_str()];
    let lines: Vec<String> = (0..TRANSACTIONS).map(|number| transfer("alice", "bob", 1 + number as u64)).collect();
    let quarter = TRANSACTIONS / 4;
    for turn in 0..3 {
        let lines = lines[turn * quarter..(turn + 1) * quarter].concat();
        // The first makes the topic.
        if turn == 0 {
            chain.submit(&lines)
        } else {
            chain.produce(&lines)
        }
        let mut process = chain.start(&options);
        process.until_logged("running");
        process.until("some of it is sealed", |_| sealed(&chain) > turn * quarter + 9);
        process.kill();
    }
    chain.produce(&lines[3 * quarter..].concat());
    let mut process = chain.start(&options);
    process.until("all blocks", |_| sealed(&chain) == TRANSACTIONS);
    process.terminate();
    let finished = process.wait();
    assert_eq!(finished.status.code(), Some(0), "{finished}");
    let blocks = chain.blocks();
    let lines = read_of(chain.cluster, &classic, "read_committed");
    assert_eq!(check_classic("classic_stake.py", &lines), blocks.len());
    let paid: usize = lines.iter().map(|line| line.value.matches("\"Amount\"").count()).sum();
    assert_eq!(paid, TRANSACTIONS, "each payment once");
    assert_eq!(chain.verify()["result"], "intact");
}

fn sealed(chain: &Chain) -> usize {
    chain.blocks().iter().map(|block| block["transactions"].as_array().unwrap().len()).sum()
}

/// Between two log lines of a process; less than a day.
fn between(earlier: &Value, later: &Value) -> Duration {
    const DAY_US: u64 = 24 * 60 * 60 * 1_000_000;
    let of_day_us = |line: &Value| {
        let text = line["timestamp"].as_str().unwrap();
        let (_, of_day) = text.trim_end_matches('Z').split_once('T').unwrap();
        let parts: Vec<f64> = of_day.split(':').map(|part| part.parse().unwrap()).collect();
        let [hours, minutes, seconds] = parts[..] else { panic!("{text}") };
        ((hours * 3_600.0 + minutes * 60.0 + seconds) * 1e6).round() as u64
    };
    Duration::from_micros((of_day_us(later) + DAY_US - of_day_us(earlier)) % DAY_US)
}

#[test]
fn a_search_ends_at_once_when_the_run_is_told_to_end_and_nothing_is_lost_or_minted_by_it() {
    // Years of work.
    let chain = work(&[("CAIRN_WORK_LEADING_ZERO_BITS", "36"), ("CAIRN_BLOCK_MAX_TRANSACTIONS", "1")]);
    chain.submit(&transfer("alice", "bob", 1));
    for _ in 0..3 {
        let mut process = chain.start(&["--miner", "ann", "--verbose"]);
        process.until_logged("mining");
        let start = Instant::now();
        process.terminate();
        let finished = process.wait();
        let ended = start.elapsed();
        assert_eq!(finished.status.code(), Some(0), "{finished}");
        let told = finished.logged("SIGTERM: finishing the commit and leaving the group; once more ends at once");
        let stopped = finished.logged("miners stopped");
        let ([told], [stopped]) = (&told[..], &stopped[..]) else { panic!("not told and stopped once: {finished}") };
        let stood = between(told, stopped);
        println!("the miners stood after {stood:?}, the process had ended after {ended:?}");
        // A stretch takes about a millisecond, a commit interval 100: a busy machine may need some of them.
        assert!(stood < Duration::from_secs(1), "{finished}");
        assert!(ended < Duration::from_secs(5), "{ended:?}: {finished}");
    }
    let blocks = chain.blocks();
    assert!(blocks.len() == 1 && blocks[0]["header"]["height"] == 0, "only block 0 is there");
    assert_eq!(chain.verify()["minted"], "0");
}

#[test]
fn a_run_says_what_it_lacks() {
    let chain = work(&[]);
    let said = refusal(&mut chain.run(&[]), chain.directory.path());
    assert!(said.contains("--miner NAME"), "{said}");
    let said = refusal(&mut chain.run(&["--miner", "ann", "--classic-topic", "classic"]), chain.directory.path());
    assert!(said.contains("work.rule = \"classic\""), "{said}");
    let said = refusal(&mut chain.run(&["--miner", "$ann"]), chain.directory.path());
    assert!(said.contains("$ann"), "{said}");
}
