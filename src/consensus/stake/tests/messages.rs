//! Single messages: what the machine and a party make of each.

use super::network::{Seat, Table};
use super::*;
use crate::consensus::stake::committee::{Action, Committee, Electorate, Message, Outcome};
use crate::consensus::stake::party::{Party, Reply, Request};
use crate::consensus::stake::turn::{Proposal, Refused, Statement, Turn, Verdict, Vote};
use crate::consensus::stake::validator::LocalValidator;

const ALL: [u16; 5] = [0, 1, 2, 3, 4];

fn pair(place: usize) -> KeyPair {
    super::simulated::keys().into_pairs().remove(place)
}

/// What the drawn validator sends, when it is a cheat.
fn altered(table: &Table, seat: &Seat) -> Proposal {
    let (header, body) = table.altered(seat, Fault::DropTransaction).unwrap();
    let keys = pair(seat.place);
    let signature = keys.sign_ed25519(&signing::proposal(&header.hash()));
    let reveal = keys.sign_bls(&seat.turn.reveal_message());
    Proposal::received(SignedHeader { header, signature }, reveal, Some(body))
}

fn vote(seat: &Seat, place: usize, header: Hash, verdict: Verdict) -> Vote {
    let statement = Statement { height: 1, round: seat.turn.round, header, verdict };
    Vote::received(statement, bitmap(&[place as u16]), pair(place).sign_bls(&statement.message()))
}

#[test]
fn the_accused_has_no_vote_in_its_own_case_and_the_others_convict_it() {
    let table = Table::new();
    let seat = table.seat(0, false);
    let present = bitmap(&ALL);
    let electorate = Electorate { roster: &table.roster, stakes: &seat.stakes, present: &present };
    let (mut machine, _) = Committee::start(electorate, seat.turn.clone(), seat.place, seat.executed.hash);
    let proposal = altered(&table, &seat);
    let header = proposal.signed.header.hash();
    assert_eq!(machine.step(Message::Proposed(Box::new(proposal))), None);
    assert!(matches!(machine.step(Message::End), Some(Action::AskVote(_))));
    let refuse = Verdict::Refuse(RefusalReason::Input);
    let own = machine.step(Message::Voted(vote(&seat, seat.place, header, refuse)));
    assert_eq!(own, Some(Action::Ignored(Refused::Accused)));
    for place in (0..5).filter(|place| *place != seat.place) {
        assert_eq!(machine.step(Message::Voted(vote(&seat, place, header, refuse))), None);
    }
    let Some(Action::Decided(Outcome::Slash(evidence, Some(_)))) = machine.step(Message::End) else { panic!() };
    let genesis = &seat.turn.genesis;
    assert!(proof::verify(&evidence, genesis, &table.roster, &seat.stakes).is_ok(), "the evidence holds without it");
}

#[test]
fn a_party_answers_nothing_about_a_turn_that_it_did_not_execute() {
    let table = Table::new();
    let (seat, other) = (table.seat(0, false), table.seat(1, false));
    let drawn = || LocalValidator::new(pair(seat.place));
    let asked = |turn: Turn| drawn().step(&table.own(&seat), Request::Propose(turn));
    assert!(matches!(asked(seat.turn.clone())[..], [Reply::Proposed(_)]));
    for turn in [
        other.turn.clone(),
        Turn { height: 2, ..seat.turn.clone() },
        Turn { genesis: CHAIN, ..seat.turn.clone() },
        Turn { seed: CHAIN, ..seat.turn.clone() },
    ] {
        assert!(asked(turn).is_empty());
    }
    // Nor does it propose for another, or vote on what was proposed in another turn.
    let not_drawn = LocalValidator::new(pair(other.place)).step(&table.own(&seat), Request::Propose(seat.turn.clone()));
    assert!(not_drawn.is_empty());
    let late = Request::Vote(Box::new(altered(&table, &other)));
    assert!(drawn().step(&table.own(&seat), late).is_empty());
}

#[test]
fn a_validator_that_attested_to_a_header_never_refuses_it() {
    let table = Table::new();
    let seat = table.seat(0, false);
    let mut proposer = LocalValidator::new(pair(seat.place));
    let [Reply::Proposed(proposal)] = &proposer.step(&table.own(&seat), Request::Propose(seat.turn.clone()))[..] else {
        panic!()
    };
    let mut voter = LocalValidator::new(pair((seat.place + 1) % 5));
    let ask = || Request::Vote(proposal.clone());
    let first = voter.step(&table.own(&seat), ask());
    assert!(matches!(&first[..], [Reply::Voted(vote)] if vote.statement.verdict == Verdict::Attest));
    // What executing gives here is another header now: a defect, and no reason to say the opposite.
    let mut changed = table.seat(0, false);
    changed.executed.hash = CHAIN;
    assert!(matches!(&voter.step(&table.own(&changed), ask())[..], [Reply::Declined(_)]));
    assert!(matches!(&voter.step(&table.own(&seat), ask())[..], [Reply::Voted(_)]), "the first it says again");
}
