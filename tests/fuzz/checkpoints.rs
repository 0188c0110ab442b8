//! Checkpoints, and all that is read beside them.

use cairn::chain::{Frontier, Hash, merkle};
use cairn::checkpoint::consistency::Prover;
use cairn::checkpoint::{
    Begin, Checkpoint, Error, Policy, Role, SignedNote, Signer, SignerState, VerifierKey, WitnessRequest,
};

use crate::run;

fn signers() -> [Signer; 3] {
    let signer = |name: &str, role, seed| Signer::new(name, role, [seed; 32]).unwrap();
    [
        signer(&checkpoint().origin, Role::Log, 1),
        signer("example.org/w1", Role::Witness, 2),
        signer("w2", Role::Witness, 3),
    ]
}

fn checkpoint() -> Checkpoint {
    let mut blocks = Frontier::default();
    (0..11).for_each(|block| blocks.append(merkle::leaf(&[block; 32])));
    Checkpoint::of(&Hash([5; 32]), &blocks)
}

/// Unsigned, signed by the log, and by witnesses, too.
fn notes() -> Vec<SignedNote> {
    let mut notes = vec![SignedNote::unsigned(checkpoint())];
    for signer in signers() {
        let last = notes[notes.len() - 1].clone();
        let line = signer.sign(&last, 1_700_000_000);
        notes.push(last.with(line));
    }
    notes
}

fn policy_text() -> String {
    let [log, one, two] = signers().map(|signer| signer.verifier().to_string());
    format!("# who counts\nlog {log}\nwitness a {one} https://example.org/\nwitness b {two}\ngroup g 1 a b\nquorum g\n")
}

fn refused(error: &Error) -> bool {
    let text = error.to_string();
    assert!(text.chars().count() < 4_000, "{text}");
    false
}

fn bytes(values: &[impl ToString]) -> Vec<Vec<u8>> {
    values.iter().map(|value| value.to_string().into_bytes()).collect()
}

#[test]
fn every_note_is_its_own_rendering_and_no_altered_text_passes_for_a_signed_one() {
    let policy = Policy::parse(policy_text().as_bytes()).unwrap();
    let taken = run("notes", &bytes(&notes()), |input| match SignedNote::parse(input) {
        Ok(note) => {
            assert_eq!(note.to_string().as_bytes(), input);
            assert_eq!(Checkpoint::parse(input).as_ref(), Ok(note.checkpoint()));
            match policy.check(&note) {
                Ok(accepted) => {
                    assert_eq!(note.text(), checkpoint().to_string());
                    assert!(accepted.is_of_known_log && !accepted.witnesses.is_empty());
                }
                Err(error) => drop(refused(&error)),
            }
            true
        }
        Err(error) => refused(&error),
    });
    assert!(taken > 0, "no mutation left a note");
}

#[test]
fn every_request_is_its_own_rendering_and_proves_nothing_of_another_tree() {
    let mut prover = Prover::new(6, 11);
    (0..11).for_each(|block| prover.append(merkle::leaf(&[block; 32])));
    let mut blocks = Frontier::default();
    (0..6).for_each(|block| blocks.append(merkle::leaf(&[block; 32])));
    let old = Checkpoint::of(&Hash([5; 32]), &blocks);
    let proof = prover.proof().unwrap();
    let requests: Vec<_> =
        notes().into_iter().map(|note| WitnessRequest { old_size: 6, proof: proof.clone(), note }).collect();
    let taken = run("requests", &bytes(&requests), |input| match WitnessRequest::parse(input) {
        Ok(request) => {
            assert_eq!(request.to_string().as_bytes(), input);
            if request.goes_on_from(Some(&old)) {
                let found = request.note.checkpoint();
                assert!(found.root == checkpoint().root || (found.size, found.root) == (old.size, old.root));
            }
            true
        }
        Err(error) => refused(&error),
    });
    assert!(taken > 0, "no mutation left a request");
}

#[test]
fn policies_states_and_keys_are_read_or_refused_in_a_few_words() {
    let taken = run("policies", &[policy_text().into_bytes()], |input| match Policy::parse(input) {
        Ok(policy) => {
            notes().iter().for_each(|note| drop(policy.check(note)));
            true
        }
        Err(error) => refused(&error),
    });
    assert!(taken > 0, "no mutation left a policy");

    let key = signers()[1].verifier().clone();
    let state = SignerState::new(&key).signed(checkpoint(), Begin::Yes, 1_700_000_000).unwrap();
    run("states", &bytes(&[state]), |input| match SignerState::parse(input, &key) {
        Ok(state) => {
            assert_eq!(SignerState::parse(state.to_string().as_bytes(), &key), Ok(state));
            true
        }
        Err(error) => refused(&error),
    });

    let keys = signers().map(|signer| signer.verifier().clone());
    run("verifier keys", &bytes(&keys), |input| match String::from_utf8_lossy(input).parse::<VerifierKey>() {
        Ok(key) => {
            assert_eq!(key.to_string().as_bytes(), input);
            true
        }
        Err(error) => refused(&error),
    });
}

/// As for blocks: at these sizes, work that grows with the square would not end in hours.
#[test]
fn long_notes_and_policies_cost_no_more_than_their_bytes() {
    let many = |piece: &str| piece.repeat((1 << 20) / piece.len());
    let text = checkpoint().to_string();
    let line = notes()[3].signatures()[1].to_string();
    for input in [
        many("\n"),
        many("a\n"),
        many("\u{2014} "),
        format!("{text}\n{}", line.repeat(100)),
        format!("{text}\n{}", many(&line)),
        format!("old 1\n{}", many("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")),
        format!("old {}", many("9")),
    ] {
        if let Ok(note) = SignedNote::parse(input.as_bytes()) {
            signers().iter().for_each(|signer| drop(signer.verifier().signed_at(&note)));
        }
        drop(WitnessRequest::parse(input.as_bytes()));
    }
    let key = signers()[1].verifier().to_string();
    let names: String = (0..30_000).map(|number| format!("group g{number} any a{number}\n")).collect();
    let witnesses: String = (0..5_000).map(|number| format!("witness a{number} {key}\n")).collect();
    for file in [format!("{witnesses}{names}quorum a1\n"), many("group g any "), many("a "), many("#\n")] {
        refused(&Policy::parse(file.as_bytes()).unwrap_err());
    }
}
