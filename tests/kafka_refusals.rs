//! What `cairn run` refuses on a real broker, each with one line that names what is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use std::time::{Duration, Instant};

use support::{Chain, Process, cairn, create_topic, read, refusal, transfer};
use test_cluster::Cluster;
use topology::log::Log;
use topology::log::kafka::{KafkaLog, Options};

fn refused(chain: &Chain, options: &[&str]) -> String {
    refusal(&mut chain.run(options), chain.directory.path())
}

fn assert_names(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{line:?} lacks {part:?}");
    }
}

#[test]
fn another_chain_parameter_on_an_existing_chain() {
    let mut chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3")]);
    chain.run_until_end();
    chain.variables.push(("CAIRN_BLOCK_MAX_TRANSACTIONS".to_owned(), "4".to_owned()));
    let line = refused(&chain, &[]);
    assert_names(&line, &["block.max_transactions = 3", "CAIRN_BLOCK_MAX_TRANSACTIONS", "4"]);
    chain.variables.pop();
    chain.run_until_end();
}

#[test]
fn brokers_that_are_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let waiting = ["run", "verify"].map(|subcommand| {
        let mut command = cairn(subcommand);
        command.args(["--log-format", "json", "--brokers", "127.0.0.1:1"]);
        if subcommand == "run" {
            command.arg("--state-dir").arg(directory.path().join("state"));
        }
        Process::start(&mut command, directory.path())
    });
    for process in waiting {
        let finished = process.wait();
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        assert_names(finished.refusal(), &["127.0.0.1:1"]);
    }
}

/// Each a port that somebody gives by mistake, or a setting that does not go with it: the last line says which.
#[test]
fn an_address_that_cannot_be_used_is_told_with_the_setting_to_change() {
    let cluster = Cluster::start_with(&[
        "listeners=PLAINTEXT://127.0.0.1:@PORT@,SASL_PLAINTEXT://127.0.0.1:@SECURE_PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@",
        "advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,SASL_PLAINTEXT://127.0.0.1:@SECURE_PORT@",
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT",
        "listener.name.sasl_plaintext.sasl.enabled.mechanisms=SCRAM-SHA-256",
        "listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
    ]);
    let login = cluster.secure().unwrap().brokers.replace("localhost", "127.0.0.1");
    let tls = Cluster::shared().secure().map(|secure| secure.brokers);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|address| (address.to_string(), silent)).unwrap();
    let sasl = ["-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.username=a", "-X", "sasl.password=b"];
    let (plain, scram) = (["-X", "sasl.mechanism=PLAIN"], ["-X", "sasl.mechanism=SCRAM-SHA-256"]);
    let mut cases = vec![
        (cluster.controller(), vec![], "is the port of a controller"),
        (silent.0.clone(), vec![], "takes connections and answers nothing"),
        (login.clone(), vec![], "set -X security.protocol=SASL_PLAINTEXT, -X sasl.mechanism=SCRAM-SHA-256"),
        (login, [&sasl[..], &plain].concat(), "set -X sasl.mechanism=SCRAM-SHA-256"),
        (cluster.brokers().to_owned(), [&sasl[..], &scram].concat(), "asks for no login (SASL)"),
        (cluster.brokers().to_owned(), vec!["-X", "security.protocol=SSL"], "speaks Kafka without TLS"),
    ];
    cases.extend(
        tls.map(|tls| (tls, vec![], "speaks TLS, and security.protocol is PLAINTEXT: set -X security.protocol=SSL")),
    );
    let directory = tempfile::tempdir().unwrap();
    let started: Vec<_> = cases
        .into_iter()
        .flat_map(|(brokers, options, says)| {
            ["verify", "run"].map(|command| (command, brokers.clone(), options.clone(), says))
        })
        .map(|(subcommand, brokers, options, says)| {
            let mut command = cairn(subcommand);
            command.args(["--log-format", "json", "--brokers", &brokers]).args(options);
            if subcommand == "run" {
                command.arg("--state-dir").arg(directory.path().join("state"));
            }
            (Process::start(&mut command, directory.path()), brokers, says)
        })
        .collect();
    for (process, brokers, says) in started {
        assert_names(process.wait().refusal(), &[&brokers, says]);
    }
}

#[test]
fn topics_with_the_wrong_partitions_or_cleanup_policy() {
    let chain = Chain::new(&[]);
    create_topic(&chain.blockchain, 1, &[("cleanup.policy", "delete")]);
    assert_names(&refused(&chain, &[]), &[&chain.blockchain, "cleanup.policy=delete"]);

    let chain = Chain::new(&[]);
    create_topic(&chain.blockchain, 3, &[("cleanup.policy", "compact")]);
    assert_names(&refused(&chain, &[]), &[&chain.blockchain, "3 partitions"]);

    let chain = Chain::new(&[]);
    let changelog = format!("{}-accounts-changelog", chain.application);
    create_topic(&changelog, 1, &[("cleanup.policy", "delete")]);
    assert_names(&refused(&chain, &[]), &[&changelog, "cleanup.policy=delete"]);
}

#[test]
fn a_state_directory_that_another_process_uses() {
    let chain = Chain::new(&[]);
    let mut first = chain.start(&[]);
    first.until_logged("running");
    let line = refused(&chain, &[]);
    assert_names(&line, &["in use by another process", chain.state().to_str().unwrap()]);
    first.terminate();
    assert!(first.wait().status.success());
}

/// Under the same application id: the group's offsets and the changelogs are the other chain's as well.
#[test]
fn state_of_another_genesis() {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "2")]);
    chain.run_until_end();
    chain.produce(&transfer("alice", "bob", 1).repeat(4));
    chain.run_until_end();
    let before = chain.inspect(&chain.state());

    let mut other = Chain::new(&[]);
    other.application = chain.application.clone();
    let line = refusal(&mut other.run_in(&chain.state(), &[]), chain.directory.path());
    assert_names(&line, &["had a chain", &chain.blockchain, &other.blockchain]);
    // With a state directory of its own it finds the changelogs.
    let line = refused(&other, &[]);
    assert_names(&line, &["changelog", &chain.application, "application id"]);

    // The state that was refused is as it was, and goes on.
    assert_eq!(chain.inspect(&chain.state()), before);
    chain.produce(&transfer("alice", "bob", 1).repeat(2));
    chain.run_until_end();
    assert_eq!(chain.verify()["height"], 3);
}

/// As when brokers come back without their disks, after a first run that was ended by force.
#[test]
fn a_chain_whose_topics_are_gone() {
    let chain = Chain::new(&[]);
    let mut first = chain.start(&[]);
    first.until_logged("running");
    chain.produce(&transfer("alice", "bob", 1));
    first.until("a sealed block", |_| read(&chain.blockchain, "read_committed").len() == 2);
    drop(first.kill());

    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    log.delete_topics(&[chain.blockchain.clone(), chain.transactions.clone()]).unwrap();
    let line = refused(&chain, &[]);
    assert_names(&line, &["had a chain", &chain.blockchain, "are these the right brokers and topic?"]);
    // What is left of it says so alone, the chain's directory or the application's.
    std::fs::rename(chain.state(), chain.directory.path().join("aside")).unwrap();
    assert_names(&refused(&chain, &[]), &["had a chain"]);
    std::fs::rename(chain.directory.path().join("aside"), chain.state()).unwrap();
    std::fs::remove_dir_all(chain.data()).unwrap();
    assert_names(&refused(&chain, &[]), &["had a chain"]);
}
