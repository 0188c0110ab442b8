//! One instance ends, another one goes on: at once after SIGTERM, after the session timeout where it was killed.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

#[path = "http/client.rs"]
#[allow(dead_code, reason = "shared with the tests of HTTP")]
mod client;
mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use client::Client;
use support::{Chain, Process, read, refusal, transfer};
use test_cluster::Cluster;
use topology::log::Log;
use topology::log::kafka::{KafkaLog, Options};

const THREE: &[(&str, &str)] = &[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"), ("CAIRN_BLOCK_MAX_AGE_MS", "60000")];

fn member_count(chain: &Chain) -> usize {
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    log.group_member_count(&chain.application).unwrap()
}

fn height(chain: &Chain) -> usize {
    read(&chain.blockchain, "read_committed").len() - 1
}

/// `cairn run` with a state directory of its own and the first one's keys.
fn elsewhere(chain: &Chain, state: &Path, options: &[&str]) -> Command {
    let mut command = chain.run_in(state, options);
    command.arg("--keys").arg(chain.keys());
    command
}

fn second(chain: &Chain, state: &Path) -> Process {
    Process::start(&mut elsewhere(chain, state, &[]), chain.directory.path())
}

/// Produces a block's worth, and returns how long it took to be sealed.
fn seal_three(chain: &Chain, by: &mut Process) -> Duration {
    let (start, wanted) = (Instant::now(), height(chain) + 1);
    chain.produce(&transfer("alice", "bob", 1).repeat(3));
    by.until("the next block", |_| height(chain) == wanted);
    start.elapsed()
}

/// Where a run says that it serves.
fn served_at(run: &mut Process) -> Client {
    run.until_logged("serving HTTP");
    let said = run.stderr();
    let mut lines = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let line = lines.find(|line| line["message"] == "serving HTTP").unwrap();
    Client::of(line["url"].as_str().unwrap())
}

#[test]
fn who_does_not_have_the_state_names_the_instance_that_has_it() {
    let chain = Chain::new(THREE);
    let options = ["--http", "127.0.0.1:0", "--http-advertised"];
    let mut first = chain.start(&[&options[..], &["one.test:8080"]].concat());
    first.until_logged("running");
    let of_first = served_at(&mut first);
    first.until("block 0 is there", |_| of_first.get("/v1/blocks/0").status == 200);
    seal_three(&chain, &mut first);
    let state = chain.directory.path().join("other");
    let mut other = elsewhere(&chain, &state, &[&options[..], &["two.test:8080"]].concat());
    let mut other = Process::start(&mut other, chain.directory.path());
    other.until_logged("standing by: another instance seals");
    let of_other = served_at(&mut other);
    assert_eq!(of_first.json("/v1/accounts/bob")["balance"], 3);
    other.until("it knows who has the state", |_| of_other.get("/v1/accounts/bob").status == 421);
    of_other.get("/v1/accounts/bob").refused(421, "one.test:8080");
    // Blocks it has all the same.
    other.until("blocks", |_| of_other.get("/v1/blocks/1").status == 200);
    first.terminate();
    assert!(first.wait().status.success());
    other.until("it has the state now", |_| of_other.get("/v1/accounts/bob").status == 200);
    assert_eq!(of_other.json("/v1/accounts/bob")["balance"], 3);
    other.terminate();
    assert!(other.wait().status.success());
}

#[test]
fn sigterm_ends_with_0_and_leaves_the_group_so_that_another_instance_takes_over_at_once() {
    let chain = Chain::new(THREE);
    let mut first = chain.start(&[]);
    first.until_logged("running");
    seal_three(&chain, &mut first);
    let mut other = second(&chain, &chain.directory.path().join("other"));
    let start = Instant::now();
    while member_count(&chain) < 2 {
        assert!(start.elapsed() < Duration::from_secs(30), "the second never joined:\n{}", other.stderr());
        std::thread::sleep(Duration::from_millis(50));
    }
    seal_three(&chain, &mut first);

    let start = Instant::now();
    first.terminate();
    let finished = first.wait();
    let ended = start.elapsed();
    assert!(finished.status.success(), "{finished}");
    assert_eq!(member_count(&chain), 1);
    seal_three(&chain, &mut other);
    let taken_over = start.elapsed();
    println!("ended after {ended:?}, next block after {taken_over:?}");

    other.terminate();
    let finished = other.wait();
    assert!(finished.status.success(), "{finished}");
    assert_eq!(member_count(&chain), 0);
    assert_eq!(chain.verify()["compared_records"], 9);
}

#[test]
fn after_sigterm_the_same_instance_starts_again_without_restoring() {
    let chain = Chain::new(THREE);
    let mut first = chain.start(&[]);
    first.until_logged("running");
    seal_three(&chain, &mut first);
    // Two of three: held, and not lost.
    chain.produce(&transfer("alice", "bob", 1).repeat(2));
    std::thread::sleep(Duration::from_millis(500));
    first.terminate();
    assert!(first.wait().status.success());
    assert_eq!(height(&chain), 1);

    let mut again = chain.start(&[]);
    again.until_logged("running");
    chain.produce(&transfer("alice", "bob", 1));
    again.until("block 2", |_| height(&chain) == 2);
    again.terminate();
    let finished = again.wait();
    let restored = finished.logged("restored");
    assert_eq!((restored[0]["records"].as_u64(), restored[0]["rebuilt"].as_u64()), (Some(0), Some(0)), "{finished}");
    assert_eq!(chain.verify()["compared_records"], 6);
}

#[test]
fn another_instance_takes_over_from_one_that_was_killed() {
    let chain = Chain::new(THREE);
    let mut first = chain.start(&[]);
    first.until_logged("running");
    seal_three(&chain, &mut first);
    let mut other = second(&chain, &chain.directory.path().join("other"));
    other.until_logged("standing by: another instance seals");
    chain.produce(&transfer("alice", "bob", 1));
    first.kill();
    chain.produce(&transfer("alice", "bob", 1).repeat(2));
    other.until("block 2", |_| height(&chain) == 2);
    other.terminate();
    assert!(other.wait().status.success());
    assert_eq!(chain.verify()["compared_records"], 6);
}

/// An older instance is given the partition and has to give it back; a newer one is given none, and must not wait for
/// it.
#[test]
fn a_run_until_the_end_is_refused_beside_a_running_instance_which_goes_on() {
    let chain = Chain::new(THREE);
    chain.run_until_end();
    let mut runs = second(&chain, &chain.directory.path().join("runs"));
    runs.until_logged("running");
    seal_three(&chain, &mut runs);

    let newer = chain.directory.path().join("newer");
    for mut command in [chain.run(&["--until-end"]), elsewhere(&chain, &newer, &["--until-end"])] {
        let line = refusal(&mut command, chain.directory.path());
        for part in [&chain.application, "2 members", "stop the others"] {
            assert!(line.contains(part), "{line:?} lacks {part:?}");
        }
        seal_three(&chain, &mut runs);
    }
    runs.terminate();
    let finished = runs.wait();
    assert!(finished.status.success(), "{finished}");
    assert_eq!(chain.verify()["compared_records"], 9);
}
