//! Drives the machine of one turn with the parties of this process: carries its questions to them and their answers
//! back.

use std::collections::VecDeque;

use super::super::Error;
use super::committee::{Action, Committee, Electorate, Message, Outcome};
use super::party::{Own, Party, Reply, Request};
use super::turn::{Body, Turn};
use crate::chain::Entry;
use crate::ledger::{Executed, Signature};

/// Executes other entries in the place of the input.
pub(super) type Execute<'e, E> = dyn Fn(&[Entry], &[Signature]) -> Result<Executed, Error<E>> + 'e;

/// A turn to be driven.
pub(super) struct Drive<'d, P> {
    pub(super) parties: &'d mut [P],
    /// By place: the number of the party that has the validator's keys.
    pub(super) seats: &'d [Option<usize>],
    pub(super) electorate: Electorate<'d>,
    /// The drawn validator's place.
    pub(super) place: usize,
    /// What executing the input gave.
    pub(super) own: Own<'d>,
}

impl<P: Party> Drive<'_, P> {
    /// Runs the turn to its end. All parties are here and answer at once, so the end is told as soon as their answers
    /// were.
    pub(super) fn run<E>(mut self, turn: &Turn, execute: &Execute<'_, E>) -> Result<Outcome, Error<E>> {
        let (mut committee, ask) = Committee::start(self.electorate, turn.clone(), self.place, self.own.executed.hash);
        let mut next = Some(ask);
        while let Some(action) = next {
            let messages = match action {
                Action::AskProposal(turn) => match self.seats.get(self.place) {
                    Some(Some(number)) => self.ask(*number, Request::Propose(turn), execute)?,
                    _ => Vec::new(),
                },
                Action::AskVote(proposal) => {
                    let mut votes = Vec::new();
                    for number in 0..self.parties.len() {
                        votes.extend(self.ask(number, Request::Vote(proposal.clone()), execute)?);
                    }
                    votes
                }
                Action::Decided(outcome) => return Ok(outcome),
                Action::Ignored(_) => Vec::new(),
            };
            next = deliver(&mut committee, messages);
        }
        // Not reached: a machine that was told both ends has decided.
        Ok(Outcome::NoQuorum { have: 0, need: self.electorate.stakes.quorum() })
    }

    /// What a party answers.
    fn ask<E>(&mut self, number: usize, request: Request, execute: &Execute<'_, E>) -> Result<Vec<Message>, Error<E>> {
        let Some(party) = self.parties.get_mut(number) else { return Ok(Vec::new()) };
        let mut messages = Vec::new();
        let mut replies = VecDeque::from(party.step(&self.own, request));
        while let Some(reply) = replies.pop_front() {
            match reply {
                Reply::Proposed(proposal) => messages.push(Message::Proposed(proposal)),
                Reply::Voted(vote) => messages.push(Message::Voted(vote)),
                Reply::Execute(entries, signatures) => {
                    let executed = execute(&entries, &signatures)?;
                    let entries = executed.decide(entries);
                    let body = Body { entries, operations: executed.operations };
                    replies.extend(party.step(&self.own, Request::Executed(Box::new(executed.header), body)));
                }
                Reply::Declined(declined) => return Err(declined.into()),
            }
        }
        Ok(messages)
    }
}

/// Tells the machine what was answered, and that there is no more; what it wants next.
fn deliver(committee: &mut Committee<'_>, messages: Vec<Message>) -> Option<Action> {
    for message in messages {
        if let Some(decided @ Action::Decided(_)) = committee.step(message) {
            return Some(decided);
        }
    }
    committee.step(Message::End)
}
