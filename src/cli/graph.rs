//! The application from its genesis and keys.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use topology::client::{CheckedTopic, check_topics};
use topology::clock::SystemClock;
use topology::graph::{Topology, dead_letter_topic};
use topology::log::{Log, TopicId};

use super::backlog::Backlog;
use super::error::{Error, Result};
use super::origin;
use crate::chain::{Block, ConsensusKind, DEFAULT_CHAIN_ID, Genesis, Hash, Name, Range, ValidatorId};
use crate::classic::Kind;
use crate::config::founding::{Founding, Notes};
use crate::config::{ChainParameters, genesis, key_file, keys, topic};
use crate::consensus::{Fault, KeySet, Sealer};
use crate::reader::Reader;
use crate::sealing::{
    Admission, Application, BlockchainTopic, Classic, ClassicTail, Miners, Notary, Setup, admitted_topic,
    evidence_topic,
};

/// How many records may be admitted and not sealed yet, at least: what is sealed in half a second. More, where blocks
/// hold more.
const AHEAD_RECORDS_MIN: u64 = 65_536;

/// The application of a graph that is only looked at.
const DEFAULT_APPLICATION_ID: &str = "cairn";

/// The names of the topics an application reads and writes.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    pub(crate) transactions: String,
    pub(crate) blockchain: String,
}

/// What a run is told beside its topics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    /// The account that blocks are mined for, on a chain of work.
    pub(crate) miner: Option<Name>,
    /// The miner.
    pub(crate) miners: Miners,
    /// Where classic blocks go.
    pub(crate) classic_topic: Option<String>,
    /// Validators that misbehave.
    pub(crate) malicious: Vec<Malicious>,
}

/// A validator that misbehaves: `ID` or `ID=FAULT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malicious {
    pub(crate) validator: ValidatorId,
    pub(crate) fault: Fault,
}

impl std::str::FromStr for Malicious {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, fault) = text.split_once('=').map_or((text, None), |(id, fault)| (id, Some(fault)));
        let validator = ValidatorId::new(id).map_err(|error| error.to_string())?;
        let known = || Fault::ALL.map(Fault::as_str).join(", ");
        let fault = match fault {
            None => Fault::AlterAmount,
            Some(name) => Fault::ALL
                .into_iter()
                .find(|fault| fault.as_str() == name)
                .ok_or_else(|| format!("there is no fault `{name}`; write one of {}", known()))?,
        };
        Ok(Self { validator, fault })
    }
}

/// `ID`, `ID=FAULT`, or `none`.
pub(crate) fn malicious(text: &str) -> Result<Option<Malicious>, String> {
    if text == "none" { Ok(None) } else { text.parse().map(Some) }
}

/// The application of a genesis, sealing with its keys. It looks at the tip of the blockchain topic whenever it takes
/// the chain over. Where the transactions topic has several partitions, what they hold is admitted on its way.
pub(crate) fn application<L: Log>(
    log: &L,
    application_id: &str,
    founding: Founding,
    topics: Topics,
    extras: Extras,
) -> Result<Application> {
    let mut entropy = [0; 32];
    key_file::system_rng()?.fill_bytes(&mut entropy);
    let Founding { genesis, keys, notes, .. } = founding;
    let classic = extras.classic(&genesis, &topics, application_id, log)?;
    let input = log.describe_topic(&topics.transactions)?.filter(|found| found.partition_count > 1);
    let key = |id| keys.shared_secret(&genesis.validators, &purpose(genesis.hash(), id));
    let ahead = AHEAD_RECORDS_MIN.max(u64::from(genesis.parameters.block_max_transactions).saturating_mul(4));
    let admission = input.map(|found| {
        let topic = admitted_topic(application_id);
        let backlog = Backlog::watch(log.clone(), application_id, &topic)?;
        let (log, clock) = (log.clone(), SystemClock::new());
        let origin = origin::OnLog { log, clock, topic: topics.transactions.clone(), backlog };
        let (partition_count, key) = (found.partition_count, key(found.id));
        Ok::<_, Error>(Admission { partition_count, topic, key, ahead, origin: Some(Box::new(origin)) })
    });
    let admission = admission.transpose()?;
    let (sealer, miners) = (extras.sealer(&genesis, keys)?, extras.miners);
    let signs = genesis.parameters.consensus.kind() == ConsensusKind::Stake;
    let turns = notes.as_ref().filter(|_| signs).map(Notes::signed_turns).transpose()?.flatten();
    let sealer = match turns {
        Some(turns) => sealer.keeping(Arc::new(turns)),
        None => sealer,
    };
    let topic = OnLog { log: log.clone(), clock: SystemClock::new(), blockchain: topics.blockchain.clone() };
    let topic = Some(Box::new(topic) as Box<dyn BlockchainTopic>);
    let notary = notes.map(|notes| Box::new(InNotes(notes)) as Box<dyn Notary>);
    let Topics { transactions, blockchain } = topics;
    let setup = Setup { genesis, transactions, blockchain, sealer, miners, classic, entropy, topic, notary };
    Ok(match admission {
        Some(admission) => Application::with_admission(setup, admission),
        None => Application::new(setup),
    })
}

impl Extras {
    /// Refuses what does not go with a chain of this genesis.
    pub(crate) fn check(&self, genesis: &Genesis, topics: &Topics, application_id: &str) -> Result<()> {
        self.classic_blocks(genesis, topics, application_id)?;
        match (genesis.parameters.consensus.kind(), &self.miner) {
            (ConsensusKind::Work, None) => Err(no_miner(genesis)),
            (ConsensusKind::Stake, _) | (ConsensusKind::Work, Some(_)) => Ok(()),
        }
    }

    /// The sealer of a chain.
    fn sealer(&self, genesis: &Genesis, keys: KeySet) -> Result<Sealer> {
        let sealer = match (genesis.parameters.consensus.kind(), &self.miner) {
            (ConsensusKind::Stake, _) => {
                let fault = |one: &Malicious| (one.validator.clone(), one.fault);
                let faults: Vec<(ValidatorId, Fault)> = self.malicious.iter().map(fault).collect();
                Sealer::local(genesis, keys, &faults)
            }
            (ConsensusKind::Work, Some(miner)) => Sealer::miner(genesis, miner.clone()),
            (ConsensusKind::Work, None) => return Err(no_miner(genesis)),
        };
        sealer.map_err(|error| Error::usage(error.to_string()))
    }

    /// Where classic blocks go, if anywhere, and what they follow there.
    fn classic<L: Log>(
        &self,
        genesis: &Genesis,
        topics: &Topics,
        application_id: &str,
        log: &L,
    ) -> Result<Option<Classic>> {
        let classic = self.classic_blocks(genesis, topics, application_id)?;
        Ok(classic.map(|Classic { topic, kind, .. }| {
            let tail = LastOnLog { log: log.clone(), clock: SystemClock::new(), topic: topic.clone() };
            Classic { topic, kind, tail: Some(Box::new(tail)) }
        }))
    }

    /// Where classic blocks go, if anywhere.
    pub(crate) fn classic_blocks(
        &self,
        genesis: &Genesis,
        topics: &Topics,
        application_id: &str,
    ) -> Result<Option<Classic>> {
        let Some(topic) = self.classic_topic.clone() else { return Ok(None) };
        let Topics { transactions, blockchain } = topics;
        let beside = [evidence_topic(blockchain), dead_letter_topic(transactions), admitted_topic(application_id)];
        if [transactions, blockchain].into_iter().chain(&beside).any(|own| *own == topic) {
            return Err(Error::usage(format!(
                "topic '{topic}' is one of the chain's own: name another one for --classic-topic"
            )));
        }
        let kind = Kind::of(&genesis.parameters).map_err(|error| Error::usage(error.to_string()))?;
        Ok(Some(Classic { topic, kind, tail: None }))
    }
}

fn no_miner(genesis: &Genesis) -> Error {
    Error::usage(format!(
        "the blocks of chain {} are mined: name the account that takes their rewards with --miner NAME",
        genesis.chain_id
    ))
}

/// What the key of admitted records is for: they are of one chain, and from one topic, not from another of the same
/// name.
fn purpose(genesis: Hash, transactions: TopicId) -> [u8; 64] {
    let mut purpose = [0; 64];
    purpose[..16].copy_from_slice(b"cairn/admit/1\0\0\0");
    purpose[16..48].copy_from_slice(genesis.as_bytes());
    purpose[48..].copy_from_slice(transactions.as_bytes());
    purpose
}

/// Keeps what the sealer has noted in the notes of a run.
struct InNotes(Notes);

impl Notary for InNotes {
    fn founding(&self) -> topology::Result<()> {
        self.0.founding().map_err(|error| topology::Error::stop(error.to_string()))
    }

    fn founded(&self) -> topology::Result<()> {
        self.0.founded().map_err(|error| topology::Error::stop(error.to_string()))
    }
}

/// The blockchain topic on a log.
struct OnLog<L> {
    log: L,
    clock: SystemClock,
    blockchain: String,
}

impl<L: Log> OnLog<L> {
    fn reader(&self) -> Reader<'_, L> {
        // A run has made it, or has seen it, before it asks.
        Reader::new(&self.log, &self.clock, "cairn-tip").expecting_topics()
    }
}

impl<L: Log> BlockchainTopic for OnLog<L> {
    fn last_block(&self) -> topology::Result<Option<Block>> {
        Ok(topic::last_block(&self.reader(), &self.blockchain)?)
    }

    fn last_ranges(&self) -> topology::Result<Vec<Range>> {
        Ok(topic::last_ranges(&self.reader(), &self.blockchain)?)
    }

    fn blocks(&self, visit: &mut dyn FnMut(Block) -> bool) -> topology::Result<()> {
        Ok(topic::blocks(&self.reader(), &self.blockchain, visit)?)
    }
}

/// The end of a topic on a log.
struct LastOnLog<L> {
    log: L,
    clock: SystemClock,
    topic: String,
}

impl<L: Log> ClassicTail for LastOnLog<L> {
    fn last_two(&self) -> topology::Result<Vec<Vec<u8>>> {
        // A run has made it before it asks: not to be seen, it would pass for one that holds no block.
        let reader = Reader::new(&self.log, &self.clock, "cairn-classic").expecting_topics();
        reader.lasts(&self.topic, 2, |record| Some(record.value.map(<[u8]>::to_vec).unwrap_or_default()))
    }
}

/// The graph of a genesis, for a transactions topic with so many partitions, to be looked at and not to be run: it
/// needs no validator's keys.
pub(crate) fn without_keys(
    genesis: Genesis,
    topics: Topics,
    partition_count: i32,
    classic: Option<Classic>,
) -> Result<Topology> {
    let sealer = Sealer::idle(&genesis).map_err(|error| Error::usage(error.to_string()))?;
    let miners = Miners::default();
    let Topics { transactions, blockchain } = topics;
    let (entropy, topic, notary) = ([0; 32], None, None);
    let setup = Setup { genesis, transactions, blockchain, sealer, miners, classic, entropy, topic, notary };
    let (topic, key, ahead) = (admitted_topic(DEFAULT_APPLICATION_ID), [0; 32].into(), AHEAD_RECORDS_MIN);
    let application = match partition_count {
        1 => Application::new(setup),
        _ => Application::with_admission(setup, Admission { partition_count, topic, key, ahead, origin: None }),
    };
    Ok(application.topology()?)
}

/// The topics that a run of this genesis needs, beside what there is of them. Nothing is made.
pub(crate) fn checked_topics<L: Log>(
    log: &L,
    genesis: Genesis,
    topics: Topics,
    extras: &Extras,
    (application_id, replication_factor): (&str, Option<i32>),
) -> Result<Vec<CheckedTopic>> {
    let classic = extras.classic_blocks(&genesis, &topics, application_id)?;
    let partition_count = log.describe_topic(&topics.transactions)?.map_or(1, |found| found.partition_count);
    let graph = without_keys(genesis, topics, partition_count, classic)?;
    Ok(check_topics(&graph, log, application_id, replication_factor)?)
}

/// The graph with these topics, whatever the chain and however many partitions it is made from: with all that there may
/// be.
pub(crate) fn any_chain(topics: Topics) -> Result<Topology> {
    without_keys(placeholder()?, topics, 2, None)
}

/// A genesis of which only the shape matters.
pub(crate) fn placeholder() -> Result<Genesis> {
    placeholder_with(&ChainParameters::default())
}

/// The same, with what is asked for of a chain.
pub(crate) fn placeholder_with(asked: &ChainParameters) -> Result<Genesis> {
    let keys = keys::default(&mut StdRng::from_seed([0; 32]))?;
    Ok(genesis::default(DEFAULT_CHAIN_ID.to_owned(), &keys, asked)?)
}

/// A graph's fingerprint: stores of another chain are refused.
pub(crate) fn fingerprint(genesis: Hash) -> [u8; 32] {
    genesis.0
}

#[cfg(test)]
mod tests;
