//! How fast the logs are: run with `--ignored --nocapture --test-threads=1`.

use topology::log::{Consumer, Event, Isolation, Log, Producer, ProducerRecord};

use crate::harness::*;

const RECORDS: usize = 2_000_000;
const PER_COMMIT: usize = 20_000;

fn measure<L: Log>(name: &str, log: &L, config: &[(&str, &str)], key_count: u64) {
    let topic = topic_with(log, 4, config);
    let mut producer = producer(log);
    let value = b"{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3,\"memo\":\"0123456789\",\"id\":1}";
    let mut random = 1u64;
    let ((), wrote) = timed(|| {
        for _ in 0..RECORDS / PER_COMMIT {
            producer.begin().unwrap();
            for _ in 0..PER_COMMIT {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let key = ((random >> 33) % key_count).to_be_bytes();
                let record = ProducerRecord {
                    topic: &topic,
                    partition: None,
                    timestamp_ms: THEN_MS,
                    key: Some(&key),
                    value: Some(value),
                    headers: &[],
                };
                producer.send(&record).unwrap();
            }
            producer.commit(CALL).unwrap();
        }
    });
    let mut reader = reader_with(log, &consumer_options(Isolation::ReadCommitted), &topic, &[0, 1, 2, 3]);
    let (mut count, mut bytes, mut ends) = (0, 0, 0);
    let ((), read) = timed(|| {
        while ends < 4 {
            let handler = &mut |event: Event<'_>| match event {
                Event::Records { records, .. } => {
                    count += records.len();
                    bytes += records.iter().map(|record| record.value.map_or(0, <[u8]>::len)).sum::<usize>();
                }
                _ => ends += 1,
            };
            reader.consumer.poll(CALL, handler).unwrap();
        }
    });
    let rate = |count: usize, time: std::time::Duration| count as f64 / time.as_secs_f64() / 1e3;
    println!(
        "{name}: wrote {:.0} k records/s, read {:.0} k records/s ({count} records left, {bytes} bytes of values)",
        rate(RECORDS, wrote),
        rate(count, read),
    );
}

#[test]
#[ignore = "a measurement"]
fn throughput() {
    measure("memory", &crate::local::memory().log, &[], 1_000_000);
    let embedded = super::fixture();
    measure("embedded", &embedded.log, &[], 1_000_000);
    let embedded = super::fixture();
    measure("embedded, compacted", &embedded.log, &[("cleanup.policy", "compact")], 100_000);
}

#[test]
#[ignore = "a measurement"]
fn commit_latency() {
    for (name, fsync) in [("page cache", false), ("fsync", true)] {
        let dir = tempfile::tempdir().unwrap();
        let options = topology::log::embedded::Options { fsync, ..Default::default() };
        let log = topology::log::embedded::EmbeddedLog::open(dir.path(), &options, super::wall_clock()).unwrap();
        let topic = topic(&log, 1);
        let mut producer = producer(&log);
        let mut took: Vec<_> = (0..500).map(|_| timed(|| commit(&mut producer, &topic, 0, &["x"])).1).collect();
        took.sort();
        println!("{name}: a commit of one record takes {:?} at p50, {:?} at p99", took[250], took[495]);
    }
}
