use super::turns::{Flaw, Start, verify};
use super::*;
use crate::chain::{Amount, Operation};

/// A height at which the proposers of the first three rounds differ, and their places.
fn height_with_three_proposers(five: &Five) -> (u64, [usize; 3]) {
    let drawn = |height, round| five.start(height).due(round, &five.stakes).unwrap();
    let found = (1..1000).map(|height| (height, [0, 1, 2].map(|round| drawn(height, round))));
    let mut distinct = found.filter(|(_, [a, b, c])| a != b && b != c && a != c);
    distinct
        .find(|(height, [a, b, c])| {
            // The third proposer is the one drawn after the second lost its stake.
            let mut stakes = five.stakes.clone();
            stakes.take(*b);
            five.start(*height).due(2, &stakes) == Some(*c) && a != c
        })
        .unwrap()
}

fn missed(five: &Five, round: u32, place: usize) -> Operation {
    Operation::Missed { round, validator: five.pair(place).id().clone() }
}

fn slash(five: &Five, height: u64, round: u32, place: usize, amount: u64) -> Operation {
    let one = five.header(height, round, place);
    let other = Header { time_ms: 5, ..one.clone() };
    let evidence = proof::equivocation(five.signed(one, place), five.signed(other, place)).unwrap();
    Operation::Slash { round, validator: five.pair(place).id().clone(), amount, evidence: Box::new(evidence) }
}

#[test]
fn every_failed_round_is_accounted_for_in_order() {
    let five = Five::new();
    let (height, [a, b, c]) = height_with_three_proposers(&five);
    let start = five.start(height);
    let header = five.header(height, 2, c);
    let reward =
        Operation::Reward { validator: id("a"), account: "a".parse().unwrap(), amount: Amount::ZERO, balance: 0 };
    let good = vec![missed(&five, 0, a), slash(&five, height, 1, b, STAKES[b]), reward.clone()];
    let check = |header: &Header, operations: &[Operation]| verify(&start, five.stakes.clone(), header, operations);

    let after = check(&header, &good).unwrap();
    assert_eq!(after.at(b), 0, "slashing acts at once");
    assert_eq!(after.total(), five.stakes.total() - STAKES[b], "and silence costs nothing");

    let swapped = [good[1].clone(), good[0].clone(), reward.clone()];
    assert_eq!(check(&header, &swapped), Err(Flaw::Unaccounted { round: 0, index: 0 }));
    assert_eq!(check(&header, &good[..1]), Err(Flaw::Unaccounted { round: 1, index: 1 }));
    let late = [reward, good[0].clone(), good[1].clone()];
    assert_eq!(check(&header, &late), Err(Flaw::Unaccounted { round: 0, index: 0 }));
    let twice = [good[0].clone(), good[1].clone(), good[1].clone()];
    assert_eq!(check(&header, &twice), Err(Flaw::Superfluous { round: 1, index: 2 }), "a stake is lost once");
    let first = five.header(height, 0, a);
    assert_eq!(check(&first, &good[..1]), Err(Flaw::Superfluous { round: 0, index: 0 }));
    assert_eq!(check(&first, &[]).unwrap(), five.stakes);
}

#[test]
fn a_validator_that_was_not_drawn_neither_proposes_nor_misses_nor_is_slashed() {
    let five = Five::new();
    let (height, [a, b, c]) = height_with_three_proposers(&five);
    let start = five.start(height);
    let check = |header: &Header, operations: &[Operation]| verify(&start, five.stakes.clone(), header, operations);
    let drawn = |round: u32, drawn: usize, found: usize| {
        let id = |place: usize| five.pair(place).id().clone();
        Err(Flaw::Drawn { round, drawn: id(drawn), found: id(found) })
    };
    assert_eq!(check(&five.header(height, 0, b), &[]), drawn(0, a, b));
    assert_eq!(check(&five.header(height, 1, b), &[missed(&five, 0, c)]), drawn(0, a, c));
    let slashed = [slash(&five, height, 0, b, STAKES[b])];
    assert_eq!(check(&five.header(height, 1, b), &slashed), drawn(0, a, b));
    let mut other_seed = five.header(height, 0, a);
    other_seed.stake_mut().unwrap().seed = Hash::ZERO;
    assert_eq!(check(&other_seed, &[]), Err(Flaw::Seed { expected: five.seed, found: Hash::ZERO }));
}

#[test]
fn a_slash_needs_evidence_of_its_own_turn_and_takes_the_whole_stake() {
    let five = Five::new();
    let (height, [a, ..]) = height_with_three_proposers(&five);
    let start = five.start(height);
    let next = |place: usize| {
        let mut stakes = five.stakes.clone();
        stakes.take(place);
        five.header(height, 1, start.due(1, &stakes).unwrap())
    };
    let check = |operation: Operation| verify(&start, five.stakes.clone(), &next(a), &[operation]);
    assert!(check(slash(&five, height, 0, a, STAKES[a])).is_ok());
    let (found, expected) = (STAKES[a] - 1, STAKES[a]);
    assert_eq!(check(slash(&five, height, 0, a, found)), Err(Flaw::Amount { round: 0, expected, found }));
    let Operation::Slash { evidence: elsewhere, .. } = slash(&five, height + 1, 0, a, 0) else { panic!() };
    let with =
        |evidence| Operation::Slash { round: 0, validator: five.pair(a).id().clone(), amount: STAKES[a], evidence };
    assert_eq!(check(with(elsewhere)), Err(Flaw::OtherTurn(0)));
    let others: Vec<u16> = (0..5).filter(|place| usize::from(*place) != a).collect();
    let refusal = five.refusal(five.signed(five.header(height, 0, a), a), RefusalReason::Input, &others);
    assert!(check(with(Box::new(refusal))).is_ok());
    let forged = five.refusal(five.signed(five.header(height, 0, a), a), RefusalReason::Input, &others[..1]);
    assert!(matches!(
        check(with(Box::new(forged))),
        Err(Flaw::Evidence { round: 0, flaw: proof::Flaw::TooFew { .. } })
    ));
}

#[test]
fn when_all_are_slashed_none_is_drawn() {
    let five = Five::new();
    let none = Stakes::new(vec![0; 5]).unwrap();
    let start: Start<'_> = five.start(1);
    assert_eq!(verify(&start, none, &five.header(1, 0, 0), &[]), Err(Flaw::NoneLeft(0)));
}
