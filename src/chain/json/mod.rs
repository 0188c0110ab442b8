//! Blocks as one line of JSON, and back.
//!
//! The line is a rendering: hashes are over the canonical encoding, and reading a line gives back the same struct and
//! so the same hashes. `write` pushes bytes into a buffer in one pass, in a fixed order of fields, by means of `scalars`;
//! `read` refuses unknown, missing and doubled fields and says which field is wrong; `locate` finds that field's path.

mod locate;
mod read;
mod scalars;
#[cfg(test)]
mod tests;
mod write;

pub use write::{ENTRY_RECEIPT_SIZE_BYTES_MAX, Rendering};
