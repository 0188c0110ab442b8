//! The driver as a whole, on a real broker, with few records: what is measured here says nothing, but everything is
//! there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]

use std::process::{Command, Output};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cairn-bench");

fn bench(arguments: &[&str]) -> Output {
    // Few, but more than a fast machine takes in one commit: a rate needs some.
    let count = ["--records", "600000", "--keys", "600000"];
    let few = ["--rounds", "1", "--latency-s", "2", "--latency-warm-up-s", "1"];
    let brokers = test_cluster::Cluster::shared().brokers();
    let mut command = Command::new(PROGRAM);
    command
        .args(["--json", "--rate", "2000", "--brokers", brokers])
        .args(count)
        .args(few)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn every_figure_of_the_engine_and_the_pipe_is_measured_and_outputs_are_checked() {
    // The pipe writes no counts: taken for a program that counts, it must not pass.
    let wrong = format!(
        "wrong={PROGRAM} pipe --brokers {{brokers}} --application {{application}} --input {{input}} --output {{output}} \
         --commit-interval-ms {{commit_interval_ms}} --compression {{compression}}"
    );
    let output = bench(&["--subjects", "pipe,topology,wrong", "--also", &wrong, "--ratio", "topology/wrong"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let results: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{said}"));
    let of = |subject: &str, figure: &str| {
        let rounds = results["rounds"].as_array().unwrap().iter();
        rounds.filter(|round| round["subject"] == subject).find_map(|round| round[figure].as_f64())
    };
    let latency = ["commit_p50_ms", "commit_p99_ms", "longest_pause_ms", "record_p99_ms", "steady_cpu_s_per_million"];
    let common = ["records_per_s", "cpu_s_per_million", "resident_max_mib", "start_s", "changelog_per_record"];
    let restore = ["restart_s", "restore_s", "restored_per_s", "restore_cpu_s_per_million"];
    for figure in latency.iter().chain(&common).chain(&restore) {
        assert!(of("topology", figure).is_some_and(|value| value >= 0.0), "topology: {figure}\n{said}");
        let of_the_pipe = of("pipe", figure);
        assert_eq!(of_the_pipe.is_some(), !restore.contains(figure), "pipe: {figure}\n{said}");
    }
    // In one commit, records of as many keys are of 63 % of them; in many commits, of nearly all.
    for subject in ["topology", "pipe"] {
        let share = of(subject, "changelog_per_record").unwrap();
        assert!((0.6..1.1).contains(&share), "{subject}: {share}\n{said}");
    }
    let over_the_pipe = results["ratios"].as_array().unwrap().iter().filter(|ratio| ratio["over"] == "pipe");
    assert!(over_the_pipe.count() > 5, "{results}");

    let failures: Vec<&str> =
        results["failures"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(failures.iter().all(|line| line.contains("wrong: ")), "{failures:?}\n{said}");
    assert!(failures.iter().any(|line| line.contains("of which 1 have come")), "{failures:?}\n{said}");
    assert!(!output.status.success(), "a run that failed must not look like success");
}

#[test]
fn a_program_that_ends_too_soon_fails_its_run_with_its_last_words() {
    let early = "early=echo the disk is full {brokers} {application} {input} {output}";
    let output = bench(&["--scenarios", "count", "--subjects", "early", "--also", early]);
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failure = results["failures"][0].as_str().unwrap();
    assert!(failure.contains("ended by itself") && failure.contains("the disk is full"), "{failure}");
    assert!(!output.status.success());
}

#[test]
fn wrong_options_are_refused_before_anything_starts() {
    for (arguments, what) in [
        (&["--subjects", "stream"][..], "no subject stream"),
        (&["--also", "twin=./twin"], "{brokers}"),
        (&["--ratio", "topology/nothing"], "both of them measured"),
    ] {
        let output = Command::new(PROGRAM).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(what), "{arguments:?}: {said}");
    }
}
