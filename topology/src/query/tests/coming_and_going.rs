//! Tasks that are not here, come, go, or are followed from a distance.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::store::Direction;

#[test]
fn what_is_not_here_is_said_by_what_to_do_about_it() {
    let world = World::new([Medium::Memory; 2]);
    let counts = world.counts();
    let is_moving = |error: &Error| matches!(error, Error::Moving(_)) && error.class() == crate::Class::Retry;
    // Nothing is known yet.
    assert!(is_moving(&counts.get(&"tea").unwrap_err()));
    assert!(is_moving(&counts.all(Direction::Forward).err().unwrap()));
    assert!(is_moving(&counts.snapshot_for(&"tea").unwrap_err()));
    assert_eq!(counts.task_for(&"tea"), Ok(None));
    world.registry.resolve(&world.topology);
    assert!(is_moving(&counts.get(&"tea").unwrap_err()));
    // Another partition's task is here: it does not answer for this one, unless it has the key.
    let elsewhere = (home("tea") + 1) % PARTITIONS;
    let mut task = world.task(elsewhere);
    assert!(is_moving(&counts.get(&"tea").unwrap_err()));
    assert!(is_moving(&counts.clone().partitioned_like_input().get(&"tea").unwrap_err()));
    task.put(COUNTS, "tea", 3);
    task.commit();
    assert_eq!(counts.get(&"tea"), Ok(Some(3)));
    assert!(is_moving(&counts.clone().partitioned_like_input().get(&"tea").unwrap_err()));
    assert_eq!(shown(counts.all(Direction::Forward).unwrap()).len(), 1, "what is here is shown");
    assert_eq!(world.queries.tasks(), [LocalTask { task: id(elsewhere), role: Role::Active }]);

    let is_invalid = |error: Error| matches!(error, Error::Invalid(_)) && error.class() == crate::Class::Input;
    assert!(is_invalid(world.queries.store(&Store::<str, i64>::memory("none")).err().unwrap()));
    assert!(is_invalid(world.queries.snapshot(&id(PARTITIONS)).unwrap_err()));
    assert!(is_invalid(counts.clone().partitioned_by(|_, count| count).get(&"tea").unwrap_err()));
    let nowhere = TaskId { sub_topology: "none".to_owned(), partition: 0 };
    assert!(is_invalid(world.queries.snapshot(&nowhere).unwrap_err()));

    drop(task);
    assert!(is_moving(&counts.get(&"tea").unwrap_err()));
    world.registry.close();
    assert_eq!(counts.get(&"tea"), Err(Error::Closed));
    assert_eq!(counts.all(Direction::Forward).err(), Some(Error::Closed));
    assert_eq!(world.queries.snapshot(&id(0)).err(), Some(Error::Closed));
    let engines: crate::Error = Error::Closed.into();
    assert_eq!(engines.class(), crate::Class::Stop);
}

#[test]
fn when_a_task_goes_what_was_begun_ends_with_an_error_and_handles_go_on_when_it_is_back() {
    for media in MEDIA {
        let world = World::begun(media);
        let mut task = world.task(home("tea"));
        (0..5_000).for_each(|number| task.put(COUNTS, &format!("{number:05}"), number));
        task.put(COUNTS, "tea", 2);
        task.commit();
        let counts = world.counts();
        let snapshot = counts.snapshot_for(&"tea").unwrap();
        let of_snapshot = snapshot.store(&world.counts).unwrap();
        let mut entries = counts.all(Direction::Forward).unwrap();
        assert_eq!(entries.next_entry().unwrap().map(|entry| entry.value), Some(0));
        // Its work is taken out of it: its stores stay open, and are read into.
        task.offer = None;
        assert!(matches!(counts.get(&"tea"), Err(Error::Moving(_))));
        assert!(matches!(of_snapshot.get(&"tea"), Err(Error::Moving(_))));
        let mut outcome = Ok(());
        let mut seen = 1;
        while outcome.is_ok() {
            match entries.next_entry() {
                Ok(Some(entry)) => assert_eq!(entry.value, seen),
                Ok(None) => panic!("it ended as if that were all"),
                Err(error) => outcome = Err(error),
            }
            seen += 1;
        }
        assert!(matches!(outcome, Err(Error::Moving(_))) && seen < 5_000, "{outcome:?} after {seen}");
        assert!(entries.next_entry().unwrap().is_none(), "after an error there is no more");
        task.offer = Some(world.offer(&task, Standing::Active));
        assert_eq!(counts.get(&"tea"), Ok(Some(2)));
        assert!(matches!(of_snapshot.get(&"tea"), Err(Error::Moving(_))), "it was of the task as it was before");
        // And closed: whoever still holds something of it is in nobody's way.
        let snapshot = counts.snapshot_for(&"tea").unwrap();
        let mut entries = counts.all(Direction::Forward).unwrap();
        assert!(entries.next_entry().unwrap().is_some());
        task.stores.flush().unwrap();
        drop(task);
        let _again = world.task(home("tea"));
        assert!(matches!(snapshot.store(&world.counts).unwrap().get(&"tea"), Err(Error::Moving(_))));
        let expected = if media[COUNTS] == Medium::RocksDb { Some(2) } else { None };
        assert_eq!(counts.get(&"tea"), Ok(expected));
    }
}

#[test]
fn standbys_answer_where_they_are_asked_for_and_say_how_far_they_lag() {
    let world = World::begun([Medium::RocksDb; 2]);
    let mut task = world.task(home("tea"));
    task.put(COUNTS, "tea", 1);
    task.commit();
    let lag = Arc::new(AtomicU64::new(17));
    task.offer = Some(world.offer(&task, Standing::Standby(Arc::clone(&lag))));
    let counts = world.counts();
    assert!(matches!(counts.get(&"tea"), Err(Error::Moving(_))));
    assert!(matches!(counts.all(Direction::Forward), Err(Error::Moving(_))));
    let with = counts.clone().with_standbys();
    assert_eq!(with.get(&"tea"), Ok(Some(1)));
    assert_eq!(shown(with.all(Direction::Forward).unwrap()), [("tea".to_owned(), 1)]);
    assert_eq!(world.queries.tasks(), [LocalTask { task: id(home("tea")), role: Role::Standby { lag: 17 } }]);
    lag.store(3, Ordering::Relaxed);
    let snapshot = with.snapshot_for(&"tea").unwrap();
    assert_eq!(snapshot.role(), Role::Standby { lag: 3 });
    // Its stores may be of different commits: what all of them have is what it vouches for.
    assert_eq!(snapshot.position(), [(TopicPartition::new("words", home("tea")), 10)]);
    task.put(COUNTS, "tea", 2);
    task.commit += 1;
    task.stores.cover(vec![(TopicPartition::new("words", task.partition), 20)]);
    task.stores.commit(&[(COUNTS, 2)], 0).unwrap();
    let position = with.snapshot_for(&"tea").unwrap().position().to_vec();
    assert_eq!(position, [(TopicPartition::new("words", home("tea")), 10)]);
}

#[test]
fn an_offer_that_was_replaced_takes_nothing_away_when_it_goes() {
    let world = World::begun([Medium::Memory; 2]);
    let mut task = world.task(0);
    let former = task.offer.replace(world.offer(&task, Standing::Active));
    drop(former);
    assert_eq!(world.queries.tasks().len(), 1);
    task.offer = None;
    assert_eq!(world.queries.tasks(), []);
}
