//! Standbys, with the updater stepped by hand.

use std::sync::Arc;
use std::time::Duration;

use super::world::{TOPICS, World, empty_stores, writes};
use crate::clock::Clock;
use crate::log::memory::MemoryLog;
use crate::log::{Isolation, Log, TopicPartition};
use crate::store::Medium;
use crate::updater::turns::{Turn, Updater};
use crate::updater::{Followed, Handle, LogLines, Outcome, Plan};

const STEP: Duration = Duration::from_millis(1);

fn updater(world: &World) -> (Updater<u32, MemoryLog>, Handle<u32>) {
    let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
    let listener = Arc::new(LogLines::new(Arc::clone(&clock)));
    let (updater, handles) = Updater::new(world.log.clone(), clock, listener);
    (updater, handles.handle().unwrap())
}

/// A plan that tells how far its standby is.
fn told(world: &World) -> (Plan, Arc<Followed>) {
    let changelogs = TOPICS.map(|topic| TopicPartition::new(topic, 1)).to_vec();
    let followed = Arc::new(Followed::new(changelogs));
    (Plan { followed: Some(Arc::clone(&followed)), ..world.plan(1_000) }, followed)
}

fn is_at_the_end(world: &World, followed: &Followed) -> bool {
    let end = |changelog| world.log.watermarks(changelog, Isolation::ReadCommitted).unwrap().high;
    followed.positions().all(|(changelog, position)| position == Some(end(changelog)))
}

#[test]
fn where_a_changelog_is_not_to_be_seen_an_updater_rests_before_it_looks_for_it_again() {
    let mut world = World::new([Medium::Memory, Medium::Memory]);
    world.log.delete_topics(&[TOPICS[1].to_owned()]).unwrap();
    let (mut updater, handle) = updater(&world);
    let (plan, followed) = told(&world);
    handle.follow(1, empty_stores(), plan).unwrap();
    assert_ne!(updater.step(STEP), Turn::Paused, "it looks");
    for _ in 0..9 {
        world.clock.advance(100);
        assert_eq!(updater.step(STEP), Turn::Paused);
    }
    world.clock.advance(100);
    assert_ne!(updater.step(STEP), Turn::Paused, "it looks again");
    assert_eq!(updater.step(STEP), Turn::Paused);

    world.create_topics();
    let mut stores = world.up();
    world.commit(&mut stores, &writes(1, 50));
    world.clock.advance(1_000);
    for _ in 0..100 {
        assert_ne!(updater.step(STEP), Turn::Paused);
    }
    assert!(is_at_the_end(&world, &followed), "{followed:?}");
}

#[test]
fn a_standby_that_cannot_begin_keeps_no_other_waiting_and_is_given_back_all_the_same() {
    let mut world = World::new([Medium::Memory, Medium::Memory]);
    let mut stores = world.up();
    let (mut updater, handle) = updater(&world);
    let (mut lost, _) = told(&world);
    lost.changelogs.iter_mut().flatten().for_each(|changelog| changelog.topic.push_str("-of-another"));
    handle.follow(1, empty_stores(), lost).unwrap();
    assert_ne!(updater.step(STEP), Turn::Paused);
    let (plan, followed) = told(&world);
    handle.follow(2, empty_stores(), plan).unwrap();
    for round in 0..10 {
        world.commit(&mut stores, &writes(round, 50));
        for _ in 0..20 {
            assert_ne!(updater.step(STEP), Turn::Paused);
        }
        assert!(is_at_the_end(&world, &followed), "{followed:?}");
    }
    handle.cancel(1).unwrap();
    updater.take_all();
    let finished = handle.try_finished().unwrap().expect("it is given back");
    assert!(finished.task == 1 && matches!(finished.outcome, Outcome::Cancelled), "{finished:?}");
}
