//! `verify` and `replay`: what they say, and the three ways in which they end.

use crate::Cairn;

const LOG: &str = "--log embedded:log";

/// A chain of three records, one more that is not sealed, and the hash of its genesis.
fn chain() -> (Cairn, String) {
    let cairn = Cairn::new();
    let submit = |count: usize| {
        cairn.write("payments.jsonl", &"{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n".repeat(count));
        cairn.run(&format!("submit {LOG} payments.jsonl")).done();
    };
    submit(3);
    // One block, however slow the machine is.
    let whole = [("CAIRN_BLOCK_WINDOW_MS", "0"), ("CAIRN_BLOCK_MAX_AGE_MS", "60000")];
    cairn.run_with(&format!("run {LOG} --state-dir state --until-end"), &whole).done();
    submit(1);
    let report = cairn.run(&format!("verify {LOG} --json")).done().json().remove(0);
    (cairn, report["genesis_hash"].as_str().unwrap().to_owned())
}

#[test]
fn an_intact_chain_ends_with_0_and_tells_what_is_not_sealed() {
    let (cairn, _) = chain();
    let report = cairn.run(&format!("verify {LOG} --json")).done().json().remove(0);
    assert_eq!((&report["result"], &report["transactions_topic"]), (&"intact".into(), &true.into()));
    assert_eq!((&report["compared_records"], &report["unsealed_records"]), (&3.into(), &1.into()));
    let text = cairn.run(&format!("verify {LOG}")).done().stdout;
    assert!(text.contains("\nunsealed    1 records behind the last block\n"), "{text}");
}

#[test]
fn a_transactions_topic_that_is_missing_is_said_aloud() {
    let (cairn, _) = chain();
    let ran = cairn.run(&format!("verify {LOG} --transactions payments")).done();
    assert!(ran.stdout.contains("nothing: there is no topic 'payments'"), "{}", ran.stdout);
    assert!(ran.stderr.contains("there is no topic 'payments'"), "{}", ran.stderr);
    let report = cairn.run(&format!("verify {LOG} --transactions payments --json")).done().json().remove(0);
    assert_eq!((&report["transactions_topic"], &report["unsealed_records"]), (&false.into(), &0.into()));
}

#[test]
fn another_chain_than_the_pinned_one_ends_with_1() {
    let (cairn, hash) = chain();
    let other = if hash.starts_with('0') { "1" } else { "0" }.repeat(64);
    let ran = cairn.run(&format!("verify {LOG} --genesis-hash {other}"));
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.starts_with("broken at height 0: anchor: "), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_looked_at_ends_with_3_and_is_neither_intact_nor_broken() {
    let (cairn, _) = chain();
    for command in ["verify", "replay --state-dir replayed"] {
        let missing = format!("{command} {LOG} --blockchain elsewhere");
        assert_eq!(cairn.run(&missing).refused(3, &["there is no topic 'elsewhere'"]).stdout, "");
    }
    cairn.run(&format!("replay {LOG} --state-dir state")).refused(3, &["is not empty"]);
    cairn.run(&format!("replay {LOG} --state-dir replayed --to-height 9")).refused(3, &["ends at height 1"]);
    cairn.run(&format!("replay {LOG}")).refused(2, &["--state-dir DIR"]);
    cairn.write("letter.txt", "no log");
    cairn.run("verify --log embedded:letter.txt").refused(3, &[]);
    cairn.run(&format!("verify {LOG} --checkpoint letter.txt")).refused(2, &["letter.txt is no checkpoint"]);
}

#[test]
fn of_a_genesis_file_and_a_genesis_hash_the_one_from_the_stronger_source_counts() {
    let (cairn, hash) = chain();
    let own = "state/@keys/blockchain/genesis.toml";
    cairn.run("keys --output other.keys").done();
    cairn.run("genesis --keys other.keys --output other.toml").done();
    let verify = |words: &str, variables: &[(&str, &str)]| cairn.run_with(&format!("verify {LOG} {words}"), variables);

    // A file for `run` in the settings does not stand in the way of a hash on the command line.
    cairn.write("cairn.toml", "genesis = 'other.toml'\n");
    assert_eq!(verify("", &[]).code, 1);
    verify(&format!("--genesis-hash {hash}"), &[]).done();
    verify("", &[("CAIRN_GENESIS_HASH", &hash)]).done();
    verify(&format!("--genesis {own}"), &[("CAIRN_GENESIS_HASH", &"0".repeat(64))]).done();

    // Side by side they must agree.
    verify(&format!("--genesis {own} --genesis-hash {hash}"), &[]).done();
    verify(&format!("--genesis other.toml --genesis-hash {hash}"), &[])
        .refused(2, &["other.toml", &hash, "which chain"]);
}
