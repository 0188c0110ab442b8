//! A turn whose messages travel as bytes between parties and machine: in any order, twice, never, and among forgeries.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use super::simulated::{Chain, genesis, input, keys};
use super::*;
use crate::chain::{Entry, Operation, from_canonical, to_canonical};
use crate::consensus::stake::committee::{Action, Committee, Electorate, Message, Outcome};
use crate::consensus::stake::party::{LocalParty, Own, Party, Reply, Request};
use crate::consensus::stake::turn::{Body, Proposal, Statement, Turn, Verdict, Vote};
use crate::consensus::stake::validator::LocalValidator;
use crate::ledger::{Candidate, Executed, Maker, MemoryState, Replica, Signature};

/// What can happen to messages.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weather {
    /// Messages come twice.
    pub(super) doubles: bool,
    /// Messages get lost.
    pub(super) loses: bool,
    /// Messages that no validator made come in between.
    pub(super) forges: bool,
    /// Validators that have faults also use their keys to say two things at once.
    pub(super) betrays: bool,
    /// The ends are told before all was delivered.
    pub(super) hurries: bool,
}

/// A chain at height 1, where every validator knows the input.
pub(super) struct Table {
    pub(super) roster: Roster,
    pub(super) keys: KeySet,
    state: MemoryState,
    pub(super) replica: Replica,
    input: Vec<Entry>,
    signatures: Vec<Signature>,
}

/// A turn at a table, and what is left of the stakes in it.
pub(super) struct Seat {
    pub(super) turn: Turn,
    pub(super) place: usize,
    pub(super) stakes: Stakes,
    pub(super) executed: Executed,
    prior: Vec<Operation>,
}

impl Table {
    pub(super) fn new() -> Table {
        let Chain { state, replica, .. } = Chain::new(&[]);
        let roster = Roster::new(&genesis().validators).unwrap();
        let input = input(1);
        let signatures = vec![Signature::Absent; input.len()];
        Table { roster, keys: keys(), state, replica, input, signatures }
    }

    /// The turn of a round, when the validators drawn before it were silent, or cheated and were slashed.
    pub(super) fn seat(&self, round: u32, cheated: bool) -> Seat {
        let tip = self.replica.tip();
        let start = turns::Start { genesis: &tip.genesis, height: 1, seed: &tip.seed, roster: &self.roster };
        let mut stakes = self.roster.stakes(self.replica.members()).unwrap();
        let mut prior = Vec::new();
        for at in 0..=round {
            let place = start.due(at, &stakes).unwrap();
            let proposer = self.roster.keys(place).unwrap().id.clone();
            let turn = Turn { genesis: tip.genesis, height: 1, round: at, seed: tip.seed, proposer: proposer.clone() };
            let executed = self.execute(&turn, &prior, &self.input, &self.signatures);
            if at == round {
                return Seat { turn, place, stakes, executed, prior };
            }
            prior.push(if cheated {
                let evidence = Box::new(self.equivocation(place, &executed.header));
                Operation::Slash { round: at, validator: proposer, amount: stakes.take(place), evidence }
            } else {
                Operation::Missed { round: at, validator: proposer }
            });
        }
        unreachable!("the last round returns")
    }

    fn equivocation(&self, place: usize, header: &Header) -> Evidence {
        let sign = |header: Header| SignedHeader {
            signature: self.keys.pairs()[place].sign_ed25519(&signing::proposal(&header.hash())),
            header,
        };
        proof::equivocation(sign(header.clone()), sign(Header { time_ms: 9, ..header.clone() })).unwrap()
    }

    fn execute(&self, turn: &Turn, prior: &[Operation], entries: &[Entry], signatures: &[Signature]) -> Executed {
        let (proposer, round) = (&turn.proposer, turn.round);
        let cut = Cut::Transactions;
        let maker = Maker::Proposer { proposer, round, prior };
        let candidate = Candidate { entries, signatures, cut, maker, extensions: &[] };
        self.replica.execute(&self.state, &candidate).unwrap()
    }

    pub(super) fn own<'o>(&'o self, seat: &'o Seat) -> Own<'o> {
        Own {
            roster: &self.roster,
            stakes: &seat.stakes,
            input: &self.input,
            signatures: &self.signatures,
            executed: &seat.executed,
        }
    }

    /// What executing a cheat's input gives.
    pub(super) fn altered(&self, seat: &Seat, fault: Fault) -> Option<(Header, Body)> {
        let (entries, signatures) = fault.instead(&self.input, &self.signatures)?;
        let executed = self.execute(&seat.turn, &seat.prior, &entries, &signatures);
        Some((executed.header.clone(), Body { entries: executed.decide(entries), operations: executed.operations }))
    }
}

/// What is under way.
#[derive(Debug, Clone)]
enum Envelope {
    ToParty(usize, Request),
    ToMachine(Message),
}

/// What a validator signed, and what the turn came to.
pub(super) struct Run {
    pub(super) outcome: Outcome,
    /// Proposals by header, and statements, by place.
    pub(super) proposed: Vec<(usize, Hash)>,
    pub(super) voted: Vec<(usize, Statement)>,
}

pub(super) struct Network<'n> {
    table: &'n Table,
    seat: &'n Seat,
    faults: [Option<Fault>; 5],
    weather: Weather,
    rng: StdRng,
    wire: Vec<Envelope>,
    /// Validators of one process are one party.
    parties: Vec<LocalParty>,
    /// By place: its party.
    party_of: Vec<usize>,
    run: Run,
}

impl<'n> Network<'n> {
    pub(super) fn new(
        table: &'n Table,
        seat: &'n Seat,
        faults: [Option<Fault>; 5],
        weather: Weather,
        seed: u64,
    ) -> Network<'n> {
        let mut rng = StdRng::seed_from_u64(seed);
        let party_of: Vec<usize> = (0..5).map(|_| rng.random_range(0..5)).collect();
        let mut members: Vec<Vec<LocalValidator>> = (0..5).map(|_| Vec::new()).collect();
        for ((pair, fault), party) in keys().into_pairs().into_iter().zip(faults).zip(&party_of) {
            members[*party].push(LocalValidator::new(pair).with_fault(fault));
        }
        let parties = members.into_iter().map(LocalParty::new).collect();
        let run = Run { outcome: Outcome::Missed, proposed: Vec::new(), voted: Vec::new() };
        Network { table, seat, faults, weather, rng, wire: Vec::new(), parties, party_of, run }
    }

    /// Runs the turn to its end.
    pub(super) fn run(mut self) -> Run {
        let (table, seat) = (self.table, self.seat);
        let awake = (0..5u16).filter(|place| self.faults[usize::from(*place)] != Some(Fault::Silent));
        let present: Bitmap = awake.collect();
        let electorate = Electorate { roster: &table.roster, stakes: &seat.stakes, present: &present };
        let (mut machine, ask) = Committee::start(electorate, seat.turn.clone(), seat.place, seat.executed.hash);
        self.act(ask);
        loop {
            let ends = self.wire.is_empty() || (self.weather.hurries && self.rng.random_ratio(1, 12));
            let message = if ends { Some(Message::End) } else { self.deliver() };
            let Some(action) = message.and_then(|message| machine.step(message)) else { continue };
            if let Action::Decided(outcome) = action {
                self.run.outcome = outcome;
                return self.drain(machine);
            }
            self.act(action);
        }
    }

    /// What comes after the decision changes nothing.
    fn drain(mut self, mut machine: Committee<'_>) -> Run {
        while !self.wire.is_empty() {
            if let Some(message) = self.deliver() {
                assert!(matches!(machine.step(message), Some(Action::Ignored(_))));
            }
        }
        assert_eq!(machine.step(Message::End), None);
        self.run
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::AskProposal(turn) => {
                let turn: Turn = from_canonical(&to_canonical(&turn)).unwrap();
                let party = self.party_of[self.seat.place];
                self.send(Envelope::ToParty(party, Request::Propose(turn)));
            }
            Action::AskVote(proposal) => {
                for party in 0..self.parties.len() {
                    // Through bytes: a party elsewhere checks for itself.
                    let proposal: Proposal = from_canonical(&to_canonical(&*proposal)).unwrap();
                    self.send(Envelope::ToParty(party, Request::Vote(Box::new(proposal))));
                }
            }
            Action::Decided(_) | Action::Ignored(_) => {}
        }
    }

    fn send(&mut self, envelope: Envelope) {
        if self.weather.forges && self.rng.random_bool(0.6) {
            let forged = self.forge(&envelope);
            self.wire.push(forged);
        }
        if self.weather.loses && self.rng.random_bool(0.2) {
            return;
        }
        if self.weather.doubles && self.rng.random_bool(0.4) {
            self.wire.push(envelope.clone());
        }
        self.wire.push(envelope);
    }

    /// Takes one of the messages that are under way. A party answers to the wire; a message for the machine is given
    /// back.
    fn deliver(&mut self) -> Option<Message> {
        let at = self.rng.random_range(0..self.wire.len());
        let (party, request) = match self.wire.swap_remove(at) {
            Envelope::ToMachine(message) => return Some(message),
            Envelope::ToParty(party, request) => (party, request),
        };
        let mut replies = self.parties[party].step(&self.table.own(self.seat), request);
        while let Some(reply) = replies.pop() {
            match reply {
                Reply::Execute(entries, signatures) => {
                    let executed = self.table.execute(&self.seat.turn, &self.seat.prior, &entries, &signatures);
                    let entries = executed.decide(entries);
                    let body = Body { entries, operations: executed.operations };
                    let request = Request::Executed(Box::new(executed.header), body);
                    replies.extend(self.parties[party].step(&self.table.own(self.seat), request));
                }
                Reply::Proposed(proposal) => {
                    self.run.proposed.push((self.seat.place, proposal.signed.header.hash()));
                    let proposal: Proposal = from_canonical(&to_canonical(&*proposal)).unwrap();
                    self.send(Envelope::ToMachine(Message::Proposed(Box::new(proposal))));
                }
                Reply::Voted(vote) => {
                    self.run.voted.extend(vote.signers.places().map(|place| (place, vote.statement)));
                    let vote: Vote = from_canonical(&to_canonical(&vote)).unwrap();
                    self.betray(&vote);
                    self.send(Envelope::ToMachine(Message::Voted(vote)));
                }
                Reply::Declined(_) => {}
            }
        }
        None
    }

    /// A validator with a fault and a process of its own signs the opposite too.
    fn betray(&mut self, vote: &Vote) {
        let places: Vec<usize> = vote.signers.places().collect();
        let [place] = places[..] else { return };
        if !self.weather.betrays || self.faults[place].is_none() {
            return;
        }
        let verdict = match vote.statement.verdict {
            Verdict::Attest => Verdict::Refuse(RefusalReason::Input),
            Verdict::Refuse(_) => Verdict::Attest,
        };
        let statement = Statement { verdict, ..vote.statement };
        let signature = self.table.keys.pairs()[place].sign_bls(&statement.message());
        let vote = Vote::received(statement, vote.signers.clone(), signature);
        self.wire.push(Envelope::ToMachine(Message::Voted(vote)));
    }

    /// Something like the message that none of the validators would say in this turn.
    fn forge(&mut self, like: &Envelope) -> Envelope {
        match like {
            Envelope::ToMachine(Message::Proposed(proposal)) => {
                Envelope::ToMachine(Message::Proposed(Box::new(self.forge_proposal(proposal))))
            }
            Envelope::ToParty(place, Request::Vote(proposal)) => {
                Envelope::ToParty(*place, Request::Vote(Box::new(self.forge_proposal(proposal))))
            }
            Envelope::ToMachine(Message::Voted(vote)) => Envelope::ToMachine(Message::Voted(self.forge_vote(vote))),
            Envelope::ToParty(place, Request::Propose(turn)) => {
                let mut turn = turn.clone();
                match self.rng.random_range(0..3) {
                    0 => turn.round += 1,
                    1 => turn.genesis = CHAIN,
                    _ => turn.seed = CHAIN,
                }
                Envelope::ToParty(*place, Request::Propose(turn))
            }
            other => other.clone(),
        }
    }

    fn forge_proposal(&mut self, like: &Proposal) -> Proposal {
        let Proposal { mut signed, mut reveal, mut body, .. } = like.clone();
        let pairs = self.table.keys.pairs();
        let other = &pairs[(self.seat.place + 1) % 5];
        let by = |header: Header, pair: &KeyPair| SignedHeader {
            signature: pair.sign_ed25519(&signing::proposal(&header.hash())),
            header,
        };
        match self.rng.random_range(0..7) {
            0 => signed.signature[5] ^= 1,
            1 => signed.header.state_root = Hash::of(&self.rng.next_u64().to_le_bytes()),
            // Signed, but by a validator that was not drawn.
            2 => signed = by(Header { time_ms: 77, ..signed.header }, other),
            // The drawn validator's own, of another height, and of another chain.
            3 => signed = by(Header { height: 2, ..signed.header }, &pairs[self.seat.place]),
            4 => signed = by(Header { genesis: CHAIN, ..signed.header }, &pairs[self.seat.place]),
            5 => reveal = other.sign_bls(&self.seat.turn.reveal_message()),
            _ => {
                reveal = other.sign_bls(b"anything");
                body = Some(Body { entries: Vec::new(), operations: Vec::new() });
            }
        }
        Proposal::received(signed, reveal, body)
    }

    fn forge_vote(&mut self, like: &Vote) -> Vote {
        let Vote { mut statement, mut signers, mut signature, .. } = like.clone();
        let place = signers.places().next().unwrap();
        let pair = &self.table.keys.pairs()[place];
        match self.rng.random_range(0..7) {
            0 => signature = self.table.keys.pairs()[(place + 1) % 5].sign_bls(&statement.message()),
            1 => signers.insert(((place + 1) % 5) as u16),
            2 => signers = bitmap(&[60_000]),
            3 => signers = Bitmap::default(),
            4 => {
                statement.verdict = match statement.verdict {
                    Verdict::Attest => Verdict::Refuse(RefusalReason::Execution),
                    Verdict::Refuse(_) => Verdict::Attest,
                }
            }
            // Real signatures of another turn and about another header.
            5 => {
                statement.height = 2;
                statement.header = CHAIN;
                signature = pair.sign_bls(&statement.message());
            }
            _ => {
                statement.header = CHAIN;
                signature = pair.sign_bls(&statement.message());
            }
        }
        Vote::received(statement, signers, signature)
    }
}
