//! Binds, accepts, ends: on one thread, with an async runtime of its own.

use std::io;
use std::net::{SocketAddr, TcpListener as Socket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use topology::clock::{Clock, SystemClock};
use topology::log::Log;

use super::api;
use super::committed::Committed;
use super::connection::Patient;
use super::context::{self, Chain, Context};
use super::feed::{self, Feed, Topics};
use super::guard::Peer;
use super::lookup::Lookup;
use super::prove::Prover;
use super::quota::{Counted, Quota};

/// Connections at once; more wait until one ends.
const CONNECTIONS_MAX: usize = 512;
/// Of one address.
const OF_ONE_MAX: u64 = 384;
/// So long a request's head may take, and a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Threads for what blocks.
const BLOCKING_THREADS: usize = 8;
/// Answers under way at the end have so long.
const GRACE: Duration = Duration::from_secs(2);
/// After accepting failed: the machine may have no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a chain is served.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What the index of the last blocks may take, in bytes.
    pub index_bytes: usize,
}

/// An address that is bound, and not served yet.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: SocketAddr,
}

impl Listener {
    /// Binds an address; port 0 takes any that is free.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::bind(address)?;
        let address = socket.local_addr()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, address })
    }

    /// The address, with its port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A chain that is served. Dropped, it takes no more requests, and waits a moment for the answers under way.
#[derive(Debug)]
pub struct Server {
    ending: watch::Sender<bool>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Begins to serve.
    pub fn start<L: Log>(listener: Listener, chain: Chain<L>, options: Options) -> io::Result<Self> {
        let (ending, ended) = watch::channel(false);
        let stop = Arc::<AtomicBool>::default();
        let feed = Arc::new(Feed::new(options.index_bytes));
        let topics = Topics { blockchain: chain.blockchain.clone(), transactions: chain.transactions.clone() };
        let log = chain.log.clone();
        let follower = feed::follow(log.clone(), topics, Arc::clone(&feed), options.index_bytes, Arc::clone(&stop))?;
        let (lookup, reader) = Lookup::start(log.clone(), chain.blockchain.clone())?;
        let committed = Committed::new(chain.queries.clone());
        let (blockchain, genesis) = (chain.blockchain.clone(), chain.genesis.clone());
        let (prover, proving) =
            Prover::start(log, blockchain, genesis, (committed, Arc::clone(&feed)), Arc::clone(&stop))?;
        let (router, openapi) = api::router(chain.teller.is_some());
        let is_loopback = listener.address.ip().to_canonical().is_loopback();
        let context = Arc::new(Context::new(chain, feed, (lookup, prover), openapi, is_loopback, ended.clone()));
        let router = api::finish(router, context);
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
        let socket = {
            let _on_the_runtime = runtime.enter();
            TcpListener::from_std(listener.socket)?
        };
        let body = move || serve(runtime, socket, router, ended);
        let server = std::thread::Builder::new().name("cairn-http".to_owned()).spawn(body)?;
        Ok(Self { ending, stop, threads: vec![server, follower, reader, proving] })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The server may have ended by itself.
        let _ = self.ending.send(true);
        let clock = SystemClock::new();
        let deadline_ms = clock.monotonic_ms() + 2 * GRACE.as_millis() as i64;
        // One that waits for the log is left to itself.
        while self.threads.iter().any(|thread| !thread.is_finished()) && clock.monotonic_ms() < deadline_ms {
            clock.sleep(Duration::from_millis(5));
        }
    }
}

fn serve(runtime: Runtime, socket: TcpListener, router: Router, ended: watch::Receiver<bool>) {
    runtime.block_on(accept(socket, router, ended));
    // What still reads a store is not waited for any longer.
    runtime.shutdown_timeout(GRACE / 2);
}

async fn accept(socket: TcpListener, router: Router, mut ended: watch::Receiver<bool>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let quota = Quota::new(OF_ONE_MAX, CONNECTIONS_MAX as u64);
    let ending = ended.clone();
    loop {
        let next = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (permit, socket.accept().await)
        };
        tokio::select! {
            (permit, accepted) = next => match (permit, accepted) {
                // Above its quota a peer is left without an answer: to write one could take as long as it likes.
                (Ok(permit), Ok((stream, peer))) => {
                    if let Some(counted) = quota.take(peer.ip(), 1) {
                        let held = (permit, counted);
                        tokio::spawn(connection(stream, peer, router.clone(), ending.clone(), held));
                    }
                }
                (_, Err(error)) => {
                    tracing::debug!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                (Err(_), _) => return,
            },
            () = context::told(&mut ended) => break,
        }
    }
    drop(socket);
    // All permits are back when all connections are gone.
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(GRACE, connections.acquire_many(all)).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    mut ended: watch::Receiver<bool>,
    held: (OwnedSemaphorePermit, Counted),
) {
    // Events are small, and are to arrive when they happen.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router.layer(axum::Extension(Peer(peer.ip()))));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(Patient::new(stream)), service));
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = context::told(&mut ended) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!("a connection of {peer} ended: {error}");
    }
    drop(held);
}
