//! A chain over several partitions: each is compared by itself, and all of them.

use std::sync::LazyLock;

use cairn::audit::{Comparison, Reason};
use cairn::chain::{Block, Entry, Genesis, Parameters, Read};
use cairn::consensus::{KeySet, Sealer};
use cairn::sealing::{Admission, Application, Miners, Setup, admitted_topic};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use topology::log::Log;
use topology::test_driver::{OwnedRecord, TestDriver};

use crate::chain::{BLOCKCHAIN, TRANSACTIONS, Topics, create};

const COUNT: i32 = 4;
const RECORDS: i64 = 200;
const START_MS: i64 = 1_700_000_000_000;

struct Wide {
    blocks: Vec<Block>,
    transactions: Vec<OwnedRecord>,
}

/// Blocks of up to seven records, of partitions that are not equally busy.
static WIDE: LazyLock<Wide> = LazyLock::new(|| {
    let (keys, validators) = KeySet::default_committee(&mut ChaCha8Rng::seed_from_u64(7)).unwrap();
    let parameters = Parameters { block_max_transactions: 7, block_window_ms: 0, ..Parameters::default() };
    let genesis = Genesis { chain_id: "cairn".into(), created_ms: 0, accounts: Vec::new(), validators, parameters };
    let setup = Setup {
        sealer: Sealer::local(&genesis, keys, &[]).unwrap(),
        miners: Miners::at_once(),
        classic: None,
        genesis,
        transactions: TRANSACTIONS.into(),
        blockchain: BLOCKCHAIN.into(),
        entropy: [1; 32],
        topic: None,
        notary: None,
    };
    let (topic, key, ahead) = (admitted_topic("cairn"), [3; 32].into(), u64::MAX);
    let admission = Admission { partition_count: COUNT, topic, key, ahead, origin: None };
    let application = Application::with_admission(setup, admission);
    let mut driver = TestDriver::new(&application.topology().unwrap(), "cairn", START_MS).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for n in 0..RECORDS {
        let partition = random.random_range(0..COUNT).min(random.random_range(0..COUNT));
        let value = format!(r#"{{"from":"alice-{partition}","to":"bob","amount":{}}}"#, n + 1);
        driver.pipe((TRANSACTIONS, partition), None, Some(value.as_bytes()), START_MS + n).unwrap();
        // So that what comes of one partition is admitted before the next of another.
        driver.commit().unwrap();
    }
    driver.end_of_input().unwrap();
    let read = |record: &OwnedRecord| {
        Block::from_record(record.key.as_deref(), record.value.as_deref()).and_then(Read::block).unwrap().unwrap()
    };
    let blocks: Vec<Block> = driver.read(BLOCKCHAIN).iter().map(read).collect();
    assert!(blocks.iter().filter(|block| block.header.ranges.len() > 1).count() > 10);
    Wide { blocks, transactions: driver.read(TRANSACTIONS).to_vec() }
});

/// The topics of the chain, with these records of the transactions topic.
fn topics(transactions: &[OwnedRecord]) -> Topics {
    let topics = Topics::new(&WIDE.blocks, &[]);
    topics.log.delete_topics(&[TRANSACTIONS.to_owned()]).unwrap();
    create(&topics.log, TRANSACTIONS, COUNT, "delete");
    topics.append(TRANSACTIONS, transactions);
    topics
}

/// The place among all of the record at this place of its partition.
fn place(partition: i32, offset: i64) -> usize {
    WIDE.transactions.iter().position(|record| (record.partition, record.offset) == (partition, offset)).unwrap()
}

#[test]
fn every_offset_of_every_partition_is_compared_and_what_comes_later_is_unsealed() {
    let report = topics(&WIDE.transactions).verify().unwrap();
    assert_eq!((report.compared_count, report.compared_from_height), (RECORDS as u64, Some(1)));
    assert_eq!((report.unsealed_count, report.summary.record_count), (0, RECORDS as u64));
    let later = (0..9).map(|n| OwnedRecord { partition: n % COUNT, ..WIDE.transactions[0].clone() });
    let all: Vec<OwnedRecord> = WIDE.transactions.iter().cloned().chain(later).collect();
    assert_eq!(topics(&all).verify().unwrap().unsealed_count, 9);
}

#[test]
fn what_differs_in_any_partition_is_found_at_its_height_and_named() {
    for partition in 0..COUNT {
        let at = place(partition, 5);
        let is_it = |entry: &Entry| (entry.origin.partition, entry.origin.offset) == (partition, 5);
        let height = WIDE.blocks.iter().position(|block| block.entries.iter().any(is_it)).unwrap() as u64;
        let found = |alter: &dyn Fn(&mut Vec<OwnedRecord>)| {
            let mut transactions = WIDE.transactions.clone();
            alter(&mut transactions);
            let broken = topics(&transactions).verify().unwrap_err();
            assert_eq!(broken.reason, Reason::Transactions);
            assert!(broken.detail.starts_with(&format!("partition {partition} offset ")), "{broken}");
            (broken.height, broken.detail)
        };
        let altered = found(&|all| all[at].value = Some(br#"{"from":"alice","to":"mallory","amount":1}"#.to_vec()));
        assert_eq!(altered.0, height, "{}", altered.1);
        // A record that no block has, or one that is not there: those behind it stand in other places.
        let dropped = found(&|all| all.insert(at, OwnedRecord { timestamp_ms: 1, ..all[at].clone() }));
        assert_eq!(dropped.0, height, "{}", dropped.1);
        let invented = found(&|all| drop(all.remove(at)));
        assert_eq!(invented.0, height, "{}", invented.1);
        let later = found(&|all| all[at].timestamp_ms += 1);
        assert!(later.0 == height && later.1.contains("timestamp"), "{}", later.1);
    }
}

#[test]
fn a_partition_of_which_retention_took_the_beginning_is_compared_from_there_on() {
    let topics = topics(&WIDE.transactions);
    topics.log.delete_records(&topology::log::TopicPartition::new(TRANSACTIONS, 2), 8).unwrap();
    let report = topics.verify().unwrap();
    let lacks = |entry: &Entry| entry.origin.partition == 2 && entry.origin.offset < 8;
    let last = WIDE.blocks.iter().rposition(|block| block.entries.iter().any(lacks)).unwrap() as u64;
    assert_eq!((report.compared_from_height, report.compared_count), (Some(last + 1), RECORDS as u64 - 8));
}

#[test]
fn a_partition_that_the_topic_does_not_have_is_no_place_for_a_record() {
    let mut comparison = Comparison::new(&[0; COUNT as usize]);
    let mut block = WIDE.blocks[1].clone();
    block.entries[0].origin.partition = COUNT;
    let checked: Result<_, ()> = comparison.check(&block, |_| Ok(0));
    let broken = checked.unwrap().unwrap_err();
    assert!(broken.detail.contains("the topic has 4 partitions, from 0"), "{broken}");
}

#[test]
fn nothing_more_is_read_of_a_partition_than_a_block_can_use() {
    let mut comparison = Comparison::new(&[0; COUNT as usize]);
    let block = WIDE.blocks.iter().find(|block| block.header.ranges.len() > 2).unwrap();
    let mut asked = vec![0; COUNT as usize];
    while let Some(partition) = comparison.lacking_for(block) {
        let range = block.header.ranges.iter().find(|range| range.partition == partition).unwrap();
        let offset = asked[partition as usize];
        assert!(offset < range.count as i64, "of partition {partition}");
        comparison.push(partition, vec![Entry::of_record(partition, offset, 0, None, None).0]);
        asked[partition as usize] += 1;
    }
    // One that ends before has nothing to wait for.
    let mut ended = Comparison::new(&[0; COUNT as usize]);
    while let Some(partition) = ended.lacking_for(block) {
        ended.end(partition);
    }
}
