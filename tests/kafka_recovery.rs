//! A blockchain topic that somebody else wrote to, healed by the commands of `docs/operations.md` as they stand there.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Real processes take real time.
#![allow(clippy::disallowed_methods)]

mod support;

use std::process::Command;

use support::{Chain, Finished, Process, cairn, read, transfer};
use test_cluster::Cluster;

/// The commands of the first code blocks behind a heading, with this chain's names in the place of the manual's.
fn manual(heading: &str, replacements: &[(&str, &str)]) -> Vec<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
    let section = text.split(heading).nth(1).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().unwrap().split("\n### ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let replaced = |block: &str| replacements.iter().fold(block.to_owned(), |text, (from, to)| text.replace(from, to));
    blocks.map(replaced).collect()
}

/// Runs commands in the chain's directory, with Kafka's tools and `cairn` under their names.
fn shell(chain: &Chain, commands: &str) -> Finished {
    let tools = chain.directory.path().join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    let program = |name: &str, text: String| {
        let file = tools.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    };
    program("cairn", format!("exec {} \"$@\"", env!("CARGO_BIN_EXE_cairn")));
    program("kafka-topics.sh", Cluster::shared().tool_line("org.apache.kafka.tools.TopicCommand"));
    program("kafka-configs.sh", Cluster::shared().tool_line(Cluster::config_tool()));
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-euc", commands]).current_dir(chain.directory.path()).env("PATH", path);
    command.env("XDG_DATA_HOME", chain.data());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CAIRN_")) {
        command.env_remove(name);
    }
    command.envs(chain.variables.iter().map(|(name, value)| (name, value)));
    Process::start(&mut command, chain.directory.path()).wait()
}

/// A chain of three blocks behind block 0.
fn three_blocks() -> Chain {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "2"), ("CAIRN_BLOCK_MAX_AGE_MS", "60000")]);
    chain.run_until_end();
    chain.produce(&transfer("alice", "bob", 3).repeat(6));
    chain.run_until_end();
    assert_eq!(chain.verify()["height"], 3);
    chain
}

/// Writes a record to the blockchain topic, as somebody may who should not.
fn write(chain: &Chain, key: &str, value: &str) {
    let line = format!("{key}\t{value}\n");
    Cluster::shared().kcat(&["-P", "-t", &chain.blockchain, "-K", "\t"], line.as_bytes());
}

fn verify(chain: &Chain) -> Finished {
    let mut command = cairn("verify");
    command.args(["--json", "--brokers", Cluster::shared().brokers(), "--blockchain", &chain.blockchain]);
    command.args(["--transactions", &chain.transactions]);
    Process::start(&mut command, chain.directory.path()).wait()
}

#[test]
fn records_of_others_are_counted_stop_nobody_and_are_deleted_by_their_keys() {
    let chain = three_blocks();
    write(&chain, "note", "mine");
    assert_eq!(chain.verify()["foreign_records"], 1);
    chain.produce(&transfer("alice", "bob", 3).repeat(2));
    chain.run_until_end();
    let report = chain.verify();
    assert_eq!((&report["height"], &report["foreign_records"]), (&4.into(), &1.into()));

    let names = [("kafka:9092", Cluster::shared().brokers()), ("blockchain", &chain.blockchain), ("KEY", "note")];
    let [delete] = &manual("### Foreign records", &names)[..] else { panic!("one command") };
    let done = shell(&chain, delete);
    assert!(done.status.success(), "{done}");
    let last = read(&chain.blockchain, "read_committed").pop().unwrap();
    assert_eq!((last.key.as_str(), last.value.as_str()), ("note", ""), "a record without a value");
    assert_eq!(chain.verify()["foreign_records"], 2, "the broker has not compacted yet");
}

#[test]
fn an_overwritten_height_is_healed_by_copying_the_genuine_records_to_a_new_topic() {
    let mut chain = three_blocks();
    let genesis = chain.verify()["genesis_hash"].as_str().unwrap().to_owned();
    write(&chain, "2", "{\"header\":{\"version\":1,\"height\":2,\"forged\":true}}");
    write(&chain, "note", "mine");
    write(&chain, "1", "gone");
    let broken = verify(&chain);
    assert_eq!(broken.status.code(), Some(1), "{broken}");
    let report: serde_json::Value = serde_json::from_str(&broken.stdout).unwrap();
    assert_eq!((&report["height"], &report["reason"]), (&2.into(), &"overwritten".into()), "{report}");

    let state = chain.state();
    let new = format!("{}-2", chain.blockchain);
    let verifying = format!("--genesis-hash {genesis} --transactions {} --json", chain.transactions);
    let running = format!(
        "--application-id {} --transactions {} --until-end --state-dir {}",
        chain.application,
        chain.transactions,
        state.display()
    );
    let names = [
        ("blockchain", chain.blockchain.as_str()),
        // Not the options' names.
        (&*format!("--{}", chain.blockchain), "--blockchain"),
        ("kafka:9092", Cluster::shared().brokers()),
        ("--genesis-hash HASH", &verifying),
        ("--state-dir STATE", &running),
    ];
    let commands = manual("### An overwritten height", &names);
    let [put_off, copy, go_on] = &commands[..] else { panic!("three blocks of commands: {commands:?}") };
    for part in [put_off, copy] {
        let done = shell(&chain, part);
        assert!(done.status.success(), "{done}");
        if part == copy {
            let report = done.stdout.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{done}"));
            let report: serde_json::Value = serde_json::from_str(report).unwrap();
            assert_eq!((&report["result"], &report["height"]), (&"intact".into(), &3.into()), "{report}");
            assert_eq!((&report["compared_records"], &report["anchored"]), (&6.into(), &true.into()), "{report}");
        }
    }
    let records = read(&new, "read_committed");
    let keys: Vec<&str> = records.iter().map(|record| record.key.as_str()).collect();
    assert_eq!(keys, ["0", "1", "2", "3"]);

    chain.produce(&transfer("alice", "bob", 3).repeat(2));
    let done = shell(&chain, go_on);
    assert!(done.status.success(), "{done}");
    chain.blockchain = new;
    let report = chain.verify();
    assert_eq!((&report["height"], &report["compared_records"]), (&4.into(), &8.into()), "{report}");
}
