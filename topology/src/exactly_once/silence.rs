//! What restores stores is there and says nothing: those who wait for it do.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use topology::Class;
use topology::client::{Config, RestoreListener, StoreProgress};
use topology::clock::{Clock, ManualClock};
use topology::stream_thread::State;
use topology::updater::{Changelog, NewChangelog, Plan, Restore, RestoreOptions};

use super::counting::{assert_exact, changelog_count, produce};
use super::steps::{Instance, empty_stores, turn_until};
use super::{config, count, memory_log, topics};
use crate::fault_log::{FaultLog, Script};

/// Log lines of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn keep(&self) -> tracing::subscriber::DefaultGuard {
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || lines.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    fn count(&self, part: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).lines().filter(|line| line.contains(part)).count()
    }
}

/// A listener that does not come back before it may.
#[derive(Debug)]
struct Stuck(Mutex<Receiver<()>>);

impl RestoreListener for Stuck {
    fn started(&self, _store: &StoreProgress<'_>) {
        // The end of the channel lets it go.
        let _ = self.0.lock().unwrap().recv();
    }
}

#[test]
fn a_restorer_that_is_there_and_does_not_go_on_is_named_again_and_again_until_it_does() {
    let log = memory_log();
    produce(&log, &topics(), 100);
    count(log.clone(), tempfile::tempdir().unwrap().path());
    let (lines, clock) = (Lines::default(), ManualClock::new(1_000_000_000));
    let _kept = lines.keep();
    let (let_go, stuck) = channel::<()>();
    let config = Config { restore_listener: Some(Arc::new(Stuck(Mutex::new(stuck)))), ..config(None) };
    let mut waits = Instance::new(&log, Arc::new(clock.clone()), "a", config);
    turn_until(&mut [&mut waits], |turning| turning[0].thread.state() == State::Restoring);
    // The updater may be on its way to where it hangs still.
    let named = || lines.count("the thread that restores them does not go on");
    turn_until(&mut [&mut waits], |_| {
        clock.advance(100);
        named() > 0
    });
    for _ in 0..20 {
        clock.advance(1_000);
        waits.thread.run_once().unwrap();
        assert_eq!(waits.thread.state(), State::Restoring);
    }
    assert!((4..=6).contains(&named()), "every five seconds, not {} times in twenty", named());
    drop(let_go);
    turn_until(&mut [&mut waits], |turning| turning[0].thread.state() == State::Running);
    waits.thread.run_once().unwrap();
    assert_eq!(lines.count("the thread that restores stores goes on"), 1);
    assert_exact(&log, &topics(), 100);
}

#[test]
fn a_restore_to_which_a_log_brings_nothing_says_so_every_half_minute_and_goes_on_when_it_brings_something() {
    let log = memory_log();
    produce(&log, &topics(), 100);
    count(log.clone(), tempfile::tempdir().unwrap().path());
    let (script, clock) = (Script::default(), Arc::new(ManualClock::new(0)));
    let changelog = Changelog { topic: "app-counts-changelog".to_owned(), beginning: NewChangelog::Alone([1; 16]) };
    let options = RestoreOptions::default();
    let plan = Plan { partition: 0, changelogs: vec![Some(changelog)], options, followed: None };
    let mut stores = empty_stores();
    let mut restore = Restore::new(FaultLog::new(log.clone(), &script), plan, clock.clone());
    script.set_silent(true);
    let mut said_ms = Vec::new();
    for _ in 0..200 {
        clock.advance(1_000);
        match restore.step(&mut stores, Duration::from_millis(1)) {
            Ok(progress) => assert!(!progress.done),
            Err(error) => {
                assert_eq!(error.class(), Class::Retry);
                assert!(error.to_string().contains("nothing could be read from the changelogs"), "{error}");
                said_ms.push(clock.monotonic_ms());
            }
        }
    }
    assert!(said_ms.windows(2).all(|pair| pair[1] - pair[0] <= 31_000), "{said_ms:?}");
    assert!(said_ms.len() >= 6, "{said_ms:?}");
    script.set_silent(false);
    while !restore.step(&mut stores, Duration::from_millis(1)).unwrap().done {}
    assert_eq!(restore.restored()[0].records, changelog_count(&log, &topics()));
}
