//! The whole ledger topology without a broker, on the engine's test driver.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[path = "support/heights.rs"]
mod heights;

use cairn::chain::{Block, Content, Cut, Genesis, Operation, Outcome, Parameters, Read, RejectCode, ValidatorId};
use cairn::consensus::{Fault, KeySet, Sealer};
use cairn::sealing::{Application, Miners, Setup};
use heights::assert_never_two_blocks_at_one_height;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use topology::test_driver::TestDriver;

const START_MS: i64 = 1_700_000_000_000;

struct Chain {
    driver: TestDriver,
    application: Application,
    next_ms: i64,
}

impl Chain {
    fn new(parameters: Parameters, faults: &[(&str, Fault)]) -> Self {
        Self::with_keys(7, parameters, faults)
    }

    /// With the keys of a seed, on which it depends whose turn it is.
    fn with_keys(seed: u64, parameters: Parameters, faults: &[(&str, Fault)]) -> Self {
        println!("seed {seed}");
        let (keys, validators) = KeySet::default_committee(&mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
        let genesis = Genesis { chain_id: "cairn".into(), created_ms: 0, accounts: Vec::new(), validators, parameters };
        let faults: Vec<(ValidatorId, Fault)> =
            faults.iter().map(|(id, fault)| (ValidatorId::new(id).unwrap(), *fault)).collect();
        let sealer = Sealer::local(&genesis, keys, &faults).unwrap();
        let application = Application::new(Setup {
            genesis,
            transactions: "transactions".into(),
            blockchain: "blockchain".into(),
            sealer,
            miners: Miners::at_once(),
            classic: None,
            entropy: [1; 32],
            topic: None,
            notary: None,
        });
        let driver = TestDriver::new(&application.topology().unwrap(), "cairn", START_MS).unwrap();
        Self { driver, application, next_ms: START_MS }
    }

    fn send(&mut self, value: &str) {
        self.next_ms += 1;
        self.driver.pipe("transactions", None, Some(value.as_bytes()), self.next_ms).unwrap();
    }

    fn transfer(&mut self, from: &str, to: &str, amount: u64) {
        self.send(&format!(r#"{{"from":"{from}","to":"{to}","amount":{amount}}}"#));
    }

    /// The committed blocks. Every one must be readable, and no height may be there twice.
    fn blocks(&self) -> Vec<Block> {
        let records = self.driver.read("blockchain").iter();
        let blocks: Vec<Block> = records
            .map(|record| {
                Block::from_record(record.key.as_deref(), record.value.as_deref())
                    .and_then(Read::block)
                    .unwrap()
                    .unwrap()
            })
            .collect();
        for (height, block) in blocks.iter().enumerate() {
            assert_eq!(block.header.height, height as u64);
            block.check().unwrap();
        }
        blocks
    }
}

fn three_per_block() -> Parameters {
    Parameters { block_max_transactions: 3, block_window_ms: 0, ..Parameters::default() }
}

fn slashes(blocks: &[Block]) -> Vec<(String, u64)> {
    let operations = blocks.iter().flat_map(|block| &block.operations);
    operations
        .filter_map(|operation| match operation {
            Operation::Slash { validator, amount, .. } => Some((validator.as_str().to_owned(), *amount)),
            _ => None,
        })
        .collect()
}

#[test]
fn six_transactions_at_three_per_block_make_blocks_one_and_two() {
    let mut chain = Chain::new(three_per_block(), &[]);
    for _ in 0..6 {
        chain.transfer("alice", "bob", 3);
    }
    chain.driver.commit().unwrap();
    let blocks = chain.blocks();
    assert_eq!(blocks.len(), 3);
    assert!(blocks[0].genesis.is_some());
    for block in &blocks[1..] {
        assert_eq!((block.header.cut, block.entries.len()), (Cut::Transactions, 3));
    }
    assert_eq!(blocks[2].header.parent, blocks[1].hash);
    let Content::Transaction { receipt, .. } = &blocks[2].entries[2].content else { panic!("a stub") };
    assert_eq!((receipt.outcome, receipt.from_balance, receipt.to_balance), (Outcome::Applied, -18, 18));
    assert_eq!(chain.application.status().height, Some(2));
    assert_eq!(chain.driver.committed_offset("transactions"), Some(6));
}

#[test]
fn an_unfinished_block_is_held_and_comes_back_whole_after_an_abort() {
    let mut chain = Chain::new(three_per_block(), &[]);
    for _ in 0..4 {
        chain.transfer("alice", "bob", 1);
    }
    chain.driver.commit().unwrap();
    assert_eq!(chain.driver.committed_offset("transactions"), Some(3));
    chain.transfer("alice", "bob", 1);
    chain.driver.abort().unwrap();
    chain.transfer("alice", "bob", 1);
    chain.driver.commit().unwrap();
    let offsets = |block: &Block| block.entries.iter().map(|entry| entry.origin.offset).collect::<Vec<_>>();
    assert_eq!(chain.blocks().iter().map(offsets).collect::<Vec<_>>(), [vec![], vec![0, 1, 2], vec![3, 4, 5]]);
}

#[test]
fn an_aborted_commit_after_signing_signs_the_same_bytes_again_and_slashes_nobody() {
    let mut chain = Chain::new(three_per_block(), &[]);
    for round in 0..20 {
        for _ in 0..3 {
            chain.transfer("alice", "bob", 1);
        }
        if round % 2 == 0 {
            chain.driver.abort().unwrap();
        }
        chain.driver.commit().unwrap();
    }
    let blocks = chain.blocks();
    assert_eq!(blocks.len(), 21);
    assert!(!chain.driver.aborted().is_empty());
    assert_never_two_blocks_at_one_height(&chain.driver);
    assert_eq!(slashes(&blocks), []);
}

#[test]
fn each_cheat_loses_its_whole_stake_exactly_once_and_the_chain_goes_on() {
    for (fault, is_offence) in
        [(Fault::AlterAmount, true), (Fault::DropTransaction, true), (Fault::Equivocate, true), (Fault::Silent, false)]
    {
        let mut chain = Chain::new(three_per_block(), &[("validator-1", fault)]);
        for round in 0..40 {
            for _ in 0..3 {
                chain.transfer("alice", "bob", 2);
            }
            if round % 7 == 3 {
                chain.driver.abort().unwrap();
            }
            chain.driver.commit().unwrap();
        }
        let blocks = chain.blocks();
        assert_eq!(blocks.len(), 41, "{fault:?}");
        assert_never_two_blocks_at_one_height(&chain.driver);
        let expected: &[(String, u64)] = if is_offence { &[("validator-1".to_owned(), 2000)] } else { &[] };
        assert_eq!(slashes(&blocks), expected, "{fault:?}");
        assert_eq!(chain.driver.read("blockchain-evidence").len(), expected.len(), "{fault:?}");
        let missed = blocks.iter().flat_map(|block| &block.operations);
        let missed = missed.filter(|operation| matches!(operation, Operation::Missed { .. })).count();
        assert_eq!(missed > 0, fault == Fault::Silent, "{fault:?}: {missed} missed");
        let last = blocks.last().unwrap().header.proposer().unwrap().as_str().to_owned();
        assert!(!(is_offence && last == "validator-1"));
    }
}

#[test]
fn a_round_may_pass_behind_one_that_failed_because_its_proposer_cheated() {
    let faults = [("validator-1", Fault::Equivocate), ("validator-2", Fault::Silent)];
    let mut seen = 0;
    for seed in 0..20 {
        let mut chain = Chain::with_keys(seed, three_per_block(), &faults);
        for _ in 0..10 {
            (0..3).for_each(|_| chain.transfer("alice", "bob", 1));
            // A round passes in one commit, and the block is sealed behind it.
            (0..3).for_each(|_| chain.driver.commit().unwrap());
        }
        let blocks = chain.blocks();
        assert_eq!(blocks.len(), 11, "seed {seed}");
        let rounds = |operation: &Operation| match operation {
            Operation::Slash { round, .. } => Some((*round, "cheated")),
            Operation::Missed { round, .. } => Some((*round, "silent")),
            _ => None,
        };
        let failed = blocks.iter().map(|block| block.operations.iter().filter_map(rounds).collect::<Vec<_>>());
        seen += failed.filter(|failed| failed.starts_with(&[(0, "cheated"), (1, "silent")])).count();
    }
    assert!(seen > 0, "no seed has a silent validator drawn behind one that cheats");
}

#[test]
fn one_record_every_fifty_ms_still_closes_blocks_by_age() {
    let parameters = Parameters { block_max_age_ms: 200, block_window_ms: 0, ..Parameters::default() };
    let mut chain = Chain::new(parameters, &[]);
    for _ in 0..40 {
        chain.transfer("alice", "bob", 1);
        chain.driver.advance_clock(50).unwrap();
    }
    chain.driver.commit().unwrap();
    let blocks = chain.blocks();
    assert!(blocks.len() >= 8, "{} blocks", blocks.len());
    assert!(blocks[1..].iter().all(|block| block.header.cut == Cut::Age));
    let offsets: Vec<i64> = blocks.iter().flat_map(|b| &b.entries).map(|entry| entry.origin.offset).collect();
    assert_eq!(offsets, (0..offsets.len() as i64).collect::<Vec<_>>());
}

#[test]
fn the_decision_about_an_age_cut_is_committed_before_anybody_signs() {
    let parameters = Parameters { block_max_age_ms: 200, block_window_ms: 0, ..Parameters::default() };
    let mut chain = Chain::new(parameters, &[]);
    chain.transfer("alice", "bob", 1);
    chain.driver.advance_clock(500).unwrap();
    // The driver commits when asked: the decision is in its changelog, and the block is not committed yet.
    assert_eq!(chain.driver.read_changelog("decisions").len(), 3, "the incarnation, the decision, and what is covered");
    assert_eq!(chain.blocks().len(), 1);
    chain.driver.abort().unwrap();
    chain.transfer("alice", "bob", 1);
    chain.driver.commit().unwrap();
    let blocks = chain.blocks();
    assert_eq!((blocks[1].header.cut, blocks[1].entries.len()), (Cut::Age, 1));
    assert_never_two_blocks_at_one_height(&chain.driver);
    let changelog = chain.driver.read_changelog("decisions");
    assert!(changelog.last().unwrap().value.is_none(), "the decision is deleted with its block");
}

#[test]
fn the_end_of_input_closes_the_open_block() {
    let mut chain = Chain::new(three_per_block(), &[("validator-2", Fault::Silent)]);
    for _ in 0..10 {
        chain.transfer("alice", "bob", 1);
    }
    chain.driver.end_of_input().unwrap();
    let blocks = chain.blocks();
    assert_eq!((blocks.len(), blocks[4].header.cut, blocks[4].entries.len()), (5, Cut::End, 1));
    assert_eq!(chain.driver.committed_offset("transactions"), Some(10));
}

#[test]
fn whatever_is_no_transaction_becomes_a_stub_and_a_dead_letter_with_its_bytes() {
    let parameters = Parameters { block_max_transactions: 100, block_window_ms: 0, ..Parameters::default() };
    let mut chain = Chain::new(parameters, &[]);
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let long_name = "x".repeat(10_000);
    let amounts = ["-1", "0.5", "3.0", "1e400", "9007199254740992", "\"3\""];
    let mut hostile: Vec<Vec<u8>> = vec![b"hello".to_vec(), br#"{"from":"a","to""#.to_vec(), nested.into_bytes()];
    hostile.push(format!(r#"{{"from":"a","to":"b","amount":1,"memo":"{}"}}"#, "m".repeat(900_000)).into_bytes());
    hostile.extend(amounts.map(|amount| format!(r#"{{"from":"a","to":"b","amount":{amount}}}"#).into_bytes()));
    hostile.push(br#"{"from":"","to":"b","amount":1}"#.to_vec());
    hostile.push(format!(r#"{{"from":"{long_name}","to":"b","amount":1}}"#).into_bytes());
    chain.transfer("alice", "bob", 5);
    for value in &hostile {
        chain.driver.pipe("transactions", Some(b"key"), Some(value), START_MS).unwrap();
    }
    chain.driver.pipe("transactions", None, None, START_MS).unwrap();
    chain.transfer("alice", "bob", 6);
    chain.driver.end_of_input().unwrap();

    let blocks = chain.blocks();
    let entries = &blocks[1].entries;
    assert_eq!(entries.len(), hostile.len() + 3);
    assert!(entries[1..entries.len() - 1].iter().all(|entry| matches!(entry.content, Content::Stub { .. })));
    let Content::Stub { reason, .. } = &entries[entries.len() - 2].content else { panic!() };
    assert_eq!(*reason, RejectCode::NullValue);
    let Content::Transaction { receipt, .. } = &entries[entries.len() - 1].content else { panic!() };
    assert_eq!((receipt.from_balance, receipt.to_balance), (-11, 11));

    let letters = chain.driver.read("transactions-dead-letters");
    assert_eq!(letters.len(), hostile.len() + 1);
    for (letter, value) in letters.iter().zip(&hostile) {
        assert_eq!(letter.key.as_deref(), Some(&b"key"[..]));
        assert!(letter.value.as_ref() == Some(value), "{:?}", letter.header("dead-letter.reason"));
        assert!(letter.header("dead-letter.offset").is_some() && letter.header("dead-letter.reason").is_some());
    }
}

#[test]
fn lost_group_offsets_seal_nothing_a_second_time() {
    let mut chain = Chain::new(three_per_block(), &[]);
    for amount in 1..=7 {
        chain.transfer("alice", "bob", amount);
    }
    chain.driver.commit().unwrap();
    chain.driver.lose_offsets().unwrap();
    for amount in 8..=9 {
        chain.transfer("alice", "bob", amount);
    }
    chain.driver.commit().unwrap();
    let offsets = |block: &Block| block.entries.iter().map(|entry| entry.origin.offset).collect::<Vec<_>>();
    let sealed: Vec<Vec<i64>> = chain.blocks().iter().map(offsets).collect();
    assert_eq!(sealed, [vec![], vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8]]);
    assert_eq!(chain.driver.committed_offset("transactions"), Some(9));
}

#[test]
fn a_topic_that_was_made_anew_is_refused_and_not_sealed() {
    // The new topic has no record yet, fewer or as many as are sealed, or more: with other values, or equal ones sent
    // later.
    for (count, amount) in [(0, 1), (2, 1), (3, 1), (3, 9), (7, 1), (7, 9)] {
        let mut chain = Chain::new(three_per_block(), &[]);
        for _ in 0..3 {
            chain.transfer("alice", "bob", 1);
        }
        chain.driver.commit().unwrap();
        chain.driver.delete_topic("transactions");
        let value = format!(r#"{{"from":"alice","to":"bob","amount":{amount}}}"#);
        for n in 0..count {
            chain.driver.append("transactions", None, Some(value.as_bytes()), START_MS + 60_000 + n).unwrap();
        }
        let refused = chain.driver.lose_offsets().unwrap_err().to_string();
        assert!(refused.contains("made anew"), "{count} records: {refused}");
        assert_eq!(chain.blocks().len(), 2);
    }
}

#[test]
fn the_graph_is_what_it_is() {
    let chain = Chain::new(three_per_block(), &[]);
    let topology = chain.application.topology().unwrap().to_string();
    let id = chain.application.genesis_hash().to_string();
    assert_eq!(
        topology.replace(&id, "GENESIS"),
        "Sub-topology: seal (single writer: cairn-GENESIS-seal)
  Source: transactions (topic: transactions)
    --> sealer
  Processor: sealer (stores: accounts, ids, expiries, validators, chain, coverage, tip, decisions)
    --> blocks, offences [evidence]
    <-- transactions
  Sink: blocks (topic: blockchain)
    <-- sealer
  Sink: offences (topic: blockchain-evidence)
    <-- sealer
  Store: accounts (rocksdb, changelog)
  Store: chain (rocksdb, changelog)
  Store: coverage (rocksdb, changelog)
  Store: decisions (rocksdb, changelog)
  Store: expiries (rocksdb, changelog)
  Store: ids (rocksdb, changelog)
  Store: tip (rocksdb, changelog)
  Store: validators (rocksdb, changelog)
"
    );
}
