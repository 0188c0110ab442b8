//! Restores on their thread.

use std::sync::Arc;
use std::time::Duration;

use super::world::{FINGERPRINT, TIMEOUT, World, producer, records, send_changelogs, writes};
use crate::log::Producer;
use crate::restore::{Outcome, RestoreThread};
use crate::store::{Medium, Options, Resources, Spec, Stores};

const WAIT: Duration = Duration::from_secs(20);

fn thread(world: &World) -> RestoreThread<u32> {
    RestoreThread::start("restore", world.log.clone(), Arc::new(world.clock.clone())).unwrap()
}

fn empty_stores() -> Stores {
    let specs = vec![Spec::new("a", Medium::Memory).unwrap(), Spec::new("b", Medium::Memory).unwrap()];
    Stores::in_memory(specs, FINGERPRINT, &Resources::without_thread(Options::default())).unwrap()
}

#[test]
fn stores_of_many_tasks_come_back_whole() {
    let mut world = World::new([Medium::RocksDb, Medium::Memory]);
    let mut stores = world.up();
    for round in 0..20 {
        world.commit(&mut stores, &writes(round, 100));
    }
    stores.close().unwrap();
    let thread = thread(&world);
    for task in 0..10 {
        thread.submit(task, empty_stores(), world.plan(1_000)).unwrap();
    }
    thread.submit(10, world.open(), world.plan(1_000)).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 11 {
        let mut finished = thread.wait_finished(WAIT).expect("a task was not restored in time");
        let Outcome::Restored(restored) = &finished.outcome else { panic!("{:?}", finished.outcome) };
        assert_eq!(records(restored)[0] == 0, finished.task == 10, "what was on the disk is not read again");
        world.check(&mut finished.stores);
        seen.push(finished.task);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..11).collect::<Vec<_>>());
    assert!(thread.shutdown().is_empty());
}

#[test]
fn a_failure_gives_the_stores_back_with_its_reason() {
    let world = World::new([Medium::Memory, Medium::Memory]);
    let thread = thread(&world);
    let mut plan = world.plan(1_000);
    plan.changelogs.pop();
    thread.submit(1, empty_stores(), plan).unwrap();
    let finished = thread.wait_finished(WAIT).unwrap();
    let Outcome::Failed(error) = finished.outcome else { panic!("{:?}", finished.outcome) };
    assert!(error.to_string().contains("a task with 2 stores was given 1 changelogs"), "{error}");
    thread.submit(1, finished.stores, world.plan(1_000)).unwrap();
    assert!(matches!(thread.wait_finished(WAIT).unwrap().outcome, Outcome::Restored(_)));
}

#[test]
fn cancelling_and_shutting_down_give_the_stores_back() {
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
    for task in 0..6 {
        thread.submit(task, empty_stores(), world.plan(1_000)).unwrap();
    }
    thread.cancel(2).unwrap();
    let finished = thread.wait_finished(WAIT).unwrap();
    assert!(finished.task == 2 && matches!(finished.outcome, Outcome::Cancelled), "{finished:?}");
    let mut rest = thread.shutdown();
    rest.sort_unstable_by_key(|finished| finished.task);
    assert_eq!(rest.iter().map(|finished| finished.task).collect::<Vec<_>>(), [0, 1, 3, 4, 5]);
    assert!(rest.iter().all(|finished| matches!(finished.outcome, Outcome::Cancelled)));
}
