//! Blocks as they come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use topology::log::{Consumer, ConsumerOptions, Event, Isolation, Log, OutOfRange, Start, TopicPartition};

use super::super::blocks;
use super::super::error::{Error, Result};
use super::super::shell::Shell;
use crate::chain::{Block, Read};

const POLL: Duration = Duration::from_millis(50);

/// Prints each block that is sealed from now on, until there were `count` (0: for ever) or it is told to stop.
pub(super) fn show<L: Log>(log: &L, topic: &str, count: u64, shell: &Shell, stop: &AtomicBool) -> Result<()> {
    let partition = TopicPartition::new(topic, 0);
    let start = log.watermarks(&partition, Isolation::ReadCommitted)?.high;
    let mut consumer = log.consumer(&ConsumerOptions {
        group: None,
        isolation: Isolation::ReadCommitted,
        client_id: "cairn-demo-viewer".to_owned(),
        batch_records: 100,
        prefetch_bytes: 16 << 20,
        out_of_range: OutOfRange::Earliest,
    })?;
    consumer.assign(&[(partition, Start::At(start))])?;
    if !shell.json {
        shell.print(blocks::HEADINGS)?;
    }
    let mut shown = 0;
    while !stop.load(Ordering::SeqCst) && (count == 0 || shown < count) {
        let mut found = Vec::new();
        consumer.poll(POLL, &mut |event| {
            if let Event::Records { records, .. } = event {
                found.extend(
                    records.iter().map(|record| Block::from_record(record.key, record.value).and_then(Read::block)),
                );
            }
        })?;
        for block in found {
            let Some(block) = block.map_err(|error| Error::failed(format!("topic '{topic}': {error}")))? else {
                continue;
            };
            // Block 0 is where it starts, nobody sealed it.
            let is_new = block.header.height > 0 && (count == 0 || shown < count);
            if is_new {
                shown += 1;
                shell.print(&if shell.json { blocks::json(&block) } else { blocks::text(&block, shell.paint) })?;
            }
        }
    }
    Ok(())
}
