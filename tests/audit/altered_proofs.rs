//! Every byte of a proof and of a checkpoint counts: altered in any one, they are refused.

use cairn::audit::prove::{Cover, Question};
use cairn::chain::Hash;
use cairn::checkpoint::Checkpoint;
use cairn::ledger::state::Account;
use cairn::proof::{Claim, Proof, Trusted};

use crate::proofs::{LONG, balance, checkpoint, name, prove_at, stranger};

/// What a byte is altered to: another digit for a digit, another letter of the same kind for a letter, and a bit of its
/// own.
fn alterations(byte: u8) -> impl Iterator<Item = u8> {
    let alike = match byte {
        b'0'..=b'8' | b'a'..=b'e' => byte + 1,
        b'9' => b'0',
        b'f' => b'a',
        other => other ^ 0x20,
    };
    let flipped = byte ^ 1;
    [Some(alike), (flipped != alike).then_some(flipped)].into_iter().flatten()
}

fn holds(file: &[u8], checkpoint: Option<&Checkpoint>, genesis: Option<&Hash>) -> bool {
    Proof::parse(file).and_then(|proof| proof.check(Trusted { checkpoint, genesis })).is_ok()
}

/// The alterations that are not refused, each with its place, of the places that `is_tried` picks.
fn unnoticed(file: &[u8], is_tried: impl Fn(usize) -> bool, holds: impl Fn(&[u8]) -> bool) -> Vec<(usize, Vec<u8>)> {
    assert!(holds(file));
    let mut altered = file.to_vec();
    let mut unnoticed = Vec::new();
    for place in (0..file.len()).filter(|place| is_tried(*place)) {
        for byte in alterations(file[place]) {
            altered[place] = byte;
            if holds(&altered) {
                unnoticed.push((place, altered.clone()));
            }
        }
        altered[place] = file[place];
    }
    unnoticed
}

/// Whether a file is the proof of something else, which is as true: that there is no account or no id of another name.
fn is_of_another_truth(file: &[u8], original: &Proof) -> bool {
    let found = Proof::parse(file).unwrap();
    let question = match &found.claim {
        Claim::Balance { name, account, .. } if *account == Account::default() => {
            Question::Balance { name: name.clone() }
        }
        Claim::IdUnused { sender, id, .. } => Question::Id { sender: sender.clone(), id: id.clone() },
        _ => return false,
    };
    let proved = prove_at(&LONG, 50, question, Some(found.header.height), Cover::Size(51)).unwrap();
    found.claim != original.claim && Proof { sealed: None, ..proved } == Proof { sealed: None, ..found }
}

fn questions() -> [(Question, Option<u64>); 7] {
    let id = |sender: &str, id: &str| Question::Id { sender: name(sender), id: id.parse().unwrap() };
    [
        (balance("alice"), Some(12)),
        (balance("zoe"), Some(12)),
        (Question::Transaction { partition: 0, offset: 1 }, None),
        (id("bob", "order-30"), None),
        (id("bob", "order-99"), Some(6)),
        (Question::Validator { id: "validator-1".parse().unwrap() }, Some(12)),
        (Question::Block { height: 40 }, None),
    ]
}

#[test]
fn every_byte_of_every_kind_of_proof_counts_against_a_checkpoint() {
    let checkpoint = checkpoint(&LONG, 51);
    for (question, at_height) in questions() {
        let mut proof = prove_at(&LONG, 50, question, at_height, Cover::Size(51)).unwrap();
        proof.sealed = None;
        let file = proof.to_file();
        for (place, altered) in unnoticed(&file, |_| true, |file| holds(file, Some(&checkpoint), None)) {
            assert!(is_of_another_truth(&altered, &proof), "byte {place}: {}", altered.escape_ascii());
        }
        for length in 0..file.len() {
            assert!(!holds(&file[..length], Some(&checkpoint), None), "cut to {length} bytes");
        }
        for more in [&b" "[..], b"\n", b"\0", b"{}"] {
            assert!(!holds(&[&file, more].concat(), Some(&checkpoint), None));
        }
    }
}

#[test]
fn every_byte_of_a_proof_with_its_seal_counts_against_the_genesis_but_for_a_number_that_nothing_rests_on() {
    let genesis = LONG.genesis.hash();
    let proof = prove_at(&LONG, 50, balance("alice"), Some(12), Cover::Size(51)).unwrap();
    let file = proof.to_file();
    let text = std::str::from_utf8(&file).unwrap();
    let (slashes, seal) = (text.find("\"slashes\":").unwrap(), text.find(",\"seal\":{").unwrap());
    let size = text.find("\"size\":").unwrap() + "\"size\":".len();
    // Evidence is looked at after all keys were read, which takes time: of its bytes only some are altered.
    let is_tried = |place: usize| !(slashes..seal).contains(&place) || place.is_multiple_of(13);
    let places = unnoticed(&file, is_tried, |file| holds(file, None, Some(&genesis)));
    let is_of_size = |(place, _): &(usize, Vec<u8>)| (size..size + 2).contains(place);
    assert!(places.iter().all(is_of_size), "{places:?} of {text}");
    let checkpoint = checkpoint(&LONG, 51);
    let places = unnoticed(&file, |place| place < slashes, |file| holds(file, Some(&checkpoint), None));
    assert_eq!(places, [], "{text}");
}

#[test]
fn every_byte_of_a_checkpoint_counts() {
    let proof = prove_at(&LONG, 50, balance("alice"), Some(12), Cover::Size(51)).unwrap();
    let note = checkpoint(&LONG, 51).to_string();
    let holds =
        |note: &[u8]| Checkpoint::parse(note).is_ok_and(|checkpoint| holds(&proof.to_file(), Some(&checkpoint), None));
    assert_eq!(unnoticed(note.as_bytes(), |_| true, holds), [], "{note}");
}

#[test]
fn a_second_implementation_refuses_what_the_program_refuses() {
    let checkpoint = checkpoint(&LONG, 51);
    for (question, at_height) in questions() {
        let file = prove_at(&LONG, 50, question, at_height, Cover::Size(51)).unwrap().to_file();
        // For Python these are equal to 1.
        for format in ["true", "1.0"] {
            let altered = [b"{\"proof\":", format.as_bytes(), &file[b"{\"proof\":1".len()..]].concat();
            assert!(!holds(&altered, Some(&checkpoint), None), "{format}");
            assert_eq!(stranger(&altered, Some(&checkpoint), &Hash::ZERO).0, Some(1), "{format}");
        }
        // Behind the header, so that no alteration tells another truth: there every one is wrong.
        let from = file.windows(9).position(|bytes| bytes == b"\"header\":").unwrap();
        let evidence = file.windows(10).position(|bytes| bytes == b"\"slashes\":").unwrap();
        for place in (from..evidence).step_by((evidence - from) / 12) {
            let mut altered = file.clone();
            altered[place] = alterations(file[place]).next().unwrap();
            assert!(!holds(&altered, Some(&checkpoint), None), "byte {place}");
            let (code, says) = stranger(&altered, Some(&checkpoint), &Hash::ZERO);
            assert_ne!(code, Some(0), "byte {place}: {says}");
            assert!(!says.contains("Traceback"), "byte {place}: {says}");
        }
    }
}
