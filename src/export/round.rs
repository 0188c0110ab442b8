//! One pass of an export: from where its files end to where the topic ends.

use std::path::PathBuf;

use topology::clock::Clock;
use topology::log::{Isolation, Log, Offset, Start};

use super::BlockRow;
use super::checkpoint::{self, Checkpoint};
use super::directory::{Directory, LastRange, Manifest};
use super::error::{Error, Result};
use super::exported::Exported;
use super::range::{Limits, Open};
use super::writer::{Format, Subject};
use crate::audit::record::{self, Found};
use crate::audit::{Anchor, Broken, Reason};
use crate::chain::{Block, Hash, Read};
use crate::reader::{Extent, Reader};
use crate::rows::{Book, Chain, transfers, validators};

/// The reader's name in the brokers' logs.
const CLIENT_ID: &str = "cairn-export";

/// What to export, and where to.
#[derive(Clone, Debug)]
pub struct Options {
    /// The blockchain topic.
    pub blockchain: String,
    /// The directory: empty, missing, or with the beginning of the same export.
    pub directory: PathBuf,
    /// How rows are written.
    pub format: Format,
    /// The first height; `None`: where the directory's files begin, or 0.
    pub from_height: Option<u64>,
    /// The last height; `None`: the tip.
    pub to_height: Option<u64>,
    /// Where ranges of heights end.
    pub limits: Limits,
    /// What the chain must begin with.
    pub anchor: Anchor,
    /// Whether more rounds come: then one does not wait for transactions that are still open.
    pub is_followed: bool,
}

/// An export that was begun.
pub struct Export<'e, L: Log> {
    log: &'e L,
    clock: &'e dyn Clock,
    options: &'e Options,
    directory: Directory,
    /// The chain as far as it was followed; `None` before block 0.
    book: Option<Book>,
    /// Where the record of the last block stood.
    last_offset: Option<Offset>,
    /// The range that is being written.
    open: Option<Open>,
}

impl<'e, L: Log> Export<'e, L> {
    /// Opens the directory, and goes on from where a call before this one was.
    pub fn open(log: &'e L, clock: &'e dyn Clock, options: &'e Options) -> Result<Self> {
        let directory = Directory::open(&options.directory, options.format)?;
        if let (Some(asked), Some(manifest)) = (options.from_height, directory.manifest())
            && asked != manifest.from_height
        {
            return Err(Error::Refused(format!(
                "{} holds heights from {} on, --from-height asks for {asked}: leave it out, or name another directory",
                options.directory.display(),
                manifest.from_height
            )));
        }
        let mut export = Self { log, clock, options, directory, book: None, last_offset: None, open: None };
        if let Some(manifest) = export.directory.manifest() {
            options.anchor.check(manifest.genesis_hash)?;
        }
        if let Some(Checkpoint { book, offset }) = export.checkpoint()? {
            (export.book, export.last_offset) = (Some(book), Some(offset));
        }
        Ok(export)
    }

    /// Where a call before this one was; `None` where the chain has to be followed from its beginning.
    fn checkpoint(&self) -> Result<Option<Checkpoint>> {
        let (path, Some(manifest)) = (self.directory.state(), self.directory.manifest()) else { return Ok(None) };
        let checkpoint = match checkpoint::read(&path) {
            Ok(Some(checkpoint)) => checkpoint,
            Ok(None) => return Ok(None),
            Err(error) => {
                let path = path.display();
                tracing::warn!("{path} is of no use ({error}): following the chain from its beginning");
                return Ok(None);
            }
        };
        let book = &checkpoint.book;
        let is_tip = |last: &LastRange| last.last_height == book.chain().tip().height;
        let is_of_the_files = book.chain().genesis_hash() == manifest.genesis_hash
            && book.next_height() <= manifest.next_height()
            && manifest.last_range.as_ref().is_none_or(|last| !is_tip(last) || last.block_hash == book.last_hash());
        if !is_of_the_files || !self.stands_at(book, checkpoint.offset)? {
            tracing::info!("the topic is not as it was left: following the chain from its beginning");
            return Ok(None);
        }
        Ok(Some(checkpoint))
    }

    /// Whether the last block of a book is the record at this offset.
    fn stands_at(&self, book: &Book, offset: Offset) -> Result<bool> {
        let reader = Reader::new(self.log, self.clock, CLIENT_ID);
        let partition = reader.chain_partition(&self.options.blockchain)?;
        let whole = reader.extent(&partition, Start::At(offset), Isolation::ReadCommitted)?;
        let mut is_there = false;
        let record = Extent { end: whole.end.min(offset.saturating_add(1)), ..whole };
        reader.read_to(&[record], |_, records| {
            is_there = records.iter().any(|record| {
                let block = Block::from_record(record.key, record.value).and_then(Read::block);
                record.offset == offset
                    && block.is_ok_and(|block| block.is_some_and(|block| block.header.hash() == book.last_hash()))
            });
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(is_there)
    }

    /// Exports what there is now, and publishes it, also the last range, which more blocks would have made longer.
    /// `progress` is told each height that was followed. Where `is_stopped` answers true, the round ends with the block
    /// it is at. After an error of class retry the next round goes on where this one was; after any other there is
    /// nothing more to be done. What was published is added to `done`, also before an error.
    pub fn round(
        &mut self,
        done: &mut Exported,
        progress: &mut dyn FnMut(u64),
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<()> {
        if self.is_complete() {
            return self.check_topic();
        }
        let extent = self.extent()?;
        let read = std::thread::scope(|scope| {
            let mut reading = record::parse_topic(scope, (self.log, self.clock), CLIENT_ID, extent)?;
            while !self.is_complete() && !is_stopped() {
                let Some(found) = reading.next()? else { break };
                if let Some(height) = self.take(&found, done)? {
                    progress(height);
                }
            }
            Ok(())
        });
        read.map_err(|error| match (error, &self.book) {
            (Error::Broken(broken), Some(book)) => book.first_breach(broken).into(),
            (error, _) => error,
        })?;
        if !is_stopped() {
            self.check_end()?;
        }
        self.publish(done)
    }

    /// Notes where the export is, so that the next call need not follow the chain from its beginning. Between two
    /// rounds.
    pub fn keep_state(&mut self) -> Result<()> {
        let (Some(book), Some(offset)) = (&mut self.book, self.last_offset) else { return Ok(()) };
        // Rows of a round that failed are not published: the next call has to come by them again.
        if self.directory.manifest().is_none_or(|manifest| book.next_height() > manifest.next_height()) {
            return Ok(());
        }
        book.check_seals()?;
        self.directory.keep_state(|file| checkpoint::write(file, book, offset))
    }

    /// What the directory is an export of; `None` until a block was read.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        self.directory
            .manifest()
            .map(|manifest| Subject { chain_id: manifest.chain_id.clone(), genesis_hash: manifest.genesis_hash })
    }

    /// The last height that was published, by this call or one before.
    #[must_use]
    pub fn published_height(&self) -> Option<u64> {
        Some(self.directory.manifest()?.last_range.as_ref()?.last_height)
    }

    fn extent(&self) -> Result<Extent> {
        let reader = Reader::new(self.log, self.clock, CLIENT_ID);
        let partition = reader.chain_partition(&self.options.blockchain)?;
        let isolation = if self.options.is_followed { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
        let start = self.last_offset.map_or(Start::Beginning, |last| Start::At(last + 1));
        let extent = reader.extent(&partition, start, isolation)?;
        match self.last_offset {
            Some(last) if extent.end <= last => {
                let (end, topic) = (extent.end, &self.options.blockchain);
                Err(Error::Refused(format!(
                    "topic '{topic}' ends before offset {end}, and a block was read at {last}: the topic was replaced or lost records"
                )))
            }
            _ => Ok(extent),
        }
    }

    /// Whether the last height that was asked for is published.
    fn is_complete(&self) -> bool {
        let published = self.directory.manifest().map(Manifest::next_height);
        self.options.to_height.is_some_and(|last| published.is_some_and(|next| next > last))
    }

    /// Takes in a record; its height, if it is a block.
    fn take(&mut self, found: &Found, done: &mut Exported) -> Result<Option<u64>> {
        let next = self.book.as_ref().map_or(0, Book::next_height);
        match &found.read {
            Ok(Read::Foreign) => {
                done.foreign_count += 1;
                Ok(None)
            }
            Ok(Read::Block(block)) => {
                self.take_block(block, done)?;
                self.last_offset = Some(found.offset);
                Ok(Some(block.header.height))
            }
            Ok(Read::Pruned(pruned)) => {
                let height = pruned.header.height;
                record::in_its_place(height, next)?;
                let text = format!(
                    "the body of block {height} was pruned, so its rows are not known: give a topic with whole blocks as \
                     --blockchain, such as a copy from before"
                );
                Err(Error::Unread(topology::Error::stop(text)))
            }
            Err(error) => Err(record::judge(found.offset, error.clone(), next).into()),
        }
    }

    fn take_block(&mut self, block: &Block, done: &mut Exported) -> Result<()> {
        let balances = match &mut self.book {
            None => {
                let (book, balances) = Book::begin(block)?;
                self.options.anchor.check(book.chain().genesis_hash())?;
                self.claim_directory(book.chain())?;
                self.book = Some(book);
                balances
            }
            Some(book) => {
                let manifest = self.directory.manifest();
                if let Some(manifest) = manifest.filter(|manifest| {
                    self.open.is_none() && manifest.last_range.is_none() && manifest.from_height == book.next_height()
                }) {
                    // The first range of an export that does not begin with the chain.
                    let open = Open::begin(&self.directory, self.options.format, manifest.from_height)?;
                    let open = self.open.insert(open);
                    open.rows(book.opening_balances())?;
                    open.rows(book.opening_validators())?;
                }
                book.follow(block)?
            }
        };
        let height = block.header.height;
        let Some((book, manifest)) = self.book.as_ref().zip(self.directory.manifest()) else { return Ok(()) };
        if height < manifest.next_height() {
            return self.check_published(block);
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::begin(&self.directory, self.options.format, height)?),
        };
        open.rows(balances)?;
        open.rows(transfers(block, book.chain().fee()))?;
        open.rows(validators(book.chain(), block))?;
        open.rows([BlockRow::of(block)])?;
        let is_last = self.options.to_height == Some(height);
        if is_last || self.options.limits.end_with(height, open.row_count_max()) {
            self.publish(done)?;
        }
        Ok(())
    }

    /// Ends the range that is being written, and publishes it, once the seals of its blocks are checked.
    fn publish(&mut self, done: &mut Exported) -> Result<()> {
        let (Some(book), Some(open)) = (&mut self.book, self.open.take()) else { return Ok(()) };
        book.check_seals()?;
        let chain = book.chain();
        let range = open.finish(&subject_of(chain), chain.tip().height, chain.tip().hash)?;
        self.directory.publish(&range)?;
        done.add_range(&range);
        Ok(())
    }

    /// Makes the directory one of this chain, or sees that it is.
    fn claim_directory(&mut self, chain: &Chain) -> Result<()> {
        let found = chain.genesis_hash();
        match self.directory.manifest() {
            Some(manifest) => self.check_chain(manifest, found),
            None => {
                let from_height = self.options.from_height.unwrap_or(0);
                self.directory.begin(Manifest::of(&subject_of(chain), self.options.format, from_height))
            }
        }
    }

    /// Sees that the topic has the chain of the files, where nothing else is read of it.
    fn check_topic(&self) -> Result<()> {
        let Some(manifest) = self.directory.manifest() else { return Ok(()) };
        let reader = Reader::new(self.log, self.clock, CLIENT_ID);
        let first = reader.first(&self.options.blockchain, |record| {
            Block::from_record(record.key, record.value).and_then(Read::block).ok().flatten()
        })?;
        first.map_or(Ok(()), |block| self.check_chain(manifest, block.header.genesis))
    }

    fn check_chain(&self, manifest: &Manifest, found: Hash) -> Result<()> {
        if manifest.genesis_hash == found {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "{} holds the chain of genesis {}, topic '{}' the chain of genesis {found}: name another directory",
            self.options.directory.display(),
            manifest.genesis_hash,
            self.options.blockchain
        )))
    }

    /// Sees that a block, whose rows are there already, is the one they are of, where that is known.
    fn check_published(&self, block: &Block) -> Result<()> {
        let last = self.directory.manifest().and_then(|manifest| manifest.last_range.as_ref());
        match last.filter(|last| last.last_height == block.header.height && last.block_hash != block.hash) {
            None => Ok(()),
            Some(last) => Err(Error::Refused(format!(
                "block {} is {}, {} holds rows up to block {}: the chain was changed. Run cairn verify, and export into \
                 another directory",
                last.last_height,
                block.hash,
                self.options.directory.display(),
                last.block_hash
            ))),
        }
    }

    /// Sees that the topic, read to its end, holds what is to be there.
    fn check_end(&self) -> Result<()> {
        let next = self.book.as_ref().map(Book::next_height);
        let published = self.directory.manifest().map_or(0, Manifest::next_height);
        let is_begun = self.directory.manifest().is_some_and(|manifest| manifest.last_range.is_some());
        match next {
            None if !self.options.is_followed || is_begun => {
                Err(Broken::new(0, Reason::Height, "the topic holds no block").into())
            }
            None => Ok(()),
            Some(next) if next < published && is_begun => Err(Error::Refused(format!(
                "topic '{}' ends with height {}, {} holds heights up to {}: the topic was replaced or lost records",
                self.options.blockchain,
                next - 1,
                self.options.directory.display(),
                published - 1
            ))),
            Some(next) => match self.options.to_height.or(self.options.from_height).filter(|asked| *asked >= next) {
                Some(asked) if !self.options.is_followed => {
                    let text = format!("the chain ends at height {}, and {asked} was asked for", next - 1);
                    Err(Error::Unread(topology::Error::stop(text)))
                }
                _ => Ok(()),
            },
        }
    }
}

fn subject_of(chain: &Chain) -> Subject {
    Subject { chain_id: chain.genesis().chain_id.clone(), genesis_hash: chain.genesis_hash() }
}
