//! `witness`: it signs what goes on from all that it signed before, however it ended in between.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::checkpoints::Chains;
use crate::{Cairn, Ran};

/// A chain of 2, 3 and 4 blocks on the logs `two`, `three` and `log`, a fork of 4 behind the second on `fork`, their
/// checkpoints in files of these names, and a witness that has signed nothing.
fn chains() -> Chains {
    let chains = Chains::new();
    chains.seal("log", 1);
    chains.copy("log", "two");
    for what in ["", "state-", "data-"] {
        chains.copy(&format!("{what}log"), &format!("{what}fork"));
    }
    chains.seal("log", 2);
    chains.copy("log", "three");
    chains.seal("log", 3);
    chains.seal("fork", 7);
    chains.seal("fork", 8);
    for (log, size) in [("two", 2), ("three", 3), ("log", 4), ("fork", 4)] {
        assert_eq!(chains.checkpoint(log, "", &format!("{log}.txt")), size);
    }
    chains.cairn.run("keys --witness-name w/1 --output w.key").done();
    chains
}

fn witness(chains: &Chains, log: &str, words: &str) -> Ran {
    chains.cairn.run(&format!("witness --log embedded:{log} --sign-with w.key {words}"))
}

fn begin(chains: &Chains, log: &str, words: &str) -> Ran {
    witness(chains, log, &format!("--begin --genesis-hash {} {words}", chains.genesis))
}

/// The size that the witness' state has.
fn signed_size(cairn: &Cairn) -> Option<u64> {
    let text = std::fs::read_to_string(cairn.path().join("w.key.state")).ok()?;
    let line = text.lines().find(|line| line.starts_with("log cairn/"))?;
    line.split(' ').nth(2)?.parse().ok()
}

#[test]
fn a_witness_signs_what_goes_on_and_neither_a_fork_nor_what_is_shorter() {
    let chains = chains();
    witness(&chains, "log", "two.txt").refused(2, &["has signed no checkpoint", "--begin"]);
    witness(&chains, "log", "--begin two.txt").refused(2, &["--genesis-hash"]);
    let first = begin(&chains, "log", "two.txt").done();
    let (text, line) = first.stdout.split_once("\n\n").unwrap();
    assert_eq!(format!("{text}\n"), chains.text("two.txt"));
    assert!(line.starts_with("\u{2014} w/1 ") && line.lines().count() == 1, "{line}");
    begin(&chains, "log", "three.txt").refused(2, &["does not begin anew", "leave --begin out"]);

    // A larger one, though the chain has grown further meanwhile; the same again; the tip.
    let words = format!("three.txt --json --genesis-hash {}", chains.genesis);
    let report = witness(&chains, "log", &words).done().json().remove(0);
    assert_eq!((&report["size"], &report["witness"]), (&3.into(), &"w/1".into()));
    assert!(report["time_s"].as_u64().unwrap() > 1_700_000_000);
    witness(&chains, "three", "three.txt").done();
    for (log, file, says) in [
        ("log", "two.txt", "with 3: a chain never gets shorter"),
        ("two", "two.txt", "a chain never gets shorter"),
        ("fork", "fork.txt", "height 2: checkpoint"),
        ("log", "fork.txt", "height 3: checkpoint"),
        ("three", "log.txt", "its tail was cut"),
    ] {
        let refused = witness(&chains, log, file).refused(1, &[says]);
        assert_eq!((refused.stdout.as_str(), signed_size(&chains.cairn)), ("", Some(3)), "{log} {file}");
    }
    let input = chains.text("log.txt");
    let piped = chains.cairn.run_with_input("witness --log embedded:log --sign-with w.key", &input).done();
    assert!(piped.stdout.starts_with(&input) && signed_size(&chains.cairn) == Some(4));
    witness(&chains, "fork", "fork.txt").refused(1, &["has signed another root for the same 4 blocks", "Keep both"]);
}

#[test]
fn a_witness_judges_no_chain_that_it_was_not_told_of_and_no_other_bytes() {
    let chains = chains();
    let cairn = &chains.cairn;
    let text = chains.text("two.txt");
    cairn.write("else.txt", &text.replace("cairn/", "example.com/"));
    begin(&chains, "log", "else.txt").refused(2, &["was pinned"]);
    witness(&chains, "log", "else.txt").refused(2, &["no chain of blocks"]);
    cairn.write("more.txt", &format!("{text}and 100 coins for me\n"));
    begin(&chains, "log", "more.txt").refused(2, &["more than three lines"]);
    cairn.write("letter.txt", "Dear witness,\n");
    begin(&chains, "log", "letter.txt").refused(2, &["letter.txt is no checkpoint"]);
    cairn.write("full.txt", &format!("{text}\n{}", "\u{2014} a AAAAAAE=\n".repeat(100)));
    begin(&chains, "log", "full.txt").refused(2, &["more than 100 signatures"]);
    assert_eq!(signed_size(cairn), None);
    begin(&chains, "log", "none.txt").refused(2, &["cannot read the checkpoint none.txt"]);
    begin(&chains, "nowhere", "two.txt").refused(3, &["there is no embedded log in nowhere"]);
    begin(&chains, "log", "two.txt --blockchain elsewhere").refused(3, &["there is no topic 'elsewhere'"]);
    begin(&chains, "log", "two.txt --signer-state nowhere/state").refused(2, &["cannot lock nowhere/state"]);
    cairn.run("witness --log embedded:log --sign-with my.keys two.txt").refused(2, &["cairn keys --witness-name"]);
    cairn.write("policy", "quorum none\n");
    begin(&chains, "log", "two.txt --policy policy").done();
    let key = cairn.run("keys --witness-name w/2 --output w2.key").done().stdout;
    cairn.write("policy", &format!("witness other {key}quorum other\n"));
    witness(&chains, "log", "two.txt --policy policy").refused(3, &["two.txt", "w/2 did not"]);
    assert_eq!(signed_size(cairn), Some(2));

    // A state that is lost or damaged is noticed; without it a fork could be signed.
    let state = chains.text("w.key.state");
    cairn.write("w.key.state", &state[..state.len() - 5]);
    witness(&chains, "log", "two.txt").refused(2, &["cut off", "Restore it"]);
    cairn.write("w.key.state", &state.replace("w/1+", "w/3+"));
    witness(&chains, "log", "two.txt").refused(2, &["it is the state of w/3"]);
    std::fs::remove_file(cairn.path().join("w.key.state")).unwrap();
    witness(&chains, "fork", "fork.txt").refused(2, &["is lost or not the right one: restore it"]);
    cairn.write("w.key.state", &state);
    // Signed in the future: the clock was wrong then, or is now.
    let time = state.lines().nth(2).unwrap().rsplit(' ').next().unwrap();
    cairn.write("w.key.state", &state.replace(time, "99999999999"));
    witness(&chains, "log", "two.txt").refused(1, &["set the clock right"]);
}

/// The witness as a process of its own, that can be killed and is dead then.
fn start(chains: &Chains, words: &str, stdout: Stdio) -> std::process::Child {
    let mut command = chains.cairn.at_home(Command::new(env!("CARGO_BIN_EXE_cairn")));
    command.args(["witness", "--sign-with", "w.key"]).args(words.split_whitespace());
    command.stdout(stdout).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn killed_between_state_and_signature_it_still_refuses_what_is_shorter_or_forked() {
    const PIPE_BYTES: usize = 65_536;
    let chains = chains();
    begin(&chains, "log", "two.txt").done();
    // Its signature has nowhere to go: the pipe is full.
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&[0; PIPE_BYTES]).unwrap();
    let mut child = start(&chains, "--log embedded:log log.txt", writer.try_clone().unwrap().into());
    while signed_size(&chains.cairn) != Some(4) {
        assert_eq!(child.try_wait().unwrap(), None, "it waits for its reader");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(writer);
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    assert!(out.iter().all(|byte| *byte == 0) && out.len() == PIPE_BYTES, "no signature was seen by anybody");
    witness(&chains, "three", "three.txt").refused(1, &["a chain never gets shorter"]);
    witness(&chains, "fork", "fork.txt").refused(1, &["the chain is forked"]);
    assert!(witness(&chains, "log", "log.txt").done().stdout.contains("\u{2014} w/1 "));
}

#[test]
fn killed_at_any_time_it_has_signed_nothing_that_its_state_does_not_know() {
    let chains = chains();
    begin(&chains, "log", "two.txt").done();
    let state = chains.text("w.key.state");
    for step in 0..12 {
        chains.cairn.write("w.key.state", &state);
        let mut child = start(&chains, "--log embedded:log log.txt", Stdio::piped());
        // A witness of this chain takes about as long as the last of these: some kills come before its end, some
        // behind.
        std::thread::sleep(Duration::from_millis(step * 25));
        let _ = child.kill();
        let out = child.wait_with_output().unwrap();
        let signed = String::from_utf8_lossy(&out.stdout).contains('\u{2014}');
        println!("after {} ms: signed {signed}, state {:?}", step * 25, signed_size(&chains.cairn));
        assert!(matches!(signed_size(&chains.cairn), Some(2 | 4)), "the state is whole");
        if signed {
            assert_eq!(signed_size(&chains.cairn), Some(4), "step {step}");
            witness(&chains, "fork", "fork.txt").refused(1, &["the chain is forked"]);
        }
    }
    witness(&chains, "log", "log.txt").done();
}

#[test]
fn two_processes_do_not_sign_with_one_key_at_a_time() {
    let chains = chains();
    let lock = std::fs::File::create(chains.cairn.path().join("w.key.state.lock")).unwrap();
    lock.lock().unwrap();
    begin(&chains, "log", "two.txt").refused(2, &["another process signs with the same key"]);
    lock.unlock().unwrap();
    begin(&chains, "log", "two.txt").done();
}

#[test]
fn a_witness_without_the_topics_goes_by_the_proof_in_a_request() {
    let chains = chains();
    let cairn = &chains.cairn;
    let key = cairn.run(&format!("keys --chain {} --output chain.key", chains.genesis)).done().stdout;
    cairn.write("policy", &format!("log {key}quorum none\n"));
    let request = |log: &str, since: u64, signer: &str, file: &str| {
        let state = format!("--signer-state {file}.state");
        let words = format!("checkpoint --log embedded:{log} {signer} {state} --since {since}");
        cairn.write(file, &cairn.run(&words).done().stdout);
    };
    let own = "--sign-with chain.key";
    for (log, since, file) in
        [("two", 0, "r02"), ("log", 2, "r24"), ("log", 3, "r34"), ("fork", 2, "f24"), ("fork", 0, "f04")]
    {
        request(log, since, own, file);
    }
    let ask = |words: &str| cairn.run(&format!("witness --sign-with w.key --policy policy {words}"));
    ask("r02").refused(2, &["--begin"]);
    ask("--begin r24").refused(2, &["--since 0"]);
    cairn.run("witness --sign-with w.key --begin r02").refused(2, &["`log` line of --policy"]);
    request("two", 0, "", "unsigned");
    ask("--begin unsigned").refused(3, &["no log of the policy has signed it"]);
    ask("--begin r02").done();
    ask("r34").refused(2, &["--since 2"]);
    assert!(ask("r24").done().stdout.contains("\u{2014} w/1 "));
    assert_eq!(signed_size(cairn), Some(4));
    ask("f24").refused(1, &["has signed another root for the same 4 blocks"]);
    request("fork", 4, own, "f44");
    ask("f44").refused(1, &["the chain is forked"]);
    ask("r02").refused(1, &["a chain never gets shorter"]);

    // Behind the fork no proof helps: neither its own, nor one made up.
    chains.seal("fork", 9);
    request("fork", 4, own, "f45");
    ask("f45").refused(1, &["not signed", "The chain is forked, or the request damaged"]);
    chains.seal("log", 4);
    request("log", 4, own, "r45");
    let altered = chains.text("r45").replacen("old 4\n", "old 4\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", 1);
    cairn.write("altered", &altered);
    ask("altered").refused(1, &["request damaged"]);
    let report = ask("r45 --json").done().json().remove(0);
    assert_eq!(report["size"], 5);
}
