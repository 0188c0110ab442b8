//! The thread that folds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use super::folder::Folder;
use crate::store::error::{Error, Kind, Result};
use crate::store::locked;

/// Steps a folder whenever there is work; ends when dropped.
pub(super) struct FolderThread {
    folder: Arc<Folder>,
    thread: Option<JoinHandle<()>>,
}

impl FolderThread {
    pub(super) fn start(folder: Arc<Folder>) -> Result<Self> {
        let stepped = Arc::clone(&folder);
        let spawned = std::thread::Builder::new().name("store-folder".to_owned()).spawn(move || run(&stepped));
        let thread = spawned.map_err(|error| {
            Error::new(Kind::Io, format!("cannot start the thread that writes stores: {error}; allow more threads"))
        })?;
        Ok(Self { folder, thread: Some(thread) })
    }
}

impl Drop for FolderThread {
    fn drop(&mut self) {
        locked(self.folder.signal()).must_stop = true;
        self.folder.wake.notify_one();
        // A panic in it was reported where it happened, and to every commit since.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn run(folder: &Folder) {
    while wait_for_work(folder) {
        loop {
            match catch_unwind(AssertUnwindSafe(|| folder.step())) {
                Ok(true) => folder.tell_room(),
                Ok(false) => break,
                Err(_) => return folder.tell_dead(),
            }
            if locked(folder.signal()).must_stop {
                return;
            }
        }
        folder.tell_room();
    }
}

/// False: there will be no more.
fn wait_for_work(folder: &Folder) -> bool {
    let signal = folder.wake.wait_while(locked(folder.signal()), |signal| !signal.has_work && !signal.must_stop);
    let mut signal = signal.unwrap_or_else(PoisonError::into_inner);
    signal.has_work = false;
    !signal.must_stop
}
