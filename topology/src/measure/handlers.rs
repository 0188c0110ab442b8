//! What it costs per record that a processing error may be undone.

use std::sync::Arc;

use topology::client::{Client, Config};
use topology::clock::{Clock, SystemClock};
use topology::graph::{Builder, Store, Topology};
use topology::log::memory::MemoryLog;
use topology::log::{Log, Producer, ProducerOptions, ProducerRecord, TopicSpec};
use topology::processor::Reaction;

use super::{TIMEOUT, cpu_ms, setting};

const ROUNDS: usize = 5;

#[test]
#[ignore = "a measurement"]
fn a_handler_of_processing_errors_beside_none() {
    let (record_count, key_count) = (setting("MEASURE_RECORDS", 1_000_000), setting("MEASURE_KEYS", 100_000));
    let log = input(record_count, key_count).expect("it works");
    for (name, topology) in [("copy", copying as fn(bool) -> Topology), ("count in memory", counting)] {
        let mut ns = [Vec::new(), Vec::new()];
        for round in 0..ROUNDS * 2 {
            let has_handler = round % 2 == 1;
            let config = Config { until_end: true, ..Config::new(format!("{name}-{round}").replace(' ', "-")) };
            let before_ms = cpu_ms();
            let mut client = Client::start_blocking(&topology(has_handler), log.clone(), config).expect("it starts");
            client.wait().expect("it ends");
            assert_eq!(client.metrics().record_count, record_count);
            ns[usize::from(has_handler)].push((cpu_ms() - before_ms) * 1_000_000 / record_count);
        }
        ns.iter_mut().for_each(|ns| ns.sort_unstable());
        let [without, with] = ns;
        println!(
            "{name}: CPU per record without a handler {} ns (of {without:?}), with one {} ns (of {with:?})",
            without[ROUNDS / 2],
            with[ROUNDS / 2]
        );
    }
}

fn builder(has_handler: bool) -> Builder {
    let builder = Builder::new();
    if has_handler {
        builder.on_processing_error(|_| Reaction::DeadLetter);
    }
    builder
}

fn copying(has_handler: bool) -> Topology {
    let builder = builder(has_handler);
    builder.sub_topology("copying").source::<[u8], [u8]>("in").filter(|_| true).sink("out");
    builder.build().expect("it fits together")
}

fn counting(has_handler: bool) -> Topology {
    let builder = builder(has_handler);
    builder.sub_topology("counting").source::<[u8], [u8]>("in").count(&Store::memory("counts")).sink("out");
    builder.build().expect("it fits together")
}

/// A log with so many records of random keys.
fn input(record_count: u64, key_count: u64) -> topology::log::Result<MemoryLog> {
    let clock = SystemClock::new();
    let log = MemoryLog::new(Arc::new(move || clock.now_ms()));
    let spec = |name: &str| TopicSpec {
        name: name.to_owned(),
        partition_count: 1,
        replication_factor: None,
        config: Vec::new(),
    };
    log.create_topics(&[spec("in"), spec("out")])?;
    let mut producer = log.producer(&ProducerOptions {
        transactional_id: "in".to_owned(),
        transaction_timeout_ms: 60_000,
        client_id: "in".to_owned(),
        track_topics: Vec::new(),
    })?;
    producer.init_transactions(TIMEOUT)?;
    let mut random = 1_u64;
    for _ in 0..record_count.div_ceil(10_000) {
        producer.begin()?;
        for _ in 0..10_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = format!("account-{:012}", (random >> 33) % key_count);
            let (key, value) = (Some(key.as_bytes()), Some(&b"some twenty-four bytes.."[..]));
            let (topic, partition) = ("in", Some(0));
            producer.send(&ProducerRecord { topic, partition, timestamp_ms: 1_000, key, value, headers: &[] })?;
        }
        producer.commit(TIMEOUT)?;
    }
    Ok(log)
}
