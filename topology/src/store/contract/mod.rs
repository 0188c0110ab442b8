//! What every medium promises, asked of each of them.

mod bench;
mod random;
pub(in crate::store) mod recorder;

use std::cell::RefCell;
use std::ops::{Bound, ControlFlow};
use std::rc::Rc;

use proptest::prelude::*;

use super::folding::Drive;
use super::{Bounds, ChangelogRecord, Covered, Direction, KeyValueStore, Kind, Medium, Meta};
use bench::{Bench, Entries, all, entries, get, range};

fn uncommitted_writes_are_read_and_a_discard_takes_them_back(bench: &Bench) {
    let mut stores = bench.open();
    stores.put(0, b"kept", b"1").unwrap();
    stores.put(0, b"gone", b"1").unwrap();
    stores.commit(&[(0, 3)], 10).unwrap();
    stores.put(0, b"kept", b"2").unwrap();
    stores.delete(0, b"gone").unwrap();
    stores.put(0, b"", b"").unwrap();
    assert!(stores.has_uncommitted() && stores.uncommitted_bytes() > 0);
    assert_eq!((get(&mut stores, 0, b"kept"), get(&mut stores, 0, b"gone")), (Some(b"2".to_vec()), None));
    assert_eq!(all(&mut stores, 0), entries(&[("", ""), ("kept", "2")]));
    assert_eq!(all(&mut stores, 1), entries(&[]), "the other store is another one");

    stores.discard();
    assert!(!stores.has_uncommitted() && stores.uncommitted_bytes() == 0);
    assert_eq!(all(&mut stores, 0), entries(&[("gone", "1"), ("kept", "1")]));
    assert_eq!((get(&mut stores, 0, b"gone"), get(&mut stores, 0, b"")), (Some(b"1".to_vec()), None));
}

fn a_commit_moves_data_and_positions_of_all_its_stores(bench: &Bench) {
    let mut stores = bench.open();
    assert_eq!((stores.meta(0), stores.meta(1)), (None, None));
    stores.put(0, b"x", b"1").unwrap();
    stores.put(1, b"y", b"2").unwrap();
    stores.commit(&[(1, 20), (0, 10)], 99).unwrap();
    let meta = |store: u8, position| Meta {
        fingerprint: [7; 32],
        incarnation: [store; 16],
        position,
        applied_at_ms: 99,
        covered: Covered::default(),
    };
    assert_eq!((stores.meta(0), stores.meta(1)), (Some(meta(0, 10)), Some(meta(1, 20))));
    assert_eq!((get(&mut stores, 0, b"x"), get(&mut stores, 1, b"y")), (Some(b"1".to_vec()), Some(b"2".to_vec())));
}

fn an_idle_store_is_known_to_be_up_to_date_after_a_commit_of_the_other(bench: &Bench) {
    let mut stores = bench.open();
    stores.put(0, b"x", b"1").unwrap();
    stores.put(1, b"y", b"2").unwrap();
    stores.commit(&[(0, 10), (1, 20)], 1_000).unwrap();
    stores.commit(&[(0, 11)], 2_000).unwrap();
    assert_eq!(stores.meta(1).unwrap().applied_at_ms, 1_000, "not worth a write yet");
    stores.commit(&[(0, 12)], 100_000).unwrap();
    assert_eq!((stores.meta(1).unwrap().position, stores.meta(1).unwrap().applied_at_ms), (20, 100_000));
}

fn a_commit_that_makes_no_sense_is_refused_and_changes_nothing(bench: &Bench) {
    let mut stores = bench.open();
    stores.put(0, b"x", b"1").unwrap();
    stores.commit(&[(0, 10)], 1).unwrap();
    stores.put(0, b"x", b"2").unwrap();
    stores.put(1, b"y", b"2").unwrap();
    for positions in [&[(0, 11)][..], &[(0, 9), (1, 5)], &[]] {
        assert_eq!(stores.commit(positions, 2).unwrap_err().kind(), Kind::Invalid, "{positions:?}");
    }
    stores.discard();
    assert_eq!((get(&mut stores, 0, b"x"), stores.meta(0).unwrap().position), (Some(b"1".to_vec()), 10));
}

fn bounds_cut_where_they_say_in_both_directions(bench: &Bench) {
    let mut stores = bench.open();
    // Committed and uncommitted entries alternate, one is overwritten, one deleted.
    for key in ["a", "c", "d", "e", "g"] {
        stores.put(0, key.as_bytes(), b"1").unwrap();
    }
    stores.commit(&[(0, 6)], 1).unwrap();
    stores.put(0, b"b", b"2").unwrap();
    stores.put(0, b"c", b"2").unwrap();
    stores.delete(0, b"d").unwrap();
    stores.put(0, b"h", b"2").unwrap();
    let model = entries(&[("a", "1"), ("b", "2"), ("c", "2"), ("e", "1"), ("g", "1"), ("h", "2")]);
    let keys: Vec<Vec<u8>> = "abcdefghi".bytes().map(|key| vec![key]).chain([vec![], vec![b'c', 0]]).collect();
    let ends = |key: &'static [u8]| [Bound::Included(key), Bound::Excluded(key), Bound::Unbounded];
    let keys: Vec<&'static [u8]> = keys.into_iter().map(|key| &*key.leak()).collect();
    for (start, end) in keys.iter().flat_map(|start| keys.iter().map(move |end| (*start, *end))) {
        for (start, end) in ends(start).into_iter().flat_map(|start| ends(end).map(|end| (start, end))) {
            let within = |key: &[u8]| {
                let above = match start {
                    Bound::Included(start) => key >= start,
                    Bound::Excluded(start) => key > start,
                    Bound::Unbounded => true,
                };
                above
                    && match end {
                        Bound::Included(end) => key <= end,
                        Bound::Excluded(end) => key < end,
                        Bound::Unbounded => true,
                    }
            };
            let mut expected: Entries = model.iter().filter(|(key, _)| within(key)).cloned().collect();
            let bounds = Bounds { start, end };
            assert_eq!(range(&mut stores, 0, bounds, Direction::Forward, usize::MAX), expected, "{bounds:?}");
            expected.reverse();
            assert_eq!(range(&mut stores, 0, bounds, Direction::Reverse, usize::MAX), expected, "{bounds:?}");
            expected.truncate(2);
            assert_eq!(range(&mut stores, 0, bounds, Direction::Reverse, 2), expected, "{bounds:?}");
        }
    }
}

fn wiping_empties_one_store_and_forgets_where_it_stood(bench: &Bench) {
    let mut stores = bench.open();
    stores.put(0, b"x", b"1").unwrap();
    stores.put(1, b"y", b"2").unwrap();
    stores.commit(&[(0, 10), (1, 20)], 1).unwrap();
    stores.wipe(0).unwrap();
    assert_eq!((stores.meta(0), get(&mut stores, 0, b"x"), all(&mut stores, 0)), (None, None, vec![]));
    assert_eq!((stores.meta(1).unwrap().position, get(&mut stores, 1, b"y")), (20, Some(b"2".to_vec())));
    stores.begin_changelog(0, [9; 16]).unwrap();
    stores.put(0, b"z", b"3").unwrap();
    stores.commit(&[(0, 2)], 1).unwrap();
    assert_eq!((stores.meta(0).unwrap().incarnation, all(&mut stores, 0)), ([9; 16], entries(&[("z", "3")])));
    stores.close().unwrap();
    let expected = if bench.media[0] == Medium::RocksDb { entries(&[("z", "3")]) } else { vec![] };
    assert_eq!(all(&mut bench.open(), 0), expected);
}

fn scans_between_large_commits_see_all_of_them(bench: &Bench) {
    let mut stores = bench.open();
    let mut model = std::collections::BTreeMap::new();
    for round in 0..6u32 {
        for at in 0..900u32 {
            let key = (at * 7 + round * 500).to_be_bytes();
            let value = (at % 5 != round % 5).then(|| round.to_be_bytes());
            match value {
                Some(value) => stores.put(0, &key, &value).unwrap(),
                None => stores.delete(0, &key).unwrap(),
            }
            if at == 700 {
                stores.commit(&[(0, 2 + i64::from(round))], 0).unwrap();
            }
            match value {
                Some(value) => model.insert(key.to_vec(), value.to_vec()),
                None => model.remove(&key[..]),
            };
        }
        let mut expected: Entries = model.clone().into_iter().collect();
        assert_eq!(all(&mut stores, 0), expected, "round {round}");
        expected.reverse();
        assert_eq!(range(&mut stores, 0, Bounds::ALL, Direction::Reverse, usize::MAX), expected, "round {round}");
    }
}

fn an_update_changes_what_any_layer_holds(bench: &Bench) {
    let mut stores = bench.open();
    let key = |name: &str| name.as_bytes().to_vec();
    for name in ["written", "behind", "uncommitted"] {
        stores.put(0, &key(name), &1u64.to_be_bytes()).unwrap();
    }
    stores.commit(&[(0, 4)], 0).unwrap();
    stores.flush().unwrap();
    for name in ["behind", "uncommitted"] {
        stores.put(0, &key(name), &2u64.to_be_bytes()).unwrap();
    }
    stores.commit(&[(0, 6)], 0).unwrap();
    stores.put(0, &key("uncommitted"), &3u64.to_be_bytes()).unwrap();

    let stores = Rc::new(RefCell::new(stores));
    let numbers = KeyValueStore::<str, u64>::new(Rc::clone(&stores), 0).unwrap();
    let changes = || {
        let mut changes = 0;
        let count = |_: ChangelogRecord<'_>| {
            changes += 1;
            Ok::<_, ()>(())
        };
        stores.borrow_mut().changelog_records(count).unwrap();
        changes
    };
    assert_eq!(numbers.update(&"none", |number: Option<u64>| number).unwrap(), None);
    assert_eq!(changes(), 1, "none before and after: that is no write");
    for (name, before) in [("none", None), ("written", Some(1)), ("behind", Some(2)), ("uncommitted", Some(3))] {
        let mut seen = Some(99);
        let change = |number: Option<u64>| {
            seen = number;
            assert_eq!(numbers.get(&name).unwrap(), number, "the stores may be used meanwhile");
            Some(number.unwrap_or(0) + 10)
        };
        assert_eq!(numbers.update(&name, change).unwrap(), Some(before.unwrap_or(0) + 10));
        assert_eq!((seen, numbers.get(&name).unwrap()), (before, Some(before.unwrap_or(0) + 10)), "{name}");
    }
    assert_eq!(changes(), 4);
    stores.borrow_mut().commit(&[(0, 10)], 0).unwrap();
    assert_eq!(numbers.update(&"behind", |number| number.filter(|_| false)).unwrap(), None);
    assert!(!numbers.contains(&"behind").unwrap() && changes() == 1);
    stores.borrow_mut().discard();
    assert_eq!(numbers.get(&"behind").unwrap(), Some(12));
}

fn values_keep_the_event_time_that_they_were_put_with(bench: &Bench) {
    let stores = Rc::new(RefCell::new(bench.open()));
    let numbers = KeyValueStore::<str, u64>::new(Rc::clone(&stores), 0).unwrap();
    numbers.put(&"timeless", &1).unwrap();
    stores.borrow_mut().set_time(1_000);
    numbers.put(&"then", &2).unwrap();
    numbers.put_timed(&"earlier", &3, 10).unwrap();
    let check = |updated: (u64, i64)| {
        let times = ["timeless", "then", "earlier", "none"].map(|key| numbers.get_timed(&key).unwrap());
        assert_eq!(times, [Some((1, -1)), Some(updated), Some((3, 10)), None]);
    };
    check((2, 1_000));
    stores.borrow_mut().commit(&[(0, 4)], 0).unwrap();
    check((2, 1_000));
    stores.borrow_mut().flush().unwrap();
    stores.borrow_mut().set_time(2_000);
    numbers.update(&"then", |number: Option<u64>| number.map(|number| number + 1)).unwrap();
    check((3, 2_000));
    stores.borrow_mut().discard();
    check((2, 1_000));
    let reader = stores.borrow().reader();
    for found in [reader.get(0, b"earlier"), reader.view().unwrap().get(0, b"earlier")] {
        let found = found.unwrap().unwrap();
        assert_eq!((found.time_ms, found.value), (10, 3u64.to_be_bytes().to_vec()));
    }
}

fn a_store_that_is_not_there_is_an_error(bench: &Bench) {
    let mut stores = bench.open();
    assert_eq!(stores.get(2, b"x", &mut Vec::new()).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(stores.put(2, b"x", b"y").unwrap_err().kind(), Kind::Invalid);
    let mut visitor = |_: &[u8], _: &[u8]| ControlFlow::Continue(());
    let outcome = stores.range(2, Bounds::ALL, Direction::Forward, &mut visitor);
    assert_eq!(outcome.unwrap_err().kind(), Kind::Invalid);
    assert!(stores.wipe(2).is_err() && stores.begin_changelog(2, [0; 16]).is_err() && stores.meta(2).is_none());
}

fn what_was_closed_opens_as_it_was_where_the_medium_lasts(bench: &Bench) {
    let mut stores = bench.open();
    stores.put(0, b"x", b"1").unwrap();
    stores.put(1, b"y", b"2").unwrap();
    stores.commit(&[(0, 10), (1, 20)], 1).unwrap();
    stores.put(0, b"x", b"not committed").unwrap();
    let metas = [stores.meta(0), stores.meta(1)];
    stores.close().unwrap();
    let mut stores = bench.open();
    for (store, entry) in [("x", "1"), ("y", "2")].into_iter().enumerate() {
        let lasts = bench.media[store] == Medium::RocksDb;
        assert_eq!(stores.meta(store), metas[store].clone().filter(|_| lasts));
        assert_eq!(all(&mut stores, store), if lasts { entries(&[entry]) } else { vec![] });
    }
}

macro_rules! contract {
    ($way:ident, $media:expr, $fold_bytes:expr, $drive:expr, $cases:expr, $($promise:ident),* $(,)?) => {
        mod $way {
            use super::*;

            $(
                #[test]
                fn $promise() {
                    super::$promise(&Bench::new($media, $fold_bytes, $drive));
                }
            )*

            proptest! {
                #![proptest_config(ProptestConfig::with_cases($cases))]
                #[test]
                fn behaves_as_sorted_maps_and_their_changelogs_do(steps in random::steps()) {
                    let bench = Bench::new($media, $fold_bytes, $drive);
                    random::behaves_as_sorted_maps_and_their_changelogs_do(bench, steps)?;
                }
            }
        }
    };
    ($($way:ident, $media:expr, $fold_bytes:expr, $drive:expr, $cases:expr;)*) => {
        $(contract!(
            $way, $media, $fold_bytes, $drive, $cases,
            uncommitted_writes_are_read_and_a_discard_takes_them_back,
            a_commit_moves_data_and_positions_of_all_its_stores,
            an_idle_store_is_known_to_be_up_to_date_after_a_commit_of_the_other,
            a_commit_that_makes_no_sense_is_refused_and_changes_nothing,
            bounds_cut_where_they_say_in_both_directions,
            scans_between_large_commits_see_all_of_them,
            an_update_changes_what_any_layer_holds,
            values_keep_the_event_time_that_they_were_put_with,
            wiping_empties_one_store_and_forgets_where_it_stood,
            a_store_that_is_not_there_is_an_error,
            what_was_closed_opens_as_it_was_where_the_medium_lasts,
        );)*
    };
}

const MEMORY: [Medium; 2] = [Medium::Memory, Medium::Memory];
#[cfg(feature = "rocksdb")]
const ROCKS: [Medium; 2] = [Medium::RocksDb, Medium::RocksDb];

// Media, how much is gathered before it is written, who writes it, and how many random sequences.
contract! {
    memory, MEMORY, 1 << 20, Drive::Commits, 64;
    memory_soon_written, MEMORY, 400, Drive::Commits, 64;
    memory_written_at_each_commit, MEMORY, 0, Drive::Commits, 64;
    memory_stepped, MEMORY, 4_000, Drive::Caller, 128;
    memory_folded_by_a_thread, MEMORY, 400, Drive::Thread, 64;
}

#[cfg(feature = "rocksdb")]
contract! {
    rocks, ROCKS, 1 << 20, Drive::Commits, 16;
    rocks_soon_written, ROCKS, 400, Drive::Commits, 16;
    rocks_written_at_each_commit, ROCKS, 0, Drive::Commits, 8;
    rocks_stepped, ROCKS, 4_000, Drive::Caller, 32;
    rocks_folded_by_a_thread, ROCKS, 400, Drive::Thread, 16;
    mixed, [Medium::RocksDb, Medium::Memory], 400, Drive::Caller, 24;
    mixed_the_other_way, [Medium::Memory, Medium::RocksDb], 1 << 20, Drive::Thread, 8;
}
