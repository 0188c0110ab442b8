//! Signals, whenever they come.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use crate::Cairn;

const PAUSE: Duration = Duration::from_millis(10);

/// A process that is killed if the test ends before it.
struct Running {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, stderr }
    }

    fn until_logged(&mut self, text: &str) {
        let found = self.stderr.by_ref().map(Result::unwrap).find(|line| line.contains(text));
        assert!(found.is_some(), "never logged: {text}");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// The exit code; `None`: a signal ended it. Fails if it takes longer.
    fn ends_within(&mut self, limit: Duration) -> Option<i32> {
        for _ in 0..limit.div_duration_f32(PAUSE) as u32 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(PAUSE);
        }
        panic!("still running after {limit:?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_run_that_reaches_no_broker_ends_with_0_as_soon_as_it_is_asked() {
    for name in ["TERM", "INT"] {
        let cairn = Cairn::new();
        let mut run = Running::start(&mut cairn.command("run --brokers 127.0.0.1:1 --state-dir state"));
        run.until_logged("reading the chain");
        run.signal(name);
        assert_eq!(run.ends_within(Duration::from_secs(2)), Some(0), "SIG{name}");
        assert!(!cairn.path().join("state").exists(), "nothing was begun");
    }
}

#[test]
fn a_run_that_is_asked_while_it_starts_ends_with_0_and_the_next_one_seals() {
    let cairn = Cairn::new();
    cairn.run_with_input("submit --log embedded:log", "{\"from\":\"a\",\"to\":\"b\",\"amount\":1}\n").done();
    for wait_ms in [0, 5, 20, 80, 200] {
        let mut run = Running::start(&mut cairn.command("run --log embedded:log --state-dir state"));
        run.until_logged("reading the chain");
        std::thread::sleep(Duration::from_millis(wait_ms));
        run.signal("TERM");
        assert_eq!(run.ends_within(Duration::from_secs(20)), Some(0), "{wait_ms} ms behind the first line");
    }
    let report = cairn.run("run --log embedded:log --state-dir state --until-end --json").done().json();
    assert_eq!(report[0]["height"], 1);
    cairn.run("verify --log embedded:log").done();
}

#[test]
fn a_submission_that_a_signal_ends_says_how_it_goes_on_and_nothing_is_sent_twice_so() {
    let cairn = Cairn::new();
    let input: String = (0..300).map(|at| format!("{{\"from\":\"a\",\"to\":\"b\",\"amount\":{}}}\n", at + 1)).collect();
    let mut submit = Running::start(cairn.command("submit --log embedded:log").stdin(Stdio::piped()));
    // What a pipe brings is sent as it comes; it brings no more.
    let mut pipe = submit.child.stdin.take().unwrap();
    pipe.write_all(&input.as_bytes()[..input.len() / 2]).unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    submit.signal("INT");
    let words = submit.stderr.by_ref().map(Result::unwrap).find(|line| line.starts_with("error: SIGINT")).unwrap();
    let name = words.split("--submission ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert_eq!(submit.ends_within(Duration::from_secs(2)), Some(130));
    drop(pipe);

    let again = format!("submit --log embedded:log --submission {name} --json");
    let report = cairn.run_with_input(&again, &input).done().json();
    let count = |name: &str| report[0][name].as_u64().unwrap();
    assert!(count("skipped") > 0, "{report:?}");
    assert_eq!(count("skipped") + count("sent"), 300);
}

/// As the first process of a container has it: a signal's default action is to do nothing.
fn without_default_action(cairn: &Cairn, words: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' TERM; exec \"$0\" \"$@\""]).arg(env!("CARGO_BIN_EXE_cairn")).args(words.split(' '));
    cairn.at_home(shell)
}

#[test]
fn a_command_that_waits_is_ended_by_sigterm_even_as_the_first_process_of_a_container() {
    let cairn = Cairn::new();
    // It takes connections, and never answers.
    let broker = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = broker.local_addr().unwrap();
    for words in [
        "submit --log embedded:log".to_owned(),
        format!("verify --brokers {address}"),
        format!("replay --brokers {address} --state-dir replayed"),
    ] {
        let mut waiting = Running::start(without_default_action(&cairn, &words).stdin(Stdio::piped()));
        // Until the program's handler is there, the signal is ignored.
        let handled = |pid: u32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
            u64::from_str_radix(&mask, 16).unwrap() >> 14 & 1 == 1
        };
        while !handled(waiting.child.id()) {
            assert_eq!(waiting.child.try_wait().unwrap(), None, "cairn {words} ended by itself");
            std::thread::sleep(PAUSE);
        }
        waiting.signal("TERM");
        assert_eq!(waiting.ends_within(Duration::from_secs(10)), Some(143), "cairn {words}");
    }
}

#[test]
fn a_demo_that_is_asked_to_end_leaves_no_temporary_directory() {
    for wait_ms in [0, 30, 300, 1_500] {
        let cairn = Cairn::new();
        let temporary = cairn.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let is_empty = || std::fs::read_dir(&temporary).unwrap().next().is_none();
        let mut demo = Running::start(cairn.command("demo --blocks 0").env("TMPDIR", &temporary));
        while is_empty() {
            assert_eq!(demo.child.try_wait().unwrap(), None, "it ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(wait_ms));
        demo.signal("INT");
        assert_eq!(demo.ends_within(Duration::from_secs(20)), Some(0), "{wait_ms} ms after its start");
        assert!(is_empty(), "{wait_ms} ms after its start");
    }
}
