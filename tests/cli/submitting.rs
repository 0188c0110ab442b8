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
    let says = ["line 2", "--force", "what stands before it was sent: give the rest alone"];
    let ran = cairn.run_with_input("submit --log embedded:log --json", &input).refused(2, &says);
    assert_eq!(ran.json()[0]["sent"], 1);
    // Under a name it can be given again as a whole.
    let named = "submit --log embedded:log --json --submission day";
    cairn.run_with_input(named, &input).refused(2, &["with --submission day the input goes on behind what was sent"]);
    let mended = cairn.run_with_input(named, &input.replace("no json", GOOD)).done().json();
    assert_eq!((&mended[0]["sent"], &mended[0]["skipped"]), (&2.into(), &1.into()));
}

#[test]
fn a_file_of_another_format_is_refused_with_how_to_make_lines_of_it() {
    let cairn = Cairn::new();
    let utf_16: Vec<u8> = format!("\u{feff}{GOOD}\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cut = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0];
    let others: [(&[u8], &str); 3] =
        [(&utf_16, "iconv"), (&cut, "damaged or cut off"), (b"PK\x03\x04..", "CSV in UTF-8")];
    for (bytes, how) in others {
        std::fs::write(cairn.path().join("payments"), bytes).unwrap();
        for words in [
            "submit --check payments",
            "submit --log embedded:log payments",
            "submit --log embedded:log --force payments",
        ] {
            cairn.run(words).refused(2, &[how]);
        }
    }
    assert!(!cairn.path().join("log").exists());
}

/// As they come from spreadsheets, from old systems, and packed.
#[test]
fn files_as_people_have_them_arrive_as_the_payments_that_they_are() {
    let cairn = Cairn::new();
    let second = GOOD.replace('3', "4");
    let lines = format!("{GOOD}\n{second}\n");
    let pack = |program: &str, text: &str| {
        cairn.write("plain", text);
        let packed = std::process::Command::new(program).arg("-c").arg(cairn.path().join("plain")).output().unwrap();
        assert!(packed.status.success());
        packed.stdout
    };
    let table = "From;To;Amount\r\nalice;bob;3\r\nalice;bob;4\r\n";
    let mut files = vec![
        ("a byte order mark", format!("\u{feff}{GOOD}\r\n{second}").into_bytes()),
        ("carriage returns alone", lines.replace('\n', "\r").into_bytes()),
        ("a list", format!("[\n  {GOOD},\n  {second}\n]\n").into_bytes()),
        ("a table", table.as_bytes().to_vec()),
        ("gzip", pack("gzip", &lines)),
        ("a packed table", pack("gzip", table)),
    ];
    // Where the machine has it.
    if std::process::Command::new("zstd").arg("--version").output().is_ok() {
        files.push(("zstd", pack("zstd", &lines)));
    }
    for (what, bytes) in &files {
        std::fs::write(cairn.path().join("payments"), bytes).unwrap();
        let report = cairn.run("submit --log embedded:log --json payments").done().json();
        assert_eq!((&report[0]["sent"], &report[0]["unreadable"]), (&2.into(), &0.into()), "{what}");
    }
    cairn.run("run --log embedded:log --state-dir state --until-end").done();
    let blocks = cairn.run("blocks --log embedded:log --json").done().json();
    let entries: Vec<_> = blocks.iter().flat_map(|block| block["transactions"].as_array().unwrap()).collect();
    let amounts: Vec<_> = entries.iter().map(|entry| entry["amount"].as_u64().unwrap()).collect();
    assert_eq!(amounts, [3, 4].repeat(files.len()));
    assert!(entries.iter().all(|entry| entry["from"] == "alice" && entry["to"] == "bob"));
}

#[test]
fn what_is_wrong_in_a_list_or_a_table_is_told_by_its_place_and_nothing_is_sent() {
    let cairn = Cairn::new();
    for (text, says) in [
        (format!("[{GOOD},{{\"from\":\"a\"}}]"), "entry 2: missing_field"),
        ("from,to,amount\nalice,bob,3\n\nalice,bob,1'000\n".to_owned(), "line 4: amount_not_a_number"),
        ("alice,bob,3\n".to_owned(), "its first line has to name the columns"),
        ("{\n\"from\":\"alice\"}\n".to_owned(), "jq -c ."),
    ] {
        cairn.write("payments", &text);
        let refused = cairn.run("submit --log embedded:log payments").refused(2, &["nothing was sent"]);
        assert!(refused.stderr.contains(says), "{says}: {}", refused.stderr);
    }
    for (text, says) in [
        (format!("[{GOOD}"), "does not end behind 0 entries"),
        ("from,to,amount\na,b,1,2\n".to_owned(), "names 3 columns, and this row has 4 cells"),
    ] {
        cairn.write("payments", &text);
        cairn.run("submit --log embedded:log payments").refused(2, &[says]);
    }
    assert!(!cairn.path().join("log").exists());
}

#[test]
fn what_a_line_holds_does_not_steer_the_terminal_and_the_program_s_own_words_stay_as_they_are() {
    let cairn = Cairn::new();
    cairn.write("payments", "{\"from\":\"a\u{202e}b\",\"to\":\"b\",\"amount\":3}\n\u{1b}[2J\n");
    let told = cairn.run("submit --check payments").stderr;
    assert!(told.chars().all(|character| character == '\n' || !character.is_control()), "{told:?}");
    assert!(!told.contains('\u{202e}'), "{told:?}");
    assert!(!told.contains("\\'") && !told.contains("\\\""), "{told}");
}

#[test]
fn checking_needs_no_log() {
    let cairn = Cairn::new();
    assert_eq!(cairn.run_with_input("submit --check", GOOD).done().stdout, "1 line, 0 of them no transactions\n");
    let bad = cairn.run_with_input("submit --check --json", "7\n");
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

#[test]
fn a_submission_takes_no_other_lines_under_the_name_of_those_that_arrived() {
    let cairn = Cairn::new();
    let line = |amount: u64| format!("{{\"from\":\"alice\",\"to\":\"bob\",\"amount\":{amount}}}\n");
    let submit = "submit --log embedded:log --submission second";
    cairn.write("day.jsonl", &(line(1) + &line(2)));
    cairn.run(&format!("{submit} day.jsonl")).done();
    let says = ["line 1 differs from what arrived as line 1 of submission 'second'; give another --submission name"];
    // Edited, another pipe, and the same lines in another order, with new ones behind them.
    cairn.write("edited.jsonl", &(line(7) + &line(2) + &line(3)));
    assert_eq!(cairn.run(&format!("{submit} edited.jsonl")).refused(2, &says).stdout, "");
    assert_eq!(cairn.run_with_input(submit, &line(7)).refused(2, &says).stdout, "");
    cairn.run_with_input(submit, &(line(2) + &line(1) + &line(3))).refused(2, &says);
    // Shorter, or emptied.
    cairn.write("short.jsonl", &line(1));
    cairn
        .run(&format!("{submit} short.jsonl"))
        .refused(2, &["ends with line 1", "line 2 of submission 'second' arrived"]);
    cairn.run(submit).refused(2, &["ends with line 0"]);
    cairn.run_with_input(submit, &format!("{}\n{}", line(1), line(3))).refused(2, &["line 2 differs"]);
    // None of that was sent, and what goes on is.
    let report = cairn.run_with_input(&format!("{submit} --json"), &(line(1) + &line(2) + &line(3))).done().json();
    assert_eq!((&report[0]["sent"], &report[0]["skipped"]), (&1.into(), &2.into()));
    let sealed = cairn.run("run --log embedded:log --state-dir state --until-end --json").done();
    assert_eq!(sealed.json().len(), 1);
    assert_eq!(cairn.run("verify --log embedded:log --json").done().json()[0]["records"], 3);
}

#[test]
fn a_forged_header_ends_no_submission_as_if_all_lines_were_there() {
    let line = format!("{GOOD}\n");
    for (forged, says) in [
        ("second:18446744073709551615", "is of submission 'second', and not which line"),
        ("second:18446744073709551615:0123456789abcdef", "line 1 did not arrive"),
        ("second:1:0123456789abcdef", "line 1 differs"),
        ("second:", "not which line"),
    ] {
        let cairn = Cairn::new();
        cairn.run_with_input("submit --log embedded:log", &line).done();
        cairn.forge("transactions", None, GOOD, &[("cairn-submission", forged)]);
        let submit = "submit --log embedded:log --submission second";
        assert_eq!(cairn.run_with_input(submit, &line).refused(2, &[says]).stdout, "", "{forged}");
    }
    // Behind lines that did arrive, too, with the place of the record that says so.
    let cairn = Cairn::new();
    let submit = "submit --log embedded:log --submission second";
    cairn.run_with_input(submit, &line).done();
    cairn.forge("transactions", None, GOOD, &[("cairn-submission", "second:18446744073709551615:0123456789abcdef")]);
    cairn
        .run_with_input(submit, &line)
        .refused(2, &["ends with line 1", "line 18446744073709551615", "offset 2 of transactions-0"]);
    let headers = [("cairn-submission", "another:1:0123456789abcdef"), ("else", "second:7")];
    let cairn = Cairn::new();
    cairn.run_with_input(submit, &line).done();
    cairn.forge("transactions", None, GOOD, &headers);
    cairn.run_with_input(submit, &line.repeat(2)).done();
}

#[test]
fn a_directory_is_no_file_of_transactions() {
    let cairn = Cairn::new();
    for words in ["--check .", "--log embedded:log .", "--log embedded:log --force ."] {
        cairn.run(&format!("submit {words}")).refused(2, &[". is a directory"]);
    }
    assert!(!cairn.path().join("log").exists());
}
