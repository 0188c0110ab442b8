//! Binds, accepts, ends: on one thread, with an async runtime of its own.

use std::io;
use std::net::{SocketAddr, TcpListener as Socket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;
use topology::clock::{Clock, SystemClock};
use topology::log::Log;

use super::api;
use super::committed::Committed;
use super::connection::Patient;
use super::context::{self, Chain, Context};
use super::ends;
use super::feed::{self, Feed};
use super::guard::{Hosts, Peer};
use super::lookup::Lookup;
use super::prove::Prover;
use super::room::{Place, Room};
use super::threads::Threads;

/// Connections at once; for one more, the address that has most gives its oldest. Three quarters are for one address.
const CONNECTIONS_MAX: usize = 512;
/// Of the files that the process may have open, stores and brokers keep as many times what connections may take.
const FILES_FOR_OTHERS: usize = 3;
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
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the index of the last blocks may take, in bytes.
    pub index_bytes: usize,
    /// Names by which requests may call the server, beside its addresses. Empty: on a loopback address none but those
    /// of this machine, else any.
    pub names: Vec<String>,
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
    threads: Threads,
}

impl Server {
    /// Begins to serve.
    pub fn start<L: Log>(listener: Listener, chain: Chain<L>, options: Options) -> io::Result<Self> {
        let (ending, ended) = watch::channel(false);
        let (stop, threads) = (Arc::<AtomicBool>::default(), Threads::default());
        // From here on: where something cannot be started, what was is ended by the drop.
        let server = Self { ending, stop: Arc::clone(&stop), threads: threads.clone() };
        let feed = Arc::new(Feed::new(options.index_bytes));
        let log = chain.log.clone();
        let (blockchain, transactions) = (chain.blockchain.clone(), chain.transactions.clone());
        let memory = options.index_bytes;
        threads.add(feed::follow(log.clone(), blockchain.clone(), Arc::clone(&feed), memory, Arc::clone(&stop))?);
        threads.add(ends::follow(log.clone(), transactions, Arc::clone(&feed), Arc::clone(&stop))?);
        let (lookup, reader) = Lookup::start(log.clone(), blockchain.clone())?;
        threads.add(reader);
        let committed = Committed::new(chain.queries.clone());
        let genesis = chain.genesis.clone();
        let (prover, proving) = Prover::start(log, blockchain, genesis, (committed, Arc::clone(&feed)), stop)?;
        threads.add(proving);
        let (router, openapi) = api::router(chain.teller.is_some());
        let is_loopback = listener.address.ip().to_canonical().is_loopback();
        let hosts = Hosts::new(is_loopback, options.names);
        let context =
            Arc::new(Context::new(chain, feed, (lookup, prover), openapi, hosts, (ended.clone(), threads.clone())));
        let router = api::finish(router, context);
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
        let socket = {
            let _on_the_runtime = runtime.enter();
            TcpListener::from_std(listener.socket)?
        };
        let body = move || serve(runtime, socket, router, ended);
        threads.add(std::thread::Builder::new().name("cairn-http".to_owned()).spawn(body)?);
        Ok(server)
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
        while !self.threads.all_ended() && clock.monotonic_ms() < deadline_ms {
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
    let of_all = connections_max(std::fs::read_to_string("/proc/self/limits").ok().as_deref());
    let room = Room::new(of_all / 4 * 3, of_all);
    let mut connections = JoinSet::new();
    let ending = ended.clone();
    loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    let place = room.enter(peer.ip());
                    connections.spawn(connection(stream, peer, router.clone(), ending.clone(), place));
                }
                Err(error) => {
                    tracing::debug!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            // What is left of those that are over.
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = context::told(&mut ended) => break,
        }
    }
    drop(socket);
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

/// How many connections there may be, by what the kernel says of this process (`/proc/self/limits`): where few files
/// may be open, a store must not fail to open one of its own because strangers are connected.
fn connections_max(limits: Option<&str>) -> usize {
    let line = limits.and_then(|limits| limits.lines().find_map(|line| line.strip_prefix("Max open files")));
    // `unlimited` is no number.
    let files: Option<usize> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    files.map_or(CONNECTIONS_MAX, |files| (files / (1 + FILES_FOR_OTHERS)).clamp(8, CONNECTIONS_MAX))
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    mut ended: watch::Receiver<bool>,
    mut place: Place,
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
        () = place.given_away() => {
            tracing::debug!("a connection of {peer} made room for another one");
            return;
        }
    };
    if let Err(error) = served {
        tracing::debug!("a connection of {peer} ended: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_most_of_the_files_that_may_be_open_to_others() {
        let max = |soft: &str| {
            let limits =
                format!("Limit  Soft Limit  Hard Limit  Units\nMax open files            {soft}  524288  files\n");
            connections_max(Some(&limits))
        };
        assert_eq!((max("1024"), max("65536"), max("unlimited"), max("16")), (256, 512, 512, 8));
        assert_eq!((connections_max(None), connections_max(Some("nothing"))), (512, 512));
    }
}
