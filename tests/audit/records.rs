//! Records of the blockchain topic that are no blocks of this program: somebody else's, overwritten heights, blocks
//! without a body, blocks of a newer program.

use cairn::audit::Reason::{Height, Overwritten};
use cairn::chain::Rendering;
use topology::test_driver::OwnedRecord;

use crate::attack::full;
use crate::chain::{BLOCKCHAIN, CHAIN, Topics, record};
use crate::json::Json;
use crate::replay::{replay_on, replay_to};

fn records() -> Vec<OwnedRecord> {
    CHAIN.blocks.iter().map(record).collect()
}

fn with(key: &[u8], value: Option<&[u8]>) -> OwnedRecord {
    let (key, value) = (Some(key.to_vec()), value.map(<[u8]>::to_vec));
    OwnedRecord { partition: 0, offset: -1, timestamp_ms: 0, key, value, headers: Vec::new() }
}

/// What verifying and replaying find, which must be the same: the height, the reason and the detail of a breach.
#[track_caller]
fn breach_of(records: &[OwnedRecord]) -> (u64, cairn::audit::Reason, String) {
    let topics = Topics::of_records(records, &CHAIN.transactions);
    let broken = topics.verify().unwrap_err();
    println!("{broken}");
    assert_eq!(replay_on(&topics).unwrap().unwrap_err(), broken);
    (broken.height, broken.reason, broken.detail)
}

/// What verifying and replaying fail with, which must be the same.
#[track_caller]
fn undone_by(topics: &Topics) -> String {
    let error = topics.verify_on(&topics.log).unwrap_err().to_string();
    println!("{error}");
    assert_eq!(replay_on(topics).unwrap_err().to_string(), error);
    error
}

#[test]
fn records_of_others_are_counted_and_break_nothing_wherever_they_stand() {
    // Keys that look like heights, and others; each once, for the topic is compacted.
    let keys = |n: usize| -> Vec<Vec<u8>> {
        let texts =
            [format!("note-{n}"), format!("0{n}"), format!("+{n}"), format!("-{n}"), format!("{n} "), format!("0x{n}")];
        let too_large = format!("18446744073709551616{n}");
        let bytes = [&[0xff, 0xfe], n.to_string().as_bytes()].concat();
        texts.into_iter().chain([too_large]).map(String::into_bytes).chain([bytes]).collect()
    };
    let values = [None, Some(Vec::new()), Some(b"mine".to_vec()), records()[1].value.clone(), Some(vec![0; 100_000])];
    let mut records = records();
    let mut count = 0;
    for place in (0..=records.len()).rev() {
        let foreign =
            keys(place).into_iter().enumerate().map(|(n, key)| with(&key, values[n % values.len()].as_deref()));
        let foreign: Vec<OwnedRecord> = foreign.collect();
        count += foreign.len() as u64;
        records.splice(place..place, foreign);
    }
    let topics = Topics::of_records(&records, &CHAIN.transactions);
    let report = topics.verify().unwrap();
    let without = Topics::of(&CHAIN).verify().unwrap();
    assert_eq!((report.foreign_count, without.foreign_count), (count, 0));
    assert_eq!((&report.summary, report.compared_count), (&without.summary, without.compared_count));
    let replayed = replay_on(&topics).unwrap().unwrap();
    assert_eq!((replayed.foreign_count, replayed.summary), (count, without.summary));
}

#[test]
fn a_topic_of_nothing_but_records_of_others_is_no_chain() {
    let (height, reason, detail) = breach_of(&[with(b"letters", Some(b"mine"))]);
    assert_eq!((height, reason, detail.as_str()), (0, Height, "the topic holds no block"));
}

#[test]
fn an_overwritten_height_is_named_by_offset_and_key_before_and_after_the_genuine_record_is_compacted_away() {
    let height = full();
    let key = height.to_string();
    let another = CHAIN.blocks[height + 1].to_json();
    let values: [Option<&[u8]>; 5] =
        [None, Some(b""), Some(b"{\"header\":{\"version\":1}}"), Some(&[0xff]), Some(another.as_bytes())];
    for value in values {
        let mut records = records();
        records.push(with(key.as_bytes(), value));
        let (found, reason, detail) = breach_of(&records);
        assert_eq!((found, reason), (height as u64, Overwritten));
        let says = format!("offset {} of the topic has the key {key} and is not that block", CHAIN.blocks.len());
        assert!(detail.starts_with(&says), "{detail}");
    }
    let mut records = records();
    records.push(with(key.as_bytes(), Some(b"gone")));
    let topics = Topics::of_records(&records, &CHAIN.transactions);
    topics.log.compact(BLOCKCHAIN).unwrap();
    let broken = topics.verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (height as u64, Height), "{broken}");
}

#[test]
fn a_height_that_has_not_come_yet_is_overwritten_too() {
    let mut records = records();
    records.push(with(b"1000000", Some(b"mine")));
    let (height, reason, _) = breach_of(&records);
    assert_eq!((height, reason), (CHAIN.blocks.len() as u64, Overwritten));
}

/// The block as a newer program might have written it.
fn newer(height: usize) -> String {
    let line = CHAIN.blocks[height].to_json();
    assert!(line.starts_with("{\"header\":{\"version\":1,"), "{line}");
    line.replacen("\"version\":1,", "\"version\":2,\"shards\":[{}],", 1)
}

#[test]
fn a_block_of_a_newer_program_is_neither_intact_nor_broken() {
    let height = full();
    let mut records = records();
    records[height].value = Some(newer(height).into_bytes());
    let topics = Topics::of_records(&records, &CHAIN.transactions);
    let error = undone_by(&topics);
    let says = format!("made by a newer program: height {height} has version 2, this program knows 1");
    assert!(error.contains(&says), "{error}");
    // What comes before can still be had.
    let directory = tempfile::tempdir().unwrap();
    replay_to(&topics, directory.path(), Some(height as u64 - 1)).unwrap().unwrap();
}

#[test]
fn a_breach_below_a_block_of_a_newer_program_is_told() {
    let height = full();
    let mut blocks = CHAIN.blocks.clone();
    blocks[height - 1].seal.as_mut().unwrap().stake_mut().unwrap().signature[3] ^= 1;
    let mut records: Vec<OwnedRecord> = blocks.iter().map(record).collect();
    records[height].value = Some(newer(height).into_bytes());
    let (found, reason, _) = breach_of(&records);
    assert_eq!((found, reason), (height as u64 - 1, cairn::audit::Reason::Seal));
}

#[test]
fn a_version_in_another_place_than_the_next_is_no_excuse() {
    let height = full();
    let mut records = records();
    records.push(with(height.to_string().as_bytes(), Some(newer(height).as_bytes())));
    let (found, reason, _) = breach_of(&records);
    assert_eq!((found, reason), (height as u64, Height));
}

/// The block without its body.
fn pruned(height: usize) -> Vec<u8> {
    let Json::Object(mut fields) = Json::parse(CHAIN.blocks[height].to_json().as_bytes()) else { panic!() };
    fields.retain(|(name, _)| !matches!(name.as_str(), "transactions" | "operations"));
    Json::Object(fields).render().into_bytes()
}

#[test]
fn a_block_without_its_body_cannot_be_checked_and_it_is_said_what_can_be_done() {
    let height = full();
    let mut records = records();
    records[height].value = Some(pruned(height));
    let topics = Topics::of_records(&records, &CHAIN.transactions);
    let error = undone_by(&topics);
    for part in [format!("body of block {height} was pruned"), format!("replay --to-height {}", height - 1)] {
        assert!(error.contains(&part), "{error}");
    }
    let directory = tempfile::tempdir().unwrap();
    replay_to(&topics, directory.path(), Some(height as u64 - 1)).unwrap().unwrap();
}

#[test]
fn a_pruned_body_at_another_place_than_the_next_is_broken() {
    let height = full();
    let mut records = records();
    records.push(with(height.to_string().as_bytes(), Some(&pruned(height))));
    let (found, reason, _) = breach_of(&records);
    assert_eq!((found, reason), (height as u64, Height));
}

#[test]
fn half_a_body_is_no_pruned_block() {
    for name in ["transactions", "operations"] {
        let height = full();
        let Json::Object(mut fields) = Json::parse(CHAIN.blocks[height].to_json().as_bytes()) else { panic!() };
        fields.retain(|(field, _)| field != name);
        let mut records = records();
        records[height].value = Some(Json::Object(fields).render().into_bytes());
        let (found, reason, _) = breach_of(&records);
        assert_eq!((found, reason), (height as u64, Overwritten));
    }
}
