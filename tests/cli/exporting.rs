//! `cairn export`: which files there are, that their rows add up to the chain's state, and what is refused. How the
//! formats are read is asked in `formats` and `analyst`.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::Cairn;

pub(crate) const LOG: &str = "--log embedded:log";
/// Blocks are cut by their number of transactions alone, and every transaction costs and earns something.
const PARAMETERS: [(&str, &str); 5] = [
    ("CAIRN_BLOCK_MAX_TRANSACTIONS", "5"),
    ("CAIRN_BLOCK_WINDOW_MS", "0"),
    ("CAIRN_BLOCK_MAX_AGE_MS", "600000"),
    ("CAIRN_FEE", "1"),
    ("CAIRN_REWARD", "2"),
];

/// Seals so many payments more, one of eleven unreadable, which counts for no block's size: of a few names, some of
/// them hard to quote, some rejected, some unreadable.
pub(crate) fn seal(cairn: &Cairn, count: usize) {
    const NAMES: [&str; 6] = ["alice", "bob", "carol", "Söhne, Müller & Co", "=1+1", "say \\\"hi\\\""];
    let name = |number: usize| NAMES[number % NAMES.len()];
    let line = |number: usize| match number % 11 {
        3 => "no json".to_owned(),
        5 => format!(r#"{{"from":"{}","to":"{}","amount":0}}"#, name(number), name(number + 1)),
        7 => format!(r#"{{"from":"{}","to":"{}","amount":7,"id":"i{}"}}"#, name(number), name(number + 2), number % 3),
        9 => format!(r#"{{"from":"{}","to":"{}","amount":9,"memo":"a\nb, c\r\t;"}}"#, name(number), name(number + 3)),
        _ => format!(r#"{{"from":"{}","to":"{}","amount":{}}}"#, name(number), name(number * 5 + 1), number % 90 + 1),
    };
    let lines: String = (0..count).map(|number| line(number) + "\n").collect();
    cairn.write("payments.jsonl", &lines);
    cairn.run(&format!("submit {LOG} --force payments.jsonl")).done();
    cairn.run_with(&format!("run {LOG} --state-dir state --until-end"), &PARAMETERS).done();
}

/// A chain with so many payments.
pub(crate) fn chain(count: usize) -> Cairn {
    let cairn = Cairn::new();
    seal(&cairn, count);
    cairn
}

/// Exports with these words; what is said of it.
pub(crate) fn export(cairn: &Cairn, words: &str) -> Value {
    cairn.run(&format!("export {LOG} --json {words}")).done().json().remove(0)
}

/// The files of a table, by name.
pub(crate) fn files(out: &Path, table: &str) -> Vec<String> {
    let entries = std::fs::read_dir(out.join(table)).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The rows of a table that was exported as JSON lines.
pub(crate) fn rows(out: &Path, table: &str) -> Vec<Value> {
    let text = |name: String| std::fs::read_to_string(out.join(table).join(name)).unwrap();
    let text: String = files(out, table).into_iter().map(text).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All that is in a directory, but for the lock.
fn contents(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in ["export.json", ".state"] {
        found.insert(name.to_owned(), std::fs::read(out.join(name)).unwrap());
    }
    for table in ["transfers", "balances", "validators", "blocks"] {
        for name in files(out, table) {
            let path = format!("{table}/{name}");
            found.insert(path.clone(), std::fs::read(out.join(path)).unwrap());
        }
    }
    found
}

/// The state that a replay from the blockchain topic arrives at.
pub(crate) fn state(cairn: &Cairn) -> Value {
    let _ = std::fs::remove_dir_all(cairn.path().join("replayed"));
    cairn.run(&format!("replay {LOG} --state-dir replayed")).done();
    cairn.run("inspect --state-dir replayed --json").done().json().remove(0)
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value}"))
}

/// The balances in a state, by name.
pub(crate) fn held(state: &Value) -> BTreeMap<String, (i64, i64)> {
    let accounts = state["accounts"].as_array().unwrap().iter();
    let account = |account: &Value| {
        let name = account["name"].as_str().unwrap().to_owned();
        (name, (number(&account["balance"]), number(&account["nonce"])))
    };
    accounts.map(account).collect()
}

/// Balance and nonce of each account, by its last row. Those that the chain does not keep are left out.
pub(crate) fn last_balances(rows: &[Value]) -> BTreeMap<String, (i64, i64)> {
    let of = |row: &Value| (row["name"].as_str().unwrap().to_owned(), (number(&row["balance"]), number(&row["nonce"])));
    let all: BTreeMap<_, _> = rows.iter().map(of).collect();
    all.into_iter().filter(|(_, account)| *account != (0, 0)).collect()
}

#[test]
fn the_rows_of_every_table_add_up_to_the_chains_state() {
    let cairn = chain(200);
    let said = export(&cairn, "--format jsonl --out out --rows-per-file 50");
    let out = cairn.path().join("out");
    let state = state(&cairn);
    assert_eq!((&said["height"], &said["block_hash"]), (&state["height"], &state["block_hash"]));

    let (transfers, balances) = (rows(&out, "transfers"), rows(&out, "balances"));
    assert_eq!(last_balances(&balances), held(&state));
    let mut moved: BTreeMap<String, i64> = BTreeMap::new();
    for row in transfers.iter().filter(|row| row["status"] == "applied") {
        let amount = row["amount"].as_i64().unwrap_or(0);
        if let Some(name) = row["sender"].as_str() {
            *moved.entry(name.to_owned()).or_default() -= amount + number(&row["fee"]);
        }
        if let Some(name) = row["recipient"].as_str() {
            *moved.entry(name.to_owned()).or_default() += amount;
        }
    }
    let held: BTreeMap<String, i64> = held(&state).into_iter().map(|(name, (balance, _))| (name, balance)).collect();
    moved.retain(|name, balance| *balance != 0 || held.contains_key(name));
    assert_eq!(moved, held, "what was received less what was sent");
    for (name, balance) in &held {
        let deltas = balances.iter().filter(|row| row["name"] == name.as_str()).map(|row| number(&row["delta"]));
        assert_eq!(deltas.sum::<i64>(), *balance, "{name}");
    }

    let validators = rows(&out, "validators");
    for validator in state["validators"].as_array().unwrap() {
        let last = validators.iter().rfind(|row| row["id"] == validator["id"]).unwrap();
        assert_eq!((&last["stake"], &last["rounds_missed"]), (&validator["stake"], &validator["missed"]), "{last}");
    }
    let blocks = rows(&out, "blocks");
    assert_eq!(blocks.len() as i64, number(&state["height"]) + 1);
    let sum = |field: &str| blocks.iter().map(|row| number(&row[field])).sum::<i64>();
    assert_eq!(sum("records"), 200);
    let count = |status: &str| {
        transfers.iter().filter(|row| row["status"] == status && !row["partition"].is_null()).count() as i64
    };
    for status in ["applied", "rejected", "unreadable"] {
        assert!(count(status) > 0, "{status}");
        assert_eq!(sum(status), count(status), "{status}");
    }
}

#[test]
fn ranges_end_where_the_bounds_have_it_and_a_later_call_goes_on_without_touching_them() {
    let cairn = chain(60);
    let out = cairn.path().join("out");
    let words = "--format csv --out out --heights-per-file 5";
    let first = export(&cairn, words);
    let expected = ["000000000000-000000000004.csv", "000000000005-000000000009.csv", "000000000010-000000000011.csv"];
    for table in ["transfers", "balances", "validators", "blocks"] {
        assert_eq!(files(&out, table), expected, "{table}");
    }
    assert_eq!((&first["from_height"], &first["height"], &first["files"]), (&0.into(), &11.into(), &12.into()));
    let nothing = export(&cairn, words);
    assert_eq!((&nothing["height"], &nothing["files"]), (&Value::Null, &0.into()));
    assert!(cairn.run(&format!("export {LOG} {words}")).done().stdout.starts_with("nothing new: out holds"));

    let places = |name: &str| std::fs::metadata(out.join("transfers").join(name)).unwrap().ino();
    let before: Vec<u64> = expected.iter().map(|name| places(name)).collect();
    seal(&cairn, 20);
    let second = export(&cairn, words);
    assert_eq!((&second["from_height"], &second["height"]), (&12.into(), &15.into()));
    assert_eq!(files(&out, "blocks")[3..], ["000000000012-000000000014.csv", "000000000015-000000000015.csv"]);
    assert_eq!(expected.iter().map(|name| places(name)).collect::<Vec<_>>(), before, "written once");

    // Without what it kept of the chain it follows it from the beginning, and comes to the same.
    std::fs::remove_file(out.join(".state")).unwrap();
    seal(&cairn, 5);
    assert_eq!(export(&cairn, words)["from_height"], 16);
    std::fs::write(out.join(".state"), "damaged").unwrap();
    seal(&cairn, 5);
    let third = cairn.run(&format!("export {LOG} --json {words}")).done();
    assert!(third.stderr.contains("checksum"), "{}", third.stderr);
    assert_eq!(third.json()[0]["from_height"], 17);
}

#[test]
fn an_export_that_begins_later_opens_with_the_balances_before_it() {
    let cairn = chain(100);
    export(&cairn, "--format jsonl --out all");
    export(&cairn, "--format jsonl --out later --from-height 11");
    export(&cairn, "--format jsonl --out between --from-height 11 --to-height 15");
    let path = |name: &str| cairn.path().join(name);
    assert_eq!(files(&path("between"), "blocks"), ["000000000011-000000000015.jsonl"]);
    let held = held(&state(&cairn));
    let later = rows(&path("later"), "balances");
    assert_eq!(last_balances(&later), held);
    assert_eq!(later[0]["height"], 10, "the first rows are of the height before");
    let from_11 = |rows: Vec<Value>| rows.into_iter().filter(|row| number(&row["height"]) >= 11).collect::<Vec<_>>();
    for table in ["transfers", "balances", "validators", "blocks"] {
        assert_eq!(from_11(rows(&path("later"), table)), from_11(rows(&path("all"), table)), "{table}");
    }
    // It goes on in its own directory, and in no other way.
    assert_eq!(export(&cairn, "--format jsonl --out between")["from_height"], 16);
    assert_eq!(rows(&path("between"), "balances"), later);
    cairn.run(&format!("export {LOG} --format jsonl --out later --from-height 3")).refused(2, &["from 11 on"]);
}

#[test]
fn what_was_asked_for_and_cannot_be_is_told_before_anything_is_written() {
    let cairn = chain(10);
    let refused = |words: &str, says: &[&str]| {
        cairn.run(&format!("export {LOG} {words}")).refused(2, says);
        assert!(!cairn.path().join("out").exists(), "{words}");
    };
    refused("--out out", &["--format parquet, csv or jsonl"]);
    refused("--format csv", &["--out DIR"]);
    refused("--format csv --out out --from-height 2 --to-height 1", &["below --from-height"]);
    refused("--format csv --out out --to-height 1 --follow", &["leave one of them out"]);
    refused("--format csv --out out --to-height 99", &["--to-height 99: the chain ends at height 2"]);
    refused("--format csv --out out --from-height 99", &["--from-height 99: the chain ends at height 2"]);
    let unknown = cairn.run(&format!("export {LOG} --format xml --out out"));
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""), "{}", unknown.stderr);
    cairn.run(&format!("export {LOG} --format csv --out out --blockchain none")).refused(3, &["no topic 'none'"]);

    let pinned = format!("--format csv --out pinned --genesis-hash {}", "0".repeat(64));
    let ran = cairn.run(&format!("export {LOG} {pinned}"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("broken at height 0: anchor: "), "{}", ran.stdout);
    let hash = export(&cairn, "--format csv --out ours")["genesis_hash"].as_str().unwrap().to_owned();
    assert_eq!(export(&cairn, &format!("--format csv --out ours-too --genesis-hash {hash}"))["anchored"], true);
}

#[test]
fn a_directory_with_another_format_chain_or_history_is_refused_and_left_as_it_was() {
    let (cairn, other) = (chain(20), chain(40));
    export(&cairn, "--format jsonl --out out");
    let out = cairn.path().join("out");
    let before = contents(&out);
    cairn.run(&format!("export {LOG} --format csv --out out")).refused(2, &["as jsonl, and csv is asked for"]);
    let log = other.path().join("log");
    let of_other = format!("export --log embedded:{} --format jsonl --out out", log.display());
    cairn.run(&of_other).refused(2, &["holds the chain of genesis", "name another directory"]);
    // The same chain with another past: what is exported is not what stands on the topic.
    let changed = std::fs::read_to_string(out.join("export.json")).unwrap();
    let hash =
        serde_json::from_str::<Value>(&changed).unwrap()["last_range"]["block_hash"].as_str().unwrap().to_owned();
    std::fs::write(out.join("export.json"), changed.replace(&hash, &"1".repeat(64))).unwrap();
    // With what was kept of the chain, which is that of the topic, and without.
    cairn.run(&format!("export {LOG} --format jsonl --out out")).refused(2, &["the chain was changed"]);
    std::fs::remove_file(out.join(".state")).unwrap();
    cairn.run(&format!("export {LOG} --format jsonl --out out")).refused(2, &["the chain was changed"]);
    std::fs::write(out.join("export.json"), &changed).unwrap();
    export(&cairn, "--format jsonl --out out");
    std::fs::write(out.join(".state"), &before[".state"]).unwrap();
    assert_eq!(contents(&out), before);
    std::fs::create_dir(cairn.path().join("letters")).unwrap();
    cairn.write("letters/dear.txt", "mother");
    cairn.run(&format!("export {LOG} --format csv --out letters")).refused(2, &["name an empty directory"]);
    let left: Vec<_> = std::fs::read_dir(cairn.path().join("letters")).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_chain_that_was_pinned_is_not_taken_for_another_also_where_nothing_is_left_to_do() {
    let cairn = chain(20);
    export(&cairn, "--format csv --out out --to-height 2");
    std::fs::remove_file(cairn.path().join("out/.state")).unwrap();
    let pinned = format!("export {LOG} --format csv --out out --to-height 2 --genesis-hash {}", "0".repeat(64));
    let ran = cairn.run(&pinned);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.starts_with("broken at height 0: anchor: "), "{}", ran.stdout);
    // Nor is the chain of another topic taken for that of the files.
    let other = chain(40);
    let log = other.path().join("log");
    let of_other = format!("export --log embedded:{} --format csv --out out --to-height 2", log.display());
    cairn.run(&of_other).refused(2, &["holds the chain of genesis", "name another directory"]);
}

#[test]
fn files_are_there_also_where_there_is_no_room_for_what_saves_the_next_call_time() {
    let cairn = chain(20);
    export(&cairn, "--format csv --out out --to-height 1");
    std::fs::create_dir(cairn.path().join("out/.state.part")).unwrap();
    let ran = cairn.run(&format!("export {LOG} --json --format csv --out out")).done();
    assert!(ran.stderr.contains("the next call follows the chain from its beginning"), "{}", ran.stderr);
    assert_eq!((&ran.json()[0]["from_height"], files(&cairn.path().join("out"), "blocks").len()), (&2.into(), 2));
}

#[test]
fn a_broken_chain_is_refused_and_what_was_written_before_stays_whole() {
    let cairn = chain(60);
    let words = "--format parquet --out out --heights-per-file 4";
    export(&cairn, &format!("{words} --to-height 7"));
    let out = cairn.path().join("out");
    let before = contents(&out);
    let value = |height: usize| {
        let text = cairn.run(&format!("blocks {LOG} --json")).done().stdout;
        text.lines().nth(height).unwrap().to_owned()
    };
    // The last block again, under the next height: it is not that height's.
    cairn.forge("blockchain", Some("12"), &value(11), &[]);
    let ran = cairn.run(&format!("export {LOG} {words}"));
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.starts_with("broken at height 12: "), "{}", ran.stdout);
    let after = contents(&out);
    assert!(before.iter().filter(|(name, _)| name.contains('/')).all(|(name, bytes)| after.get(name) == Some(bytes)));
    // Whole ranges below the breach were published; the one that it is in was not, nor is anything left of it.
    assert_eq!(
        files(&out, "transfers"),
        ["000000000000-000000000003.parquet", "000000000004-000000000007.parquet", "000000000008-000000000011.parquet"]
    );
    let again = cairn.run(&format!("export {LOG} {words} --json"));
    assert_eq!((again.code, &again.json()[0]["reason"]), (1, &"overwritten".into()));
    assert_eq!(contents(&out), after);
}

#[test]
fn an_export_that_is_killed_again_and_again_leaves_the_files_of_an_undisturbed_one() {
    let cairn = chain(300);
    for format in ["parquet", "csv", "jsonl"] {
        let words = format!("export {LOG} --format {format} --rows-per-file 20");
        cairn.run(&format!("{words} --out whole-{format}")).done();
        let (mut killed_count, mut delay_ms) = (0, 20);
        loop {
            let mut child = cairn.command(&format!("{words} --out killed-{format}")).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(delay_ms));
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                break;
            }
            // The program it runs under has it killed, too.
            child.kill().unwrap();
            child.wait().unwrap();
            killed_count += 1;
            delay_ms += 17;
            until_unlocked(&cairn);
        }
        let of = |name: &str| contents(&cairn.path().join(format!("{name}-{format}")));
        println!("{format}: killed {killed_count} times, {} files", of("whole").len());
        assert!(killed_count > 0);
        assert!(of("killed") == of("whole"), "the files of {format} differ");
    }
}

/// Waits until a killed process has let go of the log.
fn until_unlocked(cairn: &Cairn) {
    let is_free = || cairn.run(&format!("blocks {LOG} --limit 1")).code == 0;
    assert!(
        (0..500).any(|_| is_free() || {
            std::thread::sleep(Duration::from_millis(10));
            false
        }),
        "still locked"
    );
}
