//! The log in a directory, and what it promises beyond the contract.

mod compaction;
mod crash;
mod space;
mod throughput;

use topology::log::embedded::{EmbeddedLog, Options};

use crate::harness::Fixture;
use crate::local::wall_clock;

pub(crate) fn fixture() -> Fixture<EmbeddedLog> {
    let dir = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(dir.path(), &Options::default(), wall_clock()).unwrap();
    Fixture { log, _keep: Some(Box::new(dir)) }
}
