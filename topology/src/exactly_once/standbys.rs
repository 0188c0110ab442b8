//! What an instance keeps warm of what another has.

use std::collections::BTreeSet;

use topology::client::{Client, Config};
use topology::graph::Store;
use topology::log::memory::MemoryLog;
use topology::query::Role;

use super::counting::watched::{Taken, watched};
use super::counting::{assert_exact, create, read};
use super::rebalances::{PARTITIONS, fill};
use super::{config, memory_log, topics, until, wait};

fn start(log: &MemoryLog, standby_replicas: usize) -> Client {
    let topology = watched(&topics(), PARTITIONS, &Store::memory("counts"), &Taken::default());
    Client::start_blocking(&topology, log.clone(), Config { standby_replicas, ..config(None) }).unwrap()
}

/// The partitions that a client keeps warm, of which it has read all that there is.
fn warm(client: &Client) -> BTreeSet<i32> {
    let tasks = client.queries().tasks().into_iter();
    tasks.filter(|local| local.role == Role::Standby { lag: 0 }).map(|local| local.task.partition).collect()
}

#[test]
fn a_task_that_was_kept_warm_restores_only_what_came_last_where_it_goes() {
    for replicas in [1, 0] {
        let log = memory_log();
        create(&log, &topics(), PARTITIONS);
        let mut stays = start(&log, replicas);
        let mut goes = start(&log, replicas);
        fill(&log, 200);
        until("all is counted", || read(&log, &topics().output).len() == 800);
        if replicas == 1 {
            until("each keeps warm what the other has", || warm(&stays).len() == 2 && warm(&goes).len() == 2);
            assert!(warm(&stays).is_disjoint(&warm(&goes)));
        }
        let before = stays.metrics().restored_record_count;
        goes.stop();
        wait(&mut goes).unwrap();
        fill(&log, 10);
        until("the one that stays has all", || read(&log, &topics().output).len() == 840);
        let restored = stays.metrics().restored_record_count - before;
        // Without standbys each of the three keys of two partitions, as often as it was committed.
        assert!(if replicas == 1 { restored == 0 } else { restored >= 6 }, "{replicas} replicas: {restored} restored");
        stays.stop();
        wait(&mut stays).unwrap();
        assert_exact(&log, &topics(), 840);
    }
}
