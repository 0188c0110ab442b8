//! Proofs of one thing of a chain, made from its topic and checked without it: by the program, and by a second
//! implementation.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use cairn::audit::Anchor;
use cairn::audit::prove::{self, Cover, Options, Question, Unproved};
use cairn::chain::{
    Amount, Balances, Block, Content, Frontier, Hash, Id, Name, Operation, Parameters, ValidatorId, merkle,
};
use cairn::checkpoint::Checkpoint;
use cairn::consensus::Fault;
use cairn::proof::{Basis, Checked, Claim, Proof, Refusal, Trusted};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use topology::clock::SystemClock;
use topology::test_driver::OwnedRecord;

use crate::chain::{BLOCKCHAIN, Chain, Run, Topics, record};

/// A chain of more than 55 blocks: a validator is slashed, another is silent, ids are remembered for 20 active heights.
pub(crate) static LONG: LazyLock<Chain> = LazyLock::new(|| {
    let chain = long(21, 1);
    assert!(chain.blocks.len() > 55, "{} blocks", chain.blocks.len());
    let slashed = |block: &Block| block.operations.iter().any(|one| matches!(one, Operation::Slash { .. }));
    assert!(chain.blocks[..12].iter().any(slashed), "somebody is slashed early");
    chain
});

/// Chains with one key seed have one genesis; with another amount they are forked at the first block.
pub(crate) fn long(key_seed: u64, amount: u64) -> Chain {
    let units = |units| Amount::new(units).unwrap();
    let parameters = Parameters {
        block_max_transactions: 3,
        balances: Balances::Open { overdraft_max: units(500) },
        fee: units(2),
        reward: units(1),
        ids_remember_blocks: 20,
        ..Parameters::default()
    };
    let faults = [("validator-1", Fault::AlterAmount), ("validator-2", Fault::Silent)];
    let mut run = Run::new(key_seed, parameters, &faults);
    for number in 0..58 {
        run.transfer("alice", "bob", amount);
        run.send(format!(r#"{{"from":"bob","to":"carol","amount":1,"id":"order-{number}"}}"#));
        if number % 7 == 0 {
            run.send("hello");
        }
        run.transfer("carol", "dave", if number % 5 == 0 { 100_000 } else { 1 });
        run.driver.commit().unwrap();
    }
    run.driver.end_of_input().unwrap();
    run.chain()
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn balance(text: &str) -> Question {
    Question::Balance { name: name(text) }
}

pub(crate) fn id(sender: &str, id: &str) -> Question {
    Question::Id { sender: name(sender), id: id.parse::<Id>().unwrap() }
}

pub(crate) fn validator(id: &str) -> Question {
    Question::Validator { id: id.parse::<ValidatorId>().unwrap() }
}

/// A checkpoint over the first blocks of a chain.
pub(crate) fn checkpoint(chain: &Chain, size: usize) -> Checkpoint {
    let mut blocks = Frontier::default();
    chain.blocks[..size].iter().for_each(|block| blocks.append(merkle::leaf(block.hash.as_bytes())));
    Checkpoint::of(&chain.genesis.hash(), &blocks)
}

/// Asks a topic with these records.
pub(crate) fn prove_of(records: &[OwnedRecord], options: &Options) -> topology::Result<Result<Proof, Unproved>> {
    let topics = Topics::of_records(records, &[]);
    let rng = ChaCha8Rng::seed_from_u64(5);
    let mut next_height = 0;
    prove::prove(&topics.log, &SystemClock::new(), options, rng, &mut |height| {
        assert!(
            height == next_height || height == 0,
            "every height is told, and all anew where the chain is read again"
        );
        next_height = height + 1;
    })
}

pub(crate) fn options(question: Question, at_height: Option<u64>, cover: Cover) -> Options {
    let (blockchain, anchor) = (BLOCKCHAIN.to_owned(), Anchor::None);
    Options { blockchain, anchor, question, at_height, cover, with_seal: true, size_bytes_max: Proof::SIZE_BYTES_MAX }
}

/// Asks a topic that has the chain up to a height.
pub(crate) fn prove_at(
    chain: &Chain,
    tip: usize,
    question: Question,
    at_height: Option<u64>,
    cover: Cover,
) -> Result<Proof, Unproved> {
    let records: Vec<OwnedRecord> = chain.blocks[..=tip].iter().map(record).collect();
    prove_of(&records, &options(question, at_height, cover)).unwrap()
}

/// What the file of a proof comes to with a checkpoint.
pub(crate) fn check_with(proof: &Proof, checkpoint: &Checkpoint) -> Result<Checked, Refusal> {
    Proof::parse(&proof.to_file()).unwrap().check(Trusted { checkpoint: Some(checkpoint), genesis: None })
}

pub(crate) fn check_by_genesis(proof: &Proof, genesis: &Hash) -> Result<Checked, Refusal> {
    Proof::parse(&proof.to_file()).unwrap().check(Trusted { checkpoint: None, genesis: Some(genesis) })
}

/// What the second implementation says of a file: its exit code, and its line.
pub(crate) fn stranger(file: &[u8], checkpoint: Option<&Checkpoint>, genesis: &Hash) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("proof"), file).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checker/prove.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(path("proof"));
    match checkpoint {
        Some(checkpoint) => {
            std::fs::write(path("note"), checkpoint.to_string()).unwrap();
            command.arg("--checkpoint").arg(path("note"))
        }
        None => command.arg("--genesis-hash").arg(genesis.to_string()),
    };
    let output = command.output().unwrap_or_else(|error| panic!("the checker needs python3: {error}"));
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
}

/// The proof holds with this checkpoint, with the genesis hash, and for the second implementation.
#[track_caller]
fn assert_holds(proof: &Proof, checkpoint: &Checkpoint) {
    let genesis = LONG.genesis.hash();
    let hash = LONG.blocks[proof.header.height as usize].hash;
    assert_eq!(check_with(proof, checkpoint), Ok(Checked { hash, basis: Basis::Checkpoint }));
    assert_eq!(check_by_genesis(proof, &genesis), Ok(Checked { hash, basis: Basis::Genesis }));
    for checkpoint in [Some(checkpoint), None] {
        let (code, says) = stranger(&proof.to_file(), checkpoint, &genesis);
        assert_eq!(code, Some(0), "{says}");
        assert!(says.starts_with("holds: "), "{says}");
    }
}

/// The balance of an account after a block, by the receipts of the chain.
pub(crate) fn balance_after(account: &str, height: usize) -> i64 {
    let entries = LONG.blocks[..=height].iter().flat_map(|block| &block.entries);
    let mut balances = entries.filter_map(|entry| match &entry.content {
        Content::Transaction { transaction, receipt } if transaction.from.as_str() == account => {
            Some(receipt.from_balance)
        }
        Content::Transaction { transaction, receipt } if transaction.to.as_str() == account => Some(receipt.to_balance),
        _ => None,
    });
    balances.next_back().unwrap()
}

/// Where the chain has the record at an offset.
pub(crate) fn height_of_offset(offset: i64) -> usize {
    let has = |block: &Block| block.entries.iter().any(|entry| entry.origin.offset == offset);
    LONG.blocks.iter().position(has).unwrap()
}

#[test]
fn a_balance_of_an_earlier_height_is_proved_to_whoever_has_a_checkpoint_of_any_later_one() {
    let made = |tip, cover| prove_at(&LONG, tip, balance("alice"), Some(12), cover).unwrap();
    let at_40 = made(40, Cover::Tip);
    let Claim::Balance { account, .. } = &at_40.claim else { panic!("{:?}", at_40.claim) };
    assert_eq!((at_40.header.height, account.balance), (12, balance_after("alice", 12)));
    assert_holds(&at_40, &checkpoint(&LONG, 41));

    // Who has another checkpoint is told which proof to ask for.
    let later = checkpoint(&LONG, 51);
    let Err(Refusal::Unfit(says)) = check_with(&at_40, &later) else { panic!("it leads to another size") };
    assert!(says.contains("--checkpoint-size 51"), "{says}");
    assert_eq!(stranger(&at_40.to_file(), Some(&later), &Hash::ZERO).0, Some(3));
    assert_holds(&made(52, Cover::Size(51)), &later);
    assert_holds(&made(50, Cover::Checkpoint(later.clone())), &later);

    // An earlier one will do, too, down to the block itself.
    for size in [13, 14, 16, 33] {
        assert_holds(&made(50, Cover::Size(size as u64)), &checkpoint(&LONG, size));
    }
    let Err(Refusal::Unfit(says)) = check_with(&at_40, &checkpoint(&LONG, 12)) else { panic!("it is not covered") };
    assert!(says.contains("covers 12 blocks") && says.contains("block 12"), "{says}");
    let beyond = prove_at(&LONG, 50, balance("alice"), Some(12), Cover::Size(12));
    assert!(matches!(&beyond, Err(Unproved::Beyond(says)) if says.contains("does not cover height 12")), "{beyond:?}");
}

#[test]
fn without_a_height_the_last_block_that_the_checkpoint_covers_is_meant() {
    let proof = prove_at(&LONG, 50, balance("bob"), None, Cover::Tip).unwrap();
    assert_eq!((proof.header.height, proof.history.size), (50, 51));
    assert_holds(&proof, &checkpoint(&LONG, 51));
    let proof = prove_at(&LONG, 50, balance("bob"), None, Cover::Size(31)).unwrap();
    assert_eq!((proof.header.height, proof.history.size), (30, 31));
    assert_holds(&proof, &checkpoint(&LONG, 31));
}

#[test]
fn an_account_that_is_not_there_is_proved_to_hold_nothing() {
    let mut others = 0;
    for account in ["zoe", "nobody", "$validator-9", "Alice"] {
        let proof = prove_at(&LONG, 50, balance(account), Some(12), Cover::Size(51)).unwrap();
        let Claim::Balance { account, path, .. } = &proof.claim else { panic!("{:?}", proof.claim) };
        assert_eq!((account.balance, account.nonce), (0, 0));
        others += usize::from(path.other.is_some());
        assert_holds(&proof, &checkpoint(&LONG, 51));
    }
    println!("{others} of 4 ways end in the leaf of another key");
    // One that comes to be later is not there before.
    let proof = prove_at(&LONG, 50, balance("dave"), Some(0), Cover::Tip).unwrap();
    assert_holds(&proof, &checkpoint(&LONG, 51));
}

#[test]
fn every_record_is_proved_with_what_became_of_it() {
    let mut kinds = std::collections::BTreeSet::new();
    for offset in (0..30).chain([120]) {
        let height = height_of_offset(offset);
        let question = Question::Transaction { partition: 0, offset };
        let proof = prove_at(&LONG, 50, question, None, Cover::Size(51)).unwrap();
        let Claim::Transaction { entry, .. } = &proof.claim else { panic!("{:?}", proof.claim) };
        assert_eq!((proof.header.height, entry.origin.offset), (height as u64, offset));
        kinds.insert(match &entry.content {
            Content::Transaction { receipt, .. } => {
                if receipt.is_applied() {
                    "applied"
                } else {
                    "rejected"
                }
            }
            Content::Stub { .. } => "stub",
        });
        assert_eq!(check_with(&proof, &checkpoint(&LONG, 51)).map(|checked| checked.basis), Ok(Basis::Checkpoint));
        if !(4..=100).contains(&offset) {
            assert_holds(&proof, &checkpoint(&LONG, 51));
        }
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["applied", "rejected", "stub"]);
    for (partition, offset, says) in [(0, 9_999, "not sealed yet"), (1, 0, "not sealed yet")] {
        let none = prove_at(&LONG, 50, Question::Transaction { partition, offset }, None, Cover::Tip);
        assert!(matches!(&none, Err(Unproved::NotThere(found)) if found.contains(says)), "{none:?}");
    }
}

#[test]
fn an_offset_without_a_record_is_told_by_the_block_that_goes_on_behind_it() {
    // The driver's log has a marker behind each commit, at an offset of its own, or none: then there is nothing to pass
    // over.
    let ranges: Vec<_> = LONG.blocks.iter().flat_map(|block| &block.header.ranges).collect();
    let skipped = ranges.windows(2).find(|pair| pair[1].first > pair[0].last + 1).map(|pair| pair[0].last + 1);
    let Some(offset) = skipped else { return };
    let none = prove_at(&LONG, 50, Question::Transaction { partition: 0, offset }, None, Cover::Tip);
    assert!(matches!(&none, Err(Unproved::NotThere(says)) if says.contains("goes on behind it")), "{none:?}");
}

#[test]
fn an_id_is_proved_to_be_used_by_the_transaction_that_used_it() {
    // Also long after it was forgotten: what was used was used.
    for number in [3, 47] {
        let question = id("bob", &format!("order-{number}"));
        let proof = prove_at(&LONG, 52, question, None, Cover::Size(51)).unwrap();
        let Claim::IdUsed { entry, .. } = &proof.claim else { panic!("{:?}", proof.claim) };
        assert_eq!(proof.header.height as usize, height_of_offset(entry.origin.offset));
        assert_holds(&proof, &checkpoint(&LONG, 51));
    }
}

#[test]
fn an_id_is_proved_to_be_unused_as_far_as_ids_are_remembered() {
    let cases = [("bob", "order-99", None, 20), ("alice", "order-3", Some(40), 20), ("bob", "order-47", Some(12), 12)];
    for (sender, text, at_height, list_count) in cases {
        let proof = prove_at(&LONG, 50, id(sender, text), at_height, Cover::Size(51)).unwrap();
        let Claim::IdUnused { listed, .. } = &proof.claim else { panic!("{:?}", proof.claim) };
        assert_eq!(listed.lists.len(), list_count);
        assert_holds(&proof, &checkpoint(&LONG, 51));
    }
}

#[test]
fn a_validator_is_proved_as_it_is_after_the_block_and_so_is_that_there_is_none() {
    let slashed = |block: &Block| block.operations.iter().any(|one| matches!(one, Operation::Slash { .. }));
    let slash_height = LONG.blocks.iter().position(slashed).unwrap() as u64;
    for (text, at_height, stake) in [
        ("validator-1", 12, Some(0)),
        ("validator-1", slash_height, Some(0)),
        ("validator-1", slash_height - 1, Some(2_000)),
        ("validator-3", 12, Some(1_600)),
        ("validator-9", 12, None),
    ] {
        let proof = prove_at(&LONG, 50, validator(text), Some(at_height), Cover::Size(51)).unwrap();
        let Claim::Validator { record, .. } = &proof.claim else { panic!("{:?}", proof.claim) };
        assert_eq!(record.as_ref().map(|record| record.stake), stake, "{text} after {at_height}");
        assert_holds(&proof, &checkpoint(&LONG, 51));
    }
}

#[test]
fn a_block_is_proved_and_block_0_by_the_genesis_itself() {
    for height in [0, 1, 40] {
        let proof = prove_at(&LONG, 50, Question::Block { height }, None, Cover::Size(51)).unwrap();
        assert_eq!((proof.header.height, &proof.claim), (height, &Claim::Block));
        assert_holds(&proof, &checkpoint(&LONG, 51));
    }
    let beyond = prove_at(&LONG, 50, Question::Block { height: 51 }, None, Cover::Tip);
    assert!(matches!(&beyond, Err(Unproved::Beyond(says)) if says.contains("ends at height 50")), "{beyond:?}");
    let beyond = prove_at(&LONG, 50, balance("alice"), Some(51), Cover::Tip);
    assert!(matches!(&beyond, Err(Unproved::Beyond(says)) if says.contains("ends at height 50")), "{beyond:?}");
    for used_or_not in ["order-47", "order-99"] {
        let beyond = prove_at(&LONG, 50, id("bob", used_or_not), Some(51), Cover::Tip);
        assert!(matches!(&beyond, Err(Unproved::Beyond(says)) if says.contains("ends at height 50")), "{beyond:?}");
    }
    let beyond = prove_at(&LONG, 50, balance("alice"), Some(5), Cover::Size(52));
    assert!(matches!(&beyond, Err(Unproved::Beyond(says)) if says.contains("the chain has 51 blocks")), "{beyond:?}");
}

#[test]
fn for_a_history_that_ends_with_its_block_nothing_behind_it_is_read() {
    let mut records: Vec<OwnedRecord> = LONG.blocks[..=50].iter().map(record).collect();
    // Whoever made a proof of more would have to say that the chain is broken.
    records[20].value = Some(b"no block".to_vec());
    let wanted = options(balance("alice"), Some(12), Cover::Size(13));
    let proof = prove_of(&records, &wanted).unwrap().unwrap();
    assert_eq!(check_with(&proof, &checkpoint(&LONG, 13)).unwrap().hash, LONG.blocks[12].hash);
    let wanted = Options { cover: Cover::Size(51), ..wanted };
    assert!(matches!(prove_of(&records, &wanted).unwrap(), Err(Unproved::Broken(_))));
}
