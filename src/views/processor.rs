//! Blocks into rows.
//!
//! ```text
//!   record ─> block ─> does it follow? ─> rows ─> out
//!                            │ claims of its seal
//!                            └────> checked together, before anything of it is committed
//! ```
//! A record that is not the next block of the chain stops the view: nothing that came of it, or of what is not
//! committed yet, is seen.

use serde::Serialize;
use topology::Error;
use topology::processor::{self, Context, Processor, Record};
use topology::store::KeyValueStore;

use super::kept::Kept;
use super::{Encoding, Progress, Source};
use crate::chain::{self, Block, Read};
use crate::consensus::follow::{Broken, Reason, Seals};
use crate::ledger::state::Account;
use crate::rows::{self, Chain, balances, transfers, validators};

/// Makes the rows of a view.
pub(super) struct Project {
    source: Source,
    progress: Progress,
    kept: Kept,
    rows: Rows,
    /// `None` before block 0.
    chain: Option<Chain>,
    /// Those that are still to be checked.
    seals: Seals,
    uncommitted_row_count: u64,
    /// The value that is being written.
    value: Vec<u8>,
}

/// Which rows.
enum Rows {
    Transfers,
    /// With the accounts that the chain keeps.
    Balances(KeyValueStore<[u8], [u8]>),
    Validators,
}

type Output<'c> = Context<'c, [u8], [u8]>;
type Store = KeyValueStore<[u8], [u8]>;

impl Project {
    pub(super) fn transfers(source: Source, progress: Progress, chain: Store) -> Self {
        Self::new(source, progress, chain, Rows::Transfers)
    }

    pub(super) fn balances(source: Source, progress: Progress, chain: Store, accounts: Store) -> Self {
        Self::new(source, progress, chain, Rows::Balances(accounts))
    }

    pub(super) fn validators(source: Source, progress: Progress, chain: Store) -> Self {
        Self::new(source, progress, chain, Rows::Validators)
    }

    fn new(source: Source, progress: Progress, chain: Store, rows: Rows) -> Self {
        let (kept, chain, seals, value) = (Kept::new(chain), None, Seals::default(), Vec::new());
        Self { source, progress, kept, rows, chain, seals, uncommitted_row_count: 0, value }
    }

    /// The whole block of a record; `None` for a record that is none of the chain's.
    fn block(&self, record: &Record<'_, [u8], [u8]>) -> processor::Result<Option<Block>> {
        match Block::from_record(record.key, record.value) {
            Ok(Read::Block(block)) => Ok(Some(*block)),
            Ok(Read::Foreign) => Ok(None),
            Ok(Read::Pruned(pruned)) => Err(Error::stop(format!(
                "the body of block {} was pruned, and rows are made of bodies: give a topic with whole blocks as --blockchain, such as a \
                 copy from before",
                pruned.header.height
            ))
            .into()),
            Err(error) => {
                let height = self.next_height();
                Err(self.refusal(match error {
                    newer @ chain::Error::Newer { .. } => rows::Error::Newer(newer),
                    other => {
                        let detail = format!("offset {} of the topic: {other}", record.offset);
                        Broken::new(height, Reason::Overwritten, detail).into()
                    }
                }))
            }
        }
    }

    fn next_height(&self) -> u64 {
        self.chain.as_ref().map_or(0, |chain| chain.next_height().unwrap_or(u64::MAX))
    }

    /// Takes the block in, and keeps what it leaves.
    fn follow(&mut self, block: &Block) -> Result<(), Stopped> {
        let Some(chain) = &mut self.chain else {
            let chain = Chain::begin(block)?;
            let pinned = self.source.anchor.check(chain.genesis_hash());
            pinned.map_err(rows::Error::<std::convert::Infallible>::Broken)?;
            self.kept.begin(&chain, self.source.encoding.form())?;
            self.chain = Some(chain);
            return Ok(());
        };
        if let Some(claims) = chain.follow(block)? {
            self.seals.push(block.header.height, claims);
        }
        self.kept.advance(chain, rows::concerned(block).into_iter())?;
        if self.seals.is_full() { self.check_seals() } else { Ok(()) }
    }

    /// Readers of a topic expect all its rows to be written alike.
    fn check_form(&self) -> processor::Result {
        let Some(form) = self.kept.form()?.filter(|form| *form != self.source.encoding.form()) else { return Ok(()) };
        let (found, with) = (form.as_words(), form.as_options());
        let text = format!("the rows so far are {found}: go on {with}, or make all rows anew behind cairn views reset");
        Err(Error::stop(text).into())
    }

    fn check_seals(&mut self) -> Result<(), Stopped> {
        std::mem::take(&mut self.seals).check().map_err(|broken| Stopped::Rows(broken.into()))
    }

    /// Sends the block's rows.
    fn send(&self, block: &Block, out: &mut Sender<'_, '_, '_>) -> Result<(), Stopped> {
        let Some(chain) = &self.chain else { return Ok(()) };
        match &self.rows {
            Rows::Transfers => {
                let mut key = String::new();
                for row in transfers(block, chain.fee()) {
                    row.write_key(&mut key);
                    out.send(key.as_bytes(), &row)?;
                }
            }
            Rows::Balances(accounts) => {
                for row in &balances(block, chain.fee(), |name| read(accounts, name))? {
                    let name = row.name.as_bytes();
                    // As the chain: an account with nothing in it is not kept.
                    match row.account().to_record() {
                        Some(record) => accounts.put(&name, &&record[..])?,
                        None => accounts.delete(&name)?,
                    }
                    out.send(name, row)?;
                }
            }
            Rows::Validators => {
                for row in validators(chain, block) {
                    out.send(row.id.as_bytes(), &row)?;
                }
            }
        }
        Ok(())
    }

    /// The error that stops the view.
    fn told(&self, stopped: Stopped) -> processor::BoxError {
        match stopped {
            Stopped::Rows(error) => self.refusal(error),
            Stopped::Other(error) => error,
        }
    }

    /// What the chain being wrong means for the operator of the view.
    fn refusal(&self, error: rows::Error) -> processor::BoxError {
        let topic = &self.source.blockchain;
        // A seal below that does not hold is the first breach, whatever stands behind it.
        let error = match error {
            rows::Error::Broken(broken) => self.seals.first_breach(broken).into(),
            other => self.seals.check().map_or_else(rows::Error::from, |()| other),
        };
        match error {
            rows::Error::Newer(error) => {
                Error::stop(format!("topic '{topic}': {error}: run that one for the views, too")).caused_by(error).into()
            }
            rows::Error::Broken(broken) if broken.reason == Reason::Anchor => Error::stop(broken.detail).into(),
            broken => Error::stop(format!(
                "topic '{topic}' does not go on with its chain ({broken}): no rows are made from there on. Run cairn verify, and see \
                 \"Recovery\" in the operations manual; once the topic is whole again, cairn views reset makes all rows anew"
            ))
            .into(),
        }
    }
}

/// An account as the view has it.
fn read(accounts: &Store, name: &str) -> Result<Account, processor::BoxError> {
    let name = name.as_bytes();
    let record =
        accounts.get_with(&name, |record| record.map(|record| Account::from_record(name, record)).transpose())?;
    Ok(record?.unwrap_or_default())
}

/// Why a block was not taken in.
enum Stopped {
    /// The chain.
    Rows(rows::Error),
    /// The stores, or the log.
    Other(processor::BoxError),
}

impl From<rows::Error> for Stopped {
    fn from(error: rows::Error) -> Self {
        Self::Rows(error)
    }
}

impl From<rows::Error<processor::BoxError>> for Stopped {
    fn from(error: rows::Error<processor::BoxError>) -> Self {
        match error {
            rows::Error::Broken(broken) => Self::Rows(broken.into()),
            rows::Error::Newer(error) => Self::Rows(rows::Error::Newer(error)),
            rows::Error::Accounts(error) => Self::Other(error),
        }
    }
}

impl From<processor::BoxError> for Stopped {
    fn from(error: processor::BoxError) -> Self {
        Self::Other(error)
    }
}

impl From<topology::store::Error> for Stopped {
    fn from(error: topology::store::Error) -> Self {
        Self::Other(error.into())
    }
}

/// Where rows go, and how many went.
struct Sender<'s, 'c, 'r> {
    context: &'s mut Output<'c>,
    record: &'s Record<'r, [u8], [u8]>,
    encoding: Encoding,
    value: &'s mut Vec<u8>,
    row_count: u64,
}

impl Sender<'_, '_, '_> {
    /// As of the time at which the log took the block.
    fn send(&mut self, key: &[u8], row: &impl Serialize) -> Result<(), processor::BoxError> {
        self.encoding.write(row, self.value)?;
        let (position, timestamp_ms) = (self.record.position(), self.record.timestamp_ms);
        self.context.forward(Record::new(position, timestamp_ms, Some(key), Some(&self.value[..])))?;
        self.row_count += 1;
        Ok(())
    }
}

impl Processor for Project {
    type Key = [u8];
    type Value = [u8];
    type KeyOut = [u8];
    type ValueOut = [u8];

    fn init(&mut self, _: &mut Output<'_>) -> processor::Result {
        self.chain = self.kept.load()?;
        if let Some(chain) = &self.chain {
            let pinned = self.source.anchor.check(chain.genesis_hash());
            pinned.map_err(|broken| self.refusal(broken.into()))?;
            self.check_form()?;
            self.progress.reached(chain.tip().height);
        }
        Ok(())
    }

    fn process(&mut self, record: &Record<'_, [u8], [u8]>, context: &mut Output<'_>) -> processor::Result {
        let Some(block) = self.block(record)? else { return Ok(()) };
        let mut value = std::mem::take(&mut self.value);
        let mut out = Sender { context, record, encoding: self.source.encoding, value: &mut value, row_count: 0 };
        let done = self.follow(&block).and_then(|()| self.send(&block, &mut out));
        self.uncommitted_row_count += out.row_count;
        self.value = value;
        done.map_err(|stopped| self.told(stopped))
    }

    fn prepare_commit(&mut self, _: &mut Output<'_>) -> processor::Result {
        self.check_seals().map_err(|stopped| self.told(stopped))
    }

    fn committed(&mut self, _: &mut Output<'_>) -> processor::Result {
        if let Some(chain) = &self.chain {
            self.progress.reached(chain.tip().height);
        }
        self.progress.wrote(std::mem::take(&mut self.uncommitted_row_count));
        Ok(())
    }
}
