//! Who may empty the log of a chain; and the keys of one chain used for another.

use topology::log::Log;

use crate::world::{BLOCKCHAIN, TRANSACTIONS, World, transfer};

/// A chain whose first run was ended by force with block 1 signed, and whose log came back empty.
fn lost_its_log() -> World {
    let world = World::new(&[]);
    world.pay(6);
    world.kill_when_logged("height=1");
    std::fs::remove_dir_all(world.path().join("log")).unwrap();
    world.create(TRANSACTIONS, "delete");
    world.pay(6);
    world
}

#[test]
fn a_log_that_comes_back_empty_gets_no_second_chain_under_the_same_genesis_and_keys() {
    for left in ["all", "keys alone", "state alone", "all, and the files are named", "keys, and the files are named"] {
        let mut world = lost_its_log();
        let copy = world.path().join("copy");
        std::fs::create_dir(&copy).unwrap();
        for name in ["genesis.toml", "validators.keys"] {
            std::fs::copy(world.home().join(name), copy.join(name)).unwrap();
        }
        if left.starts_with("keys") {
            std::fs::remove_dir_all(world.state()).unwrap();
        }
        if left.starts_with("state") {
            std::fs::remove_dir_all(world.path().join("data")).unwrap();
        }
        if left.ends_with("named") {
            world.options = "--genesis copy/genesis.toml --keys copy/validators.keys".to_owned();
        }
        for _ in 0..2 {
            world.try_run().refused(2, &["had a chain", "are these the right brokers and topic?", "cairn reset"]);
        }
        assert_eq!(world.log().describe_topic(BLOCKCHAIN).unwrap(), None, "{left}: nothing was begun");
    }
}

/// Named files, and of what earlier runs noted only the state directory is left.
#[test]
fn a_named_genesis_is_refused_by_the_state_directory_alone() {
    let mut world = lost_its_log();
    let copy = world.path().join("copy");
    std::fs::rename(world.home(), &copy).unwrap();
    std::fs::remove_dir_all(world.path().join("data")).unwrap();
    world.options = "--genesis copy/genesis.toml --keys copy/validators.keys".to_owned();
    world.try_run().refused(2, &["had a chain", "cairn reset"]);
}

/// Two machines: `first` with a signed payment out of validator-1's earnings in block 1.
fn first() -> World {
    let mut world = World::new(&[]);
    world.cairn("keys --output validators.keys").done();
    let made = world.command("genesis --keys validators.keys").env("CAIRN_REWARD", "5").output().unwrap();
    let text = String::from_utf8(made.stdout).unwrap();
    std::fs::write(world.path().join("genesis.toml"), text).unwrap();
    world.options = "--genesis genesis.toml --keys validators.keys".to_owned();
    world.pay(3);
    world.run();
    world
}

/// Another machine with the same keys.
fn second(first: &World, genesis: &str) -> World {
    let mut world = World::new(&[]);
    std::fs::copy(first.path().join("validators.keys"), world.path().join("validators.keys")).unwrap();
    std::fs::write(world.path().join("genesis.toml"), genesis).unwrap();
    world.options.clone_from(&first.options);
    world
}

#[test]
fn with_one_field_of_the_genesis_changed_nothing_signed_for_one_chain_holds_on_the_other() {
    let first = first();
    let proposer = first.blocks()[1].header.proposer().unwrap().as_str().to_owned();
    std::fs::write(first.path().join("payout.jsonl"), "{\"to\":\"mallory\",\"amount\":1}\n").unwrap();
    let sign = format!("submit --log embedded:log --sign-with validators.keys --from ${proposer} payout.jsonl");
    first.cairn(&sign).done();
    first.run();
    assert_eq!(first.balance("mallory"), 1, "on its own chain it holds");
    let signed = first.read(TRANSACTIONS).last().unwrap().clone();
    let blocks = first.read(BLOCKCHAIN);
    let genesis = std::fs::read_to_string(first.path().join("genesis.toml")).unwrap();
    let line = |start: &str| genesis.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    for (field, value) in [
        ("chain_id", "chain_id = \"other\""),
        ("created_ms", "created_ms = 1"),
        ("reward", "reward = 6"),
        ("remember_blocks", "remember_blocks = 9999"),
    ] {
        assert_ne!(line(field), value);
        let world = second(&first, &genesis.replacen(&line(field), value, 1));
        world.pay(3);
        world.append(TRANSACTIONS, std::slice::from_ref(&signed));
        world.run();
        let entries = world.entries();
        assert_eq!(entries[3]["receipt"]["reason"], "bad_signature", "{field}: {}", entries[3]);
        assert_eq!(world.balance("mallory"), 0, "{field}");
        world.verify();
        // Its blocks, seals and all, are none of this chain's.
        let own = world.read(BLOCKCHAIN);
        world.rewrite(BLOCKCHAIN, "compact", &[own[..2].to_vec(), blocks[2..].to_vec()].concat());
        world.try_verify().broken(&["parent"]);
        world.try_replay().broken(&["parent"]);
        world.try_run().refused(1, &["cairn verify"]);
        world.rewrite(BLOCKCHAIN, "compact", &[own[..1].to_vec(), blocks[1..].to_vec()].concat());
        world.try_verify().broken(&["parent"]);
        std::fs::remove_dir_all(world.state()).unwrap();
        world.try_run().refused(1, &["cairn verify"]);
        // And the whole chain in its place is told from it.
        world.rewrite(BLOCKCHAIN, "compact", &blocks);
        world.try_run().refused(2, &["holds the chain of genesis"]);
    }
}

#[test]
fn one_genesis_and_its_keys_on_a_second_log_are_refused_where_the_first_is_noted() {
    let first = first();
    let named = "--until-end --genesis genesis.toml --keys validators.keys";
    for place in ["--log embedded:log2 --state-dir state", "--log embedded:log2 --state-dir state2"] {
        first.cairn(&format!("run {place} {named}")).refused(2, &["had a chain"]);
    }
    first.pay(3);
    first.run();
    first.verify();
}

/// As the page about consensus says: elsewhere nothing helps against it, and a state is not continued on another's
/// topic.
#[test]
fn one_genesis_on_two_machines_begins_twice_and_no_state_is_continued_on_the_others_topic() {
    let first = first();
    let genesis = std::fs::read_to_string(first.path().join("genesis.toml")).unwrap();
    let second = second(&first, &genesis);
    second.send(&vec![transfer("alice", "mallory", 1); 4]);
    second.run();
    let (ours, theirs) = (first.blocks(), second.blocks());
    assert_eq!(ours[0].hash, theirs[0].hash);
    assert_eq!(ours[1].header.proposer(), theirs[1].header.proposer());
    assert_ne!(ours[1].hash, theirs[1].hash, "two headers for one turn");
    // The second's state on the first's log.
    std::fs::remove_dir_all(first.state()).unwrap();
    std::fs::rename(second.state(), first.state()).unwrap();
    first.pay(3);
    first.run();
    assert_eq!(first.verify()["height"], 2);
    assert_eq!((first.balance("bob"), first.balance("mallory")), (6, 0));
}

#[test]
fn a_genesis_with_a_time_that_json_readers_cannot_hold_begins_no_chain() {
    let first = first();
    let genesis = std::fs::read_to_string(first.path().join("genesis.toml")).unwrap();
    for created_ms in ["9007199254740992", "-9007199254740992", "9223372036854775807"] {
        let world = second(&first, &genesis.replacen("created_ms = 0", &format!("created_ms = {created_ms}"), 1));
        world.try_run().refused(2, &["created_ms"]);
        assert_eq!(world.log().describe_topic(BLOCKCHAIN).unwrap(), None);
    }
}
