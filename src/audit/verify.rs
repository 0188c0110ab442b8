//! Both topics, read side by side: the transactions on a thread of their own that runs a bounded stretch ahead.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ScopedJoinHandle;

use rand::CryptoRng;
use topology::clock::Clock;
use topology::log::{Isolation, Log, Offset, Record, Start};
use topology::{Error, Result};

use super::auditor::{Anchor, Auditor, Broken, Reason, Summary, broken};
use super::chain_partition;
use super::checkpoint::Checkpoint;
use super::comparison::{Comparison, Original};
use crate::chain::{Block, Hash};
use crate::reader::{Extent, Reader};

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
    /// Whether there is a transactions topic. Without one nothing is compared.
    pub has_transactions_topic: bool,
    /// From which height on all blocks could be compared with the transactions topic; `None`: the last one could not.
    pub compared_from_height: Option<u64>,
    /// Records compared.
    pub compared_count: u64,
    /// Records on the transactions topic behind the last block: not sealed yet.
    pub unsealed_count: u64,
}

/// Batches of records that the reading thread may be ahead.
const AHEAD_BATCHES: usize = 16;

/// Verifies a chain as it is now; what is written meanwhile is not looked at. The outer error: it could not be done. The inner
/// one: it was, and this is wrong. `progress` is told every block that holds, from block 0 on.
pub fn verify<L: Log>(
    log: &L,
    clock: &dyn Clock,
    options: &Options,
    randomness: impl CryptoRng,
    progress: &mut dyn FnMut(&Block),
) -> Result<std::result::Result<Report, Broken>> {
    let reader = Reader::new(log, clock, "cairn-verify");
    let blocks = chain_partition(&reader, &options.blockchain)?;
    let split = "a chain seals one: records in the others are in no block";
    let transactions = reader.only_partition(&options.transactions, split)?;
    // In this order: whatever a block holds was committed to the transactions topic before the block was written, so the stable
    // end that is asked for afterwards lies behind it. What open transactions of others hold back cannot be in a block.
    let blocks = reader.extent(&blocks, Start::Beginning, Isolation::ReadUncommitted)?;
    let transactions = match &transactions {
        Some(partition) => Some(reader.extent(partition, Start::Beginning, Isolation::ReadCommitted)?),
        None => None,
    };
    std::thread::scope(|scope| {
        let input = transactions.map(|extent| {
            let (sender, originals) = sync_channel(AHEAD_BATCHES);
            let (comparison, partition) = (Comparison::new(extent.first), extent.partition.clone());
            let reading = scope.spawn(move || read_originals(log, clock, extent, &sender));
            let low = move || -> Result<Offset> { Ok(log.watermarks(&partition, Isolation::ReadCommitted)?.low) };
            Input { comparison, originals, reading: Some(reading), low }
        });
        let auditor = Auditor::new(options.anchor, randomness);
        let mut walk = Walk { auditor, input, checkpoint: options.checkpoint.as_ref(), found: None };
        let read = reader.read_to(&[blocks], |_, records| walk.records(records, progress));
        walk.finish(read)
    })
}

fn read_originals<L: Log>(
    log: &L,
    clock: &dyn Clock,
    extent: Extent,
    sender: &SyncSender<Vec<Original>>,
) -> Result<()> {
    Reader::new(log, clock, "cairn-verify").read_to(&[extent], |_, records| {
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

/// The transactions topic, as the chain's input.
struct Input<'s, F> {
    comparison: Comparison,
    originals: Receiver<Vec<Original>>,
    /// The thread that reads them, until it has ended.
    reading: Option<ScopedJoinHandle<'s, Result<()>>>,
    /// Asks for the topic's first offset now.
    low: F,
}

impl<F: Fn() -> Result<Offset>> Input<'_, F> {
    /// The next records; `None`: there are no more. Errors where they could not be read.
    fn next(&mut self) -> Result<Option<Vec<Original>>> {
        if let Ok(batch) = self.originals.recv() {
            return Ok(Some(batch));
        }
        match self.reading.take().map(ScopedJoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(None),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err(Error::stop("the thread that read the transactions panicked")),
        }
    }

    fn check(&mut self, block: &Block) -> Result<std::result::Result<(), Broken>> {
        while !self.comparison.has_enough_for(block)
            && let Some(batch) = self.next()?
        {
            batch.into_iter().for_each(|original| self.comparison.push(original));
        }
        self.comparison.check(block, &self.low)
    }
}

struct Walk<'w, R, F> {
    auditor: Auditor<R>,
    input: Option<Input<'w, F>>,
    checkpoint: Option<&'w Checkpoint>,
    /// The breach that ended the walk.
    found: Option<Broken>,
}

impl<R: CryptoRng, F: Fn() -> Result<Offset>> Walk<'_, R, F> {
    fn records(&mut self, records: &[Record<'_>], progress: &mut dyn FnMut(&Block)) -> Result<ControlFlow<()>> {
        for record in records {
            match self.record(record)? {
                Ok(block) => progress(&block),
                Err(breach) => {
                    self.found = Some(breach);
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Checks a record of the blockchain topic. The outer error: there is no telling.
    fn record(&mut self, record: &Record<'_>) -> Result<std::result::Result<Block, Broken>> {
        let block = match self.auditor.check_record(record.offset, record.key, record.value) {
            Ok(block) => block,
            Err(breach) => return Ok(Err(breach)),
        };
        if let Some(Err(breach)) = self.checkpoint.map(|checkpoint| checkpoint.check(&block)) {
            return Ok(Err(breach));
        }
        let compared = match &mut self.input {
            Some(input) => input.check(&block)?,
            None => Ok(()),
        };
        Ok(compared.map(|()| block))
    }

    /// What the walk comes to. `read`: whether the blocks could be read up to their end. A breach is told whatever else failed.
    fn finish(mut self, read: Result<()>) -> Result<std::result::Result<Report, Broken>> {
        let tip_height = self.auditor.tip().map(|tip| tip.height);
        let unsealed_count = read.and_then(|()| self.look_behind());
        let summary = match self.auditor.conclude(self.found) {
            Ok(summary) => summary,
            Err(breach) => return Ok(Err(breach)),
        };
        let unsealed_count = unsealed_count?;
        if let Some(Err(breach)) = self.checkpoint.map(|checkpoint| checkpoint.check_reached(tip_height)) {
            return Ok(Err(breach));
        }
        let Some(summary) = summary else { return Ok(Err(broken(0, Reason::Height, "the topic holds no block"))) };
        let comparison = self.input.as_ref().map(|input| &input.comparison);
        Ok(Ok(Report {
            summary,
            has_transactions_topic: comparison.is_some(),
            compared_from_height: comparison.and_then(Comparison::from_height),
            compared_count: comparison.map_or(0, Comparison::compared_count),
            unsealed_count,
        }))
    }

    /// Looks at the records behind the last block: the first proves where that block ends, and all are counted.
    fn look_behind(&mut self) -> Result<u64> {
        let Some(input) = self.input.as_mut().filter(|_| self.found.is_none()) else { return Ok(0) };
        if input.comparison.waiting_count() == 0
            && let Some(batch) = input.next()?
        {
            batch.into_iter().for_each(|original| input.comparison.push(original));
        }
        if let Some(next) = input.comparison.next_item(&input.low)? {
            self.found = self.auditor.check_last_cut(&next).err();
        }
        let mut count = input.comparison.waiting_count() as u64;
        while let Some(batch) = input.next()? {
            count += batch.len() as u64;
        }
        Ok(count)
    }
}
