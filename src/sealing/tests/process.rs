//! One process after the other over the same stores.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use rand::SeedableRng;
use rand::rngs::StdRng;
use topology::log::{self, TopicPartition};
use topology::processor::{InputRange, Outputs, RuntimeOptions, Target};
use topology::store::{Options as StoreOptions, Resources, Stores};
use topology::task::{CommittedInput, InputStart, Metadata, QueueOptions, Task, TaskId, TaskOptions};

use crate::chain::{Block, Genesis, Hash, Parameters, Read, ValidatorId};
use crate::consensus::{Fault, KeySet, Sealer};
use crate::sealing::{Application, BlockchainTopic, Notary, Options, Status, store_specs, task_name};

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

/// A value of the transactions topic, with its timestamp.
pub(super) type Value = (i64, Vec<u8>);

/// The sealer of a chain: its current process, and what all processes have done so far.
pub(super) struct World {
    parameters: Parameters,
    silent: Option<&'static str>,
    /// The transactions topic. All of it is there; how much of it is delivered is up to the test.
    pub(super) input: Vec<Value>,
    application: Application,
    task: Option<Task>,
    now_ms: i64,
    /// The group's committed offset, and what is beside it.
    pub(super) committed: (i64, String),
    /// The blockchain topic, as somebody reads it from outside of the task.
    pub(super) topic: Topic,
    /// What was noted and what was signed, in that order.
    pub(super) events: Events,
    /// Next offset of each output topic.
    ends: HashMap<usize, i64>,
    pending: Vec<Block>,
    /// Committed blocks.
    pub(super) blocks: Vec<Block>,
    /// Every header that was ever signed, by height and round, committed or not.
    pub(super) signed: BTreeMap<(u64, u32), Hash>,
    /// Whether the next process finds the stores as this one leaves them.
    stores_as_left: bool,
    /// How many blocks were sealed and never committed.
    pub(super) lost_count: usize,
    /// Up to here the input was delivered to some process.
    pub(super) seen_to: i64,
}

impl World {
    /// Begins a chain; block 0 is committed.
    pub(super) fn new(parameters: Parameters, silent: Option<&'static str>, input: Vec<Value>) -> Self {
        Self::try_new(parameters, silent, input, |_| ()).unwrap()
    }

    /// As [`World::new`]; before, `alter` does something to the stores.
    pub(super) fn try_new(
        parameters: Parameters,
        silent: Option<&'static str>,
        input: Vec<Value>,
        alter: impl FnOnce(&mut Stores),
    ) -> topology::Result<Self> {
        let resources = Resources::without_thread(StoreOptions::default());
        let mut stores = Stores::in_memory(store_specs().unwrap(), [0; 32], &resources).unwrap();
        for store in 0..stores.specs().len() {
            stores.begin_changelog(store, [0; 16]).unwrap();
        }
        alter(&mut stores);
        let (topic, events) = (Topic::default(), Events::default());
        let mut world = Self {
            application: application(&parameters, silent, &topic, &events),
            topic,
            events,
            parameters,
            silent,
            input,
            task: None,
            now_ms: START_MS,
            committed: (0, String::new()),
            ends: HashMap::new(),
            pending: Vec::new(),
            blocks: Vec::new(),
            signed: BTreeMap::new(),
            stores_as_left: false,
            lost_count: 0,
            seen_to: 0,
        };
        world.start(stores, 0)?;
        world.commit();
        Ok(world)
    }

    /// All that is not committed is void, and the input is taken again from the committed offset. `is_new` says whether
    /// another process takes over, which remembers nothing, or the same one rewinds. The input ends at `input_end`.
    pub(super) fn restart(&mut self, is_new: bool, input_end: i64) {
        assert!(input_end >= self.seen_to, "the stable end never goes back");
        self.restart_over(is_new, input_end, false, |_| ()).unwrap();
    }

    /// As [`World::restart`]; before, `alter` does something to the stores that was not the sealer's doing: it comes from their
    /// changelogs.
    pub(super) fn try_restart(
        &mut self,
        is_new: bool,
        input_end: i64,
        alter: impl FnOnce(&mut Stores),
    ) -> topology::Result<()> {
        self.restart_over(is_new, input_end, true, alter)
    }

    fn restart_over(
        &mut self,
        is_new: bool,
        input_end: i64,
        is_altered: bool,
        alter: impl FnOnce(&mut Stores),
    ) -> topology::Result<()> {
        self.lost_count += std::mem::take(&mut self.pending).len();
        let mut stores = self.task.take().and_then(Task::into_stores).unwrap();
        alter(&mut stores);
        self.stores_as_left = !is_altered;
        if is_new {
            self.application = application(&self.parameters, self.silent, &self.topic, &self.events);
        }
        self.start(stores, input_end)
    }

    fn start(&mut self, stores: Stores, input_end: i64) -> topology::Result<()> {
        let names = ["blockchain", "blockchain-evidence", "transactions-dead-letters"];
        let stores_of = stores.specs().iter().map(|spec| spec.name.clone());
        let topics: Vec<String> = names.into_iter().map(str::to_owned).chain(stores_of).collect();
        let changelogs = (names.len()..topics.len()).map(|target| Some(Target(target))).collect();
        let metadata = Metadata::decode(&self.committed.1).unwrap_or_default();
        let input = TopicPartition::new("transactions", 0);
        let start = InputStart {
            committed: CommittedInput { input, offset: Some(self.committed.0), metadata },
            range: InputRange { first: 0, stable_end: input_end, end: input_end },
            dead_letters: Target(2),
        };
        let runtime = RuntimeOptions {
            stores_as_left: self.stores_as_left,
            now_ms: self.now_ms,
            topics,
            limits: Arc::default(),
            vouch: Rc::new(()),
        };
        let id = TaskId { sub_topology: task_name().trim_end_matches("_0").to_owned(), partition: 0 };
        let queues = QueueOptions::default();
        let options =
            TaskOptions { id, sub_topology: 0, inputs: vec![start], runtime, changelogs, queues, may_repeat: false };
        let topology = self.application.topology().unwrap();
        self.task = Some(Task::new(&topology, options, Rc::new(RefCell::new(stores)))?);
        self.drain();
        Ok(())
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

    pub(super) fn topology(&self) -> topology::graph::Topology {
        self.application.topology().unwrap()
    }

    fn task(&mut self) -> &mut Task {
        self.task.as_mut().unwrap()
    }

    /// Delivers the next records of the input, as many as are given and there.
    pub(super) fn deliver(&mut self, count: usize) {
        self.try_deliver(count).unwrap();
    }

    pub(super) fn try_deliver(&mut self, count: usize) -> topology::Result<()> {
        let next = self.task().next_offset(0) as usize;
        if self.task().is_suspended() || next >= self.input.len() {
            return Ok(());
        }
        let end = (next + count).min(self.input.len());
        let records: Vec<log::Record<'_>> = (next..end)
            .map(|offset| log::Record {
                offset: offset as i64,
                timestamp_ms: self.input[offset].0,
                key: None,
                value: Some(&self.input[offset].1),
                headers: log::Headers::NONE,
            })
            .collect();
        let task = self.task.as_mut().unwrap();
        // What it leaves it is given again.
        task.restart(0);
        task.take_arriving(&records)?;
        self.seen_to = self.seen_to.max(end as i64);
        self.drain();
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

    /// Lets time pass twice, as a commit that takes long lets it, and then commits once if the sealer asks for it. Returns
    /// whether it did.
    pub(super) fn step(&mut self) -> bool {
        (0..2).for_each(|_| self.advance_clock(100).unwrap());
        let is_asked = self.task().commit_requested();
        if is_asked {
            self.commit();
        }
        is_asked
    }

    fn advance_clock(&mut self, by_ms: i64) -> topology::Result<()> {
        self.now_ms += by_ms;
        let now_ms = self.now_ms;
        self.task().advance_clock(now_ms)?;
        self.drain();
        Ok(())
    }

    /// What a store holds under a key.
    pub(super) fn stored(&self, store: &str, key: &[u8]) -> Option<Vec<u8>> {
        let mut stores = self.task.as_ref().unwrap().stores().borrow_mut();
        let place = stores.specs().iter().position(|spec| spec.name == store).unwrap();
        let mut value = Vec::new();
        stores.get(place, key, &mut value).unwrap().then_some(value)
    }

    pub(super) fn commit_if_asked(&mut self) {
        while self.task().commit_requested() {
            self.commit();
        }
    }

    pub(super) fn commit(&mut self) {
        let mut delivered = HashMap::new();
        let Self { task: Some(task), ends, pending, signed, events, .. } = &mut *self else { return };
        let mut send = |outputs: &mut Outputs| {
            take(outputs, ends, pending, signed, events, &mut delivered);
            Ok(())
        };
        let commits = task.prepare_commit(&mut send).unwrap();
        self.committed = (commits[0].offset, commits[0].metadata.clone());
        self.topic.0.lock().unwrap().extend(self.pending.iter().cloned());
        self.blocks.append(&mut self.pending);
        let now_ms = self.now_ms;
        self.task().committed(&commits, |target| delivered.get(&target.0).copied(), now_ms).unwrap();
        self.drain();
    }

    fn drain(&mut self) {
        if let Self { task: Some(task), ends, pending, signed, events, .. } = self {
            take(task.outputs(), ends, pending, signed, events, &mut HashMap::new());
        }
    }
}

/// Takes what the task wants produced; no turn may have two headers. Notes the last offset in each topic.
fn take(
    outputs: &mut Outputs,
    ends: &mut HashMap<usize, i64>,
    pending: &mut Vec<Block>,
    signed: &mut BTreeMap<(u64, u32), Hash>,
    events: &Events,
    delivered: &mut HashMap<usize, i64>,
) {
    let specs = store_specs().unwrap();
    let take = |records: &[log::ProducerRecord<'_>]| {
        for record in records {
            if record.topic == "blockchain" {
                let block = Block::from_record(record.key, record.value).and_then(Read::block).unwrap().unwrap();
                let turn = (block.header.height, block.header.round());
                let known = *signed.entry(turn).or_insert(block.hash);
                assert_eq!(known, block.hash, "a second header for height {} round {}", turn.0, turn.1);
                events.note(format!("block {}", block.header.height));
                pending.push(block);
            }
            if let Some(store) = specs.iter().position(|spec| spec.name == record.topic) {
                let end = ends.entry(store).or_insert(0);
                delivered.insert(3 + store, *end);
                *end += 1;
            }
        }
        Ok(())
    };
    outputs.drain(take).unwrap();
}

fn application(parameters: &Parameters, silent: Option<&str>, topic: &Topic, events: &Events) -> Application {
    let (keys, validators) = KeySet::default_committee(&mut StdRng::from_seed([7; 32])).unwrap();
    let (chain_id, parameters) = ("cairn".to_owned(), parameters.clone());
    let genesis = Genesis { chain_id, created_ms: 0, accounts: Vec::new(), validators, parameters };
    let faults: Vec<_> = silent.map(|id| (ValidatorId::new(id).unwrap(), Fault::Silent)).into_iter().collect();
    let sealer = Sealer::local(&genesis, keys, &faults).unwrap();
    Application::new(Options {
        genesis,
        transactions: "transactions".into(),
        blockchain: "blockchain".into(),
        sealer,
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
