//! Single blocks of any age, read from the topic on a thread of its own.
//!
//! ```text
//! mod       the thread, and how it is asked
//! reading   one record of the topic after the other; what was read lately is kept
//! search    which offset has a height                                             pure
//! ```

mod reading;
mod search;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use topology::log::{Log, Offset};
use topology::{Class, Error};

use super::index::{BlockSummary, Place};
use super::problem::{Problem, Result};
use super::quota::Quota;
use crate::chain::{Block, Read};
pub(super) use reading::Reading;

/// Questions that may wait, of all and of one address.
const WAITING: usize = 32;
const OF_ONE_MAX: u64 = 24;
/// A stretch of blocks ends when it has so many bytes.
const STRETCH_BYTES_MAX: usize = 32 << 20;
/// Blocks that are looked at for one that has a record.
const LOOKED_AT_MAX: u32 = 512;

/// A record of the topic.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) height: u64,
    pub(super) value: Arc<[u8]>,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    /// The block of this height, which stands there.
    At {
        /// Its height.
        height: u64,
        /// Its offset.
        offset: Offset,
    },
    /// The block of this height.
    Height(u64),
    /// Blocks of these heights, both included; fewer if they are large.
    Stretch(u64, u64),
    /// The block with this record of the transactions topic, among the blocks up to a height.
    Holder {
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: Offset,
        /// The highest height that may have it.
        last: u64,
    },
}

type Answer = topology::Result<Vec<Found>>;

/// Asks the thread. It ends with the last of these.
#[derive(Clone)]
pub(super) struct Lookup {
    questions: SyncSender<(Question, oneshot::Sender<Answer>)>,
    quota: Quota,
}

impl Lookup {
    /// Starts the thread.
    pub(super) fn start<L: Log>(log: L, blockchain: String) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (questions, asked) = mpsc::sync_channel::<(Question, oneshot::Sender<Answer>)>(WAITING);
        let body = move || {
            let mut reading = Reading::new(log, blockchain);
            for (question, reply) in asked {
                // The request may have been given up meanwhile.
                if !reply.is_closed() {
                    let _ = reply.send(answer(&mut reading, question));
                }
            }
        };
        let thread = std::thread::Builder::new().name("cairn-http-lookup".to_owned()).spawn(body)?;
        let quota = Quota::new(OF_ONE_MAX, WAITING as u64);
        Ok((Self { questions, quota }, thread))
    }

    /// The blocks that this address asks for, by height; none where there are none.
    pub(super) async fn ask(&self, peer: IpAddr, question: Question) -> Result<Vec<Found>> {
        let too_many = || Problem::unavailable("too many questions about old blocks at once: ask again");
        let _counted = self.quota.take(peer, 1).ok_or_else(too_many)?;
        let (reply, answer) = oneshot::channel();
        self.questions.try_send((question, reply)).map_err(|error| match error {
            TrySendError::Full(_) => too_many(),
            TrySendError::Disconnected(_) => ending(),
        })?;
        let answer = answer.await.map_err(|_| ending())?;
        answer.map_err(|error| Problem::unavailable(format!("the blockchain topic cannot be read: {error}")))
    }

    /// The one block asked for.
    pub(super) async fn one(&self, peer: IpAddr, question: Question) -> Result<Option<Found>> {
        Ok(self.ask(peer, question).await?.into_iter().next())
    }
}

fn ending() -> Problem {
    Problem::unavailable("the program is ending")
}

fn answer<L: Log>(reading: &mut Reading<L>, question: Question) -> Answer {
    match question {
        Question::At { height, offset } => match reading.at(offset)? {
            Some(found) if found.height == height => Ok(vec![found]),
            // The topic was compacted or rewritten under us.
            _ => Ok(reading.height(height)?.into_iter().collect()),
        },
        Question::Height(height) => Ok(reading.height(height)?.into_iter().collect()),
        Question::Stretch(first, last) => stretch(reading, first, last),
        Question::Holder { partition, offset, last } => {
            Ok(holder(reading, partition, offset, last)?.into_iter().collect())
        }
    }
}

fn stretch<L: Log>(reading: &mut Reading<L>, first: u64, last: u64) -> Answer {
    let (mut found, mut bytes): (Vec<Found>, usize) = (Vec::new(), 0);
    let mut next = reading.height(first)?;
    while let Some(block) = next {
        bytes += block.value.len();
        let (height, behind) = (block.height, block.place.offset + 1);
        found.push(block);
        if height >= last || bytes > STRETCH_BYTES_MAX {
            break;
        }
        next = reading.at(behind)?.filter(|block| block.height == height + 1);
    }
    Ok(found)
}

/// Halves the heights: ranges of a partition ascend with them. A block without records of the partition says nothing;
/// then the next one before it is asked. Where that takes too long there is no answer, rather than a wrong one.
fn holder<L: Log>(
    reading: &mut Reading<L>,
    partition: i32,
    offset: Offset,
    last: u64,
) -> topology::Result<Option<Found>> {
    let (mut low, mut high, mut looked_at) = (1, last, 0);
    while low <= high {
        let middle = low + (high - low) / 2;
        let mut at = middle;
        let range = loop {
            looked_at += 1;
            if looked_at > LOOKED_AT_MAX {
                let what = format!("too few blocks have records of partition {partition} to find one of them in time");
                return Err(Error::new(Class::Retry, what));
            }
            let Some(found) = reading.height(at)? else { return Ok(None) };
            let block = Block::from_record(Some(at.to_string().as_bytes()), Some(&found.value));
            let header = match block {
                Ok(Read::Block(block)) => block.header,
                Ok(Read::Pruned(pruned)) => pruned.header,
                _ => return Ok(None),
            };
            match header.ranges.iter().find(|range| range.partition == partition) {
                Some(range) => break Some((*range, found)),
                None if at > low => at -= 1,
                None => break None,
            }
        };
        match range {
            Some((range, found)) if range.first <= offset && offset <= range.last => return Ok(Some(found)),
            Some((range, _)) if offset < range.first => high = at.saturating_sub(1),
            // In none of the blocks from `low` to `middle`, or behind that of the range.
            Some(_) | None => low = middle + 1,
        }
    }
    Ok(None)
}

impl Found {
    /// What the record is.
    pub(super) fn read(&self) -> Result<Read> {
        Block::from_record(Some(self.height.to_string().as_bytes()), Some(&self.value))
            .map_err(|error| Problem::new(axum::http::StatusCode::BAD_GATEWAY, error.to_string()))
    }

    /// The block, whole.
    pub(super) fn block(&self) -> Result<Block> {
        let block =
            self.read()?.block().map_err(|error| Problem::new(axum::http::StatusCode::GONE, error.to_string()))?;
        block.ok_or_else(|| Problem::not_found(format!("there is no block {}", self.height)))
    }

    /// The block in a few words.
    pub(super) fn summary(&self) -> Result<BlockSummary> {
        Ok(BlockSummary::of(&self.block()?, self.place))
    }
}
