//! What handles, entries and snapshots show.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::*;
use crate::codec::Json;
use crate::store::Direction;

#[test]
fn a_key_is_found_in_whatever_task_it_is_and_a_key_that_is_in_none_has_no_value() {
    for media in media() {
        let world = World::begun(media);
        let mut tasks = filled(&world);
        let counts = world.counts();
        for asked in [counts.clone(), counts.clone().partitioned_like_input()] {
            for (number, key) in keys().iter().enumerate() {
                let number = number as i64;
                assert_eq!(asked.get(&key.as_str()), Ok(Some(number)));
                assert_eq!(asked.get_timed(&key.as_str()), Ok(Some((number, 1_000 + number))));
                assert_eq!(asked.get_with(&key.as_str(), |found| found.map(|found| found + 1)), Ok(Some(number + 1)));
                assert_eq!(asked.contains(&key.as_str()), Ok(true));
                assert_eq!(asked.task_for(&key.as_str()), Ok(Some(id(home(key)))));
            }
            assert_eq!((asked.get(&"none"), asked.contains(&"none")), (Ok(None), Ok(false)));
        }
        // A processor may write any key: this one lies where no producer would put it.
        let stray = (home("stray") + 1) % PARTITIONS;
        tasks[stray as usize].put(COUNTS, "stray", 7);
        tasks[stray as usize].commit();
        assert_eq!(counts.get(&"stray"), Ok(Some(7)));
        assert_eq!(counts.clone().partitioned_like_input().get(&"stray"), Ok(None));
        let by = counts.partitioned_by(move |key, count| {
            assert_eq!((*key, count), ("stray", PARTITIONS));
            stray
        });
        assert_eq!((by.get(&"stray"), by.task_for(&"stray")), (Ok(Some(7)), Ok(Some(id(stray)))));
    }
}

#[test]
fn entries_come_by_task_and_key_and_in_reverse_whatever_is_still_to_be_written() {
    for media in media() {
        let world = World::begun(media);
        let mut tasks = filled(&world);
        // Of each task some entries are in the backend, some above it, some replaced, and some deleted.
        tasks.iter_mut().for_each(|task| task.stores.flush().unwrap());
        let mut expected: BTreeMap<(i32, String), i64> = BTreeMap::new();
        for (number, key) in keys().into_iter().enumerate() {
            let task = &mut tasks[home(&key) as usize];
            match number % 3 {
                0 => task.put(COUNTS, &key, 1_000 + number as i64),
                1 => task.stores.delete(COUNTS, key.as_bytes()).unwrap(),
                _ => {}
            }
            if number % 3 != 1 {
                let added = if number % 3 == 0 { 1_000 } else { 0 };
                expected.insert((home(&key), key), number as i64 + added);
            }
        }
        tasks.iter_mut().for_each(Task::commit);
        let all: Vec<(String, i64)> = expected.into_iter().map(|((_, key), value)| (key, value)).collect();
        let counts = world.counts();
        assert_eq!(shown(counts.all(Direction::Forward).unwrap()), all);
        let reversed: Vec<(String, i64)> = all.iter().rev().cloned().collect();
        assert_eq!(shown(counts.all(Direction::Reverse).unwrap()), reversed);
        let within = |wanted: &dyn Fn(&str) -> bool| -> Vec<(String, i64)> {
            all.iter().filter(|(key, _)| wanted(key)).cloned().collect()
        };
        let range = counts.range(Bound::Excluded(&"key-010"), Bound::Included(&"key-150"), Direction::Forward);
        assert_eq!(shown(range.unwrap()), within(&|key| key > "key-010" && key <= "key-150"));
        let crossed = counts.range(Bound::Included(&"key-150"), Bound::Excluded(&"key-010"), Direction::Forward);
        assert_eq!(shown(crossed.unwrap()), []);
        let prefix = counts.prefix(b"key-09", Direction::Forward);
        assert_eq!(shown(prefix.unwrap()), within(&|key| key.starts_with("key-09")));
        // Of types that borrow nothing it is an iterator.
        let owned = world.queries.store(&Store::<String, i64>::memory("counts")).unwrap();
        let found = owned.all(Direction::Forward).unwrap().map(|entry| entry.map(|entry| (entry.key, entry.value)));
        assert_eq!(found.collect::<Result<Vec<_>>>().unwrap(), all);
    }
}

#[test]
fn entries_of_many_chunks_stay_those_of_their_commit_while_others_are_made_and_written() {
    for media in media() {
        let world = World::begun(media);
        let mut tasks = [world.task(0), world.task(1)];
        for task in &mut tasks {
            (0..5_000).for_each(|number| task.put(COUNTS, &format!("{number:05}"), number));
            task.commit();
            task.stores.flush().unwrap();
        }
        for direction in [Direction::Forward, Direction::Reverse] {
            let mut entries = world.counts().all(direction).unwrap();
            let mut found = Vec::new();
            while let Some(entry) = entries.next_entry().unwrap() {
                found.push(entry.value);
                if found.len() % 1_000 == 1 {
                    for task in &mut tasks {
                        let number = found.len() as i64;
                        task.put(COUNTS, &format!("{:05}", number % 5_000), number);
                        task.put(COUNTS, &format!("{number:05}-more"), number);
                        task.stores.delete(COUNTS, format!("{:05}", (number + 7) % 5_000).as_bytes()).unwrap();
                        task.commit();
                        if number % 2_000 == 1 {
                            task.stores.flush().unwrap();
                        }
                    }
                }
            }
            let mut expected: Vec<i64> = (0..5_000).chain(0..5_000).collect();
            if direction == Direction::Reverse {
                expected.reverse();
            }
            assert!(found == expected, "{direction:?} over {media:?}");
            // As at the beginning, for the other direction.
            for task in &mut tasks {
                let stray = shown(world.counts().all(Direction::Forward).unwrap());
                stray.iter().for_each(|(key, _)| task.stores.delete(COUNTS, key.as_bytes()).unwrap());
                (0..5_000).for_each(|number| task.put(COUNTS, &format!("{number:05}"), number));
                task.commit();
            }
        }
    }
}

#[test]
fn a_snapshot_is_of_one_commit_in_all_stores_of_its_task_and_says_of_which_input() {
    for media in media() {
        let world = World::begun(media);
        let mut task = world.task(home("tea"));
        // A task that begins says where, before it has committed anything.
        task.stores.note_begun(vec![(TopicPartition::new("words", home("tea")), 3)]);
        let begun = world.queries.snapshot(&id(home("tea"))).unwrap();
        assert_eq!(begun.position(), [(TopicPartition::new("words", home("tea")), 3)]);
        let mut snapshots = Vec::new();
        for commit in 1..=4 {
            task.put(COUNTS, "tea", commit);
            task.put(SIZES, "tea", -commit);
            task.commit();
            if commit % 2 == 0 {
                task.stores.flush().unwrap();
            }
            // Not committed, and not to be seen.
            task.put(COUNTS, "tea", 1_000_000);
            task.put(SIZES, "milk", 1_000_000);
            snapshots.push(world.counts().snapshot_for(&"tea").unwrap());
            task.stores.discard();
        }
        for (commit, snapshot) in (1..).zip(&snapshots) {
            assert_eq!((snapshot.task(), snapshot.role()), (&id(home("tea")), Role::Active));
            assert_eq!(snapshot.position(), [(TopicPartition::new("words", home("tea")), 10 * commit)]);
            let (counts, sizes) = (snapshot.store(&world.counts).unwrap(), snapshot.store(&world.sizes).unwrap());
            assert_eq!((counts.get(&"tea"), sizes.get(&"tea")), (Ok(Some(commit)), Ok(Some(-commit))));
            assert_eq!(shown(sizes.all(Direction::Forward).unwrap()), [("tea".to_owned(), -commit)]);
        }
        let others = snapshots[0].store(&world.others).err().unwrap();
        assert!(matches!(&others, Error::Invalid(text) if text.contains("sub-topology 'other' has it")), "{others}");
        let tasks: Vec<TaskId> =
            world.counts().snapshots().unwrap().iter().map(|snapshot| snapshot.task().clone()).collect();
        assert_eq!(tasks, [id(home("tea"))]);
    }
}

#[test]
fn bytes_of_other_types_are_an_error_and_so_are_keys_that_have_none() {
    let world = World::begun([Medium::Memory; 2]);
    let _tasks = filled(&world);
    let wrong = world.queries.store(&Store::<str, ()>::memory("counts")).unwrap();
    let error = wrong.get(&"key-000").unwrap_err();
    assert!(matches!(&error, Error::Store(error) if error.to_string().contains("store counts")), "{error}");
    let mut entries = wrong.all(Direction::Forward).unwrap();
    assert!(matches!(entries.next_entry().map(drop), Err(Error::Store(_))));
    let unwritable = world.queries.store(&Store::<Json<BTreeMap<(u8, u8), u8>>, i64>::memory("counts")).unwrap();
    let key = Json(BTreeMap::from([((1, 2), 3)]));
    assert!(matches!(unwritable.get(&key), Err(Error::Invalid(_))), "a map whose keys are no text is no JSON");
}

#[test]
fn handles_are_for_any_thread() {
    fn is_for_any_thread<T: Send + Sync>() {}
    is_for_any_thread::<Queries>();
    is_for_any_thread::<KeyValue<str, i64>>();
    is_for_any_thread::<KeyValue<[u8], String, Fixed>>();
    is_for_any_thread::<Snapshot>();
    is_for_any_thread::<Entries<str, i64>>();
}
