//! Calls that fail, each in each way.

use topology::graph::{Builder, Topic, Topology};
use topology::log::{Kind, Log};
use topology::processor::Position;

use super::counting::{assert_exact, produce, read, topology};
use super::{config, memory_log, run_until_end, topics, wait};
use crate::fault_log::{Call, FaultLog, Script};

/// All that does not ask for a human. A broker that is behind says of a topic that is there that there is none.
const PASSING: [Kind; 6] = [Kind::Retry, Kind::Abort, Kind::Unknown, Kind::Fenced, Kind::NotMember, Kind::NoSuchTopic];

#[test]
fn outputs_are_never_lost_or_doubled_whichever_call_fails_and_however() {
    for call in [Call::Init, Call::Begin, Call::Send, Call::Flush, Call::SendOffsets] {
        for kind in PASSING {
            let log = memory_log();
            produce(&log, &topics(), 40);
            // The first one, and one in the middle of a transaction.
            let script = Script::default().refuse(call, 0, kind).refuse(call, 13, kind);
            let metrics =
                run_until_end(&topology(&topics()), FaultLog::new(log.clone(), &script), config(None)).unwrap();
            assert!(script.refused_count() > 0);
            assert_exact(&log, &topics(), 40);
            let passes = matches!(kind, Kind::Retry | Kind::NoSuchTopic);
            let again = metrics.rewind_count + u64::from(call == Call::Init && passes);
            assert!(again > 0, "{call:?} {kind:?}: {metrics:?}");
        }
    }
}

#[test]
fn a_broker_that_does_not_know_a_topic_yet_stops_nobody() {
    for call in [Call::Poll, Call::Assign, Call::Seek, Call::Subscribe, Call::Watermarks, Call::Committed] {
        for kind in [Kind::Retry, Kind::NoSuchTopic] {
            for after in 0..3 {
                let log = memory_log();
                produce(&log, &topics(), 40);
                let script = Script::default().refuse(call, after, kind);
                run_until_end(&topology(&topics()), FaultLog::new(log.clone(), &script), config(None)).unwrap();
                assert!(script.refused_count() > 0 || after > 0, "{call:?}");
                assert_exact(&log, &topics(), 40);
            }
        }
    }
}

#[test]
fn a_topic_that_is_not_to_be_seen_when_a_client_starts_is_looked_for_again() {
    for topic in ["app-in", "app-out", "app-counts-changelog"] {
        for answers in [1, 3] {
            let log = memory_log();
            produce(&log, &topics(), 40);
            let script = Script::default();
            script.hide(topic, answers);
            let faulty = FaultLog::new(log.clone(), &script);
            run_until_end(&topology(&topics()), faulty, config(None)).unwrap();
            assert_exact(&log, &topics(), 40);
        }
    }
}

/// Copies an input that somebody else makes.
fn copying() -> Topology {
    pausing(Topic::new(topics().input).must_exist())
}

#[test]
fn an_input_that_must_exist_is_missed_only_after_several_looks() {
    let log = memory_log();
    produce(&log, &topics(), 40);
    let script = Script::default();
    script.hide(&topics().input, 3);
    run_until_end(&copying(), FaultLog::new(log.clone(), &script), config(None)).unwrap();
    assert_eq!(read(&log, &topics().output).len(), 40);
    let error = run_until_end(&copying(), memory_log(), config(None)).unwrap_err();
    assert!(error.to_string().contains("there is no topic 'app-in': create it first"), "{error}");
}

#[test]
fn a_record_that_its_topic_does_not_take_stops_with_what_to_change() {
    let log = memory_log();
    produce(&log, &topics(), 10);
    let script = Script::default().refuse(Call::Send, 3, Kind::TooLarge);
    let error = run_until_end(&topology(&topics()), FaultLog::new(log.clone(), &script), config(None)).unwrap_err();
    assert!(error.to_string().contains("max.message.bytes"), "{error}");
    assert!(read(&log, &topics().output).is_empty());
}

/// Copies. Of each ten records it goes back over two, once, and takes no input before that is committed.
fn pausing(input: Topic) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("copying").source::<[u8], [u8]>(input);
    let mut went_back = false;
    let functions = input.processor("pausing").functions::<[u8], i64>().committed(|(), context| {
        context.resume();
        Ok(())
    });
    let output = functions.process(move |record, (), context| {
        match record.offset % 10 {
            7 if !went_back => return Ok(()),
            8 if !went_back => {
                went_back = true;
                context.suspend_from(Position::new(0, record.offset - 1));
                context.request_commit();
                return Ok(());
            }
            9 => went_back = false,
            _ => {}
        }
        context.forward(record.with(record.key, Some(record.offset)))
    });
    output.sink(Topic::new(topics().output).partitions(1));
    builder.build().unwrap()
}

#[test]
fn a_failed_seek_of_a_task_that_goes_back_skips_nothing() {
    let log = memory_log();
    produce(&log, &topics(), 100);
    // The first two are at the start and where it goes back first.
    let script =
        [1, 2, 4, 5].into_iter().fold(Script::default(), |script, at| script.refuse(Call::Seek, at, Kind::Retry));
    // The two records that it goes back over come one by one, so the first has to be fetched again.
    let config = topology::client::Config { batch_records: 1, commit_interval_ms: 10_000, ..config(None) };
    let config = topology::client::Config { transaction_timeout_ms: 20_000, ..config };
    run_until_end(&pausing(topics().input.into()), FaultLog::new(log.clone(), &script), config).unwrap();
    assert_eq!((script.refused_count(), script.seek_count()), (4, 1 + 10 + 4));
    let taken: Vec<i64> =
        read(&log, &topics().output).iter().map(|(_, _, at)| i64::from_be_bytes(at[..].try_into().unwrap())).collect();
    assert_eq!(taken, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_pause_that_fails_while_partitions_change_hands_stops_nothing_and_doubles_nothing() {
    for kind in [Kind::Retry, Kind::NotMember, Kind::NoSuchTopic] {
        let log = memory_log();
        produce(&log, &topics(), 40);
        let script = Script::default().refuse(Call::Pause, 0, kind).refuse(Call::Pause, 1, kind);
        let metrics = run_until_end(&topology(&topics()), FaultLog::new(log.clone(), &script), config(None)).unwrap();
        assert_eq!((script.refused_count(), metrics.rewind_count), (2, 2), "{kind:?}");
        assert_exact(&log, &topics(), 40);
    }
}

#[test]
fn where_only_leaving_the_group_fails_the_run_has_not_failed() {
    let log = memory_log();
    produce(&log, &topics(), 10);
    let script = Script::default().refuse(Call::Leave, 0, Kind::Retry);
    run_until_end(&topology(&topics()), FaultLog::new(log.clone(), &script), config(None)).unwrap();
    assert_eq!(script.refused_count(), 1);
    assert_exact(&log, &topics(), 10);
}

#[test]
fn a_panic_in_a_processor_is_told_and_leaves_neither_a_transaction_open_nor_a_member_in_the_group() {
    let log = memory_log();
    produce(&log, &topics(), 200);
    let builder = Builder::new();
    let input = builder.sub_topology("panicking").source::<[u8], [u8]>(topics().input);
    let output = input.process_fn::<[u8], [u8]>(|record, context| {
        assert!(record.offset < 150, "as the test wants it");
        context.forward(record.with(record.key, record.value))
    });
    output.sink(Topic::new(topics().output).partitions(1));
    let script = Script::default();
    let on_panic = topology::client::OnPanic::Stop;
    let config = topology::client::Config { batch_records: 200, commit_interval_ms: 5_000, on_panic, ..config(None) };
    let faulty = FaultLog::new(log.clone(), &script);
    let mut client = topology::client::Client::start_blocking(&builder.build().unwrap(), faulty, config).unwrap();
    let states = client.states();
    let error = wait(&mut client).unwrap_err();
    assert!(error.to_string().contains("panicked: as the test wants it"), "{error}");
    assert_eq!(script.begun_count(), 1, "something was sent");
    assert!(!script.has_open_transaction());
    assert_eq!(log.group_member_count(&topics().application).unwrap(), 0);
    assert_eq!(*states.borrow(), topology::client::State::Failed);
}

#[test]
fn a_restore_thread_that_dies_ends_the_client() {
    let log = memory_log();
    produce(&log, &topics(), 10);
    let script = Script::default();
    script.panic_for("app-restore");
    let mut client =
        topology::client::Client::start_blocking(&topology(&topics()), FaultLog::new(log, &script), config(None))
            .unwrap();
    let error = wait(&mut client).unwrap_err();
    assert!(error.to_string().contains("the thread that restores stores has died"), "{error}");
}
