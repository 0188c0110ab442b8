//! Who plays soon, because something happened.

use super::{Actor, BERTH_COUNT, Entry, Late, Place, Stage};

impl Stage {
    pub(super) fn wake(&self, actor: Actor, due_ms: i64) {
        for entry in self.entries.iter().filter(|entry| entry.actor == actor) {
            entry.due_ms.set(entry.due_ms.get().min(due_ms));
        }
    }

    /// The stream threads of a process play soon.
    fn wake_threads(&self, place: Place, delay_ms: i64) {
        let instance = &self.instances[place.instance];
        let is_of = |entry: &&Entry| match entry.actor {
            Actor::Thread(of, number) => of == place && instance.has_thread(place, number),
            _ => false,
        };
        for entry in self.entries.iter().filter(|entry| !entry.is_busy.get()).filter(is_of) {
            entry.due_ms.set(entry.due_ms.get().min(self.now_ms() + delay_ms));
        }
    }

    /// A process has started.
    pub(in crate::simulator) fn wake_place(&self, place: Place) {
        self.wake_threads(place, 0);
        for actor in [Actor::Updater(place), Actor::Folder(place), Actor::Planner(place)] {
            self.wake(actor, self.now_ms());
        }
    }

    /// A stream thread was added.
    pub(in crate::simulator) fn wake_thread(&self, place: Place, number: usize) {
        self.wake(Actor::Thread(place, number), self.now_ms());
    }

    pub(in crate::simulator) fn wake_updater(&self, place: Place) {
        self.wake(Actor::Updater(place), self.now_ms() + 1);
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
        let places =
            (0..self.instances.len()).flat_map(|instance| (0..BERTH_COUNT).map(move |berth| Place { instance, berth }));
        for place in places.filter(|place| self.instances[place.instance].runs(place.berth)) {
            self.stir_one(place, self.random(|random| random.within(0..5)));
        }
    }

    /// As [`Stage::stir`], for one process, so much later.
    pub(in crate::simulator) fn stir_one(&self, place: Place, delay_ms: i64) {
        self.wake_threads(place, delay_ms);
    }
}
