//! Members that come and go while others process: what stays is not touched, and nothing is lost or doubled.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use topology::client::Config;
use topology::clock::SystemClock;
use topology::graph::Store;
use topology::log::memory::MemoryLog;
use topology::log::{GroupProtocol, Kind, Log, TopicSpec};

use super::counting::watched::{Taken, watched};
use super::counting::{self, assert_exact, in_transaction, read, send, spec};
use super::steps::{Instance, turn_until};
use super::{config, memory_log, topics};
use crate::fault_log::{Call, FaultLog, Script};

pub(super) const PARTITIONS: i32 = 4;
pub(super) const PROTOCOLS: [GroupProtocol; 2] = [GroupProtocol::Classic, GroupProtocol::Consumer];

pub(super) fn create(log: &impl Log) {
    counting::create(log, &topics(), PARTITIONS);
    let changelog = TopicSpec {
        partition_count: PARTITIONS,
        config: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
        ..spec(&format!("{}-counts-changelog", topics().application))
    };
    log.create_topics(&[changelog]).unwrap();
}

/// Commits as many records to each partition, of three keys that no other partition has.
pub(super) fn fill(log: &impl Log, count: usize) {
    in_transaction(log, "input", |producer| {
        for (partition, index) in (0..PARTITIONS).flat_map(|partition| (0..count).map(move |index| (partition, index)))
        {
            send(producer, &topics(), partition, format!("{partition}-{}", index % 3).as_bytes(), 1_000);
        }
    });
}

fn member<L: Log>(log: &L, name: &str, taken: &Taken, protocol: GroupProtocol) -> Instance<L> {
    let config = Config { group_protocol: protocol, ..config(None) };
    Instance::of(
        &watched(&topics(), PARTITIONS, &Store::memory("counts"), taken),
        log,
        Arc::new(SystemClock::new()),
        name,
        config,
    )
}

fn outputs(log: &impl Log) -> usize {
    read(log, &topics().output).len()
}

/// By partition: the processors that took its records, each time that it is another, and the offsets taken.
fn by_partition(taken: &Taken) -> BTreeMap<i32, (Vec<usize>, Vec<i64>)> {
    let mut found: BTreeMap<i32, (Vec<usize>, Vec<i64>)> = BTreeMap::new();
    for took in taken.lock().unwrap().iter() {
        let (numbers, offsets) = found.entry(took.partition).or_default();
        if numbers.last() != Some(&took.processor) {
            numbers.push(took.processor);
        }
        offsets.push(took.offset);
    }
    found
}

#[test]
fn a_task_that_stays_is_neither_closed_nor_rewound_nor_read_again_while_others_come_and_go() {
    for protocol in PROTOCOLS {
        let log = memory_log();
        create(&log);
        let (here, there) = (Taken::default(), Taken::default());
        let mut stays = member(&log, "a", &here, protocol);
        fill(&log, 20);
        turn_until(&mut [&mut stays], |_| outputs(&log) >= 10);
        let mut comes = member(&log, "b", &there, protocol);
        fill(&log, 20);
        turn_until(&mut [&mut stays, &mut comes], |_| outputs(&log) == 160 && !there.lock().unwrap().is_empty());
        fill(&log, 20);
        turn_until(&mut [&mut stays, &mut comes], |_| outputs(&log) >= 180);
        let goes = comes.metrics.snapshot();
        comes.thread.close().unwrap();
        fill(&log, 20);
        turn_until(&mut [&mut stays], |_| outputs(&log) == 320);
        assert_exact(&log, &topics(), 320);
        assert_eq!(stays.metrics.snapshot().rewind_count + goes.rewind_count, 0);
        // By range, the first half is the first member's.
        let taken = by_partition(&here);
        for partition in [0, 1] {
            let (numbers, offsets) = &taken[&partition];
            assert_eq!(numbers.len(), 1, "{protocol:?}: the task is the same: {numbers:?}");
            assert!(offsets.is_sorted_by(|one, next| one < next), "{protocol:?}: {offsets:?}");
            assert_eq!(offsets.len(), 80);
        }
        for partition in [2, 3] {
            assert!(taken[&partition].0.len() <= 2, "{protocol:?}: it went and came back");
        }
    }
}

#[test]
fn offsets_that_the_group_refuses_are_no_reason_to_leave_it() {
    for protocol in PROTOCOLS {
        let log = memory_log();
        create(&log);
        let script =
            (0..4).fold(Script::default(), |script, at| script.refuse(Call::SendOffsets, 2 + at, Kind::NotMember));
        let script = script.refuse(Call::Leave, 0, Kind::Fatal);
        let taken = Taken::default();
        let mut member = member(&FaultLog::new(log.clone(), &script), "a", &taken, protocol);
        fill(&log, 25);
        turn_until(&mut [&mut member], |_| outputs(&log) == 100);
        assert_exact(&log, &topics(), 100);
        assert_eq!(member.metrics.snapshot().rewind_count, 4);
        assert_eq!(script.refused_count(), 4, "it never tried to leave");
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// This member takes so many turns, and joins before if it is not there.
    Turn(usize, usize),
    Leave(usize),
    /// It is gone without a word, with what it has not committed.
    Die(usize),
    Fill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0usize..3, 1usize..6).prop_map(|(member, turns)| Step::Turn(member, turns)),
        1 => (0usize..3).prop_map(Step::Leave),
        1 => (0usize..3).prop_map(Step::Die),
        2 => Just(Step::Fill),
    ]
}

fn run(steps: &[Step], protocols: [GroupProtocol; 3]) {
    let log = memory_log();
    create(&log);
    let mut members: [Option<Instance<MemoryLog>>; 3] = [None, None, None];
    let mut filled = 0;
    let join = |at: usize| member(&log, &format!("m{at}"), &Taken::default(), protocols[at]);
    for step in steps {
        match step {
            Step::Turn(at, turns) => {
                let member = members[*at].get_or_insert_with(|| join(*at));
                for _ in 0..*turns {
                    member.thread.run_once().unwrap();
                }
            }
            Step::Leave(at) => members[*at].take().into_iter().for_each(|member| member.thread.close().unwrap()),
            // The next of its name takes its place in the group, as after a restart.
            Step::Die(at) => {
                if members[*at].take().is_some() {
                    members[*at] = Some(join(*at));
                }
            }
            Step::Fill => {
                fill(&log, 5);
                filled += 20;
            }
        }
    }
    members[0].get_or_insert_with(|| join(0));
    let mut left: Vec<&mut Instance<MemoryLog>> = members.iter_mut().flatten().collect();
    turn_until(&mut left, |_| outputs(&log) == filled);
    assert_exact(&log, &topics(), filled);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_exact_whoever_comes_leaves_or_dies(
        steps in proptest::collection::vec(step(), 5..40),
        classic in any::<[bool; 3]>(),
    ) {
        run(&steps, classic.map(|is_classic| if is_classic { GroupProtocol::Classic } else { GroupProtocol::Consumer }));
    }
}
