//! Chains that were mined, and classic blocks beside the chain.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

use cairn::chain::{Block, ConsensusKind, Content, Genesis, Hash, Operation, Outcome, Read};
use cairn::classic::Kind;
use cairn::config::{ChainParameters, Environment, File, genesis, keys};
use cairn::consensus::{Fault, KeySet, Sealer};
use cairn::sealing::{Application, Classic, ClassicTail, Miners, Setup};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use topology::test_driver::TestDriver;

use crate::chain::{BLOCKCHAIN, Chain, TRANSACTIONS, Topics};
use crate::replay::replay_on;
use crate::stranger::told;

const CLASSIC: &str = "classic";
const START_MS: i64 = 1_700_000_000_000;

/// A block per three transactions and a reward of one, mined by the rule of the system in Python.
pub(crate) const MINED: [(&str, &str); 6] = [
    ("CAIRN_CONSENSUS", "work"),
    ("CAIRN_WORK_RULE", "classic"),
    ("CAIRN_REWARD", "1"),
    ("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"),
    ("CAIRN_BLOCK_WINDOW_MS", "0"),
    ("CAIRN_BLOCK_MAX_AGE_MS", "100"),
];
/// A block per three transactions and a fee of seven.
const STAKED: [(&str, &str); 3] =
    [("CAIRN_FEE", "7"), ("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"), ("CAIRN_BLOCK_WINDOW_MS", "0")];

/// The genesis that somebody gets who sets these variables and nothing else, with its keys, of which a chain of work has none.
pub(crate) fn configured(variables: &[(&str, &str)]) -> (Genesis, KeySet) {
    let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let asked = ChainParameters::collect(&File::default(), &Environment::new(pairs)).unwrap();
    let keys = match asked.consensus().unwrap() {
        ConsensusKind::Stake => keys::default(&mut ChaCha8Rng::seed_from_u64(11)).unwrap(),
        ConsensusKind::Work => keys::none().unwrap(),
    };
    (genesis::default("cairn".to_owned(), &keys, &asked).unwrap(), keys)
}

/// The end of the classic topic, as far as it is committed.
#[derive(Clone, Default)]
struct Tail(Arc<Mutex<Option<Vec<u8>>>>);

impl ClassicTail for Tail {
    fn last(&self) -> topology::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// A chain that is being sealed, with classic blocks beside it where there can be any.
struct Run {
    driver: TestDriver,
    genesis: Genesis,
    tail: Tail,
    next_ms: i64,
}

impl Run {
    fn new(variables: &[(&str, &str)], faults: &[(&str, Fault)]) -> Self {
        let (genesis, keys) = configured(variables);
        let faults: Vec<_> = faults.iter().map(|(id, fault)| (id.parse().unwrap(), *fault)).collect();
        let sealer = match genesis.parameters.consensus.kind() {
            ConsensusKind::Stake => Sealer::local(&genesis, keys, &faults).unwrap(),
            ConsensusKind::Work => Sealer::miner(&genesis, "ann".parse().unwrap()).unwrap(),
        };
        let tail = Tail::default();
        let application = Application::new(Setup {
            sealer,
            miners: Miners::at_once(),
            classic: Kind::of(&genesis.parameters).ok().map(|kind| Classic {
                topic: CLASSIC.into(),
                kind,
                tail: Some(Box::new(tail.clone())),
            }),
            genesis: genesis.clone(),
            transactions: TRANSACTIONS.into(),
            blockchain: BLOCKCHAIN.into(),
            entropy: [1; 32],
            topic: None,
            notary: None,
        });
        let driver = TestDriver::new(&application.topology().unwrap(), "cairn", START_MS).unwrap();
        let run = Self { driver, genesis, tail, next_ms: START_MS };
        run.follow_tail();
        run
    }

    fn send(&mut self, value: &str, step_ms: i64) {
        self.next_ms += step_ms;
        self.driver.pipe(TRANSACTIONS, None, Some(value.as_bytes()), self.next_ms).unwrap();
    }

    fn transfer(&mut self, from: &str, to: &str, amount: u64) {
        self.send(&serde_json::json!({ "from": from, "to": to, "amount": amount }).to_string(), 7);
    }

    fn follow_tail(&self) {
        if Kind::of(&self.genesis.parameters).is_ok() {
            *self.tail.0.lock().unwrap() = self.driver.read(CLASSIC).last().and_then(|record| record.value.clone());
        }
    }

    fn commit(&mut self) {
        self.driver.commit().unwrap();
        self.follow_tail();
    }

    /// Dies in the middle of a transaction, and begins anew.
    fn crash(&mut self) {
        self.follow_tail();
        self.driver.abort().unwrap();
    }

    fn end(&mut self) {
        self.driver.end_of_input().unwrap();
        self.follow_tail();
    }

    fn chain(&self) -> Chain {
        let read = |record: &topology::test_driver::OwnedRecord| {
            Block::from_record(record.key.as_deref(), record.value.as_deref()).and_then(Read::block).unwrap().unwrap()
        };
        Chain {
            genesis: self.genesis.clone(),
            keys: keys::none().unwrap().encode().to_string(),
            blocks: self.driver.read(BLOCKCHAIN).iter().map(read).collect(),
            transactions: self.driver.read(TRANSACTIONS).to_vec(),
        }
    }

    fn classic(&self) -> Vec<String> {
        let text =
            |record: &topology::test_driver::OwnedRecord| String::from_utf8(record.value.clone().unwrap()).unwrap();
        self.driver.read(CLASSIC).iter().map(text).collect()
    }
}

/// A mined chain with all that one can hold: fees and rewards, what is rejected, what is no transaction, every cut.
pub(crate) fn mined(variables: &[(&str, &str)]) -> Chain {
    let more = [("CAIRN_FEE", "2"), ("CAIRN_REWARD", "5")];
    let variables = [variables, &more].concat();
    let mut run = Run::new(&variables, &[]);
    for round in 0..8 {
        run.transfer("alice", "bob", 10 + round);
        match round % 4 {
            0 => run.send("hello", 3),
            1 => run.transfer("alice", "$x", 1),
            2 => run.driver.advance_clock(200).unwrap(),
            _ => run.transfer("ann", "carol", 1),
        }
        run.transfer("bob", "alice", 1 + round);
        run.commit();
    }
    run.end();
    run.chain()
}

pub(crate) const HEADER: [(&str, &str); 5] = [
    ("CAIRN_CONSENSUS", "work"),
    ("CAIRN_WORK_LEADING_ZERO_BITS", "16"),
    ("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"),
    ("CAIRN_BLOCK_WINDOW_MS", "0"),
    ("CAIRN_BLOCK_MAX_AGE_MS", "100"),
];

/// The chain that most tests of work look at.
pub(crate) static WORK: LazyLock<Chain> = LazyLock::new(|| {
    let chain = mined(&HEADER);
    let operations = || chain.blocks.iter().flat_map(|block| &block.operations);
    assert!(operations().any(|operation| matches!(operation, Operation::MinerFee { .. })));
    assert!(operations().any(|operation| matches!(operation, Operation::MinerReward { .. })));
    assert!((6..=16).contains(&chain.blocks.len()), "{} blocks", chain.blocks.len());
    chain
});

#[test]
fn mined_chains_are_intact_to_verify_to_replay_and_to_a_second_implementation() {
    let adjusted =
        [HEADER.as_slice(), &[("CAIRN_WORK_TARGET_INTERVAL_MS", "400"), ("CAIRN_WORK_LEADING_ZERO_BITS", "10")]];
    for chain in [mined(&HEADER), mined(&adjusted.concat()), mined(&MINED)] {
        let topics = Topics::of(&chain);
        let verified = topics.verify().unwrap();
        assert_eq!(verified.compared_count, chain.transactions.len() as u64);
        let replayed = replay_on(&topics).unwrap().unwrap();
        assert_eq!(replayed.summary.tip, verified.summary.tip);
        let (code, report) = told(&chain.blocks);
        assert_eq!(code, Some(0), "{report}");
    }
}

#[test]
fn a_second_implementation_finds_what_was_not_mined() {
    let height = 4;
    let broken = |alter: &dyn Fn(&mut Block), reason: &str| {
        let mut blocks = WORK.blocks[..=height].to_vec();
        alter(&mut blocks[height]);
        blocks[height].hash = blocks[height].header.hash();
        let (code, report) = told(&blocks);
        assert!(code == Some(1) && report.starts_with(&format!("height {height}: {reason}")), "{report}");
    };
    broken(&|block| block.seal.as_mut().unwrap().work_mut().unwrap().proof += 1, "proof ");
    broken(&|block| block.header.work_mut().unwrap().difficulty = 1, "difficulty is ");
    broken(&|block| block.header.work_mut().unwrap().last_proof += 1, "last proof is ");
    broken(&|block| block.header.work_mut().unwrap().miner = "mallory".parse().unwrap(), "proof ");
    broken(&|block| block.header.state_root = Hash::ZERO, "proof ");
}

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
    let mut run = Run::new(&MINED, &[]);
    for _ in 0..3 {
        run.transfer("alice", "bob", 1);
    }
    run.commit();
    let last = run.tail.0.lock().unwrap().clone();
    for (other, says) in [
        (None, "holds no block, the chain ends at height 1"),
        (Some(br#"{"index": 1}"#.to_vec()), "ends at height 0, the chain ends at height 1"),
        (Some(br#"{"index": 3}"#.to_vec()), "ends at height 2"),
        (Some(b"hello".to_vec()), "no classic block"),
        // Of the chain's height, and none of its blocks.
        (Some(br#"{"index": 2}"#.to_vec()), "no classic block"),
        (Some(b"[2]".to_vec()), "no classic block"),
        (
            Some(String::from_utf8(last.clone().unwrap()).unwrap().replace("\"proof\": ", "\"proof\": 1").into()),
            "no classic block",
        ),
    ] {
        *run.tail.0.lock().unwrap() = other;
        let refused = run.driver.abort().and_then(|()| run.driver.commit()).unwrap_err().to_string();
        assert!(refused.contains(says) && !refused.contains('\n'), "{refused}");
    }
    *run.tail.0.lock().unwrap() = last;
}
