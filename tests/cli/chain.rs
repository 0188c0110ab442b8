//! Keys, genesis, runs, resets and the demo: a chain from its beginning to its end.

use std::process::Stdio;

use crate::Cairn;

const LOG: &str = "--log embedded:log --state-dir state";

fn with_transactions(count: usize) -> Cairn {
    let cairn = Cairn::new();
    submit(&cairn, count);
    cairn
}

fn submit(cairn: &Cairn, count: usize) {
    cairn.write("payments.jsonl", &"{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n".repeat(count));
    cairn.run("submit --log embedded:log payments.jsonl").done();
}

fn tip(cairn: &Cairn, words: &str, variables: &[(&str, &str)]) -> serde_json::Value {
    cairn.run_with(&format!("run {LOG} --until-end --json {words}"), variables).done().json().remove(0)
}

#[test]
fn a_run_until_the_end_seals_what_is_there_and_the_next_goes_on_with_the_same_chain() {
    let cairn = with_transactions(7);
    let first = tip(&cairn, "", &[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3")]);
    assert_eq!(first["height"], 3, "three, three and one");
    assert_eq!(tip(&cairn, "", &[]), first, "nothing new, nothing sealed");
    submit(&cairn, 3);
    assert_eq!(tip(&cairn, "", &[])["height"], 4);
    let verified = cairn.run("verify --log embedded:log --json").done().json();
    assert_eq!((&verified[0]["result"], &verified[0]["height"]), (&"intact".into(), &4.into()));
}

#[test]
fn an_existing_chain_refuses_other_parameters_and_takes_the_same() {
    let cairn = with_transactions(3);
    tip(&cairn, "", &[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3")]);
    let words = format!("run {LOG} --until-end");
    let other = [("CAIRN_BLOCK_MAX_TRANSACTIONS", "4")];
    cairn
        .run_with(&words, &other)
        .refused(2, &["block.max_transactions = 3", "CAIRN_BLOCK_MAX_TRANSACTIONS asks for 4"]);
    cairn.run_with(&words, &[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3")]).done();
}

#[test]
fn a_chain_can_start_from_a_genesis_file_and_keys_that_were_made_before() {
    let cairn = with_transactions(2);
    cairn.run("keys --validator north,south --output my.keys").done();
    cairn.run("keys --output my.keys").refused(2, &["my.keys exists already"]);
    cairn.run("genesis --keys my.keys --output my.toml").done();
    cairn
        .run("genesis --keys my.keys --output my.toml")
        .refused(2, &["my.toml exists already and is not written over"]);
    assert_eq!(tip(&cairn, "--genesis my.toml --keys my.keys", &[])["height"], 1);
    cairn.run("keys --output other.keys").done();
    cairn.run("genesis --keys other.keys --output other.toml").done();
    let words = format!("run {LOG} --until-end --genesis other.toml --keys other.keys");
    cairn.run(&words).refused(2, &["holds the chain of genesis", "another --blockchain topic"]);
}

#[test]
fn every_new_chain_has_an_id_of_its_own() {
    let cairn = with_transactions(1);
    cairn.run("keys").done();
    let line = |words: &str| {
        let text = cairn.run(&format!("genesis {words}")).done().stdout;
        text.lines().find(|line| line.starts_with("chain_id = \"cairn-")).unwrap().to_owned()
    };
    assert_ne!(line("--keys validators.keys"), line("--keys validators.keys"));
    assert_ne!(line(""), line(""));
}

#[test]
fn whoever_holds_a_third_of_the_stake_is_told_of() {
    let cairn = with_transactions(1);
    let warned = |words: &str| cairn.run(words).done().stderr.contains("a third or more");
    cairn.run("keys --validator north,south --output two.keys").done();
    assert!(warned("genesis --keys two.keys --output two.toml"));
    assert!(warned(&format!("run {LOG} --until-end --genesis two.toml --keys two.keys")));
    cairn.run("keys --output five.keys").done();
    assert!(!warned("genesis --keys five.keys --output five.toml"));
}

#[test]
fn a_validator_of_a_run_misbehaves_only_if_the_run_is_told() {
    let cairn = with_transactions(1);
    let words = format!("run {LOG} --until-end");
    let of_the_demo = cairn.run_with(&words, &[("CAIRN_MALICIOUS", "validator-1=silent")]).done().stderr;
    assert!(!of_the_demo.contains("misbehaves"), "{of_the_demo}");
    for (flag, variable) in [(" --malicious validator-1=silent", ""), ("", "validator-1=silent")] {
        let told = cairn.run_with(&format!("{words}{flag}"), &[("CAIRN_RUN_MALICIOUS", variable)]).done().stderr;
        assert!(told.contains("validator-1 misbehaves, as asked: silent"), "{told}");
    }
}

#[test]
fn a_genesis_without_keys_is_a_template_that_says_what_is_missing() {
    let cairn = Cairn::new();
    let text = cairn.run("genesis").done().stdout;
    assert!(text.contains("# [[validators]]"), "{text}");
    assert!(cairn::chain::Genesis::from_toml(&text).unwrap_err().to_string().contains("validators"));
}

#[test]
fn sigterm_finishes_the_commit_and_ends_with_0() {
    let cairn = with_transactions(5);
    let mut command = cairn.command(&format!("run {LOG} --json"));
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    // Stderr is read on, so that the program never waits for it.
    let mut lines = std::io::BufRead::lines(stderr);
    lines.by_ref().map(Result::unwrap).find(|line| line.contains("running")).expect("it runs");
    test_cluster::process::terminate(child.id()).unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{rest:#?}");
    assert_eq!(rest.iter().filter(|line| line.contains("INFO stopped")).count(), 1, "{rest:#?}");
}

#[test]
fn one_process_at_a_time_has_an_embedded_log() {
    let cairn = with_transactions(1);
    let mut child = cairn.command(&format!("run {LOG}")).spawn().unwrap();
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(stderr);
    lines.by_ref().map(Result::unwrap).find(|line| line.contains("running")).expect("it runs");
    cairn.run("submit --log embedded:log payments.jsonl").refused(1, &["is open already"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_reset_tells_asks_and_forgets_and_touches_blocks_only_when_told() {
    let cairn = with_transactions(4);
    let first = tip(&cairn, "", &[]);
    let reset = format!("reset {LOG} --application-id cairn");
    let plan = cairn.run(&format!("{reset} --dry-run --json")).done().json().remove(0);
    let topics: Vec<&str> = plan["topics"].as_array().unwrap().iter().map(|topic| topic.as_str().unwrap()).collect();
    assert!(
        !topics.is_empty() && topics.iter().all(|topic| topic.starts_with("cairn-") && topic.ends_with("-changelog"))
    );
    cairn.run(&reset).refused(2, &["--yes", "--dry-run"]);
    assert_eq!(tip(&cairn, "", &[]), first, "neither did anything");

    let done = cairn.run(&format!("{reset} --yes")).done().stdout;
    let is_past = |line: &str| {
        ["deleted topic ", "deleted the offsets of ", "deleted the stores in "]
            .iter()
            .any(|past| line.starts_with(past))
    };
    assert!(done.lines().count() >= 3 && done.lines().all(is_past), "{done}");
    assert!(!cairn.path().join("state/cairn").exists() && cairn.home().join("validators.keys").exists());
    // The chain is still there, and is not begun again over itself: its state returns from its blocks.
    assert_eq!(tip(&cairn, "", &[]), first);

    cairn.run(&format!("{reset} --yes --delete-blockchain")).done();
    let again = tip(&cairn, "", &[]);
    assert_eq!(again["height"], first["height"], "the same transactions");
    assert_ne!(again["block_hash"], first["block_hash"], "another chain, with other keys");
}

#[test]
fn a_reset_of_the_chain_sets_its_keys_aside_and_another_can_begin() {
    let cairn = with_transactions(2);
    let run = "run --log embedded:log --until-end --json";
    let first = cairn.run(run).done().json().remove(0);
    let home = cairn.home();
    let reset = "reset --log embedded:log --application-id cairn --yes --delete-blockchain --json";
    let report = cairn.run(reset).done().json().remove(0);
    let aside = report["keys_moved_to"][0].as_str().unwrap().to_owned();
    assert!(aside.starts_with(&format!("{}.until-", home.display())), "{report}");
    assert!(std::path::Path::new(&aside).join("validators.keys").exists() && !home.exists());
    let again = cairn.run(run).done().json().remove(0);
    assert_eq!(again["height"], first["height"], "the same transactions");
    assert_ne!(again["block_hash"], first["block_hash"], "another chain, with other keys");
}

#[test]
fn a_reset_of_an_application_that_nobody_knows_says_so() {
    let cairn = with_transactions(2);
    tip(&cairn, "", &[]);
    let ran = cairn.run(&format!("reset {LOG} --application-id typo --yes")).done();
    assert!(ran.stderr.contains("nothing of 'typo' was found"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "there is nothing of 'typo' to delete\n", "nothing is claimed that was not done");
    assert!(!ran.stderr.contains("keeps its chain"), "{}", ran.stderr);
    let known = cairn.run(&format!("reset {LOG} --application-id cairn --dry-run")).done();
    assert!(!known.stderr.contains("was found"), "{}", known.stderr);
}

#[test]
fn a_command_that_needs_a_log_makes_none_where_there_is_none() {
    let cairn = Cairn::new();
    for words in ["verify", "replay --state-dir state", "reset --application-id cairn --dry-run"] {
        let ran = cairn.run(&format!("{words} --log embedded:typo"));
        assert_ne!(ran.code, 0, "{words}");
        assert!(ran.stderr.contains("there is no embedded log in typo"), "{words}: {}", ran.stderr);
        assert!(!cairn.path().join("typo").exists() && !cairn.path().join("state").exists(), "{words}");
    }
}

#[test]
fn no_log_is_made_in_a_directory_of_something_else_nor_by_a_run_that_is_refused() {
    let cairn = Cairn::new();
    cairn.write("payments.jsonl", "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n");
    std::fs::create_dir(cairn.path().join("etc")).unwrap();
    cairn.write("etc/passwd", "x");
    let says = ["etc is not empty and holds no log"];
    cairn.run("submit --log embedded:etc payments.jsonl").refused(2, &says);
    cairn.run("run --log embedded:etc --state-dir state --until-end").refused(2, &says);
    assert_eq!(std::fs::read_dir(cairn.path().join("etc")).unwrap().count(), 1);
    assert!(!cairn.path().join("state").exists());

    let run = "run --log embedded:typo --state-dir state --until-end";
    cairn.run(&format!("{run} --genesis none.toml")).refused(2, &["none.toml"]);
    cairn.run(&format!("{run} --keys none.keys")).refused(2, &["none.keys"]);
    cairn.run_with(run, &[("CAIRN_FEEE", "7")]).refused(2, &["CAIRN_FEEE", "did you mean CAIRN_FEE?"]);
    submit(&cairn, 1);
    cairn.run(&format!("run {LOG} --until-end")).done();
    cairn.run(run).refused(2, &["had a chain", "are these the right brokers and topic?"]);
    assert!(!cairn.path().join("typo").exists());
}

#[test]
fn a_misspelt_chain_parameter_makes_no_chain_and_stands_in_the_way_of_none_that_is_there() {
    let cairn = with_transactions(1);
    let words = format!("run {LOG} --until-end");
    let misspelt = [("CAIRN_BLOCK_MAX_TRANSACTION", "3")];
    let says = ["CAIRN_BLOCK_MAX_TRANSACTION means nothing; did you mean CAIRN_BLOCK_MAX_TRANSACTIONS?"];
    for words in [&*words, "genesis", "demo --blocks 1"] {
        cairn.run_with(words, &misspelt).refused(2, &says);
    }
    assert!(!cairn.path().join("state").exists());
    cairn.run(&words).done();
    let warned = cairn.run_with(&words, &misspelt).done().stderr;
    assert!(warned.contains("did you mean CAIRN_BLOCK_MAX_TRANSACTIONS?"), "{warned}");
}

#[test]
fn keys_that_lack_a_validator_are_told_in_one_sentence_and_no_file_is_to_be_written_over() {
    let cairn = with_transactions(1);
    cairn.run("keys --validator north,south,west,east --output whole.keys").done();
    cairn.run("genesis --keys whole.keys --output g.toml").done();
    cairn.run("keys --validator north --output part.keys").done();
    let words = format!("run {LOG} --until-end --genesis g.toml --keys part.keys");
    let ran =
        cairn.run(&words).refused(2, &["part.keys holds", "give the key file that was made with it as --keys FILE"]);
    let last = ran.stderr.lines().last().unwrap();
    assert!(!last.contains("copy") && !last.contains(". "), "{last}");
}

#[test]
fn the_demo_shows_blocks_a_cheat_being_caught_and_an_intact_chain() {
    let cairn = Cairn::new();
    let mut lines = cairn.run("demo --blocks 3 --rate 300 --json --dir demo").done().json();
    let summary = lines.pop().unwrap();
    let heights: Vec<u64> = lines.iter().map(|line| line["height"].as_u64().unwrap()).collect();
    assert_eq!((&heights[..3], heights.last()), (&[1, 2, 3][..], summary["height"].as_u64().as_ref()), "all are shown");
    let sum = |field: &str| lines.iter().map(|line| line[field].as_u64().unwrap()).sum::<u64>();
    let counts = ["applied", "rejected", "unreadable"].map(|field| summary[field].as_u64().unwrap());
    assert_eq!(
        (sum("transactions"), sum("rejected"), sum("unreadable")),
        (counts[0] + counts[1], counts[1], counts[2])
    );
    let slashed: Vec<&str> = lines
        .iter()
        .flat_map(|line| line["slashed"].as_array().unwrap())
        .map(|one| one["validator"].as_str().unwrap())
        .collect();
    assert_eq!(slashed, ["validator-1"], "the seed draws it among the first three");
    assert_eq!(summary["verify"], "intact");
    assert_eq!(summary["validators"][0]["stake"], 0);

    // The part that was kept goes on, and is a chain like any other.
    let text = cairn.run("demo --blocks 1 --dir demo").done().stdout;
    assert!(text.contains("verify: intact") && text.contains("kept in demo"), "{text}");
    cairn.run("verify --log embedded:demo/log").done();
    cairn.run("demo --blocks 1 --dir demo --seed 2").refused(2, &["--seed"]);
    cairn.run("demo --dir /proc/zz").refused(2, &["cannot make /proc/zz"]);
}
