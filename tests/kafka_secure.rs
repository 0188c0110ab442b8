//! `cairn` on a listener that takes only those who encrypt and name themselves: TLS, and a password by SCRAM-SHA-256;
//! and on a broker that allows nothing that was not granted.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use support::{Chain, Process, cairn, json, refusal, transfer};
use test_cluster::{Cluster, Secure};

fn secure() -> Option<Secure> {
    let secure = Cluster::shared().secure();
    if secure.is_none() {
        println!("SKIPPED: {} and {} are not set", test_cluster::SECURE_BROKERS, test_cluster::CA);
    }
    secure
}

/// All that a connection needs, but for the password and whom to trust.
const PROPERTIES: [(&str, &str); 4] = [
    ("security.protocol", "SASL_SSL"),
    ("sasl.mechanism", "SCRAM-SHA-256"),
    ("sasl.username", Secure::USER),
    // The certificate is for a name, `localhost`, which is two addresses; the broker listens on one.
    ("broker.address.family", "v4"),
];

/// A command with the properties on its command line, and the password in its environment.
fn secured(subcommand: &str, secure: &Secure, password: &str, ca: Option<&Path>) -> Command {
    let mut command = cairn(subcommand);
    command.args(["--log-format", "json", "--brokers", &secure.brokers]).env("CAIRN_KAFKA_SASL_PASSWORD", password);
    for (name, value) in PROPERTIES {
        command.args(["-X", &format!("{name}={value}")]);
    }
    if let Some(ca) = ca {
        command.args(["-X", &format!("ssl.ca.location={}", ca.display())]);
    }
    command
}

#[test]
fn a_chain_is_made_over_tls_with_properties_of_the_command_line_and_verified_with_those_of_the_file() {
    let Some(secure) = secure() else { return };
    let chain = Chain::new(&[]);
    let directory = chain.directory.path();
    let payments = directory.join("payments.jsonl");
    std::fs::write(&payments, transfer("alice", "bob", 3).repeat(4)).unwrap();

    let mut submit = secured("submit", &secure, Secure::PASSWORD, Some(&secure.ca));
    submit.args(["--transactions", &chain.transactions]).arg(payments);
    let mut run = secured("run", &secure, Secure::PASSWORD, Some(&secure.ca));
    run.args(["--until-end", "--application-id", &chain.application, "--transactions", &chain.transactions]);
    run.args(["--blockchain", &chain.blockchain, "--state-dir"]).arg(chain.state()).env("XDG_DATA_HOME", chain.data());
    for mut command in [submit, run] {
        let finished = Process::start(&mut command, directory).wait();
        assert!(finished.status.success(), "{finished}");
    }

    let (brokers, ca) = (&secure.brokers, secure.ca.display());
    let mut settings = format!("brokers = '{brokers}'\n[kafka]\nssl.ca.location = '{ca}'\n");
    for (name, value) in PROPERTIES.into_iter().chain([("sasl.password", Secure::PASSWORD)]) {
        settings.push_str(&format!("{name} = '{value}'\n"));
    }
    let file = directory.join("settings.toml");
    std::fs::write(&file, settings).unwrap();
    let mut verify = cairn("verify");
    verify.args(["--json", "--transactions", &chain.transactions, "--blockchain", &chain.blockchain]);
    let report = json(verify.arg("--config").arg(file), directory);
    assert_eq!((&report["result"], &report["compared_records"]), (&"intact".into(), &4.into()), "{report}");
}

#[test]
fn a_wrong_password_is_told_within_seconds_and_is_not_shown() {
    let Some(secure) = secure() else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut run = secured("run", &secure, "of-somebody-else", Some(&secure.ca));
    run.arg("--state-dir").arg(directory.path().join("state"));
    let start = Instant::now();
    let finished = Process::start(&mut run, directory.path()).wait();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let line = finished.refusal();
    assert!(line.contains("SASL authentication error"), "{line}");
    assert!(!finished.to_string().contains("of-somebody-else"), "{finished}");
}

/// Nobody vouches for this broker: without being told of its certificate, the program must not speak to it.
#[test]
fn a_broker_whose_certificate_nobody_trusts_is_refused() {
    let Some(secure) = secure() else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut verify = secured("verify", &secure, Secure::PASSWORD, None);
    let start = Instant::now();
    let finished = Process::start(&mut verify, directory.path()).wait();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let line = finished.refusal();
    assert!(line.contains("certificate verify failed"), "{line}");
}

/// Operations, and on what: the tables of docs/operations.md for `run` and `submit`, with `app` as the application id.
const GRANTS: [(&str, &str); 6] = [
    ("Read Write Describe DescribeConfigs Create", "--topic transactions"),
    ("Write Describe DescribeConfigs Create", "--topic transactions-dead-letters --topic blockchain-evidence"),
    ("Read Write Describe DescribeConfigs Create", "--topic blockchain"),
    ("Read Write Describe DescribeConfigs Create", "--topic app- --resource-pattern-type prefixed"),
    ("Read Describe", "--group app"),
    ("Write Describe", "--transactional-id cairn- --transactional-id app- --resource-pattern-type prefixed"),
];

#[test]
fn nothing_goes_without_permissions_and_those_that_the_manual_lists_are_enough() {
    let authorizer = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    let cluster = Cluster::start_with(&[authorizer, "super.users=User:ANONYMOUS"]);
    let secure = cluster.secure().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let payments = directory.path().join("payments.jsonl");
    std::fs::write(&payments, transfer("alice", "bob", 3).repeat(4)).unwrap();
    let command = |subcommand| secured(subcommand, &secure, Secure::PASSWORD, Some(&secure.ca));
    let mut submit = command("submit");
    submit.arg(payments);
    let mut run = command("run");
    run.args(["--until-end", "--application-id", "app", "--state-dir"]).arg(directory.path().join("state"));
    let mut verify = command("verify");
    verify.arg("--json");

    for command in [&mut submit, &mut run, &mut verify] {
        let line = refusal(command, directory.path());
        assert!(line.contains("authorization failed"), "{line}");
    }
    let principal = format!("User:{}", Secure::USER);
    for (operations, resources) in GRANTS {
        let mut arguments = vec!["--add", "--allow-principal", &principal];
        arguments.extend(operations.split(' ').flat_map(|operation| ["--operation", operation]));
        arguments.extend(resources.split(' '));
        cluster.tool("org.apache.kafka.tools.AclCommand", &arguments);
    }
    for command in [&mut submit, &mut run] {
        let finished = Process::start(command, directory.path()).wait();
        assert!(finished.status.success(), "{finished}");
    }
    let report = json(&mut verify, directory.path());
    assert_eq!((&report["result"], &report["compared_records"]), (&"intact".into(), &4.into()), "{report}");
}
