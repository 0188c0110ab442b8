//! Measurements; they assert nothing and run only when asked for.

use super::*;

/// CPU time of this process and of this thread so far, s.
fn cpu() -> (f64, f64) {
    let process = test_cluster::process::cpu_s(std::process::id());
    (process.unwrap(), test_cluster::process::thread_cpu_s().unwrap())
}

/// Prints, and asserts nothing: `cargo test --release --test kafka_log -- --ignored --nocapture figures`.
#[test]
#[ignore = "prints figures; run it alone"]
fn figures_of_commit_latency() {
    let log = log();
    let topic = topic(&log, 1, &[]);
    let group = unique("group");
    let mut consumer = member(&log, &group, None, 10_000);
    join(&mut consumer, &topic);
    let mut producer = producer(&log, &unique("id"));
    for pause in [Duration::ZERO, SHORT] {
        let mut took: [Vec<Duration>; 5] = Default::default();
        for number in 0..100_i64 {
            std::thread::sleep(pause);
            let start = Instant::now();
            producer.begin().unwrap();
            producer.send(&record(&topic, 0, b"k", b"v")).unwrap();
            let sent = Instant::now();
            producer.flush(LONG).unwrap();
            let flushed = Instant::now();
            let partition = TopicPartition::new(&topic, 0);
            let offsets = [OffsetCommit { partition, offset: number, metadata: String::new() }];
            producer.send_offsets(&offsets, &consumer.group().unwrap()).unwrap();
            let added = Instant::now();
            producer.commit(LONG).unwrap();
            let times = [start.elapsed(), sent - start, flushed - sent, added - flushed, added.elapsed()];
            took.iter_mut().zip(times).for_each(|(took, time)| took.push(time));
        }
        println!("one transaction after {pause:?}:");
        for (what, took) in ["in all", "begin and send", "flush", "offsets", "commit"].iter().zip(&mut took) {
            took.sort();
            println!("  {what}: p50 {:?} p99 {:?}", took[50], took[98]);
        }
    }
}

/// Prints, and asserts nothing but completeness.
#[test]
#[ignore = "prints figures; run it alone"]
fn figures_of_consuming() {
    const COUNT: usize = 2_000_000;
    let log = log();
    for partition_count in [1, 4] {
        let topic = topic(&log, partition_count, &[]);
        let mut producer = producer(&log, &unique("id"));
        for start in (0..COUNT).step_by(100_000) {
            producer.begin().unwrap();
            for number in start..start + 100_000 {
                let key = format!("key-{number:07}");
                let record = record(&topic, number as i32 % partition_count, key.as_bytes(), &[b'x'; 100]);
                producer.send(&record).unwrap();
            }
            producer.commit(LONG).unwrap();
        }
        for _ in 0..5 {
            let start: Vec<_> =
                (0..partition_count).map(|number| (TopicPartition::new(&topic, number), Start::Beginning)).collect();
            let ((process, thread), wall) = (cpu(), Instant::now());
            let mut consumer = log
                .consumer(&ConsumerOptions { prefetch_bytes: 32 << 20, ..consumer_options(Isolation::ReadCommitted) })
                .unwrap();
            consumer.assign(&start).unwrap();
            let (mut count, mut bytes, mut polls) = (0_usize, 0_usize, 0_usize);
            while count < COUNT {
                polls += 1;
                consumer
                    .poll(SHORT, &mut |event| {
                        if let Event::Records { records, .. } = event {
                            count += records.len();
                            bytes += records.iter().map(|record| record.value.map_or(0, <[u8]>::len)).sum::<usize>();
                        }
                    })
                    .unwrap();
            }
            let wall = wall.elapsed().as_secs_f64();
            let (process, thread) = (cpu().0 - process, cpu().1 - thread);
            let millions = COUNT as f64 / 1e6;
            println!(
                "{partition_count} partitions: {:.2} M records/s, {:.3} CPU-s per M (this thread {:.3}), {} records a poll, {bytes} bytes",
                millions / wall,
                process / millions,
                thread / millions,
                COUNT / polls,
            );
        }
        log.delete_topics(&[topic]).unwrap();
    }
}

/// Prints, and asserts nothing.
#[test]
#[ignore = "prints figures; run it alone"]
fn figures_of_producing() {
    const COUNT: usize = 2_000_000;
    let log = log();
    let topic = topic(&log, 1, &[]);
    let mut producer = producer(&log, &unique("id"));
    let keys: Vec<String> = (0..1_000).map(|number| format!("key-{number:07}")).collect();
    let plain = record(&topic, 0, b"", &[b'x'; 100]);
    let now = ProducerRecord { timestamp_ms: ProducerRecord::NOW, ..plain };
    let records: Vec<_> = keys.iter().map(|key| ProducerRecord { key: Some(key.as_bytes()), ..now }).collect();
    for round in 0..6 {
        let together = round % 2 == 1;
        let ((process, thread), wall) = (cpu(), Instant::now());
        for number in 0..COUNT / records.len() {
            if number % 100 == 0 {
                producer.begin().unwrap();
            }
            if together {
                producer.send_batch(&records).unwrap();
            } else {
                records.iter().for_each(|record| producer.send(record).unwrap());
            }
            if number % 100 == 99 {
                producer.commit(LONG).unwrap();
            }
        }
        let wall = wall.elapsed().as_secs_f64();
        let (process, thread) = (cpu().0 - process, cpu().1 - thread);
        let millions = COUNT as f64 / 1e6;
        println!(
            "{}: {:.2} M records/s, {:.3} CPU-s per M (this thread {:.3})",
            if together { "in batches" } else { "one by one" },
            millions / wall,
            process / millions,
            thread / millions,
        );
    }
    log.delete_topics(&[topic]).unwrap();
}
