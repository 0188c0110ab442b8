//! Blocks in the shape of the two systems this one grew from, beside the chain: by checks that know nothing but theirs.

use std::io::Write;
use std::process::{Command, Stdio};

use cairn::chain::{Content, Hash, Outcome};
use cairn::consensus::Fault;

use crate::chain::Topics;
use crate::work::{CLASSIC, MINED, Run, STAKED};

/// The exit code of a checker that knows only one of the two systems' rules, and what it says.
fn judged(script: &str, lines: &[String]) -> (Option<i32>, String) {
    let script = format!("{}/tests/checker/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("python3");
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("the checker needs python3: {error}"));
    // It stops reading at the first block that is not valid, which closes the pipe.
    let _ = child.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[track_caller]
fn assert_valid(script: &str, lines: &[String]) {
    assert_eq!(judged(script, lines), (Some(0), format!("{} blocks\n", lines.len())));
}

/// Transactions arrive in small pieces, and the process dies again and again.
fn crashing(variables: &[(&str, &str)], faults: &[(&str, Fault)]) -> Run {
    let mut run = Run::new(variables, faults);
    for number in 0..40 {
        run.transfer(["alice", "zo\u{eb}"][number % 2], "bob \"the\" \u{1f98a}", 1 + number as u64);
        match number % 5 {
            1 | 4 => run.crash(),
            2 => run.commit(),
            _ => {}
        }
    }
    run.end();
    assert_eq!(run.classic().len(), run.chain().blocks.len(), "one for every block, whatever was aborted");
    assert!(run.driver.aborted().iter().any(|(topic, _)| topic == CLASSIC), "some were aborted");
    run
}

#[test]
fn work_classic_blocks_pass_the_checks_of_the_system_in_python_also_after_crashes() {
    let run = crashing(&MINED, &[]);
    let classic = run.classic();
    assert_valid("classic_work.py", &classic);
    let transactions = |line: &String| {
        let block: serde_json::Value = serde_json::from_str(line).unwrap();
        block["transactions"].as_array().unwrap().clone()
    };
    // Every transaction once, in order, and a reward of 1 from "0" at the end of each block.
    let mut amounts = Vec::new();
    for line in &classic[1..] {
        let mut transactions = transactions(line);
        let reward = transactions.pop().unwrap();
        assert_eq!(reward, serde_json::json!({ "sender": "0", "recipient": "ann", "amount": 1 }));
        amounts.extend(transactions.iter().map(|transaction| transaction["amount"].as_u64().unwrap()));
    }
    assert_eq!(amounts, (1..=40).collect::<Vec<_>>());
    assert_eq!(Topics::of(&run.chain()).verify().unwrap().compared_count, 40);
}

#[test]
fn stake_classic_blocks_name_the_hash_of_the_whole_block_before_also_after_crashes() {
    let run = crashing(&STAKED, &[("validator-2", Fault::Silent)]);
    let classic = run.classic();
    assert_valid("classic_stake.py", &classic);
    let proposers: Vec<String> =
        run.chain().blocks[1..].iter().map(|block| block.header.proposer().unwrap().to_string()).collect();
    let named = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["Validator"].clone();
    assert_eq!(classic[1..].iter().map(named).collect::<Vec<_>>(), proposers, "somebody is always drawn");
}

#[test]
fn what_the_two_systems_did_not_notice_is_noticed() {
    for (script, variables) in [("classic_work.py", MINED.as_slice()), ("classic_stake.py", &STAKED)] {
        let classic = crashing(variables, &[]).classic();
        let place = 3;
        let altered = |from: &str, to: &str| {
            let mut lines = classic.clone();
            lines[place] = lines[place].replacen(from, to, 1);
            assert_ne!(lines, classic, "{from}");
            lines
        };
        // Two amounts swapped, so that their sum is what it was.
        let block: serde_json::Value = serde_json::from_str(&classic[place]).unwrap();
        let name = if script.contains("work") { "amount" } else { "Amount" };
        let list = if script.contains("work") { "transactions" } else { "Transactions" };
        let amount = |at: usize| format!("\"{name}\": {},", block[list][at][name]);
        let (one, two) = (amount(0), amount(1));
        let mut swapped = classic.clone();
        swapped[place] = swapped[place].replacen(&one, "\0", 1).replacen(&two, &one, 1).replacen('\0', &two, 1);
        assert_ne!(swapped, classic);
        assert_eq!(judged(script, &swapped).0, Some(1), "{script}: swapped");
        assert_eq!(judged(script, &altered(": \"alice\"", ": \"mallory\"")).0, Some(1), "{script}: renamed");
        // A batch that is lost, a batch that comes twice, two miners' blocks for one place.
        let mut lost = classic.clone();
        lost.remove(place);
        assert_eq!(judged(script, &lost).0, Some(1), "{script}: lost");
        let mut twice = classic.clone();
        twice.insert(place, classic[place].clone());
        assert_eq!(judged(script, &twice).0, Some(1), "{script}: twice");
    }
}

#[test]
fn work_nobody_pays_what_it_has_not_and_nobody_is_rewarded_by_a_transaction() {
    let strict = [MINED.as_slice(), &[("CAIRN_BALANCES", "strict")]].concat();
    let mut run = Run::new(&strict, &[]);
    for (from, to) in [("alice", "bob"), ("0", "mallory"), ("alice", "0")] {
        run.transfer(from, to, 1);
    }
    run.commit();
    let chain = run.chain();
    for entry in &chain.blocks[1].entries {
        let Content::Transaction { receipt, .. } = &entry.content else { panic!("a stub") };
        assert!(matches!(receipt.outcome, Outcome::Rejected(_)));
    }
    assert!(run.classic()[1].ends_with(r#""transactions": []}"#), "{}", run.classic()[1]);
    assert_valid("classic_work.py", &run.classic());
    assert_eq!(Topics::of(&chain).verify().unwrap().summary.supply.minted, 0, "for nothing there is no reward");
}

#[test]
fn the_same_input_gives_the_same_classic_blocks_whatever_the_clock_says() {
    for variables in [MINED.as_slice(), &STAKED] {
        let run = |pause_ms: u64| {
            let mut run = Run::new(variables, &[]);
            for number in 0..12 {
                run.transfer("alice", "bob", 1 + number);
                run.driver.advance_clock(pause_ms as i64).unwrap();
                run.commit();
            }
            run.classic()
        };
        assert_eq!(run(0), run(20));
    }
}

#[test]
fn classic_blocks_are_written_from_the_beginning_and_behind_their_own_last_one_or_not_at_all() {
    for variables in [MINED.as_slice(), &STAKED] {
        let mut run = Run::new(variables, &[]);
        for _ in 0..6 {
            run.transfer("alice", "bob", 1);
        }
        run.commit();
        let whole = run.tail.0.lock().unwrap().classic.clone();
        let text = |place: usize| String::from_utf8(whole[place].clone()).unwrap();
        let is_of_work = text(1).contains("index");
        let [index, amount] = if is_of_work { ["index", "amount"] } else { ["Index", "Amount"] };
        let first = u64::from(is_of_work);
        let numbered = |height: u64| format!("{{\"{index}\": {}}}", height + first).into_bytes();
        // What somebody else writes behind the last one, or in its place.
        let behind = |values: &[Vec<u8>]| [&whole[..], values].concat();
        let instead = |values: &[Vec<u8>]| [&whole[..2], values].concat();
        let hash = |value: &[u8]| Hash::of(value).to_string();
        let altered = text(2).replacen(&format!("\"{amount}\": 1"), &format!("\"{amount}\": 7"), 1).into_bytes();
        let unlinked = text(2).replace(&hash(&whole[1]), &hash(b"another")).into_bytes();
        assert!(altered != whole[2] && unlinked != whole[2]);
        for (forged, says) in [
            (Vec::new(), "holds no block, the chain ends at height 2"),
            (whole[..2].to_vec(), "ends at height 1, the chain ends at height 2"),
            (behind(&[numbered(3)]), "ends at height 3"),
            (behind(&[b"hello".to_vec()]), "no classic block"),
            (behind(&[format!("[{}]", 2 + first).into_bytes()]), "no classic block"),
            // Of the chain's height, and none of its blocks.
            (behind(&[numbered(2)]), "no classic block"),
            // The chain's own, but for what was paid, or for the block before, or a second time.
            (instead(std::slice::from_ref(&altered)), "no classic block"),
            (behind(&[altered]), "no classic block"),
            (instead(&[unlinked]), "no classic block"),
            (behind(&[whole[2].clone()]), "no classic block"),
            (vec![whole[2].clone()], "no classic block"),
        ] {
            run.tail.0.lock().unwrap().classic = forged;
            let refused = run.driver.abort().and_then(|()| run.driver.commit()).unwrap_err().to_string();
            assert!(refused.contains(says) && !refused.contains('\n'), "{says}: {refused}");
        }
        run.tail.0.lock().unwrap().classic = whole;
        run.crash();
        run.transfer("alice", "bob", 1);
        run.end();
        assert_eq!(run.classic().len(), 4);
    }
}
