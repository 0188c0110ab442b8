//! An export at the size of a real chain, killed on the way: the same files as of one that was not, rows that are the
//! chain's receipts, balances that are its state, and the questions of the analyst's guide. Receipts are taken from the
//! blocks' JSON, so that nothing of how rows are made is compared with itself.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use parquet::file::reader::SerializedFileReader;
use parquet::record::Field;
use serde_json::{Map, Value, json};

use crate::{Size, command, python, run, seal, setting, size_bytes};

const GUIDE: &str = include_str!("../../docs/guides/analyst.md");
const DUCKDB: &str = "duckdb==2.0.1";
/// Runs a list of questions; prints how long each took, and how many rows it gave.
const ASK: &str = "
import duckdb, json, sys, time
for sql in json.load(sys.stdin):
    begun = time.monotonic()
    rows = duckdb.sql(sql).fetchall()
    print(json.dumps({'rows': len(rows), 'seconds': time.monotonic() - begun}))
";

/// Applied transactions cost something, and blocks earn something, so that there are operations.
const PARAMETERS: [(&str, &str); 2] = [("CAIRN_FEE", "1"), ("CAIRN_REWARD", "2")];
const WORDS: &str = "export --log embedded:log --format parquet --rows-per-file";

#[test]
#[ignore = "a measurement"]
fn exported_rows_are_the_receipts_and_the_state_of_the_chain_also_after_a_kill() {
    let size = Size::of_the_environment();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    seal(path, &size, &PARAMETERS);
    // Several ranges, so that there is something to be killed between.
    let words = format!("{WORDS} {}", setting("MEASURE_ROWS_PER_FILE", (size.transfers / 5).max(1)));
    let whole = run(path, &format!("{words} --out whole"), &[]);
    let kill_count = kill_until_done(path, &format!("{words} --out killed"), whole.wall_s);
    let out = path.join("killed");
    assert!(contents(&out) == contents(&path.join("whole")), "killed {kill_count} times, and the files differ");

    let (record_count, operation_count) = compare_transfers(path, &out);
    let balance_count = compare_balances(path, &out);
    println!(
        "{} transfers, {} accounts: exported in {:.2} s ({:.2} CPU-s), {:.0} MiB at most, {} bytes; the same files after \
         {kill_count} kills; {record_count} rows are the receipts, {operation_count} the operations, and the last of \
         {balance_count} rows of balances the state",
        size.transfers,
        size.accounts,
        whole.wall_s,
        whole.cpu_s,
        whole.resident_max_mib,
        size_bytes(&path.join("whole")),
    );
    assert_eq!(record_count, size.transfers);
    ask(path);
}

/// Kills the command later and later, in six steps up to the time that it takes, until it gets done; how often.
fn kill_until_done(path: &Path, words: &str, wall_s: f64) -> u32 {
    let mut kill_count = 0;
    loop {
        let mut child = command(path, words, &[]).spawn().unwrap();
        std::thread::sleep(Duration::from_secs_f64(wall_s * f64::from(kill_count + 1) / 6.0));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            assert!(kill_count > 0, "it was done before it could be killed: give it more transfers");
            return kill_count;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kill_count += 1;
    }
}

/// What the files hold, by their place. Not what the next call reads: a call that was killed leaves that of the one
/// before.
fn contents(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let tables = ["transfers", "balances", "validators", "blocks"];
    let paths = tables.iter().flat_map(|table| files(out, table)).chain([out.join("export.json")]);
    paths.map(|path| (path.strip_prefix(out).unwrap().to_owned(), std::fs::read(&path).unwrap())).collect()
}

fn files(out: &Path, table: &str) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(out.join(table)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The rows of a table, in their order.
fn rows(out: &Path, table: &str) -> impl Iterator<Item = Value> + use<> {
    let open = |path: PathBuf| SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    files(out, table).into_iter().flat_map(move |path| open(path).into_iter()).map(|row| {
        let field = |(name, field): (&String, &Field)| {
            let value = match field {
                Field::Null => Value::Null,
                Field::Int(value) => (*value).into(),
                Field::Long(value) | Field::TimestampMillis(value) => (*value).into(),
                Field::Str(value) => value.as_str().into(),
                other => panic!("{name}: {other:?}"),
            };
            (name.clone(), value)
        };
        row.unwrap().get_column_iter().map(field).collect::<Map<_, _>>().into()
    })
}

/// Compares each row of `transfers` with what the chain says; how many were of records, and of operations.
fn compare_transfers(path: &Path, out: &Path) -> (u64, u64) {
    let mut blocks = command(path, "blocks --log embedded:log --json", &[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut found = rows(out, "transfers");
    let (mut record_count, mut operation_count) = (0, 0);
    for line in BufReader::new(blocks.stdout.take().unwrap()).lines() {
        let block: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let list = |name: &str| block[name].as_array().unwrap().iter();
        if block["header"]["height"] == 0 {
            // What the genesis holds is in the balances, and no receipt.
            let genesis = &block["genesis"];
            let count = genesis["accounts"].as_array().unwrap().len() + genesis["validators"].as_array().unwrap().len();
            found.by_ref().take(count).for_each(|row| assert_eq!(row["height"], 0, "{row}"));
        }
        let records = list("transactions").map(of_record);
        let operations = list("operations").map(of_operation);
        for (index, expected) in records.chain(operations).enumerate() {
            let Some(mut expected) = expected else { continue };
            let row = found.next().unwrap();
            expected["height"] = block["header"]["height"].clone();
            expected["block_hash"] = block["hash"].clone();
            expected["index"] = index.into();
            for (name, value) in expected.as_object().unwrap() {
                assert_eq!(row[name], *value, "{name} of {row}");
            }
            *if row["partition"].is_null() { &mut operation_count } else { &mut record_count } += 1;
        }
    }
    assert!(blocks.wait().unwrap().success());
    assert_eq!(found.next(), None, "more rows than the chain has");
    (record_count, operation_count)
}

fn of_record(entry: &Value) -> Option<Value> {
    let receipt = &entry["receipt"];
    Some(json!({
        "partition": entry["partition"], "offset": entry["offset"], "record_time": entry["timestamp_ms"],
        "sender": entry["from"], "recipient": entry["to"], "amount": entry["amount"],
        "status": receipt["outcome"], "reason": receipt["reason"],
        "sender_balance": receipt["from_balance"], "recipient_balance": receipt["to_balance"],
    }))
}

/// `None`: it moves nothing.
fn of_operation(operation: &Value) -> Option<Value> {
    (operation["kind"] != "missed").then(|| {
        json!({
            "partition": null, "kind": operation["kind"], "recipient": operation["account"],
            "validator": operation["validator"], "amount": operation["amount"], "recipient_balance": operation["balance"],
        })
    })
}

/// Compares the last row of each account with the state that a replay arrives at, and each with the one before; how
/// many rows.
fn compare_balances(path: &Path, out: &Path) -> u64 {
    let (mut held, mut row_count): (HashMap<String, (i64, i64)>, u64) = (HashMap::new(), 0);
    for row in rows(out, "balances") {
        let number = |name: &str| row[name].as_i64().unwrap();
        let account = held.entry(row["name"].as_str().unwrap().to_owned()).or_default();
        assert_eq!(account.0 + number("delta"), number("balance"), "{row}");
        *account = (number("balance"), number("nonce"));
        row_count += 1;
    }
    held.retain(|_, account| *account != (0, 0));
    run(path, "replay --log embedded:log --state-dir replayed", &[]);
    let inspected = command(path, "inspect --state-dir replayed --json", &[]).stdout(Stdio::piped()).output().unwrap();
    assert!(inspected.status.success());
    let state: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let accounts = state["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), held.len());
    for account in accounts {
        let number = |name: &str| account[name].as_i64().unwrap();
        let name = account["name"].as_str().unwrap();
        assert_eq!(held.get(name), Some(&(number("balance"), number("nonce"))), "{name}");
    }
    row_count
}

/// Asks what the guide asks, where DuckDB can be had. The last question gives a row for each account that does not add
/// up.
fn ask(path: &Path) {
    let python = match python::with_packages(&[DUCKDB]) {
        Ok(python) => python,
        Err(why) => return println!("SKIPPED: no DuckDB: {why}"),
    };
    let asked: Vec<String> = GUIDE
        .split("```sql\n")
        .skip(1)
        .map(|text| text.split_once("```").unwrap().0.replace("'chain/", "'killed/"))
        .collect();
    let mut asking = std::process::Command::new(python);
    asking.args(["-c", ASK]).current_dir(path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = asking.spawn().unwrap();
    child.stdin.take().unwrap().write_all(json!(asked).to_string().as_bytes()).unwrap();
    let answered = child.wait_with_output().unwrap();
    assert!(answered.status.success());
    let answers: Vec<Value> =
        String::from_utf8(answered.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), asked.len());
    for (sql, answer) in asked.iter().zip(&answers) {
        println!(
            "{:>8} rows in {:.3} s: {}",
            answer["rows"],
            answer["seconds"].as_f64().unwrap(),
            sql.replace('\n', " ")
        );
    }
    assert_eq!(answers.last().unwrap()["rows"], 0, "accounts that do not add up");
}
