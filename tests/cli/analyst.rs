//! Exported files in DuckDB: the questions of the analyst's guide, run from its text, and the same rows from all three
//! formats. Where DuckDB cannot be had, nothing of this is shown, and a line says so.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::exporting::{LOG, chain, export, last_balances, state};
use crate::{Cairn, python};

const GUIDE: &str = include_str!("../../docs/guides/analyst.md");
const DUCKDB: &str = "duckdb==2.0.1";
/// Runs the SQL on standard input; prints the result as DuckDB shows it, or a line of JSON for each row.
const QUERY: &str = "
import duckdb, json, sys
result = duckdb.sql(sys.stdin.read())
if sys.argv[1] == 'show':
    print(result)
else:
    for row in result.fetchall():
        print(json.dumps(dict(zip(result.columns, row)), default=int))
";

/// 2026-03-02, the first day of the guide's chain.
const START_MS: i64 = 1_772_409_600_000;
const DAY_MS: i64 = 24 * 3_600_000;

/// The records of the guide's chain, each with its day.
const RECORDS: [(i64, &str); 11] = [
    (0, r#"{"from":"mint","to":"alice","amount":500}"#),
    (0, r#"{"from":"mint","to":"bob","amount":300}"#),
    (0, r#"{"from":"alice","to":"shop","amount":120,"id":"order-1","memo":"two books, one pen"}"#),
    (1, r#"{"from":"bob","to":"shop","amount":75,"id":"order-2"}"#),
    (1, r#"{"from":"alice","to":"shop","amount":120,"id":"order-1","memo":"two books, one pen"}"#),
    (1, r#"{"from":"shop","to":"Müller & Sons","amount":150}"#),
    (1, "no json"),
    (2, r#"{"from":"alice","to":"bob","amount":0}"#),
    (2, r#"{"from":"alice","to":"bob","amount":60}"#),
    (2, r#"{"from":"bob","to":"shop","amount":30,"id":"order-2"}"#),
    (2, r#"{"from":"bob","to":"shop","amount":30,"id":"order-3"}"#),
];

/// DuckDB in the directory of a chain.
struct DuckDb<'c> {
    python: PathBuf,
    cairn: &'c Cairn,
}

impl<'c> DuckDb<'c> {
    fn of(cairn: &'c Cairn) -> Option<Self> {
        match python::with_packages(&[DUCKDB]) {
            Ok(python) => Some(Self { python, cairn }),
            Err(why) => {
                println!("SKIPPED, without DuckDB: {why}");
                None
            }
        }
    }

    fn run(&self, sql: &str, how: &str) -> String {
        let mut command = Command::new(&self.python);
        command.args(["-c", QUERY, how]).current_dir(self.cairn.path()).env("PYTHONUTF8", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The result as it is shown to a person.
    fn show(&self, sql: &str) -> String {
        self.run(sql, "show").trim_end().to_owned()
    }

    fn rows(&self, sql: &str) -> Vec<Value> {
        self.run(sql, "json").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The guide's pieces of SQL, each with the result that stands right below it, if one does.
fn questions() -> Vec<(&'static str, Option<&'static str>)> {
    let mut pieces = GUIDE.split("```sql\n");
    pieces.next();
    let piece = |text: &'static str| {
        let (sql, rest) = text.split_once("```\n").unwrap();
        let shown = rest.trim_start().strip_prefix("```text\n").and_then(|shown| shown.split_once("\n```"));
        (sql, shown.map(|(shown, _)| shown))
    };
    pieces.map(piece).collect()
}

#[test]
fn the_questions_of_the_guide_have_the_answers_that_stand_below_them() {
    let cairn = Cairn::new();
    for (number, (day, value)) in (0..).zip(RECORDS) {
        cairn.forge_at(START_MS + day * DAY_MS + number * 60_000, "transactions", None, value, &[]);
    }
    let three =
        [("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"), ("CAIRN_BLOCK_WINDOW_MS", "0"), ("CAIRN_BLOCK_MAX_AGE_MS", "600000")];
    cairn.run_with(&format!("run {LOG} --state-dir state --until-end"), &three).done();
    export(&cairn, "--format parquet --out chain --heights-per-file 2");
    let Some(duckdb) = DuckDb::of(&cairn) else { return };
    let questions = questions();
    assert_eq!(questions.iter().filter(|(_, shown)| shown.is_some()).count(), 5, "the guide shows five answers");
    for (sql, expected) in &questions {
        let found = duckdb.show(sql);
        match expected {
            Some(expected) => assert_eq!(found, *expected, "{sql}\n{found}"),
            // It depends on the keys of the validators.
            None => println!("{sql}{found}"),
        }
    }
    let (validators, _) = questions.iter().find(|(sql, _)| sql.contains("/validators/")).unwrap();
    let proposed: i64 = duckdb.rows(validators).iter().map(|row| row["proposed"].as_i64().unwrap()).sum();
    let height = state(&cairn)["height"].as_i64().unwrap();
    assert_eq!((proposed, height), (4, 4), "each block behind block 0 has one proposer");
}

#[test]
fn duckdb_reads_the_same_of_all_three_formats_and_it_is_the_chains_state() {
    let cairn = chain(150);
    let Some(duckdb) = DuckDb::of(&cairn) else { return };
    let state = state(&cairn);
    let held = crate::exporting::held(&state);
    let (mut sums, mut orders) = (Vec::new(), Vec::new());
    for (format, read, time) in [
        ("parquet", "read_parquet", "epoch_ms(record_time)"),
        ("csv", "read_csv", "record_time_ms"),
        ("jsonl", "read_json", "record_time_ms"),
    ] {
        export(&cairn, &format!("--format {format} --out {format} --rows-per-file 40"));
        let from = |table: &str| format!("from {read}('{format}/{table}/*.{format}')");
        let balances = duckdb.rows(&format!("select name, balance, nonce {} order by height, name", from("balances")));
        assert_eq!(last_balances(&balances), held, "{format}");
        sums.push(duckdb.rows(&format!(
            "select count(*) as rows, sum(amount)::bigint as amount, sum(fee)::bigint as fee, count(memo) as memos,
             count(distinct sender) as senders, count(transaction_id) as ids, sum({time})::bigint as time {}",
            from("transfers")
        )));
        orders.push(duckdb.rows(&format!(
            "select sender, recipient, memo, reason, sender_balance {} order by height, \"index\"",
            from("transfers")
        )));
    }
    assert_eq!(sums[0], sums[1]);
    assert_eq!(sums[0], sums[2]);
    assert_eq!(orders[0], orders[1], "the rows of CSV, null and quotes included");
    assert_eq!(orders[0], orders[2]);
}
