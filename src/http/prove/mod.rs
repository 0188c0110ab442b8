//! Proofs, made on a thread of its own, one after the other.
//!
//! ```text
//! mod        the thread, and how it is asked
//! making     a proof, put together
//! history    what it leads to
//! line       the headers of the chain, each linked to the one before: read once, and kept up
//! past       their hashes as a tree, in a byte for each block                               pure
//! standing   the state after one block, with its tree, for a few seconds
//! ```
//! ```text
//!   blockchain topic ──> line (history, slashes) ──┐
//!   one block of the topic ────────────────────────┼──> proof, checked as its reader will
//!   stores (committed) ──> standing (state tree) ──┘
//! ```
//! It begins to read when the first proof is asked for, and has no part in anything else: what is asked of it waits for it, and
//! nothing else does.

mod history;
mod line;
mod making;
mod past;
mod standing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use topology::log::Log;

use super::committed::Committed;
use super::feed::Feed;
use super::problem::{Problem, Result};
use crate::audit::prove::Question;
use crate::chain::{Genesis, Hash};
use making::Making;

/// Questions that may wait while one is being answered.
const WAITING: usize = 4;
/// Between two looks whether the server ends, while there is something to do.
const PAUSE: Duration = Duration::from_millis(500);

/// What is asked.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// A proof, as its file.
    Proof(Wanted),
    /// The checkpoint over so many blocks; `None`: over all there are.
    Checkpoint(Option<u64>),
    /// What shows that the history of the second size goes on from the one of the first; `None`: of all blocks there are.
    Consistency(u64, Option<u64>),
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

/// What was made.
#[derive(Clone, Debug)]
pub(super) enum Made {
    Proof(Vec<u8>),
    History {
        /// The number of blocks.
        size: u64,
        /// The root over their hashes.
        root: Hash,
        /// How the history goes on from an earlier one, if that was asked.
        path: Vec<Hash>,
    },
}

/// Asks the thread. It ends with the last of these.
#[derive(Clone)]
pub(super) struct Prover {
    questions: SyncSender<(Asked, oneshot::Sender<Result<Made>>)>,
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
        let (questions, asked) = mpsc::sync_channel::<(Asked, oneshot::Sender<Result<Made>>)>(WAITING);
        let body = move || {
            let mut making = Making::new(log, blockchain, genesis, committed, feed, Arc::clone(&stop));
            while !stop.load(Ordering::Relaxed) {
                // With nothing under way it sleeps until it is asked.
                let next = match making.is_idle() {
                    true => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    false => asked.recv_timeout(if making.is_behind() { Duration::ZERO } else { PAUSE }),
                };
                match next {
                    // The request may have been given up meanwhile.
                    Ok((_, reply)) if reply.is_closed() => {}
                    Ok((asked, reply)) => {
                        let _ = reply.send(making.answer(&asked));
                    }
                    Err(RecvTimeoutError::Timeout) => making.go_on(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let thread = std::thread::Builder::new().name("cairn-http-prove".to_owned()).spawn(body)?;
        Ok((Self { questions }, thread))
    }

    /// What was asked for.
    pub(super) async fn ask(&self, asked: Asked) -> Result<Made> {
        let ending = || Problem::unavailable("the program is ending");
        let (reply, answer) = oneshot::channel();
        self.questions.try_send((asked, reply)).map_err(|error| match error {
            TrySendError::Full(_) => {
                Problem::unavailable("proofs are made one after the other, and others wait already: ask again")
            }
            TrySendError::Disconnected(_) => ending(),
        })?;
        answer.await.map_err(|_| ending())?
    }
}
