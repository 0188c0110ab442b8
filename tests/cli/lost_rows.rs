//! Views whose topics are not as they left them, or not as they need them.

use topology::log::embedded::EmbeddedLog;
use topology::log::{Log, TopicSpec};

use crate::Cairn;
use crate::views::{VIEWS, log, rows, seal};

fn make(log: &EmbeddedLog, name: &str, partition_count: i32, config: &[(&str, &str)]) {
    let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    log.create_topics(&[TopicSpec { name: name.to_owned(), partition_count, replication_factor: None, config }])
        .unwrap();
}

const RUN: &str = "run --log embedded:log --state-dir state --until-end";

/// The settings without which the engine takes no topic for one of transfers.
const FIT: [(&str, &str); 2] = [("cleanup.policy", "delete"), ("message.timestamp.type", "LogAppendTime")];

#[test]
fn a_view_whose_rows_are_gone_does_not_go_on_behind_them() {
    let cairn = Cairn::new();
    seal(&cairn, 4);
    let keep = format!("{VIEWS} --until-end");
    cairn.run(&keep).done();
    let before = rows(&cairn, "blockchain-transfers");
    log(&cairn).delete_topics(&["blockchain-transfers".to_owned()]).unwrap();
    let gone = ["topic 'blockchain-transfers' is empty", "cairn views reset transfers"];
    seal(&cairn, 2);
    cairn.run(&keep).refused(2, &gone);
    // Made anew by hand, it is as empty.
    make(&log(&cairn), "blockchain-transfers", 1, &FIT);
    cairn.run(&keep).refused(2, &gone);
    // It was made anew while the view ran: rows of the last block stand there.
    cairn.forge("blockchain-transfers", Some("4:0"), "{}", &[]);
    cairn.run(&keep).refused(2, &["does not begin with the first row of the chain", "cairn views reset transfers"]);
    cairn.run("views reset transfers --yes --log embedded:log --state-dir state").done();
    cairn.run(&keep).done();
    let again = rows(&cairn, "blockchain-transfers");
    assert_eq!((&again[..before.len()], again.len() > before.len()), (&before[..], true));
}

#[test]
fn a_view_of_blocks_that_make_no_rows_goes_on_without_any() {
    let cairn = Cairn::new();
    // Block 0, without accounts.
    cairn.run(RUN).done();
    cairn.run(&format!("{VIEWS} --until-end")).done();
    assert!(rows(&cairn, "blockchain-balances").is_empty());
    cairn.run(&format!("{VIEWS} --until-end")).done();

    let mined = Cairn::new();
    mined.write("payments.jsonl", "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n");
    mined.run("submit --log embedded:log payments.jsonl").done();
    mined
        .run_with(
            &format!("{RUN} --miner carol"),
            &[("CAIRN_CONSENSUS", "work"), ("CAIRN_WORK_LEADING_ZERO_BITS", "1")],
        )
        .done();
    for _ in 0..2 {
        mined.run(&format!("{VIEWS} --until-end")).done();
        assert!(rows(&mined, "blockchain-validators").is_empty());
        let transfers = rows(&mined, "blockchain-transfers");
        assert_eq!((&transfers[0]["height"], &transfers[0]["status"]), (&1.into(), &"applied".into()));
    }
}

#[test]
fn a_topic_of_rows_that_will_lose_them_or_has_other_partitions_is_told() {
    let cairn = Cairn::new();
    seal(&cairn, 4);
    make(&log(&cairn), "blockchain-transfers", 1, &[FIT[0], FIT[1], ("retention.ms", "604800000")]);
    let told = cairn.run(&format!("{VIEWS} transfers --until-end")).done().stderr;
    assert!(told.contains("retention.ms=604800000: rows will be deleted"), "{told}");
    make(&log(&cairn), "blockchain-balances", 3, &[("cleanup.policy", "compact"), FIT[1]]);
    cairn.run(&format!("{VIEWS} balances --until-end")).refused(2, &["'blockchain-balances' has 3 partitions"]);
}

#[test]
fn a_chain_that_took_the_place_of_another_is_refused() {
    let cairn = Cairn::new();
    seal(&cairn, 7);
    cairn.run(&format!("{VIEWS} --until-end")).done();
    let reset = "reset --application-id cairn --delete-blockchain --log embedded:log --state-dir state --yes";
    cairn.run(reset).done();
    log(&cairn).delete_topics(&["transactions".to_owned()]).unwrap();
    // A shorter one, and then a longer one.
    seal(&cairn, 1);
    let shorter = cairn.run(&format!("{VIEWS} --until-end"));
    println!("{}", shorter.stderr);
    assert_ne!(shorter.code, 0);
    seal(&cairn, 30);
    let longer = cairn.run(&format!("{VIEWS} --until-end"));
    println!("{}", longer.stderr);
    assert_ne!(longer.code, 0);
}

#[test]
fn a_reset_that_died_at_any_point_is_refused_or_gone_on_with() {
    let keep = format!("{VIEWS} transfers --until-end");
    let reset = "views reset transfers --yes --log embedded:log --state-dir state";
    // What a reset deletes, in its order.
    let parts: [&dyn Fn(&EmbeddedLog); 3] = [
        &|log| log.delete_group("blockchain-view-transfers").unwrap(),
        &|log| log.delete_topics(&["blockchain-transfers".to_owned()]).unwrap(),
        &|log| log.delete_topics(&["blockchain-view-transfers-chain-changelog".to_owned()]).unwrap(),
    ];
    for died_behind in 1..=parts.len() {
        let cairn = Cairn::new();
        seal(&cairn, 4);
        cairn.run(&keep).done();
        let before = rows(&cairn, "blockchain-transfers");
        parts[..died_behind].iter().for_each(|part| part(&log(&cairn)));
        let started = cairn.run(&keep);
        println!("behind {died_behind}: {}\n{}", started.code, started.stderr);
        if started.code != 0 {
            assert!(started.stderr.contains("reset"), "{}", started.stderr);
            cairn.run(reset).done();
            cairn.run(&keep).done();
        }
        assert_eq!(rows(&cairn, "blockchain-transfers"), before, "behind {died_behind}");
    }
}

#[test]
fn stores_of_before_a_reset_that_lay_on_another_machine_are_not_gone_on_with() {
    let cairn = Cairn::new();
    seal(&cairn, 4);
    let keep = format!("{VIEWS} --until-end");
    cairn.run(&keep).done();
    let before = rows(&cairn, "blockchain-transfers");
    let elsewhere = keep.replace("--state-dir state", "--state-dir elsewhere");
    cairn.run(&elsewhere).done();
    cairn.run("views reset --yes --log embedded:log --state-dir state").done();
    cairn.run(&keep).done();
    seal(&cairn, 2);
    let started = cairn.run(&elsewhere);
    println!("{}\n{}", started.code, started.stderr);
    cairn.run(&keep).done();
    let rows = rows(&cairn, "blockchain-transfers");
    assert_eq!((&rows[..before.len()], rows.iter().filter(|row| row["kind"] == "transfer").count()), (&before[..], 6));
}
