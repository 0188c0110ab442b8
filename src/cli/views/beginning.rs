//! Whether a view's topic and its offset on the blockchain topic belong together.
//!
//! ```text
//! rows    offset    meaning
//! none    none      a view that begins
//! some    some      one that goes on, unless the topic begins in the middle of the chain
//! some    none      the offset is gone: all rows would be there twice
//! none    some      the rows are gone, if the blocks before the offset make any
//! ```
//! What another instance commits meanwhile has both: an offset is asked for again behind the rows, and a row that is
//! not committed yet counts as well.

use std::time::Duration;

use topology::clock::Clock;
use topology::log::{Isolation, Kind, Log, Offset, TopicPartition, Watermarks};

use crate::chain::{Block, Genesis, Read};
use crate::cli::error::{Error, Result};
use crate::reader::Reader;
use crate::rows::{self, Balance, Book, transfers, validators};
use crate::views::View;

/// The settings by which a log deletes rows, and the value with which it does not.
const RETENTION: [&str; 2] = ["retention.ms", "retention.bytes"];
const KEEPS_ALL: &str = "-1";

/// So long a transaction that an instance left behind is waited for, in ms: a broker ends it when it is 10 s old
/// ([`topology::client::Config::transaction_timeout_ms`], which views leave as it is), and looks for such ones every
/// 10 s.
const PATIENCE_MS: i64 = 30_000;
/// A question waits no longer than this, in ms, so that it is soon told what is waited for.
const QUESTION_MAX_MS: i64 = 3_000;
/// Between two questions, where the log does not wait by itself.
const PAUSE: Duration = Duration::from_millis(250);

/// A view that is about to be kept.
pub(super) struct Beginning<'b, L: Log> {
    pub(super) log: &'b L,
    pub(super) clock: &'b dyn Clock,
    pub(super) reader: &'b Reader<'b, L>,
    pub(super) view: View,
    pub(super) blockchain: &'b str,
}

impl<L: Log> Beginning<'_, L> {
    /// Refuses rows that would be there twice, or that would be missing; warns where rows will be deleted.
    pub(super) fn check(&self) -> Result<()> {
        let topic = self.view.topic(self.blockchain);
        let offset = self.offset()?;
        let marks = self.rows(&topic)?.filter(|marks| marks.high > 0);
        let first = match marks {
            Some(_) => self.reader.first(&topic, |record| Some(record.key.map(<[u8]>::to_vec)))?,
            None => None,
        };
        if first.is_some() && offset.is_none() && self.offset()?.is_none() {
            return Err(self.refusal(format_args!(
                "topic '{topic}' holds rows, and group '{}' has no offset that says how far they go: were offsets deleted, or did they \
                 expire?",
                self.view.application_id(self.blockchain)
            )));
        }
        let Some(offset) = offset else { return Ok(()) };
        match (marks, first) {
            (None, _) if self.first_row(offset)?.is_some() => Err(self.missing(&topic, "is empty")),
            // Rows that retention took leave offsets behind, and those that compaction took were not the last of their
            // keys.
            (Some(Watermarks { low: 0, .. }), Some(found)) if self.view == View::Transfers => {
                match self.first_row(offset)? {
                    Some(first) if found.as_deref() != Some(first.as_bytes()) => {
                        Err(self.missing(&topic, "does not begin with the first row of the chain"))
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// The key of the first row that the blocks before an offset make; `None` where they make none, as a chain that is
    /// mined makes none of validators, or are no chain, which the view itself tells.
    fn first_row(&self, offset: Offset) -> Result<Option<String>> {
        let mut book = None;
        let found = self.reader.first(self.blockchain, |record| {
            let block = match Block::from_record(record.key, record.value) {
                Ok(Read::Foreign) => return None,
                Ok(Read::Block(block)) if record.offset < offset => block,
                _ => return Some(None),
            };
            let Ok((book, balances)) = post(&mut book, &block) else { return Some(None) };
            let key = match self.view {
                View::Transfers => transfers(&block, book.chain().fee()).next().map(|row| {
                    let mut key = String::new();
                    row.write_key(&mut key);
                    key
                }),
                View::Balances => balances.first().map(|row| row.name.to_owned()),
                View::Validators => validators(book.chain(), &block).first().map(|row| row.id.to_owned()),
            };
            let is_without = |genesis: &Genesis| self.view == View::Validators && genesis.validators.is_empty();
            if key.is_none() && block.genesis.as_ref().is_some_and(is_without) { Some(None) } else { key.map(Some) }
        })?;
        Ok(found.flatten())
    }

    /// What the topic of rows holds, whether it is committed or not; `None` where there is no topic.
    fn rows(&self, topic: &str) -> Result<Option<Watermarks>> {
        let Some(description) = self.log.describe_topic(topic)? else { return Ok(None) };
        if description.partition_count != 1 {
            return Err(Error::usage(format!(
                "topic '{topic}' has {} partitions, and rows stand in the order of the chain in one: delete the topic, and the view \
                 makes it",
                description.partition_count
            )));
        }
        if self.view == View::Transfers {
            for name in RETENTION {
                if let Some(value) = description.settings.get(name).filter(|value| *value != KEEPS_ALL) {
                    tracing::warn!(
                        "topic '{topic}' has {name}={value}: rows will be deleted; to keep every row, alter it to {KEEPS_ALL} \
                         (kafka-configs.sh --alter --topic {topic} --add-config {name}={KEEPS_ALL})"
                    );
                }
            }
        }
        Ok(Some(self.log.watermarks(&TopicPartition::new(topic, 0), Isolation::ReadUncommitted)?))
    }

    /// Up to where the blockchain topic was made rows of.
    fn offset(&self) -> Result<Option<Offset>> {
        let partition = TopicPartition::new(self.blockchain, 0);
        settled_offset(self.log, self.clock, &self.view.application_id(self.blockchain), partition)
    }

    fn missing(&self, topic: &str, what: &str) -> Error {
        self.refusal(format_args!(
            "topic '{topic}' {what}, and group '{}' says that rows were made: was the topic deleted, and made anew?",
            self.view.application_id(self.blockchain)
        ))
    }

    fn refusal(&self, what: std::fmt::Arguments<'_>) -> Error {
        let view = self.view.as_str();
        Error::usage(format!(
            "{what} cairn views reset {view} forgets what there is; the next start makes all rows anew"
        ))
    }
}

/// The offset of a group; not before the end of a transaction that may change it. The instance that began one may have
/// been killed.
fn settled_offset<L: Log>(
    log: &L,
    clock: &dyn Clock,
    group: &str,
    partition: TopicPartition,
) -> Result<Option<Offset>> {
    let deadline_ms = clock.monotonic_ms().saturating_add(PATIENCE_MS);
    let seconds = PATIENCE_MS / 1_000;
    let mut is_told = false;
    loop {
        let left_ms = deadline_ms.saturating_sub(clock.monotonic_ms()).clamp(0, QUESTION_MAX_MS);
        let timeout = Duration::from_millis(left_ms.unsigned_abs());
        match log.committed_within(group, std::slice::from_ref(&partition), timeout) {
            Ok(committed) => return Ok(committed.into_iter().flatten().next().map(|committed| committed.offset)),
            Err(error) if error.kind() != Kind::Retry => return Err(error.into()),
            Err(error) if clock.monotonic_ms() >= deadline_ms => {
                let told = format!("{error}: it was asked for {seconds} s; start the view again later");
                return Err(Error::from(error).explained_by(told));
            }
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::info!("{error}; asking again for up to {seconds} s");
                }
                clock.sleep(PAUSE);
            }
        }
    }
}

/// Takes the next block into a book, or the first; its seal is checked.
fn post<'b>(book: &'b mut Option<Book>, block: &'b Block) -> Result<(&'b Book, Vec<Balance<'b>>), rows::Error> {
    let (book, balances) = match book {
        Some(book) => {
            let balances = book.follow(block)?;
            (book, balances)
        }
        none => {
            let (begun, balances) = Book::begin(block)?;
            (none.insert(begun), balances)
        }
    };
    book.check_seals()?;
    Ok((&*book, balances))
}

#[cfg(test)]
mod tests;
