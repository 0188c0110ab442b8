//! Proofs, made on a thread of its own, one after the other.
//!
//! ```text
//! mod        the thread, and how it is asked
//! maker      a proof, put together
//! follow     the same of a state that is not at hand
//! budget     how much of its time it spends on what is dear                         pure
//! history    what it leads to
//! headers    the headers of the chain, each linked to the one before: read once, and kept up
//! hash_tree  their hashes as a tree, in a byte for each block                               pure
//! state_at   the state after one block, with its tree, for a few seconds
//! ```
//! ```text
//!   blockchain topic ──> headers (history, slashes) ──┐
//!   one block of the topic ───────────────────────────┼──> proof, checked as its reader will
//!   stores (committed) ──> state_at (state tree) ─────┘
//! ```
//! It begins to read when the first proof is asked for, and has no part in anything else: what is asked of it waits for
//! it, and nothing else does.

mod budget;
mod follow;
mod hash_tree;
mod headers;
mod history;
mod maker;
mod state_at;

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::oneshot;
use topology::log::Log;

use super::committed::Committed;
use super::feed::Feed;
use super::problem::{Problem, Result};
use super::quota::Quota;
use crate::audit::prove::Question;
use crate::chain::{Genesis, Hash};
use maker::Maker;

/// Questions that may wait while one is being answered.
const WAITING: usize = 4;
/// Between two looks whether the server ends, while there is something to do.
const PAUSE: Duration = Duration::from_millis(500);

/// What the thread can be asked.
pub(super) trait Answers {
    /// A proof, as its file.
    fn proof(&mut self, wanted: &Wanted) -> Result<Vec<u8>>;

    /// The history of so many blocks; `None`: of all there are.
    fn history(&mut self, size: Option<u64>) -> Result<Top>;

    /// The history of so many blocks, as above, and what shows that it goes on from the one of the first `old_size`.
    fn consistency(&mut self, old_size: u64, size: Option<u64>) -> Result<(Top, Vec<Hash>)>;
}

/// Which proof.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) question: Question,
    /// The block that has what is asked for, where that is known.
    pub(super) block: Option<u64>,
    /// After which block; `None`: the last one that the history has.
    pub(super) at_height: Option<u64>,
    /// How many blocks the history has; `None`: all there are.
    pub(super) size: Option<u64>,
    pub(super) with_seal: bool,
}

/// What a history comes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Top {
    /// The number of blocks.
    pub(super) size: u64,
    /// The root over their hashes.
    pub(super) root: Hash,
}

/// Asks, and tells whoever waits for it. The request may have been given up meanwhile: then nothing is asked.
type Job = Box<dyn FnOnce(&mut dyn Answers) + Send>;

/// Asks the thread. It ends with the last of these.
#[derive(Clone)]
pub(super) struct Prover {
    questions: SyncSender<Job>,
    /// Questions that wait or are being answered: one address leaves a place for others.
    places: Quota,
    stop: Arc<AtomicBool>,
}

impl Prover {
    /// Starts the thread.
    pub(super) fn start<L: Log>(
        log: L,
        blockchain: String,
        genesis: Genesis,
        (committed, feed): (Committed, Arc<Feed>),
        stop: Arc<AtomicBool>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (questions, asked) = mpsc::sync_channel::<Job>(WAITING);
        let ends = Arc::clone(&stop);
        let body = move || {
            let begin = || {
                let (log, blockchain, genesis) = (log.clone(), blockchain.clone(), genesis.clone());
                Maker::new(log, blockchain, genesis, (committed.clone(), Arc::clone(&feed)), Arc::clone(&ends))
            };
            let mut maker = begin();
            while !ends.load(Ordering::Relaxed) {
                // With nothing under way it sleeps until it is asked.
                let next = match maker.is_idle() {
                    true => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    false => asked.recv_timeout(if maker.is_behind() { Duration::ZERO } else { PAUSE }),
                };
                let work = || match next {
                    Ok(job) => {
                        job(&mut maker);
                        ControlFlow::Continue(())
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        maker.go_on();
                        ControlFlow::Continue(())
                    }
                    Err(RecvTimeoutError::Disconnected) => ControlFlow::Break(()),
                };
                // A fault in one answer is no end of all others; what it left behind is thrown away.
                match std::panic::catch_unwind(AssertUnwindSafe(work)) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => return,
                    Err(_) => maker = begin(),
                }
            }
        };
        let thread = std::thread::Builder::new().name("cairn-http-prove".to_owned()).spawn(body)?;
        let places = Quota::new(WAITING as u64, WAITING as u64 + 1);
        Ok((Self { questions, places, stop }, thread))
    }

    /// What the thread answers to this address.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        peer: IpAddr,
        ask: impl FnOnce(&mut dyn Answers) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let ending = || Problem::unavailable("the program is ending");
        let busy = || Problem::unavailable("proofs are made one after the other, and others wait already: ask again");
        let place = self.places.take(peer, 1).ok_or_else(busy)?;
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |answers| {
            let _place = place;
            if !reply.is_closed() {
                let _ = reply.send(ask(answers));
            }
        });
        self.questions.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => busy(),
            TrySendError::Disconnected(_) => ending(),
        })?;
        answer.await.map_err(|_| match self.stop.load(Ordering::Relaxed) {
            true => ending(),
            false => Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "a fault in this server kept the proof from being made: its log says more; cairn prove may make it",
            ),
        })?
    }
}
