//! Keys, sets of them, and the text of key files.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn id(text: &str) -> ValidatorId {
    text.parse().unwrap()
}

fn keys(seed: u8) -> KeySet {
    KeySet::generate(["b", "a", "c"].map(id), &mut StdRng::from_seed([seed; 32])).unwrap()
}

#[test]
fn equal_random_streams_give_equal_keys_and_others_give_others() {
    assert_eq!(keys(1).encode(), keys(1).encode());
    assert_ne!(keys(1).encode(), keys(2).encode());
    let ids: Vec<String> = keys(1).pairs().iter().map(|pair| pair.id().to_string()).collect();
    assert_eq!(ids, ["a", "b", "c"], "sets are in the order of ids");
}

#[test]
fn a_key_file_read_and_written_again_is_the_same_text() {
    let text = keys(3).encode();
    assert_eq!(KeySet::decode(&text).unwrap().encode(), text);
    assert!(text.capacity() <= 256 + 3 * (640 + 8), "the buffer never grew");
}

#[test]
fn every_damaged_digit_of_a_key_file_is_noticed() {
    let text = KeySet::new(vec![keys(4).into_pairs().remove(0)]).unwrap().encode();
    for (index, digit) in text.char_indices().filter(|(_, c)| c.is_ascii_hexdigit()) {
        let line_start = text[..index].rfind('\n').map_or(0, |at| at + 1);
        let line = &text[line_start..];
        if !line.starts_with("ed25519") && !line.starts_with("bls") && !line.starts_with("possession") {
            continue;
        }
        if index < line_start + line.find(' ').unwrap() {
            continue;
        }
        let mut damaged = text.to_string();
        damaged.replace_range(index..=index, if digit == '0' { "1" } else { "0" });
        KeySet::decode(&damaged).expect_err(&format!("digit {index} of {line_start}"));
    }
}

#[test]
fn what_is_no_key_file_is_refused_with_the_line_that_is_wrong() {
    let text = keys(5).encode();
    for (broken, line) in [
        (String::new(), 1),
        ("cairn-keys 2\n".to_owned(), 1),
        ("cairn-keys 1\n".to_owned(), 2),
        (text.replacen("validator a", "validator", 1), 3),
        (text.replacen("bls-secret", "bls", 1), 5),
        (text.replacen("end", "", 1), 10),
        (text.trim_end().trim_end_matches("end").to_owned(), 23),
    ] {
        match KeySet::decode(&broken).unwrap_err() {
            Error::Syntax { line: found, .. } => assert_eq!(found, line, "{broken}"),
            other => panic!("{other}"),
        }
    }
    let doubled = format!("{}{}", *text, text.split_once("mode 0600.\n").unwrap().1);
    assert_eq!(KeySet::decode(&doubled).unwrap_err(), Error::Twice(id("a")));
}

#[test]
fn a_set_is_checked_against_the_genesis_it_is_to_seal() {
    let set = keys(6);
    let listed: Vec<_> = set.pairs().iter().map(|pair| pair.genesis_validator(10)).collect();
    assert_eq!(set.check_against(&listed), Ok(()));
    assert_eq!(keys(7).check_against(&listed), Err(Error::Foreign(id("a"))));
    let fewer = KeySet::new(keys(6).into_pairs().into_iter().skip(1).collect()).unwrap();
    assert_eq!(fewer.check_against(&listed), Err(Error::Missing(id("a"))));
}

proptest::proptest! {
    #[test]
    fn no_text_from_outside_makes_a_panic(text in "(cairn-keys 1\n)?(validator [a-z.]{0,9}\n(ed25519-secret [0-9a-f]{60,66}\n)?)?.{0,40}") {
        proptest::prop_assert!(KeySet::decode(&text).is_err());
    }
}

#[test]
fn secrets_appear_in_no_debug_output_and_no_error() {
    let set = keys(8);
    let text = set.encode();
    let printed = format!("{set:?}");
    let secrets = text.lines().filter_map(|line| line.split_once("-secret ")).map(|(_, digits)| digits);
    assert_eq!(secrets.clone().count(), 6);
    secrets.for_each(|secret| assert!(!printed.contains(secret)));
}
