//! How far stores that follow say that they are.

use std::sync::Arc;
use std::time::Duration;

use super::world::{World, contents, covering, empty_stores, records, writes};
use crate::fault_log::{Call, FaultLog, Script};
use crate::log::{Kind, Offset, TopicPartition};
use crate::store::{Medium, Stores};
use crate::updater::follower::{Followed, Follower};
use crate::updater::{Plan, RestoreOptions};

type Reached = Option<Vec<(TopicPartition, Offset)>>;

/// Stores of another machine that follow in small steps.
struct Standby {
    follower: Follower<u32, crate::log::memory::MemoryLog>,
    reader: crate::store::Reader,
}

impl Standby {
    fn follow(world: &World, stores: Stores, batch_bytes: usize) -> Self {
        let mut follower = Follower::new(world.log.clone(), Arc::new(world.clock.clone()));
        let plan = world.plan(batch_bytes);
        let options = RestoreOptions { batch_records: 3, ..plan.options };
        let reader = stores.reader();
        follower.add(0, 7, stores, Plan { options, ..plan });
        Self { follower, reader }
    }

    /// One step, and how far they say that they are then.
    fn step(&mut self) -> Reached {
        assert!(self.follower.step(Duration::from_millis(1)).is_empty());
        self.reader.view().unwrap().reached().unwrap()
    }

    /// How many keys they have, of both stores.
    fn key_count(&self) -> usize {
        let (view, mut count) = (self.reader.view().unwrap(), 0);
        for store in 0..2 {
            view.all(store, crate::store::Direction::Forward, |_, _, _| {
                count += 1;
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        }
        count
    }
}

fn reached(sequence: u64) -> Reached {
    Some(covering(sequence).inputs)
}

#[test]
fn a_standby_claims_no_commit_of_which_it_has_a_part_only() {
    let mut world = World::new([Medium::Memory; 2]);
    let mut active = world.up();
    world.commit(&mut active, &writes(1, 20));
    let mut standby = Standby::follow(&world, empty_stores(), 1);
    while standby.step() != reached(1) {}
    let before = standby.key_count();

    // One commit of many batches, each of which is written down as it comes.
    let many: Vec<(usize, u32, Option<u32>)> = (0..400).map(|at| ((at % 2) as usize, 1_000 + at, Some(at))).collect();
    world.commit(&mut active, &many);
    let mut partly_there = 0;
    loop {
        let said = standby.step();
        let count = standby.key_count();
        if said == reached(2) {
            break;
        }
        assert_eq!(said, reached(1));
        partly_there += usize::from(count > before && count < before + many.len());
    }
    assert_eq!(standby.key_count(), before + many.len());
    assert!(partly_there > 10, "it was never seen with a part of the commit: {partly_there}");
}

#[test]
fn a_standby_is_as_far_as_the_store_that_was_written_least_lately() {
    let mut world = World::new([Medium::Memory; 2]);
    let mut active = world.up();
    let one = |store: usize, key: u32| [(store, key, Some(key))];
    world.commit(&mut active, &one(0, 1));
    let mut standby = Standby::follow(&world, empty_stores(), 1);
    // It is not known whether the other store was never written, or its changelog is only not read yet.
    (0..20).for_each(|_| assert_eq!(standby.step(), None));
    world.commit(&mut active, &one(1, 1));
    while standby.step() != reached(1) {}
    world.commit(&mut active, &one(0, 2));
    world.commit(&mut active, &one(0, 3));
    let ahead = |standby: &Standby| standby.reader.get(0, b"key-3").unwrap().is_some();
    while !ahead(&standby) {
        let said = standby.step();
        assert!([reached(1), reached(2)].contains(&said), "{said:?}");
    }
    (0..20).for_each(|_| {
        assert!([reached(1), reached(2)].contains(&standby.step()), "the other store is at the second commit")
    });
    world.commit(&mut active, &one(1, 2));
    while standby.step() != reached(4) {}
}

#[test]
fn a_standby_whose_seek_is_refused_misses_nothing_of_what_it_was_past() {
    let mut world = World::new([Medium::Memory; 2]);
    let mut active = world.up();
    world.commit(&mut active, &writes(1, 20));
    let follow = |world: &World, stores, script: &Script| {
        let log = FaultLog::new(world.log.clone(), script);
        let mut follower = Follower::new(log, Arc::new(world.clock.clone()));
        let mut plan = world.plan(1);
        let followed = Arc::new(Followed::new(
            plan.changelogs.iter().flatten().map(|log| TopicPartition::new(&log.topic, 1)).collect(),
        ));
        plan.followed = Some(Arc::clone(&followed));
        follower.add(0, 7, stores, plan);
        let mut told = Vec::new();
        for _ in 0..50 {
            assert!(follower.step(Duration::from_millis(1)).is_empty());
            told.extend(followed.positions().find_map(|(_, position)| position));
            world.clock.advance(100);
        }
        (follower.give_back(&|_, _| true).remove(0).stores, told)
    };
    let (stores, _) = follow(&world, empty_stores(), &Script::default());
    world.commit(&mut active, &writes(2, 20));
    // Each store has one; in the poll before it the consumer has delivered all that there is, which is of no use yet.
    let script = (0..3).fold(Script::default(), |script, at| script.refuse(Call::Seek, at, Kind::Retry));
    let (mut stores, told) = follow(&world, stores, &script);
    assert_eq!(contents(&mut stores), world.model);
    assert_eq!((script.refused_count(), script.seek_count()), (3, 5));
    assert!(told.first() < told.last(), "it tells how far it is, not how far it has dropped: {told:?}");
}

#[test]
fn a_standby_that_begins_again_holds_nothing_from_behind_where_it_stands() {
    const POLLS: usize = 20;
    const STEPS: usize = 12;
    let mut world = World::new([Medium::Memory; 2]);
    let mut active = world.up();
    world.commit(&mut active, &[(0, 1, Some(1)), (1, 1, Some(1))]);
    // Stores of another machine that have that.
    let begun = || {
        let mut stores = empty_stores();
        world.restore(&mut stores).unwrap();
        stores
    };
    let mut standbys: Vec<Stores> = (0..1 + POLLS * STEPS).map(|_| begun()).collect();
    // Each record is of a key of its own, so what a standby has and what is restored for it is all there is.
    let many: Vec<(usize, u32, Option<u32>)> = (0..40).map(|at| ((at % 2) as usize, 1_000 + at, Some(at))).collect();
    world.commit(&mut active, &many);
    let total = |stores: &mut Stores| {
        let had = contents(stores).map(|found| found.len() as u64);
        let restored = records(&world.restore(stores).unwrap());
        [had[0] + restored[0], had[1] + restored[1]]
    };
    let all = total(&mut standbys.remove(0));
    for (case, stores) in standbys.into_iter().enumerate() {
        let (failing_poll, last_step) = (case / STEPS, case / STEPS + case % STEPS);
        let script = Script::default().refuse(Call::Poll, failing_poll, Kind::Fatal);
        let log = FaultLog::new(world.log.clone(), &script);
        let mut follower = Follower::new(log, Arc::new(world.clock.clone()));
        let mut plan = world.plan(1 << 20);
        plan.options.batch_records = 3;
        follower.add(0, 7, stores, plan);
        for _ in 0..=last_step {
            assert!(follower.step(Duration::from_millis(1)).is_empty());
            world.clock.advance(1_000);
        }
        let mut stores = follower.give_back(&|_, _| true).remove(0).stores;
        assert_eq!(total(&mut stores), all, "poll {failing_poll} failed, given back after step {last_step}");
    }
}
