//! What a listener hears, with the updater stepped by hand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::world::{TIMEOUT, TOPICS, World, empty_stores, producer, send_changelogs, writes};
use crate::log::Producer;
use crate::log::memory::MemoryLog;
use crate::store::Medium;
use crate::updater::turns::{Turn, Updater};
use crate::updater::{Handle, Listener, Outcome, Progress, SteppedUpdater, StoreProgress};

const STEP: Duration = Duration::from_millis(1);

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<(&'static str, String, u64)>>, Mutex<Vec<Option<Progress>>>);

impl Heard {
    fn note(&self, what: &'static str, store: &StoreProgress<'_>) {
        assert!(store.first <= store.position && store.position <= store.end, "{store:?}");
        self.0.lock().unwrap().push((what, store.changelog.topic.clone(), store.record_count));
    }

    /// What was heard of a changelog, in order; the same again and again counts once.
    fn of(&self, topic: &str) -> Vec<&'static str> {
        let heard = self.0.lock().unwrap();
        let mut words: Vec<_> = heard.iter().filter(|(_, of, _)| of == topic).map(|(what, ..)| *what).collect();
        words.dedup();
        words
    }
}

impl Listener for Heard {
    fn started(&self, store: &StoreProgress<'_>) {
        self.note("started", store);
    }

    fn advanced(&self, store: &StoreProgress<'_>) {
        self.note("advanced", store);
    }

    fn ended(&self, store: &StoreProgress<'_>) {
        self.note("ended", store);
    }

    fn suspended(&self, store: &StoreProgress<'_>) {
        self.note("suspended", store);
    }

    fn overall(&self, progress: Option<Progress>) {
        self.1.lock().unwrap().push(progress);
    }
}

fn updater(world: &World) -> (Updater<u32, MemoryLog>, Handle<u32>, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let (updater, handles) = Updater::new(world.log.clone(), Arc::new(world.clock.clone()), heard.clone());
    let handle = handles.handle().unwrap();
    (updater, handle, heard)
}

#[test]
fn a_listener_hears_of_each_store_that_it_started_advanced_and_ended_and_how_many_records_came() {
    let mut world = World::new([Medium::Memory, Medium::Memory]);
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 300));
    let (mut updater, handle, heard) = updater(&world);
    assert_eq!(updater.step(STEP), Turn::Idle);
    handle.submit(1, empty_stores(), world.plan(1_000)).unwrap();
    while updater.step(STEP) == Turn::Stepped {}
    let finished = handle.try_finished().unwrap().expect("it is restored");
    let Outcome::Restored(restored) = finished.outcome else { panic!("{:?}", finished.outcome) };
    for (store, topic) in TOPICS.iter().enumerate() {
        assert_eq!(heard.of(topic), ["started", "advanced", "ended"]);
        let last = heard.0.lock().unwrap().iter().rev().find(|(_, of, _)| of == topic).cloned();
        assert_eq!(last.unwrap().2, restored[store].records);
    }
    let overall = heard.1.lock().unwrap();
    assert_eq!((overall.first().unwrap().is_some(), overall.last().unwrap()), (true, &None));
    let left: Vec<u64> = overall.iter().flatten().map(|progress| progress.remaining).collect();
    assert!(left.is_sorted_by(|before, after| before >= after), "{left:?}");
}

#[test]
fn a_listener_hears_that_a_restore_that_is_cancelled_is_suspended() {
    let mut world = World::new([Medium::Memory, Medium::Memory]);
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 10));
    // An open transaction in both keeps the restore waiting.
    let mut other = producer(&world.log, "somebody else");
    for store in 0..2 {
        stores.put(store, b"undecided", b"value").unwrap();
    }
    other.begin().unwrap();
    send_changelogs(&mut other, &mut stores);
    other.flush(TIMEOUT).unwrap();
    let (mut updater, handle, heard) = updater(&world);
    handle.submit(1, empty_stores(), world.plan(1_000)).unwrap();
    while TOPICS.iter().any(|topic| !heard.of(topic).contains(&"advanced")) {
        assert_eq!(updater.step(STEP), Turn::Stepped);
    }
    handle.cancel(1).unwrap();
    assert_eq!(updater.step(STEP), Turn::Idle);
    assert!(matches!(handle.try_finished().unwrap().unwrap().outcome, Outcome::Cancelled));
    for topic in TOPICS {
        assert_eq!(heard.of(topic), ["started", "advanced", "suspended"]);
    }
    assert_eq!(heard.1.lock().unwrap().last(), Some(&None));
}

#[test]
fn without_a_thread_a_handle_that_is_closed_gets_its_stores_back_at_once() {
    let world = World::new([Medium::Memory, Medium::Memory]);
    let updater = SteppedUpdater::new(world.log.clone(), Arc::new(world.clock.clone()), Arc::new(Heard::default()));
    let [handle, other] = [updater.handle().unwrap(), updater.handle().unwrap()];
    handle.submit(1, empty_stores(), world.plan(1_000)).unwrap();
    other.submit(1, empty_stores(), world.plan(1_000)).unwrap();
    let closed = handle.close();
    assert_eq!(closed.iter().map(|finished| finished.task).collect::<Vec<_>>(), [1]);
    while updater.step() == Turn::Stepped {}
    assert!(matches!(other.try_finished().unwrap().unwrap().outcome, Outcome::Restored(_)));
}
