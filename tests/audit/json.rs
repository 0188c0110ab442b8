//! JSON as it stands in a line: fields keep their order, so that what is altered in one place is the same in all
//! others.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(i128),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// Text that somebody writes in a value's place. Never read.
    Raw(String),
}

impl Json {
    pub(crate) fn parse(line: &[u8]) -> Self {
        let parsed: Self = serde_json::from_slice(line).unwrap();
        assert_eq!(parsed.render().as_bytes(), line, "read and written again it is the same");
        parsed
    }

    pub(crate) fn render(&self) -> String {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        match self {
            Json::Null => "null".to_owned(),
            Json::Bool(value) => value.to_string(),
            Json::Number(value) => value.to_string(),
            Json::Text(text) => quoted(text),
            Json::Raw(text) => text.clone(),
            Json::List(items) => {
                format!("[{}]", items.iter().map(Json::render).collect::<Vec<_>>().join(","))
            }
            Json::Object(fields) => {
                let field = |(name, value): &(String, Json)| format!("{}:{}", quoted(name), value.render());
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
            }
        }
    }

    /// Every value in it, itself included, with the way to it.
    pub(crate) fn places(&self) -> Vec<Place> {
        let mut found = Vec::new();
        self.visit(&Place::default(), &mut found);
        found
    }

    fn visit(&self, place: &Place, found: &mut Vec<Place>) {
        found.push(place.clone());
        match self {
            Json::List(items) => {
                items.iter().enumerate().for_each(|(index, item)| item.visit(&place.below(index, index), found));
            }
            Json::Object(fields) => {
                fields
                    .iter()
                    .enumerate()
                    .for_each(|(index, (name, value))| value.visit(&place.below(index, name), found));
            }
            _ => {}
        }
    }

    /// The value at a place.
    pub(crate) fn at(&self, place: &Place) -> &Json {
        place.steps.iter().fold(self, |value, step| match value {
            Json::List(items) => &items[*step],
            Json::Object(fields) => &fields[*step].1,
            _ => panic!("no such place: {place}"),
        })
    }

    /// The same with another value at a place.
    pub(crate) fn with(&self, place: &Place, new: Json) -> Json {
        let mut altered = self.clone();
        let at = place.steps.iter().fold(&mut altered, |value, step| match value {
            Json::List(items) => &mut items[*step],
            Json::Object(fields) => &mut fields[*step].1,
            _ => panic!("no such place: {place}"),
        });
        *at = new;
        altered
    }
}

/// The way to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    steps: Vec<usize>,
    names: Vec<String>,
}

impl Place {
    fn below(&self, step: usize, name: impl fmt::Display) -> Self {
        let mut place = self.clone();
        place.steps.push(step);
        place.names.push(name.to_string());
        place
    }

    /// The names of the fields on the way.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join("."))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON without fractions")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Number(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Number(value.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Json::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Json::Object(fields))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
