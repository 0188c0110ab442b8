//! `verify` and `replay`: what they say, and the three ways in which they end.

use std::cell::RefCell;
use std::rc::Rc;

use cairn::audit::replay::APPLICATION_ID;
use cairn::ledger::View;
use cairn::ledger::state::{Account, Table};
use topology::store::InstanceId;
use topology::store::{Resources, StateDirectory, StoreOptions, Stores};

use crate::Cairn;

const LOG: &str = "--log embedded:log";

/// A chain of three records, one more that is not sealed, and the hash of its genesis.
fn chain() -> (Cairn, String) {
    let cairn = Cairn::new();
    let submit = |count: usize| {
        cairn.write("payments.jsonl", &"{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n".repeat(count));
        cairn.run(&format!("submit {LOG} payments.jsonl")).done();
    };
    submit(3);
    // One block, however slow the machine is.
    let whole = [("CAIRN_BLOCK_WINDOW_MS", "0"), ("CAIRN_BLOCK_MAX_AGE_MS", "60000")];
    cairn.run_with(&format!("run {LOG} --state-dir state --until-end"), &whole).done();
    submit(1);
    let report = cairn.run(&format!("verify {LOG} --json")).done().json().remove(0);
    (cairn, report["genesis_hash"].as_str().unwrap().to_owned())
}

#[test]
fn an_intact_chain_ends_with_0_and_tells_what_is_not_sealed() {
    let (cairn, _) = chain();
    let report = cairn.run(&format!("verify {LOG} --json")).done().json().remove(0);
    assert_eq!((&report["result"], &report["transactions_topic"]), (&"intact".into(), &true.into()));
    assert_eq!((&report["compared_records"], &report["unsealed_records"]), (&3.into(), &1.into()));
    assert_eq!((&report["foreign_records"], &report["anchored"]), (&0.into(), &false.into()));
    let text = cairn.run(&format!("verify {LOG}")).done().stdout;
    assert!(text.contains("\nunsealed    1 record behind the last block\n"), "{text}");
}

/// What stands above the first empty line.
fn verdict(cairn: &Cairn, words: &str) -> String {
    let text = cairn.run(&format!("verify {LOG} {words}")).done().stdout;
    text.split("\n\n").next().unwrap().to_owned()
}

#[test]
fn the_first_lines_say_what_intact_leaves_open() {
    let (cairn, hash) = chain();
    let unanchored = "unanchored: no genesis hash or checkpoint was given, so any chain passes; pin yours with --genesis-hash or --checkpoint";
    let first = |words: &str| verdict(&cairn, words);
    assert_eq!(first(""), format!("intact\n{unanchored}"));
    assert_eq!(first(&format!("--genesis-hash {hash}")), "intact");
    // A checkpoint is made at the first verification, and pins the next.
    assert_eq!(first("--checkpoint checkpoint.txt"), format!("intact\n{unanchored}"));
    assert_eq!(first("--checkpoint checkpoint.txt"), "intact");
    let nothing = "intact, compared with nothing: there is no topic 'payments'";
    assert_eq!(first("--transactions payments"), format!("{nothing}\n{unanchored}"));
    assert_eq!(first(&format!("--transactions payments --genesis-hash {hash}")), nothing);

    let empty = Cairn::new();
    empty.run(&format!("run {LOG} --state-dir state --until-end")).done();
    assert_eq!(verdict(&empty, ""), format!("intact, compared with nothing: no record is sealed yet\n{unanchored}"));
}

#[test]
fn a_replay_can_be_pinned_and_says_when_it_is_not() {
    let (cairn, hash) = chain();
    let report = |words: &str| cairn.run(&format!("replay {LOG} --json {words}")).done().json().remove(0);
    let free = report("--state-dir free");
    assert_eq!((&free["anchored"], &free["genesis_hash"]), (&false.into(), &hash.as_str().into()));
    assert_eq!((&free["foreign_records"], &free["records"]), (&0.into(), &3.into()));
    assert_eq!(report(&format!("--state-dir pinned --genesis-hash {hash}"))["anchored"], true);

    let text = |words: &str| cairn.run(&format!("replay {LOG} {words}")).done().stdout;
    assert!(text("--state-dir free-too").contains("\nunanchored: "));
    let own = cairn.home().join("genesis.toml");
    assert!(!text(&format!("--state-dir pinned-too --genesis {}", own.display())).contains("unanchored"));

    let other = if hash.starts_with('0') { "1" } else { "0" }.repeat(64);
    let ran = cairn.run(&format!("replay {LOG} --state-dir other --genesis-hash {other}"));
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.starts_with("broken at height 0: anchor: "), "{}", ran.stdout);
    assert!(!cairn.path().join("other").exists());
}

#[test]
fn a_state_is_shown_only_if_its_tables_give_its_root() {
    let (cairn, hash) = chain();
    cairn.run(&format!("replay {LOG} --state-dir replayed")).done();
    let text = cairn.run("inspect --state-dir replayed").done().stdout;
    assert!(text.contains("(computed from the tables)"), "{text}");
    let inspect = |directory: &str| cairn.run(&format!("inspect --state-dir {directory} --json"));
    let sound = inspect("replayed").done().json().remove(0);
    assert_eq!((&sound["result"], &sound["genesis_hash"]), (&"sound".into(), &hash.as_str().into()));

    // The same tables, but for a unit that alice has and bob has not: the sum is what it was.
    let genesis: cairn::chain::Hash = hash.parse().unwrap();
    let tables = |directory: &StateDirectory| {
        let lock = directory.lock_task(&cairn::sealing::task_name()).unwrap();
        let specs = cairn::sealing::store_specs().unwrap();
        let stores = Stores::open(specs, lock, &Resources::without_thread(StoreOptions::default()), genesis.0).unwrap();
        cairn::sealing::Tables::over(&Rc::new(RefCell::new(stores))).unwrap()
    };
    let root = |name: &str| cairn.path().join(name);
    let replayed = tables(&StateDirectory::open_existing(&root("replayed"), APPLICATION_ID).unwrap());
    let tampered = tables(&StateDirectory::open(&root("tampered"), APPLICATION_ID, InstanceId::new(1, 2)).unwrap());
    for table in Table::ALL {
        let mut copy = |key: &[u8], value: &[u8]| {
            let mut value = value.to_vec();
            if let (Table::Accounts, b"alice" | b"bob") = (table, key) {
                let balance = Account::from_record(key, &value).unwrap().balance + if key == b"bob" { -1 } else { 1 };
                value[1..9].copy_from_slice(&balance.to_le_bytes());
            }
            tampered.put(table, key, &value).unwrap();
        };
        replayed.scan(table, &mut copy).unwrap();
    }
    tampered.commit_detached(1).unwrap();
    drop((replayed, tampered));
    inspect("replayed").done();
    let unsound = inspect("tampered");
    assert_eq!(unsound.code, 1, "{}{}", unsound.stdout, unsound.stderr);
    assert_eq!(unsound.json()[0]["result"], "unsound");
    let text = cairn.run("inspect --state-dir tampered");
    assert_eq!(text.code, 1, "{}", text.stderr);
    assert!(text.stdout.starts_with("unsound: ") && text.stdout.contains("root"), "{}", text.stdout);
}

#[test]
fn a_transactions_topic_that_is_missing_is_said_aloud() {
    let (cairn, _) = chain();
    let ran = cairn.run(&format!("verify {LOG} --transactions payments")).done();
    assert!(ran.stdout.contains("nothing: there is no topic 'payments'"), "{}", ran.stdout);
    assert!(ran.stderr.contains("there is no topic 'payments'"), "{}", ran.stderr);
    let report = cairn.run(&format!("verify {LOG} --transactions payments --json")).done().json().remove(0);
    assert_eq!((&report["transactions_topic"], &report["unsealed_records"]), (&false.into(), &0.into()));
}

#[test]
fn another_chain_than_the_pinned_one_ends_with_1() {
    let (cairn, hash) = chain();
    let other = if hash.starts_with('0') { "1" } else { "0" }.repeat(64);
    let ran = cairn.run(&format!("verify {LOG} --genesis-hash {other}"));
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.starts_with("broken at height 0: anchor: "), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_looked_at_ends_with_3_and_is_neither_intact_nor_broken() {
    let (cairn, _) = chain();
    for command in ["verify", "replay --state-dir replayed"] {
        let missing = format!("{command} {LOG} --blockchain elsewhere");
        assert_eq!(cairn.run(&missing).refused(3, &["there is no topic 'elsewhere'"]).stdout, "");
    }
    cairn.run(&format!("replay {LOG} --state-dir state")).refused(3, &["is not empty"]);
    cairn.run(&format!("replay {LOG} --state-dir replayed --to-height 9")).refused(2, &["ends at height 1"]);
    cairn.run(&format!("replay {LOG}")).refused(2, &["--state-dir DIR"]);
    cairn.write("letter.txt", "no log");
    cairn.run("verify --log embedded:letter.txt").refused(3, &[]);
    cairn.run(&format!("verify {LOG} --checkpoint letter.txt")).refused(2, &["letter.txt is no checkpoint"]);
    let nowhere = cairn.run(&format!("verify {LOG} --checkpoint nowhere/good.txt"));
    assert_eq!(nowhere.refused(2, &["cannot write nowhere/good.txt"]).stdout, "");
    cairn.run("inspect --state-dir nope").refused(2, &["there is no state directory nope"]);
    cairn.run("inspect --state-dir state --application-id foo").refused(2, &["no state of 'foo'", "cairn"]);
}

#[test]
fn of_a_genesis_file_and_a_genesis_hash_the_one_from_the_stronger_source_counts() {
    let (cairn, hash) = chain();
    let own = cairn.home().join("genesis.toml");
    let own = own.to_str().unwrap();
    cairn.run("keys --output other.keys").done();
    cairn.run("genesis --keys other.keys --output other.toml").done();
    let verify = |words: &str, variables: &[(&str, &str)]| cairn.run_with(&format!("verify {LOG} {words}"), variables);

    // A file for `run` in the settings does not stand in the way of a hash on the command line.
    cairn.write("cairn.toml", "genesis = 'other.toml'\n");
    assert_eq!(verify("", &[]).code, 1);
    verify(&format!("--genesis-hash {hash}"), &[]).done();
    verify(&format!("--genesis-hash {}", hash.to_uppercase()), &[]).done();
    verify("", &[("CAIRN_GENESIS_HASH", &hash)]).done();
    verify(&format!("--genesis {own}"), &[("CAIRN_GENESIS_HASH", &"0".repeat(64))]).done();

    // Side by side they must agree.
    verify(&format!("--genesis {own} --genesis-hash {hash}"), &[]).done();
    verify(&format!("--genesis other.toml --genesis-hash {hash}"), &[])
        .refused(2, &["other.toml", &hash, "which chain"]);
}
