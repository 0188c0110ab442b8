//! What every handler is given.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use tokio::sync::{Semaphore, watch};
use topology::client::{Client, State as ClientState};
use topology::clock::{Clock, SystemClock};
use topology::log::Log;
use topology::metrics::Exported;
use topology::query::Queries;

use super::api::Largest;
use super::committed::{Committed, State};
use super::feed::Feed;
use super::guard::Hosts;
use super::lookup::Lookup;
use super::problem::{Problem, Result};
use super::prove::Prover;
use super::quota::{Counted, Quota};
use super::rate::Rate;
use super::teller::Teller;
use super::threads::Threads;
use crate::chain::{Genesis, Hash};
use crate::sealing::Application;

/// Reads of the stores that go on at once.
const READS_MAX: usize = 4;
/// Streams of events at once, of one address and of all.
const STREAMS: (u64, u64) = (64, 256);
/// Bytes of whole blocks and of proofs that are on their way to those who asked for them, of one address and of all.
const LARGE_BYTES: (u64, u64) = (64 << 20, 256 << 20);

/// A chain that is being sealed, for those who look at it.
pub struct Chain<L> {
    pub(super) log: L,
    pub(super) genesis: Genesis,
    pub(super) application: Application,
    pub(super) transactions: String,
    pub(super) blockchain: String,
    pub(super) queries: Queries,
    pub(super) states: watch::Receiver<ClientState>,
    pub(super) exported: Exported,
    pub(super) teller: Option<Arc<dyn Teller>>,
}

impl<L: Log> Chain<L> {
    /// The chain that a client seals from one topic to another.
    pub fn new(
        log: L,
        genesis: Genesis,
        application: &Application,
        client: &Client,
        transactions: impl Into<String>,
        blockchain: impl Into<String>,
    ) -> Self {
        Self {
            log,
            genesis,
            application: application.clone(),
            transactions: transactions.into(),
            blockchain: blockchain.into(),
            queries: client.queries(),
            states: client.states(),
            exported: client.exported_metrics(),
            teller: None,
        }
    }

    /// Takes transfers from the page.
    #[must_use]
    pub fn with_teller(self, teller: Arc<dyn Teller>) -> Self {
        Self { teller: Some(teller), ..self }
    }
}

/// See above.
pub(super) struct Context {
    pub(super) genesis: Genesis,
    pub(super) genesis_hash: Hash,
    pub(super) application: Application,
    pub(super) transactions: String,
    pub(super) blockchain: String,
    pub(super) feed: Arc<Feed>,
    pub(super) lookup: Lookup,
    pub(super) prover: Prover,
    pub(super) clock: SystemClock,
    pub(super) exported: Exported,
    pub(super) teller: Option<Arc<dyn Teller>>,
    pub(super) rate: Mutex<Rate>,
    pub(super) streams: Quota,
    large_bytes: Quota,
    /// The description of all this, made once.
    pub(super) openapi: String,
    pub(super) hosts: Hosts,
    /// Becomes true when the server ends.
    pub(super) ending: watch::Receiver<bool>,
    pub(super) threads: Threads,
    pub(super) largest: Mutex<Option<Largest>>,
    /// Had by the one that looks for them.
    pub(super) largest_turn: Arc<tokio::sync::Mutex<()>>,
    /// When a validator was last told to cheat.
    pub(super) cheated_ms: Mutex<Option<i64>>,
    committed: Committed,
    states: watch::Receiver<ClientState>,
    reads: Arc<Semaphore>,
}

impl Context {
    pub(super) fn new<L>(
        chain: Chain<L>,
        feed: Arc<Feed>,
        (lookup, prover): (Lookup, Prover),
        openapi: String,
        hosts: Hosts,
        (ending, threads): (watch::Receiver<bool>, Threads),
    ) -> Self {
        let genesis_hash = chain.genesis.hash();
        Self {
            genesis: chain.genesis,
            genesis_hash,
            application: chain.application,
            transactions: chain.transactions,
            blockchain: chain.blockchain,
            feed,
            lookup,
            prover,
            clock: SystemClock::new(),
            exported: chain.exported,
            teller: chain.teller,
            rate: Mutex::default(),
            streams: Quota::new(STREAMS.0, STREAMS.1),
            large_bytes: Quota::new(LARGE_BYTES.0, LARGE_BYTES.1),
            openapi,
            hosts,
            ending,
            threads,
            largest: Mutex::new(None),
            largest_turn: Arc::default(),
            cheated_ms: Mutex::new(None),
            committed: Committed::new(chain.queries),
            states: chain.states,
            reads: Arc::new(Semaphore::new(READS_MAX)),
        }
    }

    /// How the engine is.
    pub(super) fn engine(&self) -> ClientState {
        *self.states.borrow()
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// An answer that may be large, until its last byte was taken or its reader is gone: those that take their time
    /// have so much of it at once.
    pub(super) fn on_its_way(&self, peer: IpAddr, value: impl AsRef<[u8]> + Send + 'static) -> Result<Bytes> {
        let counted = self.large_bytes.take(peer, value.as_ref().len() as u64);
        let counted =
            counted.ok_or_else(|| Problem::unavailable("too much is on its way to you or to others: ask again"))?;
        Ok(Bytes::from_owner(OnItsWay { value, _counted: counted }))
    }

    /// Reads the committed state on a thread where that may take its time: it may have to come from a disk.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Self, &State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let context = Arc::clone(self);
        self.blocking(move || {
            let state = context.committed.state()?;
            read(&context, &state)
        })
        .await
    }

    /// Does what blocks; a few at a time.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let ending = || Problem::unavailable("the program is ending");
        let permit = Arc::clone(&self.reads).acquire_owned().await.map_err(|_| ending())?;
        // The permit goes with the work: a request that is given up, or whose connection is gone, leaves it running.
        let work = move || {
            let _permit = permit;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| ending())?
    }
}

/// An answer, counted for as long as it is there.
struct OnItsWay<V> {
    value: V,
    _counted: Counted,
}

impl<V: AsRef<[u8]>> AsRef<[u8]> for OnItsWay<V> {
    fn as_ref(&self) -> &[u8] {
        self.value.as_ref()
    }
}

/// What a thread that panicked left behind is looked at all the same: each of these values is whole at any time.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns when the server ends.
pub(super) async fn told(ending: &mut watch::Receiver<bool>) {
    // Where the server is gone without a word, it has ended as well.
    let _ = ending.wait_for(|ending| *ending).await;
}
