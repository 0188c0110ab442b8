//! Who plays soon, because something happened.

use super::{Actor, Entry, Late, Stage};

impl Stage {
    pub(super) fn wake(&self, actor: Actor, due_ms: i64) {
        for entry in self.entries.iter().filter(|entry| entry.actor == actor) {
            entry.due_ms.set(entry.due_ms.get().min(due_ms));
        }
    }

    /// The stream threads of an instance play soon.
    pub(super) fn wake_threads(&self, index: usize, delay_ms: i64) {
        let is_of = |entry: &&Entry| matches!(entry.actor, Actor::Thread(of, _) if of == index);
        for entry in self.entries.iter().filter(is_of).filter(|entry| !entry.is_busy.get()) {
            entry.due_ms.set(entry.due_ms.get().min(self.now_ms() + delay_ms));
        }
    }

    /// An instance has started.
    pub(in crate::simulator) fn wake_instance(&self, index: usize) {
        self.wake_threads(index, 0);
        for actor in [Actor::Updater(index), Actor::Folder(index)] {
            self.wake(actor, self.now_ms());
        }
    }

    pub(in crate::simulator) fn wake_updater(&self, index: usize) {
        self.wake(Actor::Updater(index), self.now_ms() + 1);
    }

    pub(in crate::simulator) fn wake_all_others(&self) {
        for actor in [Actor::Writer, Actor::Mishaps] {
            self.wake(actor, self.now_ms());
        }
    }

    /// Something will arrive at the log.
    pub(in crate::simulator) fn send_late(&self, late: Late) {
        self.wake(Actor::Network, late.due_ms);
        self.late.borrow_mut().push(late);
    }

    /// There is something new in the log: those who wait for it hear of it.
    pub(in crate::simulator) fn stir(&self) {
        for index in 0..self.instances.len() {
            self.stir_one(index, self.random(|random| random.within(0..5)));
        }
    }

    /// As [`Stage::stir`], for one instance, so much later.
    pub(in crate::simulator) fn stir_one(&self, index: usize, delay_ms: i64) {
        if self.instances[index].is_alive() {
            self.wake_threads(index, delay_ms);
        }
    }
}
