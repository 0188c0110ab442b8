//! Stream threads that are added to a process while it runs, and removed from it.

use super::process::Process;
use super::{Blueprint, Instance};
use crate::simulator::stage::{Place, Stage, Who};

impl Blueprint {
    /// For how many stream threads a process has room: one more than it begins with.
    pub(super) fn seat_count(&self) -> usize {
        self.config.thread_count + 1
    }
}

impl Instance {
    pub(in crate::simulator) fn seat_count(&self) -> usize {
        self.blueprint.seat_count()
    }

    /// Adds a stream thread to the process that counts. False: there is no process, or no room.
    pub(in crate::simulator) fn add_thread(&self, stage: &Stage) -> bool {
        let added = self.change(stage, Process::add_thread, "is added");
        added.is_some_and(|number| {
            stage.wake_thread(self.place(), number);
            true
        })
    }

    /// Tells a stream thread of the process that counts to leave. False: there is no process, or none of its threads
    /// was to stay.
    pub(in crate::simulator) fn remove_thread(&self, stage: &Stage) -> bool {
        self.change(stage, Process::remove_thread, "is told to leave").is_some()
    }

    fn change(&self, stage: &Stage, change: impl FnOnce(&Process) -> Option<usize>, what: &str) -> Option<usize> {
        let process = self.process(self.current.get())?;
        let thread = change(&process)?;
        stage.note(Some(Who { thread, ..process.who }), || what.to_owned());
        Some(thread)
    }

    /// Whether the process that counts runs without a stream thread that is to stay.
    pub(in crate::simulator) fn lacks_threads(&self) -> bool {
        self.process(self.current.get()).is_some_and(|process| process.lacks_threads())
    }

    /// Whether a process has a thread of this number, or will have one.
    pub(in crate::simulator) fn has_thread(&self, place: Place, number: usize) -> bool {
        self.process(place.berth).is_some_and(|process| process.has_thread(number))
    }
}
