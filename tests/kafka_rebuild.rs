//! Changelogs that are gone, on a real broker: the state returns from the blockchain topic alone, and the chain goes
//! on.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use serde_json::Value;
use support::{Chain, Finished, check_with_the_stranger, delete_topics, read, transfer};

const REBUILDING: &str = "rebuilding the state from the blockchain topic";
const REBUILT: &str = "the state is rebuilt";
const BLOCKS: usize = 50;
const PER_BLOCK: usize = 100;

/// A chain of fifty blocks, with thousands of accounts, that no process runs.
fn fifty_blocks() -> Chain {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "100"), ("CAIRN_BLOCK_MAX_AGE_MS", "60000")]);
    chain.run_until_end();
    let line = |index| transfer(&format!("from-{}", index % 97), &format!("to-{index}"), index as u64 + 1);
    chain.produce(&(0..BLOCKS * PER_BLOCK).map(line).collect::<String>());
    chain.run_until_end();
    assert_eq!(chain.verify()["height"], BLOCKS);
    chain
}

fn tip(report: &Value) -> [&Value; 3] {
    ["height", "block_hash", "state_root"].map(|field| &report[field])
}

/// The state must be what it was, and the next block one that `verify` accepts.
fn assert_goes_on(chain: &Chain, before: &Value) {
    assert_eq!(chain.inspect(&chain.state()), *before);
    chain.produce(&transfer("from-1", "to-1", 1).repeat(PER_BLOCK));
    let last = chain.run_until_end();
    assert!(!last.stderr.contains(REBUILDING), "what was rebuilt is kept:\n{last}");
    let report = chain.verify();
    assert_eq!(report["height"], BLOCKS + 1, "{last}");
    assert_eq!(tip(&chain.inspect(&chain.state())), tip(&report));
}

fn assert_rebuilt(finished: &Finished) {
    assert!(finished.stderr.contains(REBUILDING), "{finished}");
    assert_eq!(finished.logged(REBUILT).len(), 1, "{finished}");
}

#[test]
fn fifty_blocks_are_intact_for_verify_and_for_the_stranger_who_executes_them() {
    let chain = fifty_blocks();
    let report = chain.verify();
    assert_eq!(report["compared_records"], BLOCKS * PER_BLOCK);
    check_with_the_stranger(&read(&chain.blockchain, "read_committed"), &["--dense", "--execute"]);
}

#[test]
fn without_changelogs_and_stores_the_same_state_returns_from_the_blocks() {
    let chain = fifty_blocks();
    let before = chain.inspect(&chain.state());
    delete_topics(&chain.changelogs());
    std::fs::remove_dir_all(chain.state()).unwrap();
    assert_rebuilt(&chain.run_until_end());
    assert_goes_on(&chain, &before);
}

#[test]
fn without_one_changelog_the_state_is_not_pieced_together_but_rebuilt() {
    for store in ["accounts", "tip"] {
        let chain = fifty_blocks();
        let before = chain.inspect(&chain.state());
        delete_topics(&[format!("{}-{store}-changelog", chain.application)]);
        assert_rebuilt(&chain.run_until_end());
        assert_goes_on(&chain, &before);
    }
}

#[test]
fn killed_in_the_middle_of_rebuilding_it_begins_again_and_ends_with_the_same_state() {
    let chain = fifty_blocks();
    let before = chain.inspect(&chain.state());
    delete_topics(&chain.changelogs());
    std::fs::remove_dir_all(chain.state()).unwrap();
    for moment in [REBUILDING, "the state is rebuilt in memory"] {
        let mut run = chain.start(&[]);
        run.until(moment, |run| run.stderr().contains(moment));
        let killed = run.kill();
        println!("killed behind '{moment}'; rebuilt before it was: {}", !killed.logged(REBUILT).is_empty());
    }
    chain.run_until_end();
    assert_goes_on(&chain, &before);
}
