//! How rows are written.
//!
//! ```text
//! Json                   {"version":1,...
//! RegisteredJson(id)     0x00 | id, 4 bytes, big-endian | {"version":1,...     as the deserializers of schema registries want it
//! RegisteredAvro(id)     0x00 | id, 4 bytes, big-endian | Avro's binary
//! ```

use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;
use topology::processor;

use crate::rows::avro;

/// How the rows of a topic are written. It is the same for all of them, but for the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON, and nothing before it.
    Json,
    /// JSON behind the number that a schema registry gave its JSON Schema.
    RegisteredJson(u32),
    /// Avro's binary behind the number that a schema registry gave its schema.
    RegisteredAvro(u32),
}

/// An encoding but for the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) enum Form {
    Json,
    RegisteredJson,
    RegisteredAvro,
}

impl Encoding {
    pub(super) fn form(self) -> Form {
        match self {
            Self::Json => Form::Json,
            Self::RegisteredJson(_) => Form::RegisteredJson,
            Self::RegisteredAvro(_) => Form::RegisteredAvro,
        }
    }

    /// Makes a row the value of a record.
    pub(super) fn write(self, row: &impl Serialize, value: &mut Vec<u8>) -> processor::Result {
        value.clear();
        if let Self::RegisteredJson(id) | Self::RegisteredAvro(id) = self {
            value.push(0);
            value.extend_from_slice(&id.to_be_bytes());
        }
        match self {
            Self::Json | Self::RegisteredJson(_) => serde_json::to_writer(value, row)?,
            Self::RegisteredAvro(_) => avro::write(row, value)?,
        }
        Ok(())
    }
}

impl Form {
    /// What the rows are.
    pub(super) const fn as_words(self) -> &'static str {
        match self {
            Self::Json => "plain JSON",
            Self::RegisteredJson => "JSON behind the number of its schema",
            Self::RegisteredAvro => "Avro behind the number of its schema",
        }
    }

    /// How the command is told to write them.
    pub(super) const fn as_options(self) -> &'static str {
        match self {
            Self::Json => "without --schema-registry",
            Self::RegisteredJson => "with --schema-registry and --format json",
            Self::RegisteredAvro => "with --schema-registry and --format avro",
        }
    }
}
