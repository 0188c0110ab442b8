//! Every alteration of a block or of its place is found, at its height and for its reason, whatever the attacker can do.
//!
//! Where an outsider made everything agree, the seal is named; where the holders of the keys did it, what they broke.

use cairn::audit::Reason::{Cut as CutReason, Execution, Form, Height, Parent, Rounds, Seal, Transactions};
use cairn::chain::{
    Amount, Block, Content, Cut, Entry, Evidence, Hash, Operation, Outcome, ReasonCode, Receipt, RejectCode,
    Transaction, ValidatorId,
};
use cairn::consensus::KeySet;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::attack::Skill::{Executes, ExecutesAndSeals, Hashes, Seals, Writes};
use crate::attack::{altered, assert_found, breach, height_of, seal};
use crate::chain::{CHAIN, Topics};

fn is_stub(entry: &Entry) -> bool {
    matches!(entry.content, Content::Stub { .. })
}

fn parts(entry: &mut Entry) -> (&mut Transaction, &mut Receipt) {
    match &mut entry.content {
        Content::Transaction { transaction, receipt } => (transaction, receipt),
        Content::Stub { .. } => panic!("a stub"),
    }
}

fn is_slash(operation: &Operation) -> bool {
    matches!(operation, Operation::Slash { .. })
}

/// A block that is full, in the midst of the chain.
fn full() -> usize {
    height_of(|block| block.header.height > 4 && block.header.cut == Cut::Transactions)
}

/// A block that ends by a recorded decision, so that nothing in it tells how many records it must have.
fn aged() -> usize {
    height_of(|block| block.header.height > 4 && block.header.cut == Cut::Age && block.entries.iter().any(is_stub))
}

fn slashing() -> usize {
    height_of(|block| block.operations.iter().any(is_slash))
}

#[test]
fn an_altered_amount() {
    let height = full();
    assert_found(
        height,
        |blocks| {
            let amount = &mut parts(&mut blocks[height].entries[0]).0.amount;
            *amount = Amount::new(amount.get() + 1).unwrap();
        },
        &[
            (Writes, height, Form),
            (Hashes, height, Seal),
            (Executes, height, Seal),
            (Seals, height, Execution),
            (ExecutesAndSeals, height, Transactions),
        ],
    );
}

#[test]
fn two_swapped_amounts_between_the_same_two_accounts() {
    let height = full();
    assert_found(
        height,
        |blocks| {
            let (one, two) = blocks[height].entries.split_at_mut(1);
            let (one, two) = (parts(&mut one[0]).0, parts(&mut two[0]).0);
            assert_eq!((&one.from, &one.to), (&two.from, &two.to));
            std::mem::swap(&mut one.amount, &mut two.amount);
        },
        &[
            (Writes, height, Form),
            (Hashes, height, Seal),
            (Executes, height, Seal),
            (Seals, height, Execution),
            (ExecutesAndSeals, height, Transactions),
        ],
    );
}

#[test]
fn a_dropped_transaction() {
    let height = aged();
    assert_found(
        height,
        |blocks| drop(blocks[height].entries.remove(0)),
        &[
            (Writes, height, Form),
            (Hashes, height, Seal),
            (Executes, height, Seal),
            (Seals, height, Execution),
            (ExecutesAndSeals, height, Transactions),
        ],
    );
}

#[test]
fn a_transaction_dropped_from_the_end_of_a_block_is_missed_by_the_next() {
    let height = aged();
    assert_found(
        height,
        |blocks| drop(blocks[height].entries.pop()),
        &[(Executes, height, Seal), (ExecutesAndSeals, height + 1, Transactions)],
    );
}

#[test]
fn a_transaction_dropped_from_a_full_block_leaves_a_cut_that_no_rule_makes() {
    let height = full();
    assert_found(
        height,
        |blocks| drop(blocks[height].entries.remove(1)),
        &[(Executes, height, Seal), (ExecutesAndSeals, height, CutReason)],
    );
}

#[test]
fn a_window_that_the_next_block_does_not_prove() {
    let height = height_of(|block| block.header.cut == Cut::Age);
    assert_found(
        height,
        |blocks| blocks[height].header.cut = Cut::Window,
        &[(Writes, height, Form), (Executes, height, Seal), (ExecutesAndSeals, height, CutReason)],
    );
}

#[test]
fn another_time_or_window() {
    let height = full();
    let expected = [(Writes, height, Form), (Hashes, height, Seal), (Seals, height, Execution)];
    assert_found(height, |blocks| blocks[height].header.time_ms += 1, &expected);
    assert_found(height, |blocks| blocks[height].header.window = None, &expected);
}

#[test]
fn another_timestamp() {
    let height = aged();
    assert_found(
        height,
        |blocks| blocks[height].entries[0].origin.timestamp_ms -= 1,
        &[(Writes, height, Form), (Hashes, height, Seal), (ExecutesAndSeals, height, Transactions)],
    );
}

#[test]
fn another_partition() {
    let height = aged();
    assert_found(
        height,
        |blocks| blocks[height].entries.iter_mut().for_each(|entry| entry.origin.partition = 1),
        &[(Writes, height, Form), (Hashes, height, Seal), (ExecutesAndSeals, height, Transactions)],
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
        &[
            (Writes, height, Form),
            (Hashes, height, Seal),
            (Executes, height, Seal),
            (ExecutesAndSeals, height, Transactions),
        ],
    );
}

#[test]
fn two_blocks_in_each_others_place() {
    let height = full();
    assert_found(height, |blocks| blocks.swap(height, height + 1), &[(Writes, height, Height)]);
    // Heights renumbered: the seed of the first does not follow from the block before.
    let renumbered = |blocks: &mut Vec<Block>| {
        blocks.swap(height, height + 1);
        (blocks[height].header.height, blocks[height + 1].header.height) = (height as u64, height as u64 + 1);
    };
    assert_found(height, renumbered, &[(Writes, height, Form), (Hashes, height, Rounds), (Seals, height, Rounds)]);
    // Their records alone: offsets must not go back.
    let records = |blocks: &mut Vec<Block>| {
        let (one, two) = blocks.split_at_mut(height + 1);
        std::mem::swap(&mut one[height].entries, &mut two[0].entries);
        std::mem::swap(&mut one[height].header.cut, &mut two[0].header.cut);
    };
    assert_found(
        height,
        records,
        &[(Writes, height, Form), (Hashes, height, Seal), (ExecutesAndSeals, height, Transactions)],
    );
}

#[test]
fn a_forged_seal() {
    let height = full();
    type Forgery = fn(&mut Block, &Block);
    let forgeries: [(&str, Forgery); 9] = [
        ("another scheme", |block, _| block.seal.as_mut().unwrap().scheme = 9),
        ("signature with a flipped bit", |block, _| block.seal.as_mut().unwrap().signature[5] ^= 1),
        ("attestation with a flipped bit", |block, _| block.seal.as_mut().unwrap().attestation[5] ^= 1),
        ("another block's attestation", |block, other| {
            block.seal.as_mut().unwrap().attestation = other.seal.as_ref().unwrap().attestation;
        }),
        ("another block's reveal", |block, other| {
            block.seal.as_mut().unwrap().reveal = other.seal.as_ref().unwrap().reveal;
        }),
        ("another block's seal", |block, other| block.seal = other.seal.clone()),
        ("a signer less", |block, _| {
            let seal = block.seal.as_mut().unwrap();
            let last = seal.signers.places().max().unwrap();
            seal.signers = seal.signers.places().filter(|place| *place != last).map(|place| place as u16).collect();
        }),
        ("a signer that the committee does not have", |block, _| block.seal.as_mut().unwrap().signers.insert(700)),
        ("keys of another committee", |block, _| {
            let (keys, _) = KeySet::default_committee(&mut ChaCha8Rng::seed_from_u64(99)).unwrap();
            seal(block, &keys);
        }),
    ];
    for (name, forge) in forgeries {
        let mut blocks = CHAIN.blocks.clone();
        let other = blocks[height - 1].clone();
        forge(&mut blocks[height], &other);
        assert_ne!(blocks, CHAIN.blocks, "{name}");
        assert_eq!(breach(&blocks), Some((height as u64, Seal)), "{name}");
    }
}

#[test]
fn a_block_without_a_seal() {
    let height = full();
    let unsealed = |blocks: &mut Vec<Block>| blocks[height].seal = None;
    assert_found(height, unsealed, &[(Writes, height, Form), (Hashes, height, Form)]);
}

#[test]
fn an_old_block_at_a_new_height() {
    let (old, tip) = (full(), CHAIN.blocks.len());
    // As it is: its height is there twice.
    assert_found(tip, |blocks| blocks.push(blocks[old].clone()), &[(Writes, old, Height)]);
    let renumbered = |blocks: &mut Vec<Block>| {
        let mut block = blocks[old].clone();
        block.header.height = tip as u64;
        blocks.push(block);
    };
    assert_found(tip, renumbered, &[(Writes, tip, Form), (Hashes, tip, Parent), (Seals, tip, Parent)]);
    let at_another_place = |blocks: &mut Vec<Block>| {
        let mut block = blocks[old].clone();
        block.header.height = tip as u64 - 1;
        blocks[tip - 1] = block;
    };
    assert_found(tip - 1, at_another_place, &[(Writes, tip - 1, Form), (Hashes, tip - 1, Parent)]);
    // With offsets that go on, the seed still does not.
    let moved_on = |blocks: &mut Vec<Block>| {
        renumbered(blocks);
        blocks[tip].entries.iter_mut().for_each(|entry| entry.origin.offset += 1_000);
    };
    assert_found(tip, moved_on, &[(Hashes, tip, Rounds), (Seals, tip, Rounds)]);
}

#[test]
fn an_altered_receipt() {
    let height = full();
    let expected = [(Writes, height, Form), (Hashes, height, Seal), (Seals, height, Execution)];
    assert_found(height, |blocks| parts(&mut blocks[height].entries[0]).1.to_balance += 1, &expected);
    let rejected = Outcome::Rejected(ReasonCode::Expired);
    assert_found(height, |blocks| parts(&mut blocks[height].entries[0]).1.outcome = rejected, &expected);
}

#[test]
fn an_unsaid_or_altered_slash() {
    let height = slashing();
    let round = CHAIN.blocks[height].operations.iter().position(is_slash).unwrap();
    let expected = [(Writes, height, Form), (Hashes, height, Rounds), (Seals, height, Rounds)];
    assert_found(height, |blocks| drop(blocks[height].operations.remove(round)), &expected);
    let without_its_round = |blocks: &mut Vec<Block>| {
        blocks[height].operations.remove(round);
        blocks[height].header.round -= 1;
    };
    assert_found(height, without_its_round, &expected);
    let called_missed = |blocks: &mut Vec<Block>| {
        let Operation::Slash { round: of, validator, .. } = blocks[height].operations[round].clone() else { panic!() };
        blocks[height].operations[round] = Operation::Missed { round: of, validator };
    };
    // Who keeps its stake takes part in the next round's draw: another proposer is due.
    assert_found(height, called_missed, &expected);
    let cheaper = |blocks: &mut Vec<Block>| {
        let Operation::Slash { amount, .. } = &mut blocks[height].operations[round] else { panic!() };
        *amount -= 1;
    };
    assert_found(height, cheaper, &expected);
    let somebody_else = |blocks: &mut Vec<Block>| {
        let Operation::Slash { validator, .. } = &mut blocks[height].operations[round] else { panic!() };
        *validator = ValidatorId::new("validator-2").unwrap();
    };
    assert_found(height, somebody_else, &expected);
    let without_proof = |blocks: &mut Vec<Block>| {
        let Operation::Slash { evidence, .. } = &mut blocks[height].operations[round] else { panic!() };
        let Evidence::Refusal { signature, .. } = evidence.as_mut() else { panic!("another kind of evidence") };
        signature[7] ^= 1;
    };
    assert_found(height, without_proof, &expected);
}

#[test]
fn a_slash_said_twice() {
    let (first, height) = (slashing(), CHAIN.blocks.len() - 1);
    let slash = CHAIN.blocks[first].operations.iter().find(|operation| is_slash(operation)).unwrap();
    let again = |blocks: &mut Vec<Block>| blocks[height].operations.push(slash.clone());
    assert_found(height, again, &[(Writes, height, Form), (Hashes, height, Rounds), (Seals, height, Rounds)]);
}

#[test]
fn an_unsaid_missed_round() {
    let is_missed = |operation: &Operation| matches!(operation, Operation::Missed { .. });
    let height = height_of(|block| block.operations.iter().any(is_missed));
    let unsaid = |blocks: &mut Vec<Block>| blocks[height].operations.retain(|operation| !is_missed(operation));
    assert_found(height, unsaid, &[(Writes, height, Form), (Hashes, height, Rounds), (Seals, height, Rounds)]);
}

#[test]
fn an_added_or_altered_or_missing_reward() {
    let height = full();
    let expected = [(Writes, height, Form), (Hashes, height, Seal), (Seals, height, Execution)];
    let reward = |blocks: &mut Vec<Block>| {
        let last = blocks[height].operations.len() - 1;
        assert!(matches!(blocks[height].operations[last], Operation::Reward { .. }));
        last
    };
    let twice = |blocks: &mut Vec<Block>| {
        let last = reward(blocks);
        let again = blocks[height].operations[last].clone();
        blocks[height].operations.push(again);
    };
    assert_found(height, twice, &expected);
    let higher = |blocks: &mut Vec<Block>| {
        let last = reward(blocks);
        let Operation::Reward { amount, .. } = &mut blocks[height].operations[last] else { panic!() };
        *amount = Amount::new(1_000).unwrap();
    };
    assert_found(height, higher, &expected);
    assert_found(height, |blocks| drop(blocks[height].operations.pop()), &expected);
}

#[test]
fn a_removed_stub() {
    let height = aged();
    assert_found(
        height,
        |blocks| blocks[height].entries.retain(|entry| !is_stub(entry)),
        // A stub moves nothing, so the state stays as it was: the seal is what tells.
        &[(Writes, height, Form), (Hashes, height, Seal), (ExecutesAndSeals, height, Transactions)],
    );
}

#[test]
fn an_altered_stub() {
    let height = aged();
    let expected = [(Writes, height, Form), (Hashes, height, Seal), (ExecutesAndSeals, height, Transactions)];
    let stub = |blocks: &mut Vec<Block>, alter: &dyn Fn(&mut RejectCode, &mut Hash, &mut Hash, &mut Hash)| {
        let entry = blocks[height].entries.iter_mut().find(|entry| is_stub(entry)).unwrap();
        let Content::Stub { reason, key, value } = &mut entry.content else { panic!() };
        alter(reason, key, value, &mut entry.original);
    };
    assert_found(height, |blocks| stub(blocks, &|reason, _, _, _| *reason = RejectCode::NullValue), &expected);
    assert_found(height, |blocks| stub(blocks, &|_, key, _, _| key.0[0] ^= 1), &expected);
    let both = |_: &mut RejectCode, _: &mut Hash, value: &mut Hash, original: &mut Hash| {
        value.0[0] ^= 1;
        *original = *value;
    };
    assert_found(height, |blocks| stub(blocks, &both), &expected);
    // The two must be one.
    let one = |_: &mut RejectCode, _: &mut Hash, value: &mut Hash, _: &mut Hash| value.0[0] ^= 1;
    assert_found(height, |blocks| stub(blocks, &one), &[(Hashes, height, Form), (Seals, height, Form)]);
}

#[test]
fn a_transaction_called_unreadable() {
    let height = aged();
    let called = |blocks: &mut Vec<Block>| {
        let entry = &mut blocks[height].entries[0];
        let value = entry.original;
        entry.content = Content::Stub { reason: RejectCode::NullValue, key: Hash::of(b"key"), value };
    };
    assert_found(
        height,
        called,
        &[
            (Writes, height, Form),
            (Hashes, height, Seal),
            (Executes, height, Seal),
            (ExecutesAndSeals, height, Transactions),
        ],
    );
}

#[test]
fn another_hash_of_the_original() {
    let height = aged();
    assert_found(
        height,
        |blocks| blocks[height].entries[0].original.0[31] ^= 1,
        &[(Writes, height, Form), (Hashes, height, Seal), (ExecutesAndSeals, height, Transactions)],
    );
}

#[test]
fn a_missing_block() {
    for height in [0, 1, full()] {
        let mut blocks = CHAIN.blocks.clone();
        blocks.remove(height);
        assert_eq!(breach(&blocks), Some((height as u64, Height)));
    }
    // Renumbered, the one behind follows another parent; with the parent set, it goes on from another seed.
    let height = full();
    let closed = |blocks: &mut Vec<Block>| {
        blocks.remove(height);
        for (at, block) in blocks.iter_mut().enumerate() {
            block.header.height = at as u64;
        }
    };
    assert_found(height, closed, &[(Writes, height, Form), (Hashes, height, Rounds), (Seals, height, Rounds)]);
}

#[test]
fn a_block_written_twice_is_found_before_and_after_compaction() {
    let height = full();
    for at in [height + 1, CHAIN.blocks.len()] {
        let mut blocks = CHAIN.blocks.clone();
        blocks.insert(at, blocks[height].clone());
        assert_eq!(breach(&blocks), Some((height as u64, Height)));
    }
    // Compaction leaves the later one, out of its place.
    let mut blocks = CHAIN.blocks.clone();
    blocks.push(blocks[height].clone());
    let topics = Topics::new(&blocks, &CHAIN.transactions);
    topics.log.compact(crate::chain::BLOCKCHAIN).unwrap();
    let broken = topics.verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (height as u64, Height), "{}", broken.detail);
}

#[test]
fn a_record_that_is_no_block() {
    let mut record = crate::chain::record(&CHAIN.blocks[0]);
    for (key, value) in [(b"1", record.value.clone()), (b"0", None), (b"0", Some(vec![0xff]))] {
        let key = Some(key.to_vec());
        (record.key, record.value) = (key, value);
        let topics = Topics::new(&CHAIN.blocks, &CHAIN.transactions);
        topics.append(crate::chain::BLOCKCHAIN, std::slice::from_ref(&record));
        let broken = topics.verify().unwrap_err();
        assert_eq!((broken.height, broken.reason), (CHAIN.blocks.len() as u64, Form), "{}", broken.detail);
    }
}

#[test]
fn of_two_breaches_the_lower_is_named_although_seals_are_checked_late() {
    let height = full();
    let mut blocks = altered(&CHAIN, height + 2, Writes, |blocks| {
        parts(&mut blocks[height + 2].entries[0]).1.to_balance += 1;
    });
    blocks[height].seal.as_mut().unwrap().signature[5] ^= 1;
    assert_eq!(breach(&blocks), Some((height as u64, Seal)));
}
