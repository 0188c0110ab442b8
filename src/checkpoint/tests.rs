//! Notes, keys, signatures, requests and states: they read back as they were written, and nothing else passes.

use proptest::prelude::*;

use super::*;
use crate::chain::{Frontier, Hash, merkle};

fn signer(role: Role, name: &str, seed: u8) -> Signer {
    Signer::new(name, role, [seed; 32]).unwrap()
}

fn checkpoint(size: u8) -> Checkpoint {
    let mut blocks = Frontier::default();
    (0..size).for_each(|block| blocks.append(merkle::leaf(&[block; 32])));
    Checkpoint::of(&Hash([1; 32]), &blocks)
}

/// Signed by its log, and by two witnesses.
fn cosigned() -> (SignedNote, [Signer; 3]) {
    let signers =
        [signer(Role::Log, &checkpoint(5).origin, 1), signer(Role::Witness, "w/1", 2), signer(Role::Witness, "w/2", 3)];
    let note = SignedNote::unsigned(checkpoint(5));
    let note = signers.iter().fold(note, |note, signer| {
        let line = signer.sign(&note, 1_700_000_000);
        note.with(line)
    });
    (note, signers)
}

fn parse(text: &str) -> Result<SignedNote> {
    SignedNote::parse(text.as_bytes())
}

#[test]
fn the_examples_of_the_specifications_hold() {
    let note = "This is an example message.\n\n\u{2014} example.com/foo \
                Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    // It is a note, and its text no checkpoint.
    assert!(parse(note).unwrap_err().to_string().contains("fewer than three lines"));
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    let note = parse(text).unwrap();
    assert_eq!((note.checkpoint().size, note.signatures().len()), (20_852_163, 2));
    assert_eq!((note.to_string().as_str(), note.checkpoint().genesis()), (text, None));
    assert_eq!(&note.signatures()[1].bytes[..8], 1_679_315_147_u64.to_be_bytes());
}

#[test]
fn a_checkpoint_names_its_chain_and_its_last_block() {
    let checkpoint = checkpoint(5);
    assert_eq!((checkpoint.genesis(), checkpoint.last_height()), (Some(Hash([1; 32])), Some(4)));
    let text = checkpoint.to_string();
    assert!(text.starts_with(&format!("cairn/{}\n5\n", "01".repeat(32))), "{text}");
    assert_eq!(Checkpoint::parse(text.as_bytes()), Ok(checkpoint));
}

#[test]
fn what_is_no_checkpoint_is_refused_and_the_error_says_where() {
    let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let refused = |text: &str, says: &str| {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.contains(says), "{text:?}: {error}");
    };
    for text in ["", "\n", "a\n5\n", "a\n5\n\n"] {
        assert!(parse(text).is_err(), "{text:?}");
    }
    refused(&format!("a\n5\n{root}"), "cut off");
    refused(&format!("\n5\n{root}\n"), "empty line");
    refused(&format!("a\n5\n{root}\n\n"), "signatures are missing");
    refused(&format!("a\n5\n{root}\n\n\u{2014} a AAAAAAE="), "cut off");
    refused(&format!("a\n5\n{root}\n\n\u{2014} a AAAAAAE=\n\n"), "signatures are missing");
    refused(&format!("a\n5\n{root}\n\n- a AAAAAAE=\n"), "line 1 below");
    refused(&format!("a\n5\n{root}\n\n\u{2014} a AAAAAA==\n"), "line 1 below");
    refused(&format!("a\n5\n{root}\n\n\u{2014} a+b AAAAAAE=\n"), "line 1 below");
    refused(&format!("a\n5\n{root}\n\n\u{2014} a\u{a0}b AAAAAAE=\n"), "line 1 below");
    refused(&format!("a\n5\n{root}\n\n\u{2014} a AAAAAAF=\n"), "line 1 below");
    refused(&format!("a\n0\n{}\n", root.replace('4', "5")), "of nothing");
    refused(&format!("a\r\n5\n{root}\n"), "control character");
    // A terminal may take U+009B for the beginning of an escape.
    refused(&format!("a\u{9b}31m\n5\n{root}\n"), "control character");
    for size in ["05", "+5", "-5", "5 ", "", "five", "9223372036854775808", "18446744073709551616"] {
        assert!(parse(&format!("a\n{size}\n{root}\n")).is_err(), "{size:?}");
    }
    assert!(parse(&format!("a\n9223372036854775807\n{root}\n")).is_ok());
    for root in [&root[..43], &root.replace('=', ""), &root.replace("U=", "V="), &format!("{root}AAAA")] {
        refused(&format!("a\n5\n{root}\n"), "line 3");
    }
    refused(&format!("a\n5\n{root}\n\n{}", "\u{2014} a AAAAAAE=\n".repeat(SIGNATURES_MAX + 1)), "more than 100");
    refused(&"a".repeat(SIZE_BYTES_MAX + 1), "more than 1048576 bytes");
    assert!(SignedNote::parse(b"a\n5\n\xff\n").unwrap_err().to_string().contains("UTF-8"));
    refused(&format!("{}\n5\n{root}\n", "a".repeat(256)), "more than 255 bytes");
    // Lines behind the third are the log's own affair.
    assert!(parse(&format!("a\n5\n{root}\nmore\n")).unwrap().has_extensions());
}

#[test]
fn a_signature_holds_for_one_text_one_key_and_one_role() {
    let (note, signers) = cosigned();
    let times: Vec<_> = signers.iter().map(|signer| signer.verifier().signed_at(&note)).collect();
    assert_eq!(times, [Ok(Some(0)), Ok(Some(1_700_000_000)), Ok(Some(1_700_000_000))]);
    // Another name, another role, another key: none of them has signed.
    for other in [signer(Role::Witness, "w/3", 2), signer(Role::Log, "w/1", 2), signer(Role::Witness, "w/1", 9)] {
        assert_eq!(other.verifier().signed_at(&note), Ok(None), "{other:?}");
    }
    // The same key id under another text: the line names the key, and is false.
    let other = SignedNote::unsigned(checkpoint(6)).with(note.signatures()[1].clone());
    assert!(signers[1].verifier().signed_at(&other).unwrap_err().to_string().contains("w/1 does not verify"));
    // One false line beside a true one makes the note refused.
    let mut false_line = note.signatures()[2].clone();
    false_line.bytes[9] ^= 1;
    let doubled = parse(&format!("{note}{false_line}")).unwrap();
    signers[2].verifier().signed_at(&doubled).unwrap_err();
    // A second signature takes the place of the first.
    let again = note.clone().with(signers[1].sign(&note, 1_700_000_009));
    assert_eq!(again.signatures().len(), 3);
    assert_eq!(signers[1].verifier().signed_at(&again), Ok(Some(1_700_000_009)));
}

#[test]
fn a_verifier_key_comes_back_from_its_text_and_from_no_other() {
    let key = signer(Role::Witness, "w/1", 2).verifier().clone();
    let text = key.to_string();
    assert_eq!(text.parse(), Ok(key));
    for (at, byte) in text.bytes().enumerate() {
        let mut altered = text.clone().into_bytes();
        altered[at] = if byte == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert!(altered.parse::<VerifierKey>().is_err(), "{altered}");
        assert!(text[..at].parse::<VerifierKey>().is_err(), "{}", &text[..at]);
    }
    for name in ["", "w 1", "w+1", "w\n1", "w\u{7f}1", "w\u{9b}1"] {
        assert!(Signer::new(name, Role::Witness, [2; 32]).is_err(), "{name:?}");
    }
    let refused = |text: &str| text.parse::<VerifierKey>().unwrap_err().to_string();
    assert!(refused("w+00000000+BgA=").contains("0x06"), "{}", refused("w+00000000+BgA="));
    assert!(refused("w").contains("cairn keys"));
    for name in ["", "a b", "a+b", "a\u{2003}b", &"a".repeat(256)] {
        assert!(Signer::new(name, Role::Witness, [1; 32]).is_err(), "{name}");
    }
}

#[test]
fn every_byte_of_a_note_counts() {
    let (note, signers) = cosigned();
    let keys = signers.iter().map(|signer| signer.verifier().clone()).collect::<Vec<_>>();
    let policy_text =
        format!("log {}\nwitness a {}\nwitness b {}\ngroup g all a b\nquorum g\n", keys[0], keys[1], keys[2]);
    let policy = Policy::parse(policy_text.as_bytes()).unwrap();
    let bytes = note.to_string().into_bytes();
    policy.check(&note).unwrap();
    let holds = |bytes: &[u8]| SignedNote::parse(bytes).is_ok_and(|note| policy.check(&note).is_ok());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << bit;
            assert!(!holds(&altered), "byte {at}, bit {bit}: {}", altered.escape_ascii());
        }
        assert!(!holds(&bytes[..at]), "cut at {at}");
        let mut missing = bytes.clone();
        missing.remove(at);
        // One of two line breaks that stand side by side is like the other.
        assert!(!holds(&missing), "without byte {at}");
        for byte in [b'\n', b' ', b'a', 0] {
            let mut more = bytes.clone();
            more.insert(at, byte);
            assert!(!holds(&more), "{byte} before byte {at}");
        }
    }
}

#[test]
fn signatures_of_others_are_ignored_and_take_nothing_away() {
    let (note, signers) = cosigned();
    let policy = Policy::of_witnesses(signers[1..].iter().map(|one| one.verifier().clone()).collect(), None).unwrap();
    let stranger = signer(Role::Witness, "w/1", 8);
    let mut crowded = note.clone();
    for seed in 10..40 {
        let other = signer(Role::Witness, &format!("x/{seed}"), seed);
        crowded = crowded.clone().with(other.sign(&crowded, 1));
    }
    crowded = crowded.clone().with(stranger.sign(&crowded, 1));
    // Post-quantum keys have signatures of thousands of bytes.
    let line = NoteSignature { name: "x/pq".to_owned(), key_id: 7, bytes: vec![1; 2_428] };
    crowded = crowded.with(line);
    let crowded = parse(&crowded.to_string()).unwrap();
    assert_eq!(policy.check(&crowded), policy.check(&note));
    assert_eq!(policy.check(&crowded).unwrap().witnesses.len(), 2);
    // A name and a key id that are known do not make a signature.
    let (name, key_id) = ("w/1".to_owned(), signers[1].verifier().key_id());
    let false_line = NoteSignature { name, key_id, bytes: vec![1; 72] };
    policy.check(&parse(&format!("{note}{false_line}")).unwrap()).unwrap_err();
}

#[test]
fn a_request_comes_back_and_proves_one_step_only() {
    let mut prover = consistency::Prover::new(3, 5);
    (0..5).for_each(|block| prover.append(merkle::leaf(&[block; 32])));
    let request = WitnessRequest { old_size: 3, proof: prover.proof().unwrap(), note: cosigned().0 };
    let bytes = request.to_string().into_bytes();
    assert!(WitnessRequest::is_one(&bytes) && !WitnessRequest::is_one(request.note.to_string().as_bytes()));
    assert_eq!(WitnessRequest::parse(&bytes).as_ref(), Ok(&request));
    assert!(request.goes_on_from(Some(&checkpoint(3))));
    for other in [None, Some(&checkpoint(2)), Some(&checkpoint(4)), Some(&checkpoint(5))] {
        assert!(!request.goes_on_from(other), "{other:?}");
    }
    let forked = Checkpoint { root: Hash([9; 32]), ..checkpoint(3) };
    assert!(!request.goes_on_from(Some(&forked)));
    let first = WitnessRequest { old_size: 0, proof: Vec::new(), note: cosigned().0 };
    assert!(first.goes_on_from(None) && !first.goes_on_from(Some(&checkpoint(3))));
    for end in 0..bytes.len() - 1 {
        let cut = WitnessRequest::parse(&bytes[..end]);
        assert!(cut.is_err() || cut.unwrap().note.signatures().len() < 3, "{end}");
    }
    let long = format!("old 3\n{}\n{}", format!("{}\n", text::base64(&[1; 32])).repeat(64), request.note);
    assert!(WitnessRequest::parse(long.as_bytes()).unwrap_err().to_string().contains("more than 63"));
    // An origin may look like the first line of a request.
    let odd = Checkpoint { origin: "old 7".to_owned(), ..checkpoint(3) };
    assert!(!WitnessRequest::is_one(odd.to_string().as_bytes()));
}

#[test]
fn a_key_signs_nothing_that_contradicts_what_it_signed() {
    let key = signer(Role::Witness, "w/1", 2).verifier().clone();
    let state = SignerState::new(&key);
    let refused = |state: &SignerState, checkpoint, begin, now_s| {
        let told = state.predecessor(&checkpoint, begin, now_s).map(Option::<&_>::cloned);
        assert_eq!(state.clone().signed(checkpoint, begin, now_s).err(), told.clone().err());
        told.unwrap_err()
    };
    let origin = checkpoint(1).origin;
    assert_eq!(refused(&state, checkpoint(5), Begin::No, 100), Refusal::Unknown { origin: origin.clone() });
    let state = state.signed(checkpoint(5), Begin::Yes, 100).unwrap();
    assert_eq!(refused(&state, checkpoint(6), Begin::Yes, 100), Refusal::Known { origin, size: 5 });
    assert_eq!(refused(&state, checkpoint(4), Begin::No, 100), Refusal::Shorter { size: 4, signed: 5 });
    let forked = Checkpoint { root: Hash([9; 32]), ..checkpoint(5) };
    assert_eq!(refused(&state, forked, Begin::IfUnknown, 100), Refusal::Forked { size: 5 });
    assert_eq!(refused(&state, checkpoint(6), Begin::No, 99), Refusal::ClockWentBack { now_s: 99, signed_s: 100 });
    // The same again, and a larger one, which must be shown to go on from this one.
    for next in [5, 6] {
        assert_eq!(state.predecessor(&checkpoint(next), Begin::No, 100), Ok(Some(&checkpoint(5))));
        assert_eq!(
            state.clone().signed(checkpoint(next), Begin::No, 101).unwrap().last(&checkpoint(5).origin).unwrap().time_s,
            101
        );
    }
    let other = Checkpoint { origin: "another chain".to_owned(), ..checkpoint(2) };
    assert_eq!(state.predecessor(&other, Begin::IfUnknown, 1), Ok(None), "each log for itself");
}

#[test]
fn a_state_comes_back_and_a_damaged_one_does_not_pass_for_an_empty_one() {
    let key = signer(Role::Witness, "w/1", 2).verifier().clone();
    let other = Checkpoint { origin: "log with spaces 5".to_owned(), ..checkpoint(2) };
    let state = SignerState::new(&key).signed(checkpoint(5), Begin::Yes, 100).unwrap();
    let state = state.signed(other, Begin::Yes, 0).unwrap();
    let text = state.to_string();
    assert_eq!(SignerState::parse(text.as_bytes(), &key).as_ref(), Ok(&state));
    for end in 0..text.len() - 1 {
        assert!(SignerState::parse(&text.as_bytes()[..end], &key).is_err(), "{end}");
    }
    let (log, more) = (text.lines().nth(2).unwrap(), format!("{text}\n"));
    for altered in [
        text.replace("end", "fin"),
        text.replace(log, &format!("{log}\n{log}")),
        more,
        text.replace(" 100\n", " 1e2\n"),
    ] {
        assert!(SignerState::parse(altered.as_bytes(), &key).is_err(), "{altered}");
    }
    let stranger = signer(Role::Witness, "w/1", 3).verifier().clone();
    let refusal = SignerState::parse(text.as_bytes(), &stranger).unwrap_err().to_string();
    assert!(refusal.contains(&key.to_string()) && refusal.contains(&stranger.to_string()), "{refusal}");
}

proptest! {
    #[test]
    fn a_note_comes_back_from_its_text(origin in "[^\\x00-\\x1f\\x7f-\\u{9f}]{1,40}", size in 1_u64..=i64::MAX as u64, root: [u8; 32], names in prop::collection::vec("[^ +\\s\\x00-\\x1f]{1,12}", 0..6), bytes: Vec<u8>) {
        let mut note = SignedNote::unsigned(Checkpoint { origin, size, root: Hash(root) });
        for (key_id, name) in names.into_iter().enumerate() {
            let bytes = [&bytes[..], &[1]].concat();
            note = note.with(NoteSignature { name, key_id: key_id as u32, bytes });
        }
        prop_assert_eq!(SignedNote::parse(note.to_string().as_bytes()), Ok(note));
    }

    #[test]
    fn a_cosignature_holds_at_its_time_and_at_no_other(time_s in 1_u64..=i64::MAX as u64, other: u64, seed: [u8; 32]) {
        let witness = Signer::new("w", Role::Witness, seed).unwrap();
        let note = SignedNote::unsigned(checkpoint(3));
        let mut line = witness.sign(&note, time_s);
        prop_assert_eq!(witness.verifier().signed_at(&note.clone().with(line.clone())), Ok(Some(time_s)));
        if other != time_s {
            line.bytes[..8].copy_from_slice(&other.to_be_bytes());
            prop_assert!(witness.verifier().signed_at(&note.with(line)).is_err());
        }
    }
}
