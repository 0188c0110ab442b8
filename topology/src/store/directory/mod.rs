//! Directories of an application's state on this machine: who may use which, and what becomes of damaged ones. May use
//! `error` and the crate's `file_lock`.

#[cfg(feature = "rocksdb")]
pub(in crate::store) mod damage;
mod state_directory;

pub(crate) use state_directory::{INSTANCE, LOCK};
pub use state_directory::{InstanceId, StateDirectory, TaskDirectory};
