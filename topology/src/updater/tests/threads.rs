//! Restores on their thread.

use std::sync::Arc;
use std::time::Duration;

use super::world::{TIMEOUT, World, empty_stores, producer, records, send_changelogs, writes};
use crate::log::Producer;
use crate::store::Medium;
use crate::updater::{Outcome, UpdaterThread};

const WAIT: Duration = Duration::from_secs(20);

fn thread(world: &World) -> UpdaterThread<u32> {
    UpdaterThread::start("updater", world.log.clone(), Arc::new(world.clock.clone()), None).unwrap()
}

#[cfg(feature = "rocksdb")]
#[test]
fn stores_of_many_tasks_come_back_whole() {
    let mut world = World::new([Medium::RocksDb, Medium::Memory]);
    let mut stores = world.up();
    for round in 0..20 {
        world.commit(&mut stores, &writes(round, 100));
    }
    stores.close().unwrap();
    let thread = thread(&world);
    let handle = thread.handle().unwrap();
    for task in 0..10 {
        handle.submit(task, empty_stores(), world.plan(1_000)).unwrap();
    }
    handle.submit(10, world.open(), world.plan(1_000)).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 11 {
        let mut finished = handle.wait_finished(WAIT).expect("a task was not restored in time");
        let Outcome::Restored(restored) = &finished.outcome else { panic!("{:?}", finished.outcome) };
        assert_eq!(records(restored)[0] == 0, finished.task == 10, "what was on the disk is not read again");
        world.check(&mut finished.stores);
        seen.push(finished.task);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..11).collect::<Vec<_>>());
    assert!(handle.close().is_empty());
}

#[test]
fn a_failure_gives_the_stores_back_with_its_reason() {
    let world = World::new([Medium::Memory, Medium::Memory]);
    let thread = thread(&world);
    let handle = thread.handle().unwrap();
    let mut plan = world.plan(1_000);
    plan.changelogs.pop();
    handle.submit(1, empty_stores(), plan).unwrap();
    let finished = handle.wait_finished(WAIT).unwrap();
    let Outcome::Failed(error) = finished.outcome else { panic!("{:?}", finished.outcome) };
    assert!(error.to_string().contains("a task with 2 stores was given 1 changelogs"), "{error}");
    handle.submit(1, finished.stores, world.plan(1_000)).unwrap();
    assert!(matches!(handle.wait_finished(WAIT).unwrap().outcome, Outcome::Restored(_)));
}

#[test]
fn cancelling_and_closing_give_the_stores_back() {
    let mut world = World::new([Medium::Memory, Medium::Memory]);
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 10));
    // An open transaction keeps the restores waiting.
    let mut other = producer(&world.log, "somebody else");
    stores.put(0, b"undecided", b"value").unwrap();
    other.begin().unwrap();
    send_changelogs(&mut other, &mut stores);
    other.flush(TIMEOUT).unwrap();
    let thread = thread(&world);
    let handle = thread.handle().unwrap();
    for task in 0..6 {
        handle.submit(task, empty_stores(), world.plan(1_000)).unwrap();
    }
    handle.cancel(2).unwrap();
    let finished = handle.wait_finished(WAIT).unwrap();
    assert!(finished.task == 2 && matches!(finished.outcome, Outcome::Cancelled), "{finished:?}");
    let mut rest = handle.close();
    rest.sort_unstable_by_key(|finished| finished.task);
    assert_eq!(rest.iter().map(|finished| finished.task).collect::<Vec<_>>(), [0, 1, 3, 4, 5]);
    assert!(rest.iter().all(|finished| matches!(finished.outcome, Outcome::Cancelled)));
}

#[test]
fn handles_of_several_stream_threads_get_their_own_stores_back_and_no_others() {
    let mut world = World::new([Medium::Memory, Medium::Memory]);
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 10));
    let thread = thread(&world);
    let handles = [thread.handle().unwrap(), thread.handle().unwrap()];
    // Names are the handle's own: both have a task 1.
    for handle in &handles {
        handle.submit(1, empty_stores(), world.plan(1_000)).unwrap();
    }
    for handle in &handles {
        let mut finished = handle.wait_finished(WAIT).expect("it is restored");
        world.check(&mut finished.stores);
        assert!(handle.try_finished().unwrap().is_none());
    }
    let [first, second] = handles;
    assert!(first.close().is_empty());
    second.submit(2, empty_stores(), world.plan(1_000)).unwrap();
    assert!(
        matches!(second.wait_finished(WAIT).unwrap().outcome, Outcome::Restored(_)),
        "it goes on without the first"
    );
    second.submit(3, empty_stores(), world.plan(1_000)).unwrap();
    drop(thread);
    assert!(second.wait_finished(WAIT).is_some(), "what it had comes back, finished or not");
    assert!(second.try_finished().is_err() && second.submit(4, empty_stores(), world.plan(1)).is_err());
}

#[test]
fn an_updater_that_waits_for_requests_ends_when_it_is_dropped() {
    let world = World::new([Medium::Memory, Medium::Memory]);
    for _ in 0..20 {
        let thread = thread(&world);
        let handle = thread.handle().unwrap();
        handle.submit(1, empty_stores(), world.plan(1_000)).unwrap();
        handle.wait_finished(WAIT).unwrap();
        // It has nothing to do now, and waits for good, or is about to.
        drop(thread);
        assert!(handle.try_finished().is_err());
    }
}
