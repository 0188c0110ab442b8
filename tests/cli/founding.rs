//! Where keys lie, and what keeps a second chain from being begun in the place of the first.

use crate::{Cairn, Ran};

const LOG: &str = "--log embedded:log --state-dir state";

fn with_a_chain() -> (Cairn, serde_json::Value) {
    let cairn = Cairn::new();
    cairn.write("payments.jsonl", "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n");
    submit(&cairn);
    let tip = run(&cairn, "").done().json().remove(0);
    (cairn, tip)
}

fn submit(cairn: &Cairn) {
    cairn.run("submit --log embedded:log payments.jsonl").done();
}

fn run(cairn: &Cairn, words: &str) -> Ran {
    cairn.run(&format!("run {LOG} --until-end --json {words}"))
}

#[test]
fn keys_are_private_and_lie_in_a_directory_named_after_their_chain() {
    let (cairn, tip) = with_a_chain();
    let home = cairn.home();
    let chain_id = home.file_name().unwrap().to_str().unwrap();
    assert_eq!((chain_id.len(), &chain_id[..6]), ("cairn-".len() + 8, "cairn-"));
    let mode = |path| std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777;
    assert_eq!((mode(home.join("validators.keys")), mode(home.clone())), (0o600, 0o700));
    let mut names: Vec<_> = std::fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["founded", "genesis.toml", "signed", "validators.keys"]);

    // Stores come back without the disk they were on; keys have to be brought along.
    let elsewhere = "run --log embedded:log --until-end --json --state-dir elsewhere";
    let data = cairn.path().join("other data");
    let variables = [("XDG_DATA_HOME", data.to_str().unwrap())];
    cairn.run_with(elsewhere, &variables).refused(2, &["--keys FILE", &format!("{}/cairn/{chain_id}", data.display())]);
    let moved = cairn.run_with(&format!("{elsewhere} --keys {}/validators.keys", home.display()), &variables).done();
    assert_eq!(moved.json()[0], tip);
}

#[test]
fn keys_in_their_former_place_are_moved_by_the_command_that_the_error_gives() {
    let (cairn, tip) = with_a_chain();
    let (home, former) = (cairn.home(), cairn.path().join("state/@keys/blockchain"));
    std::fs::create_dir_all(&former).unwrap();
    std::fs::rename(home.join("validators.keys"), former.join("validators.keys")).unwrap();
    std::fs::remove_dir_all(&home).unwrap();
    let refused = run(&cairn, "").refused(2, &["mkdir -p", "mv "]);
    let (_, command) = refused.stderr.trim_end().split_once("move them: ").unwrap();
    let moved = std::process::Command::new("sh").args(["-c", command]).current_dir(cairn.path()).status().unwrap();
    assert!(moved.success(), "{command}");
    assert_eq!(run(&cairn, "").done().json()[0], tip);
}

#[test]
fn without_a_home_a_run_says_what_to_name() {
    let (cairn, _) = with_a_chain();
    let words = format!("run {LOG} --until-end");
    let mut command = cairn.command(&words);
    let ran = Ran::of(command.env_remove("HOME").output().unwrap(), &words);
    ran.refused(2, &["--keys FILE", "XDG_DATA_HOME"]);
    let words = format!("{words} --keys {}/validators.keys", cairn.home().display());
    let mut command = cairn.command(&words);
    Ran::of(command.env_remove("HOME").output().unwrap(), &words).done();
}

/// Whatever of the two directories is left, after a run that was ended by force as soon as it ran.
#[test]
fn a_log_that_comes_back_empty_is_not_taken_for_a_new_one() {
    for left in ["both", "the state directory", "the data directory"] {
        let cairn = Cairn::new();
        cairn.write("payments.jsonl", "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n");
        submit(&cairn);
        let mut child = cairn.command(&format!("run {LOG}")).spawn().unwrap();
        let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut lines = std::io::BufRead::lines(stderr).map(Result::unwrap);
        lines.by_ref().find(|line| line.contains("running")).expect("it runs");
        // Until both places say so, nothing is signed.
        let note = cairn.path().join("state/cairn/chain");
        let is_founded = || std::fs::read_to_string(&note).is_ok_and(|note| note.contains("\nfounded "));
        while !is_founded() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        assert!(cairn.home().join("founded").exists(), "noted there first");
        child.kill().unwrap();
        child.wait().unwrap();
        // Its last descendant is gone when nobody can write to it any more.
        lines.by_ref().for_each(drop);

        std::fs::remove_dir_all(cairn.path().join("log")).unwrap();
        match left {
            "the state directory" => std::fs::remove_dir_all(cairn.path().join(".local")).unwrap(),
            "the data directory" => std::fs::remove_dir_all(cairn.path().join("state")).unwrap(),
            _ => {}
        }
        submit(&cairn);
        run(&cairn, "").refused(2, &["had a chain", "are these the right brokers and topic?"]);
        // And when it is gone for good, the command that the error names helps.
        cairn.run(&format!("reset {LOG} --application-id cairn --delete-blockchain --yes")).done();
        run(&cairn, "").done();
    }
}

#[test]
fn a_block_0_that_contradicts_itself_is_noted_as_no_chain() {
    let (cairn, _) = with_a_chain();
    let genesis = cairn.run("blocks --log embedded:log --json --limit 1").done().stdout;
    let keys = cairn.home().join("validators.keys");
    // Another fee than the hashes say, in the one rendering of a block.
    let forged = genesis.trim_end().replacen("\"fee\":0", "\"fee\":7", 1);
    assert_ne!(forged, genesis.trim_end());
    let other = Cairn::new();
    std::fs::create_dir_all(other.path().join("log")).unwrap();
    other.forge("blockchain", Some("0"), &forged, &[]);
    let words = format!("run {LOG} --until-end --keys {}", keys.display());
    other.run(&words).refused(1, &["does not begin with block 0", "header.genesis"]);
    assert!(!other.path().join("state").exists() && !other.path().join(".local").exists(), "nothing is noted");
    // Nor is anything signed for it.
    other.run("keys --account --output a.key").done();
    let signed = "submit --log embedded:log --sign-with a.key";
    other.run_with_input(signed, "{\"to\":\"bob\",\"amount\":3}\n").refused(1, &["does not begin with block 0"]);
}

#[test]
fn a_key_file_that_does_not_end_is_read_no_further_than_a_key_file_can_be_long() {
    let (cairn, _) = with_a_chain();
    run(&cairn, "--keys /dev/zero").refused(2, &["/dev/zero is too large for a key file"]);
}

#[test]
fn two_chains_on_one_machine_have_keys_of_their_own() {
    let (cairn, tip) = with_a_chain();
    cairn.run("submit --log embedded:other payments.jsonl").done();
    cairn.run("run --log embedded:other --state-dir other-state --until-end").done();
    assert_eq!(std::fs::read_dir(cairn.path().join(".local/share/cairn")).unwrap().count(), 2);
    submit(&cairn);
    assert_ne!(run(&cairn, "").done().json()[0], tip, "it goes on");
}
