use super::*;
use crate::codec::Json;
use crate::store::contract::recorder;
use crate::store::folding::Drive;
use crate::store::layers::FIND_COUNT;
use crate::store::stores::HASH_COUNT;
use crate::store::{Medium, Resources, Spec, StoreOptions};

fn stores() -> Rc<RefCell<Stores>> {
    let specs = vec![Spec::new("a", Medium::Memory).unwrap(), Spec::new("b", Medium::Memory).unwrap()];
    Rc::new(RefCell::new(
        Stores::in_memory(specs, [0; 32], &Resources::without_thread(StoreOptions::default())).unwrap(),
    ))
}

#[test]
fn a_count_reads_as_it_should() -> crate::Result<()> {
    let counts = KeyValueStore::<str, i64>::new(stores(), 0)?;
    for key in ["a", "b", "a"] {
        let count = counts.get(&key)?.unwrap_or(0) + 1;
        counts.put(&key, &count)?;
    }
    assert_eq!((counts.get(&"a")?, counts.get(&"b")?, counts.get(&"c")?), (Some(2), Some(1), None));
    counts.delete(&"a")?;
    assert!(!counts.contains(&"a")? && counts.contains(&"b")?);
    Ok(())
}

#[test]
fn borrowed_and_owned_values_are_both_at_hand() {
    let texts = KeyValueStore::<u64, str>::new(stores(), 0).unwrap();
    texts.put(&1, &"one").unwrap();
    assert_eq!(texts.get_with(&1, |text| text.map(str::len)).unwrap(), Some(3));
    assert_eq!(texts.get_with(&2, |text| text.map(str::len)).unwrap(), None);
    let lists = KeyValueStore::<[u8], Json<Vec<u32>>>::new(stores(), 1).unwrap();
    lists.put(&&b"k"[..], &Json(vec![1, 2])).unwrap();
    assert_eq!(lists.get(&&b"k"[..]).unwrap(), Some(Json(vec![1, 2])));
}

#[test]
fn a_long_scan_sees_each_entry_once_in_both_directions_and_within_bounds() {
    let store = KeyValueStore::<u64, [u8]>::new(stores(), 0).unwrap();
    let value = vec![7; 300];
    for key in 0..1_000 {
        store.put(&key, &&value[..]).unwrap();
    }
    let seen = |start, end, direction| {
        let mut keys = Vec::new();
        store
            .range(start, end, direction, |key, value| {
                assert_eq!(value.len(), 300);
                keys.push(key);
                ControlFlow::Continue(())
            })
            .unwrap();
        keys
    };
    assert_eq!(seen(Bound::Unbounded, Bound::Unbounded, Direction::Forward), (0..1_000).collect::<Vec<_>>());
    let reverse = seen(Bound::Excluded(&100), Bound::Included(&900), Direction::Reverse);
    assert_eq!(reverse, (101..=900).rev().collect::<Vec<_>>());
    let mut count = 0;
    let until_500 = |key, _: &[u8]| {
        count += 1;
        if key == 500 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.scan(Direction::Forward, until_500).unwrap();
    assert_eq!(count, 501);
}

#[test]
fn a_visitor_may_read_write_and_scan_the_same_task_s_stores() {
    let stores = stores();
    let source = KeyValueStore::<u64, u64>::new(Rc::clone(&stores), 0).unwrap();
    let copy = KeyValueStore::<u64, u64>::new(stores, 1).unwrap();
    for key in 0..5_000 {
        source.put(&key, &(key * 2)).unwrap();
    }
    let visit = |key, value| {
        copy.put(&key, &value).unwrap();
        source.delete(&key).unwrap();
        assert_eq!((copy.get(&key).unwrap(), source.get(&key).unwrap()), (Some(value), None));
        copy.scan(Direction::Reverse, |last, _| {
            assert_eq!(last, key);
            ControlFlow::Break(())
        })
        .unwrap();
        ControlFlow::Continue(())
    };
    source.scan(Direction::Forward, visit).unwrap();
    let mut left = 0;
    source
        .scan(Direction::Forward, |_, _| {
            left += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((left, copy.get(&4_999).unwrap()), (0, Some(9_998)));
}

#[test]
fn a_prefix_takes_what_begins_with_it_also_at_the_end_of_all_keys() {
    let store = KeyValueStore::<[u8], u64>::new(stores(), 0).unwrap();
    let keys: [&[u8]; 6] = [b"a", b"ab", b"b", b"\xff", b"\xff\xff", b"\xff\xff\x01"];
    for (value, key) in (0..).zip(&keys) {
        store.put(key, &value).unwrap();
    }
    let seen = |prefix: &[u8]| {
        let mut values = Vec::new();
        store
            .prefix(prefix, Direction::Forward, |_, value| {
                values.push(value);
                ControlFlow::Continue(())
            })
            .unwrap();
        values
    };
    assert_eq!(seen(b"a"), [0, 1]);
    assert_eq!(seen(b"\xff"), [3, 4, 5]);
    assert_eq!(seen(b"\xff\xff"), [4, 5]);
    assert_eq!(seen(b""), [0, 1, 2, 3, 4, 5]);
    assert_eq!(seen(b"c"), [0u64; 0]);
}

#[test]
fn bytes_that_the_codec_cannot_read_are_an_error_that_names_the_store() {
    let stores = stores();
    let written = KeyValueStore::<str, str>::new(Rc::clone(&stores), 0).unwrap();
    written.put(&"k", &"not a number").unwrap();
    let read = KeyValueStore::<str, u64>::new(stores, 0).unwrap();
    let error = read.get(&"k").unwrap_err();
    assert_eq!(error.kind(), Kind::Corruption);
    assert!(error.to_string().contains("store a holds bytes"), "{error}");
    assert!(read.get_with(&"k", |_| ()).is_err());
    assert!(read.update(&"k", |_| -> Option<u64> { unreachable!("it was shown what cannot be read") }).is_err());
    assert_eq!(written.get_with(&"k", |text| text.map(str::len)).unwrap(), Some(12), "and nothing was changed");
    assert!(read.scan(Direction::Forward, |_, _| ControlFlow::Continue(())).is_err());
}

#[test]
fn an_update_may_use_its_own_handle_meanwhile() {
    let store = KeyValueStore::<str, u64>::new(stores(), 0).unwrap();
    let outer = store.update(&"outer", |before| {
        assert_eq!(before, None);
        assert_eq!(store.update(&"inner", |before: Option<u64>| Some(before.unwrap_or(6) + 1)).unwrap(), Some(7));
        store.put(&"outer", &99).unwrap();
        Some(1)
    });
    assert_eq!(outer.unwrap(), Some(1));
    assert_eq!((store.get(&"outer").unwrap(), store.get(&"inner").unwrap()), (Some(1), Some(7)));
}

/// Over a disk and in memory, uncommitted, committed, and written.
#[test]
fn an_update_of_a_key_in_use_hashes_once_and_looks_once() {
    let in_memory = stores();
    let on_disk = Rc::new(RefCell::new(recorder::stores(&recorder::resources(4_000, Drive::Commits)).0));
    for stores in [in_memory, on_disk] {
        for store in 0..2 {
            let _ = stores.borrow_mut().begin_changelog(store, [0; 16]);
        }
        let counts = KeyValueStore::<str, u64>::new(Rc::clone(&stores), 0).unwrap();
        let keys: Vec<String> = (0..20).map(|key| format!("key-{key}")).collect();
        let count_all = || {
            for key in &keys {
                counts.update(&key.as_str(), |count| Some(count.unwrap_or(0) + 1)).unwrap();
            }
        };
        count_all();
        let before = (HASH_COUNT.get(), FIND_COUNT.get());
        for position in 1..=50 {
            count_all();
            stores.borrow_mut().commit(&[(0, position)], 0).unwrap();
        }
        let (hashed, looked_up) = (HASH_COUNT.get() - before.0, FIND_COUNT.get() - before.1);
        assert_eq!((hashed, looked_up), (50 * 20, 50 * 20));
        assert_eq!(counts.get(&"key-7").unwrap(), Some(51));
    }
}
