//! The engine alone, by way of its example `count`, under `kill -9` on a real broker: counts are exact.
//!
//! The example is built with all other targets by `cargo test`; alone by `cargo build --release --examples`.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod counting;

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use counting::{Topics, assert_exact, produce};
use test_cluster::{Cluster, unique};
use topology::log::Log;
use topology::log::kafka::{KafkaLog, Options};

const ROUNDS: usize = 20;
const PER_ROUND: usize = 2_000;
const KILLS: usize = 12;

fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("examples/count");
    assert!(path.exists(), "{} is not built: cargo build --release --examples", path.display());
    path
}

fn count(topics: &Topics, directory: &Path, number: usize, options: &[&str]) -> Child {
    let stderr = File::create(directory.join(format!("{number}.log"))).unwrap();
    let mut command = Command::new(example());
    command.args(["--brokers", Cluster::shared().brokers(), "--app-id", &topics.application]);
    command.args(["--in", &topics.input, "--out", &topics.output, "--state-dir"]).arg(directory.join("state"));
    command.args(options).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap()
}

/// Pauses at random; which moments of the process they hit is not repeatable, so there is no seed to print.
fn random_below(limit: u64) -> u64 {
    RandomState::new().build_hasher().finish() % limit
}

#[test]
fn the_count_example_counts_exactly_though_it_is_killed_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let topics = Topics::new(unique("count"));
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    produce(&log, &topics, PER_ROUND);
    let log_of = |number: usize| std::fs::read_to_string(directory.path().join(format!("{number}.log"))).unwrap();
    // On the disk before the first kill, so that a crash could wipe something.
    assert!(count(&topics, directory.path(), 0, &["--until-end"]).wait().unwrap().success(), "{}", log_of(0));

    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 1..ROUNDS {
                produce(&log, &topics, PER_ROUND);
                std::thread::sleep(Duration::from_millis(600));
            }
        });
        for number in 1..=KILLS {
            let mut child = count(&topics, directory.path(), number, &[]);
            let limit = if number % 3 == 0 { 300 } else { 2_500 };
            std::thread::sleep(Duration::from_millis(random_below(limit)));
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself:\n{}", log_of(number));
            child.kill().unwrap();
            child.wait().unwrap();
        }
    });
    let ended = count(&topics, directory.path(), KILLS + 1, &["--until-end"]).wait().unwrap();
    assert!(ended.success(), "{}", log_of(KILLS + 1));
    assert_exact(&log, &topics, ROUNDS * PER_ROUND);
    for number in 1..=KILLS + 1 {
        let text = log_of(number);
        assert!(!text.contains("from empty"), "{text}");
    }
    assert_eq!(log.group_member_count(&topics.application).unwrap(), 0, "the last run left the group");
}
