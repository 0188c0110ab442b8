//! Stderr, when what reads it goes away: `cairn run 2>&1 | tee log`, where Ctrl-C ends `tee` first; a disk that is
//! full.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use crate::Cairn;

const GOOD: &str = r#"{"from":"alice","to":"bob","amount":3}"#;

/// The exit code of a use of the program whose stderr takes nothing.
fn unheard(cairn: &Cairn, words: &str) -> Option<i32> {
    let full = File::options().write(true).open("/dev/full").unwrap();
    cairn.command(words).stdout(Stdio::null()).stderr(full).status().unwrap().code()
}

#[test]
fn a_full_disk_behind_stderr_changes_no_exit_code() {
    let cairn = Cairn::new();
    cairn.write("good.jsonl", GOOD);
    cairn.write("bad.jsonl", "nonsense");
    let codes = [
        ("submit --log embedded:log good.jsonl", 0),
        ("run --log embedded:log --state-dir state --until-end", 0),
        ("verify --log embedded:log", 0),
        ("submit --check bad.jsonl", 2),
        ("verify --log embedded:log --genesis-hash 00", 2),
        ("verify --no-such-option", 2),
        ("verify --log embedded:none", 3),
        ("-v replay --log embedded:none --state-dir replayed", 3),
    ];
    for (words, code) in codes {
        assert_eq!(unheard(&cairn, words), Some(code), "cairn {words}");
    }
}

#[test]
fn a_run_whose_log_nobody_reads_any_more_seals_what_is_there_and_ends_with_0() {
    let cairn = Cairn::new();
    cairn.run_with_input("submit --log embedded:log", GOOD).done();
    let mut run = cairn.command("run --log embedded:log --state-dir state --until-end").spawn().unwrap();
    // A byte of the first line, and the pipe is closed.
    let mut stderr = run.stderr.take().unwrap();
    stderr.read_exact(&mut [0]).unwrap();
    drop(stderr);
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_eq!(cairn.run("verify --log embedded:log --json").done().json()[0]["records"], 1);
}
