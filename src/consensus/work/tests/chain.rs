//! Chains that were really mined.

use super::world::*;
use crate::chain::{Amount, Consensus, Operation, Work, WorkRule};
use crate::consensus::follow::check_tip;
use crate::consensus::{Error, Scheme, Sealer, SetupError, Step, Stretch};
use crate::ledger::state::{account, supply};

/// Mines so many blocks, in turns for two miners: full ones, and ones of two records.
fn mined(work: Work, count: usize, gap_ms: i64) -> Chain {
    let mut chain = Chain::new(work);
    for number in 0..count {
        let at_ms = FIRST_MS + number as i64 * gap_ms;
        let entries = chain.entries(&vec![at_ms; if number % 4 == 0 { 3 } else { 2 }]);
        chain.mine(["ann", "ben"][number % 2], entries);
    }
    chain
}

fn assert_followed(chain: &Chain) {
    let summary = chain.follow(&chain.blocks).unwrap();
    assert_eq!(summary.tip, *chain.replica.tip());
    assert_eq!(summary.supply, supply(&chain.state).unwrap());
    check_tip(&chain.replica, &chain.genesis, &Scheme::of(&chain.genesis).unwrap(), chain.blocks.last().unwrap())
        .unwrap();
}

#[test]
fn two_hundred_blocks_at_sixteen_bits_are_followed_by_either_rule() {
    for bound in [WorkRule::Header, WorkRule::Classic] {
        let chain = mined(rule(bound, 16), 200, 10);
        assert_followed(&chain);
        let mut last_proof = 100;
        for block in &chain.blocks[1..] {
            let author = block.header.work().unwrap();
            assert_eq!((author.difficulty, author.last_proof), (65_536, last_proof));
            last_proof = block.seal.as_ref().unwrap().work().unwrap().proof;
        }
    }
}

#[test]
fn two_hundred_blocks_of_an_adjusted_difficulty_are_followed() {
    let work = Work { rule: WorkRule::Header, leading_zero_bits: 8, target_interval_ms: 1_000 };
    for (gap_ms, rises) in [(400, true), (1_000, false), (1_700, false)] {
        let chain = mined(work, 200, gap_ms);
        assert_followed(&chain);
        let difficulties: Vec<u64> =
            chain.blocks[1..].iter().map(|block| block.header.work().unwrap().difficulty).collect();
        assert!(difficulties.windows(2).all(|two| two[0] <= two[1]), "{gap_ms} ms");
        // Every block came 600 ms early; but one in four is full, and says nothing.
        assert_eq!(*difficulties.last().unwrap() > 256 * 100, rises, "{gap_ms} ms");
        assert_eq!(difficulties.iter().all(|difficulty| *difficulty == 256), !rises, "{gap_ms} ms");
    }
}

#[test]
fn fees_and_reward_are_the_miners_own_and_every_unit_is_accounted_for() {
    let chain = mined(rule(WorkRule::Header, 8), 4, 10);
    let amount = |units| Amount::new(units).unwrap();
    let paid = |miner: &str, fees: u64, balance: i64| {
        [
            Operation::MinerFee { account: name(miner), amount: amount(fees), balance: balance + fees as i64 },
            Operation::MinerReward { account: name(miner), amount: amount(5), balance: balance + fees as i64 + 5 },
        ]
    };
    let operations = chain.blocks[1..].iter().map(|block| block.operations.as_slice());
    let expected = [paid("ann", 3, 0), paid("ben", 2, 0), paid("ann", 2, 8), paid("ben", 2, 7)];
    assert!(operations.eq(expected.iter().map(<[Operation; 2]>::as_slice)));
    for (miner, balance) in [("ann", 15), ("ben", 14)] {
        assert_eq!(account(&chain.state, &name(miner)).unwrap().balance, balance);
    }
    let supply = supply(&chain.state).unwrap();
    assert_eq!((supply.genesis, supply.minted, supply.burnt), (0, 20, 0));
}

#[test]
fn a_miner_can_spend_what_it_mined() {
    let mut chain = mined(rule(WorkRule::Header, 8), 1, 10);
    let mut entries = chain.entries(&[FIRST_MS]);
    let value = br#"{"from":"ann","to":"carol","amount":7}"#;
    entries[0] = crate::chain::Entry::of_record(0, entries[0].origin.offset, FIRST_MS, None, Some(value)).0;
    assert!(chain.mine("ben", entries).is_active());
    assert_eq!(account(&chain.state, &name("ann")).unwrap().balance, 0, "8, less 7 and a fee of 1");
}

#[test]
fn a_block_without_an_applied_transaction_earns_no_reward() {
    let mut chain = Chain::new(rule(WorkRule::Header, 8));
    let mut entries = chain.entries(&[FIRST_MS]);
    entries[0] = crate::chain::Entry::of_record(0, 0, FIRST_MS, None, Some(b"no transaction")).0;
    assert_eq!(chain.mine("ann", entries).operations, []);
    assert_followed(&chain);
}

#[test]
fn nobody_mines_for_a_name_that_cannot_be_paid_or_on_another_kind_of_chain() {
    let classic = genesis(rule(WorkRule::Classic, 8));
    let refused = |genesis: &crate::chain::Genesis, miner: &str| Sealer::miner(genesis, name(miner)).unwrap_err();
    assert_eq!(refused(&classic, "$ann"), SetupError::Miner(name("$ann")));
    assert_eq!(refused(&classic, "0"), SetupError::Miner(name("0")));
    assert!(Sealer::miner(&genesis(rule(WorkRule::Header, 8)), name("0")).is_ok());
    let stake = crate::consensus::stake::tests::simulated::genesis();
    assert_eq!(refused(&stake, "ann"), SetupError::OtherKind);
    let keys = crate::consensus::KeySet::new(Vec::new()).unwrap();
    assert_eq!(Sealer::local(&classic, keys, &[]).unwrap_err(), SetupError::OtherKind);
}

#[test]
fn a_cut_that_is_a_decision_is_mined_only_once_it_is_committed() {
    let mut chain = Chain::new(rule(WorkRule::Header, 8));
    let mut entries = chain.entries(&[FIRST_MS]);
    let mut sealer = Sealer::miner(&chain.genesis, name("ann")).unwrap();
    let signatures = [crate::ledger::Signature::Absent];
    let stretch = Stretch { entries: &mut entries, signatures: &signatures, cut: crate::chain::Cut::Age };
    let refused = sealer.seal(&chain.state, &chain.replica, stretch, &[]).unwrap_err();
    assert!(matches!(refused, Error::CutNotCommitted { height: 1, .. }), "{refused}");
    let mut idle = Sealer::idle(&chain.genesis).unwrap();
    let stretch = Stretch { entries: &mut entries, signatures: &signatures, cut: crate::chain::Cut::Bytes };
    assert!(matches!(idle.seal(&chain.state, &chain.replica, stretch, &[]), Err(Error::NobodyMines(1))));
    let stretch = Stretch { entries: &mut entries, signatures: &signatures, cut: crate::chain::Cut::Bytes };
    let step = sealer.seal(&chain.state, &chain.replica, stretch, &[]).unwrap();
    let Step::Unproved(unproved) = step else { panic!("{step:?}") };
    let wrong = (0..).find(|proof| !unproved.puzzle().is_solved_by(*proof)).unwrap();
    assert!(unproved.complete(wrong, entries).is_none());
}

#[test]
fn nobody_is_an_account_by_the_classic_rule_and_any_account_by_the_other() {
    for (bound, is_applied) in [(WorkRule::Header, true), (WorkRule::Classic, false)] {
        let mut chain = Chain::new(rule(bound, 8));
        let mut entries = chain.entries(&[FIRST_MS, FIRST_MS]);
        for (entry, value) in entries
            .iter_mut()
            .zip([r#"{"from":"0","to":"mallory","amount":1}"#, r#"{"from":"mallory","to":"0","amount":1}"#])
        {
            *entry = crate::chain::Entry::of_record(0, entry.origin.offset, FIRST_MS, None, Some(value.as_bytes())).0;
        }
        let block = chain.mine("ann", entries);
        assert!(block.entries.iter().all(|entry| entry.is_applied() == is_applied), "{bound}");
        assert_followed(&chain);
    }
    let Consensus::Work(work) = genesis(rule(WorkRule::Classic, 8)).parameters.consensus else { panic!() };
    assert_eq!(work.rule, WorkRule::Classic);
}
