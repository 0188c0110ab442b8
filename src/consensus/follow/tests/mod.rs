//! Chains that are followed to their end, and chains that are not: what is named, and at which height.

mod breaches;
mod tips;

use std::convert::Infallible;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::chain::check::{operations_root, transactions_root};
use crate::chain::tests::ranges;
use crate::chain::{Entry, Header, Rendering};
use crate::consensus::bls;
use crate::consensus::stake::signing;
use crate::consensus::stake::tests::simulated::{Chain, genesis, keys};

type Followed = Result<Option<Summary>, Error<Infallible>>;

fn follower() -> Follower<MemoryState, StdRng> {
    Follower::new(MemoryState::new(), Anchor::None, StdRng::from_seed([1; 32]))
}

/// Follows blocks to the end or to the first error, and concludes.
fn follow(blocks: &[Block]) -> Followed {
    follow_with(follower(), blocks)
}

fn follow_with(mut follower: Follower<MemoryState, StdRng>, blocks: &[Block]) -> Followed {
    let found = blocks.iter().find_map(|block| follower.follow(block).err());
    follower.conclude(found)
}

#[track_caller]
fn assert_broken(blocks: &[Block], height: u64, reason: Reason) {
    match follow(blocks) {
        Err(Error::Broken(broken)) => assert_eq!((broken.height, broken.reason), (height, reason), "{broken}"),
        other => panic!("{other:?}"),
    }
}

fn chain(count: usize) -> Chain {
    let mut chain = Chain::new(&[("validator-2", crate::consensus::Fault::DropTransaction)]);
    chain.run(count);
    chain
}

/// Makes the header say what the body is, and each block name the one before, from a height on.
fn rehash(blocks: &mut [Block], from: usize) {
    for at in from..blocks.len() {
        let history = blocks[..at].iter().map(|block| crate::chain::merkle::leaf(block.hash.as_bytes())).collect();
        let parent = blocks[at - 1].hash;
        let block = &mut blocks[at];
        let header = &mut block.header;
        header.parent = parent;
        header.history = crate::chain::merkle::root(history);
        header.ranges = ranges(&block.entries);
        header.transactions_root = transactions_root(&block.entries);
        header.operations_root = operations_root(&block.operations);
        block.hash = header.hash();
    }
}

/// As those who hold all keys: signs as the proposer, and as everybody who signed before.
fn reseal(block: &mut Block) {
    let pairs = keys().into_pairs();
    let proposer = pairs.iter().find(|pair| Some(pair.id()) == block.header.proposer()).unwrap();
    let seal = block.seal.as_mut().unwrap().stake_mut().unwrap();
    seal.signature = proposer.sign_ed25519(&signing::proposal(&block.hash));
    let message = signing::attestation(&block.hash);
    let shares: Vec<bls::Signature> = seal.signers.places().map(|place| pairs[place].sign_bls(&message)).collect();
    seal.attestation = bls::Signature::aggregate(&shares).unwrap().to_bytes();
}

#[test]
fn an_intact_chain_is_followed_to_its_tip() {
    let chain = chain(20);
    let summary = follow(&chain.blocks).unwrap().unwrap();
    assert_eq!((&summary.tip, summary.record_count), (chain.replica.tip(), 60));
    assert_eq!(summary.supply, *chain.replica.supply());
    assert_eq!(follow(&[]).unwrap(), None);
}

#[test]
fn a_chain_is_followed_on_from_a_loaded_replica() {
    let mut chain = chain(5);
    let (state, replica) = (chain.state.clone(), Replica::load(&chain.state).unwrap().unwrap());
    chain.run(7);
    let resume = || Follower::resume(state.clone(), replica.clone(), &genesis(), StdRng::from_seed([1; 32])).unwrap();
    assert_eq!(resume().next_height(), 6);
    let mut follower = resume();
    chain.blocks[6..].iter().for_each(|block| follower.follow(block).unwrap());
    assert_eq!(follower.conclude(None).unwrap().unwrap().tip, *chain.replica.tip());
    let (followed, advanced) = follower.into_parts().unwrap();
    assert_eq!((followed, advanced.tip()), (chain.state.clone(), chain.replica.tip()));
    let mut again = resume();
    assert!(matches!(again.follow(&chain.blocks[5]), Err(Error::Broken(Broken { reason: Reason::Height, .. }))));
}

#[test]
fn a_pinned_chain_is_followed_and_another_is_not() {
    let chain = chain(2);
    let pinned = |hash| Follower::new(MemoryState::new(), Anchor::Genesis(hash), StdRng::from_seed([1; 32]));
    assert!(follow_with(pinned(genesis().hash()), &chain.blocks).is_ok());
    let other = follow_with(pinned(Hash([4; 32])), &chain.blocks).unwrap_err();
    assert!(matches!(other, Error::Broken(Broken { height: 0, reason: Reason::Anchor, .. })), "{other}");
}
