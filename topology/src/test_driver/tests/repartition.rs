//! Repartition topics: on them records come to the task of their key.

use super::*;
use crate::graph::{Repartition, Store, Topic};
use crate::log::partition_for_key;

/// `in`, of 2 partitions -> keyed by the value -> 4 partitions -> counted -> `out`.
fn counting(counts: &Store<i64, i64>) -> Topology {
    let builder = Builder::new();
    let by_value = Repartition::<i64, ()>::new("by-value").partitions(4);
    // Drawn before what feeds it.
    builder.sub_topology("counting").source_of(&by_value).count(counts).sink("out");
    let input = builder.sub_topology("keying").source::<[u8], i64>(Topic::new("in").partitions(2));
    input.map(|record| (record.value.unwrap_or(0), ())).repartition(&by_value);
    builder.build().unwrap()
}

const BY_VALUE: &str = "app-by-value-repartition";

fn pipe(driver: &mut TestDriver, value: i64, partition: i32) {
    driver.pipe(("in", partition), None, Some(&value.to_be_bytes()), 0).unwrap();
}

#[test]
fn records_of_one_key_meet_in_one_task_whatever_partition_they_came_from() {
    let counts = Store::memory("counts");
    let mut driver = driver(&counting(&counts));
    for round in 0..3 {
        for value in 0..20 {
            pipe(&mut driver, value, ((value + round) % 2) as i32);
        }
    }
    driver.commit().unwrap();
    assert_eq!((driver.read(BY_VALUE).len(), driver.read("out").len()), (60, 0), "moved and not counted yet");
    driver.commit().unwrap();
    for value in 0..20_i64 {
        let home = partition_for_key(&value.to_be_bytes(), 4).unwrap() as i32;
        for partition in 0..4 {
            let count = driver.store_of(&counts, partition).unwrap().get(&value).unwrap();
            assert_eq!(count, (partition == home).then_some(3), "{value} in {partition}");
        }
    }
    assert_eq!(driver.read("out").len(), 60);
    for partition in 0..4 {
        let here = driver.read(BY_VALUE).iter().filter(|record| record.partition == partition).count();
        assert!(here > 0 && driver.committed_offset((BY_VALUE, partition)) == Some(here as i64));
    }
}

#[test]
fn what_was_not_committed_is_not_read_and_what_was_is_read_once() {
    let counts = Store::memory("counts");
    let mut driver = driver(&counting(&counts));
    pipe(&mut driver, 7, 0);
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!(driver.read(BY_VALUE).len(), 1);
    driver.abort().unwrap();
    driver.commit().unwrap();
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!(driver.output::<i64, i64>("out").read().unwrap(), [(Some(7), Some(1))]);
}

#[test]
fn the_end_of_input_reaches_behind_a_repartition_topic_in_whatever_order_it_was_drawn() {
    let counts = Store::memory("counts");
    let mut driver = driver(&counting(&counts));
    (0..50).for_each(|value| pipe(&mut driver, value % 5, 1));
    driver.end_of_input().unwrap();
    assert_eq!(driver.read("out").len(), 50);
}

#[test]
fn a_record_keeps_its_time_and_its_headers_on_the_way() {
    let mut driver = driver(&counting(&Store::memory("counts")));
    let headers = vec![("trace".to_owned(), Some(b"1".to_vec()))];
    let value = Some(9_i64.to_be_bytes().to_vec());
    let record = OwnedRecord { partition: 0, offset: -1, timestamp_ms: 4_711, key: None, value, headers };
    driver.pipe_record("in", record).unwrap();
    driver.commit().unwrap();
    let [moved] = driver.read(BY_VALUE) else { panic!("one record") };
    assert_eq!((moved.timestamp_ms, moved.headers.len()), (4_711, 1));
}

#[test]
fn a_description_names_repartition_topics_and_shows_them_as_what_they_are() {
    let topology = counting(&Store::memory("counts"));
    let text = topology.to_string();
    assert!(text.starts_with("Sub-topology: keying\n"), "{text}");
    assert!(text.contains("Sink: to-by-value (repartition topic: by-value, partitions: 4)\n"), "{text}");
    assert!(text.contains("Source: by-value (repartition topic: by-value, partitions: 4)\n"), "{text}");
    let dot = topology.to_dot();
    for line in [
        r#""to-by-value" -> "repartition:by-value";"#,
        r#""repartition:by-value" -> "by-value";"#,
        r#""repartition:by-value" [shape=cds, style=dashed, label="by-value"];"#,
    ] {
        assert!(dot.contains(line), "{dot}");
    }
}

#[test]
fn a_repartition_topic_is_made_once_written_and_read() {
    let built = |write: bool, read: bool, twice: bool| {
        let builder = Builder::new();
        let one = Repartition::<[u8], [u8]>::new("moved");
        let other = if twice { Repartition::new("moved") } else { one.clone() };
        let input = builder.sub_topology("one").source::<[u8], [u8]>("in");
        if write {
            drop(input.repartition(&one))
        } else {
            drop(input.sink("elsewhere"))
        }
        let two = builder.sub_topology("two");
        let input = if read { two.source_of(&other) } else { two.source("moved") };
        input.sink("out");
        error_of(builder.build().map(drop))
    };
    assert!(built(true, false, false).contains("repartition topic 'moved' is written and never read"));
    assert!(built(false, true, false).contains("repartition topic 'moved' is read and never written"));
    assert!(built(true, true, true).contains("there are two repartition topics named 'moved'"));
}

#[test]
fn a_topic_of_that_name_is_another_unless_it_is_called_as_the_application_calls_its_own() {
    let builder = Builder::new();
    let moved = Repartition::<[u8], [u8]>::new("moved");
    builder.sub_topology("one").source::<[u8], [u8]>("moved").named("in").repartition(&moved);
    builder.sub_topology("two").source_of(&moved).sink("app-moved-repartition");
    let topology = builder.build().unwrap();
    assert!(TestDriver::new(&topology, "other", 0).is_ok());
    let error = error_of(TestDriver::new(&topology, "app", 0).map(drop));
    assert!(error.contains("topic 'app-moved-repartition' is a repartition topic of the application"), "{error}");
}

#[test]
fn partitions_of_a_repartition_topic_can_be_chosen_though_the_graph_does_not_say_how_many_there_are() {
    let builder = Builder::new();
    let moved = Repartition::<[u8], i64>::new("moved");
    let input = builder.sub_topology("one").source::<[u8], i64>(Topic::new("in").partitions(3));
    input.repartition(&moved).partitioned(|record, count| (record.value.unwrap_or(0) % i64::from(count)) as i32);
    builder.sub_topology("two").source_of(&moved).sink("out");
    let mut driver = driver(&builder.build().unwrap());
    (0..9).for_each(|value| pipe(&mut driver, value, 0));
    driver.commit().unwrap();
    for record in driver.read("app-moved-repartition") {
        let value = i64::from_be_bytes(record.value.as_deref().unwrap().try_into().unwrap());
        assert_eq!(i64::from(record.partition), value % 3);
    }
}
