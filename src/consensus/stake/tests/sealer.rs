use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::simulated::{Chain, REWARD, Signed, input};
use super::*;
use crate::chain::{Block, Operation, Rendering};
use crate::consensus::decision::{Decision, Passed};
use crate::consensus::stake::sealer::Sealer;
use crate::ledger::state::supply;

const CHEATS: [Fault; 3] = [Fault::AlterAmount, Fault::DropTransaction, Fault::Equivocate];

pub(super) fn slashes(chain: &Chain) -> Vec<(u64, u32, String, u64, Evidence)> {
    let slash = |(height, operation): (u64, &Operation)| match operation {
        Operation::Slash { round, validator, amount, evidence } => {
            Some((height, *round, validator.to_string(), *amount, (**evidence).clone()))
        }
        _ => None,
    };
    chain.operations().filter_map(slash).collect()
}

fn missed(chain: &Chain) -> Vec<String> {
    let missed = |(_, operation): (u64, &Operation)| match operation {
        Operation::Missed { validator, .. } => Some(validator.to_string()),
        _ => None,
    };
    chain.operations().filter_map(missed).collect()
}

#[test]
fn an_honest_committee_seals_and_a_stranger_can_replay_it_from_the_topic_alone() {
    let mut chain = Chain::new(&[]);
    chain.run(30);
    chain.replay();
    assert!(chain.blocks[1..].iter().all(|block| block.header.round() == 0 && block.operations.len() == 2));
    let proposers: BTreeSet<_> =
        chain.blocks[1..].iter().map(|block| block.header.proposer().unwrap().to_string()).collect();
    assert_eq!(proposers.len(), 5, "everybody had a turn");
}

#[test]
fn a_cheat_loses_its_whole_stake_once_and_the_chain_goes_on() {
    for fault in CHEATS {
        for (cheat, stake) in [("validator-1", 2000), ("validator-5", 1200)] {
            let mut chain = Chain::new(&[(cheat, fault)]);
            chain.run(60);
            chain.replay();
            let found = slashes(&chain);
            assert_eq!(found.len(), 1, "{fault}: slashed exactly once");
            let (height, _, validator, amount, evidence) = &found[0];
            assert_eq!((validator.as_str(), *amount), (cheat, stake), "{fault}");
            assert_eq!(matches!(evidence, Evidence::Equivocation { .. }), fault == Fault::Equivocate);
            let record = chain.record(cheat);
            assert_eq!((record.stake, record.slashed_at_height), (0, Some(*height)));
            assert_eq!(supply(&chain.state).unwrap().burnt, i128::from(stake), "burnt");
            let place = usize::from(cheat.as_bytes()[10] - b'1');
            for block in chain.blocks.iter().skip(*height as usize) {
                assert_ne!(block.header.proposer().unwrap().as_str(), cheat, "a slashed one is never drawn");
                assert!(!block.seal.as_ref().unwrap().stake().unwrap().signers.contains(place), "nor does it sign");
            }
            let reports: Vec<_> = chain.reports.iter().map(|report| (report.height, report.amount)).collect();
            assert_eq!(reports, [(*height, stake)]);
            assert_eq!(chain.reports[0].witness.is_some(), fault != Fault::Equivocate);
            assert_eq!(missed(&chain), [""; 0], "and none is said to have been silent");
        }
    }
}

#[test]
fn a_silent_validator_loses_its_rewards_and_nothing_else() {
    for silent in ["validator-1", "validator-4"] {
        let mut chain = Chain::new(&[(silent, Fault::Silent)]);
        let stake = chain.record(silent).stake;
        let mut decided = 0;
        while chain.blocks.len() <= 40 {
            match chain.call() {
                Step::Sealed(sealed) => chain.commit(*sealed),
                Step::NeedDecision(decision) => {
                    assert!(!chain.decisions.contains(&decision), "what is decided is not asked again");
                    chain.decisions.push(decision);
                    decided += 1;
                }
                Step::Waiting { .. } | Step::Unproved(_) => panic!("four of five are a quorum"),
            }
        }
        chain.replay();
        let missed = missed(&chain);
        assert!(missed.len() >= 3 && missed.iter().all(|validator| validator == silent), "{missed:?}");
        let record = chain.record(silent);
        assert_eq!((record.stake, record.slashed_at_height), (stake, None));
        assert_eq!(record.missed, missed.len() as u64, "every missed turn is counted");
        assert_eq!(decided, missed.len(), "and was decided before anybody else was drawn");
        assert!(slashes(&chain).is_empty());
        let rewarded = |(_, operation): &(u64, &Operation)| match operation {
            Operation::Reward { validator, amount, .. } => {
                assert_ne!(validator.as_str(), silent);
                amount.get() == REWARD
            }
            _ => false,
        };
        assert_eq!(chain.operations().filter(rewarded).count(), 40, "the reward goes to those who did the work");
    }
}

#[test]
fn a_header_that_does_not_re_execute_is_refused_for_that_reason() {
    let mut chain = Chain::new(&[]);
    chain.forger = Some(id("validator-2"));
    chain.restart();
    chain.run(30);
    chain.replay();
    let found = slashes(&chain);
    assert_eq!(found.len(), 1);
    assert!(matches!(found[0].4, Evidence::Refusal { reason: RefusalReason::Execution, .. }));
}

#[test]
fn evidence_holds_from_the_data_of_the_topic_alone_and_only_there() {
    for fault in CHEATS {
        let mut chain = Chain::new(&[("validator-2", fault)]);
        while slashes(&chain).is_empty() {
            chain.run(1);
        }
        let line = chain.blocks.last().unwrap().to_json();
        let block = Block::from_json(line.as_bytes()).unwrap();
        let slash = block.operations.into_iter().find_map(|operation| match operation {
            Operation::Slash { evidence, .. } => Some(*evidence),
            _ => None,
        });
        let evidence = slash.unwrap();
        let listed = &chain.genesis.validators;
        let roster = Roster::new(listed).unwrap();
        let stakes = Stakes::new(listed.iter().map(|validator| validator.stake).collect()).unwrap();
        let offence = proof::verify(&evidence, &chain.genesis.hash(), &roster, &stakes).unwrap();
        assert_eq!((offence.place, offence.height), (1, block.header.height), "{fault}");
        assert!(proof::verify(&evidence, &CHAIN, &roster, &stakes).is_err());

        // The copy in the evidence topic says the same, and holds what was refused.
        let report = &chain.reports[0];
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        assert!(report.to_json().contains(&format!("\"evidence\":{}", evidence.to_json())), "rendered as in the block");
        assert_eq!(report.key(), evidence.hash().to_string());
        assert_eq!((&json["validator"], &json["amount"]), (&"validator-2".into(), &1800.into()));
        match (&*report.evidence, &report.witness) {
            (Evidence::Equivocation { .. }, None) => assert!(json["witness"].is_null()),
            (Evidence::Refusal { header, .. }, Some(body)) => {
                let root = crate::chain::merkle::root(crate::chain::merkle::leaves(&body.entries));
                assert_eq!(root, header.header.transactions_root, "the witness is what the refused header is about");
                let kept = if fault == Fault::DropTransaction { 2 } else { 3 };
                assert_eq!(json["witness"]["transactions"].as_array().unwrap().len(), kept);
            }
            (evidence, _) => panic!("{evidence:?}"),
        }
    }
}

/// What one validator signed in one turn, by kind.
fn by_turn(journal: &[Signed]) -> BTreeMap<(&str, u64, u32, &str), BTreeSet<&[u8]>> {
    let mut turns: BTreeMap<_, BTreeSet<&[u8]>> = BTreeMap::new();
    for signed in journal {
        let turn = (signed.validator.as_str(), signed.height, signed.round, signed.kind);
        turns.entry(turn).or_default().insert(&signed.bytes);
    }
    turns
}

#[test]
fn aborted_and_restarted_runs_sign_the_same_bytes_and_make_the_same_chain() {
    let cases: [&[(&str, Fault)]; 4] = [
        &[],
        &[("validator-3", Fault::Silent)],
        &[("validator-1", Fault::AlterAmount), ("validator-5", Fault::Silent)],
        &[("validator-2", Fault::Equivocate), ("validator-4", Fault::DropTransaction)],
    ];
    for (case, faults) in cases.into_iter().enumerate() {
        let mut uninterrupted = Chain::new(faults);
        uninterrupted.run(25);
        for seed in 0..4u64 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut chain = Chain::new(faults);
            let mut aborts = 0;
            while chain.blocks.len() < 26 {
                let step = chain.call();
                match rng.next_u32() % 4 {
                    // The transaction aborts: nothing of this call is committed, the process lives on.
                    0 => aborts += 1,
                    // The process dies before it commits.
                    1 => {
                        aborts += 1;
                        chain.restart();
                    }
                    _ => match step {
                        Step::Sealed(sealed) => chain.commit(*sealed),
                        Step::NeedDecision(decision) => chain.decisions.push(decision),
                        Step::Waiting { .. } | Step::Unproved(_) => panic!("case {case} seed {seed}"),
                    },
                }
            }
            assert!(aborts > 10, "case {case} seed {seed}");
            assert_eq!(chain.blocks, uninterrupted.blocks, "case {case} seed {seed}");
            assert_eq!(chain.state, uninterrupted.state, "case {case} seed {seed}");
            let journal = chain.journal.borrow();
            for ((validator, height, round, kind), messages) in by_turn(&journal) {
                let equivocates = faults.contains(&(validator, Fault::Equivocate)) && kind == "proposal";
                let allowed = if equivocates { 2 } else { 1 };
                assert_eq!(messages.len(), allowed, "case {case} seed {seed}: {validator} {height}/{round} {kind}");
            }
            let calm: BTreeSet<Signed> = uninterrupted.journal.borrow().iter().cloned().collect();
            let stormy: BTreeSet<Signed> = journal.iter().cloned().collect();
            assert_eq!(stormy, calm, "case {case} seed {seed}: nothing else was signed either");
        }
    }
}

#[test]
fn no_validator_signs_in_a_round_before_the_passing_of_the_one_below_is_committed() {
    let mut chain = Chain::new(&[("validator-1", Fault::Silent)]);
    let mut seen = 0;
    while seen < 3 {
        match chain.call() {
            Step::Sealed(sealed) => chain.commit(*sealed),
            Step::NeedDecision(decision) => {
                let Decision::RoundPassed { height, round, why: Passed::Silence } = decision else { panic!() };
                assert_eq!(height, chain.height());
                let signed = |signed: &Signed| signed.height == height && signed.round >= round;
                assert!(!chain.journal.borrow().iter().any(signed));
                chain.decisions.push(decision);
                seen += 1;
            }
            Step::Waiting { .. } | Step::Unproved(_) => panic!(),
        }
    }
}

#[test]
fn a_round_once_passed_stays_passed_even_if_its_proposer_wakes_up() {
    let mut chain = Chain::new(&[("validator-1", Fault::Silent)]);
    let decision = loop {
        match chain.call() {
            Step::Sealed(sealed) => chain.commit(*sealed),
            Step::NeedDecision(decision) => break decision,
            Step::Waiting { .. } | Step::Unproved(_) => panic!(),
        }
    };
    chain.decisions.push(decision);
    chain.faults.clear();
    chain.restart();
    let height = chain.height();
    chain.run(1);
    let block = &chain.blocks[height as usize];
    assert!(block.header.round() > 0);
    assert!(
        matches!(&block.operations[0], Operation::Missed { round: 0, validator } if validator.as_str() == "validator-1")
    );
    assert!(chain.decisions.is_empty());
    // Without the decision committed, the same proposer seals the same height in round 0.
    let mut woken = Chain::new(&[]);
    woken.run(height as usize);
    assert_eq!(woken.blocks[height as usize].header.round(), 0);
    let hashes = |chain: &Chain| chain.blocks[..height as usize].iter().map(|block| block.hash).collect::<Vec<_>>();
    assert_eq!(hashes(&woken), hashes(&chain), "up to there the chains are one; only who signs differs");
}

#[test]
fn two_cheats_in_one_height_are_both_slashed_in_one_block() {
    let cheats = ["validator-1", "validator-2", "validator-3", "validator-4"];
    let mut chain = Chain::new(&cheats.map(|validator| (validator, Fault::Equivocate)));
    chain.run(40);
    chain.replay();
    let found = slashes(&chain);
    assert_eq!(found.len(), 4);
    let heights: Vec<u64> = found.iter().map(|slash| slash.0).collect();
    assert!(heights.windows(2).any(|two| two[0] == two[1]), "{heights:?}");
    assert_eq!(found.iter().map(|slash| slash.3).sum::<u64>(), 6800);
    assert_eq!(supply(&chain.state).unwrap().burnt, 6800);
}

#[test]
fn a_cut_that_is_a_decision_is_not_sealed_before_it_is_committed() {
    for cut in [Cut::Age, Cut::End] {
        let mut chain = Chain::new(&[]);
        let mut entries = input(1);
        entries.truncate(2);
        let error = chain.call_with(&mut entries, cut).unwrap_err();
        assert!(matches!(error, Error::CutNotCommitted { height: 1, .. }), "{error}");
        chain.decisions.push(Decision::Cut { height: 2, cut, through_offset: 1 });
        assert!(chain.call_with(&mut entries, cut).is_err(), "the decision is about another height");
        assert!(chain.journal.borrow().is_empty(), "nothing was signed");
        chain.decisions.push(Decision::Cut { height: 1, cut, through_offset: 1 });
        let Step::Sealed(sealed) = chain.call_with(&mut entries, cut).unwrap() else { panic!() };
        assert_eq!(sealed.block.header.cut, cut);
    }
}

#[test]
fn a_validator_never_signs_a_second_header_for_a_turn_even_if_its_input_changes() {
    let mut chain = Chain::new(&[]);
    let Step::Sealed(first) = chain.call() else { panic!() };
    let before = chain.journal.borrow().len();
    // The transaction aborts, and something above hands in another input for the same height.
    let mut other = input(1);
    other.truncate(2);
    chain.decisions.push(Decision::Cut { height: 1, cut: Cut::Age, through_offset: 1 });
    let error = chain.call_with(&mut other, Cut::Age).unwrap_err();
    assert!(matches!(error, Error::WouldEquivocate(_)), "{error}");
    assert_eq!(chain.journal.borrow().len(), before, "nothing more was signed");
    chain.decisions.clear();
    let Step::Sealed(again) = chain.call() else { panic!() };
    assert_eq!(again.block, first.block, "the first input still seals");
}

#[test]
fn a_sealer_can_move_to_the_thread_that_seals() {
    fn moves<T: Send>() {}
    moves::<Sealer>();
}

#[test]
fn keys_of_one_process_make_the_same_seal_as_separate_signatures() {
    let mut chain = Chain::new(&[]);
    let Step::Sealed(sealed) = chain.call() else { panic!() };
    let Some(crate::chain::Seal::Stake(seal)) = sealed.block.seal else { panic!() };
    let message = signing::attestation(&sealed.block.hash);
    let keys = super::simulated::keys();
    let each: Vec<_> = keys.pairs().iter().map(|pair| pair.sign_bls(&message)).collect();
    assert_eq!(bls::Signature::aggregate(&each).unwrap().to_bytes(), seal.attestation);
    assert_eq!(seal.signers, bitmap(&[0, 1, 2, 3, 4]));
}

#[test]
fn a_committee_is_set_up_from_its_genesis_and_its_keys_or_not_at_all() {
    let chain = Chain::new(&[]);
    let genesis = &chain.genesis;
    let keys = super::simulated::keys;
    assert!(Sealer::local(genesis, keys(), &[(id("validator-2"), Fault::Silent)]).is_ok());
    let stranger = Sealer::local(genesis, keys(), &[(id("zed"), Fault::Silent)]).unwrap_err();
    assert_eq!(stranger, SetupError::Stranger(id("zed")));
    let (others, _) = KeySet::default_committee(&mut StdRng::from_seed([1; 32])).unwrap();
    let foreign = Sealer::local(genesis, others, &[]).unwrap_err();
    assert_eq!(foreign, SetupError::Keys(keys::Error::Foreign(id("validator-1"))));
}
