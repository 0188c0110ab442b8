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
    assert_eq!(counts.get(&"tea"), undecided(|partition| partition != elsewhere));
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

/// These tasks are not here, and it is not known yet where they are.
fn undecided<T>(is_absent: impl Fn(i32) -> bool) -> Result<T> {
    let moving = (0..PARTITIONS).filter(|partition| is_absent(*partition)).map(id).collect();
    Err(Error::Undecided { holders: Vec::new(), moving })
}

#[test]
fn no_value_is_answered_only_where_no_other_task_may_have_the_key() {
    let world = World::begun([Medium::Memory; 2]);
    let (counts, at_home) = (world.counts(), home("tea"));
    let mut tasks = vec![world.task(at_home)];
    // A producer that partitions by CRC32 may have put it anywhere.
    assert_eq!(counts.get(&"tea"), undecided(|partition| partition != at_home));
    assert_eq!(counts.contains(&"tea"), undecided(|partition| partition != at_home));
    assert_eq!(counts.get_with(&"tea", |found| found), undecided(|partition| partition != at_home));
    assert_eq!(counts.snapshot_for(&"tea").map(drop), undecided(|partition| partition != at_home));
    assert_eq!(counts.get(&"tea").unwrap_err().class(), crate::Class::Retry);
    // Who says how keys are partitioned is believed, and so is a snapshot, which is of one task.
    assert_eq!(counts.clone().partitioned_like_input().get(&"tea"), Ok(None));
    assert_eq!(counts.clone().partitioned_by(move |_, _| at_home).get(&"tea"), Ok(None));
    let snapshot = world.queries.snapshot(&id(at_home)).unwrap();
    assert_eq!(snapshot.store(&world.counts).unwrap().get(&"tea"), Ok(None));

    let last = (at_home + 1) % PARTITIONS;
    tasks.extend((0..PARTITIONS).filter(|at| ![at_home, last].contains(at)).map(|at| world.task(at)));
    assert_eq!(counts.get(&"tea"), undecided(|partition| partition == last));
    let mut holder = world.task(last);
    assert_eq!((counts.get(&"tea"), counts.contains(&"tea")), (Ok(None), Ok(false)));
    assert_eq!(counts.snapshot_for(&"tea").unwrap().task(), &id(at_home), "where it would be put");
    holder.put(COUNTS, "tea", 7);
    holder.commit();
    let snapshot = counts.snapshot_for(&"tea").unwrap();
    assert_eq!((snapshot.task(), snapshot.store(&world.counts).unwrap().get(&"tea")), (&id(last), Ok(Some(7))));
    // A standby answers for the task where it is asked for.
    holder.offer = Some(world.offer(&holder, Standing::Standby(Arc::new(AtomicU64::new(0)))));
    assert_eq!(counts.get(&"tea"), undecided(|partition| partition == last));
    assert_eq!(counts.clone().with_standbys().get(&"milk"), Ok(None));
    world.registry.close();
    drop(holder);
    assert_eq!(counts.get(&"tea"), Err(Error::Closed));
}

#[test]
fn where_the_graph_knows_how_keys_are_partitioned_one_task_answers_for_its_keys() {
    let world = World::begun([Medium::Memory; 2]);
    let builder = Builder::new();
    let words = Topic::new("words").partitions(PARTITIONS).partitioned_by_key();
    builder.sub_topology("counting").source::<str, ()>(words).count(&world.counts).sink("totals");
    let topology = builder.build().unwrap();
    let registry = Registry::new(&topology);
    registry.resolve(&topology);
    let task = world.task(home("tea"));
    let _offer = registry.offer(0, id(home("tea")), task.stores.reader(), Standing::Active);
    let counts = Queries::new(registry).store(&world.counts).unwrap();
    assert_eq!(counts.get(&"tea"), Ok(None));
    let other = keys().into_iter().find(|key| home(key) != home("tea")).unwrap();
    let absent = Error::Moving(format!("task {}", id(home(&other))));
    assert_eq!(counts.get(&other.as_str()), Err(absent), "its own task and no other is asked");
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
        // And closed: a reader that still holds something of it is in no one's way.
        let snapshot = counts.snapshot_for(&"tea").unwrap();
        let mut entries = counts.all(Direction::Forward).unwrap();
        assert!(entries.next_entry().unwrap().is_some());
        task.stores.flush().unwrap();
        drop(task);
        let _again = world.task(home("tea"));
        assert!(matches!(snapshot.store(&world.counts).unwrap().get(&"tea"), Err(Error::Moving(_))));
        let expected = if media[COUNTS] == Medium::RocksDb { Some(2) } else { None };
        assert_eq!(counts.partitioned_like_input().get(&"tea"), Ok(expected));
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
    // Its stores may be of different commits: what all of them have is what the follower says.
    let position = |offset| vec![(TopicPartition::new("words", home("tea")), offset)];
    assert_eq!(snapshot.position(), position(10));
    task.stores.note_reached(&position(15));
    assert_eq!(with.snapshot_for(&"tea").unwrap().position(), position(15));
    assert_eq!(with.position(), Ok(position(15)));
    assert_eq!(snapshot.position(), position(10), "it is of its commit");
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
