//! Whether a value is as a schema of an OpenAPI description has it: the part of JSON Schema that is used there.

use serde_json::Value;

/// What is wrong with a value, by its path; nothing where it is as described. A field that the schema does not name is
/// wrong, too.
pub(crate) fn breaches(description: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(description, schema, value, "$", &mut found);
    found
}

fn check(description: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = description.pointer(name.strip_prefix('#').unwrap());
        return check(description, target.unwrap_or_else(|| panic!("{name} leads nowhere")), value, path, found);
    }
    if let Some(either) = schema["oneOf"].as_array() {
        if either.iter().all(|one| !breaches(description, one, value).is_empty()) {
            found.push(format!("{path}: {value} is none of {either:?}"));
        }
        return;
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is_of = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{path}: no type {other}"),
    };
    if !kinds.is_empty() && !kinds.iter().any(is_of) {
        found.push(format!("{path}: {value} is no {kinds:?}"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{path}: {value} is not among {allowed:?}"));
    }
    if let Some(number) = value.as_f64() {
        // What a reader in JavaScript would see otherwise.
        let is_exact = number.abs() <= 9_007_199_254_740_991.0;
        let is_within = schema["minimum"].as_f64().is_none_or(|least| number >= least);
        if !is_exact || !is_within {
            found.push(format!("{path}: {value} is out of bounds"));
        }
    }
    if let (Some(items), true) = (value.as_array(), schema["items"].is_object()) {
        for (place, item) in items.iter().enumerate() {
            check(description, &schema["items"], item, &format!("{path}[{place}]"), found);
        }
    }
    check_fields(description, schema, value, path, found);
}

fn check_fields(description: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            found.push(format!("{path}: {name} is missing"));
        }
    }
    for (name, field) in fields {
        match known.get(name) {
            Some(schema) => check(description, schema, field, &format!("{path}.{name}"), found),
            None => found.push(format!("{path}: nobody described {name}")),
        }
    }
}

#[test]
fn what_is_not_as_described_is_found() {
    use serde_json::json;
    let description = json!({ "components": { "schemas": { "Name": { "type": "string" } } } });
    let schema = json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": { "$ref": "#/components/schemas/Name" },
            "counts": { "type": "array", "items": { "type": "integer", "minimum": 0 } },
            "more": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Name" }] },
        },
    });
    let count = |value: Value| breaches(&description, &schema, &value).len();
    assert_eq!(count(json!({ "name": "a", "counts": [1, 2], "more": null })), 0);
    assert_eq!(count(json!({ "name": 1 })), 1);
    assert_eq!(count(json!({ "counts": [-1, "x"] })), 3);
    assert_eq!(count(json!({ "name": "a", "other": 1, "more": 2 })), 2);
    assert_eq!(count(json!({ "name": "a", "counts": [9_007_199_254_740_993_u64] })), 1);
}
