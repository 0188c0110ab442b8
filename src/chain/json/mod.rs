//! Blocks as one line of JSON, and back.
//!
//! The line is a rendering: hashes are over the canonical encoding, and reading a line gives back the same struct and
//! so the same hashes. A block has one rendering, byte for byte, and no other line is taken for it.
//!
//! ```text
//! write    pushes a block's bytes into a buffer, in a fixed order of fields, by means of `scalars`
//! read     takes the same fields in the same order from a line, by means of `cursor`, and nothing else
//! record   what a record of the topic is
//! parts    header, entry, operation, seal: each by itself
//! locate   the path of the field that an error is about
//! ```

mod cursor;
mod locate;
mod parts;
mod read;
mod record;
mod scalars;
#[cfg(test)]
mod tests;
mod write;

pub use record::{Pruned, Read};
pub use write::{ENTRY_RECEIPT_SIZE_BYTES_MAX, Rendering};
