//! From a JSON Schema to an Avro schema.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// The package of all records.
const NAMESPACE: &str = "cairn";

/// The Avro schema of rows whose JSON Schema this is: a record of the same fields in the order in which they stand
/// there. An error says that the JSON Schema has more than rows have: it is none of
/// [`rows::schema`](crate::rows::schema).
pub fn schema(json_schema: &str) -> serde_json::Result<String> {
    let Object { title, description, properties: InOrder(properties) } = serde_json::from_str(json_schema)?;
    let fields = properties.iter().map(|(name, property)| property.field(name)).collect();
    serde_json::to_string_pretty(&Record {
        kind: "record",
        name: &title,
        namespace: NAMESPACE,
        doc: &description,
        fields,
    })
}

/// What is read of a JSON Schema.
#[derive(Deserialize)]
struct Object<'s> {
    #[serde(borrow)]
    title: Cow<'s, str>,
    #[serde(borrow)]
    description: Cow<'s, str>,
    properties: InOrder<Property>,
}

#[derive(Deserialize)]
struct Property {
    #[serde(rename = "type")]
    types: Types,
    description: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Types {
    Always(Type),
    /// The type, or `null`.
    OrNull(Type, Null),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Integer,
    String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Null {
    Null,
}

/// An Avro schema.
#[derive(Serialize)]
struct Record<'s> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'s str,
    namespace: &'static str,
    doc: &'s str,
    fields: Vec<Field<'s>>,
}

#[derive(Serialize)]
struct Field<'s> {
    name: &'s str,
    #[serde(rename = "type")]
    kind: Value,
    /// What a reader takes where the writer did not know the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<Value>,
    doc: &'s str,
}

impl Property {
    fn field<'s>(&'s self, name: &'s str) -> Field<'s> {
        let avro = |kind: Type| match kind {
            Type::Integer => "long",
            Type::String => "string",
        };
        let (kind, default) = match self.types {
            Types::Always(kind) => (json!(avro(kind)), None),
            Types::OrNull(kind, Null::Null) => (json!(["null", avro(kind)]), Some(Value::Null)),
        };
        Field { name, kind, default, doc: &self.description }
    }
}

/// The members of a JSON object in the order in which they stand there.
struct InOrder<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = InOrder<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(InOrder(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_the_order_of_the_json_schema_and_those_that_may_be_null_have_a_default() {
        let found = schema(
            r#"{"title": "Row", "description": "A \"row\".", "type": "object", "properties": {
                "z": {"type": "integer", "minimum": 0, "description": "Last letter."},
                "a": {"type": ["string", "null"], "enum": ["x", null], "description": "First."}}}"#,
        );
        let expected = json!({
            "type": "record", "name": "Row", "namespace": "cairn", "doc": "A \"row\".",
            "fields": [
                {"name": "z", "type": "long", "doc": "Last letter."},
                {"name": "a", "type": ["null", "string"], "default": null, "doc": "First."},
            ],
        });
        assert_eq!(serde_json::from_str::<Value>(&found.unwrap()).unwrap(), expected);
        for other in [r#""number""#, r#"["integer", "string"]"#, r#"["null", "integer"]"#, r#"["integer"]"#] {
            let text = format!(
                r#"{{"title": "", "description": "", "properties": {{"a": {{"type": {other}, "description": ""}}}}}}"#
            );
            assert!(schema(&text).is_err(), "{other}");
        }
    }
}
