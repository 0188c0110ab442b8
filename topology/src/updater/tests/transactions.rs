//! A restore must not end before a transaction that is open when it begins, whatever becomes of that.

use super::world::{LocalProducer, TIMEOUT, World, covering, producer, send_changelogs, step, writes};
use crate::Class;
use crate::clock::{Clock, ManualClock};
use crate::log::Producer;
use crate::store::{Medium, Stores};
use crate::updater::Decision;

/// A predecessor's open transaction: its records are in the log, undecided. (A real predecessor is fenced before its
/// successor restores; what is open then belongs to somebody whom that fence does not reach.)
fn leave_open(world: &World) -> (LocalProducer, Stores) {
    let image = world.image();
    let mut theirs = world.open_at(image.path());
    world.restore(&mut theirs).unwrap();
    theirs.put(0, b"undecided", b"value").unwrap();
    let mut other = producer(&world.log, "somebody else");
    other.begin().unwrap();
    send_changelogs(&mut other, &mut theirs);
    other.flush(TIMEOUT).unwrap();
    theirs.discard();
    (other, theirs)
}

fn world() -> World {
    let mut world = World::new([Medium::RocksDb, Medium::Memory]);
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 50));
    stores.close().unwrap();
    world
}

#[test]
fn it_waits_for_an_open_transaction_and_takes_what_that_commits() {
    let mut world = world();
    let (mut other, _theirs) = leave_open(&world);
    let mut stores = world.open();
    let mut restore = world.start(1 << 20);
    for _ in 0..20 {
        let progress = step(&mut restore, &mut stores).unwrap();
        assert!(!progress.done, "the end of the log was not reached: a transaction is open below it");
        world.clock.advance(100);
    }
    assert!(step(&mut restore, &mut stores).unwrap().waiting);
    other.commit(TIMEOUT).unwrap();
    world.model[0].insert(b"undecided".to_vec(), b"value".to_vec());
    world.covered[0] = covering(2);
    while !step(&mut restore, &mut stores).unwrap().done {}
    world.check(&mut stores);
}

#[test]
fn it_waits_for_an_open_transaction_and_takes_nothing_of_what_that_aborts() {
    let world = world();
    let (mut other, _theirs) = leave_open(&world);
    let mut stores = world.open();
    let mut restore = world.start(1 << 20);
    while !step(&mut restore, &mut stores).unwrap().waiting {}
    other.abort(TIMEOUT).unwrap();
    while !step(&mut restore, &mut stores).unwrap().done {}
    world.check(&mut stores);
}

#[test]
fn a_changelog_with_nothing_but_an_aborted_transaction_is_new() {
    let mut world = World::new([Medium::RocksDb, Medium::Memory]);
    let mut stores = world.up();
    stores.put(0, b"key", b"value").unwrap();
    world.producer.begin().unwrap();
    send_changelogs(&mut world.producer, &mut stores);
    world.producer.flush(TIMEOUT).unwrap();
    world.producer.abort(TIMEOUT).unwrap();
    let restored = world.restore(&mut stores).unwrap();
    assert_eq!(restored[0].decision, Decision::Begin);
    world.check(&mut stores);
    world.commit(&mut stores, &writes(4, 10));
    stores.close().unwrap();
    world.check(&mut world.up());
}

#[test]
fn it_gives_up_on_a_transaction_that_outlives_its_timeout() {
    let mut world = world();
    // A clock of its own, so that the log does not abort what this clock calls overdue.
    let (_other, _theirs) = leave_open(&world);
    world.clock = ManualClock::new(world.clock.now_ms());
    let mut stores = world.open();
    let mut restore = world.start(1 << 20);
    while !step(&mut restore, &mut stores).unwrap().waiting {}
    world.clock.advance(29_000);
    assert!(step(&mut restore, &mut stores).unwrap().waiting);
    world.clock.advance(1_001);
    let error = step(&mut restore, &mut stores).unwrap_err();
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("app-a-changelog-1 has had an open transaction"), "{error}");
}

#[test]
fn a_transaction_that_its_producer_abandoned_is_waited_out() {
    let world = world();
    let (_other, _theirs) = leave_open(&world);
    let mut stores = world.open();
    let mut restore = world.start(1 << 20);
    let mut steps = 0;
    while !step(&mut restore, &mut stores).unwrap().done {
        world.clock.advance(500);
        steps += 1;
    }
    assert!((15..60).contains(&steps), "the log aborts it after 10 s: {steps} steps of 0.5 s");
    world.check(&mut stores);
}
