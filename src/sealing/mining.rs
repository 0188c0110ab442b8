//! The search for proofs of work, off the stream thread.
//!
//! ```text
//!   stream thread                        mining threads
//!   search(puzzle) ─────────────────►    each takes the next stretch of numbers, again and again
//!   found()?  ◄── a proof ───────────    until one holds
//!   dropped   ─── stop ──────────────►   or no one waits for it any more: they end within a stretch
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use topology::Error;

use crate::consensus::work::Puzzle;

/// How many numbers a thread tries before it looks whether it is still wanted: about a millisecond.
const STRETCH_COUNT: u64 = 4_096;
/// No proof.
const NOTHING: u64 = u64::MAX;

/// Who searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miners {
    /// 0: the asking thread searches.
    thread_count: usize,
}

impl Miners {
    /// So many threads.
    #[must_use]
    pub fn new(thread_count: usize) -> Self {
        Self { thread_count: thread_count.max(1) }
    }

    /// No threads: the caller that begins a search waits for its end. For tests with a clock of their own.
    #[must_use]
    pub fn at_once() -> Self {
        Self { thread_count: 0 }
    }

    /// Begins to search.
    pub(super) fn search(self, puzzle: Puzzle) -> topology::Result<Search> {
        let shared = Arc::new(Shared {
            next: AtomicU64::new(0),
            found: AtomicU64::new(NOTHING),
            is_over: AtomicBool::new(false),
        });
        let search = Search(Arc::clone(&shared));
        if self.thread_count == 0 {
            shared.mine(&puzzle);
        }
        for number in 0..self.thread_count {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("cairn-mine-{number}"));
            thread
                .spawn(move || shared.mine(&puzzle))
                .map_err(|error| Error::stop(format!("cannot start a thread that mines: {error}")))?;
        }
        Ok(search)
    }
}

impl Default for Miners {
    /// As many threads as there are processors for this process.
    fn default() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }
}

/// A search that goes on for as long as this is kept.
pub(super) struct Search(Arc<Shared>);

impl Search {
    /// The proof, once there is one.
    pub(super) fn found(&self) -> Option<u64> {
        Some(self.0.found.load(Ordering::Acquire)).filter(|found| *found != NOTHING)
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        // The threads are not waited for: they end by themselves, and share nothing with anybody.
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

struct Shared {
    /// Where the next stretch begins.
    next: AtomicU64,
    found: AtomicU64,
    is_over: AtomicBool,
}

impl Shared {
    fn mine(&self, puzzle: &Puzzle) {
        while !self.is_over.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(STRETCH_COUNT, Ordering::Relaxed);
            if let Some(proof) = puzzle.search(first, STRETCH_COUNT) {
                self.found.fetch_min(proof, Ordering::AcqRel);
                self.is_over.store(true, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_threads_find_a_proof_that_holds_and_end_with_the_search() {
        let puzzle = Puzzle::classic(100, 1 << 16);
        let search = Miners::new(4).search(puzzle).unwrap();
        let proof = loop {
            match search.found() {
                Some(proof) => break proof,
                None => std::thread::yield_now(),
            }
        };
        assert!(puzzle.is_solved_by(proof));
        // No proof is easy enough to be found: only its end ends this search.
        let hopeless = Miners::new(2).search(Puzzle::classic(100, u64::MAX)).unwrap();
        let shared = Arc::clone(&hopeless.0);
        drop(hopeless);
        while Arc::strong_count(&shared) > 1 {
            std::thread::yield_now();
        }
        assert_eq!(shared.found.load(Ordering::Acquire), NOTHING);
    }

    #[test]
    fn a_search_at_once_finds_the_first_proof() {
        assert_eq!(Miners::at_once().search(Puzzle::classic(100, 1 << 16)).unwrap().found(), Some(35_293));
    }
}
