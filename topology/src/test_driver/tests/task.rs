use super::*;
use crate::graph::{Store, Stream, Topic};

fn keeping() -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    let kept = Store::<i64, [u8]>::memory("kept");
    input
        .with_store(&kept)
        .process_fn::<(), ()>(|record, kept, _| Ok(kept.put(&record.value.unwrap(), &&[7; 1_000][..])?));
    builder.build().unwrap()
}

#[test]
fn changelog_records_are_handed_over_in_bounded_pieces() {
    let mut driver = driver(&keeping());
    append(&mut driver, (0..1_000).map(Some));
    driver.run().unwrap();
    let task = driver.drives[0].task.as_mut().unwrap();
    let (mut pieces, mut count) = (Vec::new(), 0);
    let mut send = |outputs: &mut crate::processor::Outputs| {
        pieces.push(outputs.size_bytes());
        outputs.drain(|records| {
            count += records.len();
            Ok(())
        })
    };
    task.prepare_commit(&mut send).unwrap();
    assert!(task.outputs().is_empty());
    assert_eq!(count, 1_002, "the incarnation, what is covered, and one for each key");
    assert!(pieces.iter().all(|size| *size < 70_000) && pieces.len() > 10, "{pieces:?}");
}

/// Topic and partition of what a graph makes of these numbers.
fn targets(topology: &Topology, values: &[i64]) -> Result<Vec<(String, Option<i32>)>> {
    let mut driver = driver(topology);
    let task = driver.drives[0].task.as_mut().unwrap();
    for (offset, value) in (0..).zip(values) {
        let value = value.to_be_bytes();
        let (key, headers) = (Some(&b"k"[..]), Headers::NONE);
        let record = crate::log::Record { offset, timestamp_ms: 0, key, value: Some(&value), headers };
        task.take_arriving(&[record])?;
    }
    let mut targets = Vec::new();
    let note = |records: &[crate::log::ProducerRecord<'_>]| {
        targets.extend(records.iter().map(|record| (record.topic.to_owned(), record.partition)));
        Ok(())
    };
    task.outputs().drain(note)?;
    Ok(targets)
}

fn sinking(draw: impl FnOnce(Stream<[u8], i64>)) -> crate::Result<Topology> {
    let builder = Builder::new();
    draw(builder.sub_topology("sub").source::<[u8], i64>("in"));
    builder.build()
}

#[test]
fn what_goes_to_a_topic_of_one_partition_is_sent_to_that_one_by_number() {
    for (count, partition) in [(Some(1), Some(0)), (Some(3), None), (None, Some(0))] {
        let out = Topic::new("out");
        let out = count.map_or(out.clone(), |count| out.partitions(count));
        let topology = sinking(|input| drop(input.sink(out))).unwrap();
        assert_eq!(targets(&topology, &[7]).unwrap(), [("out".to_owned(), partition)]);
    }
}

#[test]
fn each_record_goes_to_the_topic_and_the_partition_that_are_chosen_for_it() {
    let choosing = |input: Stream<[u8], i64>| {
        let topics = ["even", "odd"].map(|name| Topic::new(name).partitions(4));
        let sink = input.sink_choosing(topics, |record| (record.value.unwrap() % 2) as usize);
        sink.partitioned(|record, count| (record.value.unwrap() / 10) as i32 % count);
    };
    let topology = sinking(choosing).unwrap();
    let expected = [("odd", 0), ("even", 1), ("odd", 3)].map(|(topic, partition)| (topic.to_owned(), Some(partition)));
    assert_eq!(targets(&topology, &[1, 12, 35]).unwrap(), expected);
    assert!(topology.to_string().contains("Sink: in-sink (one of the topics: even, odd)"), "{topology}");
}

#[test]
fn a_topic_or_a_partition_that_is_not_there_stops_with_the_name_of_the_sink() {
    let topology = sinking(|input| drop(input.sink_choosing(["one"], |_| 1).named("choose"))).unwrap();
    let error = targets(&topology, &[7]).unwrap_err().to_string();
    assert!(error.contains("sink 'choose' was to write to topic number 1 of 1"), "{error}");
    for partition in [-1, 2] {
        let out = Topic::new("out").partitions(2);
        let topology = sinking(|input| drop(input.sink(out).partitioned(move |_, _| partition))).unwrap();
        let error = targets(&topology, &[7]).unwrap_err().to_string();
        assert!(error.contains(&format!("sink 'to-out' was to write to partition {partition} of 2")), "{error}");
    }
    let none = error_of(sinking(|input| drop(input.sink_choosing([""; 0], |_| 0))).map(drop));
    assert!(none.contains("no topic to choose from"), "{none}");
}

#[test]
fn a_position_that_passed_over_markers_alone_is_to_be_committed_but_not_soon() {
    let mut driver = driver(&keeping());
    append(&mut driver, [Some(1)]);
    driver.run().unwrap();
    let state = |driver: &mut TestDriver| {
        let task = driver.drives[0].task.as_mut().unwrap();
        (task.wants_commit(), task.is_idle())
    };
    assert_eq!(state(&mut driver), (true, false));
    driver.commit().unwrap();
    assert_eq!(state(&mut driver), (false, true));
    driver.drives[0].task.as_mut().unwrap().end_of_partition(0, 2);
    assert_eq!(state(&mut driver), (true, true));
}

#[test]
fn dead_letters_and_stream_time_that_wait_for_a_commit_are_counted_until_then() {
    let mut driver = driver(&through(|| each(|_, _| Ok(()))));
    for timestamp_ms in 0..100 {
        driver.append("in", None, Some(&[0; 8]), timestamp_ms).unwrap();
        driver.append("in", None, Some(&[1; 1_000]), timestamp_ms).unwrap();
    }
    driver.run().unwrap();
    let waiting = |driver: &TestDriver| driver.drives[0].task.as_ref().unwrap().uncommitted_bytes();
    assert!((101_600..150_000).contains(&waiting(&driver)), "{}", waiting(&driver));
    driver.commit().unwrap();
    assert_eq!(waiting(&driver), 0);
}
