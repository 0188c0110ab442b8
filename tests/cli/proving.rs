//! `prove` and `check`: from a chain on a log to a file that holds on another machine, and every way in which it does
//! not.

use crate::checkpoints::Chains;
use crate::{Cairn, Ran};

const LOG: &str = "--log embedded:log";

/// A chain of three blocks above block 0, its checkpoint of all four in `all.txt` and of the first three in
/// `three.txt`.
fn chain() -> Chains {
    let chains = Chains::new();
    for (amount, file) in [(3, "two.txt"), (4, "three.txt"), (5, "all.txt")] {
        chains.seal("log", amount);
        chains.checkpoint("log", "", file);
    }
    chains
}

/// Makes a proof, in a file.
fn prove(cairn: &Cairn, words: &str, file: &str) -> Ran {
    let made = cairn.run(&format!("prove {words} {LOG}")).done();
    cairn.write(file, &made.stdout);
    made
}

/// A check without a log and without anything of the chain: in another directory.
fn check(chains: &Chains, words: &str, files: &[&str]) -> Ran {
    let elsewhere = Cairn::new();
    for file in files {
        elsewhere.write(file, &chains.text(file));
    }
    elsewhere.run(&format!("check {words}"))
}

#[test]
fn what_is_proved_is_said_in_plain_words_by_a_check_that_has_nothing_of_the_chain() {
    let chains = chain();
    let cases = [
        ("balance bob", "holds: bob has 12 after block 3; its next nonce is 0\n"),
        ("balance bob --at-height 1", "holds: bob has 3 after block 1; its next nonce is 0\n"),
        ("balance zoe", "holds: zoe has no account after block 3: its balance is 0\n"),
        (
            "transaction 0:0",
            "holds: the record at offset 0 of partition 0 in block 1: alice to bob, 3: applied; afterwards alice has -3, bob has 3\n",
        ),
        (
            "id alice order-1",
            "holds: alice has not used the id order-1 up to block 3 (active heights 1 to 3: the whole chain)\n",
        ),
        ("validator validator-3", "holds: validator validator-3 has a stake of 1,600 after block 3, missed rounds 0\n"),
        ("validator validator-9", "holds: there is no validator validator-9 after block 3\n"),
        ("block 2", "holds: the chain has block 2\n"),
    ];
    for (words, says) in cases {
        prove(&chains.cairn, words, "proof.json");
        let by_checkpoint = check(&chains, "proof.json --checkpoint all.txt", &["proof.json", "all.txt"]).done();
        assert!(by_checkpoint.stdout.starts_with(says), "{words}: {}", by_checkpoint.stdout);
        assert!(
            by_checkpoint.stdout.contains("\nrests on the checkpoint of the first 4 blocks"),
            "{}",
            by_checkpoint.stdout
        );
        let words = format!("proof.json --genesis-hash {}", chains.genesis);
        let by_genesis = check(&chains, &words, &["proof.json"]).done();
        assert!(by_genesis.stdout.starts_with(says), "{words}: {}", by_genesis.stdout);
        assert!(by_genesis.stdout.contains("the holder of the key files made this chain"), "{}", by_genesis.stdout);
    }
    // Block 0 has no seal.
    prove(&chains.cairn, "block 0", "proof.json");
    let first = check(&chains, &format!("proof.json --genesis-hash {}", chains.genesis), &["proof.json"]).done().stdout;
    assert!(first.contains("\nrests on the genesis alone: block 0 follows from it. "), "{first}");
    assert!(!first.contains("sealed"), "{first}");
    let id = "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":7,\"id\":\"order-1\"}\n";
    chains.cairn.write("payment.jsonl", id);
    chains.cairn.run(&format!("submit {LOG} payment.jsonl")).done();
    chains.seal("log", 1);
    prove(&chains.cairn, "id alice order-1", "proof.json");
    let used = check(&chains, &format!("proof.json --genesis-hash {}", chains.genesis), &["proof.json"]).done().stdout;
    assert!(used.starts_with("holds: the id was used in block 4 by the record at offset "), "{used}");
    assert!(used.contains("alice to bob, 7, id order-1: applied"), "{used}");
}

#[test]
fn a_machine_is_told_the_same_in_fields() {
    let chains = chain();
    prove(&chains.cairn, "balance bob", "proof.json");
    let report = |words: &str| check(&chains, &format!("proof.json --json {words}"), &["proof.json", "all.txt"]);
    let held = report("--checkpoint all.txt").done().json().remove(0);
    assert_eq!((&held["result"], &held["claim"]), (&"holds".into(), &"balance".into()));
    assert_eq!((&held["name"], &held["balance"], &held["height"]), (&"bob".into(), &12.into(), &3.into()));
    assert_eq!((&held["rests_on"], &held["checkpoint_size"]), (&"checkpoint".into(), &4.into()));
    assert_eq!(held["genesis_hash"], chains.genesis.as_str());
    let refused = report(&format!("--genesis-hash {}", "0".repeat(64)));
    assert_eq!((refused.code, &refused.json()[0]["reason"]), (1, &"genesis".into()));
}

#[test]
fn a_checkpoint_of_another_size_is_told_what_proof_to_ask_for_and_that_one_fits() {
    let chains = chain();
    prove(&chains.cairn, "balance bob --at-height 1", "proof.json");
    let files = ["proof.json", "two.txt", "three.txt"];
    let other = |file: &str| check(&chains, &format!("proof.json --checkpoint {file}"), &files);
    other("three.txt").refused(3, &["leads to a checkpoint of 4 blocks, the one given is of 3", "--checkpoint-size 3"]);
    prove(&chains.cairn, "balance bob --at-height 1 --checkpoint-size 3", "proof.json");
    other("three.txt").done();
    prove(&chains.cairn, "balance bob --at-height 1 --checkpoint two.txt", "proof.json");
    other("two.txt").done();
    // Without a height it is the last that the checkpoint covers.
    let made = prove(&chains.cairn, "balance bob --checkpoint three.txt", "proof.json");
    assert!(
        made.stderr.contains("bob has 7 after block 2") && made.stderr.contains("--checkpoint-size 3"),
        "{}",
        made.stderr
    );
    assert!(other("three.txt").done().stdout.starts_with("holds: bob has 7 after block 2"));
    prove(&chains.cairn, "block 3", "proof.json");
    other("three.txt").refused(3, &["covers 3 blocks", "block 3", "a later checkpoint"]);
    let words = format!("prove block 3 {LOG} --checkpoint three.txt");
    chains.cairn.run(&words).refused(2, &["ends with height 2", "does not cover height 3"]);
    let words = format!("prove block 3 {LOG} --checkpoint three.txt --checkpoint-size 4");
    chains.cairn.run(&words).refused(2, &["is of 3 blocks, --checkpoint-size says 4"]);
}

#[test]
fn signatures_under_a_checkpoint_count_when_they_are_asked_for() {
    let chains = chain();
    prove(&chains.cairn, "balance bob", "proof.json");
    let witness = chains.cairn.run("keys --witness-name example.org/w --output w.key --json").done().json().remove(0);
    let vkey = witness["verifier_key"].as_str().unwrap().to_owned();
    let words = format!("witness all.txt --sign-with w.key {LOG} --begin --genesis-hash {}", chains.genesis);
    let signed = chains.cairn.run(&words).done().stdout;
    chains.cairn.write("signed.txt", &signed);
    let files = ["proof.json", "all.txt", "signed.txt"];
    let with = |file: &str| check(&chains, &format!("proof.json --checkpoint {file} --witness {vkey}"), &files);
    let told = with("signed.txt").done().stdout;
    assert!(told.contains("signed by: example.org/w") && told.contains("\nunanchored: "), "{told}");
    with("all.txt").refused(3, &["is not one to go by"]);
    let (head, last) = signed.trim_end().rsplit_once(' ').unwrap();
    let digit = if last.as_bytes()[40] == b'A' { "B" } else { "A" };
    chains.cairn.write("signed.txt", &format!("{head} {}{digit}{}\n", &last[..40], &last[41..]));
    assert_ne!(with("signed.txt").code, 0, "one digit of the signature is another");

    let key = chains.cairn.run(&format!("keys --chain {} --output chain.key", chains.genesis)).done().stdout;
    chains.checkpoint("log", "--sign-with chain.key", "own.txt");
    chains.cairn.write("own.policy", &format!("log {}\nquorum none\n", key.trim()));
    let words = "proof.json --checkpoint own.txt --policy own.policy";
    let told = check(&chains, words, &["proof.json", "own.txt", "own.policy"]).done().stdout;
    assert!(told.contains("signed by: the chain's own key; witnesses: none"), "{told}");
}

#[test]
fn a_proof_that_was_altered_or_is_of_another_chain_ends_with_1() {
    let (chains, others) = (chain(), chain());
    prove(&chains.cairn, "balance bob", "proof.json");
    let text = chains.text("proof.json");
    let with = |words: &str| check(&chains, &format!("proof.json {words}"), &["proof.json", "all.txt", "forked.txt"]);
    chains.cairn.write("forked.txt", &others.text("all.txt"));
    let refused = |ran: Ran, says: &str| {
        assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.starts_with(says), "{}", ran.stdout);
    };
    refused(with("--checkpoint forked.txt"), "refused: checkpoint: the checkpoint is of `cairn/");
    refused(with(&format!("--genesis-hash {}", others.genesis)), "refused: genesis: ");
    for (from, to, says) in [
        ("\"balance\":12", "\"balance\":13", "refused: claim: table `accounts`, key bob, after block 3"),
        ("\"balance\":12", "\"balance\": 12", "refused: form: it holds the values of a proof"),
        ("\"height\":3", "\"height\":2", "refused: history: block 2 "),
        ("{\"proof\":1,", "{", "refused: form: it is not a proof"),
    ] {
        chains.cairn.write("proof.json", &text.replacen(from, to, 1));
        refused(with("--checkpoint all.txt"), says);
    }
    chains.cairn.write("proof.json", &text.replacen("\"proof\":1", "\"proof\":2", 1));
    with("--checkpoint all.txt").refused(3, &["newer program", "format 2"]);
    // A chain of the same genesis and keys, that went another way.
    chains.seal("other", 9);
    chains.seal("other", 9);
    chains.seal("other", 9);
    chains.checkpoint("other", "", "forked.txt");
    chains.cairn.write("proof.json", &text);
    refused(with("--checkpoint forked.txt"), "refused: checkpoint: of the first 4 blocks the checkpoint has the root ");
    let words = format!("prove balance bob {LOG} --checkpoint forked.txt");
    chains.cairn.run(&words).refused(1, &["one of the two was forked"]);
}

#[test]
fn a_proof_comes_from_standard_input_too_and_one_without_a_seal_asks_for_a_checkpoint() {
    let chains = chain();
    let whole = prove(&chains.cairn, "balance bob", "whole.json").stdout.len();
    let bare = prove(&chains.cairn, "balance bob --without-seal", "bare.json").stdout;
    assert!(bare.len() + 2_000 < whole, "{} of {whole} bytes", bare.len());
    chains.cairn.run_with_input("check - --checkpoint all.txt", &bare).done();
    let words = format!("check bare.json --genesis-hash {}", chains.genesis);
    chains.cairn.run(&words).refused(3, &["no seal", "--checkpoint"]);
}

#[test]
fn what_is_not_there_ends_with_1_what_is_asked_wrongly_with_2_and_what_cannot_be_looked_at_with_3() {
    let chains = chain();
    let prove = |words: &str| chains.cairn.run(&format!("prove {words} {LOG}"));
    prove("transaction 0:99").refused(1, &["no block up to height 3 has the record at offset 99"]);
    prove("transaction 1:0").refused(1, &["not sealed yet, or not there"]);
    prove("block 9").refused(2, &["the chain ends at height 3"]);
    prove("balance bob --at-height 9").refused(2, &["the chain ends at height 3"]);
    prove("balance bob --checkpoint-size 9").refused(2, &["the chain has 4 blocks, fewer than the 9"]);
    prove("transaction 17").refused(2, &["write PARTITION:OFFSET"]);
    prove("transaction 0:0 --at-height 1").refused(2, &["--at-height"]);
    prove("id alice").refused(2, &["cairn prove id SENDER ID"]);
    prove("block one").refused(2, &["no height"]);
    prove("balance bob --checkpoint none.txt").refused(2, &["none.txt"]);
    prove(&format!("block 1 --genesis-hash {}", "0".repeat(64))).refused(1, &["broken", "another chain"]);
    chains.cairn.run("prove block 1 --log embedded:none").refused(3, &["there is no embedded log in none"]);
    prove("block 1 --blockchain elsewhere").refused(3, &["there is no topic 'elsewhere'"]);
    let check = |words: &str| chains.cairn.run(&format!("check {words}"));
    check("none.json --checkpoint all.txt").refused(3, &["cannot read the proof none.json"]);
    check("all.txt").refused(2, &["say what to trust"]);
    check("all.txt --checkpoint none.txt").refused(2, &["there is no checkpoint none.txt"]);
    check(&format!("all.txt --genesis-hash {} --witness-quorum 1", chains.genesis)).refused(2, &["--witness"]);
    let ran = check("all.txt --checkpoint all.txt");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("refused: form: it is not a proof"), "{}", ran.stdout);
}
