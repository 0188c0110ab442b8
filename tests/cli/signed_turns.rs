//! What validators have signed stays what they have signed, whatever becomes of the log.

use crate::checkpoints::copy;
use crate::{Cairn, Ran};

/// Seals a block more, of one payment.
fn seal(cairn: &Cairn, log: &str, state: &str, amount: u32) -> Ran {
    let payment = format!("{{\"from\":\"alice\",\"to\":\"bob\",\"amount\":{amount}}}\n");
    cairn.run_with_input(&format!("submit --log embedded:{log}"), &payment).done();
    let whole = [("CAIRN_BLOCK_WINDOW_MS", "0"), ("CAIRN_BLOCK_MAX_AGE_MS", "60000")];
    cairn.run_with(&format!("run --log embedded:{log} --state-dir {state} --until-end"), &whole).done()
}

/// The last block: its hash, its round, and its first operation.
fn last(cairn: &Cairn, log: &str) -> (String, u64, String) {
    let block = cairn.run(&format!("blocks --log embedded:{log} --json")).done().json().pop().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (text(&block["hash"]), block["header"]["author"]["round"].as_u64().unwrap(), text(&block["operations"][0]["kind"]))
}

#[test]
fn a_block_that_was_signed_for_a_copy_of_the_log_is_not_signed_otherwise_for_the_log() {
    let cairn = Cairn::new();
    (1..3).for_each(|amount| drop(seal(&cairn, "log", "state", amount)));
    for (from, to) in [("log", "copy"), ("state", "state-copy")] {
        copy(&cairn.path().join(from), &cairn.path().join(to));
    }
    seal(&cairn, "copy", "state-copy", 3);
    let (signed, round, _) = last(&cairn, "copy");
    assert_eq!(round, 0);
    // The log never had that block, its state is deleted with all decisions, and another payment comes.
    cairn.run("reset --log embedded:log --application-id cairn --yes").done();
    let ran = seal(&cairn, "log", "state", 4);
    assert!(ran.stderr.contains(&signed) && ran.stderr.contains("sign no other one"), "{}", ran.stderr);
    assert_eq!(cairn.run("verify --log embedded:log --json").done().json()[0]["height"], 3);
    let (other, round, first) = last(&cairn, "log");
    assert!((round, first.as_str()) == (1, "missed") && other != signed, "round {round}, {first}");
    // It costs one turn, and no more.
    seal(&cairn, "log", "state", 5);
    assert_eq!(last(&cairn, "log").1, 0);
}

#[test]
fn a_record_of_what_was_signed_that_is_none_stops_the_run_and_says_what_to_do() {
    let cairn = Cairn::new();
    seal(&cairn, "log", "state", 1);
    std::fs::write(cairn.home().join("signed"), "x".repeat(100)).unwrap();
    cairn.run("run --log embedded:log --state-dir state --until-end").refused(2, &["signed", "delete it"]);
}
