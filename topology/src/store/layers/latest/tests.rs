use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

fn hash(key: u16) -> u64 {
    u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[derive(Clone, Debug)]
enum Step {
    Set(u16, Option<usize>),
    Read(u16),
    Commit,
    Discard,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u16..200, prop::option::of(0usize..60)).prop_map(|(key, size)| Step::Set(key, size)),
        6 => (0u16..200).prop_map(Step::Read),
        1 => Just(Step::Commit),
        1 => Just(Step::Discard),
    ];
    prop::collection::vec(step, 0..600)
}

type Map = HashMap<u16, Vec<u8>>;

proptest! {
    /// Below it lies what each commit made; what it does not know is what was there at `complete_from` or before.
    #[test]
    fn what_it_answers_is_never_stale_and_a_miss_means_what_it_says(steps in steps()) {
        let mut latest = Latest::new(true);
        latest.set_size_bytes_max(8_000);
        let mut versions: Vec<Map> = vec![Map::new()];
        let mut current = Map::new();
        for (index, step) in steps.into_iter().enumerate() {
            match step {
                Step::Set(key, size) => {
                    let value = size.map(|size| vec![index as u8; size]);
                    // As an update does: with the place that a look-up gave.
                    let place = if index % 2 == 0 { latest.get(hash(key), &key.to_be_bytes()).1 } else { None };
                    let pieces = value.as_deref().map(|value| value.split_at(value.len() / 2).into());
                    latest.set(place, hash(key), &key.to_be_bytes(), pieces).unwrap();
                    match value {
                        Some(value) => current.insert(key, value),
                        None => current.remove(&key),
                    };
                }
                Step::Read(key) => {
                    let bytes = key.to_be_bytes();
                    let (found, place) = latest.get(hash(key), &bytes);
                    match found {
                        Found::Here(value) => prop_assert_eq!(value, current.get(&key).map(Vec::as_slice)),
                        Found::Older => {
                            let complete_from = latest.complete_from() as usize;
                            prop_assert_eq!(current.get(&key), versions[complete_from].get(&key));
                            latest.note(place, hash(key), &bytes, current.get(&key).map(Vec::as_slice));
                        }
                        Found::Unknown => {
                            latest.note(place, hash(key), &bytes, current.get(&key).map(Vec::as_slice));
                        }
                    }
                }
                Step::Commit => {
                    let mut committed = versions.last().unwrap().clone();
                    for (key, value) in latest.freeze().unwrap().iter() {
                        let key = u16::from_be_bytes(key.try_into().unwrap());
                        match value {
                            Some(value) => committed.insert(key, value.to_vec()),
                            None => committed.remove(&key),
                        };
                    }
                    prop_assert_eq!(&committed, &current);
                    versions.push(committed);
                    latest.commit(versions.len() as u64 - 1, 8_000);
                }
                Step::Discard => {
                    latest.discard();
                    current = versions.last().unwrap().clone();
                }
            }
        }
    }
}

#[test]
fn what_is_used_stays_what_is_not_goes_and_the_bound_holds() {
    let mut latest = Latest::new(true);
    let read = |latest: &mut Latest, key: u16| {
        let (found, place) = latest.get(hash(key), &key.to_be_bytes());
        let is_here = matches!(found, Found::Here(_));
        if !is_here {
            latest.note(place, hash(key), &key.to_be_bytes(), Some(b"12345678"));
        }
        is_here
    };
    for key in 0..30_000u16 {
        if key % 100 == 0 {
            latest.commit(1, 100_000);
        }
        read(&mut latest, 0);
        read(&mut latest, key);
        assert!(latest.taken_bytes() <= 100_000);
    }
    assert!(read(&mut latest, 0) && !read(&mut latest, 1));
}

#[test]
fn a_hot_key_is_found_with_one_look_and_set_without_one() {
    let mut latest = Latest::new(true);
    latest.set(None, hash(1), b"key", Some([b"1", b""])).unwrap();
    latest.commit(1, 10_000);
    let (found, place) = latest.get(hash(1), b"key");
    assert_eq!(found, Found::Here(Some(b"1")));
    // With a hash that no look-up would find it under: so none is made.
    latest.set(place, hash(2), b"key", Some([b"2", b""])).unwrap();
    assert_eq!(latest.get(hash(1), b"key").0, Found::Here(Some(b"2")));
    assert_eq!(latest.writes().count(), 1);
}

#[test]
fn a_store_that_one_commit_wrote_much_to_takes_no_more_than_its_part_afterwards() {
    const PART_BYTES: usize = 100_000;
    let mut latest = Latest::new(true);
    latest.set_size_bytes_max(PART_BYTES);
    for commit in 1..10 {
        for key in 0..10_000u16 {
            latest.set(None, hash(key), &key.to_be_bytes(), Some([b"12345678", b""])).unwrap();
        }
        assert!(latest.taken_bytes() > 4 * PART_BYTES);
        latest.commit(commit, PART_BYTES);
        assert!(latest.taken_bytes() <= PART_BYTES, "{} bytes after commit {commit}", latest.taken_bytes());
        // Not known any more: what the backend has of that commit counts.
        assert_eq!(latest.get(hash(1), &1u16.to_be_bytes()).0, Found::Older);
        assert_eq!(latest.complete_from(), commit);
    }
    // What fits stays.
    latest.set(None, hash(1), b"key", Some([b"1", b""])).unwrap();
    latest.commit(10, PART_BYTES);
    assert_eq!(latest.get(hash(1), b"key").0, Found::Here(Some(b"1")));
}
