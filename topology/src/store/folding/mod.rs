//! Committed segments on their way into backends, beside the stream threads.
//!
//! ```text
//! Folder      which task is next; what a commit does when memory is short
//! thread      the one thread of a process that steps the folder
//! Resources   what all stores of a process share: budget, RocksDB's memory, the folder
//! ```
//! May use `segments`, `backends`' settings and `budget`.

mod folder;
mod resources;
#[cfg(test)]
mod tests;
mod thread;

#[cfg(test)]
pub(in crate::store) use folder::Drive;
pub use resources::Resources;
