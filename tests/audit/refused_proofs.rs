//! Proofs that show nothing: forged ones, those of other chains, and what is asked of a chain that does not have it.

use cairn::audit::Anchor;
use cairn::audit::prove::{Cover, Options, Question, Unproved};
use cairn::chain::{Block, Hash, Pruned, Rendering};
use cairn::checkpoint::Checkpoint;
use cairn::proof::{Basis, Checked, Claim, Part, Proof, Refusal, Trusted};
use topology::test_driver::OwnedRecord;

use crate::chain::record;
use crate::proofs::{
    LONG, balance, balance_after, check_by_genesis, check_with, checkpoint, height_of_offset, id, long, name, options,
    prove_at, prove_of, stranger,
};

/// The file, made anew after an alteration, is refused for this part and in these words.
#[track_caller]
fn assert_refused(forged: &Proof, part: Part, says: &str) {
    let genesis = LONG.genesis.hash();
    let own =
        Checkpoint { origin: Checkpoint::origin_of(&genesis), size: forged.history.size, root: forged.history.root };
    for trusted in
        [Trusted { checkpoint: Some(&own), genesis: None }, Trusted { checkpoint: None, genesis: Some(&genesis) }]
    {
        match Proof::parse(&forged.to_file()).and_then(|proof| proof.check(trusted)) {
            Err(Refusal::Wrong { part: found, detail }) => {
                assert!(found == part && detail.contains(says), "{found}: {detail}");
            }
            other => panic!("{other:?}"),
        }
    }
    let (code, line) = stranger(&forged.to_file(), Some(&own), &genesis);
    assert_eq!(code, Some(1), "{line}");
}

#[test]
fn a_claim_that_the_header_does_not_commit_to_is_refused() {
    let proof = prove_at(&LONG, 50, balance("alice"), Some(12), Cover::Size(51)).unwrap();
    let forged = |alter: &dyn Fn(&mut Proof)| {
        let mut forged = proof.clone();
        alter(&mut forged);
        forged
    };
    let with_balance = |units: i64| {
        forged(&|forged| {
            if let Claim::Balance { account, .. } = &mut forged.claim {
                account.balance = units;
            }
        })
    };
    assert_refused(&with_balance(balance_after("alice", 12) + 1), Part::Claim, "table `accounts`, key alice");
    assert_refused(&with_balance(0), Part::Claim, "table `accounts`, key alice");
    let of_another = prove_at(&LONG, 50, balance("bob"), Some(12), Cover::Size(51)).unwrap();
    assert_refused(
        &forged(&|forged| {
            if let (Claim::Balance { name, .. }, Claim::Balance { name: other, .. }) =
                (&mut forged.claim, &of_another.claim)
            {
                *name = other.clone();
            }
        }),
        Part::Claim,
        "table `accounts`, key bob",
    );
    // The balance of another height under this header.
    let later = prove_at(&LONG, 50, balance("alice"), Some(13), Cover::Size(51)).unwrap();
    assert_refused(&forged(&|forged| forged.claim = later.claim.clone()), Part::Claim, "root");
    // This block's header in the place of another.
    assert_refused(&forged(&|forged| forged.header.height = 13), Part::History, "is not among the 51 blocks");
    assert_refused(&forged(&|forged| forged.header.state_root = Hash::ZERO), Part::Claim, "leads to root");
    assert_refused(&forged(&|forged| forged.history.path.truncate(3)), Part::History, "is not among the 51 blocks");

    let used = prove_at(&LONG, 50, Question::Transaction { partition: 0, offset: 0 }, None, Cover::Size(51)).unwrap();
    let Claim::Transaction { entry, place } = used.claim.clone() else { panic!() };
    let claim = Claim::IdUsed { entry, place };
    assert_refused(&Proof { claim, ..used }, Part::Claim, "it used none");
}

#[test]
fn the_seal_of_a_proof_is_that_of_the_genesis_validators_and_of_the_stake_that_is_left() {
    let proof = prove_at(&LONG, 50, Question::Block { height: 30 }, None, Cover::Size(51)).unwrap();
    let forged = |alter: &dyn Fn(&mut cairn::proof::Sealed)| {
        let mut forged = proof.clone();
        forged.sealed.as_mut().into_iter().for_each(alter);
        forged
    };
    assert_eq!(proof.sealed.as_ref().unwrap().slashes.len(), 1);
    let refused = |forged: &Proof, says: &str| assert_refused(forged, Part::Seal, says);
    refused(&forged(&|sealed| sealed.slashes.clear()), "leave the validators");
    refused(&forged(&|sealed| sealed.slashes.push(sealed.slashes[0].clone())), "no stake left");
    refused(&forged(&|sealed| sealed.genesis.created_ms += 1), "the genesis has the hash");
    refused(&forged(&|sealed| sealed.seal = None), "every block but block 0 has a seal");
    let other = LONG.blocks[31].seal.clone();
    let says = |forged: &Proof| {
        let genesis = LONG.genesis.hash();
        assert!(matches!(check_by_genesis(forged, &genesis), Err(Refusal::Wrong { part: Part::Seal, .. })));
    };
    // What the second implementation cannot see: signatures.
    says(&forged(&|sealed| sealed.seal = other.clone()));
    says(&forged(&|sealed| {
        let seal = sealed.seal.as_mut().and_then(|seal| seal.stake_mut()).unwrap();
        // The second was silent.
        seal.signers = [1, 2, 3, 4].into_iter().collect();
    }));
    let few = forged(&|sealed| {
        let seal = sealed.seal.as_mut().and_then(|seal| seal.stake_mut()).unwrap();
        seal.signers = [2].into_iter().collect();
    });
    refused(&few, "signers hold a stake of");
}

#[test]
fn a_proof_without_its_seal_needs_a_checkpoint() {
    let records: Vec<OwnedRecord> = LONG.blocks[..=50].iter().map(record).collect();
    let bare = Options { with_seal: false, ..options(balance("alice"), Some(12), Cover::Size(51)) };
    let proof = prove_of(&records, &bare).unwrap().unwrap();
    assert_eq!(proof.sealed, None);
    assert!(proof.to_file().len() < 5_000, "{} bytes", proof.to_file().len());
    assert!(check_with(&proof, &checkpoint(&LONG, 51)).is_ok());
    assert!(
        matches!(check_by_genesis(&proof, &LONG.genesis.hash()), Err(Refusal::Unfit(says)) if says.contains("--checkpoint"))
    );
    assert_eq!(stranger(&proof.to_file(), None, &LONG.genesis.hash()).0, Some(3));
}

#[test]
fn proofs_of_another_chain_and_of_a_forked_one_are_refused() {
    let (other, forked) = (long(22, 1), long(21, 2));
    assert_ne!(other.genesis.hash(), LONG.genesis.hash());
    assert_eq!(forked.genesis.hash(), LONG.genesis.hash());
    let ours = checkpoint(&LONG, 51);
    let refused = |proof: &Proof, part: Part, checked: Result<Checked, Refusal>| {
        assert!(matches!(&checked, Err(Refusal::Wrong { part: found, .. }) if *found == part), "{checked:?}");
        assert_eq!(stranger(&proof.to_file(), Some(&ours), &LONG.genesis.hash()).0, Some(1));
    };
    let proof = prove_at(&other, 50, balance("alice"), Some(12), Cover::Size(51)).unwrap();
    refused(&proof, Part::Checkpoint, check_with(&proof, &ours));
    refused(&proof, Part::Genesis, check_by_genesis(&proof, &LONG.genesis.hash()));
    let proof = prove_at(&forked, 50, balance("alice"), Some(12), Cover::Size(51)).unwrap();
    refused(&proof, Part::Checkpoint, check_with(&proof, &ours));
    // The keys of this chain did seal it: that is what the genesis alone is worth.
    assert_eq!(check_by_genesis(&proof, &LONG.genesis.hash()).map(|checked| checked.basis), Ok(Basis::Genesis));
    // Who has the other history's log is told at once.
    let unproved = prove_at(&forked, 50, balance("alice"), Some(12), Cover::Checkpoint(ours));
    assert!(matches!(&unproved, Err(Unproved::NotThere(says)) if says.contains("forked")), "{unproved:?}");
}

#[test]
fn a_broken_chain_proves_nothing_and_another_than_the_pinned_one_neither() {
    let question = Question::Block { height: 5 };
    let mut blocks = LONG.blocks[..=20].to_vec();
    blocks[12].header.state_root = Hash::ZERO;
    blocks[12].hash = blocks[12].header.hash();
    let records: Vec<OwnedRecord> = blocks.iter().map(record).collect();
    for (question, at_height) in [(question.clone(), None), (balance("alice"), None), (balance("alice"), Some(5))] {
        let unproved = prove_of(&records, &options(question, at_height, Cover::Tip)).unwrap();
        let Err(Unproved::Broken(broken)) = unproved else { panic!("{unproved:?}") };
        assert!([12, 13].contains(&broken.height), "{broken}");
    }
    let pinned = Options { anchor: Anchor::Genesis(Hash::ZERO), ..options(question, None, Cover::Tip) };
    let unproved = prove_of(&records, &pinned).unwrap();
    assert!(matches!(&unproved, Err(Unproved::Broken(broken)) if broken.height == 0), "{unproved:?}");
}

#[test]
fn where_bodies_were_pruned_what_is_left_can_be_proved() {
    let prune = |block: &Block| {
        let (header, hash, seal) = (block.header.clone(), block.hash, block.seal.clone().unwrap());
        let pruned = Pruned { header, hash, seal };
        OwnedRecord { value: Some(pruned.to_json().into_bytes()), ..record(block) }
    };
    let kept = height_of_offset(120);
    let all = || LONG.blocks[..=50].iter();
    let at = |height: usize, block: &Block| if height == 0 || height == kept { record(block) } else { prune(block) };
    let records: Vec<OwnedRecord> = all().enumerate().map(|(height, block)| at(height, block)).collect();
    let ask = |question| prove_of(&records, &options(question, None, Cover::Tip));
    let proof = ask(Question::Transaction { partition: 0, offset: 120 }).unwrap().unwrap();
    // A slash went with a body, and without its evidence no seal can be checked.
    assert_eq!(proof.sealed, None);
    assert!(check_with(&proof, &checkpoint(&LONG, 51)).is_ok());
    let says = ask(Question::Transaction { partition: 0, offset: 0 }).unwrap_err().to_string();
    assert!(says.contains("the body of block 1 was pruned"), "{says}");
    let says = ask(balance("alice")).unwrap_err().to_string();
    assert!(says.contains("was pruned"), "{says}");
    let proof = ask(Question::Block { height: 3 }).unwrap().unwrap();
    assert!(check_with(&proof, &checkpoint(&LONG, 51)).is_ok());
}

#[test]
fn a_used_id_is_not_unused_and_no_list_can_be_left_out() {
    let question = id("bob", "order-99");
    let proof = prove_at(&LONG, 50, question, Some(40), Cover::Size(51)).unwrap();
    // The same lists do not show it of an id that is on one of them.
    let mut forged = proof.clone();
    let Claim::IdUnused { sender, id, .. } = &mut forged.claim else { panic!() };
    (*sender, *id) = (name("bob"), format!("order-{}", proof.header.height - 2).parse().unwrap());
    assert_refused(&forged, Part::Claim, "the id was used at active height");
    // Nor with a list left out, doubled, or said to be empty.
    let alter = |alter: &dyn Fn(&mut cairn::proof::ListedIds)| {
        let mut forged = proof.clone();
        if let Claim::IdUnused { listed, .. } = &mut forged.claim {
            alter(listed);
        }
        forged
    };
    assert_refused(&alter(&|listed| drop(listed.lists.pop())), Part::Claim, "lists of");
    assert_refused(&alter(&|listed| listed.lists.swap(0, 1)), Part::Claim, "table `expiries`");
    assert_refused(&alter(&|listed| listed.lists[1][0].record = None), Part::Claim, "table `expiries`");
    assert_refused(&alter(&|listed| listed.lists[1].clear()), Part::Form, "has no chunk");
    let doubled = |listed: &mut cairn::proof::ListedIds| {
        let chunk = listed.lists[1][0].clone();
        listed.lists[1].push(chunk);
    };
    assert_refused(&alter(&doubled), Part::Claim, "does not end where it must");
    assert_refused(&alter(&|listed| listed.parameters.ids_remember_blocks = 1), Part::Claim, "the parameters hash to");
}
