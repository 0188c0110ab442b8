//! Chains as a whole: intact, compared with what is left of the transactions, cut, replaced.

use cairn::audit::{Anchor, Comparison, Reason, of_tip};
use cairn::chain::{Entry, Hash};
use cairn::checkpoint::Checkpoint;
use cairn::consensus::Fault;
use topology::log::{Log, TopicPartition};

use crate::chain::{BLOCKCHAIN, CHAIN, TRANSACTIONS, Topics, checkpoint, create, run};

#[test]
fn an_intact_chain_is_intact_and_all_records_are_compared() {
    let anchor = Anchor::Genesis(CHAIN.genesis.hash());
    let kept = [checkpoint(&CHAIN.blocks), checkpoint(&CHAIN.blocks[..5]), checkpoint(&CHAIN.blocks[..1])];
    for topics in [Topics::of(&CHAIN), Topics::of(&CHAIN).anchored(anchor).with_checkpoints(kept)] {
        let report = topics.verify().unwrap();
        let (last, count) = (CHAIN.blocks.last().unwrap(), CHAIN.transactions.len() as u64);
        assert_eq!((report.compared_from_height, report.compared_count), (Some(1), count));
        assert_eq!(report.summary.record_count, count);
        assert_eq!((report.summary.tip.height, report.summary.tip.hash), (last.header.height, last.hash));
        assert_eq!(report.summary.tip.state_root, last.header.state_root);
        assert_eq!(report.summary.tip.genesis, CHAIN.genesis.hash());
        assert_eq!(report.summary.supply.minted, i128::from(last.header.height), "a reward of 1 per block");
        assert_eq!(report.summary.supply.burnt, 2000, "the stake of the validator that cheated");
    }
}

#[test]
fn records_that_are_not_sealed_yet_break_nothing_and_are_counted() {
    let count = CHAIN.transactions.len();
    let topics = Topics::of(&CHAIN);
    assert_eq!(topics.verify().unwrap().unsealed_count, 0);
    topics.append(TRANSACTIONS, &CHAIN.transactions[..3]);
    let report = topics.verify().unwrap();
    assert_eq!((report.compared_count, report.unsealed_count), (count as u64, 3));
    // More than the reading thread may be ahead, and more than one block's worth.
    let sealed = CHAIN.blocks[3].entries.last().unwrap().origin.offset as usize + 1;
    let report = Topics::new(&CHAIN.blocks[..4], &CHAIN.transactions).verify().unwrap();
    assert_eq!((report.compared_count, report.unsealed_count), (sealed as u64, (count - sealed) as u64));
    let report = Topics::new(&CHAIN.blocks[..1], &CHAIN.transactions).verify().unwrap();
    assert_eq!((report.compared_from_height, report.unsealed_count), (None, count as u64));
}

#[test]
fn a_topic_of_blocks_with_other_partitions_is_not_called_intact() {
    let topics = Topics::of(&CHAIN);
    topics.log.delete_topics(&[BLOCKCHAIN.to_owned()]).unwrap();
    create(&topics.log, BLOCKCHAIN, 2, "delete");
    let error = topics.verify_on(&topics.log).unwrap_err().to_string();
    assert!(error.contains("has 2 partitions") && error.contains("a chain has one"), "{error}");
}

#[test]
fn a_chain_whose_topic_is_missing_is_neither_intact_nor_broken() {
    let topics = Topics::of(&CHAIN);
    topics.log.delete_topics(&[BLOCKCHAIN.to_owned()]).unwrap();
    let error = topics.verify_on(&topics.log).unwrap_err().to_string();
    assert!(error.contains("there is no topic 'blockchain'"), "{error}");
}

#[test]
fn where_the_oldest_transactions_are_gone_the_rest_is_compared_and_all_of_it_executed() {
    for first_left in [1, CHAIN.blocks[4].entries[0].origin.offset, CHAIN.blocks[6].entries[1].origin.offset] {
        let topics = Topics::of(&CHAIN);
        topics.log.delete_records(&TopicPartition::new(TRANSACTIONS, 0), first_left).unwrap();
        let whole =
            |block: &&cairn::chain::Block| block.entries.first().is_some_and(|entry| entry.origin.offset >= first_left);
        let report = topics.verify().unwrap();
        let expected = CHAIN.blocks.iter().find(whole).unwrap().header.height;
        assert_eq!(report.compared_from_height, Some(expected), "from offset {first_left}");
        assert_eq!(report.compared_count, CHAIN.transactions.len() as u64 - first_left as u64);
        assert_eq!(report.summary.record_count, CHAIN.transactions.len() as u64);
    }
}

#[test]
fn without_any_transactions_nothing_is_compared_and_the_chain_still_holds() {
    let topics = Topics::of(&CHAIN);
    let partition = TopicPartition::new(TRANSACTIONS, 0);
    topics.log.delete_records(&partition, CHAIN.transactions.len() as i64 + 1).unwrap();
    let report = topics.verify().unwrap();
    assert_eq!((report.compared_from_height, report.compared_count), (None, 0));
    assert!(report.has_transactions_topic);
    topics.log.delete_topics(&[TRANSACTIONS.to_owned()]).unwrap();
    let report = topics.verify().unwrap();
    assert_eq!((report.compared_from_height, report.compared_count, report.unsealed_count), (None, 0, 0));
    assert!(!report.has_transactions_topic);
    assert_eq!(report.summary.tip.height, CHAIN.blocks.len() as u64 - 1);
}

#[test]
fn a_topic_without_blocks_is_no_chain() {
    let broken = Topics::new(&[], &CHAIN.transactions).verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (0, Reason::Height));
    let broken =
        Topics::new(&[], &CHAIN.transactions).with_checkpoints([checkpoint(&CHAIN.blocks[..4])]).verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (0, Reason::Checkpoint));
}

#[test]
fn a_cut_tail_is_found_by_a_checkpoint_and_by_nothing_else() {
    let tip = CHAIN.blocks.len() - 1;
    let cut = || Topics::new(&CHAIN.blocks[..tip - 2], &CHAIN.transactions);
    assert_eq!(cut().verify().unwrap().summary.tip.height, tip as u64 - 3);
    let broken = cut().with_checkpoints([checkpoint(&CHAIN.blocks)]).verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (tip as u64 - 2, Reason::Checkpoint));
    // One that was taken below the cut says nothing.
    assert!(cut().with_checkpoints([checkpoint(&CHAIN.blocks[..tip - 2])]).verify().is_ok());
}

#[test]
fn another_valid_chain_is_found_by_whoever_pinned_something() {
    let other = run(8, &[]).chain();
    assert_eq!(other.transactions, CHAIN.transactions, "the same input, sealed by others");
    // Nobody said which chain it must be: there is nothing to find.
    assert!(Topics::of(&other).verify().is_ok());
    let broken = Topics::of(&other).anchored(Anchor::Genesis(CHAIN.genesis.hash())).verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (0, Reason::Anchor));
    for size in [1, 8] {
        let kept = checkpoint(&CHAIN.blocks[..size]);
        let broken = Topics::of(&other).with_checkpoints([kept]).verify().unwrap_err();
        assert_eq!((broken.height, broken.reason), (0, Reason::Checkpoint), "a checkpoint names the genesis");
    }
}

#[test]
fn holders_of_all_keys_can_unsay_a_slash_and_a_checkpoint_tells() {
    let unsaid = run(7, &[("validator-2", Fault::Silent)]).chain();
    assert_eq!(unsaid.genesis, CHAIN.genesis);
    // What a committee of one party is worth: nothing in the topics alone can tell.
    let anchor = Anchor::Genesis(CHAIN.genesis.hash());
    let report = Topics::of(&unsaid).anchored(anchor).verify().unwrap();
    assert_eq!(report.summary.supply.burnt, 0);
    let tip = CHAIN.blocks.len() - 1;
    let broken =
        Topics::of(&unsaid).anchored(anchor).with_checkpoints([checkpoint(&CHAIN.blocks)]).verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (tip as u64, Reason::Checkpoint));
}

#[test]
fn a_valid_chain_over_other_transactions_is_not_this_input() {
    // Everything about it holds, but the records it was made from are not those of the topic.
    let mut transactions = CHAIN.transactions.clone();
    let place = CHAIN.blocks[6].entries[0].origin.offset as usize;
    transactions[place].value = Some(br#"{"from":"alice","to":"mallory","amount":10}"#.to_vec());
    let broken = Topics::new(&CHAIN.blocks, &transactions).verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (6, Reason::Transactions));
    // Other bytes with the same meaning are another record.
    let respaced = String::from_utf8(CHAIN.transactions[place].value.clone().unwrap()).unwrap().replace(':', ": ");
    transactions[place].value = Some(respaced.into_bytes());
    let broken = Topics::new(&CHAIN.blocks, &transactions).verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (6, Reason::Transactions));
}

#[test]
fn a_transactions_topic_that_is_younger_than_the_whole_chain_says_nothing_about_it() {
    // Deleted and made anew: other records stand at the same offsets, and all of them came later.
    let tip_ms = CHAIN.blocks.last().unwrap().header.time_ms;
    let made_anew = |by_ms: i64| {
        let mut transactions = CHAIN.transactions.clone();
        for (place, record) in transactions.iter_mut().enumerate() {
            record.timestamp_ms = tip_ms + by_ms + place as i64;
            record.value = Some(br#"{"from":"mallory","to":"bob","amount":1}"#.to_vec());
        }
        let topics = Topics::new(&CHAIN.blocks, &transactions);
        topics.verify_on(&topics.log)
    };
    let refusal = made_anew(1).unwrap_err().to_string();
    assert!(refusal.contains("younger than the whole chain"), "{refusal}");
    // As old as the chain, it may be what the chain should have been made from.
    let broken = made_anew(0).unwrap().unwrap_err();
    assert_eq!((broken.height, broken.reason), (1, Reason::Transactions));
}

#[test]
fn a_comparison_asks_for_no_more_records_than_the_block_can_use() {
    let mut comparison = Comparison::new(&[0]);
    let mut block = CHAIN.blocks[1].clone();
    block.header.ranges[0].last = i64::MAX;
    for offset in 0..block.entries.len() as i64 {
        assert_eq!(comparison.lacking_for(&block), Some(0), "{offset}");
        comparison.push(0, vec![Entry::of_record(0, offset, 0, None, None).0]);
    }
    assert_eq!(comparison.lacking_for(&block), None, "a block that names the end of all offsets fills no memory");
}

#[test]
fn from_which_height_on_all_was_compared_is_told_although_records_in_between_were_deleted() {
    let original = |offset: usize| {
        let record = &CHAIN.transactions[offset];
        Entry::of_record(0, offset as i64, record.timestamp_ms, record.key.as_deref(), record.value.as_deref()).0
    };
    let last = |height: usize| CHAIN.blocks[height].entries.last().unwrap().origin.offset as usize;
    let first_left = last(2);
    let mut comparison = Comparison::new(&[0]);
    comparison.push(0, (0..=last(1)).chain(first_left..=last(3)).map(original).collect());
    let mut check = |height: usize, low: i64| {
        let checked: Result<_, ()> = comparison.check(&CHAIN.blocks[height], |_| Ok(low));
        checked.unwrap().map(|()| comparison.from_height()).map_err(|broken| broken.reason)
    };
    assert_eq!(check(1, 0), Ok(Some(1)));
    assert_eq!(check(2, first_left as i64), Ok(None));
    assert_eq!(check(3, first_left as i64), Ok(Some(3)));
    assert_eq!(check(4, first_left as i64), Err(Reason::Transactions), "invented: nothing more was deleted");
}

#[test]
fn a_checkpoint_is_met_by_its_own_blocks_alone_and_of_several_each_must_be() {
    let last = CHAIN.blocks.len();
    assert_eq!(of_tip(&Topics::of(&CHAIN).verify().unwrap().summary.tip), checkpoint(&CHAIN.blocks));
    // What the checkpoint of so many blocks says stands in the header of the next.
    for size in 1..last {
        assert_eq!(checkpoint(&CHAIN.blocks[..size]).root, CHAIN.blocks[size].header.history, "{size} blocks");
    }
    let whole = checkpoint(&CHAIN.blocks);
    let altered = |size: usize| Checkpoint { root: Hash([9; 32]), ..checkpoint(&CHAIN.blocks[..size]) };
    for size in [1, 2, 7, last] {
        let broken = Topics::of(&CHAIN).with_checkpoints([whole.clone(), altered(size)]).verify().unwrap_err();
        assert_eq!((broken.height, broken.reason), (size as u64 - 1, Reason::Checkpoint));
        assert!(broken.detail.contains(&format!("first {size} blocks")), "{}", broken.detail);
    }
    // The smaller of two is told, in whichever order they were given.
    let broken = Topics::of(&CHAIN).with_checkpoints([altered(7), altered(2)]).verify().unwrap_err();
    assert_eq!(broken.height, 1);
    let beyond = Checkpoint { size: last as u64 + 1, ..whole.clone() };
    let broken = Topics::of(&CHAIN).with_checkpoints([whole, beyond]).verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (last as u64, Reason::Checkpoint));
    assert!(broken.detail.contains("its tail was cut"), "{}", broken.detail);
}
