//! What the rest of the tests rely on: a broker that answers, comes back with its data, and never outlives its test.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use test_cluster::{BROKERS, Cluster, unique};

#[test]
fn the_shared_broker_takes_and_gives_records() {
    let cluster = Cluster::shared();
    let topic = unique("records");
    cluster.create_topic(&topic, 1, &["cleanup.policy=compact"]);
    cluster.kcat(&["-P", "-t", &topic, "-K", ":"], b"a:1\nb:2\n");
    assert_eq!(cluster.kcat(&["-C", "-t", &topic, "-e", "-q", "-K", ":"], b""), "a:1\nb:2\n");
}

#[test]
fn a_private_broker_keeps_its_data_over_stop_and_kill_and_answers_nothing_while_paused() {
    let cluster = Cluster::start();
    let topic = unique("kept");
    cluster.create_topic(&topic, 1, &[]);
    cluster.kcat(&["-P", "-t", &topic], b"before\n");

    let first = cluster.broker_pid();
    cluster.stop();
    assert_eq!(cluster.broker_pid(), None);
    cluster.restart();
    assert_ne!(cluster.broker_pid(), first);
    cluster.kill();
    cluster.restart();
    assert_eq!(cluster.kcat(&["-C", "-t", &topic, "-e", "-q"], b""), "before\n");

    cluster.pause();
    let metadata = Command::new("kcat").args(["-b", cluster.brokers(), "-L", "-m", "1"]).output().unwrap();
    assert!(!metadata.status.success(), "a paused broker answered");
    cluster.resume();
    cluster.kcat(&["-L"], b"");
}

#[test]
fn more_settings_reach_the_broker() {
    let advertised = "advertised.listeners=PLAINTEXT://localhost:@PORT@";
    let cluster = Cluster::start_with(&["auto.create.topics.enable=true", "num.partitions=3", advertised]);
    let topic = unique("implied");
    cluster.kcat(&["-P", "-t", &topic], b"x\n");
    let metadata = cluster.kcat(&["-L", "-t", &topic], b"");
    assert!(metadata.contains("with 3 partitions") && metadata.contains("at localhost:"), "{metadata}");
}

#[test]
fn the_broker_ends_with_a_process_that_was_killed() {
    // It prints the broker's process and working directory, then waits to be killed.
    let script = r#"echo "$CAIRN_TEST_BROKER_PID"; tr '\0' '\n' <"/proc/$CAIRN_TEST_BROKER_PID/cmdline" | tail -n 1; read -r forever"#;
    let mut child = Command::new(env!("CARGO_BIN_EXE_test-cluster"))
        .args(["sh", "-c", script])
        .env_remove(BROKERS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let pid = lines.next().unwrap().unwrap();
    let properties = lines.next().unwrap().unwrap();
    let process = format!("/proc/{pid}");
    let directory = Path::new(&properties).parent().unwrap();
    assert!(Path::new(&process).exists() && directory.join("data").exists(), "{process} {properties}");

    child.kill().unwrap();
    child.wait().unwrap();
    let gone = || !Path::new(&process).exists() && !directory.exists();
    assert!(
        (0..500).any(|_| gone() || {
            std::thread::sleep(Duration::from_millis(20));
            false
        }),
        "the broker lives on"
    );
}

#[test]
fn the_wrapper_hands_on_the_exit_code() {
    // Any address that somebody listens on will do: the command does not use it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-cluster"));
    command.env(BROKERS, listener.local_addr().unwrap().to_string());
    let status = command.args(["sh", "-c", "exit 3"]).status().unwrap();
    assert_eq!(status.code(), Some(3));
}

#[test]
fn names_differ() {
    let names: std::collections::HashSet<String> = (0..1000).map(|_| unique("t")).collect();
    assert_eq!(names.len(), 1000);
}
