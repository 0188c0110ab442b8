//! Tasks that read several topics.

use std::collections::BTreeSet;

use proptest::prelude::*;
use topology::client::{Client, Config};
use topology::log::{Log, TopicSpec};
use topology::store::Budget;

use super::counting::spec;
use super::joining::{Topics, create, expected, produce, produce_to, told, told_of, topology, topology_of};
use super::{memory_log, run_until_end, until, wait};
use crate::fault_log::{Fault, FaultLog, Script};

fn topics() -> Topics {
    Topics::new("app".to_owned())
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::Abort),
        1 => Just(Fault::LostUnknown),
        1 => Just(Fault::CommittedUnknown),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 100, ..ProptestConfig::default() })]
    #[test]
    fn input_that_is_there_is_merged_in_one_order_whatever_the_batches_pauses_and_failed_commits(
        orders in prop::collection::vec(0_i64..500, 0..200),
        payments in prop::collection::vec(0_i64..500, 0..200),
        batch_records in 1_usize..40,
        queue_max_bytes in prop_oneof![Just(0_usize), Just(1_000), Just(8 << 20)],
        memory_bytes in prop_oneof![Just(16_usize << 10), Just(256 << 20)],
        commit_interval_ms in prop_oneof![Just(0_u32), Just(20)],
        faults in prop::collection::vec(fault(), 0..8),
    ) {
        let log = memory_log();
        create(&log, &topics());
        produce(&log, &topics().orders, &orders);
        produce(&log, &topics().payments, &payments);
        let config = Config { batch_records, queue_max_bytes, memory_bytes, commit_interval_ms, ..Config::new("app") };
        let faulty = FaultLog::new(log.clone(), &Script::commits(faults));
        run_until_end(&topology(&topics()), faulty, config).unwrap();
        prop_assert_eq!(told(&log, &topics()), expected(&orders, &payments));
    }
}

#[test]
fn a_task_goes_on_behind_what_it_committed_of_each_input() {
    let log = memory_log();
    create(&log, &topics());
    let (orders, payments): (Vec<i64>, Vec<i64>) =
        ((0..100).map(|n| 2 * n).collect(), (0..100).map(|n| 3 * n).collect());
    // Each run finds all that is there; what a later run brings is later.
    for part in 0..4 {
        let part = part * 25..(part + 1) * 25;
        produce(&log, &topics().orders, &orders[part.clone()]);
        produce(&log, &topics().payments, &payments[part.clone()]);
        run_until_end(&topology(&topics()), log.clone(), Config::new("app")).unwrap();
    }
    let mut all = Vec::new();
    for part in 0..4 {
        let counts = expected(&orders[part * 25..(part + 1) * 25], &payments[part * 25..(part + 1) * 25]);
        all.extend(counts.iter().map(|count| count + part as i64 * 25));
    }
    assert_eq!(told(&log, &topics()), all);
}

#[test]
fn the_task_of_a_partition_reads_that_partition_of_each_topic_and_has_a_state_of_its_own() {
    let log = memory_log();
    let of_two = |name: &str| TopicSpec { partition_count: 2, ..spec(name) };
    log.create_topics(&[of_two(&topics().orders), of_two(&topics().payments), spec(&topics().output)]).unwrap();
    let times = |seed: i64| (0..200).map(|n| (n * seed) % 307).collect::<Vec<i64>>();
    let [first, second] = [(times(7), times(11)), (times(13), times(17))];
    // Two runs: the second goes on with the state of the first, restored from the changelog.
    for part in [0..100, 100..200] {
        for (partition, (orders, payments)) in [(0, &first), (1, &second)] {
            let key = [partition as u8];
            produce_to(&log, &topics().orders, partition, &key, &orders[part.clone()]);
            produce_to(&log, &topics().payments, partition, &key, &payments[part.clone()]);
        }
        let config = Config { batch_records: 10, commit_interval_ms: 0, ..Config::new("app") };
        run_until_end(&topology_of(&topics(), 2), log.clone(), config).unwrap();
    }
    for (partition, (orders, payments)) in [(0, &first), (1, &second)] {
        let mut all = expected(&orders[..100], &payments[..100]);
        all.extend(expected(&orders[100..], &payments[100..]).iter().map(|count| count + 100));
        assert_eq!(told_of(&log, &topics(), &[partition]), all, "partition {partition}");
    }
}

#[test]
fn an_input_that_waits_for_another_is_paused_alone_once_its_queue_is_full() {
    let log = memory_log();
    create(&log, &topics());
    let orders: Vec<i64> = (0..2_000).collect();
    produce(&log, &topics().orders, &orders);
    let script = Script::default();
    // Payments are read to their end, and waited for all the same: for longer than the test takes.
    let config =
        Config { batch_records: 100, queue_max_bytes: 10_000, max_task_idle_ms: 3_600_000, ..Config::new("app") };
    let mut client = Client::start_blocking(&topology(&topics()), FaultLog::new(log.clone(), &script), config).unwrap();
    until("a full queue", || script.paused() == BTreeSet::from([format!("{}-0", topics().orders)]));
    assert_eq!(client.metrics().record_count, 0, "an order was taken though a payment may come before it");
    produce(&log, &topics().payments, &[1_000, 5_000]);
    until("all orders", || client.metrics().record_count == 2_001);
    assert!(script.paused().is_empty(), "{:?}", script.paused());
    client.stop();
    wait(&mut client).unwrap();
    assert_eq!(told(&log, &topics()), [1_001]);
}

#[test]
fn inputs_of_many_tasks_that_wait_keep_to_their_share_of_the_memory_and_all_go_on() {
    const PARTITIONS: i32 = 20;
    const BATCH_RECORDS: usize = 10;
    let log = memory_log();
    let of_all = |name: &str| TopicSpec { partition_count: PARTITIONS, ..spec(name) };
    log.create_topics(&[of_all(&topics().orders), of_all(&topics().payments), spec(&topics().output)]).unwrap();
    let orders: Vec<i64> = (0..200).collect();
    for partition in 0..PARTITIONS {
        produce_to(&log, &topics().orders, partition, &[partition as u8], &orders);
    }
    let script = Script::default();
    let (memory_bytes, batch_records) = (1 << 20, BATCH_RECORDS);
    // Payments are read to their end, and waited for all the same: for longer than the test takes.
    let config = Config { memory_bytes, batch_records, max_task_idle_ms: 3_600_000, ..Config::new("app") };
    let faulty = FaultLog::new(log.clone(), &script);
    let mut client = Client::start_blocking(&topology_of(&topics(), PARTITIONS), faulty, config).unwrap();
    until("all wait", || script.paused() == (0..PARTITIONS).map(|of| format!("{}-{of}", topics().orders)).collect());
    // All orders together take half a mebibyte; and a record takes less than this.
    const RECORD_BYTES: usize = 150;
    let (queued, share) = (queued_bytes(&client), Budget::of(memory_bytes).queue_bytes());
    let most = share + PARTITIONS as usize * BATCH_RECORDS * RECORD_BYTES;
    assert!((share / 2..=most).contains(&queued), "{queued} bytes of {share}");
    assert_eq!(client.metrics().record_count, 0, "an order was taken though a payment may come before it");

    for partition in 0..PARTITIONS {
        produce_to(&log, &topics().payments, partition, &[partition as u8], &[100, 5_000]);
    }
    until("all orders", || client.metrics().record_count == 201 * PARTITIONS as u64);
    until("only payments wait", || queued_bytes(&client) < share / 4);
    client.stop();
    wait(&mut client).unwrap();
    for partition in 0..PARTITIONS {
        assert_eq!(told_of(&log, &topics(), &[partition as u8]), [101], "partition {partition}");
    }
}

/// As Prometheus reads it.
fn queued_bytes(client: &Client) -> usize {
    let text = client.exported_metrics().to_text();
    let line = text.lines().find_map(|line| line.strip_prefix("topology_input_buffer_bytes "));
    line.unwrap().parse().unwrap()
}

#[test]
fn with_no_waiting_at_all_records_come_as_they_are_read_and_each_once() {
    let log = memory_log();
    create(&log, &topics());
    produce(&log, &topics().orders, &[5; 300]);
    produce(&log, &topics().payments, &[1; 300]);
    let config = Config { max_task_idle_ms: -1, batch_records: 7, ..Config::new("app") };
    let metrics = run_until_end(&topology(&topics()), log.clone(), config).unwrap();
    assert_eq!((metrics.record_count, told(&log, &topics()).len()), (600, 300));
}

#[test]
fn topics_of_one_task_with_other_partitions_are_refused_by_name_before_anything_is_made() {
    let log = memory_log();
    log.create_topics(&[spec(&topics().orders), TopicSpec { partition_count: 3, ..spec(&topics().payments) }]).unwrap();
    let error = run_until_end(&topology(&topics()), log.clone(), Config::new("app")).unwrap_err().to_string();
    assert!(error.contains("topic 'app-orders' with 1 partitions and topic 'app-payments' with 3"), "{error}");
    assert!(log.describe_topic("app-taken-changelog").unwrap().is_none());
}
