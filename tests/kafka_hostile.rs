//! Input that nobody asked for, through a real broker: every record is in a block as a stub with its reason, and as it
//! came in the dead-letter topic; and a trickle of records still closes blocks by age.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use cairn::reader::Reader;
use serde_json::Value;
use support::{Chain, create_topic, transfer};
use test_cluster::{Cluster, unique};
use topology::clock::SystemClock;
use topology::log::kafka::{KafkaLog, Options};
use topology::log::{Header, Log, Producer, ProducerOptions, ProducerRecord, Start, TopicPartition};

const LONG: Duration = Duration::from_secs(30);

/// Values, and the reason a block gives for each.
fn hostile() -> Vec<(Option<Vec<u8>>, &'static str)> {
    let amount = |amount: &str| format!(r#"{{"from":"a","to":"b","amount":{amount}}}"#).into_bytes();
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let long_name = "x".repeat(10_000);
    let list: Vec<(Vec<u8>, &str)> = vec![
        (b"hello".to_vec(), "not_json"),
        (b"".to_vec(), "not_json"),
        (br#"{"from":"a","to""#.to_vec(), "not_json"),
        (vec![0xff, 0xfe, 0x00, 0x80], "not_utf8"),
        (b"[1,2,3]".to_vec(), "not_an_object"),
        (br#"{"from":"a","to":"b"}"#.to_vec(), "missing_field"),
        (br#"{"from":"a","sender":"a","to":"b","amount":1}"#.to_vec(), "duplicate_field"),
        (br#"{"from":"","to":"b","amount":1}"#.to_vec(), "name_empty"),
        (format!(r#"{{"from":"{long_name}","to":"b","amount":1}}"#).into_bytes(), "name_too_long"),
        (format!(r#"{{"from":"a","to":"b","amount":1,"x":{nested}}}"#).into_bytes(), "nested_too_deep"),
        (amount("-1"), "amount_negative"),
        (amount("0.5"), "amount_not_an_integer"),
        (amount("3.0"), "amount_not_an_integer"),
        (amount("9007199254740992"), "amount_too_large"),
        (amount("\"3\""), "amount_not_a_number"),
    ];
    let list = list.into_iter().map(|(value, reason)| (Some(value), reason));
    list.chain([(None, "null_value")]).collect()
}

fn log() -> KafkaLog {
    KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap()
}

/// Sends values with a key and a header, in one transaction.
fn send(topic: &str, values: &[Option<&[u8]>]) {
    let options = ProducerOptions {
        transactional_id: unique("hostile"),
        transaction_timeout_ms: 10_000,
        client_id: "test".to_owned(),
        track_topics: Vec::new(),
    };
    let mut producer = log().producer(&options).unwrap();
    producer.init_transactions(LONG).unwrap();
    producer.begin().unwrap();
    for value in values {
        let record = ProducerRecord {
            topic,
            partition: Some(0),
            timestamp_ms: 1_700_000_000_000,
            key: Some(b"\xffkey"),
            value: *value,
            headers: &[Header { name: b"trace", value: Some(b"\x00\xff") }],
        };
        producer.send(&record).unwrap();
    }
    producer.flush(LONG).unwrap();
    producer.commit(LONG).unwrap();
}

struct Letter {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: BTreeMap<String, Vec<u8>>,
}

impl Letter {
    fn text(&self, header: &str) -> &str {
        std::str::from_utf8(&self.headers[header]).unwrap()
    }
}

fn dead_letters(chain: &Chain) -> Vec<Letter> {
    let (log, clock) = (log(), SystemClock::new());
    let mut letters = Vec::new();
    let partition = TopicPartition::new(chain.dead_letters(), 0);
    let visit = |_: &TopicPartition, records: &[topology::log::Record<'_>]| {
        letters.extend(records.iter().map(|record| {
            Letter {
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record
                    .headers
                    .to_vec()
                    .iter()
                    .map(|header| {
                        (String::from_utf8_lossy(header.name).into_owned(), header.value.unwrap_or_default().to_vec())
                    })
                    .collect(),
            }
        }));
        Ok(ControlFlow::Continue(()))
    };
    Reader::new(&log, &clock, "test").read(&[(partition, Start::Beginning)], visit).unwrap();
    letters
}

fn entries(chain: &Chain) -> Vec<Value> {
    chain.blocks().iter().flat_map(|block| block["transactions"].as_array().unwrap().clone()).collect()
}

/// Records of a fixed past time must not be deleted for their age.
fn create_transactions(chain: &Chain, more: &[(&str, &str)]) {
    let config: Vec<(&str, &str)> = [("retention.ms", "-1")].into_iter().chain(more.iter().copied()).collect();
    create_topic(&chain.transactions, 1, &config);
}

#[test]
fn whatever_is_no_transaction_becomes_a_stub_with_its_reason_and_a_dead_letter_with_its_bytes() {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "5")]);
    create_transactions(&chain, &[]);
    let hostile = hostile();
    let values: Vec<Option<&[u8]>> = hostile.iter().map(|(value, _)| value.as_deref()).collect();
    send(&chain.transactions, &values);
    chain.produce(&transfer("alice", "bob", 5));
    chain.run_until_end();

    let entries = entries(&chain);
    assert_eq!(entries.len(), hostile.len() + 1);
    for (entry, (value, reason)) in entries.iter().zip(&hostile) {
        let shown = value.as_deref().map(|value| String::from_utf8_lossy(&value[..value.len().min(80)]).into_owned());
        assert!(entry.to_string().contains(&format!("\"{reason}\"")), "{shown:?} is {entry}");
    }
    assert_eq!(entries[hostile.len()]["amount"], 5);
    let letters = dead_letters(&chain);
    assert_eq!(letters.len(), hostile.len());
    for (index, (letter, (value, _))) in letters.iter().zip(&hostile).enumerate() {
        assert_eq!((letter.key.as_deref(), letter.value.as_ref()), (Some(&b"\xffkey"[..]), value.as_ref()));
        assert_eq!(letter.headers["trace"], b"\x00\xff");
        assert_eq!(letter.text("dead-letter.topic"), chain.transactions);
        assert_eq!(letter.text("dead-letter.offset"), index.to_string());
        assert!(!letter.text("dead-letter.reason").is_empty());
    }
    assert_eq!(chain.verify()["compared_records"], hostile.len() + 1);
}

/// Sizes around what a topic takes: whole where that fits, and else cut, with length and hash of the whole.
#[test]
fn records_as_large_as_the_topic_takes_do_not_stop_the_chain() {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "5")]);
    create_transactions(&chain, &[("max.message.bytes", "4000000")]);
    // Nothing that compression could make small.
    let mut state = 1_u64;
    let noise = |length: usize| -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    };
    let values: Vec<Vec<u8>> = [900_000, 1_044_000, 1_048_000, 1_100_000, 3_900_000].map(noise).to_vec();
    let memo = format!(r#"{{"from":"a","to":"b","amount":1,"memo":"{}"}}"#, "m".repeat(1_020_000)).into_bytes();
    let values: Vec<&[u8]> = values.iter().chain([&memo]).map(Vec::as_slice).collect();
    for value in &values {
        send(&chain.transactions, &[Some(value)]);
    }
    chain.produce(&transfer("alice", "bob", 5));
    chain.run_until_end();

    assert_eq!(entries(&chain).len(), values.len() + 1);
    let letters = dead_letters(&chain);
    assert_eq!(letters.len(), values.len());
    for (letter, value) in letters.iter().zip(&values) {
        let kept = letter.value.as_deref().unwrap();
        if kept.len() < value.len() {
            assert!(kept == &value[..64 * 1024]);
            assert_eq!(letter.text("dead-letter.size-bytes"), value.len().to_string());
            assert_eq!(letter.text("dead-letter.sha256").len(), 64);
        } else {
            assert!(kept == *value);
        }
    }
    assert!(letters[0].value.as_ref().unwrap().len() == 900_000, "what fits is kept whole");
    chain.verify();
}

#[test]
fn a_trickle_of_records_still_closes_blocks_by_age() {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_AGE_MS", "200")]);
    let mut run = chain.start(&[]);
    run.until_logged("running");
    for _ in 0..60 {
        chain.produce(&transfer("alice", "bob", 1));
        std::thread::sleep(Duration::from_millis(40));
    }
    // Sealed without any further input.
    run.until("all are sealed", |_| entries(&chain).len() == 60);
    run.terminate();
    assert!(run.wait().status.success());
    let blocks = chain.blocks();
    assert!(blocks[1..].iter().all(|block| block["header"]["cut"] == "age"), "{:?}", blocks.last());
    // More than one beside the genesis: a record does not put off the end of the block it comes into.
    assert!(blocks.len() > 2, "{} blocks", blocks.len());
    assert!(blocks.iter().any(|block| block["transactions"].as_array().unwrap().len() > 1), "one record per block");
    assert_eq!(chain.verify()["compared_records"], 60);
}
