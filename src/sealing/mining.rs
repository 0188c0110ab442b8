//! The search for proofs of work, off the stream thread.
//!
//! ```text
//!   stream thread                        mining threads
//!   search(puzzle) ─────────────────►    each takes the next stretch of numbers, again and again
//!   found()?  ◄── a proof ───────────    until one holds
//!   dropped   ─── stop ──────────────►   or no one waits for it any more: they end within a stretch
//!
//!   any thread
//!   Miners::stop ────────────────────►   all searches end, and none begins: the process is to end
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use topology::Error;

use crate::consensus::work::Puzzle;

/// How many numbers a thread tries before it looks whether it is still wanted: about a millisecond.
const STRETCH_COUNT: u64 = 4_096;
/// No proof.
const NOTHING: u64 = u64::MAX;

/// Who searches. Clones are the same.
#[derive(Clone, Debug)]
pub struct Miners {
    /// 0: the asking thread searches.
    thread_count: usize,
    are_stopped: Arc<AtomicBool>,
}

impl Miners {
    /// So many threads.
    #[must_use]
    pub fn new(thread_count: usize) -> Self {
        Self { thread_count: thread_count.max(1), are_stopped: Arc::default() }
    }

    /// No threads: the caller that begins a search waits for its end. For tests with a clock of their own.
    #[must_use]
    pub fn at_once() -> Self {
        Self { thread_count: 0, are_stopped: Arc::default() }
    }

    /// Ends all searches, within a stretch; one that is begun afterwards ends at once.
    pub(super) fn stop(&self) {
        self.are_stopped.store(true, Ordering::Relaxed);
    }

    /// Begins to search.
    pub(super) fn search(&self, puzzle: Puzzle) -> topology::Result<Search> {
        let shared = Arc::new(Shared {
            next: AtomicU64::new(0),
            found: AtomicU64::new(NOTHING),
            is_over: AtomicBool::new(false),
            are_stopped: Arc::clone(&self.are_stopped),
        });
        let search = Search(Arc::clone(&shared));
        let crew = Arc::new(Crew);
        if self.thread_count == 0 {
            shared.mine(&puzzle);
        }
        for number in 0..self.thread_count {
            let (shared, crew) = (Arc::clone(&shared), Arc::clone(&crew));
            let thread = std::thread::Builder::new().name(format!("cairn-mine-{number}"));
            thread
                .spawn(move || {
                    shared.mine(&puzzle);
                    drop(crew);
                })
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

/// The threads of a search: gone with the last of them. That is told, found or not, so that a log shows how soon a
/// search ends when the run is to end.
struct Crew;

impl Drop for Crew {
    fn drop(&mut self) {
        tracing::debug!("miners stopped");
    }
}

struct Shared {
    /// Where the next stretch begins.
    next: AtomicU64,
    found: AtomicU64,
    is_over: AtomicBool,
    /// Of all searches.
    are_stopped: Arc<AtomicBool>,
}

impl Shared {
    fn mine(&self, puzzle: &Puzzle) {
        let is_over = || self.is_over.load(Ordering::Relaxed) || self.are_stopped.load(Ordering::Relaxed);
        while !is_over() {
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
    fn stopped_miners_end_all_searches_though_these_are_kept_and_begin_no_other() {
        let miners = Miners::new(2);
        let searches = [(); 3].map(|()| miners.search(Puzzle::classic(100, u64::MAX)).unwrap());
        miners.clone().stop();
        for search in searches.into_iter().chain([miners.search(Puzzle::classic(100, u64::MAX)).unwrap()]) {
            while Arc::strong_count(&search.0) > 1 {
                std::thread::yield_now();
            }
            assert_eq!(search.found(), None);
        }
    }

    #[test]
    fn a_search_at_once_finds_the_first_proof() {
        assert_eq!(Miners::at_once().search(Puzzle::classic(100, 1 << 16)).unwrap().found(), Some(35_293));
    }
}
