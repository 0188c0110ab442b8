//! Both topics, read side by side: the transactions on a thread of their own that runs a bounded stretch ahead.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rand::CryptoRng;
use topology::clock::Clock;
use topology::log::{Isolation, Kind, Log, Record, Start, TopicPartition};
use topology::{Error, Result};

use super::auditor::{Anchor, Auditor, Broken, Reason, Summary, broken};
use super::checkpoint::Checkpoint;
use super::comparison::{Comparison, Original, PARTITION};
use crate::chain::{Block, Hash};
use crate::reader::Reader;

/// What to verify.
#[derive(Clone, Debug)]
pub struct Options {
    /// The blockchain topic.
    pub blockchain: String,
    /// The transactions topic.
    pub transactions: String,
    /// What the chain must begin with.
    pub anchor: Anchor,
    /// What it must contain.
    pub checkpoint: Option<Checkpoint>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the intact chain adds up to.
    pub summary: Summary,
    /// From which height on blocks could be compared with the transactions topic; `None`: none could.
    pub compared_from_height: Option<u64>,
    /// Records compared.
    pub compared_count: u64,
}

/// Batches of records that the reading thread may be ahead.
const AHEAD_BATCHES: usize = 16;

/// Verifies a chain. The outer error: it could not be done. The inner one: it was, and this is wrong. `progress` is told heights
/// as they pass.
pub fn verify<L: Log>(
    log: &L,
    clock: &dyn Clock,
    options: &Options,
    randomness: impl CryptoRng,
    progress: &mut dyn FnMut(u64),
) -> Result<std::result::Result<Report, Broken>> {
    let transactions = TopicPartition::new(&options.transactions, PARTITION);
    let first_offset = match log.watermarks(&transactions, Isolation::ReadCommitted) {
        Ok(watermarks) => Some(watermarks.low),
        Err(error) if error.kind() == Kind::NoSuchTopic => None,
        Err(error) => return Err(error.into()),
    };
    let auditor = Auditor::new(options.anchor, randomness);
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD_BATCHES);
        let reading = first_offset.map(|_| scope.spawn(move || read_originals(log, clock, transactions, &sender)));
        let comparison = first_offset.map(|first_offset| (Comparison::new(first_offset), receiver));
        let mut walk = Walk { auditor, comparison, checkpoint: options.checkpoint.clone(), found: None };
        let blocks = TopicPartition::new(&options.blockchain, 0);
        let reader = Reader::new(log, clock, "cairn-verify");
        let read = reader.read(&[(blocks, Start::Beginning)], |_, records| {
            let flow = walk.records(records);
            progress(walk.auditor.next_height());
            Ok(flow)
        });
        let result = walk.finish();
        // The walk's receiver is gone, so a reader that is still ahead ends.
        if let Some(reading) = reading {
            reading.join().map_err(|_| Error::stop("the thread that read the transactions panicked"))??;
        }
        read?;
        Ok(result)
    })
}

fn read_originals<L: Log>(
    log: &L,
    clock: &dyn Clock,
    transactions: TopicPartition,
    sender: &SyncSender<Vec<Original>>,
) -> Result<()> {
    Reader::new(log, clock, "cairn-verify").read(&[(transactions, Start::Beginning)], |_, records| {
        let originals = records.iter().map(|record| Original {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: Hash::of_nullable(record.key),
            value: record.value.map(<[u8]>::to_vec),
        });
        let sent = sender.send(originals.collect());
        Ok(if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })
}

struct Walk<R> {
    auditor: Auditor<R>,
    comparison: Option<(Comparison, Receiver<Vec<Original>>)>,
    checkpoint: Option<Checkpoint>,
    /// The first breach.
    found: Option<Broken>,
}

impl<R: CryptoRng> Walk<R> {
    fn records(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        for record in records {
            if let Err(breach) = self.record(record) {
                self.found = Some(breach);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn record(&mut self, record: &Record<'_>) -> std::result::Result<(), Broken> {
        let next = self.auditor.next_height();
        let block = Block::from_record(record.key, record.value)
            .map_err(|error| broken(next, Reason::Form, format!("offset {}: {error}", record.offset)))?;
        self.auditor.check(&block)?;
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.check(&block)?;
        }
        if let Some((comparison, originals)) = &mut self.comparison {
            while !comparison.has_enough_for(&block)
                && let Ok(batch) = originals.recv()
            {
                batch.into_iter().for_each(|original| comparison.push(original));
            }
            comparison.check(&block)?;
        }
        Ok(())
    }

    fn finish(mut self) -> std::result::Result<Report, Broken> {
        let tip_height = self.auditor.tip().map(|tip| tip.height);
        // Seals are checked in batches: one of this height or a lower one may have been waiting when the breach was met. At
        // one height the seal is named: only where it holds did those who hold the keys break the rest.
        let summary = self.auditor.finish();
        if let Some(found) = self.found {
            return Err(summary.err().filter(|earlier| earlier.height <= found.height).unwrap_or(found));
        }
        let summary = summary?;
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.check_reached(tip_height)?;
        }
        let summary = summary.ok_or_else(|| broken(0, Reason::Height, "the topic holds no block"))?;
        let comparison = self.comparison.as_ref().map(|(comparison, _)| comparison);
        Ok(Report {
            summary,
            compared_from_height: comparison.and_then(Comparison::from_height),
            compared_count: comparison.map_or(0, Comparison::compared_count),
        })
    }
}
