//! Proofs of all kinds: what is altered in them, and what of it is still a proof.

use cairn::chain::Hash;
use cairn::checkpoint::Checkpoint;
use cairn::proof::{Claim, Proof, Refusal, Trusted};

use crate::{corpus, run};

/// A file, of which the corpus lacks the line break.
fn file(input: &[u8]) -> Vec<u8> {
    [input, b"\n"].concat()
}

fn assert_short(refusal: &Refusal) {
    let text = refusal.to_string();
    assert!(text.chars().count() < 4_000, "{text}");
}

/// Whether a claim is that something is not there: the same may be shown of other names.
fn is_of_absence(claim: &Claim) -> bool {
    match claim {
        Claim::Balance { account, .. } => *account == Default::default(),
        Claim::Validator { record, .. } => record.is_none(),
        Claim::IdUnused { .. } => true,
        _ => false,
    }
}

#[test]
fn every_file_is_a_proof_that_renders_to_it_or_refused_in_a_few_words_and_none_shows_what_the_corpus_does_not() {
    let corpus = corpus("proofs");
    let proofs: Vec<Proof> = corpus.iter().map(|input| Proof::parse(&file(input)).unwrap()).collect();
    let mut checkpoints: Vec<Checkpoint> = proofs
        .iter()
        .map(|Proof { header, history, .. }| Checkpoint {
            origin: Checkpoint::origin_of(&header.genesis),
            size: history.size,
            root: history.root,
        })
        .collect();
    checkpoints.sort_by_key(|checkpoint| checkpoint.size);
    checkpoints.dedup();
    let known = |found: &Proof| {
        let is_same = |proof: &Proof| proof.header == found.header && proof.claim == found.claim;
        proofs.iter().any(is_same)
            || (is_of_absence(&found.claim) && proofs.iter().any(|proof| proof.header == found.header))
    };
    let genesis: Hash = proofs[0].header.genesis;
    let taken = run("proofs", &corpus, |input| {
        let proof = match Proof::parse(&file(input)) {
            Ok(proof) => proof,
            Err(refusal) => {
                assert_short(&refusal);
                return false;
            }
        };
        assert_eq!(proof.to_file(), file(input));
        let of_checkpoints =
            checkpoints.iter().map(|checkpoint| Trusted { checkpoint: Some(checkpoint), genesis: None });
        for trusted in of_checkpoints.chain([Trusted { checkpoint: None, genesis: Some(&genesis) }]) {
            match proof.check(trusted) {
                Ok(_) => assert!(known(&proof), "{:?}", proof.claim),
                Err(refusal) => assert_short(&refusal),
            }
        }
        true
    });
    assert!(taken > 0, "no mutation left a proof");
}

#[test]
fn large_deep_and_wide_files_cost_no_more_than_their_bytes() {
    let corpus = corpus("proofs");
    let many = |piece: &str| piece.repeat((1 << 20) / piece.len());
    let hash = format!("\"{}\"", Hash::ZERO);
    for input in &corpus {
        let text = String::from_utf8(input.clone()).unwrap();
        for (from, to) in [
            ("\"path\":[", format!("\"path\":[{}", many(&format!("{hash},")))),
            ("\"siblings\":[", format!("\"siblings\":[{}", many(&format!("{hash},")))),
            ("\"lists\":[", format!("\"lists\":[{}", many("[],"))),
            ("\"claim\":{", format!("\"claim\":{{\"x\":{}", many("["))),
            ("\"shown\":", format!("\"shown\":{}", many("{\"a\":"))),
            ("\"slashes\":[", format!("\"slashes\":[{}", many("{},"))),
            ("\"index\":", format!("\"index\":{}", many("9"))),
            ("\"header\":{", format!("\"header\":{{{}", many(" "))),
        ] {
            if !text.contains(from) {
                continue;
            }
            match Proof::parse(&file(text.replacen(from, &to, 1).as_bytes())) {
                Err(refusal) => assert_short(&refusal),
                Ok(proof) => {
                    let trusted = Trusted { checkpoint: None, genesis: Some(&proof.header.genesis) };
                    assert_short(&proof.check(trusted).unwrap_err());
                }
            }
        }
    }
    assert_short(&Proof::parse(&vec![b' '; Proof::SIZE_BYTES_MAX + 1]).unwrap_err());
}
