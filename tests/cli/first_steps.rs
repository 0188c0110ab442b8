//! What a new user meets: refusals that leave nothing behind, and words that say where to look next.

use std::io::{BufRead, BufReader};

use crate::Cairn;

const GOOD: &str = r#"{"from":"alice","to":"bob","amount":3}"#;
const LOG: &str = "--log embedded:log";

fn with_a_chain() -> Cairn {
    let cairn = Cairn::new();
    cairn.run_with_input(&format!("submit {LOG}"), GOOD).done();
    cairn.run(&format!("run {LOG} --state-dir state --until-end")).done();
    cairn
}

#[test]
fn a_run_that_is_refused_for_its_options_leaves_nothing_behind() {
    let cairn = Cairn::new();
    let run = format!("run {LOG} --state-dir state --until-end");
    let mined = [("CAIRN_CONSENSUS", "work"), ("CAIRN_REWARD", "1")];
    cairn.run_with(&run, &mined).refused(2, &["--miner NAME"]);
    cairn.run(&format!("{run} --classic-topic blockchain")).refused(2, &["one of the chain's own"]);
    cairn.run_with(&run, &[("CAIRN_BLOCK_MAX_TRANSACTIONS", "0")]).refused(2, &["max_transactions"]);
    for made in ["log", "state", ".local"] {
        assert!(!cairn.path().join(made).exists(), "{made}");
    }
    // Nor where the log is there already.
    cairn.run_with_input(&format!("submit {LOG}"), GOOD).done();
    cairn.run_with(&run, &mined).refused(2, &["--miner NAME"]);
    cairn.run(&format!("{run} --classic-topic transactions-dead-letters")).refused(2, &["one of the chain's own"]);
    assert!(!cairn.path().join(".local").exists() && !cairn.path().join("state/cairn/chain").exists());
}

#[test]
fn a_proof_that_another_program_wrote_anew_says_so_and_how_it_may_be_mended() {
    let cairn = with_a_chain();
    let proved = cairn.run(&format!("prove balance bob {LOG}")).done();
    let told = &proved.stderr;
    assert!(told.contains("proved: bob has 3 after block 1") && told.contains("--genesis-hash"), "{told}");
    let value: serde_json::Value = serde_json::from_str(&proved.stdout).unwrap();
    cairn.write("bob.json", &proved.stdout);
    cairn.write("pretty.json", &proved.stdout.replace("\":", "\": ").replace(",\"", ",\n  \""));
    cairn.write("sorted.json", &value.to_string());
    let genesis = value["header"]["genesis"].as_str().unwrap();
    cairn.run(&format!("check bob.json --genesis-hash {genesis}")).done();
    for (file, says) in [("pretty.json", "jq -c ."), ("sorted.json", "byte for byte")] {
        let refused = cairn.run(&format!("check {file} --genesis-hash {genesis}"));
        assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
        assert!(refused.stdout.contains(says), "{}", refused.stdout);
    }
}

#[test]
fn a_check_names_all_that_it_rests_on_and_a_verification_what_it_did_with_its_checkpoint() {
    let cairn = with_a_chain();
    let verify = format!("verify {LOG} --checkpoint kept.txt");
    let first = cairn.run(&verify).done().stderr;
    assert!(first.contains("there is no checkpoint kept.txt yet") && first.contains("is made, of 2 blocks"), "{first}");
    let second = cairn.run(&verify).done().stderr;
    assert!(second.contains("kept.txt is moved on to 2 blocks"), "{second}");
    let proof = cairn.run(&format!("prove balance bob {LOG}")).done().stdout;
    let value: serde_json::Value = serde_json::from_str(&proof).unwrap();
    cairn.write("bob.json", &proof);
    let genesis = value["header"]["genesis"].as_str().unwrap();
    let both = cairn.run(&format!("check bob.json --checkpoint kept.txt --genesis-hash {genesis}")).done().stdout;
    assert!(both.contains("the first 2 blocks") && both.contains("on the genesis hash that was given"), "{both}");
    let one = cairn.run("check bob.json --checkpoint kept.txt").done().stdout;
    assert!(!one.contains("genesis hash that was given"), "{one}");
}

#[test]
fn heights_and_numbers_of_blocks_are_refused_in_words_and_what_is_not_there_is_told() {
    let cairn = with_a_chain();
    let blocks = format!("blocks {LOG}");
    for (option, says) in [
        ("--limit 0", "a whole number from 1 on"),
        ("--limit ten", "a whole number from 1 on"),
        ("--from-height -1", "a whole number from 0 on"),
        ("--to-height x", "a whole number from 0 on"),
    ] {
        let refused = cairn.run(&format!("{blocks} {option}"));
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains(says), "{option}: {}", refused.stderr);
    }
    let beyond = cairn.run(&format!("{blocks} --from-height 99")).done();
    assert!(
        beyond.stderr.contains("ends at height 1") && beyond.stderr.contains("--from-height 99"),
        "{}",
        beyond.stderr
    );
    let empty = cairn.run(&format!("{blocks} --to-height 0")).done();
    assert!(empty.stderr.contains("from height 0 to 0 hold no records"), "{}", empty.stderr);
    assert_eq!(cairn.run(&format!("{blocks} --to-height 0 --json")).done().json().len(), 1);
}

#[test]
fn the_graph_is_data_in_json() {
    let graph = Cairn::new().run("topology --json").done().json().remove(0);
    let subs = graph["sub_topologies"].as_array().unwrap();
    assert_eq!((subs.len(), &subs[0]["name"]), (1, &"seal".into()));
    assert!(subs[0]["single_writer"].as_str().unwrap().contains("<genesis hash>"), "{graph}");
    Cairn::new().run("topology --json --format dot").refused(2, &["leave one of them out"]);
}

#[test]
fn a_state_that_was_never_flushed_says_where_the_blocks_are() {
    let cairn = Cairn::new();
    cairn.run_with_input(&format!("submit {LOG}"), GOOD).done();
    let mut run = cairn.command(&format!("run {LOG} --state-dir state")).spawn().unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.by_ref().find(|line| line.contains("running")).expect("it runs");
    // What is noted before anything is sealed.
    let note = cairn.path().join("state/cairn/chain");
    while !std::fs::read_to_string(&note).is_ok_and(|note| note.contains("\nfounded ")) {
        assert_eq!(run.try_wait().unwrap(), None);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    lines.for_each(drop);
    let inspected = cairn.run("inspect --state-dir state");
    let says = ["holds no block", "topic 'blockchain'", "cairn verify --log 'embedded:", "restores the state"];
    inspected.refused(1, &says);
}
