//! What executing the records gave, and what became of failed rounds, told otherwise: found at its height and for its
//! reason.

use cairn::chain::{Amount, Block, Evidence, Operation, Outcome, ReasonCode, ValidatorId};

use crate::attack::{OUTCOME, ROUNDS, assert_found, full, height_of, parts};
use crate::chain::CHAIN;

fn is_slash(operation: &Operation) -> bool {
    matches!(operation, Operation::Slash { .. })
}

fn slashing() -> usize {
    height_of(|block| block.operations.iter().any(is_slash))
}

#[test]
fn an_altered_receipt() {
    let height = full();
    assert_found(height, |blocks| parts(&mut blocks[height].entries[0]).1.to_balance += 1, OUTCOME);
    let rejected = Outcome::Rejected(ReasonCode::Expired);
    assert_found(height, |blocks| parts(&mut blocks[height].entries[0]).1.outcome = rejected, OUTCOME);
}

#[test]
fn an_unsaid_or_altered_slash() {
    let height = slashing();
    let round = CHAIN.blocks[height].operations.iter().position(is_slash).unwrap();
    assert_found(height, |blocks| drop(blocks[height].operations.remove(round)), ROUNDS);
    let without_its_round = |blocks: &mut Vec<Block>| {
        blocks[height].operations.remove(round);
        blocks[height].header.stake_mut().unwrap().round -= 1;
    };
    assert_found(height, without_its_round, ROUNDS);
    let called_missed = |blocks: &mut Vec<Block>| {
        let Operation::Slash { round: of, validator, .. } = blocks[height].operations[round].clone() else { panic!() };
        blocks[height].operations[round] = Operation::Missed { round: of, validator };
    };
    // Who keeps its stake takes part in the next round's draw: another proposer is due.
    assert_found(height, called_missed, ROUNDS);
    let cheaper = |blocks: &mut Vec<Block>| {
        let Operation::Slash { amount, .. } = &mut blocks[height].operations[round] else { panic!() };
        *amount -= 1;
    };
    assert_found(height, cheaper, ROUNDS);
    let somebody_else = |blocks: &mut Vec<Block>| {
        let Operation::Slash { validator, .. } = &mut blocks[height].operations[round] else { panic!() };
        *validator = ValidatorId::new("validator-2").unwrap();
    };
    assert_found(height, somebody_else, ROUNDS);
    let without_proof = |blocks: &mut Vec<Block>| {
        let Operation::Slash { evidence, .. } = &mut blocks[height].operations[round] else { panic!() };
        let Evidence::Refusal { signature, .. } = evidence.as_mut() else { panic!("another kind of evidence") };
        signature[7] ^= 1;
    };
    assert_found(height, without_proof, ROUNDS);
}

#[test]
fn a_slash_said_twice() {
    let (first, height) = (slashing(), CHAIN.blocks.len() - 1);
    let slash = CHAIN.blocks[first].operations.iter().find(|operation| is_slash(operation)).unwrap();
    let again = |blocks: &mut Vec<Block>| blocks[height].operations.push(slash.clone());
    assert_found(height, again, ROUNDS);
}

#[test]
fn an_unsaid_missed_round() {
    let is_missed = |operation: &Operation| matches!(operation, Operation::Missed { .. });
    let height = height_of(|block| block.operations.iter().any(is_missed));
    let unsaid = |blocks: &mut Vec<Block>| blocks[height].operations.retain(|operation| !is_missed(operation));
    assert_found(height, unsaid, ROUNDS);
}

#[test]
fn an_added_or_altered_or_missing_reward() {
    let height = full();
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
    assert_found(height, twice, OUTCOME);
    let higher = |blocks: &mut Vec<Block>| {
        let last = reward(blocks);
        let Operation::Reward { amount, .. } = &mut blocks[height].operations[last] else { panic!() };
        *amount = Amount::new(1_000).unwrap();
    };
    assert_found(height, higher, OUTCOME);
    assert_found(height, |blocks| drop(blocks[height].operations.pop()), OUTCOME);
}
