//! What a process of the ledger has beside the engine: the sealer's keys and what it remembers, the topics as it reads
//! them, and notes on the machine's disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cairn::chain::{Block, Hash, Range};
use cairn::config::topic;
use cairn::consensus::Signed;
use cairn::reader::{Extent, Reader};
use cairn::sealing::{Admission, Application, BlockchainTopic, Found, Miners, Notary, Origin, Setup, admitted_topic};
use topology::clock::Clock;
use topology::log::{Isolation, Log, TopicPartition};
use topology::simulator::{Beginning, SimulatedLog};
use topology::{Class, Error, Result};

use super::{APPLICATION_ID, BLOCKCHAIN, Chain, TRANSACTIONS};

/// The processes of a run, and what was noted on the disks of its machines.
#[derive(Default)]
struct Processes {
    applications: Vec<Application>,
    notes: BTreeMap<usize, Notes>,
}

thread_local! {
    // A run is on one thread, and one run at a time is on a thread.
    static RUN: RefCell<Processes> = RefCell::default();
}

/// Another run begins.
pub(super) fn begin_run() {
    RUN.take();
}

/// What was signed in all processes of the run, as each remembers it.
pub(super) fn signed() -> Vec<Signed> {
    RUN.with_borrow(|run| run.applications.iter().flat_map(Application::signed).collect())
}

/// A process begins.
pub(super) fn begin(chain: &Chain, partitions: i32, beginning: &Beginning) -> Result<Application> {
    let outside = OnLog { log: beginning.log(), clock: beginning.clock(), waiting: Arc::default() };
    RUN.with_borrow_mut(|run| {
        let notes = run.notes.entry(beginning.instance()).or_default().clone();
        let application = application(chain, partitions, Some((outside, notes)))?;
        run.applications.push(application.clone());
        Ok(application)
    })
}

/// The application, with what it has outside of the engine; without that to be looked at only.
pub(super) fn application(chain: &Chain, partitions: i32, outside: Option<(OnLog, Notes)>) -> Result<Application> {
    let (on_log, notes) = outside.unzip();
    let origin = on_log.clone().map(|log| Box::new(log) as Box<dyn Origin>);
    let setup = Setup {
        genesis: chain.genesis.clone(),
        transactions: TRANSACTIONS.to_owned(),
        blockchain: BLOCKCHAIN.to_owned(),
        sealer: chain.sealer.anew(),
        entropy: [1; 32],
        topic: on_log.map(|log| Box::new(log) as Box<dyn BlockchainTopic>),
        miners: Miners::at_once(),
        classic: None,
        notary: notes.map(|notes| Box::new(notes) as Box<dyn Notary>),
    };
    // So few that a partition has to wait for the sealer.
    let admission = Admission {
        partition_count: partitions,
        topic: admitted_topic(APPLICATION_ID),
        key: [5; 32].into(),
        ahead: 16,
        origin,
    };
    Ok(match partitions {
        1 => Application::new(setup),
        _ => Application::with_admission(setup, admission),
    })
}

/// That a chain exists, on the disk of a machine, apart from its state.
#[derive(Clone, Default)]
pub(super) struct Notes(Arc<AtomicBool>);

impl Notary for Notes {
    fn founding(&self) -> Result<()> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(Error::stop("a chain that was founded here is founded again")),
            false => Ok(()),
        }
    }

    fn founded(&self) -> Result<()> {
        self.0.store(true, Ordering::SeqCst);
        Ok(())
    }
}

/// The topics, as a process reads them apart from its tasks.
#[derive(Clone)]
pub(super) struct OnLog {
    log: SimulatedLog,
    clock: Arc<dyn Clock>,
    /// As was found out last.
    waiting: Arc<AtomicU64>,
}

impl OnLog {
    fn reader(&self) -> Reader<'_, SimulatedLog> {
        Reader::new(&self.log, &*self.clock, "cairn-simulated").expecting_topics()
    }

    fn transactions(partition: i32) -> TopicPartition {
        TopicPartition::new(TRANSACTIONS, partition)
    }

    fn found(&self, (partition, offset): (i32, i64)) -> Result<Found> {
        let end = self.log.watermarks(&Self::transactions(partition), Isolation::ReadCommitted)?.high;
        let extent = Extent { partition: Self::transactions(partition), first: offset, end: end.min(offset + 1) };
        let mut found = Found::Nothing;
        self.reader().read_to(&[extent], |_, records| {
            if let Some(record) = records.first().filter(|record| record.offset == offset) {
                let (timestamp_ms, original) = (record.timestamp_ms, Hash::of_nullable(record.value));
                found = Found::Record { timestamp_ms, original };
            }
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    fn ask_waiting(&self) -> topology::log::Result<u64> {
        let partition = TopicPartition::new(admitted_topic(APPLICATION_ID), 0);
        let committed = self.log.committed(APPLICATION_ID, std::slice::from_ref(&partition))?;
        let end = self.log.watermarks(&partition, Isolation::ReadUncommitted)?.high;
        let next = committed.into_iter().flatten().next().map_or(0, |committed| committed.offset);
        Ok(u64::try_from(end - next).unwrap_or(0))
    }
}

impl BlockchainTopic for OnLog {
    fn last_block(&self) -> Result<Option<Block>> {
        Ok(topic::last_block(&self.reader(), BLOCKCHAIN)?)
    }

    fn last_ranges(&self) -> Result<Vec<Range>> {
        Ok(topic::last_ranges(&self.reader(), BLOCKCHAIN)?)
    }

    fn blocks(&self, visit: &mut dyn FnMut(Block) -> bool) -> Result<()> {
        Ok(topic::blocks(&self.reader(), BLOCKCHAIN, visit)?)
    }

    /// A thread of the operating system would be where it is by chance.
    fn is_read_beside(&self) -> bool {
        false
    }

    fn wait(&self, duration: Duration) {
        self.clock.sleep(duration);
    }
}

impl Origin for OnLog {
    fn first_record(&self, partition: i32, from: i64, to: i64) -> Result<Option<i64>> {
        let mut found = None;
        let extent = Extent { partition: OnLog::transactions(partition), first: from, end: to };
        self.reader().read_to(&[extent], |_, records| {
            found = records.first().map(|record| record.offset);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    fn order_id(&self, topic: &str) -> Result<[u8; 16]> {
        let missing = || Error::new(Class::Retry, format!("topic '{topic}' is not to be seen right now"));
        Ok(*self.log.describe_topic(topic)?.ok_or_else(missing)?.id.as_bytes())
    }

    fn waiting(&self) -> u64 {
        // What was known counts on where the log cannot say it.
        if let Ok(waiting) = self.ask_waiting() {
            self.waiting.store(waiting, Ordering::Relaxed);
        }
        self.waiting.load(Ordering::Relaxed)
    }

    fn look_up(&self, places: &[(i32, i64)]) -> Result<Vec<Found>> {
        places.iter().map(|place| self.found(*place)).collect()
    }
}
