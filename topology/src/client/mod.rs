//! Running a topology: topics, state directory, stream threads, state, metrics, shutdown.
//!
//! ```text
//! topics       created before anything runs; existing ones are checked
//! process      what the stream threads share, and how one is made
//! supervisor   starts stream threads, replaces those that panic, ends them
//! thread       one stream thread on its OS thread
//! readings     what is read when metrics are
//! log_readings the same of the log's clients
//! standbys     what is kept warm of what other instances have
//! state        how the client is, as its threads make it
//! alarm        a deadline for async code, on any runtime
//! ```
//! May use all the crate but `test_driver`. The one part that may be used from async code: start, state and the end of
//! the run can be awaited.

mod alarm;
mod log_readings;
mod process;
mod readings;
mod standbys;
mod state;
mod supervisor;
#[cfg(test)]
mod tests;
mod thread;
mod topics;

pub use crate::graph::plan::{CheckedTopic, Difference, TopicState};
pub use crate::stream_thread::{Config, Guarantee, OnPanic};
pub use crate::updater::{Listener as RestoreListener, Progress as RestoreProgress, StoreProgress};
pub(crate) use standbys::{ProcessHome, keeper as standby_keeper};
pub use state::State;
pub use topics::{check_topics, internal_topics};
pub(crate) use topics::{prepare as prepare_topics, resolve as resolve_topics, resolve_as_far_as_there};

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use alarm::Alarm;
use futures::future::{Either, select};
use tokio::sync::{oneshot, watch};

use crate::codec::Codec;
use crate::error::{Class, Error, Result};
use crate::graph::{Store, Topology};
use crate::log::Log;
use crate::metrics::{Exported, Metrics, Snapshot};
use crate::query::{self, KeyValue, Queries, Registry};
use crate::store;
use crate::task::Metadata;

use process::Request;
use state::States;
use supervisor::{Ends, Order, OwnThreads};

/// A topology that runs on threads of its own.
///
/// ```text
///                sync                       async
/// the start      start_blocking(..)         start(..).await
/// the end        wait()                     closed().await
/// a clean end    stop(), then wait()        close(timeout).await
/// ```
/// Dropping it asks for a clean end and waits for it, so that no thread is left behind: async code closes it before.
/// Where a panic drops it, it is asked and not waited for.
///
/// ```
/// # use std::sync::Arc;
/// use std::time::Duration;
/// # use topology::client::{Client, Config};
/// # use topology::graph::{Builder, Store};
/// # use topology::log::memory::MemoryLog;
/// # fn main() -> topology::Result<()> {
/// # let builder = Builder::new();
/// # builder.sub_topology("counting").source::<str, ()>("words").count(&Store::memory("counts")).sink("totals");
/// # let (topology, log) = (builder.build()?, MemoryLog::new(Arc::new(|| 0)));
/// # futures::executor::block_on(async {
/// let mut client = Client::start(&topology, log, Config::new("app")).await?;
/// client.close(Duration::from_secs(10)).await?;
/// # Ok(())
/// # })
/// # }
/// ```
pub struct Client {
    stop: Arc<AtomicBool>,
    orders: Sender<Order>,
    own: OwnThreads,
    states: watch::Receiver<State>,
    metrics: Arc<Metrics>,
    queries: Queries,
    /// `None` once the end was told.
    ended: Option<oneshot::Receiver<Result<()>>>,
    /// `None` once it is joined.
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Checks and creates topics, opens the state directory, and starts the stream threads; resolves when they run, on
    /// whatever runtime this is. (How far they are then, [`Client::states`] tells: they join the group next.) Errors
    /// are one line that says what to do: no broker there, a topic with the wrong partitions or cleanup policy, a state
    /// directory in use.
    ///
    /// It may take seconds, for it asks the log. To drop it before it resolves is to drop the client: that waits for
    /// the thread, which gives up when the question under way is answered, or has failed after
    /// [`Config::request_timeout_ms`].
    pub async fn start<L: Log>(topology: &Topology, log: L, config: Config) -> Result<Self> {
        let (started_in, started) = oneshot::channel();
        // The receiver may be gone: then the client is as well.
        let client = Self::spawn(topology, log, config, move |result| drop(started_in.send(result)))?;
        started.await.unwrap_or_else(|_| Err(panicked()))?;
        Ok(client)
    }

    /// As [`Client::start`], for a thread that may block.
    pub fn start_blocking<L: Log>(topology: &Topology, log: L, config: Config) -> Result<Self> {
        let (started_in, started) = mpsc::channel();
        let client = Self::spawn(topology, log, config, move |result| drop(started_in.send(result)))?;
        started.recv().unwrap_or_else(|_| Err(panicked()))?;
        Ok(client)
    }

    /// Has a thread begin that supervises the stream threads, and tells once how their start went.
    fn spawn<L: Log>(
        topology: &Topology,
        log: L,
        config: Config,
        started: impl FnOnce(Result<()>) + Send + 'static,
    ) -> Result<Self> {
        config.check()?;
        check_store_count(topology)?;
        check_media(topology, &config)?;
        let (stop, metrics, own) = (Arc::<AtomicBool>::default(), Arc::<Metrics>::default(), OwnThreads::default());
        let (states_in, states) = watch::channel(State::Created);
        let (ended_in, ended) = oneshot::channel();
        let (orders_in, orders) = mpsc::channel();
        let registry = Registry::new(topology);
        let queries = Queries::new(Arc::clone(&registry));
        let topology = topology.clone();
        let request = Request { config, topology, log, metrics: Arc::clone(&metrics), queries: registry };
        let ends = Ends {
            stop: Arc::clone(&stop),
            states: States::new(states_in),
            own: own.clone(),
            orders,
            to_itself: orders_in.clone(),
        };
        let body = move || {
            // The receiver may be gone: then the client is as well.
            let _ = ended_in.send(supervisor::run(request, ends, started));
        };
        let spawned = std::thread::Builder::new().name("stream-client".to_owned()).spawn(body);
        let thread = spawned
            .map_err(|error| Error::stop(format!("cannot start a client's thread: {error}")).caused_by(error))?;
        let (ended, thread) = (Some(ended), Some(thread));
        Ok(Self { stop, orders: orders_in, own, states, metrics, queries, ended, thread })
    }

    /// Adds a stream thread, which joins the group: tasks move to it as the group decides. Returns its number. It waits
    /// until the thread is made. (Each thread has a client of the log with a fetch buffer, whose size the number of
    /// threads at the start decided: see [`Config::memory_bytes`].) An error of class stop where the client is ending,
    /// or has the most there can be.
    pub fn add_thread(&self) -> Result<usize> {
        let (told_in, told) = mpsc::channel();
        self.order(Order::Add(told_in), &told).unwrap_or_else(|| Err(ended()))
    }

    /// Ends the youngest stream thread: it commits, and leaves the group, which gives its tasks to others. Returns its
    /// number when it is done; `None` where there is none. A client may have no threads for a while: others have the
    /// tasks.
    pub fn remove_thread(&self) -> Option<usize> {
        let (told_in, told) = mpsc::channel();
        self.order(Order::Remove(told_in), &told).flatten()
    }

    /// `None` where the client has ended.
    fn order<T>(&self, order: Order, told: &mpsc::Receiver<T>) -> Option<T> {
        self.orders.send(order).ok().and_then(|()| told.recv().ok())
    }

    /// The state now, and a way to await changes.
    pub fn states(&self) -> watch::Receiver<State> {
        self.states.clone()
    }

    /// The counters now.
    pub fn metrics(&self) -> Snapshot {
        self.metrics.snapshot()
    }

    /// The counters by thread, task and store, as Prometheus reads them; the application's own can be added.
    pub fn exported_metrics(&self) -> Exported {
        self.metrics.exported().clone()
    }

    /// Asks the stores of the tasks that this instance has, from any thread: what is committed in them.
    pub fn queries(&self) -> Queries {
        self.queries.clone()
    }

    /// A store to be read from any thread: what is committed in it. An error where the graph has none of this name.
    pub fn store<K: Codec + ?Sized, V: Codec + ?Sized>(&self, store: &Store<K, V>) -> query::Result<KeyValue<K, V>> {
        self.queries.store(store)
    }

    /// Which instance of the application has which tasks, and where it can be asked
    /// ([`Config::advertised_address`]). It waits for the log.
    pub fn metadata(&self) -> query::Result<query::Metadata> {
        self.queries.metadata()
    }

    /// Asks for a clean end: the commit is finished, stores are closed, the group is left.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        // One that has ended needs no order.
        let _ = self.orders.send(Order::Stop);
    }

    /// Waits for the end: after [`Client::stop`], a bounded run's end, or an error that the engine cannot mend. Told
    /// once; later calls answer `Ok`. It may be dropped and called again.
    pub async fn closed(&mut self) -> Result<()> {
        let Some(ended) = &mut self.ended else { return Ok(()) };
        let result = ended.await;
        self.ended = None;
        result.unwrap_or_else(|_| Err(panicked()))
    }

    /// Asks for a clean end and waits for it, on whatever runtime this is. An error of class retry: it has not come
    /// after `timeout`, and is still on its way.
    pub async fn close(&mut self, timeout: Duration) -> Result<()> {
        self.stop();
        let late = Alarm::set(timeout)?;
        let (closed, late) = (pin!(self.closed()), pin!(late.rung()));
        match select(closed, late).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => {
                let text = format!("the client has not ended after {timeout:?}: it may be waiting for the log");
                Err(Error::new(Class::Retry, text))
            }
        }
    }

    /// As [`Client::closed`], for a thread that may block. An error of class stop, and the end is still to be told,
    /// where that thread is the client's own: a processor cannot wait for the end of what calls it.
    pub fn wait(&mut self) -> Result<()> {
        if self.own.is_caller() {
            return Err(Error::stop("the stream thread cannot wait for its own end: wait on another thread"));
        }
        self.join();
        // The thread has said it before it ended, or never will.
        let ended = self.ended.take().map(|mut ended| ended.try_recv());
        ended.map_or(Ok(()), |ended| ended.unwrap_or_else(|_| Err(panicked())))
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // What it has to say is in `ended`.
            let _ = thread.join();
        }
    }
}

/// Offsets name the stores that belong to them, and a broker takes only so much beside an offset.
fn check_store_count(topology: &Topology) -> Result<()> {
    for spec in &*topology.sub_topologies {
        let logged = spec.stores.iter().filter(|store| store.has_changelog);
        let size_bytes = Metadata::size_max_bytes(logged.map(|store| store.name.as_str()));
        if size_bytes > Metadata::SIZE_MAX_BYTES {
            let (name, count, size_max_bytes) = (&spec.name, spec.stores.len(), Metadata::SIZE_MAX_BYTES);
            return Err(Error::stop(format!(
                "sub-topology {name} has {count} stores: the marks that each offset carries for them can take {size_bytes} \
                 bytes, and brokers take {size_max_bytes}. Use fewer stores, or shorter names"
            )));
        }
    }
    Ok(())
}

/// Without RocksDB in this build, a store that is to lie there is refused before anything is made.
fn check_media(topology: &Topology, config: &Config) -> Result<()> {
    let mut stores = topology.sub_topologies.iter().flat_map(|spec| &spec.stores);
    match stores.find(|store| !store.medium.is_built()) {
        Some(store) if config.state_directory.is_some() => Err(Error::stop(store::Medium::missing(&store.name))),
        _ => Ok(()),
    }
}

/// Identity needs randomness that no two processes share; nothing that is processed depends on it.
#[allow(clippy::disallowed_methods, reason = "the one place where the engine asks for randomness")]
fn random() -> u64 {
    rand::random()
}

fn panicked() -> Error {
    Error::stop("the client ended without a word: its thread panicked")
}

fn ended() -> Error {
    Error::stop("the client has ended")
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop();
        // The last handle may go with a processor, on the thread itself, which ends without this.
        if !std::thread::panicking() && !self.own.is_caller() {
            self.join();
        }
    }
}
