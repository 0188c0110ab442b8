//! What a second implementation says of these chains, which was written from the pages of `docs` alone: `check.py
//! --execute`.

use std::io::Write;
use std::process::{Command, Stdio};

use cairn::chain::{Block, Cut, Hash, Operation, Rendering};

use crate::attack::{Skill, altered, full, height_of, parts};
use crate::chain::CHAIN;

/// The code it exits with, and its report.
pub(crate) fn told(blocks: &[Block]) -> (Option<i32>, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/checker/check.py");
    let mut command = Command::new("python3");
    command.args([script, "--execute"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("the checker needs python3: {error}"));
    let lines: String = blocks.iter().map(|block| format!("{}\t{}\n", block.key(), block.to_json())).collect();
    // It stops reading at the first breach, which closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_second_implementation_computes_the_same_receipts_operations_draws_and_state_roots() {
    let (code, report) = told(&CHAIN.blocks);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.starts_with(&format!("intact: {} blocks, ", CHAIN.blocks.len())), "{report}");
}

/// The alteration from this height on, with all hashes made to agree: where and for what it is found.
#[track_caller]
fn assert_told(height: usize, alter: impl FnOnce(&mut Vec<Block>), reason: &str) {
    let (code, report) = told(&altered(&CHAIN, height, Skill::Hashes, alter));
    assert_eq!(code, Some(1), "{report}");
    assert!(report.starts_with(&format!("height {height}: {reason}")), "{report}");
}

#[test]
fn a_second_implementation_finds_what_the_rules_do_not_give() {
    let height = full();
    assert_told(height, |blocks| parts(&mut blocks[height].entries[0]).1.to_balance += 1, "receipt of offset ");
    assert_told(height, |blocks| blocks[height].header.state_root = Hash::ZERO, "state root is ");
    assert_told(height, |blocks| blocks[height].header.time_ms += 1, "time_ms is ");
    assert_told(height, |blocks| blocks[height].header.cut = Cut::End, "cut end: ");
    assert_told(height, |blocks| blocks[height].header.stake_mut().unwrap().seed = Hash::ZERO, "seed is ");
    assert_told(height, |blocks| drop(blocks[height].operations.pop()), "operations is ");

    let missed = |operation: &Operation| matches!(operation, Operation::Missed { .. });
    let height = height_of(|block| block.operations.first().is_some_and(missed));
    assert_told(height, |blocks| drop(blocks[height].operations.remove(0)), "round ");
    let slashed = |operation: &Operation| matches!(operation, Operation::Slash { .. });
    let height = height_of(|block| block.operations.iter().any(slashed));
    let kept_a_unit = |blocks: &mut Vec<Block>| {
        for operation in &mut blocks[height].operations {
            if let Operation::Slash { amount, .. } = operation {
                *amount -= 1;
            }
        }
    };
    assert_told(height, kept_a_unit, "amount of the slash is ");
}
