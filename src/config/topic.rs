//! The blockchain topic, for commands that begin or continue a chain: what it begins and ends with, and all of its
//! blocks.
//!
//! Foreign records, whose key is no height, are passed over. A record under a height that is not that height's block is
//! an error, whatever else the topic holds.

use std::ops::ControlFlow;

use topology::log::{Isolation, Log, Record, Start, TopicPartition};

use crate::chain::{self, Block, Genesis, Range, Read};
use crate::reader::{Extent, NO_CHAIN, Reader};

/// Why the topic does not give what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log: what to do depends on its own error.
    #[error(transparent)]
    Log(#[from] topology::Error),
    /// A block that this program cannot judge: a newer one made it, or its body was taken away. Nothing is known to be
    /// wrong.
    #[error("topic '{topic}': {error}")]
    Unknown {
        /// The topic.
        topic: String,
        /// What kind of block it is, and what to do.
        error: chain::Error,
    },
    /// There is something else than a chain's block.
    #[error("{0}")]
    Broken(String),
}

/// The genesis in block 0 of a blockchain topic, which agrees with itself: it is one that a chain can start from, and
/// the block is what follows from it. `None` where there is no chain yet.
pub fn genesis<L: Log>(reader: &Reader<'_, L>, blockchain: &str) -> Result<Option<Genesis>, Error> {
    let broken = |what: String| Error::Broken(format!("topic '{blockchain}' does not begin with block 0: {what}"));
    match reader.first(blockchain, checked)? {
        None => Ok(None),
        Some(Err(error)) => Err(unknown(blockchain, error).unwrap_or_else(|error| broken(error.to_string()))),
        Some(Ok(Block { genesis: Some(genesis), header, .. })) if header.height == 0 => Ok(Some(genesis)),
        Some(Ok(block)) => Err(broken(format!("its first record is block {}", block.header.height))),
    }
}

/// The last block of a blockchain topic, which agrees with itself; `None` where there is none.
pub fn last_block<L: Log>(reader: &Reader<'_, L>, blockchain: &str) -> Result<Option<Block>, Error> {
    told(blockchain, reader.last(blockchain, checked)?)
}

/// The same of a topic that is known to be there, and a chain's: its settings are not asked for.
pub fn last_block_of_known<L: Log>(reader: &Reader<'_, L>, blockchain: &str) -> Result<Option<Block>, Error> {
    told(blockchain, reader.lasts_of(&TopicPartition::new(blockchain, 0), 1, checked)?.pop())
}

fn told(blockchain: &str, last: Option<chain::Result<Block>>) -> Result<Option<Block>, Error> {
    last.transpose().map_err(|error| Error::of_record(blockchain, error))
}

/// Blocks that are looked at for what is sealed, at most: where each partition has a record in one of so many, all are
/// known.
const LAST_BLOCKS: i64 = 1_000;

/// The ranges of the last blocks of a blockchain topic, in the order of the topic. What is no block is passed over.
pub fn last_ranges<L: Log>(reader: &Reader<'_, L>, blockchain: &str) -> Result<Vec<Range>, Error> {
    let Some(partition) = reader.only_partition(blockchain, NO_CHAIN)? else { return Ok(Vec::new()) };
    let all = reader.extent(&partition, Start::Beginning, Isolation::ReadUncommitted)?;
    let last = Extent { first: all.first.max(all.end.saturating_sub(LAST_BLOCKS)), ..all };
    let mut found = Vec::new();
    reader.read_to(&[last], |_, records| {
        let blocks = records.iter().filter_map(checked).filter_map(chain::Result::ok);
        found.extend(blocks.flat_map(|block| block.header.ranges));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Hands over all blocks of a blockchain topic, each of which agrees with itself, in the order of the topic, until
/// `visit` answers false.
pub fn blocks<L: Log>(
    reader: &Reader<'_, L>,
    blockchain: &str,
    visit: &mut dyn FnMut(Block) -> bool,
) -> Result<(), Error> {
    let Some(partition) = reader.only_partition(blockchain, NO_CHAIN)? else { return Ok(()) };
    let mut found = Ok(());
    reader.read(&[(partition, Start::Beginning)], |_, records| {
        for block in records.iter().filter_map(checked) {
            let goes_on = match block {
                Ok(block) => visit(block),
                Err(error) => {
                    found = Err(Error::of_record(blockchain, error));
                    false
                }
            };
            if !goes_on {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    found
}

impl Error {
    /// What it means that a record whose key is a height is not that block.
    pub fn of_record(blockchain: &str, error: chain::Error) -> Self {
        unknown(blockchain, error).unwrap_or_else(|error| {
            Self::Broken(format!(
                "topic '{blockchain}' holds something else than the chain's blocks ({error}): run cairn verify, find out who \
                 else writes to it, and see \"Recovery\" in the operations manual"
            ))
        })
    }
}

/// The block in a record, which agrees with itself; `None` for a record that is none of the chain's.
fn checked(record: &Record<'_>) -> Option<chain::Result<Block>> {
    let block = Block::from_record(record.key, record.value).and_then(Read::block).transpose()?;
    Some(block.and_then(|block| block.check().map(|()| block)))
}

/// What cannot be judged; else the error is given back.
fn unknown(topic: &str, error: chain::Error) -> Result<Error, chain::Error> {
    match error {
        chain::Error::Newer { .. } | chain::Error::Pruned { .. } => {
            Ok(Error::Unknown { topic: topic.to_owned(), error })
        }
        other => Err(other),
    }
}

impl From<Error> for topology::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Log(error) => error,
            // The cause is kept: by it a caller tells what nothing is known of from what is broken.
            Error::Unknown { error, .. } => Self::stop(message).caused_by(error),
            Error::Broken(_) => Self::stop(message),
        }
    }
}
