//! `cairn submit`, and the lines it refuses.

use crate::Cairn;

const GOOD: &str = r#"{"from":"alice","to":"bob","amount":3}"#;

#[test]
fn lines_from_a_pipe_and_a_file_arrive_and_are_counted() {
    let cairn = Cairn::new();
    let piped = cairn.run_with_input("submit --log embedded:log --json", &format!("{GOOD}\n\n{GOOD}")).done().json();
    assert_eq!((&piped[0]["sent"], &piped[0]["bytes"]), (&2.into(), &(2 * GOOD.len()).into()));
    cairn.write("payments.jsonl", &format!("{GOOD}\n").repeat(3));
    let file = cairn.run("submit --log embedded:log payments.jsonl").done().stdout;
    assert!(file.starts_with("sent 3 records, 114 bytes in "), "{file}");
}

#[test]
fn a_file_with_a_bad_line_is_not_sent_at_all_unless_forced() {
    let cairn = Cairn::new();
    cairn.write("bad.jsonl", &format!("{GOOD}\n{{\"from\":\"a\",\"to\":\"b\",\"amount\":1.5}}\n{GOOD}\n"));
    let refused = cairn.run("submit --log embedded:log bad.jsonl").refused(2, &["nothing was sent", "--force"]);
    assert!(refused.stderr.contains("line 2: amount_not_an_integer"), "{}", refused.stderr);
    assert!(!cairn.path().join("log").exists(), "the log was not even opened");
    let forced = cairn.run("submit --log embedded:log --force --json bad.jsonl").done().json();
    assert_eq!((&forced[0]["sent"], &forced[0]["unreadable"]), (&3.into(), &1.into()));
}

#[test]
fn a_pipe_ends_at_its_first_bad_line_and_what_stood_before_is_sent() {
    let cairn = Cairn::new();
    let input = format!("{GOOD}\nno json\n{GOOD}\n");
    let ran = cairn.run_with_input("submit --log embedded:log --json", &input).refused(2, &["line 2", "--force"]);
    assert_eq!(ran.json()[0]["sent"], 1);
}

#[test]
fn checking_needs_no_log() {
    let cairn = Cairn::new();
    assert_eq!(cairn.run_with_input("submit --check", GOOD).done().stdout, "1 lines, 0 of them no transactions\n");
    let bad = cairn.run_with_input("submit --check --json", "[]\n");
    assert_eq!((bad.code, &bad.json()[0]["unreadable"]), (2, &1.into()));
    cairn.run("submit --check none.jsonl").refused(2, &["cannot read none.jsonl"]);
}

#[test]
fn a_named_submission_that_is_repeated_sends_only_what_is_new() {
    let cairn = Cairn::new();
    cairn.write("day.jsonl", &format!("{GOOD}\n").repeat(10));
    let sent = |words: &str| {
        let report = cairn.run(&format!("submit --log embedded:log --json {words}")).done().json();
        report[0]["sent"].as_u64().unwrap()
    };
    assert_eq!(sent("--submission may-31 day.jsonl"), 10);
    assert_eq!(sent("--submission may-31 day.jsonl"), 0);
    cairn.write("day.jsonl", &format!("{GOOD}\n").repeat(12));
    assert_eq!(sent("--submission may-31 day.jsonl"), 2);
    assert_eq!(sent("--submission june-1 day.jsonl"), 12);
    assert_eq!(sent("day.jsonl"), 12, "without a name nothing is remembered");
}
