//! Hostile bytes at every place where bytes from outside come in: whatever is asked of them, they get an answer.
//!
//! Valid inputs (the corpus, and what is made from it) are flipped, cut, spliced, doubled and nested. A run has a seed,
//! printed, and a number of cases; `CAIRN_FUZZ_SECONDS` makes it last that long instead, `CAIRN_FUZZ_SEED` gives it
//! another seed. An input that was found to break something belongs into the corpus.

// A test stops at what it did not expect.
#![allow(clippy::unwrap_used)]

mod checkpoints;
mod mutation;
mod proofs;

use std::path::Path;
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use cairn::chain::{
    Block, Content, Entry, Error, Evidence, Frontier, Genesis, Header, Operation, Parameters, Read, Rendering, Seal,
    Transaction, from_canonical, merkle, to_canonical,
};
use mutation::mutated;
use rand::SeedableRng;
use rand::rngs::StdRng;
use topology::clock::{Clock, SystemClock};

/// Cases in a run that no variable makes longer.
const CASES: usize = 4_000;
const BYTES_MAX: usize = 1 << 20;

fn corpus(kind: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(kind);
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    // A file ends with a newline, a record does not.
    let read = |path: &std::path::PathBuf| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes.truncate(bytes.len() - usize::from(bytes.ends_with(b"\n")));
        bytes
    };
    files.iter().map(read).collect()
}

/// Calls `target` with inputs made from `valid` ones; answers how many of them it took.
fn run(what: &str, valid: &[Vec<u8>], target: impl Fn(&[u8]) -> bool) -> usize {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("CAIRN_FUZZ_SEED").unwrap_or(1);
    let seconds = number("CAIRN_FUZZ_SECONDS").map(Duration::from_secs);
    println!("{what}: CAIRN_FUZZ_SEED={seed}");
    assert!(!valid.is_empty() && valid.iter().all(|input| target(input)), "{what}: the corpus is valid");
    let (clock, mut rng, mut taken) = (SystemClock::new(), StdRng::seed_from_u64(seed), 0);
    let start_ms = clock.monotonic_ms();
    for case in 0_usize.. {
        let is_over = match seconds {
            None => case >= CASES,
            Some(seconds) => u128::from(clock.monotonic_ms().abs_diff(start_ms)) >= seconds.as_millis(),
        };
        if is_over {
            println!("{what}: {case} cases, {taken} taken");
            return taken;
        }
        let input = mutated(valid, &mut rng, BYTES_MAX);
        let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(&input)));
        let answer = answer.unwrap_or_else(|_| panic!("{what}: case {case}: {}", input.escape_ascii()));
        taken += usize::from(answer);
    }
    taken
}

#[test]
fn every_value_becomes_an_entry_that_comes_back_from_its_bytes() {
    let taken = run("values", &corpus("values"), |value| {
        let (entry, reject) = Entry::of_record(0, 1, i64::MAX, Some(value), Some(value));
        assert_eq!(Entry::of_record(0, 1, i64::MAX, Some(value), Some(value)), (entry.clone(), reject.clone()));
        assert_eq!(from_canonical::<Entry>(&to_canonical(&entry)).as_ref(), Ok(&entry));
        assert!(entry.to_json().len() < entry.rendered_size_bytes());
        if let Content::Transaction { transaction, .. } = &entry.content {
            assert_eq!(from_canonical::<Transaction>(&to_canonical(transaction)).as_ref(), Ok(transaction));
        }
        reject.is_none()
    });
    assert!(taken > 0, "no mutation left a transaction");
}

fn assert_short(error: &Error) {
    let text = error.to_string();
    assert!(text.chars().count() < 4_000, "{text}");
}

/// What is asked of a block that could be read.
fn judge(block: &Block, line: &[u8]) {
    assert_eq!(block.to_json().as_bytes(), line);
    let history = Frontier::default();
    let parent = cairn::chain::Parent::of(&block.header, block.hash, &history);
    let _ = block.check_follows(&parent);
    match block.check() {
        Ok(()) => assert_eq!(block.header.hash(), block.hash),
        Err(error @ (Error::Block { .. } | Error::Genesis { .. } | Error::Newer { .. })) => assert_short(&error),
        Err(other) => panic!("{other}"),
    }
    assert_eq!(from_canonical::<Header>(&to_canonical(&block.header)).as_ref(), Ok(&block.header));
}

#[test]
fn every_line_is_the_rendering_of_a_block_or_refused_in_a_few_words() {
    let taken = run("blocks", &corpus("blocks"), |line| {
        let (key, value) = line.split_at(line.iter().position(|byte| *byte == b' ').unwrap_or(0));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match Block::from_record(Some(key), Some(value)) {
            Ok(Read::Block(block)) => judge(&block, value),
            Ok(Read::Pruned(pruned)) => assert_eq!(pruned.to_json().as_bytes(), value),
            Ok(Read::Foreign) => {}
            Err(error) => assert_short(&error),
        }
        match Block::from_json(value) {
            Ok(block) => judge(&block, value),
            Err(Error::Pruned { .. }) => {}
            Err(_) => return false,
        }
        true
    });
    assert!(taken > 0, "no mutation left a block");
}

/// Whether the bytes are a value's: then they are its only ones.
fn canonical<T: BorshSerialize + BorshDeserialize>(bytes: &[u8]) -> bool {
    from_canonical::<T>(bytes).map(|value| assert_eq!(to_canonical(&value), bytes)).is_ok()
}

#[test]
fn bytes_are_the_only_ones_of_a_value_or_of_none() {
    let blocks: Vec<Block> = corpus("blocks")
        .iter()
        .filter_map(|line| Block::from_json(&line[line.iter().position(|byte| *byte == b' ')? + 1..]).ok())
        .collect();
    let mut valid: Vec<Vec<u8>> = Vec::new();
    for block in &blocks {
        valid.push(to_canonical(&block.header));
        valid.extend(block.seal.iter().map(to_canonical));
        valid.extend(block.entries.iter().map(to_canonical));
        valid.extend(block.operations.iter().map(to_canonical));
        valid.extend(block.genesis.iter().map(to_canonical));
        valid.extend(block.genesis.iter().map(|genesis| to_canonical(&genesis.parameters)));
        valid.extend(block.operations.iter().filter_map(|operation| match operation {
            Operation::Slash { evidence, .. } => Some(to_canonical(evidence)),
            _ => None,
        }));
    }
    let mut frontier = Frontier::default();
    (0..13_u8).for_each(|leaf| frontier.append(merkle::leaf(&[leaf])));
    valid.push(to_canonical(&frontier));
    run("canonical bytes", &valid, |bytes| {
        let found = [
            canonical::<Header>(bytes),
            canonical::<Seal>(bytes),
            canonical::<Entry>(bytes),
            canonical::<Operation>(bytes),
            canonical::<Evidence>(bytes),
            canonical::<Genesis>(bytes),
            canonical::<Parameters>(bytes),
            canonical::<Transaction>(bytes),
            canonical::<Frontier>(bytes),
            canonical::<merkle::Proof>(bytes),
        ];
        found.contains(&true)
    });
}

#[test]
fn every_text_is_a_genesis_that_comes_back_from_its_file_or_refused() {
    let taken = run("genesis", &corpus("genesis"), |text| {
        let genesis = match Genesis::from_toml(&String::from_utf8_lossy(text)) {
            Ok(genesis) => genesis,
            Err(error) => {
                assert_short(&error);
                return false;
            }
        };
        assert_eq!(Genesis::from_toml(&genesis.to_toml()).as_ref(), Ok(&genesis));
        genesis.block(cairn::chain::Hash::ZERO).check().unwrap();
        true
    });
    assert!(taken > 0, "no mutation left a genesis");
}

/// What is large, deep or wide is answered in time that grows with its size: at these sizes, work that grows with the
/// square would not end in hours.
#[test]
fn large_deep_and_wide_input_costs_no_more_than_its_bytes() {
    let line = String::from_utf8(corpus("blocks").pop().unwrap()).unwrap();
    let (key, line) = line.split_once(' ').unwrap();
    let many = |piece: &str| piece.repeat((4 << 20) / piece.len());
    let in_header = |piece: &str| line.replacen("{\"version\"", &format!("{{\"x\":{piece},\"version\""), 1);
    let in_transactions = |piece: &str| line.replacen("\"transactions\":[", &format!("\"transactions\":[{piece}"), 1);
    let lines = [
        many("["),
        many("{\"a\":"),
        many("\""),
        many("\\"),
        in_header(&many("[")),
        in_header(&[many("["), many("]")].concat()),
        in_header(&format!("\"{}\"", many("\\u0000"))),
        in_header(&format!("[{}0]", many("0,"))),
        in_header(&format!("0{}", many(",\"y\":0"))),
        in_header(&format!("0{}", many(" "))),
        in_header(&format!("0{}", many(",\"\"      :0"))),
        in_header(&format!("{}9", many("9"))),
        in_transactions(&many("{},")),
        in_transactions(&many("\n")),
        line.replacen(
            "\"extensions\":[",
            &format!("\"extensions\":[{}", many("{\"id\":1,\"critical\":false,\"value\":\"\"},")),
            1,
        ),
        line.replacen(
            "\"ranges\":[",
            &format!("\"ranges\":[{}", many("{\"partition\":1,\"first\":0,\"last\":0,\"count\":1},")),
            1,
        ),
    ];
    for line in &lines {
        match Block::from_record(Some(key.as_bytes()), Some(line.as_bytes())) {
            Ok(Read::Block(block)) => judge(&block, line.as_bytes()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert_short(&error),
        }
    }
    let files = [
        many("["),
        many("a."),
        many("[a]\n"),
        many("[[accounts]]\n"),
        many("[[accounts]]\nname=\"a\"\nbalance=0\n"),
        format!("x = {}", many("[")),
        format!("x = {}", many("{a=")),
        format!("chain_id = \"{}\"", many("\\u0000")),
        format!("versions = [{}]", many("{version=1,from_height=0},")),
    ];
    for file in &files {
        assert_short(&Genesis::from_toml(file).unwrap_err());
    }
    for bytes in [vec![0xff; 4 << 20], vec![0; 4 << 20], vec![1; 4 << 20]] {
        canonical::<Header>(&bytes);
        canonical::<Entry>(&bytes);
        canonical::<Operation>(&bytes);
        canonical::<Genesis>(&bytes);
        canonical::<Frontier>(&bytes);
    }
}
