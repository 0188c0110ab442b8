//! The list of JSON reports in the operations manual, compared with what the program writes.

use std::collections::{BTreeMap, BTreeSet};

use crate::Cairn;

const LOG: &str = "--log embedded:log";

type Fields = BTreeSet<String>;

/// What the manual says: for each entry of the list its fields, without those of what they hold.
fn documented() -> BTreeMap<String, Fields> {
    let manual = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
    let (_, list) = manual.split_once("Fields, by command:\n\n- ").expect("the list is there");
    let (list, _) = list.split_once("\n\n").expect("it ends");
    let entry = |entry: &str| {
        let (command, fields) = entry.split_once(": ").unwrap();
        let mut depth = 0;
        let outside: String = fields
            .chars()
            .filter(|character| {
                depth += i32::from(*character == '(') - i32::from(*character == ')');
                depth == 0 && *character != ')'
            })
            .collect();
        let names = outside.split('`').skip(1).step_by(2).filter(|name| !name.starts_with('"'));
        (command.trim().to_owned(), names.map(str::to_owned).collect())
    };
    list.split("\n- ").map(entry).collect()
}

fn fields(report: &serde_json::Value) -> Fields {
    report.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_manual_names_exactly_the_fields_of_each_report() {
    let cairn = Cairn::new();
    cairn.write("payments.jsonl", "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n");
    let mut found = BTreeMap::new();
    let mut report = |row: &str, words: &str, code: i32| {
        let ran = cairn.run(&format!("{words} --json"));
        assert_eq!(ran.code, code, "{words}: {}{}", ran.stdout, ran.stderr);
        found.insert(row.to_owned(), ran.json().first().map(fields).unwrap_or_default());
        ran
    };
    report("`submit`", &format!("submit {LOG} payments.jsonl"), 0);
    report("`submit --check`", "submit --check payments.jsonl", 0);
    report("`run`", &format!("run {LOG} --state-dir state --until-end"), 0);
    report("`replay`", &format!("replay {LOG} --state-dir replayed"), 0);
    let intact = report("`verify`, intact", &format!("verify {LOG}"), 0).json().remove(0);
    report("`verify`, broken", &format!("verify {LOG} --genesis-hash {}", "0".repeat(64)), 1);
    let proof = cairn.run(&format!("prove balance bob {LOG}")).done().stdout;
    cairn.write("bob.json", &proof);
    let genesis = intact["genesis_hash"].as_str().unwrap();
    report("`check`, holds", &format!("check bob.json --genesis-hash {genesis}"), 0);
    report("`check`, refused", &format!("check bob.json --genesis-hash {}", "0".repeat(64)), 1);
    let inspected = report("`inspect`", "inspect --state-dir state", 0).json().remove(0);
    assert_eq!(inspected["chain_id"], intact["chain_id"]);
    assert!(intact["chain_id"].as_str().unwrap().starts_with("cairn-"), "{intact}");
    report("`reset`", &format!("reset {LOG} --application-id cairn --dry-run"), 0);
    report("`keys`", "keys --output v.keys", 0);
    report("`keys --account`", "keys --account --output a.key", 0);
    report("`export`", &format!("export {LOG} --format jsonl --out rows"), 0);
    report("`topology`", "topology", 0);
    report("`topics`", &format!("topics {LOG} --check"), 0);
    let demo = cairn.run("demo --blocks 1 --json").done().json();
    found.insert("`demo`, each block".to_owned(), fields(&demo[0]));
    found.insert("`demo`, last line".to_owned(), fields(demo.last().unwrap()));
    let documented = documented();
    for (row, fields) in &found {
        assert_eq!(documented.get(row), Some(fields), "{row}");
    }
    let others: Vec<_> = documented.keys().filter(|row| !found.contains_key(*row)).collect();
    let elsewhere = ["`blocks`", "`checkpoint`, `witness`", "`keys --witness-name`, `keys --chain`", "`prove`"];
    assert_eq!(others, elsewhere, "rows whose lines are told elsewhere");
}

#[test]
fn what_fails_leaves_stdout_empty_in_json_too() {
    let cairn = Cairn::new();
    for words in
        ["verify --log embedded:none", "submit --check none.jsonl", "inspect --state-dir none", "keys --show none"]
    {
        let ran = cairn.run(&format!("{words} --json"));
        assert!(ran.code != 0 && ran.stdout.is_empty() && ran.stderr.contains("error: "), "{words}: {}", ran.stdout);
    }
}
