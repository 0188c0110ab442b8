//! The unit of systemd and its files.

use std::process::{Command, Output};

use crate::{help_of_run, is_setting, text};

/// `systemd-analyze`, if it is here.
fn analyze(words: &[&str]) -> Option<Output> {
    let output = Command::new("systemd-analyze").args(words).output();
    if output.is_err() {
        println!("SKIPPED: there is no systemd-analyze here");
    }
    output.ok()
}

#[test]
fn the_unit_sets_what_the_program_knows_and_restarts_what_may_mend_itself() {
    let (unit, environment) = (text("deploy/systemd/cairn.service"), text("deploy/systemd/cairn.env"));
    for line in [
        "ExecStart=/usr/local/bin/cairn run",
        "TimeoutStopSec=30",
        "RestartPreventExitStatus=2",
        "EnvironmentFile=/etc/cairn/environment",
        "User=cairn",
        "StateDirectory=cairn",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    assert!(text("deploy/systemd/cairn.sysusers.conf").starts_with("u cairn "));
    let help = help_of_run();
    let words = |line: &str| line.trim_start_matches("Environment=").trim_start_matches('#').to_owned();
    let lines = unit.lines().filter(|line| line.starts_with("Environment=")).chain(environment.lines()).map(words);
    let variables: Vec<String> = lines
        .flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|word| word.split_once('=').map(|(name, _)| name.to_owned()))
        .filter(|name| name.starts_with("CAIRN_"))
        .collect();
    assert!(variables.len() > 8, "{variables:?}");
    for name in variables {
        assert!(is_setting(&name, &help), "{name} is no setting of `cairn run`");
    }
}

#[test]
fn systemd_takes_the_unit_and_finds_little_that_it_could_do_to_the_machine() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cairn.service");
    let unit = text("deploy/systemd/cairn.service").replace("/usr/local/bin/cairn", env!("CARGO_BIN_EXE_cairn"));
    std::fs::write(&path, unit).unwrap();
    let path = path.to_str().unwrap();
    let Some(verified) = analyze(&["verify", path]) else { return };
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !said.contains("cairn.service"), "{said}");
    // In tenths; 100 is a unit that may do everything.
    let judged = analyze(&["security", "--offline=true", "--threshold=15", path]).unwrap();
    let (table, said) = (String::from_utf8_lossy(&judged.stdout), String::from_utf8_lossy(&judged.stderr));
    if said.contains("unrecognized option") {
        println!("SKIPPED: this systemd-analyze judges no files");
        return;
    }
    assert!(judged.status.success(), "{table}{said}");
}
