//! How much memory a command takes at most, whatever stands on the topics.

use std::fmt::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Cairn;

const PAUSE: Duration = Duration::from_millis(1);
const MIB: u64 = 1 << 20;
/// Many enough for one block, and so padded that a copy of the block is more than what may be held.
const TRANSFERS: usize = 3_300;
const PADDING_BYTES: usize = 30_000;
/// What may be held of them: some batches of the log, and their rows.
const HELD_BYTES_MAX: u64 = 24 * MIB;

/// The most memory that the program had resident, as the kernel counts it until its end, which is a good one.
fn resident_max_bytes(cairn: &Cairn, words: &str) -> u64 {
    resident_max_bytes_to(cairn, words, 0)
}

/// The same, where it ends with this code.
fn resident_max_bytes_to(cairn: &Cairn, words: &str, code: i32) -> u64 {
    // Without the timer in front of it, whose memory would be measured.
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
    command.args(words.split(' '));
    let mut child = cairn.at_home(command).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut most_bytes = 0;
    let status = loop {
        most_bytes = test_cluster::process::resident_max_bytes(child.id()).unwrap_or(most_bytes);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(PAUSE);
    };
    assert_eq!(status.code(), Some(code), "cairn {words}");
    most_bytes
}

/// A sealed chain of so many transfers, each with a field of so many bytes that the program does not know.
fn chain(transfers: usize, padding_bytes: usize) -> Cairn {
    let cairn = Cairn::new();
    let padding = "x".repeat(padding_bytes);
    let mut lines = String::new();
    for _ in 0..transfers {
        writeln!(lines, r#"{{"from":"alice","to":"bob","amount":1,"padding":"{padding}"}}"#).unwrap();
    }
    cairn.write("payments.jsonl", &lines);
    cairn.run("submit --log embedded:log payments.jsonl").done();
    let whole = [("CAIRN_BLOCK_WINDOW_MS", "0"), ("CAIRN_BLOCK_MAX_AGE_MS", "600000")];
    cairn.run_with("run --log embedded:log --state-dir state --until-end", &whole).done();
    cairn
}

#[test]
fn padding_in_the_transactions_costs_verify_no_memory_in_proportion() {
    let (small, padded) = (chain(TRANSFERS, 0), chain(TRANSFERS, PADDING_BYTES));
    let peak = |cairn: &Cairn| resident_max_bytes(cairn, "verify --log embedded:log");
    let (small, padded) = (peak(&small), peak(&padded));
    println!(
        "peak of verify: {} MiB, with {} MiB of padding {} MiB",
        small / MIB,
        (TRANSFERS * PADDING_BYTES) as u64 / MIB,
        padded / MIB
    );
    assert!(padded < small + HELD_BYTES_MAX, "{padded} bytes, and {small} without padding");
}

/// Of a proof's own bytes.
const FILE_BYTES: usize = 32 << 20;

#[test]
fn the_file_of_a_proof_takes_a_few_times_its_bytes_to_be_refused_whatever_stands_in_it() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/proofs");
    let read = |name: &str| std::fs::read_to_string(corpus.join(name)).unwrap();
    let hash = format!("\"{}\",", "0".repeat(64));
    let chunk = r#"[{"record":null,"siblings":[],"other":null}],"#;
    let one_hash = format!(r#"[{{"record":null,"siblings":[{}],"other":null}}],"#, hash.trim_end_matches(','));
    let cairn = Cairn::new();
    let check = "check bomb.json --genesis-hash 0000000000000000000000000000000000000000000000000000000000000000";
    cairn.write("bomb.json", "{}");
    let nothing = resident_max_bytes_to(&cairn, check, 1);
    for (file, behind, piece) in [
        ("id-unused.json", "\"lists\":[", "[],"),
        ("id-unused.json", "\"lists\":[", chunk),
        ("id-unused.json", "\"lists\":[", &one_hash),
        ("id-unused.json", "\"lists\":[[", &chunk[1..chunk.len() - 2].replacen('}', "},", 1)),
        ("balance.json", "\"siblings\":[", &hash),
        ("balance.json", "\"slashes\":[", "{},"),
        ("balance.json", "\"accounts\":[", "{\"name\":\"a\",\"balance\":0},"),
        ("block.json", "\"path\":[", &hash),
        ("block.json", "\"extensions\":[", "{\"id\":1,\"critical\":false,\"value\":\"\"},"),
        ("block.json", "{\"proof\":1,", "\n"),
    ] {
        let text = read(file);
        assert!(text.contains(behind), "{file}: {behind}");
        let much = piece.repeat(FILE_BYTES / piece.len());
        cairn.write("bomb.json", &(text.replacen(behind, &format!("{behind}{much}"), 1) + "\n"));
        let peak = resident_max_bytes_to(&cairn, check, 1).saturating_sub(nothing);
        println!("{} MiB for {} MiB of {piece:.20} in {file}", peak / MIB, FILE_BYTES as u64 / MIB);
        assert!(peak < 6 * FILE_BYTES as u64, "{peak} bytes for {FILE_BYTES} of {piece} in {file}");
    }
}
