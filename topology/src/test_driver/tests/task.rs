use super::*;
use crate::graph::Store;
use crate::store::KeyValueStore;

struct Keep {
    kept: KeyValueStore<I64, Bytes>,
}

impl Processor for Keep {
    type Key = Bytes;
    type Value = I64;
    type KeyOut = Bytes;
    type ValueOut = I64;

    fn process(&mut self, record: &Input<'_>, _: &mut Output<'_>) -> Result {
        Ok(self.kept.put(&record.value.unwrap(), &&[7; 1_000][..])?)
    }
}

fn keeping() -> Topology {
    let mut builder = Builder::new();
    let mut sub = builder.sub_topology("sub");
    let kept = sub.store(Store::memory("kept", I64, Bytes));
    let input = sub.source("input", Topic::new("in"), Bytes, I64);
    sub.processor("keep", &input).with_store(&kept).supply(move |wiring| Ok(Keep { kept: wiring.store(&kept)? }));
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

#[test]
fn what_goes_to_a_topic_of_one_partition_is_sent_to_that_one_by_number() {
    for (count, partition) in [(Some(1), Some(0)), (Some(3), None), (None, None)] {
        let mut builder = Builder::new();
        let mut sub = builder.sub_topology("sub");
        let input = sub.source("input", Topic::new("in"), Bytes, I64);
        let copied = sub
            .processor("copy", &input)
            .supply(|_| Ok(each(|record, context| context.forward(record.with(record.key, record.value)))));
        let out = Topic::new("out");
        let out = count.map_or(out.clone(), |count| out.partitions(count));
        sub.sink("output", &copied, out, Bytes, I64);
        let mut driver = driver(&builder.build().unwrap());
        let record = crate::log::Record {
            offset: 0,
            timestamp_ms: 0,
            key: Some(b"k"),
            value: Some(&[0; 8]),
            headers: Headers::NONE,
        };
        let task = driver.drives[0].task.as_mut().unwrap();
        task.arrived(&[record]);
        task.process_part(&[record]).unwrap();
        let mut partitions = Vec::new();
        let note = |records: &[crate::log::ProducerRecord<'_>]| {
            partitions.extend(records.iter().map(|record| record.partition));
            Ok(())
        };
        task.outputs().drain(note).unwrap();
        assert_eq!(partitions, [partition]);
    }
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
    let mut driver = driver(&through(|_| Ok(each(|_, _| Ok(())))));
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
