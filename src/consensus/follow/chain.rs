//! A chain behind its block 0: one block after the other.

use rand::CryptoRng;

use super::{Anchor, Broken, Error, Link, Reason, Seals, State, Summary, begin};
use crate::chain::{Block, Header};
use crate::consensus::scheme::{self, Before, Flaw, Scheme};
use crate::ledger::cut::{self, Checked, Item};
use crate::ledger::reexecute::{Difference, Known, Reexecuted};
use crate::ledger::{Begun, Error as LedgerError, Replica, signatures};

#[derive(Debug)]
pub(super) struct Chain {
    replica: Replica,
    scheme: Scheme,
    record_count: u64,
    seals: Seals,
    /// A cut that only the next block's first record can prove.
    unproved: Option<Unproved>,
}

#[derive(Debug)]
struct Unproved {
    parent_time_ms: i64,
    header: Header,
    items: Vec<Item>,
}

impl Chain {
    /// Takes in block 0.
    pub(super) fn begin<S: State>(block: &Block, anchor: Anchor, state: &mut S) -> Result<Chain, Error<S::Error>> {
        let (Begun { replica, changes, .. }, scheme) = begin(block, anchor)?;
        state.apply(&changes).map_err(LedgerError::View)?;
        Ok(Chain::resume(replica, scheme))
    }

    pub(super) fn resume(replica: Replica, scheme: Scheme) -> Chain {
        Chain { replica, scheme, record_count: 0, seals: Seals::default(), unproved: None }
    }

    pub(super) fn replica(&self) -> &Replica {
        &self.replica
    }

    pub(super) fn into_replica(self) -> Replica {
        self.replica
    }

    pub(super) fn summary(&self) -> Summary {
        let (tip, supply) = (self.replica.tip().clone(), *self.replica.supply());
        Summary { tip, record_count: self.record_count, supply, consensus: self.replica.parameters().consensus }
    }

    /// Takes in the next block, which agrees with itself.
    pub(super) fn extend<S: State>(
        &mut self,
        block: &Block,
        rendered_size_bytes: Option<u64>,
        state: &mut S,
        randomness: &mut impl CryptoRng,
    ) -> Result<(), Error<S::Error>> {
        self.check_link(block)?;
        if let Some(first) = block.entries.first() {
            self.check_previous_cut(&Item::from(first))?;
        }
        self.execute(block, Known { is_checked: true, rendered_size_bytes }, state, randomness)?;
        self.record_count += block.entries.len() as u64;
        if self.seals.is_full() {
            self.check_seals()?;
        }
        Ok(())
    }

    fn check_link<E>(&mut self, block: &Block) -> Result<(), Error<E>> {
        let (replica, height) = (&self.replica, block.header.height);
        let tip = replica.tip();
        let (parent_time_ms, members) = (Some(tip.time_ms), replica.members());
        let link = Link {
            parameters: replica.parameters(),
            scheme: &self.scheme,
            parent: replica.parent(),
            before: Before { genesis: &tip.genesis, height, seed: &tip.seed, parent_time_ms, members },
            covered: &|partition| replica.covered(partition).map(|covered| covered.offset),
        };
        if let Some(claims) = link.check(block)? {
            self.seals.push(height, claims);
        }
        Ok(())
    }

    fn execute<S: State>(
        &mut self,
        block: &Block,
        known: Known,
        state: &mut S,
        randomness: &mut impl CryptoRng,
    ) -> Result<(), Error<S::Error>> {
        let (height, policy) = (block.header.height, self.replica.parameters().signatures);
        let signatures = signatures::verify(&block.entries, policy, &self.replica.tip().genesis, randomness);
        let (executed, checked) = match self.replica.reexecute(state, block, &signatures, known)? {
            Reexecuted::Same { executed, cut } => (executed, cut),
            Reexecuted::Differs(difference) => {
                return Err(Broken::new(height, difference_reason(&difference), difference).into());
            }
        };
        let tip = self.replica.tip();
        if checked == Checked::NeedsNext {
            let items = block.entries.iter().map(Item::from).collect();
            self.unproved = Some(Unproved { parent_time_ms: tip.time_ms, header: block.header.clone(), items });
        }
        let unsealed = || Broken::new(height, Reason::Seal, Flaw::Unsealed);
        let seed = scheme::next_seed(&tip.seed, block).ok_or_else(unsealed)?;
        let changes = self.replica.advance(*executed, seed).map_err(LedgerError::Tree)?;
        Ok(state.apply(&changes).map_err(LedgerError::View)?)
    }

    /// The record behind a block shows whether the rules ended it where it ends.
    pub(super) fn check_previous_cut(&mut self, next: &Item) -> Result<(), Broken> {
        let Some(Unproved { parent_time_ms, header, items }) = self.unproved.take() else { return Ok(()) };
        cut::check(self.replica.parameters(), parent_time_ms, &header, &items, Some(next))
            .map(|_| ())
            .map_err(|error| Broken::new(header.height, Reason::Cut, error))
    }

    pub(super) fn take_seals(&mut self) -> Seals {
        std::mem::take(&mut self.seals)
    }

    pub(super) fn check_seals(&mut self) -> Result<(), Broken> {
        self.take_seals().check()
    }
}

fn difference_reason(difference: &Difference) -> Reason {
    match difference.field.as_str() {
        "header.cut" => Reason::Cut,
        "header.parent" | "header.history" | "header.height" | "header.genesis" | "header.ranges" => Reason::Parent,
        _ => Reason::Execution,
    }
}
