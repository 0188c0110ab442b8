//! A validator: proposes when drawn, judges what others propose, signs what was decided.
//!
//! [`LocalValidator`] holds its keys in this process and may carry one [`Fault`], which is how cheating is tested and shown.
//! Validators of one process share one execution of the input: running one function five times over the same memory would
//! prove nothing. A validator elsewhere brings its own.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::committee::{Bench, Turn};
use super::keys::KeyPair;
use super::{Error, bls, message};
use crate::chain::{Amount, Content, Entry, Hash, Header, Operation, RefusalReason, SignedHeader, ValidatorId};
use crate::ledger::reexecute::input_difference;
use crate::ledger::{Executed, Signature};

/// What a proposer sends to the others.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The header with the proposer's signature.
    pub signed: SignedHeader,
    /// The header's hash.
    pub hash: Hash,
    /// The proposer's reveal for this turn.
    pub reveal: bls::Signature,
    /// What the header is about, where that is something else than what executing the input gives.
    pub body: Option<Body>,
}

/// Entries and operations of a proposal. Kept beside evidence as its witness, so that a refusal can be checked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// With their receipts.
    pub entries: Vec<Entry>,
    /// All of the block.
    pub operations: Vec<Operation>,
}

/// What a validator says about a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Executing the input gives this header.
    Attest,
    /// It does not, and this is why.
    Refuse(RefusalReason),
}

/// A verdict on one header, as it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// The height of the turn.
    pub height: u64,
    /// The round of the turn.
    pub round: u32,
    /// The header's hash.
    pub header: Hash,
    /// The verdict.
    pub verdict: Verdict,
}

impl Statement {
    /// The bytes that are signed (BLS).
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        match self.verdict {
            Verdict::Attest => message::attestation(&self.header).to_vec(),
            Verdict::Refuse(reason) => message::refusal(&self.header, reason).to_vec(),
        }
    }
}

/// A validator's part in an aggregate signature.
#[derive(Debug)]
pub enum Share<'v> {
    /// Its signature.
    Signature(bls::Signature),
    /// Its key, lent by a validator of this process: the committee signs once with the sum of such keys.
    Key(&'v bls::SecretKey),
}

/// Asked to sign a second, different thing for one turn. Nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "validator {validator} was asked to sign {asked} for height {height} round {round}, where it signed {signed} before; \
     nothing was signed. The input, the decisions or the state are no longer what they were: find out which before you start \
     again, for a new process does not remember what it signed"
)]
pub struct WouldEquivocate {
    /// Who.
    pub validator: ValidatorId,
    /// The height of the turn.
    pub height: u64,
    /// The round of the turn.
    pub round: u32,
    /// The header signed before.
    pub signed: Hash,
    /// The header it was now asked to sign.
    pub asked: Hash,
}

/// A member of the committee.
pub trait Validator {
    /// Its id.
    fn id(&self) -> &ValidatorId;

    /// Whether it takes part at all. Nothing is signed by it; only decides whether passing a round is worth a decision.
    fn is_present(&self) -> bool;

    /// What it proposes in its turn: nothing (silent), one header, or, if it cheats, several.
    fn propose<E>(&mut self, turn: &Turn<'_>, bench: &mut Bench<'_, E>) -> Result<Vec<Proposal>, Error<E>>;

    /// Its verdict on another's proposal, against `own`, what executing the input gives. `None`: silent.
    fn judge(&mut self, proposal: &Proposal, own: &Executed, input: &[Entry]) -> Option<Verdict>;

    /// Signs a verdict. Refuses a second one about another header of the same turn.
    fn sign(&mut self, statement: &Statement) -> Result<Share<'_>, WouldEquivocate>;
}

/// How a validator misbehaves, for tests and demonstrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Proposes a block in which one amount is another.
    AlterAmount,
    /// Proposes a block that leaves a transaction out.
    DropTransaction,
    /// Signs two headers in its turn.
    Equivocate,
    /// Neither proposes nor votes. No offence: it only forfeits what it would have earned.
    Silent,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 4] = [Fault::AlterAmount, Fault::DropTransaction, Fault::Equivocate, Fault::Silent];

    /// The name, as on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::AlterAmount => "alter-amount",
            Fault::DropTransaction => "drop-transaction",
            Fault::Equivocate => "equivocate",
            Fault::Silent => "silent",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// No fault has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no fault; write alter-amount, drop-transaction, equivocate or silent")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Fault, UnknownFault> {
        Fault::ALL.into_iter().find(|fault| fault.as_str() == text).ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

/// A validator whose keys are in this process.
#[derive(Debug)]
pub struct LocalValidator {
    keys: KeyPair,
    fault: Option<Fault>,
    proposed: Memory,
    voted: Memory,
}

impl LocalValidator {
    /// An honest validator.
    #[must_use]
    pub fn new(keys: KeyPair) -> LocalValidator {
        LocalValidator { keys, fault: None, proposed: Memory::default(), voted: Memory::default() }
    }

    /// The same validator, with a fault or, for `None`, without.
    #[must_use]
    pub fn with_fault(mut self, fault: Option<Fault>) -> LocalValidator {
        self.fault = fault;
        self
    }

    fn proposal(&self, turn: &Turn<'_>, header: Header, hash: Hash, body: Option<Body>) -> Proposal {
        let start = &turn.start;
        let reveal = message::reveal(start.chain_id, start.height, turn.round, start.seed);
        Proposal {
            signed: SignedHeader { signature: self.keys.sign_ed25519(&message::proposal(&hash)), header },
            hash,
            reveal: self.keys.sign_bls(&reveal),
            body,
        }
    }

    fn propose_own<E>(&mut self, turn: &Turn<'_>, bench: &mut Bench<'_, E>) -> Result<Vec<Proposal>, Error<E>> {
        let own = bench.own()?;
        let (header, hash) = (own.header.clone(), own.hash);
        self.proposed.keep_to(&self.keys, turn.start.height, turn.round, hash)?;
        Ok(vec![self.proposal(turn, header, hash, None)])
    }

    /// Proposes what executing `entries` instead of the input gives.
    fn propose_instead<E>(
        &mut self,
        turn: &Turn<'_>,
        bench: &mut Bench<'_, E>,
        (entries, signatures): (Vec<Entry>, Vec<Signature>),
    ) -> Result<Vec<Proposal>, Error<E>> {
        let executed = bench.execute(&entries, &signatures)?;
        self.proposed.keep_to(&self.keys, turn.start.height, turn.round, executed.hash)?;
        let body = Body { entries: executed.decide(entries), operations: executed.operations };
        Ok(vec![self.proposal(turn, executed.header, executed.hash, Some(body))])
    }

    fn propose_twice<E>(&mut self, turn: &Turn<'_>, bench: &mut Bench<'_, E>) -> Result<Vec<Proposal>, Error<E>> {
        let mut proposals = self.propose_own(turn, bench)?;
        let mut header = bench.own()?.header.clone();
        header.time_ms = header.time_ms.wrapping_add(1);
        let hash = header.hash();
        proposals.push(self.proposal(turn, header, hash, None));
        Ok(proposals)
    }
}

impl Validator for LocalValidator {
    fn id(&self) -> &ValidatorId {
        self.keys.id()
    }

    fn is_present(&self) -> bool {
        self.fault != Some(Fault::Silent)
    }

    fn propose<E>(&mut self, turn: &Turn<'_>, bench: &mut Bench<'_, E>) -> Result<Vec<Proposal>, Error<E>> {
        let instead = match self.fault {
            Some(Fault::Silent) => return Ok(Vec::new()),
            Some(Fault::Equivocate) => return self.propose_twice(turn, bench),
            Some(Fault::AlterAmount) => alter_amount(bench),
            Some(Fault::DropTransaction) => drop_transaction(bench),
            None => None,
        };
        match instead {
            Some(input) => self.propose_instead(turn, bench, input),
            None => self.propose_own(turn, bench),
        }
    }

    fn judge(&mut self, proposal: &Proposal, own: &Executed, input: &[Entry]) -> Option<Verdict> {
        if !self.is_present() {
            return None;
        }
        if proposal.hash == own.hash {
            return Some(Verdict::Attest);
        }
        let follows = proposal.body.as_ref().is_none_or(|body| input_difference(input, &body.entries).is_none());
        Some(Verdict::Refuse(if follows { RefusalReason::Execution } else { RefusalReason::Input }))
    }

    fn sign(&mut self, statement: &Statement) -> Result<Share<'_>, WouldEquivocate> {
        self.voted.keep_to(&self.keys, statement.height, statement.round, statement.header)?;
        Ok(Share::Key(self.keys.bls()))
    }
}

/// What one validator signed for the latest turns: one header for each.
#[derive(Debug, Default)]
struct Memory {
    signed: BTreeMap<(u64, u32), Hash>,
}

impl Memory {
    /// More turns than one transaction of the log ever holds, so that a retry meets what it signed before.
    const TURNS_MAX: usize = 4096;

    fn keep_to(&mut self, keys: &KeyPair, height: u64, round: u32, asked: Hash) -> Result<(), WouldEquivocate> {
        let signed = *self.signed.entry((height, round)).or_insert(asked);
        if signed != asked {
            return Err(WouldEquivocate { validator: keys.id().clone(), height, round, signed, asked });
        }
        if self.signed.len() > Self::TURNS_MAX {
            self.signed.pop_first();
        }
        Ok(())
    }
}

type Instead = Option<(Vec<Entry>, Vec<Signature>)>;

/// The input with the first transaction's amount one higher, or one lower at the top. `None`: no transaction.
fn alter_amount<E>(bench: &Bench<'_, E>) -> Instead {
    let (mut entries, signatures) = bench.input();
    let altered = entries.iter_mut().find_map(|entry| match &mut entry.content {
        Content::Transaction { transaction, .. } => Some(&mut transaction.amount),
        Content::Stub { .. } => None,
    })?;
    *altered = Amount::new(altered.get() + 1).or_else(|| Amount::new(altered.get().saturating_sub(1)))?;
    Some((entries, signatures))
}

/// The input without its first transaction. `None`: no transaction, or nothing would be left.
fn drop_transaction<E>(bench: &Bench<'_, E>) -> Instead {
    let (mut entries, mut signatures) = bench.input();
    let dropped = entries.iter().position(|entry| matches!(entry.content, Content::Transaction { .. }))?;
    if entries.len() < 2 || signatures.len() != entries.len() {
        return None;
    }
    entries.remove(dropped);
    signatures.remove(dropped);
    Some((entries, signatures))
}
