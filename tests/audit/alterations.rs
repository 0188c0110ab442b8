//! Records of a block that are not those of the transactions topic, and blocks that end elsewhere: found at their
//! height and for their reason, whatever the attacker can do.
//!
//! Where an outsider made everything agree, the seal is named; where the holders of the keys did it, what they broke.

use cairn::audit::Reason::{Cut as CutReason, Form, Seal, Transactions};
use cairn::chain::{Amount, Block, Content, Cut, Entry, Hash, RejectCode};
use topology::log::{Log, TopicPartition};

use crate::attack::Skill::{Executes, ExecutesAndSeals, Hashes, Seals, Writes};
use crate::attack::{
    CONTENT, OUTCOME, RECORD, aged, altered, assert_found, assert_found_elsewhere, breach, full, height_of, is_stub,
    parts,
};
use crate::chain::{CHAIN, TRANSACTIONS, Topics};

#[test]
fn an_altered_amount() {
    let height = full();
    assert_found(
        height,
        |blocks| {
            let amount = &mut parts(&mut blocks[height].entries[0]).0.amount;
            *amount = Amount::new(amount.get() + 1).unwrap();
        },
        CONTENT,
    );
}

#[test]
fn two_swapped_amounts_between_the_same_two_accounts() {
    let accounts = |entry: &Entry| match &entry.content {
        Content::Transaction { transaction, .. } => Some((transaction.from.clone(), transaction.to.clone())),
        Content::Stub { .. } => None,
    };
    let is_pair = |pair: &[Entry]| accounts(&pair[0]).is_some() && accounts(&pair[0]) == accounts(&pair[1]);
    let height = height_of(|block| block.header.height > 4 && block.entries.windows(2).any(is_pair));
    let place = CHAIN.blocks[height].entries.windows(2).position(is_pair).unwrap();
    assert_found(
        height,
        |blocks| {
            let (one, two) = blocks[height].entries.split_at_mut(place + 1);
            std::mem::swap(&mut parts(&mut one[place]).0.amount, &mut parts(&mut two[0]).0.amount);
        },
        CONTENT,
    );
}

#[test]
fn a_dropped_transaction() {
    let height = aged();
    assert_found(height, |blocks| drop(blocks[height].entries.remove(0)), CONTENT);
}

#[test]
fn a_transaction_dropped_from_the_end_of_a_block_is_missed_by_the_next() {
    let height = aged();
    let dropped = |blocks: &mut Vec<Block>| drop(blocks[height].entries.pop());
    assert_found(height, dropped, &[(Executes, Seal)]);
    assert_found_elsewhere(height, dropped, ExecutesAndSeals, (height + 1, Transactions));
}

#[test]
fn a_transaction_dropped_from_a_full_block_leaves_a_cut_that_no_rule_makes() {
    let height = full();
    assert_found(
        height,
        |blocks| drop(blocks[height].entries.remove(1)),
        &[(Executes, Seal), (ExecutesAndSeals, CutReason)],
    );
}

#[test]
fn a_window_that_the_next_block_does_not_prove() {
    let height = height_of(|block| block.header.cut == Cut::Age);
    assert_found(
        height,
        |blocks| blocks[height].header.cut = Cut::Window,
        &[(Writes, Form), (Executes, Seal), (ExecutesAndSeals, CutReason)],
    );
}

#[test]
fn the_last_blocks_window_is_proved_by_the_record_behind_it() {
    let height = height_of(|block| block.header.cut == Cut::Age);
    let blocks = altered(&CHAIN, height, ExecutesAndSeals, |blocks| {
        blocks[height].header.cut = Cut::Window;
        blocks.truncate(height + 1);
    });
    assert_eq!(breach(&blocks), Some((height as u64, CutReason)));
    // Where it is not certain which record that was, nobody can tell.
    let topics = Topics::new(&blocks, &CHAIN.transactions);
    let behind = blocks[height].entries.last().unwrap().origin.offset + 1;
    let delete = |before| topics.log.delete_records(&TopicPartition::new(TRANSACTIONS, 0), before).unwrap();
    delete(behind);
    assert_eq!(topics.verify().unwrap_err().reason, CutReason);
    delete(behind + 1);
    assert_eq!(topics.verify().unwrap().compared_count, 0);
}

#[test]
fn another_time_or_window() {
    let height = full();
    assert_found(height, |blocks| blocks[height].header.time_ms += 1, OUTCOME);
    assert_found(height, |blocks| blocks[height].header.window = None, OUTCOME);
}

#[test]
fn another_timestamp() {
    let height = aged();
    assert_found(height, |blocks| blocks[height].entries[0].origin.timestamp_ms -= 1, RECORD);
}

#[test]
fn another_partition() {
    let height = aged();
    assert_found(
        height,
        |blocks| blocks[height].entries.iter_mut().for_each(|entry| entry.origin.partition = 1),
        RECORD,
    );
}

#[test]
fn an_invented_transaction() {
    let height = CHAIN.blocks.len() - 1;
    assert_found(
        height,
        |blocks| {
            let mut entry = blocks[height].entries[0].clone();
            entry.origin.offset = CHAIN.transactions.len() as i64;
            blocks[height].entries.push(entry);
        },
        &[(Writes, Form), (Hashes, Seal), (Executes, Seal), (ExecutesAndSeals, Transactions)],
    );
}

#[test]
fn records_below_the_first_offset_there_can_be() {
    // Below what retention left, nothing is compared: there must not be room for more.
    let entry = |blocks: &[Block], offset| {
        let mut entry = blocks[1].entries[0].clone();
        entry.origin.offset = offset;
        entry
    };
    let invented = |blocks: &mut Vec<Block>| {
        let records = [-3, -2, -1].map(|offset| entry(blocks, offset));
        blocks[1].entries.splice(0..0, records);
        blocks[1].entries.truncate(5);
    };
    assert_found(1, invented, &[(Hashes, Form), (Seals, Form)]);
    let elsewhere = |blocks: &mut Vec<Block>| {
        let mut entry = entry(blocks, 0);
        entry.origin.partition = -1;
        blocks[1].entries[0] = entry;
    };
    assert_found(1, elsewhere, &[(Hashes, Form), (Seals, Form)]);
}

#[test]
fn a_removed_stub() {
    let height = aged();
    assert_found(
        height,
        |blocks| blocks[height].entries.retain(|entry| !is_stub(entry)),
        // A stub moves nothing, so the state stays as it was: the seal is what tells.
        RECORD,
    );
}

#[test]
fn an_altered_stub() {
    let height = aged();
    let stub = |blocks: &mut Vec<Block>, alter: &dyn Fn(&mut RejectCode, &mut Option<Hash>, &mut Hash)| {
        let entry = blocks[height].entries.iter_mut().find(|entry| is_stub(entry)).unwrap();
        let Content::Stub { reason, key } = &mut entry.content else { panic!() };
        alter(reason, key, &mut entry.original);
    };
    assert_found(height, |blocks| stub(blocks, &|reason, _, _| *reason = RejectCode::NullValue), RECORD);
    assert_found(height, |blocks| stub(blocks, &|_, key, _| key.as_mut().unwrap().0[0] ^= 1), RECORD);
    assert_found(height, |blocks| stub(blocks, &|_, key, _| *key = None), RECORD);
    assert_found(height, |blocks| stub(blocks, &|_, _, original| original.0[0] ^= 1), RECORD);
}

#[test]
fn a_transaction_called_unreadable() {
    let height = aged();
    let called = |blocks: &mut Vec<Block>| {
        let entry = &mut blocks[height].entries[0];
        entry.content = Content::Stub { reason: RejectCode::NullValue, key: Some(Hash::of(b"key")) };
    };
    assert_found(height, called, &[(Writes, Form), (Hashes, Seal), (Executes, Seal), (ExecutesAndSeals, Transactions)]);
}

#[test]
fn another_hash_of_the_original() {
    let height = aged();
    assert_found(height, |blocks| blocks[height].entries[0].original.0[31] ^= 1, RECORD);
}
