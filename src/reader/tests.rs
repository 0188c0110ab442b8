use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use topology::clock::ManualClock;
use topology::log::memory::MemoryLog;
use topology::log::{Producer, ProducerOptions, ProducerRecord, TopicSpec};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn log_with(transactions: &[(&[&str], bool)]) -> MemoryLog {
    let log = MemoryLog::new(Arc::new(|| 0));
    let name = "t".to_owned();
    log.create_topics(&[TopicSpec { name, partition_count: 1, replication_factor: None, config: Vec::new() }]).unwrap();
    produce(&log, transactions);
    log
}

fn produce(log: &MemoryLog, transactions: &[(&[&str], bool)]) {
    let mut producer = producer(log, "p");
    for (values, commit) in transactions {
        producer.begin().unwrap();
        values.iter().for_each(|value| send(&mut producer, value));
        if *commit { producer.commit(SECOND).unwrap() } else { producer.abort(SECOND).unwrap() }
    }
}

fn producer(log: &MemoryLog, transactional_id: &str) -> <MemoryLog as Log>::Producer {
    let (transactional_id, client_id) = (transactional_id.to_owned(), "p".to_owned());
    let options =
        ProducerOptions { transactional_id, transaction_timeout_ms: 10_000, client_id, track_topics: Vec::new() };
    let mut producer = log.producer(&options).unwrap();
    producer.init_transactions(SECOND).unwrap();
    producer
}

fn send(producer: &mut impl Producer, value: &str) {
    let value = Some(value.as_bytes());
    let record = ProducerRecord { topic: "t", partition: None, timestamp_ms: 0, key: None, value, headers: &[] };
    producer.send(&record).unwrap();
}

/// Time that passes by being looked at.
#[derive(Default)]
struct TickingClock(AtomicI64);

impl Clock for TickingClock {
    fn now_ms(&self) -> i64 {
        self.monotonic_ms()
    }

    fn monotonic_ms(&self) -> i64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }

    fn sleep(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

fn text(record: &Record<'_>) -> String {
    String::from_utf8_lossy(record.value.unwrap()).into_owned()
}

fn some_text(record: &Record<'_>) -> Option<String> {
    Some(text(record))
}

#[test]
fn the_first_and_the_last_committed_record_are_found_behind_aborted_ones() {
    let aborted: Vec<&str> = vec!["x"; 300];
    let log = log_with(&[(&aborted, false), (&["a", "b"], true), (&["c"], true), (&aborted, false)]);
    let clock = ManualClock::new(0);
    let reader = Reader::new(&log, &clock, "test");
    assert_eq!(reader.first("t", some_text).unwrap().as_deref(), Some("a"));
    assert_eq!(reader.last("t", some_text).unwrap().as_deref(), Some("c"));
}

#[test]
fn a_topic_that_is_missing_or_empty_or_all_aborted_has_no_record() {
    let clock = ManualClock::new(0);
    for log in [log_with(&[]), log_with(&[(&["x"], false)])] {
        let reader = Reader::new(&log, &clock, "test");
        assert_eq!(reader.first("t", some_text).unwrap(), None);
        assert_eq!(reader.last("t", some_text).unwrap(), None);
        assert_eq!(reader.first("other", some_text).unwrap(), None);
    }
}

#[test]
fn the_first_and_the_last_record_are_those_that_are_not_passed_over() {
    let foreign: Vec<&str> = vec!["foreign"; 40];
    let more: Vec<&str> = vec!["foreign"; 5_000];
    let log = log_with(&[(&foreign, true), (&["a"], true), (&foreign, true), (&["b", "c"], true), (&more, true)]);
    let clock = ManualClock::new(0);
    let reader = Reader::new(&log, &clock, "test");
    let mut asked = 0;
    let mut own = |record: &Record<'_>| {
        asked += 1;
        some_text(record).filter(|text| text != "foreign")
    };
    assert_eq!(reader.first("t", &mut own).unwrap().as_deref(), Some("a"));
    assert_eq!(reader.last("t", &mut own).unwrap().as_deref(), Some("c"));
    // 41 for the first; for the last none twice, and none of those before it in its batch.
    assert_eq!(asked, 41 + 5_000 + 1);
    assert_eq!(reader.last("t", |record| some_text(record).filter(|text| text == "a")).unwrap().as_deref(), Some("a"));
    assert_eq!(reader.last("t", |_| None::<()>).unwrap(), None);
    assert_eq!(reader.first("t", |_| None::<()>).unwrap(), None);
}

#[test]
fn the_last_records_are_found_wherever_stretches_and_aborted_ones_lie_between_them() {
    let aborted = vec!["x"; 40];
    for between in [0, 3, 17, 40] {
        let log = log_with(&[(&["a"], true), (&["b"], true), (&aborted[..between], false), (&["c"], true)]);
        let clock = ManualClock::new(0);
        let reader = Reader::new(&log, &clock, "test");
        for (count, expected) in
            [(0, &[][..]), (1, &["c"]), (2, &["b", "c"]), (3, &["a", "b", "c"]), (9, &["a", "b", "c"])]
        {
            assert_eq!(reader.lasts("t", count, some_text).unwrap(), expected, "{count}, {between} between");
        }
    }
}

#[test]
fn what_is_written_after_the_end_was_asked_for_is_not_read() {
    let log = log_with(&[(&["a"], true), (&["b"], true)]);
    let clock = ManualClock::new(0);
    let reader = Reader::new(&log, &clock, "test");
    let extent = |start| reader.extent(&TopicPartition::new("t", 0), start, Isolation::ReadUncommitted).unwrap();
    let (all, none) = (extent(Start::Beginning), extent(Start::At(4)));
    produce(&log, &[(&["c", "d"], true)]);
    let mut seen = Vec::new();
    let mut read = |extent: &Extent| {
        let visit = |_: &TopicPartition, records: &[Record<'_>]| {
            seen.extend(records.iter().map(text));
            Ok(ControlFlow::Continue(()))
        };
        reader.read_to(std::slice::from_ref(extent), visit).unwrap();
    };
    read(&none);
    read(&all);
    assert_eq!(seen, ["a", "b"]);
}

#[test]
fn a_stretch_that_is_deleted_before_it_is_read_has_no_records() {
    let log = log_with(&[(&["a"], true), (&["b"], true)]);
    let clock = ManualClock::new(0);
    let reader = Reader::new(&log, &clock, "test");
    let partition = TopicPartition::new("t", 0);
    let extent = reader.extent(&partition, Start::Beginning, Isolation::ReadCommitted).unwrap();
    produce(&log, &[(&["c"], true)]);
    log.delete_records(&partition, 4).unwrap();
    let visit = |_: &TopicPartition, records: &[Record<'_>]| panic!("{records:?}");
    reader.read_to(&[extent], visit).unwrap();
}

#[test]
fn an_open_transaction_holds_back_the_high_watermark_and_not_the_stable_offset() {
    let log = log_with(&[(&["a"], true)]);
    let mut producer = producer(&log, "other");
    producer.begin().unwrap();
    send(&mut producer, "x");
    producer.flush(SECOND).unwrap();
    // Each look at this clock takes it a second on.
    let clock = TickingClock::default();
    let reader = Reader::new(&log, &clock, "test");
    let read = |isolation| {
        let extent = reader.extent(&TopicPartition::new("t", 0), Start::Beginning, isolation).unwrap();
        let mut seen = Vec::new();
        let visit = |_: &TopicPartition, records: &[Record<'_>]| {
            seen.extend(records.iter().map(text));
            Ok(ControlFlow::Continue(()))
        };
        reader.read_to(&[extent], visit).map(|()| seen)
    };
    assert_eq!(read(Isolation::ReadCommitted).unwrap(), ["a"]);
    let refusal = read(Isolation::ReadUncommitted).unwrap_err().to_string();
    assert!(refusal.contains("may still be open"), "{refusal}");
}

#[test]
fn everything_up_to_the_end_is_read_once_and_in_order() {
    let log = log_with(&[(&["a"], true), (&["x"], false), (&["b", "c"], true)]);
    let clock = ManualClock::new(0);
    let mut seen = Vec::new();
    let from = [(TopicPartition::new("t", 0), Start::Beginning)];
    Reader::new(&log, &clock, "test")
        .read(&from, |_, records| {
            seen.extend(records.iter().map(text));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!(seen, ["a", "b", "c"]);
}

#[test]
fn a_topic_that_is_known_to_be_there_never_passes_for_one_that_there_is_not() {
    let (log, clock) = (log_with(&[]), ManualClock::new(0));
    let reader = Reader::new(&log, &clock, "reader");
    assert_eq!(reader.last("hidden", |record| Some(record.offset)).unwrap(), None);
    let expecting = Reader::new(&log, &clock, "reader").expecting_topics();
    assert_eq!(expecting.last("t", |record| Some(record.offset)).unwrap(), None);
    assert_eq!(expecting.last("hidden", |record| Some(record.offset)).unwrap_err().class(), Class::Retry);
}
