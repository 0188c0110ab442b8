//! What every medium promises, asked of each of them.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use proptest::prelude::*;
use tempfile::TempDir;

use super::state_directory::InstanceId;
use super::{Bounds, Direction, Kind, Medium, Meta, Options, Shared, Spec, StateDirectory, Stores};

/// Two stores on the media under test, in a directory that can be opened again.
struct Bench {
    root: TempDir,
    media: [Medium; 2],
    shared: Shared,
}

impl Bench {
    fn new(media: [Medium; 2]) -> Self {
        let options = Options { read_cache_bytes: 3_000, memtable_bytes: 1 << 20, ..Options::default() };
        Self { root: tempfile::tempdir().unwrap(), media, shared: Shared::new(options) }
    }

    fn open(&self) -> Stores {
        let state = StateDirectory::open(self.root.path(), "app", InstanceId::new(0, 0)).unwrap();
        let specs = vec![Spec::new("a", self.media[0]).unwrap(), Spec::new("b", self.media[1]).unwrap()];
        let mut stores = Stores::open(specs, state.lock_task("t_0").unwrap(), &self.shared, [7; 32]).unwrap();
        for store in 0..2 {
            if stores.meta(store).is_none() {
                stores.begin_changelog(store, [store as u8; 16]).unwrap();
            }
        }
        stores
    }
}

fn get(stores: &mut Stores, store: usize, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = b"left over".to_vec();
    stores.get(store, key, &mut value).unwrap().then_some(value)
}

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn range(stores: &mut Stores, store: usize, bounds: Bounds<'_>, direction: Direction, count_max: usize) -> Entries {
    let mut found = Vec::new();
    stores
        .range(store, bounds, direction, &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            if found.len() == count_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    found
}

fn all(stores: &mut Stores, store: usize) -> Entries {
    range(stores, store, Bounds::ALL, Direction::Forward, usize::MAX)
}

fn entries(entries: &[(&str, &str)]) -> Entries {
    entries.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

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
    let meta =
        |store: u8, position| Meta { fingerprint: [7; 32], incarnation: [store; 16], position, applied_at_ms: 99 };
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
        assert_eq!(stores.meta(store), metas[store].filter(|_| lasts));
        assert_eq!(all(&mut stores, store), if lasts { entries(&[entry]) } else { vec![] });
    }
}

/// What a processor and its task may do, in any order.
#[derive(Clone, Debug)]
enum Step {
    Put(usize, Vec<u8>, Vec<u8>),
    Delete(usize, Vec<u8>),
    Get(usize, Vec<u8>),
    Range(usize, Vec<u8>, Vec<u8>, bool),
    Commit,
    Discard,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || prop::collection::vec(0u8..3, 0..4);
    let value = prop::collection::vec(any::<u8>(), 0..40);
    let step = prop_oneof![
        8 => (0..2usize, key(), value).prop_map(|(store, key, value)| Step::Put(store, key, value)),
        4 => (0..2usize, key()).prop_map(|(store, key)| Step::Delete(store, key)),
        8 => (0..2usize, key()).prop_map(|(store, key)| Step::Get(store, key)),
        3 => (0..2usize, key(), key(), any::<bool>()).prop_map(|(store, a, b, back)| Step::Range(store, a, b, back)),
        2 => Just(Step::Commit),
        1 => Just(Step::Discard),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 0..150)
}

fn behaves_as_sorted_maps_do(bench: &Bench, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut stores = bench.open();
    let mut position = 0;
    let mut committed = [BTreeMap::<Vec<u8>, Vec<u8>>::new(), BTreeMap::new()];
    let mut current = committed.clone();
    for step in steps {
        match step {
            Step::Put(store, key, value) => {
                stores.put(store, &key, &value).unwrap();
                current[store].insert(key, value);
            }
            Step::Delete(store, key) => {
                stores.delete(store, &key).unwrap();
                current[store].remove(&key);
            }
            Step::Get(store, key) => prop_assert_eq!(get(&mut stores, store, &key), current[store].get(&key).cloned()),
            Step::Range(store, start, end, back) => {
                let direction = if back { Direction::Reverse } else { Direction::Forward };
                let bounds = Bounds { start: Bound::Included(&start), end: Bound::Excluded(&end) };
                let found = range(&mut stores, store, bounds, direction, usize::MAX);
                let inside = current[store].iter().filter(|(key, _)| **key >= start && **key < end);
                let mut expected: Entries = inside.map(|(key, value)| (key.clone(), value.clone())).collect();
                if back {
                    expected.reverse();
                }
                prop_assert_eq!(found, expected);
            }
            Step::Commit => {
                let mut written = [committed[0].clone(), committed[1].clone()];
                stores
                    .changelog_records(|record| {
                        position += 1;
                        if let Some((1, key)) = record.key.split_first() {
                            match record.value {
                                Some(value) => written[record.store].insert(key.to_vec(), value[1..].to_vec()),
                                None => written[record.store].remove(key),
                            };
                        }
                        Ok::<_, ()>(())
                    })
                    .unwrap();
                prop_assert_eq!(&written, &current, "the changelog tells all that changed");
                stores.commit(&[(0, position), (1, position)], 0).unwrap();
                committed = current.clone();
            }
            Step::Discard => {
                stores.discard();
                current = committed.clone();
            }
            Step::Reopen => {
                stores.close().unwrap();
                stores = bench.open();
                for (store, medium) in bench.media.iter().enumerate() {
                    if *medium == Medium::Memory {
                        committed[store].clear();
                    }
                }
                current = committed.clone();
            }
        }
    }
    for (store, current) in current.into_iter().enumerate() {
        prop_assert_eq!(all(&mut stores, store), current.into_iter().collect::<Entries>());
    }
    Ok(())
}

macro_rules! contract {
    ($medium:ident, $media:expr, $cases:expr, $($promise:ident),* $(,)?) => {
        mod $medium {
            use super::*;

            $(
                #[test]
                fn $promise() {
                    super::$promise(&Bench::new($media));
                }
            )*

            proptest! {
                #![proptest_config(ProptestConfig::with_cases($cases))]
                #[test]
                fn behaves_as_sorted_maps_do(steps in steps()) {
                    super::behaves_as_sorted_maps_do(&Bench::new($media), steps)?;
                }
            }
        }
    };
    ($($medium:ident, $media:expr, $cases:expr;)*) => {
        $(contract!(
            $medium, $media, $cases,
            uncommitted_writes_are_read_and_a_discard_takes_them_back,
            a_commit_moves_data_and_positions_of_all_its_stores,
            an_idle_store_is_known_to_be_up_to_date_after_a_commit_of_the_other,
            a_commit_that_makes_no_sense_is_refused_and_changes_nothing,
            bounds_cut_where_they_say_in_both_directions,
            wiping_empties_one_store_and_forgets_where_it_stood,
            a_store_that_is_not_there_is_an_error,
            what_was_closed_opens_as_it_was_where_the_medium_lasts,
        );)*
    };
}

contract! {
    memory, [Medium::Memory, Medium::Memory], 128;
    rocks, [Medium::RocksDb, Medium::RocksDb], 24;
    mixed, [Medium::RocksDb, Medium::Memory], 24;
    mixed_the_other_way, [Medium::Memory, Medium::RocksDb], 8;
}
