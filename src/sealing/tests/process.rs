//! One process after the other over the same topics and stores.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rand::SeedableRng;
use rand::rngs::StdRng;
use topology::graph::{Builder, Store, Topology};
use topology::test_driver::{OwnedRecord, TestDriver};

use crate::chain::{Block, Genesis, Hash, Parameters, Read, ValidatorId};
use crate::consensus::{Fault, KeySet, Sealer, SignedTurn, SignedTurns};
use crate::ledger::Changes;
use crate::sealing::{Application, BlockchainTopic, Miners, Notary, Setup, Status};

pub(super) const START_MS: i64 = 1_700_000_000_000;

/// Committed blocks, which somebody else may alter.
#[derive(Clone, Default)]
pub(super) struct Topic(pub(super) Arc<Mutex<Vec<Block>>>);

impl BlockchainTopic for Topic {
    fn last_block(&self) -> topology::Result<Option<Block>> {
        Ok(self.0.lock().unwrap().last().cloned())
    }

    fn blocks(&self, visit: &mut dyn FnMut(Block) -> bool) -> topology::Result<()> {
        let blocks = self.0.lock().unwrap().clone();
        if let Some(error) = blocks.iter().find_map(|block| block.check().err()) {
            return Err(topology::Error::stop(error.to_string()));
        }
        blocks.into_iter().all(visit);
        Ok(())
    }
}

/// What happened, in order.
#[derive(Clone, Default)]
pub(super) struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(&self, event: impl Into<String>) {
        self.0.lock().unwrap().push(event.into());
    }
}

impl Notary for Events {
    fn founding(&self) -> topology::Result<()> {
        self.note("founding");
        Ok(())
    }

    fn founded(&self) -> topology::Result<()> {
        self.note("founded");
        Ok(())
    }
}

/// What was signed last of each height, as the disk has it that all processes share.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<BTreeMap<u64, SignedTurn>>>);

impl SignedTurns for Disk {
    fn keep_to(&self, turn: SignedTurn, _: bool) -> Result<bool, String> {
        let mut kept = self.0.lock().unwrap();
        let last = kept.entry(turn.height).or_insert(turn);
        let may = turn.may_follow(last);
        if may {
            *last = turn;
        }
        Ok(may)
    }
}

/// A value of the transactions topic, with its timestamp.
pub(super) type Value = (i64, Vec<u8>);

const TRANSACTIONS: &str = "transactions";
const BLOCKCHAIN: &str = "blockchain";

/// The sealer of a chain: its current process, and what all processes have done so far.
pub(super) struct World {
    parameters: Parameters,
    silent: Option<&'static str>,
    /// What arrives in the transactions topic, sooner or later.
    pub(super) input: Vec<Value>,
    application: Application,
    driver: TestDriver,
    /// The blockchain topic, as somebody reads it from outside of the task.
    pub(super) topic: Topic,
    /// What was noted and what was signed, in that order.
    pub(super) events: Events,
    disk: Disk,
    /// How many uncommitted outputs were looked at.
    seen_count: usize,
    /// Committed blocks.
    pub(super) blocks: Vec<Block>,
    /// Every header that was ever signed, by height and round, committed or not.
    pub(super) signed: BTreeMap<(u64, u32), Hash>,
    /// How many blocks were sealed and never committed.
    pub(super) lost_count: usize,
}

impl World {
    /// Begins a chain; block 0 is committed.
    pub(super) fn new(parameters: Parameters, silent: Option<&'static str>, input: Vec<Value>) -> Self {
        Self::try_new(parameters, silent, input, &Changes::new()).unwrap()
    }

    /// As [`World::new`], where somebody has written this to the changelogs before.
    pub(super) fn try_new(
        parameters: Parameters,
        silent: Option<&'static str>,
        input: Vec<Value>,
        forged: &Changes,
    ) -> topology::Result<Self> {
        let (topic, events, disk) = (Topic::default(), Events::default(), Disk::default());
        let mut world = Self {
            application: application(&parameters, silent, &topic, &events, &disk),
            driver: TestDriver::by_hand(&idle(), "cairn", START_MS)?,
            topic,
            events,
            disk,
            parameters,
            silent,
            input,
            seen_count: 0,
            blocks: Vec::new(),
            signed: BTreeMap::new(),
            lost_count: 0,
        };
        world.forge(forged);
        world.driver.restart(&world.topology())?;
        world.look();
        world.commit();
        Ok(world)
    }

    /// All that is not committed is void, and the input is taken again from the committed offset. `is_new` says whether
    /// another process takes over, which remembers nothing, or the same one rewinds. The input ends at `input_end`, or
    /// where it did.
    pub(super) fn restart(&mut self, is_new: bool, input_end: i64) {
        self.try_restart(is_new, input_end).unwrap();
    }

    pub(super) fn try_restart(&mut self, is_new: bool, input_end: i64) -> topology::Result<()> {
        self.arrive(input_end);
        let lost = self.driver.uncommitted().iter().filter(|(topic, _)| topic == BLOCKCHAIN);
        self.lost_count += lost.count();
        self.seen_count = 0;
        if is_new {
            self.application = application(&self.parameters, self.silent, &self.topic, &self.events, &self.disk);
            self.driver.restart(&self.topology())?;
        } else {
            self.driver.abort()?;
        }
        self.look();
        Ok(())
    }

    /// Writes into the changelogs, past the sealer. The next process finds it in its stores.
    pub(super) fn forge(&mut self, changes: &Changes) {
        for (table, key, value) in changes.iter() {
            self.forge_value(table.name(), key, value);
        }
    }

    /// As [`World::forge`], one value, which need not be one that the ledger can read.
    pub(super) fn forge_value(&mut self, store: &str, key: &[u8], value: Option<&[u8]>) {
        self.driver.write_changelog(store, key, value).unwrap();
    }

    /// Somebody moves the group's offset.
    pub(super) fn move_offset(&mut self, offset: i64) {
        self.driver.move_offset(TRANSACTIONS, offset).unwrap();
    }

    /// The transactions topic is deleted and made anew. What arrives is what `input` holds then.
    pub(super) fn delete_input(&mut self) {
        self.driver.delete_topic(TRANSACTIONS);
    }

    /// Up to here the input is there.
    pub(super) fn input_end(&self) -> i64 {
        self.driver.end_offset(TRANSACTIONS)
    }

    /// What comes of the input below `end` has arrived.
    fn arrive(&mut self, end: i64) {
        for offset in self.input_end()..end.min(self.input.len() as i64) {
            let (timestamp_ms, value) = &self.input[offset as usize];
            self.driver.append(TRANSACTIONS, None, Some(value), *timestamp_ms).unwrap();
        }
    }

    pub(super) fn status(&self) -> Status {
        self.application.status()
    }

    /// Waits until a new process has its chain: until a state that has to be rebuilt is.
    pub(super) fn wait_for_chain(&mut self) {
        while self.status().height.is_none() || self.status().rebuilding.is_some() {
            self.wait(100);
            std::thread::yield_now();
        }
    }

    pub(super) fn topology(&self) -> Topology {
        self.application.topology().unwrap()
    }

    /// Delivers the next records of the input, as many as are given and there.
    pub(super) fn deliver(&mut self, count: usize) {
        self.try_deliver(count).unwrap();
    }

    pub(super) fn try_deliver(&mut self, count: usize) -> topology::Result<()> {
        self.arrive(self.driver.position(TRANSACTIONS)? + count as i64);
        self.driver.deliver(TRANSACTIONS, count)?;
        self.look();
        Ok(())
    }

    /// Lets time pass, and commits if the sealer asks for it.
    pub(super) fn wait(&mut self, by_ms: i64) {
        self.try_wait(by_ms).unwrap();
    }

    pub(super) fn try_wait(&mut self, by_ms: i64) -> topology::Result<()> {
        self.advance_clock(by_ms)?;
        self.commit_if_asked();
        Ok(())
    }

    /// Lets time pass twice, as a commit that takes long lets it, and then commits once if the sealer asks for it.
    /// Returns whether it did.
    pub(super) fn step(&mut self) -> bool {
        (0..2).for_each(|_| self.advance_clock(100).unwrap());
        let is_asked = self.driver.commit_requested();
        if is_asked {
            self.commit();
        }
        is_asked
    }

    fn advance_clock(&mut self, by_ms: i64) -> topology::Result<()> {
        self.driver.advance_clock(by_ms)?;
        self.look();
        Ok(())
    }

    /// What a store holds under a key.
    pub(super) fn stored(&self, store: &str, key: &[u8]) -> Option<Vec<u8>> {
        let handle = self.driver.store(&Store::<[u8], [u8]>::memory(store)).unwrap();
        handle.get_with(&key, |value| value.map(<[u8]>::to_vec)).unwrap()
    }

    pub(super) fn commit_if_asked(&mut self) {
        while self.driver.commit_requested() {
            self.commit();
        }
    }

    pub(super) fn commit(&mut self) {
        self.driver.commit().unwrap();
        let committed: Vec<Block> = self.driver.read(BLOCKCHAIN)[self.blocks.len()..].iter().map(block).collect();
        for block in committed {
            self.check_turn(&block);
            self.topic.0.lock().unwrap().push(block.clone());
            self.blocks.push(block);
        }
        self.seen_count = 0;
        self.look();
    }

    /// Notes the blocks that were produced since it looked last.
    fn look(&mut self) {
        let produced = self.driver.uncommitted();
        let new = produced[self.seen_count..].iter().filter(|(topic, _)| topic == BLOCKCHAIN);
        let new: Vec<Block> = new.map(|(_, record)| block(record)).collect();
        self.seen_count = produced.len();
        for block in new {
            self.check_turn(&block);
            self.events.note(format!("block {}", block.header.height));
        }
    }

    /// No turn may have two headers.
    fn check_turn(&mut self, block: &Block) {
        let turn = (block.header.height, block.header.round());
        let known = *self.signed.entry(turn).or_insert(block.hash);
        assert_eq!(known, block.hash, "a second header for height {} round {}", turn.0, turn.1);
    }
}

fn block(record: &OwnedRecord) -> Block {
    let (key, value) = (record.key.as_deref(), record.value.as_deref());
    Block::from_record(key, value).and_then(Read::block).unwrap().unwrap()
}

/// What ran under the application's name before: it did nothing.
fn idle() -> Topology {
    let builder = Builder::new();
    builder.sub_topology("idle").source::<[u8], [u8]>("nothing").for_each(|_| Ok(()));
    builder.build().unwrap()
}

fn application(
    parameters: &Parameters,
    silent: Option<&str>,
    topic: &Topic,
    events: &Events,
    disk: &Disk,
) -> Application {
    let (keys, validators) = KeySet::default_committee(&mut StdRng::from_seed([7; 32])).unwrap();
    let (chain_id, parameters) = ("cairn".to_owned(), parameters.clone());
    let genesis = Genesis { chain_id, created_ms: 0, accounts: Vec::new(), validators, parameters };
    let faults: Vec<_> = silent.map(|id| (ValidatorId::new(id).unwrap(), Fault::Silent)).into_iter().collect();
    let sealer = Sealer::local(&genesis, keys, &faults).unwrap().keeping(Arc::new(disk.clone()));
    Application::new(Setup {
        genesis,
        transactions: "transactions".into(),
        blockchain: "blockchain".into(),
        sealer,
        miners: Miners::at_once(),
        classic: None,
        entropy: [1; 32],
        topic: Some(Box::new(topic.clone())),
        notary: Some(Box::new(events.clone())),
    })
}

/// Transfers, one per millisecond.
pub(super) fn transfers(count: usize) -> Vec<Value> {
    let value = |n| format!(r#"{{"from":"alice","to":"bob","amount":{n}}}"#).into_bytes();
    (0..count).map(|n| (START_MS + n as i64, value(n))).collect()
}
