//! Topics that become others while a run uses them, offsets that an operator moves, payments that are sent again:
//! nothing of another topic is sealed, nothing is skipped, and nothing happens twice.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use std::process::Command;

use support::{Chain, Process, cairn, create_topic, delete_topics, json, read_of, transfer};
use test_cluster::Cluster;

/// How many blocks there are, block 0 among them.
fn count(chain: &Chain) -> usize {
    read_of(chain.cluster, &chain.blockchain, "read_committed").len()
}

fn sealed(chain: &Chain) -> usize {
    chain.blocks().iter().map(|block| block["transactions"].as_array().unwrap().len()).sum()
}

/// A run that has sealed a block of three.
fn running(chain: &Chain) -> Process {
    let mut run = chain.start(&[]);
    run.until_logged("running");
    chain.produce(&transfer("alice", "bob", 3).repeat(3));
    run.until("block 1", |_| count(chain) == 2);
    run
}

const THREE: &[(&str, &str)] = &[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"), ("CAIRN_BLOCK_MAX_AGE_MS", "60000")];

#[test]
fn a_transactions_topic_made_anew_while_running_ends_the_run_and_nothing_of_it_is_sealed() {
    let chain = Chain::new(THREE);
    let run = running(&chain);
    delete_topics(std::slice::from_ref(&chain.transactions));
    create_topic(&chain.transactions, 1, &[]);
    chain.produce(&transfer("mallory", "bob", 1).repeat(40));

    let ended = run.wait();
    assert_eq!(ended.status.code(), Some(1), "{ended}");
    let line = ended.stderr.lines().last().unwrap();
    for part in ["error: ", &chain.transactions, "deleted and made anew"] {
        assert!(line.contains(part), "{line:?} lacks {part:?}");
    }
    // Started again it says so, too, as often as it is tried.
    for _ in 0..2 {
        let again = Process::start(&mut chain.run(&["--until-end"]), chain.directory.path()).wait();
        assert!(again.refusal().contains("made anew"), "{again}");
    }
    assert_eq!(sealed(&chain), 3);

    // The chain is what it was; only this topic is not the one that it was made from.
    let intact = json(&mut chain.verify_with("none"), chain.directory.path());
    assert_eq!((&intact["result"], &intact["height"]), (&"intact".into(), &1.into()), "{intact}");
    let compared = Process::start(&mut chain.verify_with(&chain.transactions), chain.directory.path()).wait();
    assert_eq!(compared.status.code(), Some(3), "{compared}");
    assert!(compared.refusal().contains("younger than the whole chain"), "{compared}");
}

#[test]
fn brokers_made_anew_at_the_same_address_end_the_run_and_found_no_second_chain() {
    // It ends with the process: nothing else could end it while a test reads from it.
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start()));
    let chain = Chain { cluster, ..Chain::new(THREE) };
    let run = running(&chain);
    cluster.kill();
    cluster.empty();
    cluster.restart();

    let ended = run.wait();
    assert_eq!(ended.status.code(), Some(1), "{ended}");
    let line = ended.stderr.lines().last().unwrap();
    assert!(line.starts_with("error: none of the ") && line.contains("the one that this run knew"), "{line}");

    let topics = [&chain.transactions, &chain.blockchain];
    let list = cluster.kcat(&["-L"], b"");
    assert!(topics.iter().all(|topic| !list.contains(&format!("topic \"{topic}\""))), "{list}");
    let again = Process::start(&mut chain.run(&["--until-end"]), chain.directory.path()).wait();
    assert!(again.refusal().contains("had a chain"), "{again}");
}

fn move_offsets(chain: &Chain, whereto: &[&str]) {
    let mut arguments =
        vec!["--group", &chain.application, "--topic", &chain.transactions, "--reset-offsets", "--execute"];
    arguments.extend(whereto);
    chain.cluster.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", &arguments);
}

#[test]
fn offsets_moved_with_kafkas_tool_are_told_and_neither_skip_nor_repeat_anything() {
    let chain = Chain::new(THREE);
    // Makes the topic.
    chain.run_until_end();
    chain.produce(&transfer("alice", "bob", 1).repeat(6));
    chain.run_until_end();
    move_offsets(&chain, &["--to-earliest"]);
    chain.produce(&transfer("carol", "bob", 1).repeat(3));
    let back = chain.run_until_end();
    assert!(back.stderr.contains("offsets were lost or moved back"), "{back}");
    assert_eq!(sealed(&chain), 9);

    // Two that were never processed lie below it.
    chain.produce(&transfer("dave", "bob", 1).repeat(2));
    move_offsets(&chain, &["--to-latest"]);
    chain.produce(&transfer("erin", "bob", 1));
    let ahead = chain.run_until_end();
    assert!(ahead.stderr.contains("moved ahead of what is in blocks"), "{ahead}");
    assert_eq!(sealed(&chain), 12);
    let report = chain.verify();
    assert_eq!((&report["compared_records"], &report["unsealed_records"]), (&12.into(), &0.into()), "{report}");
    // Nothing is left to be told.
    let next = chain.run_until_end();
    assert!(!next.stderr.contains("WARN"), "{next}");
}

#[test]
fn payments_that_are_signed_and_submitted_twice_are_paid_once() {
    let chain = Chain::new(&[("CAIRN_SIGNATURES", "required"), ("CAIRN_BALANCES", "strict")]);
    let directory = chain.directory.path();
    let file = |name: &str| directory.join(name);
    let run = |command: &mut Command| {
        let finished = Process::start(command.env("XDG_DATA_HOME", chain.data()), directory).wait();
        assert!(finished.status.success(), "{finished}");
        finished.stdout
    };
    let account = |name: &str| run(cairn("keys").args(["--account", "--output"]).arg(file(name))).trim().to_owned();
    let (alice, bob) = (account("alice.key"), account("bob.key"));
    run(cairn("keys").arg("--output").arg(file("validators.keys")));
    let mut genesis = cairn("genesis");
    genesis.envs(chain.variables.iter().cloned()).arg("--keys");
    let genesis = run(genesis.arg(file("validators.keys")));
    let funded = format!("{genesis}\n[[accounts]]\nname = \"{alice}\"\nbalance = 1000\n");
    std::fs::write(file("genesis.toml"), funded).unwrap();
    let (of_genesis, of_keys) = (file("genesis.toml"), file("validators.keys"));
    let seal = || {
        let mut command = chain.run(&["--until-end"]);
        run(command.arg("--genesis").arg(&of_genesis).arg("--keys").arg(&of_keys));
    };
    seal();

    let line = |amount: u64| format!("{{\"to\":\"{bob}\",\"amount\":{amount}}}\n");
    std::fs::write(file("day.jsonl"), line(3) + &line(3) + &line(4)).unwrap();
    for round in 1..=2 {
        let mut submit = cairn("submit");
        submit.args(["--json", "--brokers", chain.cluster.brokers(), "--transactions", &chain.transactions]);
        submit.args(["--blockchain", &chain.blockchain, "--sign-with"]).arg(file("alice.key")).arg(file("day.jsonl"));
        let report = json(&mut submit, directory);
        assert_eq!((&report["sent"], &report["account"]), (&3.into(), &alice.clone().into()), "{report}");
        seal();
        assert_eq!(sealed(&chain), round * 3, "all are in blocks, the repeated ones rejected");
        let state = chain.inspect(&chain.state());
        let balance = |name: &str| {
            let accounts = state["accounts"].as_array().unwrap();
            accounts.iter().find(|one| one["name"] == name).unwrap()["balance"].as_i64().unwrap()
        };
        assert_eq!((balance(&alice), balance(&bob)), (990, 10));
    }
    // In the second block nothing was applied.
    let active = chain.blocks().iter().map(|block| block["header"]["active_height"].clone()).collect::<Vec<_>>();
    assert_eq!(active, [0, 1, 1]);
    chain.verify();
}
