//! The records of a blockchain topic, read and parsed on a thread of their own; what an error about one means for the
//! chain.

use std::ops::ControlFlow;
use std::thread::Scope;

use topology::Error;
use topology::clock::Clock;
use topology::log::{Log, Offset};

use super::breach::Halt;
use super::reading::{Purpose, Reading};
use crate::chain::{self, Block, Read};
use crate::consensus::follow::{Broken, Reason};
use crate::reader::Extent;

/// Bytes of JSON that the thread may be ahead of the one that takes. A block in memory takes about twice its JSON.
const AHEAD_BYTES: usize = 8 << 20;

/// A record of the topic, and what it is.
pub(crate) struct Found {
    pub(crate) offset: Offset,
    pub(super) size_bytes: usize,
    pub(crate) read: chain::Result<Read>,
}

/// Begins to read a stretch of a blockchain topic. Each block agrees with itself, or is an error.
pub(super) fn read_topic<'s, L: Log>(
    scope: &'s Scope<'s, '_>,
    log: (&'s L, &'s dyn Clock),
    client_id: &'static str,
    extent: Extent,
) -> topology::Result<Reading<'s, Found>> {
    start(scope, log, client_id, extent, read)
}

/// As [`read_topic`], of blocks that the caller checks.
pub(crate) fn parse_topic<'s, L: Log>(
    scope: &'s Scope<'s, '_>,
    log: (&'s L, &'s dyn Clock),
    client_id: &'static str,
    extent: Extent,
) -> topology::Result<Reading<'s, Found>> {
    start(scope, log, client_id, extent, Block::from_record)
}

/// What a record's key and value are.
type Parse = fn(Option<&[u8]>, Option<&[u8]>) -> chain::Result<Read>;

fn start<'s, L: Log>(
    scope: &'s Scope<'s, '_>,
    log: (&'s L, &'s dyn Clock),
    client_id: &'static str,
    extent: Extent,
    read: Parse,
) -> topology::Result<Reading<'s, Found>> {
    let purpose = Purpose { client_id, thread: "cairn-blocks", ahead_bytes: AHEAD_BYTES };
    Reading::start(scope, log, purpose, extent, move |records, front| {
        for record in records {
            let size_bytes = record.value.map_or(0, <[u8]>::len);
            let found = Found { offset: record.offset, size_bytes, read: read(record.key, record.value) };
            // Records without a value take room, too.
            if !front.push(found, size_of::<Found>() + size_bytes) {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })
}

/// What a record is; of a block, whether it agrees with itself.
fn read(key: Option<&[u8]>, value: Option<&[u8]>) -> chain::Result<Read> {
    let read = Block::from_record(key, value)?;
    match &read {
        Read::Block(block) => block.check()?,
        Read::Pruned(pruned) => pruned.check()?,
        Read::Foreign => {}
    }
    Ok(read)
}

/// What an error about a record means for the chain, of which the block at height `next` must come.
pub(crate) fn judge(offset: Offset, error: chain::Error, next: u64) -> Halt {
    match error {
        chain::Error::Overwritten { height, detail } => {
            let detail = format!("offset {offset} of the topic has the key {height} and is not that block: {detail}");
            Broken::new(height.min(next), Reason::Overwritten, detail).into()
        }
        chain::Error::Newer { height, .. } => match in_its_place(height, next) {
            Ok(()) => Halt::Undone(Error::stop(error.to_string())),
            Err(halt) => halt,
        },
        chain::Error::Block { height, .. } => match in_its_place(height, next) {
            Ok(()) => Broken::new(height, Reason::Form, format!("offset {offset} of the topic: {error}")).into(),
            Err(halt) => halt,
        },
        other => Broken::new(next, Reason::Form, format!("offset {offset} of the topic: {other}")).into(),
    }
}

/// Whether this height is the one that comes next.
pub(crate) fn in_its_place(height: u64, next: u64) -> Result<(), Halt> {
    if height == next {
        return Ok(());
    }
    let detail = format!("height {height} comes where {next} must");
    Err(Broken::new(height.min(next), Reason::Height, detail).into())
}
