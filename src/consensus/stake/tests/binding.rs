//! What is signed holds on the chain of one genesis, and on no other.

use super::simulated::{Chain, genesis};
use super::*;
use crate::chain::{Amount, Block, Genesis, Name, Seal};
use crate::consensus::stake::seal::{Flaw, Standing, verify};
use crate::consensus::stake::{draw, turn::Turn};

/// The genesis, each time with one field edited. The keys are the same.
fn edited() -> Vec<(&'static str, Genesis)> {
    let edit = |change: &dyn Fn(&mut Genesis)| {
        let mut edited = genesis();
        change(&mut edited);
        edited
    };
    vec![
        ("chain_id", edit(&|genesis| genesis.chain_id = "sin".to_owned())),
        ("created_ms", edit(&|genesis| genesis.created_ms = 1)),
        ("an account", edit(&|genesis| genesis.accounts = vec![(Name::new("a0").unwrap(), 5)])),
        ("a stake", edit(&|genesis| genesis.validators[4].stake += 1)),
        ("fewer validators", edit(&|genesis| drop(genesis.validators.pop()))),
        ("block.max_age_ms", edit(&|genesis| genesis.parameters.block_max_age_ms += 1)),
        ("reward", edit(&|genesis| genesis.parameters.reward = Amount::new(11).unwrap())),
    ]
}

fn sealed(genesis: Genesis) -> (Chain, Block) {
    let keys = super::simulated::keys().into_pairs().into_iter();
    let listed = |pair: &KeyPair| genesis.validators.iter().any(|validator| validator.id == *pair.id());
    let keys = KeySet::new(keys.filter(listed).collect()).unwrap();
    let mut chain = Chain::with_keys(genesis, keys);
    chain.run(1);
    let block = chain.blocks[1].clone();
    (chain, block)
}

fn check(chain: &Chain, header: &Header, seal: &StakeSeal) -> Result<(), Flaw> {
    let roster = Roster::new(&chain.genesis.validators).unwrap();
    let stakes = Stakes::new(chain.genesis.validators.iter().map(|validator| validator.stake).collect()).unwrap();
    let genesis = &chain.genesis.hash();
    let standing = Standing { genesis, height: 1, roster: &roster, stakes: &stakes };
    verify(&standing, header, &header.hash(), seal)
}

#[test]
fn no_signature_holds_on_the_chain_of_a_genesis_edited_in_any_field() {
    let (_, block) = sealed(genesis());
    let Some(Seal::Stake(seal)) = &block.seal else { panic!() };
    for (what, edited) in edited() {
        let (there, native) = sealed(edited);
        let (genesis, hash) = (there.genesis.hash(), block.header.hash());
        assert_ne!(genesis, block.header.genesis, "{what}");
        // As it is.
        let expected = Flaw::Chain { expected: genesis, found: block.header.genesis };
        assert_eq!(check(&there, &block.header, seal), Err(expected), "{what}");
        // The same header, said to be of that chain: all three signatures are worth nothing.
        let Some(Seal::Stake(own)) = &native.seal else { panic!() };
        let seal = &StakeSeal { signers: own.signers.clone(), ..seal.clone() };
        let moved = Header { genesis, ..block.header.clone() };
        let proposer = moved.proposer().unwrap().clone();
        assert_eq!(check(&there, &moved, seal), Err(Flaw::Signature(proposer.clone())), "{what}");
        let place = usize::from(proposer.as_str().as_bytes()[10] - b'1');
        let pair = &super::simulated::keys().into_pairs()[place];
        let signed = StakeSeal { signature: pair.sign_ed25519(&signing::proposal(&moved.hash())), ..seal.clone() };
        assert_eq!(check(&there, &moved, &signed), Err(Flaw::Reveal(proposer)), "{what}");
        let reveal = pair.sign_bls(&Turn::of(&moved).unwrap().reveal_message()).to_bytes();
        assert_eq!(check(&there, &moved, &StakeSeal { reveal, ..signed }), Err(Flaw::Attestation), "{what}");
        // The draw and the seeds are others', too.
        assert_ne!(draw::first_seed(&genesis), draw::first_seed(&block.header.genesis), "{what}");
        assert_ne!(own.reveal, seal.reveal, "{what}");
        assert_ne!(native.header.hash(), hash, "{what}");
        assert_eq!(check(&there, &native.header, own), Ok(()), "{what}: its own holds");
    }
}

#[test]
fn two_honest_headers_of_two_chains_convict_no_validator_on_either() {
    let five = Five::new();
    for (what, edited) in edited() {
        // One validator, one height, one round, honest on both chains with the same keys.
        let here = five.signed(five.header(3, 1, 1), 1);
        let there = five.signed(Header { genesis: edited.hash(), ..five.header(3, 1, 1) }, 1);
        let evidence = proof::equivocation(here.clone(), there.clone()).unwrap();
        let verify = |evidence: &Evidence, genesis: &Hash| proof::verify(evidence, genesis, &five.roster, &five.stakes);
        for genesis in [CHAIN, edited.hash()] {
            assert!(matches!(verify(&evidence, &genesis), Err(proof::Flaw::Chain { .. })), "{what}");
        }
        // Said to be of one chain, one of the two is not signed.
        for (one, other, genesis) in [(&here, &there, CHAIN), (&there, &here, edited.hash())] {
            let mut moved = other.clone();
            moved.header.genesis = genesis;
            moved.header.time_ms += 1;
            let evidence = proof::equivocation(one.clone(), moved).unwrap();
            assert!(matches!(verify(&evidence, &genesis), Err(proof::Flaw::Signature(..))), "{what}");
        }
        // Nor does a refusal of the one chain's header hold on the other.
        let refusal = five.refusal(here, RefusalReason::Execution, &[0, 2, 3]);
        assert!(verify(&refusal, &CHAIN).is_ok(), "{what}");
        assert!(matches!(verify(&refusal, &edited.hash()), Err(proof::Flaw::Chain { .. })), "{what}");
    }
}

#[test]
fn one_genesis_on_two_logs_is_one_chain_and_sealing_both_is_an_offence() {
    // Nothing that is signed tells the logs apart: what keeps one sealer from serving both is told in
    // docs/consensus.md.
    let (chain, here) = sealed(genesis());
    let mut other = Chain::new(&[]);
    other.decisions.push(crate::consensus::Decision::Cut { height: 1, cut: Cut::Age, through_offset: 1 });
    let mut entries = super::simulated::input(1);
    entries.truncate(2);
    let Step::Sealed(there) = other.call_with(&mut entries, Cut::Age).unwrap() else { panic!() };
    let signed = |block: &Block| {
        let Some(Seal::Stake(seal)) = &block.seal else { panic!() };
        SignedHeader { header: block.header.clone(), signature: seal.signature }
    };
    let evidence = proof::equivocation(signed(&here), signed(&there.block)).unwrap();
    let roster = Roster::new(&chain.genesis.validators).unwrap();
    let stakes = Stakes::new(chain.genesis.validators.iter().map(|validator| validator.stake).collect()).unwrap();
    assert!(proof::verify(&evidence, &chain.genesis.hash(), &roster, &stakes).is_ok());
}
