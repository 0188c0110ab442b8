//! What the index keeps is what its blocks hold, and it stays within its memory.

use proptest::prelude::*;

use super::*;
use crate::chain::tests::block as worked_example;
use crate::chain::{Amount, Content, Entry, Name, Operation, Origin, Outcome, Range, Receipt, Transaction};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A block behind `parent`, with transfers that begin at an offset.
fn block(height: u64, parent: Hash, first: i64, transfers: &[(&str, &str, u64)]) -> Block {
    let mut block = worked_example();
    let entry = |(place, (from, to, amount)): (usize, &(&str, &str, u64))| {
        let transaction = Transaction::transfer(name(from), name(to), Amount::new(*amount).unwrap());
        let receipt = Receipt { outcome: Outcome::Applied, from_balance: -1, to_balance: height as i64 };
        Entry {
            origin: Origin { partition: 0, offset: first + place as i64, timestamp_ms: 5 },
            original: Hash::of(&[place as u8]),
            content: Content::Transaction { transaction, receipt },
        }
    };
    block.entries = transfers.iter().enumerate().map(entry).collect();
    block.operations = vec![Operation::Reward {
        validator: "validator-1".parse().unwrap(),
        account: name("$validator-1"),
        amount: Amount::new(1).unwrap(),
        balance: height as i64,
    }];
    block.header.height = height;
    block.header.parent = parent;
    let last = first + transfers.len() as i64 - 1;
    block.header.ranges = match transfers.len() {
        0 => Vec::new(),
        count => vec![Range { partition: 0, first, last, count: count as u64 }],
    };
    block.hash = block.header.hash();
    block
}

fn place(height: u64) -> Place {
    Place { offset: height as i64 * 2, time_ms: 1_000 * height as i64, size_bytes: 10 }
}

/// A chain from height 1 on.
fn chain(index: &mut Index, blocks: &[Vec<(&str, &str, u64)>]) -> Vec<Block> {
    let (mut parent, mut first, mut made) = (Hash::ZERO, 0, Vec::new());
    for (height, transfers) in (1..).zip(blocks) {
        let next = block(height, parent, first, transfers);
        index.add(&next, place(height)).unwrap();
        parent = next.hash;
        first += transfers.len() as i64 + 1;
        made.push(next);
    }
    made
}

#[test]
fn blocks_are_found_by_height_hash_and_place_and_postings_by_account() {
    let mut index = Index::new(1 << 20);
    let blocks = chain(
        &mut index,
        &[
            vec![("alice", "bob", 3)],
            vec![],
            vec![("bob", "carol", 2), ("carol", "carol", 1)],
            vec![("alice", "bob", 4)],
        ],
    );
    assert_eq!(index.last().unwrap().height, 4);
    assert_eq!(index.by_hash_prefix(&blocks[2].hash.to_string(), 9)[0].height, 3);
    assert_eq!(index.by_hash_prefix(&blocks[2].hash.to_string()[..8], 9)[0].height, 3);
    // Offsets: 0 | | 3 4 | 6; block 2 has none.
    let holders = [0, 1, 2, 3, 4, 5, 6, 99].map(|offset| index.holder(0, offset));
    assert_eq!(holders, [Some(1), Some(1), Some(1), Some(3), Some(3), Some(3), Some(4), Some(4)]);
    assert_eq!(index.holder(1, 0), None);

    let heights = |account: &str| {
        index.postings(account, None).map(|posting| (posting.height, posting.index)).collect::<Vec<_>>()
    };
    assert_eq!(heights("bob"), [(4, 0), (3, 0), (1, 0)]);
    assert_eq!(heights("carol"), [(3, 1), (3, 0)], "who pays itself is told of it once");
    assert_eq!(heights("$validator-1"), [(4, 1), (3, 2), (2, 0), (1, 1)]);
    assert!(heights("nobody").is_empty());
    let passed = [0, 1, 2, 5, 6, 99].map(|offset| index.is_passed(0, offset));
    assert_eq!(passed, [true, true, true, true, false, false]);
    let behind: Vec<_> = index.postings("bob", Some((3, 0))).map(|posting| posting.height).collect();
    assert_eq!(behind, [1]);
    for (made_up, count) in [((0, 0), 0), ((1, 0), 0), ((2, u32::MAX), 1), ((u64::MAX, u32::MAX), 3)] {
        assert_eq!(index.postings("bob", Some(made_up)).count(), count, "{made_up:?}");
    }
    assert_eq!(index.below(4).map(|block| block.height).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(index.behind(2).map(|block| block.height).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(index.behind(u64::MAX).count(), 0, "a listener may say that it heard of any block");
}

#[test]
fn a_block_of_no_transactions_with_a_range_of_each_partition_counts_for_what_it_takes() {
    let mut block = block(1, Hash::ZERO, 0, &[]);
    let range = |partition| Range { partition, first: 0, last: 0, count: 1 };
    block.header.ranges = (0..1_000).map(range).collect();
    block.hash = block.header.hash();
    let mut index = Index::new(usize::MAX);
    index.add(&block, place(1)).unwrap();
    assert!(index.memory_bytes > 1_000 * PLACE_SIZE_BYTES);
    index.forget_oldest();
    assert_eq!((index.memory_bytes, index.by_place.len()), (0, 0));
}

#[test]
fn a_record_that_is_not_the_block_behind_the_last_one_is_refused_and_changes_nothing() {
    let mut index = Index::new(1 << 20);
    let blocks = chain(&mut index, &[vec![("alice", "bob", 3)], vec![]]);
    for wrong in [
        block(2, blocks[0].hash, 9, &[]),
        block(4, blocks[1].hash, 9, &[]),
        block(3, blocks[0].hash, 9, &[("mallory", "mallory", 1)]),
        block(u64::MAX, blocks[1].hash, 9, &[]),
    ] {
        assert_eq!(index.add(&wrong, place(9)).unwrap_err().last, 2);
    }
    assert_eq!((index.last().unwrap().height, index.postings("mallory", None).count()), (2, 0));
}

#[test]
fn activity_counts_by_the_logs_time_and_a_clock_that_went_back_does_no_harm() {
    let mut index = Index::new(1 << 20);
    chain(&mut index, &vec![vec![("alice", "bob", 3)]; 40]);
    let shown = serde_json::to_value(index.activity(40_000)).unwrap();
    let counts: Vec<u64> = serde_json::from_value(shown["transactions"].clone()).unwrap();
    assert_eq!(counts.len(), 30);
    assert_eq!(counts[24..], [0, 9, 10, 10, 10, 1]);
    assert_eq!(shown["recent"], 40);
    let early = serde_json::to_value(index.activity(0)).unwrap();
    assert_eq!(early["transactions"][29], 40);
}

proptest! {
    #[test]
    fn within_any_memory_the_index_is_that_of_its_last_blocks(
        blocks in proptest::collection::vec(proptest::collection::vec((0..5_usize, 0..5_usize, 1..9_u64), 0..6), 1..30),
        memory_bytes in 0..60_000_usize,
    ) {
        const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
        let blocks: Vec<Vec<(&str, &str, u64)>> = blocks
            .iter()
            .map(|transfers| transfers.iter().map(|(from, to, amount)| (NAMES[*from], NAMES[*to], *amount)).collect())
            .collect();
        let mut bounded = Index::new(memory_bytes);
        chain(&mut bounded, &blocks);
        prop_assert!(bounded.memory_bytes <= memory_bytes.max(BLOCK_SIZE_BYTES + 2 * PLACE_SIZE_BYTES + 8 * (POSTING_SIZE_BYTES + 2 * ACCOUNT_SIZE_BYTES + 40)));
        let mut whole = Index::new(usize::MAX);
        chain(&mut whole, &blocks);
        let first = bounded.first().unwrap().height;
        // What is looked up is what a walk over all finds.
        for posting in bounded.postings.iter().filter(|posting| posting.origin.is_some()) {
            let text = posting.original.to_string();
            let walked = bounded.postings.iter().rev().filter(|other| other.original == posting.original && other.origin.is_some());
            prop_assert!(bounded.find(&text).eq(walked));
        }
        for name in NAMES {
            let kept: Vec<&Posting> = bounded.postings(name, None).collect();
            let all: Vec<&Posting> = whole.postings(name, None).filter(|posting| posting.height >= first).collect();
            prop_assert_eq!(kept, all);
        }
        prop_assert_eq!(bounded.below(u64::MAX).count() as u64, blocks.len() as u64 - first + 1);
        prop_assert_eq!(bounded.proposed_count(), blocks.len() as u64 - first + 1);
        // What is forgotten leaves nothing behind.
        while bounded.blocks.len() > 1 {
            bounded.forget_oldest();
        }
        bounded.forget_oldest();
        prop_assert_eq!(bounded.memory_bytes, 0);
        prop_assert!(bounded.by_account.is_empty() && bounded.by_place.is_empty() && bounded.by_hash.is_empty());
        prop_assert!(bounded.by_text.is_empty());
    }
}
