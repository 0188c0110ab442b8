//! Rows in Avro's binary encoding, and the schemas that read them.
//!
//! ```text
//! JSON Schema  ──schema──>  Avro schema       the same fields, in the same order
//! row          ──write───>  Avro's binary     a row's fields one after another, without their names
//! ```
//! | Row | JSON Schema | Avro |
//! |---|---|---|
//! | an integer | `integer` | `long` |
//! | a text, a code, a hash | `string` | `string` |
//! | an `Option` | the same, or `null` | a union of `null` and that, `null` by default |
//!
//! That is all that rows have, and their schemas are the only list of fields beside the rows themselves. A field that
//! is added is an `Option`: readers with the new schema find `null` in old rows.

mod encoder;
mod schema;

pub use encoder::{Unencodable, write};
pub use schema::schema;
