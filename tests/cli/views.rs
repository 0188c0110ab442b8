//! Views of a chain, kept and forgotten.

use std::ops::ControlFlow;
use std::sync::Arc;

use cairn::reader::Reader;
use serde_json::Value;
use topology::clock::SystemClock;
use topology::log::Start;
use topology::log::embedded::{EmbeddedLog, Options};
use topology::log::{Log, TopicPartition};

use crate::Cairn;

pub(crate) const VIEWS: &str = "views --log embedded:log --state-dir state";

/// Seals so many payments, a block per three.
pub(crate) fn seal(cairn: &Cairn, count: usize) {
    cairn.write("payments.jsonl", &"{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n".repeat(count));
    cairn.run("submit --log embedded:log payments.jsonl").done();
    let three = [("CAIRN_BLOCK_MAX_TRANSACTIONS", "3")];
    cairn.run_with("run --log embedded:log --state-dir state --until-end", &three).done();
}

pub(crate) fn log(cairn: &Cairn) -> EmbeddedLog {
    EmbeddedLog::open(cairn.path().join("log"), &Options::default(), Arc::new(|| 0)).unwrap()
}

/// The values on a topic.
pub(crate) fn values(cairn: &Cairn, topic: &str) -> Vec<Vec<u8>> {
    let (log, clock) = (log(cairn), SystemClock::new());
    let mut values = Vec::new();
    Reader::new(&log, &clock, "test")
        .read(&[(TopicPartition::new(topic, 0), Start::Beginning)], |_, records| {
            values.extend(records.iter().map(|record| record.value.unwrap().to_vec()));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    values
}

/// The rows on a topic.
pub(crate) fn rows(cairn: &Cairn, topic: &str) -> Vec<Value> {
    values(cairn, topic).iter().map(|value| serde_json::from_slice(value).unwrap()).collect()
}

pub(crate) fn topics(cairn: &Cairn) -> Vec<bool> {
    let log = log(cairn);
    let names = ["transfers", "balances", "validators"].map(|view| format!("blockchain-{view}"));
    names.iter().map(|name| log.describe_topic(name).unwrap().is_some()).collect()
}

#[test]
fn views_follow_the_chain_go_on_where_they_were_and_come_again_after_a_reset() {
    let cairn = Cairn::new();
    seal(&cairn, 7);
    let told = cairn.run(&format!("{VIEWS} --until-end --json")).done().json();
    let views: Vec<&str> = told.iter().map(|line| line["view"].as_str().unwrap()).collect();
    assert_eq!(views, ["transfers", "balances", "validators"]);
    assert!(told.iter().all(|line| line["height"] == 3), "{told:?}");
    let transfers = rows(&cairn, "blockchain-transfers");
    assert_eq!(told[0]["rows"], transfers.len());
    assert_eq!(transfers.iter().filter(|row| row["kind"] == "transfer" && row["status"] == "applied").count(), 7);

    seal(&cairn, 2);
    let told = cairn.run(&format!("{VIEWS} --until-end --json")).done().json();
    assert!(told.iter().all(|line| line["height"] == 4), "{told:?}");
    let grown = rows(&cairn, "blockchain-transfers");
    assert_eq!(grown[..transfers.len()], transfers, "what was there is not written again");
    let balances = rows(&cairn, "blockchain-balances");
    let last = |name: &str| balances.iter().rev().find(|row| row["name"] == name).unwrap()["balance"].clone();
    assert_eq!((last("alice"), last("bob")), ((-27).into(), 27.into()));

    let before = ["transfers", "balances", "validators"].map(|view| rows(&cairn, &format!("blockchain-{view}")));
    let reset = "views reset --log embedded:log --state-dir state";
    let planned = cairn.run(&format!("{reset} balances --dry-run")).done().stdout;
    for part in
        ["would delete topic blockchain-balances\n", "blockchain-view-balances-chain-changelog", "offsets", "stores"]
    {
        assert!(planned.contains(part), "{part} is not in: {planned}");
    }
    cairn.run(reset).refused(2, &["--yes", "--dry-run"]);
    cairn.run(&format!("{reset} balances --yes")).done();
    assert_eq!(topics(&cairn), [true, false, true], "the others stay");
    cairn.run(&format!("{reset} --yes")).done();
    assert_eq!(topics(&cairn), [false; 3]);
    assert!(cairn.run(&format!("{reset} --yes")).done().stdout.contains("there is nothing of view transfers"));
    cairn.run(&format!("{VIEWS} --until-end")).done();
    let again = ["transfers", "balances", "validators"].map(|view| rows(&cairn, &format!("blockchain-{view}")));
    assert_eq!(again, before);
}

#[test]
fn one_view_alone_is_kept_and_another_begun_later() {
    let cairn = Cairn::new();
    seal(&cairn, 4);
    let table = cairn.run(&format!("{VIEWS} balances --until-end")).done().stdout;
    assert!(table.starts_with("view      topic"), "{table}");
    assert_eq!(topics(&cairn), [false, true, false]);
    cairn.run(&format!("{VIEWS} transfers balances --until-end")).done();
    assert_eq!(topics(&cairn), [true, true, false]);
}

#[test]
fn rows_that_nothing_vouches_for_are_not_written_again() {
    let cairn = Cairn::new();
    seal(&cairn, 4);
    cairn.run(&format!("{VIEWS} --until-end")).done();
    log(&cairn).delete_group("blockchain-view-transfers").unwrap();
    cairn
        .run(&format!("{VIEWS} --until-end"))
        .refused(2, &["topic 'blockchain-transfers'", "cairn views reset transfers"]);
    cairn.run(&format!("{VIEWS} balances validators --until-end")).done();
    cairn.run("views reset transfers --yes --log embedded:log --state-dir state").done();
    cairn.run(&format!("{VIEWS} --until-end")).done();
}

#[test]
fn a_view_refuses_what_it_cannot_be_of() {
    let cairn = Cairn::new();
    seal(&cairn, 4);
    cairn.run(&format!("{VIEWS} --until-end --blockchain other")).refused(1, &["no topic 'other'", "--blockchain"]);
    let other = format!("--genesis-hash {}", "7".repeat(64));
    cairn.run(&format!("{VIEWS} --until-end {other}")).refused(1, &["was pinned", "another chain"]);
    cairn.forge("blockchain", Some("3"), "{}", &[]);
    cairn.run(&format!("{VIEWS} --until-end")).refused(1, &["topic 'blockchain'", "cairn verify", "cairn views reset"]);
}

#[test]
fn a_reset_takes_what_means_something_to_it_and_nothing_else() {
    let cairn = Cairn::new();
    seal(&cairn, 4);
    cairn.run(&format!("{VIEWS} --until-end")).done();
    let reset = "views reset --log embedded:log --state-dir state --yes";
    for option in [
        "--until-end",
        "--views-format avro",
        "--format avro",
        "--schema-registry http://127.0.0.1:1",
        "--standby-replicas 1",
        "--memory-mib 64",
        "--replication-factor 1",
        "--genesis genesis.toml",
        "--genesis-hash 00",
    ] {
        let ran = cairn.run(&format!("{reset} {option}"));
        let name = option.split(' ').next().unwrap();
        assert!(ran.code == 2 && ran.stderr.contains(&format!("unexpected argument '{name}'")), "{}", ran.stderr);
        let help = cairn.run("views reset --help").done().stdout;
        assert!(!help.contains(name), "{name} is in {help}");
    }
    for option in ["--dry-run", "--yes"] {
        let ran = cairn.run(&format!("{VIEWS} {option}"));
        assert!(ran.code == 2 && ran.stderr.contains("unexpected argument"), "{}", ran.stderr);
    }
    // What would belong to `cairn views` does not pass for what belongs to the reset.
    for words in [format!("{VIEWS} reset"), format!("{VIEWS} balances reset")] {
        let ran = cairn.run(&words);
        assert!(ran.code == 2 && ran.stderr.contains("write `reset` before all else"), "{}", ran.stderr);
    }
    let ran = cairn.run(&format!("{reset} balance"));
    assert!(ran.code == 2 && ran.stderr.contains("transfers, balances, validators"), "{}", ran.stderr);
    assert_eq!(topics(&cairn), [true; 3], "nothing was deleted");
}

#[test]
fn a_reset_has_its_settings_from_the_environment_and_the_file_as_well() {
    let cairn = Cairn::new();
    seal(&cairn, 4);
    cairn.run(&format!("{VIEWS} --until-end")).done();
    cairn.write("cairn.toml", "log = 'embedded:log'\nstate_dir = 'state'\ndry_run = true\n");
    assert!(cairn.run("views reset --yes").done().stdout.contains("would delete topic blockchain-transfers"));
    // An empty variable is none.
    let told = cairn.run_with("views reset transfers --yes", &[("CAIRN_LOG", ""), ("CAIRN_DRY_RUN", "false")]).done();
    assert!(told.stdout.contains("deleted topic blockchain-transfers\n"), "{}", told.stdout);
    assert_eq!(topics(&cairn), [false, true, true]);
    let told = cairn.run_with("views reset --json", &[("CAIRN_YES", "true")]).done().json();
    assert!(told.iter().all(|line| line["dry_run"] == true), "{told:?}");
}
