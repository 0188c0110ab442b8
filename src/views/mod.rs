//! Views: flat rows of a chain on topics of their own, for those who have tables and no blocks.
//!
//! ```text
//!   blockchain ──┬──> transfers ───> blockchain-transfers     key: HEIGHT:INDEX, kept for ever
//!                ├──> balances ────> blockchain-balances      key: the account, compacted
//!                └──> validators ──> blockchain-validators    key: the validator's id, compacted
//! ```
//! Each view is an application of its own, with its group, its stores and its topic: it can be begun, stopped and
//! forgotten without the others.
//!
//! ```text
//! encoding    rows -> values of records
//! kept        a chain between its blocks, in a store
//! processor   blocks -> rows
//! ```
//! May use `rows` and what that uses, and the engine.

mod encoding;
mod kept;
mod processor;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use topology::graph::{Builder, Store, Topic, Topology};

use crate::chain::Hash;
use crate::consensus::follow::Anchor;
use crate::rows;
pub use encoding::Encoding;
use processor::Project;

/// The format of what views keep in stores. Stores of another are refused.
const STORE_FORMAT: u16 = 2;

/// A view of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// What moved: [`rows::Transfer`].
    Transfers,
    /// Who holds what: [`rows::Balance`].
    Balances,
    /// Who validates: [`rows::Validator`].
    Validators,
}

/// What a view reads and is told.
#[derive(Clone, Debug)]
pub struct Source {
    /// The topic of sealed blocks.
    pub blockchain: String,
    /// What the chain must begin with.
    pub anchor: Anchor,
    /// How rows are written.
    pub encoding: Encoding,
}

/// How far a view has come in this process, as of its last commit. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    shared: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// One more than the last height; 0: none yet.
    heights: AtomicU64,
    rows: AtomicU64,
}

impl Progress {
    /// The last block whose rows were written; `None` until the view was taken over and has come to one.
    #[must_use]
    pub fn height(&self) -> Option<u64> {
        self.shared.heights.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Rows that this process wrote.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.shared.rows.load(Ordering::Relaxed)
    }

    fn reached(&self, height: u64) {
        self.shared.heights.store(height.saturating_add(1), Ordering::Relaxed);
    }

    fn wrote(&self, row_count: u64) {
        self.shared.rows.fetch_add(row_count, Ordering::Relaxed);
    }
}

impl View {
    /// Every view.
    pub const ALL: [Self; 3] = [Self::Transfers, Self::Balances, Self::Validators];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transfers => "transfers",
            Self::Balances => "balances",
            Self::Validators => "validators",
        }
    }

    /// The topic of its rows.
    #[must_use]
    pub fn topic(self, blockchain: &str) -> String {
        format!("{blockchain}-{}", self.as_str())
    }

    /// The JSON Schema of its rows.
    #[must_use]
    pub const fn schema(self) -> &'static str {
        match self {
            Self::Transfers => rows::schema::TRANSFER,
            Self::Balances => rows::schema::BALANCE,
            Self::Validators => rows::schema::VALIDATOR,
        }
    }

    /// The application that writes it: its group, and the prefix of its changelogs.
    #[must_use]
    pub fn application_id(self, blockchain: &str) -> String {
        format!("{blockchain}-view-{}", self.as_str())
    }

    /// Of its stores: those of other rows, or kept in another way, are refused.
    #[must_use]
    pub fn fingerprint(self) -> [u8; 32] {
        Hash::of(format!("cairn view {} {} {STORE_FORMAT}", self.as_str(), rows::VERSION).as_bytes()).0
    }

    /// The graph.
    pub fn topology(self, source: &Source, progress: &Progress) -> topology::Result<Topology> {
        let builder = Builder::new();
        let blockchain = Topic::new(&source.blockchain).partitions(1).must_exist();
        let blocks = builder.sub_topology(self.as_str()).source::<[u8], [u8]>(blockchain).named("blocks");
        let (chain, accounts) = (Store::<[u8], [u8]>::rocksdb("chain"), Store::<[u8], [u8]>::rocksdb("accounts"));
        let (source, progress, topic) = (source.clone(), progress.clone(), self.topic(&source.blockchain));
        let projecting = blocks.processor("rows").with_store(&chain);
        let rows = match self {
            Self::Transfers => {
                projecting.supply(move |chain| Project::transfers(source.clone(), progress.clone(), chain))
            }
            Self::Balances => projecting
                .with_store(&accounts)
                .supply(move |(chain, accounts)| Project::balances(source.clone(), progress.clone(), chain, accounts)),
            Self::Validators => {
                projecting.supply(move |chain| Project::validators(source.clone(), progress.clone(), chain))
            }
        };
        rows.sink(self.rows_topic(&topic)).named("rows-out");
        builder.build()
    }

    /// Rows come in the order of the chain. Their time is when the log took them: a block's own is stream time, which
    /// the log need not take.
    fn rows_topic(self, name: &str) -> Topic {
        let topic = Topic::new(name).partitions(1).config("message.timestamp.type", "LogAppendTime");
        match self {
            Self::Transfers => {
                topic.config("cleanup.policy", "delete").config("retention.ms", "-1").config("retention.bytes", "-1")
            }
            Self::Balances | Self::Validators => topic.config("cleanup.policy", "compact"),
        }
    }
}
