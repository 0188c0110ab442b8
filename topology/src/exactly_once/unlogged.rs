//! Stores without a changelog.

use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::Log;
use topology::log::memory::MemoryLog;

use super::counting::{produce, read};
use super::{config, memory_log, run_until_end, topics};
use crate::fault_log::{Fault, FaultLog, Script};

/// Sends on, for each record, how many of its key there were, and how many since the task began.
fn counting_twice() -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("counting").source::<str, [u8]>(topics().input.as_str());
    let counts: Store<str, i64> = Store::rocksdb("counts");
    let lately: Store<str, i64> = Store::rocksdb("lately").without_changelog();
    let counted =
        input.with_store(&counts).with_store(&lately).process_fn::<str, String>(|record, (counts, lately), context| {
            let Some(key) = record.key else { return Ok(()) };
            let next = |count: Option<i64>| Some(count.unwrap_or(0) + 1);
            let (in_all, lately) = (counts.update(&key, next)?, lately.update(&key, next)?);
            let text = format!("{} {}", in_all.unwrap_or(0), lately.unwrap_or(0));
            context.forward(record.with(Some(key), Some(text)))
        });
    counted.sink(Topic::new(&topics().output).partitions(1));
    builder.build().unwrap()
}

/// The last that was sent for a key.
fn last(log: &MemoryLog, key: &str) -> String {
    let mut sent = read(log, &topics().output);
    sent.retain(|(_, of, _)| of == key.as_bytes());
    String::from_utf8(sent.pop().unwrap().2).unwrap()
}

#[test]
fn it_is_empty_whenever_its_task_begins_and_the_others_are_not() {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    let run = || run_until_end(&counting_twice(), log.clone(), config(Some(directory.path()))).unwrap();
    produce(&log, &topics(), 70);
    run();
    assert_eq!(last(&log, "key-3"), "10 10");
    assert!(log.describe_topic("app-lately-changelog").unwrap().is_none(), "nothing is written there");
    produce(&log, &topics(), 70);
    run();
    assert_eq!(last(&log, "key-3"), "20 10", "what it held on the disk is of another run");
}

#[test]
fn a_commit_that_fails_empties_it_whatever_became_of_the_commit() {
    for fault in [Fault::Abort, Fault::LostUnknown, Fault::CommittedUnknown] {
        let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
        produce(&log, &topics(), 70);
        let script = Script::commits([Fault::None, Fault::None, Fault::None, fault]);
        let config = config(Some(directory.path()));
        run_until_end(&counting_twice(), FaultLog::new(log.clone(), &script), config).unwrap();
        // What is committed after the failure is counted from there on; the count of all tells nothing of it.
        let last = last(&log, "key-3");
        let (in_all, lately) = last.split_once(' ').unwrap();
        assert_eq!(in_all, "10", "{fault:?}");
        assert!((1..10).contains(&lately.parse::<u32>().unwrap()), "{fault:?}: {last}");
    }
}
