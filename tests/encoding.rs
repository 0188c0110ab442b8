//! The encoding, judged by a stranger: `tests/checker/check.py` knows `docs/encoding.md` and nothing of this code.

// A test stops at what it did not expect.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::{Command, Stdio};

use cairn::chain::{
    Amount, Author, Authorization, Balances, Block, Content, Cut, DEFAULT_VALIDATORS, Entry, Evidence, Extension,
    Frontier, Genesis, GenesisValidator, Hash, Header, Kind, Name, Operation, Origin, Outcome, Parameters, Parent,
    ReasonCode, Receipt, RefusalReason, RejectCode, Rendering, Seal, Signatures, SignedHeader, StakeAuthor, StakeSeal,
    Transaction, Window, check, merkle,
};

#[path = "support/ranges.rs"]
mod ranges;

use ranges::ranges;

/// The code with which the checker exits, and what it says to these lines.
fn exited(arguments: &[&str], lines: &str) -> (Option<i32>, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/checker/check.py");
    let mut command = Command::new("python3");
    command.arg(script).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("the checker needs python3: {error}"));
    // The checker stops reading at the first breach, which closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// What the checker says to these lines, and whether it found them intact.
fn checked(lines: &str, dense: bool) -> (bool, String) {
    let arguments: &[&str] = if dense { &["--dense"] } else { &[] };
    let (code, report) = exited(arguments, lines);
    (code == Some(0), report)
}

fn genesis() -> Genesis {
    let validator = |(number, (id, stake)): (u8, &(&str, u64))| GenesisValidator {
        id: id.parse().unwrap(),
        ed25519: ed25519_zebra::VerificationKeyBytes::from(&ed25519_zebra::SigningKey::from([number; 32])).into(),
        bls: [number; 96],
        possession: [number; 48],
        stake: *stake,
    };
    let balances = Balances::Open { overdraft_max: Amount::new(1_000_000).unwrap() };
    Genesis {
        chain_id: "cairn-1".to_owned(),
        created_ms: -5,
        accounts: vec![("alice".parse().unwrap(), -7), ("zoë \"z\"".parse().unwrap(), 1 << 40)],
        validators: (1..).zip(&DEFAULT_VALIDATORS).map(validator).collect(),
        parameters: Parameters { balances, signatures: Signatures::Off, ..Parameters::default() },
    }
}

/// Transactions with every combination of optional fields, names of all scripts, all codes.
fn contents() -> Vec<Content> {
    let names = ["alice", "Åse \"quoted\" \\ back", "名前", "😀", "$system", "x", " ", "\u{3000}"];
    let name = |index: usize| match names.get(index % (names.len() + 1)) {
        Some(name) => name.parse().unwrap(),
        None => Name::keyed(&[index as u8; 32]),
    };
    let amounts = [0, 1, 9_007_199_254_740_991];
    let mut contents: Vec<_> = RejectCode::ALL
        .iter()
        .map(|reason| Content::Stub {
            reason: *reason,
            key: (*reason as u8).is_multiple_of(2).then(|| Hash::of(b"key")),
        })
        .collect();
    for mask in 0..128_usize {
        let given = |bit: usize| mask & (1 << bit) != 0;
        let mut transaction =
            Transaction::transfer(name(mask), name(mask / 2), Amount::new(amounts[mask % 3]).unwrap());
        transaction.fee = given(0).then_some(Amount::MAX);
        transaction.id = given(1).then(|| format!("id-{mask}-é").parse().unwrap());
        transaction.nonce = given(2).then_some(Transaction::INTEGER_MAX);
        transaction.valid_until = given(3).then_some(mask as u64);
        transaction.memo = given(4).then(|| "tab\t nul\0 bell\u{7} esc\u{1b} é \u{7f}\u{2028}".parse().unwrap());
        transaction.authorization = given(5).then_some(Authorization { public_key: [7; 32], signature: [9; 64] });
        if given(6) {
            transaction.validator = Some("validator-9".parse().unwrap());
            transaction.timeout_ms = Some(Transaction::INTEGER_MAX);
            transaction.reference = Some(Hash::of(b"reference"));
            transaction.kind = Kind::ALL[mask % Kind::ALL.len()];
            transaction.asset = mask as u32 % 3 * 0x7fff_ffff;
        }
        let outcome = ReasonCode::ALL.get(mask % 20).map_or(Outcome::Applied, |reason| Outcome::Rejected(*reason));
        let balances = [i64::MIN, -1, 0, 1, i64::MAX];
        let receipt = Receipt { outcome, from_balance: balances[mask % 5], to_balance: balances[mask % 3] };
        contents.push(Content::Transaction { transaction, receipt });
    }
    contents
}

fn seal() -> Seal {
    let signers = [0, 1, 3, 4].into_iter().collect();
    Seal::Stake(StakeSeal { signature: [1; 64], reveal: [2; 48], attestation: [3; 48], signers })
}

fn operations(header: &Header) -> Vec<Operation> {
    let id = |id: &str| id.parse().unwrap();
    let signed = |round: u32| {
        let author = StakeAuthor { proposer: id("validator-2"), round, seed: Hash::of(b"seed") };
        let header = Header { author: Author::Stake(author), ..header.clone() };
        SignedHeader { header, signature: [round as u8; 64] }
    };
    let equivocation = Evidence::Equivocation { first: signed(1), second: signed(2) };
    let refusal = |reason| {
        let signers = [1, 2, 3, 11].into_iter().collect();
        Evidence::Refusal { header: signed(0), reason, signature: [8; 48], signers }
    };
    let slash = |evidence| {
        let (round, validator, amount) = (3, id("validator-2"), u64::MAX);
        Operation::Slash { round, validator, amount, evidence: Box::new(evidence) }
    };
    let (account, amount): (Name, _) = ("zoë \"z\"".parse().unwrap(), Amount::MAX);
    vec![
        Operation::Missed { round: u32::MAX, validator: id("validator-1") },
        slash(equivocation),
        slash(refusal(RefusalReason::Input)),
        slash(refusal(RefusalReason::Execution)),
        Operation::Fee { validator: id("validator-3"), account: account.clone(), amount, balance: i64::MIN },
        Operation::Reward { validator: id("validator-3"), account: account.clone(), amount, balance: i64::MAX },
        Operation::MinerFee { account: account.clone(), amount, balance: -1 },
        Operation::MinerReward { account, amount, balance: 1 },
    ]
}

/// A chain of block 0 and as many blocks as it takes, each of a size of its own, over two partitions.
fn chain() -> Vec<Block> {
    let mut blocks = vec![genesis().block(Hash::of(b"state"))];
    let mut history = Frontier::default();
    let (mut contents, mut offsets) = (contents().into_iter(), [0_i64, 40]);
    loop {
        let parent = &blocks[blocks.len() - 1];
        let height = parent.header.height + 1;
        let entries: Vec<_> = contents
            .by_ref()
            .take(height as usize)
            .enumerate()
            .map(|(index, content)| {
                let partition = index % 2;
                offsets[partition] += 1;
                let original = Hash::of(b"");
                let origin = Origin { partition: partition as i32, offset: offsets[partition], timestamp_ms: -1 };
                Entry { origin, original, content }
            })
            .collect();
        if entries.is_empty() {
            return blocks;
        }
        let operations = if height % 3 == 1 { operations(&parent.header) } else { Vec::new() };
        let extension = |id| Extension { id, critical: false, value: vec![id as u8; usize::from(id % 5)] };
        history = history.with(merkle::leaf(parent.hash.as_bytes()));
        let header = Header {
            height,
            active_height: parent.header.active_height + u64::from(entries.iter().any(Entry::is_applied)),
            time_ms: i64::MIN,
            parent: parent.hash,
            history: history.root(),
            window: (height % 2 == 0).then_some(Window { start_ms: -1000, end_ms: 0 }),
            cut: Cut::ALL[1 + height as usize % 5],
            ranges: ranges(&entries),
            transactions_root: check::transactions_root(&entries),
            operations_root: check::operations_root(&operations),
            author: Author::Stake(StakeAuthor {
                proposer: DEFAULT_VALIDATORS[height as usize % 5].0.parse().unwrap(),
                round: height as u32,
                seed: Hash::of(&height.to_le_bytes()),
            }),
            extensions: (0..height as u16 % 4).map(extension).collect(),
            ..parent.header.clone()
        };
        blocks.push(Block { hash: header.hash(), header, seal: Some(seal()), entries, operations, genesis: None });
    }
}

fn lines(blocks: &[Block]) -> String {
    blocks.iter().map(|block| format!("{}\t{}\n", block.key(), block.to_json())).collect()
}

#[test]
fn a_checker_written_from_the_documentation_computes_the_same_hashes() {
    let blocks = chain();
    let mut history = Frontier::default();
    for pair in blocks.windows(2) {
        let parent = Parent::of(&pair[0].header, pair[0].hash, &history);
        assert_eq!(pair[1].check(), Ok(()));
        assert_eq!(pair[1].check_follows(&parent), Ok(()));
        history = history.with(merkle::leaf(pair[0].hash.as_bytes()));
    }
    assert!(blocks.len() > 15 && blocks.iter().map(|block| block.entries.len()).sum::<usize>() > 150);
    let (intact, report) = checked(&lines(&blocks), true);
    let last = &blocks[blocks.len() - 1];
    assert_eq!(report, format!("intact: {} blocks, to height {}, hash {}\n", blocks.len(), last.key(), last.hash));
    assert!(intact);
}

/// The chain's lines with the line at `height` replaced: what the checker says.
fn altered(blocks: &[Block], height: usize, alter: impl Fn(String) -> String) -> String {
    let line = blocks[height].to_json();
    let other = alter(line.clone());
    assert!(other != line, "nothing was altered at height {height}");
    let (intact, report) =
        checked(&[lines(&blocks[..height]), other, "\n".to_owned(), lines(&blocks[height + 1..])].concat(), false);
    assert!(!intact, "{report}");
    report
}

#[test]
fn the_checker_names_the_height_and_the_reason_of_the_first_breach() {
    let blocks = chain();
    let cases: &[(usize, &str, &str, &str)] = &[
        (0, "\"balance\":-7", "\"balance\":-6", "height 0: genesis hash is "),
        (0, "\"stake\":2000", "\"stake\":2001", "height 0: genesis hash is "),
        (9, "\"from_balance\":-1", "\"from_balance\":-2", "height 9: transactions root is "),
        (9, "\"amount\":1,", "\"amount\":2,", "height 9: transactions root is "),
        (4, "\"round\":4294967295", "\"round\":0", "height 4: operations root is "),
        (5, "\"round\":5", "\"round\":6", "height 5: header hash is "),
        (5, "\"height\":5", "\"height\":6", "height 6: height 6 follows height 4"),
        (6, "\"offset\":10", "\"offset\":9", "height 6: transactions root is "),
        (7, "\"amount\":", "\"color\":1,\"amount\":", "height 7: unknown field color"),
        (8, "\"time_ms\":-9223372036854775808", "\"time_ms\":-9223372036854775808.0", "height 8: header.time_ms: "),
    ];
    for (height, from, to, expected) in cases {
        let report = altered(&blocks, *height, |line| line.replacen(from, to, 1));
        assert!(report.starts_with(expected), "{from} -> {to}: {report}");
    }
    // Another line with the same meaning is another line.
    for (from, to) in [
        ("{\"header\"", "{ \"header\""),
        ("\"version\":1,\"hash_algorithm\":1", "\"hash_algorithm\":1,\"version\":1"),
        ("\"from\":\"", "\"asset\":0,\"from\":\""),
        ("\"reason\":\"null_value\"", "\"reason\":\"null_valu\\u0065\""),
    ] {
        let height = blocks.iter().position(|block| block.to_json().contains(from)).unwrap();
        let report = altered(&blocks, height, |line| line.replacen(from, to, 1));
        assert!(report.starts_with(&format!("height {height}: ")), "{from} -> {to}: {report}");
    }
    // A block left out, one given twice, and one that goes back in a partition though all its hashes fit.
    let without = [&blocks[..5], &blocks[6..]].concat();
    assert_eq!(checked(&lines(&without), false), (false, "height 6: height 6 follows height 4\n".to_owned()));
    let twice = [&blocks[..6], &blocks[5..]].concat();
    assert_eq!(checked(&lines(&twice), false), (false, "height 5: height 5 follows height 5\n".to_owned()));
    let moved = |place: fn(&mut Origin)| {
        let mut blocks = blocks[..3].to_vec();
        place(&mut blocks[2].entries[0].origin);
        blocks[2].header.ranges = ranges(&blocks[2].entries);
        blocks[2].header.transactions_root = check::transactions_root(&blocks[2].entries);
        blocks[2].hash = blocks[2].header.hash();
        checked(&lines(&blocks), false)
    };
    // What no hash shows: a header that forgets a block, or counts one that is not active.
    let forged = |alter: fn(&mut Header)| {
        let mut blocks = blocks[..3].to_vec();
        alter(&mut blocks[2].header);
        blocks[2].hash = blocks[2].header.hash();
        checked(&lines(&blocks), false)
    };
    for (alter, expected) in [
        ((|header| header.history = Hash::ZERO) as fn(&mut Header), "height 2: history is "),
        (|header| header.active_height += 1, "height 2: active_height is "),
        (|header| header.genesis = Hash::ZERO, "height 2: genesis is "),
    ] {
        let (intact, report) = forged(alter);
        assert!(!intact && report.starts_with(expected), "{report}");
    }
    let back = moved(|origin| origin.offset = 1);
    assert_eq!(back, (false, "height 2: partition 0: offset 1 comes after offset 1\n".to_owned()));
    for below in [moved(|origin| origin.offset = -1), moved(|origin| origin.partition = -1)] {
        assert!(!below.0 && below.1.contains("no log has such a place"), "{below:?}");
    }
}

#[test]
fn the_checker_tells_what_is_newer_foreign_or_pruned_from_what_is_broken() {
    let blocks = chain();
    let (before, line) = (lines(&blocks[..2]), lines(&blocks[2..3]));
    for (from, to, found) in [
        ("\"version\":1,", "\"version\":2,", "header.version is 2, known is 1"),
        ("\"kind\":\"stake\",\"proposer\"", "\"kind\":\"vote\",\"proposer\"", "an author of the kind vote"),
        ("\"seal\":{\"kind\":\"stake\"", "\"seal\":{\"kind\":\"vote\"", "a seal of the kind vote"),
        ("\"critical\":false", "\"critical\":true", "the critical extension 0"),
    ] {
        let (code, report) = exited(&[], &[before.clone(), line.replacen(from, to, 1)].concat());
        assert_eq!((code, report), (Some(3), format!("height 2: made by a newer program: {found}\n")));
    }
    let (code, report) = exited(&[], &[before.as_str(), "note\t{}\n", "007\t{}\n", line.as_str()].concat());
    assert!(code == Some(0) && report.ends_with("foreign: 2 records, whose keys are no heights\n"), "{report}");
    let (kept, _) = line.split_once(",\"transactions\":").unwrap();
    let (code, report) = exited(&[], &[before.as_str(), kept, "}\n"].concat());
    assert!(code == Some(0) && report.contains("pruned: 1 blocks"), "{report}");
    let (code, report) = exited(&["--execute"], &[kept, "}\n"].concat());
    assert_eq!(
        (code, report.as_str()),
        (Some(3), "height 2: the body of the block was pruned: it cannot be executed\n")
    );
}

#[test]
fn both_refuse_a_genesis_in_block_0_that_leaves_something_out_or_contradicts_itself() {
    let open = genesis();
    let strict = Genesis {
        accounts: Vec::new(),
        parameters: Parameters { balances: Balances::Strict, ..open.parameters.clone() },
        ..open.clone()
    };
    let cases = [
        (&open, "\"fee\":0,", ""),
        (&open, "\"window_ms\":1000", "\"window_ms\":null"),
        (&open, "\"overdraft_max\":1000000,", ""),
        (&strict, "\"balances\":\"strict\",", "\"balances\":\"strict\",\"overdraft_max\":7,"),
        (&strict, "\"balances\":\"strict\",", "\"balances\":\"strict\",\"overdraft_max\":null,"),
    ];
    for (genesis, from, to) in cases {
        let blocks = [genesis.block(Hash::of(b"state"))];
        assert!(checked(&lines(&blocks), false).0);
        altered(&blocks, 0, |line| line.replacen(from, to, 1));
        let other = blocks[0].to_json().replacen(from, to, 1);
        Block::from_json(other.as_bytes()).map(|_| ()).unwrap_err();
    }
}

#[test]
fn the_checker_finds_the_worked_example_intact() {
    let page = include_str!("../docs/encoding.md");
    let example: String = page
        .lines()
        .filter(|line| line.starts_with("{\"header\":{\"version\":"))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_eq!(example.lines().count(), 2);
    for line in example.lines() {
        let block = Block::from_json(line.as_bytes()).unwrap();
        assert_eq!(block.check(), Ok(()));
        assert_eq!(block.to_json(), line);
    }
    let (intact, report) = checked(&example, true);
    assert!(intact, "{report}");
}

#[test]
fn everything_that_the_worked_example_shows_is_what_the_checker_computes() {
    let (code, report) = exited(&["--self-test", concat!(env!("CARGO_MANIFEST_DIR"), "/docs/encoding.md")], "");
    assert_eq!(code, Some(0), "{report}");
    // What it is shown counts: with another byte in the page it says so.
    let page = include_str!("../docs/encoding.md").replacen("are 304, ", "are 305, ", 1);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), page).unwrap();
    let (code, report) = exited(&["--self-test", file.path().to_str().unwrap()], "");
    assert_eq!((code, report.as_str()), (Some(1), "the page does not show are 304, 174 and 346 bytes\n"));
}
