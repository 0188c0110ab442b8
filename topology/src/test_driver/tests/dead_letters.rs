use std::collections::BTreeMap;

use super::*;
use crate::codec::Json;
use crate::error::{Class, Error};
use crate::graph::Store;
use crate::processor::{DeadLetter, HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_TIMESTAMP_MS, HEADER_TOPIC};

fn copying() -> Topology {
    through(|| each(|record, context| context.forward(record.with(record.key, record.value))))
}

#[test]
fn what_cannot_be_decoded_becomes_a_dead_letter_with_its_origin_and_does_not_stop_the_stream() {
    let mut driver = driver(&copying());
    append(&mut driver, [Some(1)]);
    let headers = vec![("trace".to_owned(), Some(b"7".to_vec()))];
    let bad = OwnedRecord {
        partition: 0,
        offset: -1,
        timestamp_ms: 9,
        key: Some(b"key".to_vec()),
        value: Some(b"bad".to_vec()),
        headers: headers.clone(),
    };
    driver.pipe_record("in", bad.clone()).unwrap();
    append(&mut driver, [Some(2)]);
    driver.run().unwrap();
    assert!(driver.read("in-dead-letters").is_empty());
    driver.commit().unwrap();
    assert_eq!(numbers(driver.read("out")), [1, 2]);
    let [letter] = driver.read("in-dead-letters") else { panic!("{:?}", driver.read("in-dead-letters")) };
    assert_eq!(
        (&letter.key, &letter.value, letter.timestamp_ms),
        (&bad.key, &bad.value, 0),
        "now, by the driver's clock"
    );
    assert_eq!(letter.headers[..1], headers);
    let header = |name| letter.header(name).unwrap();
    assert_eq!(
        (header(HEADER_TOPIC), header(HEADER_PARTITION), header(HEADER_OFFSET)),
        ("in".into(), "0".into(), "1".into())
    );
    assert_eq!(header(HEADER_TIMESTAMP_MS), "9");
    assert!(header(HEADER_REASON).contains("value: 3 bytes"), "{}", header(HEADER_REASON));
    assert_eq!(driver.committed_offset("in"), Some(3));
}

#[test]
fn a_dead_letter_of_an_aborted_transaction_is_void_and_made_again() {
    let mut driver = driver(&copying());
    append(&mut driver, [None, Some(1)]);
    driver.run().unwrap();
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!((driver.read("in-dead-letters").len(), numbers(driver.read("out"))), (1, vec![1]));
}

#[test]
fn a_processor_s_own_dead_letters_are_part_of_the_transaction() {
    let mut driver = driver(&through(|| {
        each(|record, context| {
            if record.value < Some(0) {
                let value = record.value.unwrap().to_be_bytes();
                context.dead_letter(&DeadLetter {
                    position: record.position(),
                    timestamp_ms: record.timestamp_ms,
                    key: record.key,
                    value: Some(&value),
                    headers: record.headers,
                    reason: "negative",
                });
                return Ok(());
            }
            context.forward(record.with(record.key, record.value))
        })
    }));
    append(&mut driver, [Some(1), Some(-2), Some(3)]);
    driver.run().unwrap();
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!((numbers(driver.read("in-dead-letters")), numbers(driver.read("out"))), (vec![-2], vec![1, 3]));
}

#[test]
fn a_processor_that_calls_its_input_wrong_stops_and_names_the_record() {
    let mut driver = driver(&through(|| {
        each(|record, _| match record.value {
            Some(2) => Err(Error::new(Class::Input, "two is too much").into()),
            _ => Ok(()),
        })
    }));
    append(&mut driver, [Some(1), Some(2), Some(3)]);
    let error = driver.run().unwrap_err();
    assert_eq!(error.class(), Class::Stop);
    let text = error.to_string();
    assert!(text.contains("offset 1 of in-0: two is too much") && text.contains("dead letters"), "{text}");
}

type Map = Json<BTreeMap<Vec<i32>, i32>>;

/// Makes something that JSON cannot say: an object whose key is a list.
fn unsayable(into_store: bool) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let maps = Store::<[u8], Map>::memory("maps");
    let made = input.with_store(&maps).process_fn::<[u8], Map>(move |record, maps, context| {
        let map = Json(BTreeMap::from([(vec![1], 2)]));
        match into_store {
            true => Ok(maps.put(&&b"key"[..], &map)?),
            false => context.forward(record.with(record.key, Some(map))),
        }
    });
    made.sink("out");
    builder.build().unwrap()
}

#[test]
fn an_item_that_cannot_be_encoded_stops_and_says_where_it_was_to_go() {
    for (into_store, place) in [(false, "topic 'out'"), (true, "store maps")] {
        let mut driver = driver(&unsayable(into_store));
        append(&mut driver, [Some(1)]);
        let error = driver.run().unwrap_err();
        assert_eq!(error.class(), Class::Stop);
        assert!(error.to_string().contains(place), "{error}");
    }
}
