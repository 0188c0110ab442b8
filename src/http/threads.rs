//! The server's threads, and which of them have ended though nobody ended the server.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::context::lock;

/// Threads that run as long as the server does. One that panicked has said so on stderr; no other does its work.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Threads {
    pub(super) fn add(&self, thread: JoinHandle<()>) {
        lock(&self.0).push(thread);
    }

    /// The names of those that have ended.
    pub(super) fn ended(&self) -> Vec<String> {
        let threads = lock(&self.0);
        let ended = threads.iter().filter(|thread| thread.is_finished());
        ended.map(|thread| thread.thread().name().unwrap_or_default().to_owned()).collect()
    }

    /// Whether all of them have.
    pub(super) fn all_ended(&self) -> bool {
        lock(&self.0).iter().all(JoinHandle::is_finished)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread::Builder;

    use super::*;

    #[test]
    fn one_that_panicked_is_named_and_the_others_run() {
        let threads = Threads::default();
        let (stop, stopped) = channel::<()>();
        let waits = move || stopped.recv().unwrap_or_default();
        threads.add(Builder::new().name("waits".to_owned()).spawn(waits).unwrap());
        threads.add(Builder::new().name("panics".to_owned()).spawn(|| panic!("as it should")).unwrap());
        while threads.ended().is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(threads.ended(), ["panics"]);
        assert!(!threads.all_ended());
        drop(stop);
        while !threads.all_ended() {
            std::thread::yield_now();
        }
    }
}
