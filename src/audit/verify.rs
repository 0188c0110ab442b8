//! Both topics, read side by side: each on a thread of its own that runs a bounded stretch ahead, and the chain
//! followed on a third.

use rand::CryptoRng;
use topology::clock::Clock;
use topology::log::{Isolation, Log, Offset, Start, TopicPartition};
use topology::{Error, Result};

use super::breach::Halt;
use super::checkpoint::Pins;
use super::comparison::Comparison;
use super::originals::Originals;
use super::walk::{Route, Walk, Walked};
use super::{Anchor, Summary};
use crate::chain::{Block, Read};
use crate::checkpoint::Checkpoint;
use crate::consensus::follow::{Broken, Reason};
use crate::reader::{Extent, Reader};

/// The reader's name in the brokers' logs.
const CLIENT_ID: &str = "cairn-verify";

/// What to verify.
#[derive(Clone, Debug)]
pub struct Options {
    /// The blockchain topic.
    pub blockchain: String,
    /// The transactions topic.
    pub transactions: String,
    /// What the chain must begin with.
    pub anchor: Anchor,
    /// What it must contain: blocks that somebody saw before.
    pub checkpoints: Vec<Checkpoint>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What the intact chain adds up to.
    pub summary: Summary,
    /// Records on the blockchain topic that are not the chain's: their key is no height.
    pub foreign_count: u64,
    /// Whether there is a transactions topic. Without one nothing is compared.
    pub has_transactions_topic: bool,
    /// From which height on all blocks could be compared with the transactions topic; `None`: the last one could not.
    pub compared_from_height: Option<u64>,
    /// Records compared.
    pub compared_count: u64,
    /// Records on the transactions topic behind the last block: not sealed yet.
    pub unsealed_count: u64,
}

/// Verifies a chain as it is now; what is written meanwhile is not looked at. The outer error: it could not be done.
/// The inner one: it was, and this is wrong. `progress` is told every block that holds, from block 0 on.
pub fn verify<L: Log>(
    log: &L,
    clock: &dyn Clock,
    options: &Options,
    randomness: impl CryptoRng + Send,
    progress: &mut dyn FnMut(&Block),
) -> Result<std::result::Result<Verified, Broken>> {
    let (blocks, transactions) = extents(log, clock, options)?;
    let verified = std::thread::scope(|scope| {
        let input = match transactions {
            Some(extents) => Some(Input {
                comparison: Comparison::new(&extents.iter().map(|extent| extent.first).collect::<Vec<_>>()),
                low: Low { log, topic: options.transactions.clone() },
                originals: Originals::read(scope, (log, clock), CLIENT_ID, extents)?,
                unsealed_count: 0,
            }),
            None => None,
        };
        let (client_id, extent, anchor) = (CLIENT_ID, blocks, options.anchor);
        let route = Route { client_id, extent, anchor, to_height: None, randomness };
        let walk = Walk::start(scope, (log, clock), route)?;
        let chain_time_ms = || last_time_ms(log, clock, &options.blockchain);
        run(walk, input, Pins::new(&options.checkpoints), &chain_time_ms, progress)
    });
    match verified {
        Ok(report) => Ok(Ok(report)),
        Err(Halt::Broken(broken)) => Ok(Err(broken)),
        Err(Halt::Undone(error)) => Err(error),
    }
}

/// What there is now of both topics, of the transactions topic by partition; `None`: there is none.
fn extents<L: Log>(log: &L, clock: &dyn Clock, options: &Options) -> Result<(Extent, Option<Vec<Extent>>)> {
    let reader = Reader::new(log, clock, CLIENT_ID);
    let blocks = reader.chain_partition(&options.blockchain)?;
    let transactions = reader.partitions(&options.transactions)?;
    // In this order: whatever a block holds was committed to the transactions topic before the block was written, so
    // the stable end that is asked for afterwards lies behind it. What open transactions of others hold back cannot be
    // in a block.
    let blocks = reader.extent(&blocks, Start::Beginning, Isolation::ReadUncommitted)?;
    let extent = |partition: &TopicPartition| reader.extent(partition, Start::Beginning, Isolation::ReadCommitted);
    let transactions =
        transactions.map(|partitions| partitions.iter().map(extent).collect::<Result<_>>()).transpose()?;
    Ok((blocks, transactions))
}

/// The time of the topic's last block; `None`: it does not end with one.
fn last_time_ms<L: Log>(log: &L, clock: &dyn Clock, blockchain: &str) -> Result<Option<i64>> {
    let last = Reader::new(log, clock, CLIENT_ID)
        .last(blockchain, |record| Block::from_record(record.key, record.value).and_then(Read::block).ok().flatten())?;
    Ok(last.map(|block| block.header.time_ms))
}

/// Asks for the first offset that there is now.
struct Low<'v, L> {
    log: &'v L,
    topic: String,
}

impl<L: Log> Low<'_, L> {
    fn ask(&self, partition: i32) -> Result<Offset> {
        let partition = TopicPartition::new(self.topic.as_str(), partition);
        Ok(self.log.watermarks(&partition, Isolation::ReadCommitted)?.low)
    }
}

/// The transactions topic, as the chain's input.
struct Input<'v, 's, L> {
    comparison: Comparison,
    originals: Originals<'s>,
    low: Low<'v, L>,
    /// Records behind the last block.
    unsealed_count: u64,
}

impl<L: Log> Input<'_, '_, L> {
    /// Compares the next block with the next records.
    fn check(&mut self, block: &Block) -> std::result::Result<(), Halt> {
        while let Some(partition) = self.comparison.lacking_for(block) {
            self.read_on(partition)?;
        }
        Ok(self.comparison.check(block, |partition| self.low.ask(partition))??)
    }

    fn read_on(&mut self, partition: i32) -> Result<()> {
        match self.originals.next(partition)? {
            Some(entries) => self.comparison.push(partition, entries),
            None => self.comparison.end(partition),
        }
        Ok(())
    }

    /// What a difference between the first block and the first record means. Where that record is younger than the
    /// whole chain, it cannot be what was sealed: the topic was deleted and made anew, or is another chain's, and there
    /// is nothing to compare with. Nothing is known to be wrong with the chain then.
    fn judge(&self, halt: Halt, chain_time_ms: impl FnOnce() -> Result<Option<i64>>) -> Halt {
        let (Halt::Broken(Broken { reason: Reason::Transactions, .. }), 0) = (&halt, self.comparison.compared_count())
        else {
            return halt;
        };
        let Some(record) = self.comparison.front().map(|entry| entry.origin) else { return halt };
        match chain_time_ms() {
            Ok(Some(time_ms)) if record.timestamp_ms > time_ms => Halt::Undone(Error::stop(format!(
                "the transactions topic is not the one that this chain was made from: its record at offset {} of partition {} is \
                 younger than the whole chain, so it was deleted and made anew, or is another chain's. Give the topic of this \
                 chain as --transactions, or the name of one that is not there to check the chain alone",
                record.offset, record.partition
            ))),
            Ok(_) => halt,
            Err(error) => Halt::Undone(error),
        }
    }

    /// Looks at the records behind the last block: the first proves where that block ends, and all are counted.
    fn look_behind<R: CryptoRng>(&mut self, walked: &mut Walked<R>) -> std::result::Result<(), Halt> {
        if self.comparison.waiting_count() == 0 {
            self.read_on(0)?;
        }
        if let Some(next) = self.comparison.next_item(|| self.low.ask(0))? {
            walked.check_last_cut(&next)?;
        }
        self.unsealed_count = self.comparison.waiting_count() as u64;
        for partition in self.originals.partitions() {
            while let Some(entries) = self.originals.next(partition)? {
                self.unsealed_count += entries.len() as u64;
            }
        }
        Ok(())
    }
}

/// Takes all blocks, up to the last one or the first that is wrong, and sums up.
fn run<L: Log, R: CryptoRng + Send>(
    mut walk: Walk<'_, R>,
    mut input: Option<Input<'_, '_, L>>,
    mut pins: Pins<'_>,
    chain_time_ms: &dyn Fn() -> Result<Option<i64>>,
    progress: &mut dyn FnMut(&Block),
) -> std::result::Result<Verified, Halt> {
    let mut ended = compare(&mut walk, input.as_mut(), &mut pins, progress);
    if let Some(input) = &input {
        ended = ended.map_err(|halt| input.judge(halt, chain_time_ms));
    }
    let mut walked = walk.end()?;
    if let (Ok(()), true, Some(input)) = (&ended, walked.holds(), &mut input) {
        ended = input.look_behind(&mut walked);
    }
    let summary = walked.conclude(ended)?;
    pins.check_reached(summary.as_ref().map(|summary| summary.tip.height))?;
    let Some(summary) = summary else {
        return Err(Broken::new(0, Reason::Height, "the topic holds no block").into());
    };
    let comparison = input.as_ref().map(|input| &input.comparison);
    Ok(Verified {
        summary,
        foreign_count: walked.foreign_count(),
        has_transactions_topic: comparison.is_some(),
        compared_from_height: comparison.and_then(Comparison::from_height),
        compared_count: comparison.map_or(0, Comparison::compared_count),
        unsealed_count: input.as_ref().map_or(0, |input| input.unsealed_count),
    })
}

/// The blocks that hold, compared with the checkpoints and with the input.
fn compare<L: Log, R>(
    walk: &mut Walk<'_, R>,
    mut input: Option<&mut Input<'_, '_, L>>,
    pins: &mut Pins<'_>,
    progress: &mut dyn FnMut(&Block),
) -> std::result::Result<(), Halt> {
    while let Some(block) = walk.next() {
        pins.check(&block)?;
        if let Some(input) = &mut input {
            input.check(&block)?;
        }
        progress(&block);
    }
    Ok(())
}
