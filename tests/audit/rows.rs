//! Rows of a chain: they are its receipts, they add up to its state, and there are none of a chain that is broken.

use std::collections::BTreeMap;

use cairn::audit::Reason::{self, Execution, Form, Height, Parent, Rounds, Seal};
use cairn::chain::{Amount, Balances, Block, Content, Genesis, Name, Operation, Outcome, Parameters, ReasonCode};
use cairn::consensus::Fault;
use cairn::consensus::follow::{Anchor, Follower};
use cairn::ledger::state::{Account, ValidatorRecord};
use cairn::ledger::{MemoryState, Table};
use cairn::rows::{Error, Status, TransferKind, ValidatorStatus};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::all_rows::{AllRows, Rows};
use crate::attack::Skill::{Executes, ExecutesAndSeals, Hashes, Seals, Writes};
use crate::attack::{Skill, altered, full, height_of, parts};
use crate::chain::{CHAIN, Run};
use crate::work::{MINED, mined};

/// Rows of all blocks, and what made them.
pub(crate) fn rows(blocks: &[Block]) -> (Vec<Rows<'_>>, AllRows) {
    let mut all = AllRows::default();
    let rows = blocks.iter().map(|block| all.of(block).unwrap()).collect();
    (rows, all)
}

/// What executing these blocks leaves.
fn executed(blocks: &[Block]) -> (MemoryState, Vec<(String, ValidatorRecord)>) {
    let mut follower = Follower::new(MemoryState::new(), Anchor::None, ChaCha8Rng::seed_from_u64(1));
    blocks.iter().for_each(|block| follower.follow(block).unwrap());
    let (state, replica) = follower.into_parts().unwrap();
    let validators = replica.validators().iter().map(|(id, record)| (id.to_string(), record.clone())).collect();
    (state, validators)
}

fn accounts(state: &MemoryState) -> BTreeMap<String, Account> {
    let entry = |(name, record): (&[u8], &[u8])| {
        (String::from_utf8(name.to_vec()).unwrap(), Account::from_record(name, record).unwrap())
    };
    state.table(Table::Accounts).map(entry).collect()
}

/// A chain that somebody mined, one whose accounts use nonces under strict balances, and the chain that all tests look
/// at.
pub(crate) fn chains() -> [Vec<Block>; 3] {
    [CHAIN.blocks.clone(), mined(&MINED).blocks, with_nonces()]
}

/// Accounts with nonces, one of which ends with nothing; dave begins with a debt.
fn with_nonces() -> Vec<Block> {
    let amount = |units| Amount::new(units).unwrap();
    let parameters = Parameters {
        block_max_transactions: 3,
        balances: Balances::Open { overdraft_max: amount(50) },
        fee: amount(3),
        ..Parameters::default()
    };
    let mut run = Run::with_accounts(11, parameters, &[], &[("alice", 100), ("bob", 40), ("dave", -20)]);
    for nonce in 0..4 {
        run.send(format!(r#"{{"from":"alice","to":"alice","amount":2,"nonce":{nonce},"memo":"to \"myself\""}}"#));
        run.send(format!(r#"{{"from":"alice","to":"bob","amount":1,"nonce":{}}}"#, nonce + 7));
        run.send(r#"{"from":"bob","to":"carol","amount":7}"#);
    }
    // Carol sends all that she has, and is an account that never was.
    run.send(r#"{"from":"carol","to":"dave","amount":25}"#);
    run.driver.end_of_input().unwrap();
    run.chain().blocks
}

#[test]
fn each_record_has_one_row_which_says_what_its_receipt_says() {
    for blocks in chains() {
        let (rows, all) = rows(&blocks);
        let fee = all.book.as_ref().unwrap().chain().fee().get();
        for (block, rows) in blocks.iter().zip(&rows) {
            let places: Vec<u32> = rows.transfers.iter().map(|row| row.index).collect();
            assert!(places.is_sorted_by(|one, other| one < other), "{places:?}");
            let of_records = rows.transfers.iter().filter(|row| row.offset.is_some());
            assert_eq!(of_records.clone().count(), block.entries.len());
            for (row, entry) in of_records.zip(&block.entries) {
                let place = (row.partition.unwrap(), row.offset.unwrap(), row.record_time_ms.unwrap());
                assert_eq!(place, (entry.origin.partition, entry.origin.offset, entry.origin.timestamp_ms));
                assert_eq!((row.height, row.block_hash), (block.header.height, block.hash));
                let Content::Transaction { transaction, receipt } = &entry.content else {
                    assert_eq!((row.status, row.kind, row.amount), (Status::Unreadable, None, None));
                    assert!(row.reason.is_some());
                    continue;
                };
                let (status, reason, fee) = match receipt.outcome {
                    Outcome::Applied => (Status::Applied, None, fee),
                    Outcome::Rejected(reason) => (Status::Rejected, Some(reason.as_str()), 0),
                };
                assert_eq!((row.status, row.reason, row.fee), (status, reason, fee));
                assert_eq!(
                    (row.sender, row.recipient),
                    (Some(transaction.from.as_str()), Some(transaction.to.as_str()))
                );
                assert_eq!((row.amount, row.nonce), (Some(transaction.amount.get()), transaction.nonce));
                assert_eq!(row.sender_balance, Some(receipt.from_balance));
                assert_eq!(row.recipient_balance, Some(receipt.to_balance));
            }
        }
    }
}

#[test]
fn balances_and_validators_are_those_of_the_state_after_each_block() {
    for blocks in chains() {
        let mut all = AllRows::default();
        let (mut held, mut known) = (BTreeMap::new(), BTreeMap::new());
        for (height, block) in blocks.iter().enumerate() {
            let rows = all.of(block).unwrap();
            let (state, validators) = executed(&blocks[..=height]);
            for row in &rows.balances {
                let before = held.insert(row.name.to_owned(), row.account()).unwrap_or_default();
                assert_eq!(row.delta, row.balance - before.balance);
                assert_ne!(row.account(), before, "a row of an account that did not change");
            }
            held.retain(|_, account| *account != Account::default());
            assert_eq!(held, accounts(&state), "height {height}");
            assert_eq!(all.book.as_ref().unwrap().accounts().len(), held.len());
            for row in &rows.validators {
                known.insert(row.id.to_owned(), (row.stake, row.slashed_at_height, row.rounds_missed));
                assert_eq!(row.status == ValidatorStatus::Slashed, row.slashed_at_height.is_some());
            }
            let expected = validators.into_iter();
            let expected: BTreeMap<_, _> =
                expected.map(|(id, record)| (id, (record.stake, record.slashed_at_height, record.missed))).collect();
            assert_eq!(known, expected, "height {height}");
        }
        let proposed: u64 =
            all.book.as_ref().unwrap().chain().standings().map(|(_, standing)| standing.blocks_proposed).sum();
        assert_eq!(proposed, blocks.iter().filter(|block| block.header.proposer().is_some()).count() as u64);
    }
}

#[test]
fn the_transfers_that_were_applied_add_up_to_the_balances_and_the_stakes() {
    for blocks in chains() {
        let (rows, all) = rows(&blocks);
        let (mut balances, mut stakes) = (BTreeMap::<&str, i64>::new(), BTreeMap::<&str, i64>::new());
        for row in rows.iter().flat_map(|rows| &rows.transfers).filter(|row| row.status == Status::Applied) {
            let amount = row.amount.unwrap() as i64;
            if let Some(sender) = row.sender {
                *balances.entry(sender).or_default() -= amount + row.fee as i64;
            }
            if let Some(recipient) = row.recipient {
                *balances.entry(recipient).or_default() += amount;
            }
            match row.kind {
                Some("genesis_stake") => *stakes.entry(row.validator.unwrap()).or_default() += amount,
                Some("slash") => *stakes.entry(row.validator.unwrap()).or_default() -= amount,
                _ => {}
            }
        }
        let (state, validators) = executed(&blocks);
        let expected = accounts(&state);
        balances.retain(|name, balance| *balance != 0 || expected.contains_key(*name));
        assert!(balances.into_iter().eq(expected.iter().map(|(name, account)| (&**name, account.balance))));
        assert!(stakes.into_iter().eq(validators.iter().map(|(id, record)| (&**id, record.stake as i64))));
        assert_eq!(all.book.as_ref().unwrap().chain().tip().height, blocks.len() as u64 - 1);
    }
}

/// Where the rows of these blocks end, and why.
fn end(blocks: &[Block]) -> Option<(u64, Reason)> {
    let mut all = AllRows::default();
    let error = blocks.iter().find_map(|block| all.of(block).err());
    error.map(|error| match error {
        Error::Broken(broken) => {
            println!("{broken}");
            (broken.height, broken.reason)
        }
        other => panic!("{other}"),
    })
}

#[track_caller]
fn assert_refused(height: usize, alter: impl Fn(&mut Vec<Block>), expected: &[(Skill, Reason)]) {
    for (skill, reason) in expected {
        let blocks = altered(&CHAIN, height, *skill, &alter);
        assert_eq!(end(&blocks), Some((height as u64, *reason)), "{skill:?}");
    }
}

#[test]
fn no_rows_are_made_of_a_block_that_somebody_altered() {
    assert_eq!(end(&CHAIN.blocks), None);
    let height = full();
    let amount = |blocks: &mut Vec<Block>| {
        let amount = &mut parts(&mut blocks[height].entries[0]).0.amount;
        *amount = Amount::new(amount.get() + 1).unwrap();
    };
    // Who seals without executing leaves receipts that are not those of the amounts.
    assert_refused(height, amount, &[(Writes, Form), (Hashes, Seal), (Executes, Seal), (Seals, Execution)]);
    let balance = |blocks: &mut Vec<Block>| parts(&mut blocks[height].entries[0]).1.to_balance += 1;
    assert_refused(height, balance, &[(Writes, Form), (Hashes, Seal), (Seals, Execution)]);

    let is_slash = |operation: &Operation| matches!(operation, Operation::Slash { .. });
    let height = height_of(|block| block.operations.iter().any(is_slash));
    let unslashed = |blocks: &mut Vec<Block>| blocks[height].operations.retain(|operation| !is_slash(operation));
    assert_refused(height, unslashed, &[(Writes, Form), (Hashes, Rounds), (Seals, Rounds)]);
    let stake = |blocks: &mut Vec<Block>| {
        let slash = blocks[height].operations.iter_mut().find(|operation| is_slash(operation)).unwrap();
        let Operation::Slash { amount, .. } = slash else { unreachable!() };
        *amount -= 1;
    };
    assert_refused(height, stake, &[(Writes, Form), (Hashes, Rounds), (Seals, Rounds)]);
    let set = |blocks: &mut Vec<Block>| blocks[height].header.validators = blocks[0].header.validators;
    assert_refused(height, set, &[(Writes, Form), (Hashes, Execution), (Seals, Execution)]);
}

#[test]
fn no_rows_are_made_of_blocks_that_are_missing_twice_there_or_in_other_places() {
    let with = |change: &dyn Fn(&mut Vec<Block>)| {
        let mut blocks = CHAIN.blocks.clone();
        change(&mut blocks);
        end(&blocks)
    };
    assert_eq!(with(&|blocks| drop(blocks.remove(0))), Some((0, Height)));
    assert_eq!(with(&|blocks| drop(blocks.remove(4))), Some((4, Height)));
    assert_eq!(with(&|blocks| blocks.insert(4, blocks[3].clone())), Some((3, Height)));
    assert_eq!(with(&|blocks| blocks.swap(4, 5)), Some((4, Height)));
    assert_eq!(with(&|blocks| blocks[5].seal = None), Some((5, Form)));
    // A block of another chain, which begins with the same accounts under other keys.
    let other = crate::chain::run(8, &[("validator-1", Fault::AlterAmount)]).chain();
    assert_eq!(with(&|blocks| blocks[5] = other.blocks[5].clone()), Some((5, Parent)));
    // The holder of the keys can make another chain, and nothing in it tells.
    let height = full();
    let replaced = altered(&CHAIN, height, ExecutesAndSeals, |blocks| {
        parts(&mut blocks[height].entries[0]).0.amount = Amount::new(1).unwrap();
    });
    assert_eq!(end(&replaced), None);
}

#[test]
fn a_genesis_whose_state_root_is_made_up_is_refused() {
    let mut blocks = CHAIN.blocks.clone();
    blocks[0].header.state_root = blocks[1].header.state_root;
    blocks[0].hash = blocks[0].header.hash();
    assert_eq!(end(&blocks), Some((0, Execution)));
}

#[test]
fn the_chains_here_have_what_rows_are_about() {
    let kinds: Vec<_> = chains()
        .iter()
        .flat_map(|blocks| {
            let found: Vec<_> =
                rows(blocks).0.iter().flat_map(|rows| &rows.transfers).map(|row| (row.kind, row.reason)).collect();
            found
        })
        .collect();
    let has = |kind: TransferKind| kinds.iter().any(|(found, _)| *found == Some(kind.as_str()));
    for kind in TransferKind::ALL {
        assert!(has(*kind), "{}", kind.as_str());
    }
    for reason in [ReasonCode::BadNonce, ReasonCode::InsufficientFunds, ReasonCode::Duplicate] {
        assert!(kinds.iter().any(|(_, found)| *found == Some(reason.as_str())), "{reason}");
    }
    let genesis: &Genesis = CHAIN.blocks[0].genesis.as_ref().unwrap();
    assert!(genesis.accounts.iter().any(|(name, _)| *name == Name::new("alice").unwrap()));
}
