//! How far one thread may be ahead of another: a queue between the two that is bounded in bytes.
//!
//! ```text
//!   reading thread ──push──> [ at most so many bytes ] ──next──> the thread that executes
//! ```
//! An item larger than the bound passes when nothing else is there, so nothing is too large. Either side ends the queue
//! by being dropped: the reader then finds it empty, the writer is told that no more is taken.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A queue of items that hold at most about `size_bytes_max` bytes of memory together.
pub(super) fn queue<T>(size_bytes_max: usize) -> (Front<T>, Back<T>) {
    let state = Mutex::new(State { items: VecDeque::new(), size_bytes: 0, is_over: false });
    let shared = Arc::new(Channel { state, changed: Condvar::new(), size_bytes_max });
    (Front(Arc::clone(&shared)), Back(shared))
}

/// The side that puts items in.
pub(super) struct Front<T>(Arc<Channel<T>>);

/// The side that takes items out.
pub(super) struct Back<T>(Arc<Channel<T>>);

struct Channel<T> {
    state: Mutex<State<T>>,
    /// At most one thread waits at a time: the front for room, or the back for an item.
    changed: Condvar,
    size_bytes_max: usize,
}

struct State<T> {
    /// In order, each with what it holds in bytes.
    items: VecDeque<(T, usize)>,
    size_bytes: usize,
    /// One of the two sides is gone.
    is_over: bool,
}

impl<T> Front<T> {
    /// Waits until there is room for an item of so many bytes. False: no more is taken.
    #[must_use]
    pub(super) fn push(&self, item: T, size_bytes: usize) -> bool {
        let mut state = self.0.lock();
        while !state.is_over
            && !state.items.is_empty()
            && state.size_bytes.saturating_add(size_bytes) > self.0.size_bytes_max
        {
            state = self.0.wait(state);
        }
        if state.is_over {
            return false;
        }
        state.items.push_back((item, size_bytes));
        state.size_bytes = state.size_bytes.saturating_add(size_bytes);
        self.0.changed.notify_one();
        true
    }
}

impl<T> Back<T> {
    /// The next item, once there is one. `None`: none will come.
    pub(super) fn next(&self) -> Option<T> {
        let mut state = self.0.lock();
        loop {
            if let Some((item, size_bytes)) = state.items.pop_front() {
                state.size_bytes = state.size_bytes.saturating_sub(size_bytes);
                self.0.changed.notify_one();
                return Some(item);
            }
            if state.is_over {
                return None;
            }
            state = self.0.wait(state);
        }
    }

    /// Takes no more than what is there already: from now on the front is told that no more is taken.
    pub(super) fn close(&self) {
        self.0.end();
    }
}

impl<T> Channel<T> {
    /// Nothing panics while the lock is held, so the state is whole whichever thread held it last.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State<T>>) -> MutexGuard<'s, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_one();
    }
}

impl<T> Drop for Front<T> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<T> Drop for Back<T> {
    fn drop(&mut self) {
        self.0.end();
        // What will not be taken need not wait for the other side to end.
        self.0.lock().items.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_in_order_and_never_hold_more_than_the_bound() {
        const SIZE_BYTES_MAX: usize = 100;
        let (front, back) = queue(SIZE_BYTES_MAX);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..10_000_usize {
                    let size_bytes = number % 60;
                    assert!(front.push((number, size_bytes), size_bytes));
                }
            });
            for expected in 0..10_000 {
                {
                    let state = back.0.lock();
                    assert!(state.size_bytes <= SIZE_BYTES_MAX, "{}", state.size_bytes);
                    assert_eq!(state.items.iter().map(|(_, size_bytes)| size_bytes).sum::<usize>(), state.size_bytes);
                }
                assert_eq!(back.next(), Some((expected, expected % 60)));
            }
            assert_eq!(back.next(), None, "the front is gone");
        });
    }

    #[test]
    fn an_item_larger_than_the_bound_passes_alone() {
        let (front, back) = queue(10);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for size_bytes in [1_000, 5, 1_000, usize::MAX] {
                    assert!(front.push(size_bytes, size_bytes));
                }
            });
            for expected in [1_000, 5, 1_000, usize::MAX] {
                assert_eq!(back.next(), Some(expected));
            }
            assert_eq!(back.next(), None);
        });
    }

    #[test]
    fn what_is_there_when_the_queue_is_closed_is_taken_and_nothing_else() {
        let (front, back) = queue(10);
        assert!(front.push(1, 5) && front.push(2, 5));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| front.push(3, 5));
            back.close();
            assert!(!waiting.join().unwrap());
        });
        assert_eq!((back.next(), back.next(), back.next()), (Some(1), Some(2), None));
    }

    #[test]
    fn a_writer_that_waits_for_room_is_told_that_the_other_side_is_gone() {
        let (front, back) = queue(10);
        assert!(front.push((), 10));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(move || front.push((), 10));
            drop(back);
            assert!(!waiting.join().unwrap());
        });
    }
}
