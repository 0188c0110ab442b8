//! What is sealed, and the graph for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use topology::graph::{Builder, Output, Repartition, Topic, Topology, repartition_topic};

use crate::chain::{Consensus, Genesis, Hash, ValidatorId, Work};
use crate::consensus::{Fault, Sealer, Signed};
use crate::ledger::Replica;
use crate::ledger::state::Tip;

use super::admission::{Admission, Admit, Stamp};
use super::classic::{Classic, Series};
use super::forward::Outputs;
use super::mining::Miners;
use super::notary::Notary;
use super::processor::Seal;
use super::rebuild::Progress;
use super::topic::BlockchainTopic;
use super::view::{Stores, Tables};

const SUB_TOPOLOGY: &str = "seal";
/// What reads several partitions.
const ADMISSION: &str = "admit";
/// The topic between the two, as the graph calls it.
const ADMITTED: &str = "admitted";
/// The largest record of the topics that hold blocks, and what was proposed as one: 8 MiB.
const RECORD_SIZE_BYTES_MAX: &str = "8388608";

/// Name of the task that seals, and of its state directory.
pub fn task_name() -> String {
    format!("{SUB_TOPOLOGY}_0")
}

/// What an application is made from.
pub struct Setup {
    /// What the chain starts from.
    pub genesis: Genesis,
    /// The topic whose records are sealed.
    pub transactions: String,
    /// The topic that blocks go to.
    pub blockchain: String,
    /// The committee, or the miner.
    pub sealer: Sealer,
    /// Who searches for proofs, where blocks are mined.
    pub miners: Miners,
    /// Where classic blocks go beside the chain's, if anywhere.
    pub classic: Option<Classic>,
    /// Randomness that a signer of transactions cannot foresee: signatures are checked in batches with it. No result
    /// depends on it.
    pub entropy: [u8; 32],
    /// The blockchain topic, whose last block is the authority on the state. Without it the state is believed.
    pub topic: Option<Box<dyn BlockchainTopic>>,
    /// Keeps on disk that the chain exists. Without it a chain that was lost may be founded again.
    pub notary: Option<Box<dyn Notary>>,
}

/// A chain being sealed. Clones are the same one.
#[derive(Clone)]
pub struct Application {
    pub(super) shared: Arc<Shared>,
}

/// What processors share with their successors after a rewind, and with those who watch.
pub(super) struct Shared {
    pub(super) genesis: Genesis,
    pub(super) genesis_hash: Hash,
    pub(super) transactions: String,
    blockchain: String,
    /// Where the transactions topic has several partitions.
    pub(super) admission: Option<Admission>,
    /// Remembers what each validator signed, so that a defect cannot make an honest one sign twice.
    pub(super) sealer: Mutex<Sealer>,
    pub(super) miners: Miners,
    classic: Option<Classic>,
    pub(super) entropy: [u8; 32],
    pub(super) topic: Option<Box<dyn BlockchainTopic>>,
    notary: Option<Box<dyn Notary>>,
    pub(super) status: Mutex<Status>,
    /// How far partitions are sealed at least, once somebody asked.
    sealed: Mutex<Option<BTreeMap<i32, i64>>>,
    /// What a processor leaves to its successor after a rewind in the same process, so that not all of the state is
    /// read and audited again. It is still the state's if no block was lost, and nothing was read from the changelogs
    /// since.
    pub(super) left: Mutex<Option<Replica>>,
}

/// What the chain is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Height of the last sealed block, committed or about to be.
    pub height: Option<u64>,
    /// Stake that signs and stake that is needed, while a block waits for a quorum.
    pub waiting_for_quorum: Option<(u64, u64)>,
    /// How many proofs are tried on average until one holds, while one is looked for.
    pub mining: Option<u64>,
    /// How far the state is rebuilt from the blockchain topic, while it is.
    pub rebuilding: Option<Progress>,
}

impl Application {
    /// A chain to be sealed, from a transactions topic with one partition.
    pub fn new(setup: Setup) -> Self {
        Self::make(setup, None)
    }

    /// A chain to be sealed, from a transactions topic with several partitions.
    pub fn with_admission(setup: Setup, admission: Admission) -> Self {
        Self::make(setup, Some(admission))
    }

    fn make(setup: Setup, admission: Option<Admission>) -> Self {
        let Setup { genesis, transactions, blockchain, sealer, miners, classic, entropy, topic, notary } = setup;
        let genesis_hash = genesis.hash();
        let (sealer, status, sealed, left) = (Mutex::new(sealer), Mutex::default(), Mutex::default(), Mutex::default());
        let shared = Shared {
            genesis,
            genesis_hash,
            transactions,
            blockchain,
            admission,
            sealer,
            miners,
            classic,
            entropy,
            topic,
            notary,
            status,
            sealed,
            left,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The chain's identity; also the fingerprint of its stores.
    pub fn genesis_hash(&self) -> Hash {
        self.shared.genesis_hash
    }

    /// What the chain is doing.
    pub fn status(&self) -> Status {
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the search for a proof of work, within about a millisecond, and begins no other: for a process that is to
    /// end. What is not found is searched for again at the next start.
    pub fn stop_mining(&self) {
        self.shared.miners.stop();
    }

    /// What the validators of this process remember to have signed: see [`Sealer::signed`].
    pub fn signed(&self) -> Vec<Signed> {
        self.shared.sealer.lock().unwrap_or_else(PoisonError::into_inner).signed().collect()
    }

    /// Has a validator of this process misbehave from its next turn on; false: there is no such validator. For
    /// demonstrations.
    pub fn corrupt(&self, validator: &ValidatorId, fault: Fault) -> bool {
        self.shared.sealer.lock().unwrap_or_else(PoisonError::into_inner).corrupt(validator, fault)
    }

    /// The graph.
    pub fn topology(&self) -> topology::Result<Topology> {
        let shared = &self.shared;
        let builder = Builder::new();
        let admitted = shared.admission.as_ref().map(|admission| self.admit(&builder, admission));
        let sealing = builder.sub_topology(SUB_TOPOLOGY);
        sealing.single_writer(format!("cairn-{}-seal", shared.genesis_hash));
        let input = match admitted {
            None => {
                let transactions = transactions_topic(&shared.transactions, 1, shared.genesis.parameters.consensus);
                sealing.source::<[u8], [u8]>(transactions).named("transactions")
            }
            Some(admitted) => sealing.source_of(&admitted).named(ADMITTED),
        };
        let (stores, evidence) = (Stores::new(), Output::<[u8], [u8]>::new("evidence"));
        let classic = Output::<[u8], [u8]>::new("classic");
        let for_processor = Arc::clone(shared);
        let blocks = input
            .processor("sealer")
            .with_output(&evidence)
            .with_output(&classic)
            .with_stores(stores.tables())
            .with_store(stores.decisions())
            .supply(move |(evidence, classic, tables, decisions)| {
                Seal::new(Arc::clone(&for_processor), Tables::new(tables), decisions, Outputs { evidence, classic })
            });
        blocks.sink(blockchain_topic(&shared.blockchain)).named("blocks");
        sealing.side_output(&evidence).sink(offences_topic(&shared.blockchain)).named("offences");
        if let Some(Classic { topic, .. }) = &shared.classic {
            sealing.side_output(&classic).sink(classic_topic(topic)).named("classic-blocks");
        }
        builder.build()
    }

    /// Draws what reads several partitions, and says to which topic it writes.
    fn admit(&self, builder: &Builder, admission: &Admission) -> Repartition<[u8], [u8]> {
        let consensus = self.shared.genesis.parameters.consensus;
        let transactions = transactions_topic(&self.shared.transactions, admission.partition_count, consensus);
        let input = builder.sub_topology(ADMISSION).source::<[u8], [u8]>(transactions).named("transactions");
        let (shared, stamp) = (Arc::clone(&self.shared), Stamp::new(&admission.key));
        let records = input.processor("reader").supply(move |()| Admit::new(Arc::clone(&shared), stamp.clone()));
        // A record's own time may be one that the log would not take.
        let admitted = Repartition::new(ADMITTED).partitions(1).config("message.timestamp.type", "LogAppendTime");
        records.repartition(&admitted).named("admitted-records");
        admitted
    }
}

/// What is to be sealed. Compaction would take records out before they are. Where the difficulty follows from header
/// times, they are to be the log's: senders could have any other difficulty by the timestamps they write.
fn transactions_topic(name: &str, partition_count: i32, consensus: Consensus) -> Topic {
    let topic = Topic::new(name).partitions(partition_count).config("cleanup.policy", "delete");
    match consensus.work() {
        Some(Work { target_interval_ms: 1.., .. }) => topic.config("message.timestamp.type", "LogAppendTime"),
        _ => topic,
    }
}

impl Shared {
    /// The classic blocks behind the chain's last block, where there are any.
    pub(super) fn classic_series(&self, tip: Option<&Tip>) -> topology::Result<Option<Series>> {
        let Some(classic) = &self.classic else { return Ok(None) };
        // The state was compared with it a moment ago, and nobody else adds to it.
        let block = match (tip, &self.topic) {
            (Some(_), Some(topic)) => topic.last_block()?,
            _ => None,
        };
        classic.go_on(tip, block.as_ref()).map(Some)
    }

    pub(super) fn set_status(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The last offset of a partition that is in one of the last blocks, as they were when this was asked first: at
    /// least so far it is sealed. `None`: not known.
    pub(super) fn sealed_of(&self, partition: i32) -> topology::Result<Option<i64>> {
        let of_partition = |sealed: &BTreeMap<i32, i64>| sealed.get(&partition).copied();
        let sealed = || self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sealed) = &*sealed() {
            return Ok(of_partition(sealed));
        }
        // Not under the lock, where the other partitions' threads would wait for the log as well.
        let ranges = self.topic.as_ref().map_or(Ok(Vec::new()), |topic| topic.last_ranges())?;
        let asked = ranges.into_iter().map(|range| (range.partition, range.last)).collect();
        Ok(of_partition(sealed().get_or_insert(asked)))
    }

    /// Before block 0 is sent.
    pub(super) fn note_founding(&self) -> topology::Result<()> {
        self.notary.as_ref().map_or(Ok(()), |notary| notary.founding())
    }

    /// Before anything is signed.
    pub(super) fn note_founded(&self) -> topology::Result<()> {
        self.notary.as_ref().map_or(Ok(()), |notary| notary.founded())
    }
}

/// Blocks by height. Compacted, with a week in which an overwritten height can still be recovered. The lag counts from
/// a record's timestamp, so that has to be when the log took the record: a block's own is stream time, which may lie
/// years back, or further ahead than the log would take.
fn blockchain_topic(name: &str) -> Topic {
    Topic::new(name)
        .partitions(1)
        .config("cleanup.policy", "compact")
        .config("min.compaction.lag.ms", "604800000")
        .config("message.timestamp.type", "LogAppendTime")
        .config("max.message.bytes", RECORD_SIZE_BYTES_MAX)
}

/// The topic between `admit` and `seal`, as the log calls it: what was admitted, in the order in which it is sealed.
/// What is sealed is deleted from it.
pub fn admitted_topic(application_id: &str) -> String {
    repartition_topic(application_id, ADMITTED)
}

/// Offences with their proof. Beside it lies what was refused, which may be as large as a block. A record's own time is
/// that of the records it speaks of, which may be one that the log would not take.
fn offences_topic(blockchain: &str) -> Topic {
    Topic::new(evidence_topic(blockchain))
        .partitions(1)
        .config("cleanup.policy", "delete")
        .config("retention.ms", "-1")
        .config("message.timestamp.type", "LogAppendTime")
        .config("max.message.bytes", RECORD_SIZE_BYTES_MAX)
}

/// Classic blocks, one behind the other, kept for ever. A record's own time is stream time, which the log need not
/// take.
fn classic_topic(name: &str) -> Topic {
    Topic::new(name)
        .partitions(1)
        .config("cleanup.policy", "delete")
        .config("retention.ms", "-1")
        .config("message.timestamp.type", "LogAppendTime")
        .config("max.message.bytes", RECORD_SIZE_BYTES_MAX)
}

/// Where offences go, with their proof: never compacted, kept for ever.
pub fn evidence_topic(blockchain: &str) -> String {
    format!("{blockchain}-evidence")
}
