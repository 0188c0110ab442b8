//! Random sequences of what a processor, its task and a restore may do, against maps and changelogs.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use proptest::prelude::*;

use super::bench::{Bench, Entries, all, get, range};
use crate::log::Offset;
use crate::store::changelog::Timed;
use crate::store::{Bounds, Covered, Direction, Error, Medium, Meta, Stores};

/// What may happen, in any order.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Put(usize, Vec<u8>, Vec<u8>),
    Delete(usize, Vec<u8>),
    Get(usize, Vec<u8>),
    Range(usize, Vec<u8>, Vec<u8>, bool),
    Commit,
    Discard,
    /// A step of the folder.
    Fold,
    /// A flush is due.
    FlushDue,
    Flush,
    Reopen,
    Crash,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || prop::collection::vec(0u8..3, 0..4);
    let value = prop::collection::vec(any::<u8>(), 0..40);
    let step = prop_oneof![
        16 => (0..2usize, key(), value).prop_map(|(store, key, value)| Step::Put(store, key, value)),
        8 => (0..2usize, key()).prop_map(|(store, key)| Step::Delete(store, key)),
        16 => (0..2usize, key()).prop_map(|(store, key)| Step::Get(store, key)),
        6 => (0..2usize, key(), key(), any::<bool>()).prop_map(|(store, a, b, back)| Step::Range(store, a, b, back)),
        6 => Just(Step::Commit),
        2 => Just(Step::Discard),
        6 => Just(Step::Fold),
        1 => Just(Step::FlushDue),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 0..150)
}

type Maps = [BTreeMap<Vec<u8>, Vec<u8>>; 2];
/// Of each store: what its changelog holds, `None` for the incarnation.
type Changelogs = [Vec<Option<(Vec<u8>, Option<Vec<u8>>)>>; 2];

/// What should be.
#[derive(Default)]
struct Model {
    /// With what is not committed.
    current: Maps,
    /// What each commit made, and the positions then.
    commits: Vec<(Maps, [Offset; 2])>,
    /// So many commits are on the disk for sure.
    flushed: usize,
    changelogs: Changelogs,
}

pub(super) fn behaves_as_sorted_maps_and_their_changelogs_do(
    mut bench: Bench,
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let mut stores = bench.open();
    let mut model = Model { commits: vec![Default::default()], ..Model::default() };
    for step in steps {
        match step {
            Step::Put(store, key, value) => {
                stores.put(store, &key, &value).unwrap();
                model.current[store].insert(key, value);
            }
            Step::Delete(store, key) => {
                stores.delete(store, &key).unwrap();
                model.current[store].remove(&key);
            }
            Step::Get(store, key) => {
                prop_assert_eq!(get(&mut stores, store, &key), model.current[store].get(&key).cloned());
                model.check_view(&stores, store, &key)?;
            }
            Step::Range(store, start, end, back) => model.check_range(&mut stores, store, &start, &end, back)?,
            Step::Commit => model.commit(&mut stores)?,
            Step::Discard => {
                stores.discard();
                model.discard();
            }
            Step::Fold => drop(bench.resources.step()),
            Step::FlushDue => drop(stores.flush_if_due(1 << 40).unwrap()),
            Step::Flush => {
                stores.flush().unwrap();
                model.flushed = model.commits.len() - 1;
            }
            Step::Reopen => {
                stores.close().unwrap();
                model.flushed = model.commits.len() - 1;
                stores = bench.open();
                model.restore(&mut stores, bench.media)?;
            }
            Step::Crash => {
                stores = bench.crash(stores);
                model.restore(&mut stores, bench.media)?;
            }
        }
    }
    for (store, current) in model.current.into_iter().enumerate() {
        prop_assert_eq!(all(&mut stores, store), current.into_iter().collect::<Entries>());
    }
    Ok(())
}

impl Model {
    fn discard(&mut self) {
        self.current = self.commits.last().unwrap().0.clone();
    }

    fn check_range(
        &self,
        stores: &mut Stores,
        store: usize,
        start: &[u8],
        end: &[u8],
        back: bool,
    ) -> Result<(), TestCaseError> {
        let direction = if back { Direction::Reverse } else { Direction::Forward };
        let bounds = Bounds { start: Bound::Included(start), end: Bound::Excluded(end) };
        let found = range(stores, store, bounds, direction, usize::MAX);
        let inside = self.current[store].iter().filter(|(key, _)| &key[..] >= start && &key[..] < end);
        let mut expected: Entries = inside.map(|(key, value)| (key.clone(), value.clone())).collect();
        if back {
            expected.reverse();
        }
        prop_assert_eq!(found, expected);
        Ok(())
    }

    /// A reader sees what the last commit made, all of it and nothing else, whatever is not committed.
    fn check_view(&self, stores: &Stores, store: usize, key: &[u8]) -> Result<(), TestCaseError> {
        let (committed, positions) = self.commits.last().unwrap();
        let view = stores.reader().view().unwrap();
        let seen = || {
            let entries = [0, 1].map(|store| {
                let mut entries = BTreeMap::new();
                let mut take = |key: &[u8], _: i64, value: &[u8]| {
                    entries.insert(key.to_vec(), value.to_vec());
                    ControlFlow::Continue(())
                };
                view.all(store, Direction::Reverse, &mut take).unwrap();
                entries
            });
            let positions = [view.position(0)?, view.position(1)?].map(|position| position.unwrap_or(0));
            Ok::<_, Error>((view.get(store, key)?.map(|found| found.value), entries, positions))
        };
        let (found, entries, at) = seen().unwrap();
        let alone = stores.reader().get(store, key).unwrap().map(|found| found.value);
        prop_assert_eq!(&alone, &found);
        prop_assert_eq!(found, committed[store].get(key).cloned());
        prop_assert_eq!((&entries, at), (committed, *positions));
        Ok(())
    }

    fn commit(&mut self, stores: &mut Stores) -> Result<(), TestCaseError> {
        let (mut written, _) = self.commits.last().unwrap().clone();
        stores
            .changelog_records(|record| {
                let entry = record.key.strip_prefix(b"\x01").map(<[u8]>::to_vec);
                // Behind the format and the event time.
                let value = record.value.map(|value| value[9..].to_vec());
                if let Some(key) = &entry {
                    match &value {
                        Some(value) => written[record.store].insert(key.clone(), value.clone()),
                        None => written[record.store].remove(key),
                    };
                }
                self.changelogs[record.store].push(entry.map(|key| (key, value)));
                Ok::<_, ()>(())
            })
            .unwrap();
        prop_assert_eq!(&written, &self.current, "the changelog tells all that changed");
        let positions = self.ends();
        let begun: Vec<_> = (0..2).zip(positions).filter(|(_, position)| *position > 0).collect();
        stores.commit(&begun, 0).unwrap();
        for (store, position) in begun {
            prop_assert_eq!(stores.meta(store).map(|meta| meta.position), Some(position));
        }
        self.commits.push((written, positions));
        Ok(())
    }

    /// Where the changelogs end.
    fn ends(&self) -> [Offset; 2] {
        [0, 1].map(|store| self.changelogs[store].len() as Offset)
    }

    /// What a medium that lasts holds must be what one commit made, no older than the last flush; then the rest of the
    /// changelogs brings back what is missing.
    fn restore(&mut self, stores: &mut Stores, media: [Medium; 2]) -> Result<(), TestCaseError> {
        let found = [0, 1].map(|store| stores.meta(store).map_or(0, |meta| meta.position));
        let contents = [0, 1].map(|store| all(stores, store).into_iter().collect());
        let expected = |(maps, positions): &(Maps, [Offset; 2])| {
            let (mut maps, mut positions) = (maps.clone(), *positions);
            for store in 0..2 {
                if media[store] == Medium::Memory {
                    maps[store].clear();
                    positions[store] = 0;
                }
            }
            (maps, positions)
        };
        let found = (contents, found);
        let one_commit = self.commits[self.flushed..].iter().any(|commit| expected(commit) == found);
        prop_assert!(one_commit, "{:?} is not what a commit made since flush {}", found, self.flushed);
        for (store, end) in self.ends().into_iter().enumerate() {
            let position = found.1[store];
            for (key, value) in self.changelogs[store][position as usize..].iter().flatten() {
                let value = value.as_ref().map(|value| [&Timed::head(7)[..], value].concat());
                stores.stage(store, key, value.as_deref()).unwrap();
            }
            let (fingerprint, incarnation) = ([7; 32], [store as u8; 16]);
            let meta = Meta { fingerprint, incarnation, position: end, applied_at_ms: 0, covered: Covered::default() };
            if end > 0 {
                stores.apply(&[(store, meta)], 0).unwrap();
            }
            stores.end_staging(store);
        }
        self.discard();
        for (store, committed) in self.current.iter().enumerate() {
            prop_assert_eq!(all(stores, store), committed.clone().into_iter().collect::<Entries>());
        }
        Ok(())
    }
}
