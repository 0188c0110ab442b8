//! The machine, whatever the network does.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::network::{Network, Run, Seat, Table, Weather};
use super::*;
use crate::consensus::stake::committee::Outcome;
use crate::consensus::stake::seal;
use crate::consensus::stake::turn::{Statement, Verdict};

const RUNS: u64 = 150;

fn any_faults(rng: &mut StdRng) -> [Option<Fault>; 5] {
    std::array::from_fn(|_| {
        let any = Fault::ALL[rng.random_range(0..Fault::ALL.len())];
        rng.random_bool(0.35).then_some(any)
    })
}

/// Runs turns with any faults; tells the seed of one that fails.
fn for_any_turn(weather: impl Fn(&mut StdRng) -> Weather, check: impl Fn(&Table, &Seat, &[Option<Fault>; 5], Run)) {
    let table = Table::new();
    let seats: Vec<Seat> = (0..4).flat_map(|round| [false, true].map(|cheated| table.seat(round, cheated))).collect();
    for seed in 0..RUNS {
        let mut rng = StdRng::seed_from_u64(seed);
        let faults = any_faults(&mut rng);
        let seat = &seats[rng.random_range(0..seats.len())];
        let weather = weather(&mut rng);
        println!("seed {seed}: {} proposes, {faults:?}, {weather:?}", seat.turn.proposer);
        let run = Network::new(&table, seat, faults, weather, seed).run();
        check(&table, seat, &faults, run);
    }
}

/// What a turn must come to, by the rules alone: everybody says what it has to say, once.
fn by_the_rules(table: &Table, seat: &Seat, faults: &[Option<Fault>; 5]) -> Outcome {
    let pair = |place: u16| &table.keys.pairs()[usize::from(place)];
    let is_awake = |place: usize| faults[place] != Some(Fault::Silent) && seat.stakes.at(place) > 0;
    let awake: Vec<u16> = (0..5).filter(|place| is_awake(usize::from(*place))).collect();
    let accused = seat.place as u16;
    let sign = |header: &Header| SignedHeader {
        signature: pair(accused).sign_ed25519(&signing::proposal(&header.hash())),
        header: header.clone(),
    };
    let together = |signers: &[u16], verdict, header| {
        let message = Statement { height: 1, round: seat.turn.round, header, verdict }.message();
        bls::Signature::aggregate(&signers.iter().map(|place| pair(*place).sign_bls(&message)).collect::<Vec<_>>())
    };
    let have = seat.stakes.of(&bitmap(&awake));
    let (need, own) = (seat.stakes.quorum(), &seat.executed);
    let fault = faults[seat.place];
    match fault {
        Some(Fault::Silent) if have >= need => return Outcome::Missed,
        Some(Fault::Silent) => return Outcome::NoQuorum { have, need },
        Some(Fault::Equivocate) => {
            let twin = Header { time_ms: own.header.time_ms + 1, ..own.header.clone() };
            let evidence = proof::equivocation(sign(&own.header), sign(&twin)).unwrap();
            return Outcome::Slash(Box::new(evidence), None);
        }
        Some(Fault::AlterAmount | Fault::DropTransaction) | None => {}
    }
    let Some((header, body)) = fault.and_then(|fault| table.altered(seat, fault)) else {
        if have < need {
            return Outcome::NoQuorum { have, need };
        }
        let reveal = pair(accused).sign_bls(&seat.turn.reveal_message()).to_bytes();
        let attestation = together(&awake, Verdict::Attest, own.hash).unwrap().to_bytes();
        let signature = sign(&own.header).signature;
        return Outcome::Sealed(Box::new(StakeSeal { signature, reveal, attestation, signers: bitmap(&awake) }));
    };
    let others: Vec<u16> = awake.into_iter().filter(|place| *place != accused).collect();
    let (have, need) = (seat.stakes.of(&bitmap(&others)), seat.stakes.quorum_against(seat.place));
    if have < need {
        return Outcome::NoQuorum { have, need };
    }
    let sum = together(&others, Verdict::Refuse(RefusalReason::Input), header.hash()).unwrap();
    let evidence = proof::refusal(sign(&header), RefusalReason::Input, &sum, bitmap(&others));
    Outcome::Slash(Box::new(evidence), Some(body))
}

fn assert_harmless(table: &Table, seat: &Seat, faults: &[Option<Fault>; 5], run: &Run) {
    for (place, _) in faults.iter().enumerate().filter(|(_, fault)| fault.is_none()) {
        let proposed: std::collections::BTreeSet<Hash> =
            run.proposed.iter().filter(|(of, _)| *of == place).map(|(_, header)| *header).collect();
        assert!(proposed.len() <= 1, "validator {place} proposed {proposed:?}");
        let mut voted: Vec<Statement> =
            run.voted.iter().filter(|(of, _)| *of == place).map(|(_, statement)| *statement).collect();
        voted.dedup();
        assert!(voted.len() <= 1, "validator {place} voted {voted:?}");
    }
    let genesis = &seat.turn.genesis;
    match &run.outcome {
        Outcome::Sealed(seal) => {
            // The seal is checked against the header of this process' own execution, and no other.
            let standing = seal::Standing { genesis, height: 1, roster: &table.roster, stakes: &seat.stakes };
            assert_eq!(seal::verify(&standing, &seat.executed.header, &seat.executed.hash, seal), Ok(()));
        }
        Outcome::Slash(evidence, _) => {
            let offence = proof::verify(evidence, genesis, &table.roster, &seat.stakes).unwrap();
            assert_eq!((offence.place, offence.round), (seat.place, seat.turn.round));
            assert!(faults[seat.place].is_some(), "an honest validator was convicted");
        }
        Outcome::Missed | Outcome::NoQuorum { .. } => {}
    }
}

#[test]
fn with_all_delivered_in_any_order_and_twice_among_forgeries_the_outcome_is_the_one_of_the_rules() {
    let weather = |rng: &mut StdRng| Weather { doubles: rng.random(), forges: rng.random(), ..Weather::default() };
    for_any_turn(weather, |table, seat, faults, run| {
        assert_harmless(table, seat, faults, &run);
        assert_eq!(run.outcome, by_the_rules(table, seat, faults));
    });
}

#[test]
fn whatever_is_lost_forged_or_said_twice_no_header_is_sealed_that_execution_contradicts_and_no_honest_validator_is_harmed()
 {
    let weather = |rng: &mut StdRng| Weather {
        doubles: rng.random(),
        loses: rng.random(),
        forges: rng.random(),
        betrays: rng.random(),
        hurries: rng.random(),
    };
    for_any_turn(weather, |table, seat, faults, run| assert_harmless(table, seat, faults, &run));
}

#[test]
fn the_runs_reach_every_outcome() {
    let table = Table::new();
    let seat = table.seat(0, false);
    let with = |fault: Option<Fault>, silent: &[usize]| {
        let mut faults = [None; 5];
        silent.iter().for_each(|place| faults[*place] = Some(Fault::Silent));
        faults[seat.place] = fault.or(faults[seat.place]);
        by_the_rules(&table, &seat, &faults)
    };
    let others: Vec<usize> = (0..5).filter(|place| *place != seat.place).collect();
    assert!(matches!(with(None, &[]), Outcome::Sealed(_)));
    assert!(matches!(with(Some(Fault::Silent), &[]), Outcome::Missed));
    assert!(matches!(with(None, &others), Outcome::NoQuorum { .. }));
    assert!(matches!(with(Some(Fault::DropTransaction), &[]), Outcome::Slash(_, Some(_))));
    assert!(matches!(with(Some(Fault::Equivocate), &[]), Outcome::Slash(_, None)));
}
