//! Rows are as their schemas say: the JSON Schemas of the documentation, and the Avro schemas that come from them.

use std::collections::BTreeMap;

use cairn::chain::{Cut, Kind};
use cairn::export::BlockRow;
use cairn::rows::{Status, TransferKind, ValidatorStatus, avro, schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::rows::{chains, rows};
use crate::schema::breaches;

const SCHEMAS: [&str; 4] = [schema::TRANSFER, schema::BALANCE, schema::VALIDATOR, schema::BLOCK];

/// A row as JSON, as text and as Avro.
struct Written {
    json: Value,
    text: String,
    avro: Vec<u8>,
}

fn written(row: &impl Serialize) -> Written {
    let mut avro = Vec::new();
    avro::write(row, &mut avro).unwrap();
    Written { json: serde_json::to_value(row).unwrap(), text: serde_json::to_string(row).unwrap(), avro }
}

/// The rows of all chains, in the order of [`SCHEMAS`].
fn all() -> [Vec<Written>; 4] {
    let mut all = [const { Vec::new() }; 4];
    for blocks in chains() {
        for rows in rows(&blocks).0 {
            all[0].extend(rows.transfers.iter().map(written));
            all[1].extend(rows.balances.iter().map(written));
            all[2].extend(rows.validators.iter().map(written));
        }
        all[3].extend(blocks.iter().map(|block| written(&BlockRow::of(block))));
    }
    assert!(all.iter().all(|rows| rows.len() > 15), "{:?}", all.each_ref().map(Vec::len));
    all
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_row_is_as_its_schema_says_and_the_schemas_name_all_there_can_be() {
    let schemas = SCHEMAS.map(read);
    for (schema, rows) in schemas.iter().zip(all()) {
        assert_eq!(schema["properties"]["version"]["enum"], json!([cairn::rows::VERSION]));
        assert_eq!(schema["additionalProperties"], false);
        let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        for Written { json, .. } in &rows {
            assert_eq!(breaches(&Value::Null, schema, json), Vec::<String>::new(), "{json}");
            assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), names, "every field, always");
        }
    }

    let named = |schema: &Value, field: &str| -> Vec<String> {
        let texts = schema["properties"][field]["enum"].as_array().unwrap().iter();
        let mut texts: Vec<String> = texts.filter_map(Value::as_str).map(str::to_owned).collect();
        texts.sort();
        texts
    };
    let sorted = |texts: &mut Vec<&str>| {
        texts.sort_unstable();
        texts.dedup();
        texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()
    };
    let mut kinds: Vec<&str> = TransferKind::ALL.iter().map(|code| code.as_str()).collect();
    kinds.extend(Kind::ALL.iter().map(|kind| kind.as_str()));
    assert_eq!(named(&schemas[0], "kind"), sorted(&mut kinds));
    assert_eq!(named(&schemas[0], "status"), sorted(&mut Status::ALL.iter().map(|code| code.as_str()).collect()));
    assert_eq!(
        named(&schemas[2], "status"),
        sorted(&mut ValidatorStatus::ALL.iter().map(|code| code.as_str()).collect())
    );
    assert_eq!(named(&schemas[3], "cut"), sorted(&mut Cut::ALL.iter().map(|cut| cut.as_str()).collect()));
}

/// Reads Avro's binary by its schema, as far as rows use it.
fn decoded(schema: &Value, bytes: &mut &[u8]) -> Value {
    if let Some(fields) = schema["fields"].as_array() {
        let field = |field: &Value| (field["name"].as_str().unwrap().to_owned(), decoded(&field["type"], bytes));
        return Value::Object(fields.iter().map(field).collect::<Map<_, _>>());
    }
    if let Some(union) = schema.as_array() {
        let place = integer(bytes);
        return decoded(&union[usize::try_from(place).unwrap()], bytes);
    }
    match schema.as_str().unwrap() {
        "null" => Value::Null,
        "long" => integer(bytes).into(),
        "string" => {
            let size_bytes = usize::try_from(integer(bytes)).unwrap();
            let (text, rest) = bytes.split_at(size_bytes);
            *bytes = rest;
            std::str::from_utf8(text).unwrap().into()
        }
        other => panic!("no type {other}"),
    }
}

fn integer(bytes: &mut &[u8]) -> i64 {
    let (mut zigzag, mut shift) = (0_u64, 0);
    loop {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        zigzag |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        }
    }
}

#[test]
fn every_row_in_avro_is_read_back_by_the_schema_that_comes_from_its_json_schema() {
    for (json_schema, rows) in SCHEMAS.iter().zip(all()) {
        let schema = read(&avro::schema(json_schema).unwrap());
        let names: Vec<&str> =
            schema["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
        for Written { json, text, avro } in &rows {
            let mut rest = &avro[..];
            assert_eq!(decoded(&schema, &mut rest), *json);
            assert!(rest.is_empty(), "{} bytes too many behind {json}", rest.len());
            // Two fields of one type that changed places would be read back wherever they have one value.
            let places: Vec<usize> = names.iter().map(|name| text.find(&format!("\"{name}\":")).unwrap()).collect();
            assert!(places.is_sorted(), "{names:?}: {text}");
        }
    }
}

#[test]
fn a_field_that_may_be_null_is_so_in_both_schemas_and_has_a_default_for_old_rows() {
    for json_schema in SCHEMAS {
        let (properties, schema) = (read(json_schema), read(&avro::schema(json_schema).unwrap()));
        let nullable: BTreeMap<String, bool> = properties["properties"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, property)| (name.clone(), property["type"].is_array()))
            .collect();
        let fields = schema["fields"].as_array().unwrap();
        assert_eq!(fields.len(), nullable.len());
        for field in fields {
            let may_be_null = nullable[field["name"].as_str().unwrap()];
            assert_eq!(field["type"].is_array(), may_be_null, "{field}");
            assert_eq!(field.get("default"), may_be_null.then_some(&Value::Null), "{field}");
        }
    }
}
