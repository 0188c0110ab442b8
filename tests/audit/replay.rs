//! The state from the blockchain topic alone.

use std::path::Path;

use cairn::audit::inspect::{self, Inspection};
use cairn::audit::replay::{self, APPLICATION_ID, Options, Replayed};
use cairn::audit::{Anchor, Broken, Reason};
use cairn::chain::{Content, Hash, Operation};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use topology::clock::SystemClock;
use topology::log::Log;

use crate::attack::{Skill, altered};
use crate::chain::{BLOCKCHAIN, CHAIN, Topics, create};

pub(crate) fn replay_to(
    topics: &Topics,
    root: &Path,
    to_height: Option<u64>,
) -> topology::Result<Result<Replayed, Broken>> {
    let (blockchain, state_directory) = (BLOCKCHAIN.to_owned(), root.to_owned());
    let options = Options { blockchain, state_directory, to_height, anchor: topics.anchor };
    let rng = ChaCha8Rng::seed_from_u64(3);
    replay::replay(&topics.log, &SystemClock::new(), &options, rng, &mut |_| {})
}

/// What replaying all of the topic into an empty directory comes to.
pub(crate) fn replay_on(topics: &Topics) -> topology::Result<Result<Replayed, Broken>> {
    replay_to(topics, tempfile::tempdir().unwrap().path(), None)
}

/// The balance of an account after a block, as the receipts and operations up to there say.
fn balances_through(height: u64) -> std::collections::BTreeMap<String, i64> {
    let accounts = CHAIN.genesis.accounts.iter();
    let mut balances: std::collections::BTreeMap<String, i64> =
        accounts.map(|(name, balance)| (name.to_string(), *balance)).collect();
    for block in CHAIN.blocks.iter().take_while(|block| block.header.height <= height) {
        for entry in &block.entries {
            if let Content::Transaction { transaction, receipt } = &entry.content {
                balances.insert(transaction.from.to_string(), receipt.from_balance);
                balances.insert(transaction.to.to_string(), receipt.to_balance);
            }
        }
        for operation in &block.operations {
            if let Operation::Fee { account, balance, .. } | Operation::Reward { account, balance, .. } = operation {
                balances.insert(account.to_string(), *balance);
            }
        }
    }
    balances.retain(|_, balance| *balance != 0);
    balances
}

fn assert_state(inspection: &Inspection, height: u64) {
    let block = &CHAIN.blocks[height as usize];
    assert_eq!((inspection.tip.height, inspection.tip.hash), (height, block.hash));
    assert_eq!(inspection.tip.state_root, block.header.state_root);
    let found = inspection.accounts.iter().map(|(name, account)| (name.to_string(), account.balance));
    assert_eq!(found.collect::<std::collections::BTreeMap<_, _>>(), balances_through(height));
    assert_eq!(inspection.validators.len(), 5);
}

#[test]
fn a_replayed_chain_has_the_height_hash_and_state_root_of_the_run_and_its_balances() {
    let (directory, topics) = (tempfile::tempdir().unwrap(), Topics::of(&CHAIN));
    let Replayed { summary, foreign_count } = replay_to(&topics, directory.path(), None).unwrap().unwrap();
    assert_eq!(foreign_count, 0);
    let last = CHAIN.blocks.last().unwrap();
    assert_eq!((summary.tip.height, summary.tip.hash), (last.header.height, last.hash));
    assert_eq!(summary.tip.state_root, last.header.state_root);
    assert_eq!(summary.record_count, CHAIN.transactions.len() as u64);

    assert_eq!(inspect::applications(directory.path()).unwrap(), [APPLICATION_ID]);
    let inspection = inspect::inspect(directory.path(), APPLICATION_ID).unwrap().unwrap().unwrap();
    assert_state(&inspection, last.header.height);
    assert_eq!((&inspection.tip, &inspection.supply), (&summary.tip, &summary.supply));
    let slashed = inspection.validators.iter().filter(|(_, record)| record.slashed_at_height.is_some());
    let slashed: Vec<(&str, u64)> = slashed.map(|(id, record)| (id.as_str(), record.stake)).collect();
    assert_eq!(slashed, [("validator-1", 0)]);
    assert!(inspection.validators.iter().any(|(_, record)| record.missed > 0));
}

#[test]
fn replayed_to_a_lower_height_the_state_is_that_blocks() {
    let topics = Topics::of(&CHAIN);
    for height in [0, 1, 9] {
        let directory = tempfile::tempdir().unwrap();
        let summary = replay_to(&topics, directory.path(), Some(height)).unwrap().unwrap().summary;
        assert_eq!(summary.tip.height, height);
        assert_state(&inspect::inspect(directory.path(), APPLICATION_ID).unwrap().unwrap().unwrap(), height);
    }
}

#[test]
fn the_end_of_the_chain_is_not_passed() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("state");
    let refusal = replay_to(&Topics::of(&CHAIN), &root, Some(1_000)).unwrap_err().to_string();
    assert!(refusal.contains(&format!("ends at height {}", CHAIN.blocks.len() - 1)), "{refusal}");
    assert!(!root.exists(), "nothing was written");
}

#[test]
fn a_broken_chain_is_named_by_its_height_and_leaves_no_state() {
    let height = 6;
    let execution = |blocks: &mut Vec<cairn::chain::Block>| drop(blocks[height].operations.pop());
    let seal = |blocks: &mut Vec<cairn::chain::Block>| {
        blocks[height].seal.as_mut().unwrap().stake_mut().unwrap().signature[0] ^= 1
    };
    let missing = |blocks: &mut Vec<cairn::chain::Block>| drop(blocks.remove(height));
    for (blocks, reason) in [
        (altered(&CHAIN, height, Skill::Seals, execution), Reason::Execution),
        (altered(&CHAIN, height, Skill::Writes, seal), Reason::Seal),
        (altered(&CHAIN, height, Skill::Writes, missing), Reason::Height),
    ] {
        let (directory, topics) = (tempfile::tempdir().unwrap(), Topics::new(&blocks, &[]));
        let broken = replay_to(&topics, directory.path(), None).unwrap().unwrap_err();
        assert_eq!((broken.height, broken.reason), (height as u64, reason), "{}", broken.detail);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        // What comes before the breach can still be had.
        let summary = replay_to(&topics, directory.path(), Some(height as u64 - 1)).unwrap().unwrap().summary;
        assert_eq!(summary.tip.hash, CHAIN.blocks[height - 1].hash);
    }
}

#[test]
fn another_chain_than_the_pinned_one_leaves_no_state() {
    let directory = tempfile::tempdir().unwrap();
    let pinned = |hash| Topics::of(&CHAIN).anchored(Anchor::Genesis(hash));
    let broken = replay_to(&pinned(Hash::of(b"another")), directory.path(), None).unwrap().unwrap_err();
    assert_eq!((broken.height, broken.reason), (0, Reason::Anchor));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    replay_to(&pinned(CHAIN.genesis.hash()), directory.path(), None).unwrap().unwrap();
}

#[test]
fn a_directory_that_is_not_empty_is_refused_and_left_as_it_is() {
    let topics = Topics::of(&CHAIN);
    let replayed = tempfile::tempdir().unwrap();
    replay_to(&topics, replayed.path(), Some(4)).unwrap().unwrap();
    replay_to(&topics, replayed.path(), None).unwrap_err();
    assert_state(&inspect::inspect(replayed.path(), APPLICATION_ID).unwrap().unwrap().unwrap(), 4);

    let foreign = tempfile::tempdir().unwrap();
    std::fs::write(foreign.path().join("letters.txt"), "mine").unwrap();
    let refusal = replay_to(&topics, foreign.path(), None).unwrap_err().to_string();
    assert!(refusal.contains("empty directory"), "{refusal}");
    assert_eq!(std::fs::read_dir(foreign.path()).unwrap().count(), 1);
}

#[test]
fn a_topic_that_is_missing_or_has_other_partitions_is_no_chain_to_replay() {
    let (directory, topics) = (tempfile::tempdir().unwrap(), Topics::of(&CHAIN));
    topics.log.delete_topics(&[BLOCKCHAIN.to_owned()]).unwrap();
    let refusal = replay_to(&topics, directory.path(), None).unwrap_err().to_string();
    assert!(refusal.contains("there is no topic 'blockchain'"), "{refusal}");
    create(&topics.log, BLOCKCHAIN, 2, "compact");
    let refusal = replay_to(&topics, directory.path(), None).unwrap_err().to_string();
    assert!(refusal.contains("has 2 partitions"), "{refusal}");
}

#[test]
fn an_empty_topic_is_no_chain_to_replay() {
    let directory = tempfile::tempdir().unwrap();
    let broken = replay_to(&Topics::new(&[], &[]), directory.path(), None).unwrap().unwrap_err();
    assert_eq!((broken.height, broken.reason), (0, Reason::Height));
}
