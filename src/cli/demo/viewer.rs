//! Blocks as they come.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use topology::log::{Consumer, ConsumerOptions, Event, Isolation, Log, OutOfRange, Record, Start, TopicPartition};

use super::super::error::{Error, Result};
use super::super::shell::Shell;
use super::blocks;
use crate::chain::{Block, Read};
use crate::reader::Reader;

const POLL: Duration = Duration::from_millis(50);

/// Prints each block that is sealed from now on, until it is told to stop; then what else was sealed by then, so that
/// no block is counted that was not shown. After `enough.0` of them (0: never) it lets go of `enough.1`.
pub(super) fn show<L: Log>(
    log: &L,
    topic: &str,
    enough: (u64, oneshot::Sender<()>),
    shell: &Shell,
    stop: &AtomicBool,
) -> Result<()> {
    let partition = TopicPartition::new(topic, 0);
    let mut next = log.watermarks(&partition, Isolation::ReadCommitted)?.high;
    let mut consumer = log.consumer(&ConsumerOptions {
        group: None,
        isolation: Isolation::ReadCommitted,
        client_id: "cairn-demo-viewer".to_owned(),
        batch_records: 100,
        prefetch_bytes: 16 << 20,
        out_of_range: OutOfRange::Earliest,
    })?;
    consumer.assign(&[(partition.clone(), Start::At(next))])?;
    if !shell.json {
        shell.print(blocks::HEADINGS)?;
    }
    let (count, mut enough, mut shown) = (enough.0, Some(enough.1), 0_u64);
    while !stop.load(Ordering::SeqCst) {
        let mut found = Vec::new();
        consumer.poll(POLL, &mut |event| {
            if let Event::Records { records, .. } = event {
                found.extend(records.iter().map(|record| (record.offset, block(record))));
            }
        })?;
        for (offset, block) in found {
            next = offset.saturating_add(1);
            shown += u64::from(print(block, topic, shell)?);
        }
        if count > 0 && shown >= count {
            enough = None;
        }
    }
    drop(enough);
    let reader = Reader::new(log, &shell.clock, "cairn-demo-viewer");
    let rest = reader.extent(&partition, Start::At(next), Isolation::ReadCommitted)?;
    let mut printed = Ok(());
    reader.read_to(&[rest], |_, records| {
        printed = records.iter().try_for_each(|record| print(block(record), topic, shell).map(drop));
        Ok(if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    printed
}

fn block(record: &Record<'_>) -> crate::chain::Result<Option<Block>> {
    Block::from_record(record.key, record.value).and_then(Read::block)
}

/// Prints a block that was sealed; block 0, where it starts, was not.
fn print(block: crate::chain::Result<Option<Block>>, topic: &str, shell: &Shell) -> Result<bool> {
    let block = block.map_err(|error| Error::failed(format!("topic '{topic}': {error}")))?;
    let Some(block) = block.filter(|block| block.header.height > 0) else { return Ok(false) };
    shell.print(&if shell.json { blocks::json(&block) } else { blocks::text(&block, shell.paint) })?;
    Ok(true)
}
