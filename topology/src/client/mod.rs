//! Running a topology: topics, state directory, stream thread, state, metrics, shutdown.
//!
//! ```text
//! topics   created before anything runs; existing ones are checked
//! alarm    a deadline for async code, on any runtime
//! thread   the OS thread around a stream thread
//! ```
//! May use all the crate but `test_driver`. The one part that may be used from async code: start, state and the end of the run
//! can be awaited.

mod alarm;
#[cfg(test)]
mod tests;
mod thread;
mod topics;

pub use crate::stream_thread::Config;
pub use crate::updater::{Listener as RestoreListener, Progress as RestoreProgress, StoreProgress};
pub use thread::State;
pub use topics::internal_topics;
pub(crate) use topics::resolve_as_far_as_there;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use alarm::Alarm;
use futures::future::{Either, select};
use tokio::sync::{oneshot, watch};

use crate::error::{Class, Error, Result};
use crate::graph::Topology;
use crate::log::Log;
use crate::metrics::{Metrics, Snapshot};
use crate::stream_thread::THREAD;
use crate::task::Metadata;

/// A topology that runs on a thread of its own.
///
/// ```text
///                sync                       async
/// the start      start_blocking(..)         start(..).await
/// the end        wait()                     closed().await
/// a clean end    stop(), then wait()        close(timeout).await
/// ```
/// Dropping it asks for a clean end and waits for it, so that no thread is left behind: async code closes it before. Where
/// a panic drops it, it is asked and not waited for.
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
    states: watch::Receiver<State>,
    metrics: Arc<Metrics>,
    /// `None` once the end was told.
    ended: Option<oneshot::Receiver<Result<()>>>,
    /// `None` once it is joined.
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Checks and creates topics, opens the state directory, and starts the stream thread; resolves when it runs, on whatever runtime
    /// this is. (How far it is then, [`Client::states`] tells: it joins its group next.) Errors are one line that says what to do: no
    /// broker there, a topic with the wrong partitions or cleanup policy, a state directory in use.
    ///
    /// It may take seconds, for it asks the log. To drop it before it resolves is to drop the client: that waits for the thread, which
    /// gives up when the question under way is answered, or has failed after [`Config::request_timeout_ms`].
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

    /// Has a thread begin, which tells once how its start went.
    fn spawn<L: Log>(
        topology: &Topology,
        log: L,
        config: Config,
        started: impl FnOnce(Result<()>) + Send + 'static,
    ) -> Result<Self> {
        config.check()?;
        check_store_count(topology)?;
        let stop = Arc::new(AtomicBool::new(false));
        let metrics = Arc::new(Metrics::default());
        let (states_in, states) = watch::channel(State::Created);
        let (ended_in, ended) = oneshot::channel();
        let parts = thread::Parts {
            topology: topology.clone(),
            log,
            metrics: Arc::clone(&metrics),
            stop: Arc::clone(&stop),
            states: states_in,
        };
        let body = move || {
            // The receiver may be gone: nobody waits for the end any more.
            let _ = ended_in.send(thread::run(config, parts, started));
        };
        let spawned = std::thread::Builder::new().name(format!("stream-{THREAD}")).spawn(body);
        let thread =
            spawned.map_err(|error| Error::stop(format!("cannot start a stream thread: {error}")).caused_by(error))?;
        Ok(Self { stop, states, metrics, ended: Some(ended), thread: Some(thread) })
    }

    /// The state now, and a way to await changes.
    pub fn states(&self) -> watch::Receiver<State> {
        self.states.clone()
    }

    /// The counters now.
    pub fn metrics(&self) -> Snapshot {
        self.metrics.snapshot()
    }

    /// Asks for a clean end: the commit is finished, stores are closed, the group is left.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Waits for the end: after [`Client::stop`], a bounded run's end, or an error that the engine cannot mend. Told once; later
    /// calls answer `Ok`. It may be dropped and called again.
    pub async fn closed(&mut self) -> Result<()> {
        let Some(ended) = &mut self.ended else { return Ok(()) };
        let result = ended.await;
        self.ended = None;
        result.unwrap_or_else(|_| Err(panicked()))
    }

    /// Asks for a clean end and waits for it, on whatever runtime this is. An error of class retry: it has not come after
    /// `timeout`, and is still on its way.
    pub async fn close(&mut self, timeout: Duration) -> Result<()> {
        self.stop();
        let late = Alarm::set(timeout)?;
        let (closed, late) = (pin!(self.closed()), pin!(late.rung()));
        match select(closed, late).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => {
                let text = format!("the stream thread has not ended after {timeout:?}: it may be waiting for the log");
                Err(Error::new(Class::Retry, text))
            }
        }
    }

    /// As [`Client::closed`], for a thread that may block. An error of class stop, and the end is still to be told, where that
    /// thread is the client's own: a processor cannot wait for the end of what calls it.
    pub fn wait(&mut self) -> Result<()> {
        if self.is_own_thread() {
            return Err(Error::stop("the stream thread cannot wait for its own end: wait on another thread"));
        }
        self.join();
        // The thread has said it before it ended, or never will.
        let ended = self.ended.take().map(|mut ended| ended.try_recv());
        ended.map_or(Ok(()), |ended| ended.unwrap_or_else(|_| Err(panicked())))
    }

    fn is_own_thread(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id())
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

/// Identity needs randomness that no two processes share; nothing that is processed depends on it.
#[allow(clippy::disallowed_methods, reason = "the one place where the engine asks for randomness")]
fn random() -> u64 {
    rand::random()
}

fn panicked() -> Error {
    Error::stop("the stream thread ended without a word: it panicked")
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop();
        // The last handle may go with a processor, on the thread itself, which ends without this.
        if !std::thread::panicking() && !self.is_own_thread() {
            self.join();
        }
    }
}
