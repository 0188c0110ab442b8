//! Blocks as one line of JSON, and back.
//!
//! The line is a rendering: hashes are over the canonical encoding, and reading a line gives back the same struct and
//! so the same hashes. A block has one rendering, byte for byte, and no other line is taken for it. `write` pushes bytes into a
//! buffer in one pass, in a fixed order of fields, by means of `scalars`; `read` gets values out of a line; `record` tells what a
//! record of the topic is, and compares the line with the rendering of what was read; `locate` finds the path of the field that
//! an error is about.

mod locate;
mod read;
mod record;
mod scalars;
#[cfg(test)]
mod tests;
mod write;

pub use record::{Pruned, Read};
pub use write::{ENTRY_RECEIPT_SIZE_BYTES_MAX, Rendering};
