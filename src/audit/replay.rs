//! The state from the blockchain topic alone: block 0 holds the genesis, and every block is checked and executed again.

use std::path::{Path, PathBuf};

use rand::CryptoRng;
use topology::clock::Clock;
use topology::log::{Isolation, Log, Start};
use topology::store::InstanceId;
use topology::store::StateDirectory;
use topology::{Error, Result};

use super::breach::Halt;
use super::walk::{Route, Walk};
use super::{Anchor, Summary, inspect};
use crate::chain::Block;
use crate::consensus::follow::{Broken, Reason};
use crate::ledger::state::{MemoryState, Table};
use crate::reader::Reader;
use crate::sealing::Tables;

/// The application id of a replayed state: no run continues it, for a run's state belongs to its changelogs.
pub const APPLICATION_ID: &str = "replay";

/// The reader's name in the brokers' logs.
const CLIENT_ID: &str = "cairn-replay";

/// What to replay, and where to.
#[derive(Clone, Debug)]
pub struct Options {
    /// The blockchain topic.
    pub blockchain: String,
    /// The state directory, which must be empty or missing.
    pub state_directory: PathBuf,
    /// The last height; `None`: the tip.
    pub to_height: Option<u64>,
    /// What the chain must begin with.
    pub anchor: Anchor,
}

/// What was rebuilt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// What the blocks add up to.
    pub summary: Summary,
    /// Records met on the topic that are not the chain's: their key is no height.
    pub foreign_count: u64,
}

/// Replays a chain into a state directory. The outer error: it could not be done. The inner one: the chain is broken,
/// and this is why. `progress` is told every block that holds, from block 0 on.
pub fn replay<L: Log>(
    log: &L,
    clock: &dyn Clock,
    options: &Options,
    randomness: impl CryptoRng + Send,
    progress: &mut dyn FnMut(&Block),
) -> Result<std::result::Result<Replayed, Broken>> {
    check_empty(&options.state_directory)?;
    let reader = Reader::new(log, clock, CLIENT_ID);
    let partition = reader.chain_partition(&options.blockchain)?;
    let blocks = reader.extent(&partition, Start::Beginning, Isolation::ReadUncommitted)?;
    let walked = std::thread::scope(|scope| {
        let (client_id, anchor, to_height) = (CLIENT_ID, options.anchor, options.to_height);
        let mut walk =
            Walk::start(scope, (log, clock), Route { client_id, extent: blocks, anchor, to_height, randomness })?;
        while let Some(block) = walk.next() {
            progress(&block);
        }
        let mut walked = walk.end()?;
        let Some(summary) = walked.conclude(Ok(()))? else {
            return Err(Broken::new(0, Reason::Height, "the topic holds no block").into());
        };
        let report = Replayed { summary, foreign_count: walked.foreign_count() };
        Ok((report, walked.into_parts()))
    });
    let (report, state) = match walked {
        Ok((report, Some((state, _)))) => (report, state),
        Ok((_, None)) => return Err(Error::stop("there is a last block and no state after it")),
        Err(Halt::Broken(broken)) => return Ok(Err(broken)),
        Err(Halt::Undone(error)) => return Err(error),
    };
    let tip = &report.summary.tip;
    if options.to_height.is_some_and(|height| tip.height < height) {
        return Err(Error::stop(format!("the chain ends at height {}: replay to that one or less", tip.height)));
    }
    write(&options.state_directory, &state, &report.summary, clock.now_ms())?;
    Ok(Ok(report))
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
    let tables: Tables = inspect::open(&directory, summary.tip.genesis.0)?;
    for table in Table::ALL {
        for (key, value) in state.table(table) {
            tables.put(table, key, value)?;
        }
    }
    tables.commit_detached(now_ms)
}
