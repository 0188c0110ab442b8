//! The embedded log gives back the space of what is gone.

use std::path::Path;

use topology::log::embedded::{EmbeddedLog, Options};
use topology::log::{Log, Producer, ProducerRecord, TopicPartition};

use super::wall_clock;
use crate::harness::*;

const MIB: u64 = 1 << 20;

fn size_bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            // RocksDB has removed it in the meantime.
            Err(_) => 0,
        })
        .sum()
}

/// Writes 20 rounds of 16 MiB that do not compress, under keys that come again each round.
fn write(dir: &Path, config: &[(&str, &str)], after_round: impl Fn(&EmbeddedLog, &TopicPartition)) -> u64 {
    let log = EmbeddedLog::open(dir, &Options::default(), wall_clock()).unwrap();
    let partition = TopicPartition::new(topic_with(&log, 1, config), 0);
    let mut producer = producer(&log);
    let mut random = 1u64;
    let mut value = vec![0; 4096];
    let mut largest = 0;
    for _ in 0..20 {
        for transaction in 0u32..16 {
            producer.begin().unwrap();
            for record in 0u32..256 {
                for chunk in value.chunks_mut(8) {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    chunk.copy_from_slice(&(random ^ (random >> 29)).to_le_bytes());
                }
                let key = (transaction * 256 + record).to_le_bytes();
                producer
                    .send(&ProducerRecord {
                        topic: &partition.topic,
                        partition: Some(0),
                        timestamp_ms: THEN_MS,
                        key: Some(&key),
                        value: Some(&value),
                        headers: &[],
                    })
                    .unwrap();
            }
            producer.commit(CALL).unwrap();
        }
        after_round(&log, &partition);
        largest = largest.max(size_bytes(dir));
    }
    println!("at most {} MiB on disk", largest / MIB);
    largest
}

#[test]
fn a_topic_that_is_purged_does_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    let largest = write(dir.path(), &[], |log, partition| {
        log.delete_records(partition, stable(log, &partition.topic, 0)).unwrap();
    });
    assert!(largest < 200 * MIB, "{} MiB of 320 MiB written", largest / MIB);
}

#[test]
fn a_topic_that_is_compacted_does_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    let largest = write(dir.path(), &[("cleanup.policy", "compact")], |_, _| {});
    assert!(largest < 250 * MIB, "{} MiB of 320 MiB written, 16 MiB alive", largest / MIB);
}
