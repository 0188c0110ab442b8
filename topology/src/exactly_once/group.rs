//! Other members of the group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use topology::client::{Client, Config, State};
use topology::clock::{ManualClock, SystemClock};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::Kind;
use topology::processor::Schedule;

use super::counting::{assert_exact, produce, read, topology};
use super::steps::{Instance, turn_until};
use super::{config, memory_log, run_until_end, topics, until};
use crate::fault_log::{Call, FaultLog, Script};

#[test]
fn a_run_until_the_end_is_refused_beside_another_member() {
    let log = memory_log();
    produce(&log, &topics(), 10);
    let topology = topology(&topics());
    let first = Client::start_blocking(&topology, log.clone(), config(None)).unwrap();
    until("the first runs", || *first.states().borrow() == State::Running);
    let error = run_until_end(&topology, log, config(None)).unwrap_err();
    assert!(error.to_string().contains("2 members: stop the others first"), "{error}");
}

#[test]
fn a_run_until_the_end_is_refused_when_another_member_takes_its_partition_away() {
    let log = memory_log();
    produce(&log, &topics(), 100);
    let clock = Arc::new(SystemClock::new());
    let mut bounded = Instance::new(&log, clock.clone(), "b", Config { until_end: true, ..config(None) });
    turn_until(&mut [&mut bounded], |turning| turning[0].metrics.snapshot().commit_count > 0);
    // Its id sorts first, and so it gets the partition.
    let mut other = Instance::new(&log, clock, "a", config(None));
    let error = (0..1_000).find_map(|_| {
        other.thread.run_once().unwrap();
        bounded.thread.run_once().err()
    });
    let error = error.expect("it goes on for ever").to_string();
    assert!(error.contains("2 members"), "{error}");
}

#[test]
fn a_rival_that_comes_and_goes_neither_loses_nor_doubles_anything() {
    let log = memory_log();
    let clock = Arc::new(SystemClock::new());
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outputs = || read(&log, &topics().output).len();
    produce(&log, &topics(), 100);
    let mut settled = Instance::new(&log, clock.clone(), "b", config(Some(here.path())));
    turn_until(&mut [&mut settled], |_| outputs() >= 50);
    let mut rival = Instance::new(&log, clock, "a", config(Some(there.path())));
    produce(&log, &topics(), 100);
    turn_until(&mut [&mut settled, &mut rival], |_| outputs() == 200);
    let rivalled = rival.metrics.snapshot();
    assert!(rivalled.record_count > 0, "its id sorts first, so it got the partition");
    produce(&log, &topics(), 100);
    rival.thread.run_once().unwrap();
    rival.thread.close().unwrap();
    turn_until(&mut [&mut settled], |_| outputs() == 300);
    assert_exact(&log, &topics(), 300);
    assert_eq!(settled.metrics.snapshot().rewind_count + rivalled.rewind_count, 0);
}

#[test]
fn a_member_whose_task_another_one_had_while_its_stores_were_restored_takes_it_over_anew() {
    let log = memory_log();
    let clock = ManualClock::new(1_000_000_000);
    produce(&log, &topics(), 10);
    // The first two calls ask for the input's ends. The next ones are the restore's, which tries again when time
    // passes.
    let script = (0..2).fold(Script::default(), |script, _| script.refuse(Call::Watermarks, 2, Kind::Retry));
    let mut late = Instance::new(&FaultLog::new(log.clone(), &script), Arc::new(clock.clone()), "a", config(None));
    while script.refused_count() == 0 {
        late.thread.run_once().unwrap();
    }
    clock.advance(11_000);
    let mut other = Instance::new(&log, Arc::new(clock.clone()), "b", config(None));
    turn_until(&mut [&mut other], |_| read(&log, &topics().output).len() == 10);
    // The first one hears nothing of it, and its stores hold what the other one has committed.
    while late.metrics.snapshot().restored_record_count == 0 {
        clock.advance(60);
        script.set_unreachable(true);
        late.thread.run_once().unwrap();
        script.set_unreachable(false);
        std::thread::sleep(Duration::from_millis(5));
    }
    produce(&log, &topics(), 10);
    while read(&log, &topics().output).len() < 20 {
        clock.advance(60);
        late.thread.run_once().unwrap();
        other.thread.run_once().unwrap();
    }
    assert_exact(&log, &topics(), 20);
}

/// Counts; looks at its clock meanwhile, and finds something wrong when it is told to.
fn looking(is_wrong: &Arc<AtomicBool>) -> Topology {
    let is_wrong = Arc::clone(is_wrong);
    let builder = Builder::new();
    let input = builder.sub_topology("counting").source::<[u8], [u8]>(topics().input);
    let functions = input.processor("looking").functions::<[u8], [u8]>().init(|(), context| {
        context.schedule(Schedule::WallClock { interval_ms: 10 });
        Ok(())
    });
    let functions = functions.punctuate(move |_, (), _| match is_wrong.load(Ordering::Relaxed) {
        true => Err(topology::Error::stop("this is not what I wrote").into()),
        false => Ok(()),
    });
    let looked_at = functions.process(|record, (), context| context.forward(record.with(record.key, record.value)));
    looked_at.count(&Store::memory("counts")).sink(Topic::new(topics().output).partitions(1));
    builder.build().unwrap()
}

#[test]
fn a_member_that_the_group_has_given_up_and_that_finds_something_wrong_joins_again() {
    let log = memory_log();
    let clock = ManualClock::new(1_000_000_000);
    produce(&log, &topics(), 10);
    let (script, is_wrong) = (Script::default(), Arc::new(AtomicBool::new(false)));
    let faulty = FaultLog::new(log.clone(), &script);
    let mut late = Instance::of(&looking(&is_wrong), &faulty, Arc::new(clock.clone()), "a", config(None));
    let outputs = || {
        clock.advance(10);
        read(&log, &topics().output).len()
    };
    turn_until(&mut [&mut late], |_| outputs() == 10);
    // It stands still, and another one takes over.
    clock.advance(11_000);
    let mut other = Instance::of(&looking(&Arc::default()), &log, Arc::new(clock.clone()), "b", config(None));
    produce(&log, &topics(), 10);
    turn_until(&mut [&mut other], |_| outputs() == 20);
    // The first one hears nothing of it before it looks at what it had.
    is_wrong.store(true, Ordering::Relaxed);
    script.set_unreachable(true);
    late.thread.run_once().unwrap();
    script.set_unreachable(false);
    assert_eq!(late.metrics.snapshot().rewind_count, 1);
    is_wrong.store(false, Ordering::Relaxed);
    produce(&log, &topics(), 10);
    while outputs() < 30 {
        late.thread.run_once().unwrap();
        other.thread.run_once().unwrap();
    }
    assert_exact(&log, &topics(), 30);
}
