//! The state from the blockchain topic alone: block 0 holds the genesis, and every block is checked and executed again.

use std::ops::ControlFlow;
use std::path::Path;

use rand::CryptoRng;
use topology::clock::Clock;
use topology::log::{Log, Start};
use topology::store::StateDirectory;
use topology::store::state_directory::InstanceId;
use topology::{Error, Result};

use super::auditor::{Anchor, Auditor, Broken, Reason, Summary, broken};
use super::{chain_partition, inspect};
use crate::chain::Block;
use crate::ledger::state::{MemoryState, Table};
use crate::reader::Reader;
use crate::sealing::Tables;

/// The application id of a replayed state: no run continues it, for a run's state belongs to its changelogs.
pub const APPLICATION_ID: &str = "replay";

/// Replays a chain into an empty state directory, up to and with a height. The outer error: it could not be done. The inner
/// one: the chain is broken, and this is why. `progress` is told every block that holds, from block 0 on.
pub fn replay<L: Log>(
    log: &L,
    clock: &dyn Clock,
    blockchain: &str,
    root: &Path,
    to_height: Option<u64>,
    randomness: impl CryptoRng,
    progress: &mut dyn FnMut(&Block),
) -> Result<std::result::Result<Summary, Broken>> {
    check_empty(root)?;
    let mut auditor = Auditor::new(Anchor::None, randomness);
    let mut found = None;
    let reader = Reader::new(log, clock, "cairn-replay");
    let blocks = chain_partition(&reader, blockchain)?;
    let read = reader.read(&[(blocks, Start::Beginning)], |_, records| {
        for record in records {
            if to_height.is_some_and(|height| auditor.next_height() > height) {
                return Ok(ControlFlow::Break(()));
            }
            match auditor.check_record(record.offset, record.key, record.value) {
                Ok(block) => progress(&block),
                Err(breach) => {
                    found = Some(breach);
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    });
    // A breach is told whatever else failed.
    let summary = match auditor.conclude(found) {
        Ok(summary) => summary,
        Err(breach) => return Ok(Err(breach)),
    };
    read?;
    let (Some(summary), Some(state)) = (summary, auditor.state()) else {
        return Ok(Err(broken(0, Reason::Height, "the topic holds no block")));
    };
    if to_height.is_some_and(|height| summary.tip.height < height) {
        return Err(Error::stop(format!(
            "the chain ends at height {}: replay to that one or less",
            summary.tip.height
        )));
    }
    write(root, state, &summary, clock.now_ms())?;
    Ok(Ok(summary))
}

/// A state of a run must not be taken for a replayed one, nor the other way round.
fn check_empty(root: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::stop(format!("cannot read {}: {error}", root.display()));
    match std::fs::read_dir(root).map(|mut entries| entries.next()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(None) => Ok(()),
        Ok(Some(_)) => {
            Err(Error::stop(format!("{} is not empty: a replayed state needs an empty directory", root.display())))
        }
    }
}

/// Puts the whole state into the stores, in one commit.
fn write(root: &Path, state: &MemoryState, summary: &Summary, now_ms: i64) -> Result<()> {
    let directory = StateDirectory::open(root, APPLICATION_ID, InstanceId::new(now_ms, 0))?;
    let tables: Tables = inspect::open(&directory, summary.genesis_hash.0)?;
    for table in Table::ALL {
        for (key, value) in state.table(table) {
            tables.put(table, key, value)?;
        }
    }
    tables.commit_detached(now_ms)
}
