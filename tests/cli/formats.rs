//! Exported files as programs read them that are not ours: Parquet by its own crate, CSV by Python. Each must say what
//! the JSON lines say, which are the rows themselves.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use cairn::chain::Block;
use parquet::basic::{Compression, Encoding, LogicalType, TimeUnit, Type};
use parquet::file::metadata::SortingColumn;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Value};

use crate::all_rows::AllRows;
use crate::exporting::{LOG, chain, export, files, rows};

const TABLES: [&str; 4] = ["transfers", "balances", "validators", "blocks"];

fn open(out: &Path, table: &str) -> Vec<SerializedFileReader<File>> {
    let open = |name: String| SerializedFileReader::new(File::open(out.join(table).join(name)).unwrap()).unwrap();
    files(out, table).into_iter().map(open).collect()
}

/// A row of Parquet with the names and values that it has in JSON.
fn as_json(row: &parquet::record::Row) -> Value {
    let field = |(name, field): (&String, &Field)| match field {
        Field::Null => (name.clone(), Value::Null),
        Field::Int(value) => (name.clone(), (*value).into()),
        Field::Long(value) => (name.clone(), (*value).into()),
        Field::Str(value) => (name.clone(), value.as_str().into()),
        Field::TimestampMillis(value) => (format!("{name}_ms"), (*value).into()),
        other => panic!("{name}: {other:?}"),
    };
    let mut object: Map<String, Value> = row.get_column_iter().map(field).collect();
    // A time that is null has no type of its own here.
    for name in ["record_time"] {
        if let Some(null) = object.remove(name) {
            object.insert(format!("{name}_ms"), null);
        }
    }
    object.into()
}

#[test]
fn json_lines_are_the_rows_of_views_letter_for_letter() {
    let cairn = chain(80);
    export(&cairn, "--format jsonl --out out --rows-per-file 30");
    let mut expected = [const { String::new() }; 3];
    let mut all = AllRows::default();
    for line in cairn.run(&format!("blocks {LOG} --json")).done().stdout.lines() {
        let block = Block::from_json(line.as_bytes()).unwrap();
        let rows = all.of(&block).unwrap();
        rows.transfers.iter().for_each(|row| expected[0] += &(serde_json::to_string(row).unwrap() + "\n"));
        rows.balances.iter().for_each(|row| expected[1] += &(serde_json::to_string(row).unwrap() + "\n"));
        rows.validators.iter().for_each(|row| expected[2] += &(serde_json::to_string(row).unwrap() + "\n"));
    }
    let out = cairn.path().join("out");
    for (table, expected) in TABLES.iter().zip(expected) {
        let text = |name: String| std::fs::read_to_string(out.join(table).join(name)).unwrap();
        assert_eq!(files(&out, table).into_iter().map(text).collect::<String>(), expected, "{table}");
    }
}

#[test]
fn parquet_and_json_lines_hold_the_same_rows_in_the_same_order() {
    let cairn = chain(150);
    let said = export(&cairn, "--format jsonl --out lines");
    let parquet = export(&cairn, "--format parquet --out parquet --rows-per-file 40");
    assert_eq!(said["rows"], parquet["rows"]);
    let (lines, out) = (cairn.path().join("lines"), cairn.path().join("parquet"));
    for table in TABLES {
        let found: Vec<Value> = open(&out, table)
            .into_iter()
            .flat_map(|file| file.into_iter().map(|row| as_json(&row.unwrap())).collect::<Vec<_>>())
            .collect();
        assert_eq!(found.len() as u64, said["rows"][table].as_u64().unwrap(), "{table}");
        assert_eq!(found, rows(&lines, table), "{table}");
    }
    assert!(files(&out, "transfers").len() > 2);
}

#[test]
fn a_parquet_file_says_what_it_is_of_how_it_is_sorted_and_what_its_columns_mean() {
    let cairn = chain(60);
    let said = export(&cairn, "--format parquet --out out --heights-per-file 5");
    let out = cairn.path().join("out");
    for table in TABLES {
        let heights = [("0", "4"), ("5", "9"), ("10", "11")];
        for (file, (first, last)) in open(&out, table).iter().zip(heights) {
            let metadata = file.metadata();
            let about = |key: &str| {
                let pairs = metadata.file_metadata().key_value_metadata().unwrap();
                pairs.iter().find(|pair| pair.key == key).unwrap().value.clone().unwrap()
            };
            assert_eq!((about("cairn.first_height").as_str(), about("cairn.last_height").as_str()), (first, last));
            assert_eq!((about("cairn.table").as_str(), about("cairn.row_version").as_str()), (table, "1"));
            assert_eq!(Value::from(about("cairn.chain_id")), said["chain_id"]);
            assert_eq!(Value::from(about("cairn.genesis_hash")), said["genesis_hash"]);
            let columns = metadata.file_metadata().schema_descr();
            let place = |name: &str| {
                columns.columns().iter().position(|column| column.name() == name).and_then(|n| i32::try_from(n).ok())
            };
            for group in metadata.row_groups() {
                let height =
                    SortingColumn { column_idx: place("height").unwrap(), descending: false, nulls_first: false };
                assert_eq!(group.sorting_columns().unwrap()[0], height, "{table}");
                for chunk in group.columns() {
                    let (name, column) = (chunk.column_path().string(), chunk.column_descr());
                    assert!(matches!(chunk.compression(), Compression::ZSTD(_)), "{table}.{name}");
                    let is_dictionary = chunk.encodings().any(|one| one == Encoding::RLE_DICTIONARY);
                    match name.as_str() {
                        "name" | "sender" | "recipient" | "validator" | "id" | "maker" | "block_hash" | "hash" => {
                            assert!(is_dictionary, "{table}.{name}: {:?}", chunk.encodings().collect::<Vec<_>>());
                        }
                        "amount" | "balance" | "sender_balance" | "stake" | "height" | "delta" | "fee" => {
                            assert_eq!(column.physical_type(), Type::INT64, "{table}.{name}");
                        }
                        "block_time" | "record_time" | "time" => {
                            let utc = LogicalType::timestamp(true, TimeUnit::MILLIS);
                            assert_eq!(column.logical_type_ref(), Some(&utc), "{table}.{name}");
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

/// Reads CSV as Python does, and prints a line of JSON for each row.
const READ_CSV: &str = "
import csv, json, sys
for path in sys.argv[1:]:
    with open(path, newline='', encoding='utf-8') as file:
        for row in csv.DictReader(file, strict=True):
            print(json.dumps(row))
";

#[test]
fn csv_read_by_python_has_the_rows_of_the_json_lines() {
    let cairn = chain(150);
    export(&cairn, "--format jsonl --out lines");
    export(&cairn, "--format csv --out csv --heights-per-file 10");
    let (lines, out) = (cairn.path().join("lines"), cairn.path().join("csv"));
    for table in TABLES {
        let paths = files(&out, table).into_iter().map(|name| out.join(table).join(name));
        let output = Command::new("python3").args(["-c", READ_CSV]).args(paths).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        // CSV has texts alone: null is an empty one.
        let as_text = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let as_texts = |row: Value| -> Value {
            let fields = row.as_object().unwrap().iter().map(|(name, value)| (name.clone(), as_text(value).into()));
            fields.collect::<Map<_, _>>().into()
        };
        assert_eq!(found, rows(&lines, table).into_iter().map(as_texts).collect::<Vec<_>>(), "{table}");
    }
    let name = files(&out, "transfers").remove(0);
    let text = std::fs::read_to_string(out.join("transfers").join(name)).unwrap();
    assert!(text.starts_with("version,height,index,block_hash,block_time_ms,kind,status,"), "{text}");
    assert!(text.contains(",\"Söhne, Müller & Co\",") && text.contains(",\"say \"\"hi\"\"\","), "{text}");
}

#[test]
fn a_chain_without_records_has_files_that_are_whole_and_nearly_empty() {
    let cairn = crate::Cairn::new();
    cairn.run(&format!("run {LOG} --state-dir state --until-end")).done();
    for format in ["parquet", "csv", "jsonl"] {
        let said = export(&cairn, &format!("--format {format} --out {format}"));
        assert_eq!((&said["height"], &said["rows"]["blocks"]), (&0.into(), &1.into()));
    }
    let counts = TABLES.map(|table| {
        let files = open(&cairn.path().join("parquet"), table);
        files.iter().map(|file| file.metadata().file_metadata().num_rows()).sum::<i64>()
    });
    // Five validators with their stakes.
    assert_eq!(counts, [5, 0, 5, 1]);
}
