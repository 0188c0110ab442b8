//! What a policy asks, and what its file may say.

use proptest::prelude::*;

use super::*;
use crate::chain::Hash;
use crate::checkpoint::Signer;

fn signers(count: u8) -> Vec<Signer> {
    (0..count).map(|seed| Signer::new(&format!("w{seed}"), Role::Witness, [seed + 1; 32]).unwrap()).collect()
}

fn keys(signers: &[Signer]) -> Vec<VerifierKey> {
    signers.iter().map(|signer| signer.verifier().clone()).collect()
}

fn note(signers: impl IntoIterator<Item = impl std::borrow::Borrow<Signer>>) -> SignedNote {
    let note = SignedNote::unsigned(Checkpoint { origin: "a log".to_owned(), size: 5, root: Hash([3; 32]) });
    signers.into_iter().fold(note, |note, signer| {
        let line = signer.borrow().sign(&note, 1_000);
        note.with(line)
    })
}

/// A file with these lines, in which `W0` and so on are the keys of witnesses, `L` that of the log `a log`, `M` of
/// another.
fn policy(lines: &str) -> Result<Policy> {
    let mut text = format!("{lines}\n");
    for (place, signer) in signers(7).iter().enumerate() {
        text = text.replace(&format!("W{place}"), &signer.verifier().to_string());
    }
    Policy::parse(text.as_bytes())
}

#[test]
fn a_quorum_counts_distinct_keys() {
    let signers = signers(3);
    let two = Policy::of_witnesses(keys(&signers), Some(2)).unwrap();
    assert!(two.check(&note(&signers[..1])).is_err());
    assert!(two.check(&note(&signers[..2])).is_ok());
    // The same witness twice, in two lines at two times: one.
    let once = note(&signers[..1]);
    let text = format!("{once}{}", signers[0].sign(&once, 2_000));
    let twice = SignedNote::parse(text.as_bytes()).unwrap();
    assert_eq!(twice.signatures().len(), 2);
    let refusal = two.check(&twice).unwrap_err().to_string();
    assert!(refusal.contains("w0 signed, w1, w2 did not"), "{refusal}");
    // One key under two names is one witness, and no policy.
    let alias = Signer::new("alias", Role::Witness, [1; 32]).unwrap();
    let refusal = Policy::of_witnesses(keys(&[&signers[..], &[alias]].concat_signers()), Some(2)).unwrap_err();
    assert!(refusal.to_string().contains("named twice"), "{refusal}");
    for threshold in [0, 4] {
        assert!(Policy::of_witnesses(keys(&signers), Some(threshold)).is_err());
    }
    assert!(Policy::of_witnesses(Vec::new(), None).is_err());
}

/// Signers do not copy: their secrets are in one place each.
trait ConcatSigners {
    fn concat_signers(&self) -> Vec<Signer>;
}

impl ConcatSigners for [&[Signer]; 2] {
    fn concat_signers(&self) -> Vec<Signer> {
        let copy = |signer: &Signer| {
            let verifier = signer.verifier();
            Signer::new(verifier.name(), verifier.role(), *signer.secret()).unwrap()
        };
        self.iter().copied().flatten().map(copy).collect()
    }
}

#[test]
fn groups_of_groups_are_met_by_their_members() {
    let policy = policy(
        "# two organisations\n\
         witness X1 W0\n witness\tX2  W1 https://x.example/\nwitness X3 W2\ngroup X 2 X1 X2 X3\n\n\
         witness Y1 W3\nwitness Y2 W4\ngroup Y any Y1 Y2\n\
         group both all X Y\nquorum both",
    )
    .unwrap();
    let all = signers(7);
    let met = |places: &[usize]| policy.check(&note(places.iter().map(|place| &all[*place]))).is_ok();
    assert!(met(&[0, 2, 4]) && met(&[0, 1, 2, 3, 4, 5]));
    for too_few in [&[0, 3][..], &[0, 1, 2], &[3, 4], &[0, 5, 6, 3], &[]] {
        assert!(!met(too_few), "{too_few:?}");
    }
}

#[test]
fn a_log_of_the_policy_must_have_signed_in_its_own_name() {
    let log = Signer::new("a-log", Role::Log, [9; 32]).unwrap();
    let other = Signer::new("another", Role::Log, [8; 32]).unwrap();
    let lines = format!("log {}\nlog {}\nquorum none", log.verifier(), other.verifier());
    let policy = policy(&lines).unwrap();
    assert!(policy.names_logs());
    let text = "a-log\n5\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
    let bare = SignedNote::parse(text.as_bytes()).unwrap();
    assert!(policy.check(&bare).unwrap_err().to_string().contains("a-log"));
    let accepted = policy.check(&bare.clone().with(log.sign(&bare, 0))).unwrap();
    assert!(accepted.is_of_known_log && accepted.witnesses.is_empty());
    // A known log cannot speak for another.
    assert!(policy.check(&bare.clone().with(other.sign(&bare, 0))).is_err());
    // Without logs in the policy any will do, and the caller is told.
    let any = super::Policy::parse(b"quorum none\n").unwrap();
    assert!(!any.check(&bare).unwrap().is_of_known_log);
}

#[test]
fn a_file_that_breaks_a_rule_of_the_format_is_refused_by_its_line() {
    let refused = |lines: &str, says: &str| {
        let error = policy(lines).expect_err(lines).to_string();
        assert!(error.contains(says), "{lines}: {error}");
    };
    refused("", "no `quorum`");
    refused("witness a W0", "no `quorum`");
    refused("quorum none\nquorum none", "line 2: there is a `quorum` line already");
    refused("quorum a\nwitness a W0", "line 1: `a` is no witness or group");
    refused("witness a W0\ngroup g any a b\nquorum g", "line 2: `b` is no witness");
    refused("witness a W0\ngroup g any g\nquorum g", "line 2: `g` is no witness");
    refused("witness a W0\ngroup g any a a\nquorum g", "line 2: `a` is a member of a group already");
    refused("witness a W0\ngroup g any a\ngroup h any a\nquorum h", "line 3: `a` is a member");
    refused("witness a W0\nwitness a W1\nquorum a", "line 2: `a` is named a second time");
    refused("witness none W0\nquorum none", "line 1: `none` is no name");
    refused("witness a W0\ngroup g any none\nquorum g", "line 2: `none` is no witness");
    refused("witness a W0\nwitness b W0\nquorum a", "named twice");
    refused("log W0\nquorum none", "cannot be the key of a log");
    let log = Signer::new("a-log", Role::Log, [9; 32]).unwrap().verifier().to_string();
    refused(&format!("witness a {log}\nquorum a"), "cannot be the key of a witness");
    for threshold in ["0", "3", "-1", "+1", "many", ""] {
        let lines = format!("witness a W0\nwitness b W1\ngroup g {threshold} a b\nquorum g");
        assert!(policy(&lines).is_err(), "{threshold}");
    }
    refused("witness a W0\ngroup g any\nquorum a", "line 2: it is none of");
    refused("witness a\nquorum none", "line 1: it is none of");
    refused("quorum none\r", "line 1: it has a control character (0x0d)");
    refused("witness a b+c+d\nquorum a", "line 1: a verifier key is");
    assert!(Policy::parse(b"quorum none").unwrap_err().to_string().contains("cut off"));
    assert!(Policy::parse(&vec![b'\n'; FILE_SIZE_BYTES_MAX + 1]).is_err());
    // Names are bytes, and need not be UTF-8.
    let text = [b"witness \xff ", signers(1)[0].verifier().to_string().as_bytes(), b"\nquorum \xff\n"].concat();
    assert!(Policy::parse(&text).is_ok());
}

proptest! {
    #[test]
    fn a_threshold_is_met_by_so_many_and_no_fewer(threshold in 1_usize..=7, signed in prop::collection::btree_set(0_usize..7, 0..=7)) {
        let all = signers(7);
        let policy = Policy::of_witnesses(keys(&all), Some(threshold)).unwrap();
        let checked = policy.check(&note(signed.iter().map(|place| &all[*place])));
        prop_assert_eq!(checked.is_ok(), signed.len() >= threshold);
        if let Ok(accepted) = checked {
            let names: Vec<String> = signed.iter().map(|place| format!("w{place}")).collect();
            prop_assert_eq!(accepted.witnesses, names.into_iter().map(|name| (name, 1_000)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_policy_file_makes_the_reader_panic(text in "((log|witness|group|quorum|#|none|any|all|a|b|1|2)[ \t\n]){0,40}") {
        let _ = Policy::parse(text.as_bytes());
    }
}
