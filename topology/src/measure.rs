//! How fast stores are: a count over random keys, and a restore of what it wrote. And what a handler of processing
//! errors costs.
//!
//! `cargo test --release --workspace --lib measure::a_count -- --ignored --nocapture`, with `MEASURE_RECORDS`,
//! `MEASURE_KEYS`, `MEASURE_IN_MEMORY=1`, `MEASURE_BATCH_KIB` and `MEASURE_MEMORY_MIB` in the environment;
//! `measure::handlers`.

mod handlers;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use topology::clock::{Clock, SystemClock};
use topology::log::memory::MemoryLog;
use topology::log::{Log, Producer, ProducerOptions, ProducerRecord, TopicPartition, TopicSpec};
use topology::store::InstanceId;
use topology::store::{self, KeyValueStore, Medium, Resources, Spec, StateDirectory, Stores};
use topology::updater::{Changelog, NewChangelog, Plan, Restore, RestoreOptions};

const TOPIC: &str = "app-counts-changelog";
const TIMEOUT: Duration = Duration::from_secs(30);
/// What 100 ms of input may bring.
const RECORDS_PER_COMMIT: u64 = 30_000;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
#[ignore = "a measurement"]
fn a_count_and_restores_of_what_it_wrote() {
    measure().expect("it works");
}

fn measure() -> topology::Result<()> {
    let (records, keys) = (setting("MEASURE_RECORDS", 3_000_000), setting("MEASURE_KEYS", 100_000));
    let medium = if setting("MEASURE_IN_MEMORY", 0) == 1 { Medium::Memory } else { Medium::RocksDb };
    let batch_bytes = setting("MEASURE_BATCH_KIB", 16_384) as usize * 1_024;
    let memory_bytes =
        setting("MEASURE_MEMORY_MIB", store::StoreOptions::MEMORY_BYTES as u64 >> 20) as usize * (1 << 20);
    let options = store::StoreOptions { memory_bytes, ..store::StoreOptions::default() };

    let clock = SystemClock::new();
    let log_clock = clock.clone();
    let log = MemoryLog::new(Arc::new(move || log_clock.now_ms()));
    let config = vec![
        ("cleanup.policy".to_owned(), "compact".to_owned()),
        ("min.cleanable.dirty.ratio".to_owned(), "1".to_owned()),
    ];
    log.create_topics(&[TopicSpec { name: TOPIC.to_owned(), partition_count: 1, replication_factor: None, config }])?;
    let root = std::env::temp_dir().join(format!("store-speed-{}", std::process::id()));

    let resources = Resources::start(options)?;
    let stores = open(&root.join("first"), medium, &resources)?;
    let stores = count(&log, &clock, stores, &resources, records, keys)?;
    println!("closing after {} ms", timed(&clock, || stores.close())?);
    for (name, medium) in [("whole", medium), ("nothing", medium)] {
        let mut stores = open(&root.join("second"), medium, &resources)?;
        let cpu_ms = cpu_ms();
        let mut restore = Restore::new(log.clone(), plan(batch_bytes), Arc::new(clock.clone()));
        let ms = timed(&clock, || {
            while !restore.step(&mut stores, Duration::from_millis(10))?.done {}
            Ok::<_, topology::Error>(())
        })?;
        let restored: u64 = restore.restored().iter().map(|restored| restored.records).sum();
        let rate = restored / ms.max(1);
        println!("restore {name}: {restored} records in {ms} ms, {rate} k/s, {} ms of CPU", self::cpu_ms() - cpu_ms);
        stores.close()?;
    }
    std::fs::remove_dir_all(&root).map_err(|error| topology::Error::stop("cannot clean up").caused_by(error))
}

fn plan(batch_bytes: usize) -> Plan {
    let changelogs = vec![Some(Changelog { topic: TOPIC.to_owned(), beginning: NewChangelog::Alone([1; 16]) })];
    Plan {
        partition: 0,
        changelogs,
        options: RestoreOptions { batch_bytes, ..RestoreOptions::default() },
        followed: None,
    }
}

fn open(root: &std::path::Path, medium: Medium, resources: &Resources) -> topology::Result<Stores> {
    let state = StateDirectory::open(root, "app", InstanceId::new(0, 0))?;
    Ok(Stores::open(vec![Spec::new("counts", medium)?], state.lock_task("count_0")?, resources, [0; 32])?)
}

/// Commits the changelog of what is written.
fn produce(producer: &mut impl Producer, stores: &mut Stores) -> topology::log::Result<()> {
    producer.begin()?;
    stores.changelog_records(|record| {
        let (key, value) = (Some(record.key), record.value);
        producer.send(&ProducerRecord { topic: TOPIC, partition: Some(0), timestamp_ms: 0, key, value, headers: &[] })
    })?;
    producer.commit(TIMEOUT)
}

/// Counts random keys, and commits.
fn count(
    log: &MemoryLog,
    clock: &SystemClock,
    mut stores: Stores,
    resources: &Resources,
    records: u64,
    keys: u64,
) -> topology::Result<Stores> {
    let mut producer = log.producer(&ProducerOptions {
        transactional_id: "count".to_owned(),
        transaction_timeout_ms: 10_000,
        client_id: "count".to_owned(),
        track_topics: vec![TOPIC.to_owned()],
    })?;
    producer.init_transactions(TIMEOUT)?;
    stores.begin_changelog(0, [1; 16])?;
    let stores = Rc::new(RefCell::new(stores));
    let counts = KeyValueStore::<str, i64>::new(Rc::clone(&stores), 0)?;
    let (mut process_us, mut produce_us, mut apply_us, mut longest_us) = (0, 0, 0, 0);
    let (mut random, mut done) = (1u64, 0);
    let (cpu_before, started) = (cpu_ms(), clock.monotonic_ms());
    while done < records {
        process_us += busy(|| {
            let mut key = String::new();
            for _ in 0..RECORDS_PER_COMMIT {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                key.clear();
                use std::fmt::Write;
                let _ = write!(key, "account-{:012}", (random >> 33) % keys);
                counts.update(&key.as_str(), |count| Some(count.unwrap_or(0) + 1))?;
            }
            Ok::<_, topology::Error>(())
        })?;
        produce_us += busy(|| produce(&mut producer, &mut stores.borrow_mut()))?;
        let position = producer.delivered(&TopicPartition::new(TOPIC, 0)).map_or(0, |offset| offset + 1);
        let one_apply_us = busy(|| {
            stores.borrow_mut().commit(&[(0, position)], clock.now_ms())?;
            stores.borrow_mut().flush_if_due(clock.now_ms()).map(|_| ())
        })?;
        apply_us += one_apply_us;
        longest_us = longest_us.max(one_apply_us);
        done += RECORDS_PER_COMMIT;
        while !resources.has_room() {
            resources.pace();
        }
    }
    let ms = clock.monotonic_ms() - started;
    println!(
        "count: {done} records, {} k/s, {} ms of CPU; of that this thread: update {} ms, changelog {} ms, apply {} ms (longest {} ms); {} waits for room",
        done / (ms as u64).max(1),
        cpu_ms() - cpu_before,
        process_us / 1_000,
        produce_us / 1_000,
        apply_us / 1_000,
        longest_us / 1_000,
        resources.wait_count()
    );
    drop(counts);
    Rc::into_inner(stores).map(RefCell::into_inner).ok_or_else(|| topology::Error::stop("the stores are still in use"))
}

fn timed<E>(clock: &SystemClock, act: impl FnOnce() -> Result<(), E>) -> Result<u64, E> {
    let started = clock.monotonic_ms();
    act()?;
    Ok((clock.monotonic_ms() - started) as u64)
}

/// How much CPU time of this thread it takes, in us, on Linux (0 elsewhere).
fn busy<E>(act: impl FnOnce() -> Result<(), E>) -> Result<u64, E> {
    let busy_us = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0) / 1_000
    };
    let started_us = busy_us();
    act()?;
    Ok(busy_us() - started_us)
}

/// CPU time of this process so far, all threads, in steps of 10 ms, on Linux (0 elsewhere).
fn cpu_ms() -> u64 {
    (test_cluster::process::cpu_s(std::process::id()).unwrap_or(0.0) * 1e3) as u64
}
