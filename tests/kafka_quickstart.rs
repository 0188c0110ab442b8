//! The first minutes with a real broker: six lines typed into kcat become two blocks, which a stranger can check.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use support::{Chain, check_with_the_stranger, describe, read, transfer};

/// Blocks of three, and no age that could cut one earlier on a slow machine.
const THREE: &[(&str, &str)] = &[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"), ("CAIRN_BLOCK_MAX_AGE_MS", "60000")];

#[test]
fn six_lines_typed_with_kcat_become_two_blocks_on_a_compacted_topic_that_a_stranger_finds_intact() {
    let chain = Chain::new(THREE);
    let mut run = chain.start(&[]);
    run.until_logged("running");
    chain.produce(&transfer("alice", "bob", 3).repeat(6));
    run.until("block 2", |_| read(&chain.blockchain, "read_committed").len() == 3);
    run.terminate();
    let finished = run.wait();
    assert!(finished.status.success(), "{finished}");

    let topic = describe(&chain.blockchain);
    assert_eq!((topic.partition_count, topic.cleanup_policy.as_str()), (1, "compact"));
    let records = read(&chain.blockchain, "read_committed");
    let keys: Vec<&str> = records.iter().map(|record| record.key.as_str()).collect();
    assert_eq!(keys, ["0", "1", "2"]);
    let blocks = chain.blocks();
    for (height, block) in blocks.iter().enumerate() {
        assert_eq!(block["header"]["height"], height);
    }
    let amounts = |block: &serde_json::Value| -> Vec<u64> {
        block["transactions"].as_array().unwrap().iter().map(|entry| entry["amount"].as_u64().unwrap()).collect()
    };
    assert_eq!((amounts(&blocks[1]), amounts(&blocks[2])), (vec![3; 3], vec![3; 3]));
    assert_eq!(blocks[2]["header"]["parent"], blocks[1]["hash"]);

    let report = chain.verify();
    assert_eq!((report["height"].as_u64(), report["compared_records"].as_u64()), (Some(2), Some(6)), "{report}");
    assert_eq!(report["state_root"], blocks[2]["header"]["state_root"]);
    check_with_the_stranger(&records, &["--dense", "--execute"]);

    let state = chain.inspect(&chain.state());
    let balances: Vec<(&str, i64)> = state["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| (account["name"].as_str().unwrap(), account["balance"].as_i64().unwrap()))
        .collect();
    assert_eq!(balances, [("alice", -18), ("bob", 18)]);
}

#[test]
fn a_lost_state_directory_comes_back_from_the_changelogs_and_from_the_blockchain_alone() {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "10")]);
    chain.run_until_end();
    let names = ["alice", "bob", "carol", "dave", "erin"];
    let lines = (0..500).map(|index| transfer(names[index % 5], names[(index * 7 + 1) % 5], index as u64));
    chain.produce(&lines.collect::<String>());
    let first = chain.run_until_end();
    let before = chain.inspect(&chain.state());
    assert_eq!(before["height"], 50, "{first}");

    std::fs::remove_dir_all(chain.state().join(&chain.application)).unwrap();
    let again = chain.run_until_end();
    let after = chain.inspect(&chain.state());
    assert_eq!(after, before);
    let restored = again.logged("restored");
    assert!(restored[0]["rebuilt"].as_u64() > Some(0) && restored[0]["records"].as_u64() > Some(0), "{again}");

    let replayed = chain.replay();
    for field in ["height", "block_hash", "state_root"] {
        assert_eq!(replayed[field], before[field], "{field}");
    }

    // It goes on from there as if nothing had been.
    chain.produce(&transfer("alice", "bob", 1).repeat(10));
    chain.run_until_end();
    assert_eq!(chain.verify()["height"], 51);
}

/// What follows the last record is the end of a transaction: it has an offset, and is no record.
#[test]
fn a_run_until_the_end_seals_the_open_block_behind_which_a_transaction_ended() {
    let chain = Chain::new(THREE);
    for round in 1..=3 {
        chain.submit(&transfer("alice", "bob", 1).repeat(4));
        chain.run_until_end();
        let report = chain.verify();
        assert_eq!((&report["height"], &report["compared_records"]), (&(round * 2).into(), &(round * 4).into()));
    }
    assert_eq!(chain.blocks()[2]["header"]["cut"], "end");
}
