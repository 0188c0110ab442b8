//! `cairn topics`: what a run needs, before anything is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use topology::log::embedded::{EmbeddedLog, Options};
use topology::log::{Log, TopicSpec};

use crate::Cairn;

const LOG: &str = "--log embedded:log";

fn with_log<R>(cairn: &Cairn, act: impl FnOnce(&EmbeddedLog) -> R) -> R {
    act(&EmbeddedLog::open(cairn.path().join("log"), &Options::default(), Arc::new(|| 0)).unwrap())
}

fn create(cairn: &Cairn, name: &str, partition_count: i32, settings: &[(&str, &str)]) {
    let config = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let spec = TopicSpec { name: name.to_owned(), partition_count, replication_factor: None, config };
    with_log(cairn, |log| log.create_topics(&[spec]).unwrap());
}

/// The report by topic.
fn topics(cairn: &Cairn, words: &str, code: i32) -> BTreeMap<String, Value> {
    let ran = cairn.run(&format!("topics {LOG} --check --json {words}"));
    assert_eq!(ran.code, code, "topics {words}: {}{}", ran.stdout, ran.stderr);
    ran.json().into_iter().map(|topic| (topic["topic"].as_str().unwrap().to_owned(), topic)).collect()
}

fn states(topics: &BTreeMap<String, Value>, wanted: &str) -> Vec<String> {
    topics.iter().filter(|(_, topic)| topic["state"] == wanted).map(|(name, _)| name.clone()).collect()
}

#[test]
fn what_is_told_before_a_run_is_what_the_run_makes_and_nothing_is_made_by_telling() {
    for (partition_count, topic_count) in [(1, 12), (3, 14)] {
        let cairn = Cairn::new();
        let before = topics(&cairn, "", 0);
        assert_eq!(states(&before, "missing").len(), 12, "{before:?}");
        assert!(!cairn.path().join("log").exists(), "a log was made");
        if partition_count > 1 {
            create(&cairn, "transactions", partition_count, &[]);
        }
        let told = topics(&cairn, "", 0);
        assert_eq!(told.len(), topic_count, "{told:?}");
        assert_eq!(states(&told, "missing").len(), topic_count - usize::from(partition_count > 1));
        cairn.run(&format!("run {LOG} --state-dir state --until-end")).done();
        with_log(&cairn, |log| {
            for (name, topic) in &told {
                let made = log.describe_topic(name).unwrap().unwrap_or_else(|| panic!("{name} was not made"));
                assert_eq!(topic["partitions"], made.partition_count, "{name}");
                for (setting, value) in topic["settings"].as_object().unwrap() {
                    assert_eq!(made.settings.get(setting).map(String::as_str), value.as_str(), "{name}: {setting}");
                }
            }
            let mut all = log.list_topics(std::time::Duration::from_secs(1)).unwrap();
            all.sort();
            assert_eq!(all, told.keys().cloned().collect::<Vec<_>>(), "the run made others than were told");
        });
        let after = topics(&cairn, "", 0);
        assert_eq!(states(&after, "there").len(), topic_count, "{after:?}");
    }
}

#[test]
fn what_differs_is_told_with_both_values_and_is_a_failure_only_where_that_is_asked() {
    let cairn = Cairn::new();
    let own_time = ("message.timestamp.type", "LogAppendTime");
    create(&cairn, "blockchain-evidence", 1, &[own_time, ("max.message.bytes", "1000000")]);
    let told = topics(&cairn, "", 1);
    assert_eq!(states(&told, "differs"), ["blockchain-evidence"]);
    let difference = &told["blockchain-evidence"]["differences"];
    assert_eq!(difference[0]["name"], "max.message.bytes");
    assert_eq!((&difference[0]["needed"], &difference[0]["found"]), (&"8388608".into(), &"1000000".into()));
    let text = cairn.run(&format!("topics {LOG}")).done().stdout;
    assert!(text.contains("max.message.bytes=8388608 (is 1000000)"), "{text}");
    assert!(text.ends_with("12 topics: 11 to be made by a run, 1 otherwise than a run would make it\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100 && line == line.trim_end()), "{text}");
    // A run takes it as it is.
    cairn.run(&format!("run {LOG} --state-dir state --until-end")).done();
}

#[test]
fn what_would_keep_a_run_from_starting_is_told_in_the_words_of_the_run() {
    let cairn = Cairn::new();
    create(&cairn, "blockchain", 2, &[("cleanup.policy", "compact")]);
    let told = topics(&cairn, "", 1);
    assert_eq!(states(&told, "unfit"), ["blockchain"], "as a broker makes it by itself");
    assert_eq!(told["blockchain"]["differences"][0]["name"], "partitions");
    let cairn = Cairn::new();
    create(&cairn, "cairn-accounts-changelog", 1, &[("cleanup.policy", "delete")]);
    create(&cairn, "blockchain-evidence", 1, &[("cleanup.policy", "compact")]);
    let told = topics(&cairn, "", 1);
    assert_eq!(states(&told, "unfit"), ["blockchain-evidence", "cairn-accounts-changelog"]);
    let text = cairn.run(&format!("topics {LOG} --check"));
    let obstacles: Vec<&str> =
        text.stdout.lines().filter_map(|line| line.strip_prefix("a run would not start: ")).collect();
    assert_eq!((text.code, obstacles.len()), (1, 2), "{}", text.stdout);
    let refused = cairn.run(&format!("run {LOG} --state-dir state --until-end")).refused(1, &obstacles);
    assert!(refused.stdout.is_empty());
}

#[test]
fn a_run_that_its_topics_refuse_makes_nothing_and_one_that_comes_after_begins_a_chain() {
    let cairn = Cairn::new();
    create(&cairn, "blockchain-evidence", 1, &[("cleanup.policy", "compact")]);
    let run = format!("run {LOG} --state-dir state --until-end");
    let there = |cairn: &Cairn| {
        let found = std::fs::read_dir(cairn.path()).unwrap().map(|entry| entry.unwrap().file_name());
        found.collect::<BTreeSet<_>>()
    };
    let before = there(&cairn);
    cairn.run(&run).refused(1, &["blockchain-evidence", "cleanup.policy=compact"]);
    assert_eq!(there(&cairn), before, "something was made");
    with_log(&cairn, |log| {
        assert_eq!(log.list_topics(std::time::Duration::from_secs(1)).unwrap(), ["blockchain-evidence"]);
        log.delete_topics(&["blockchain-evidence".to_owned()]).unwrap();
    });
    cairn.run(&run).done();
    assert_eq!(cairn.run(&format!("blocks {LOG} --json")).done().json()[0]["header"]["height"], 0);
}

#[test]
fn the_settings_of_the_run_decide_which_topics_are_meant() {
    let cairn = Cairn::new();
    let told = |words: &str, variables: &[(&str, &str)]| -> BTreeMap<String, Value> {
        let topics = cairn.run_with(&format!("topics {LOG} --json {words}"), variables).done().json().into_iter();
        topics.map(|topic| (topic["topic"].as_str().unwrap().to_owned(), topic["settings"].clone())).collect()
    };
    let work = [("CAIRN_CONSENSUS", "work"), ("CAIRN_REWARD", "1"), ("CAIRN_BLOCK_WINDOW_MS", "0")];
    let words = "--application-id payments --transactions in --blockchain out --classic-topic old";
    let classic = told(words, &[&work[..], &[("CAIRN_WORK_RULE", "classic")]].concat());
    let names = ["in", "in-dead-letters", "out", "out-evidence", "old", "payments-accounts-changelog"];
    assert!(names.iter().all(|name| classic.contains_key(*name)), "{classic:?}");
    // Where the difficulty follows from times, these are the log's.
    assert_eq!(classic["in"].get("message.timestamp.type"), None);
    let adjusted = told("", &[&work[..], &[("CAIRN_WORK_TARGET_INTERVAL_MS", "10000")]].concat());
    assert_eq!(adjusted["transactions"]["message.timestamp.type"], "LogAppendTime");
    cairn.run(&format!("topics {LOG} --classic-topic blockchain")).refused(2, &["one of the chain's own"]);
    cairn.write("something", "else");
    cairn.run("topics --log embedded:.").refused(2, &["holds no log"]);
    cairn.run("topics --brokers 127.0.0.1:1").refused(3, &["no broker answers at 127.0.0.1:1"]);
}
