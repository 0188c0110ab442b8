//! Handles over tasks whose stores are committed to by hand, in memory and on the disk.

mod coming_and_going;
mod reading;

use std::sync::Arc;

use super::*;
use crate::codec::Codec;
use crate::graph::{Builder, Topic, Topology};
use crate::log::{TopicPartition, partition_for_key};
use crate::store::{InstanceId, Medium, Resources, StateDirectory, StoreOptions, Stores};

const PARTITIONS: i32 = 4;
const COUNTS: usize = 0;
const SIZES: usize = 1;

/// Where the two stores can lie, in this build.
fn media() -> impl Iterator<Item = [Medium; 2]> {
    let all = [[Medium::Memory; 2], [Medium::RocksDb; 2], [Medium::RocksDb, Medium::Memory]];
    all.into_iter().filter(|media| media.iter().all(|medium| medium.is_built()))
}

/// An application with two stores in each of four tasks, and another sub-topology.
struct World {
    _root: tempfile::TempDir,
    state: StateDirectory,
    resources: Resources,
    media: [Medium; 2],
    registry: Arc<Registry>,
    topology: Topology,
    queries: Queries,
    counts: Store<str, i64>,
    sizes: Store<str, i64>,
    others: Store<str, i64>,
}

struct Task {
    stores: Stores,
    offer: Option<Offer>,
    partition: i32,
    commit: i64,
}

impl World {
    fn new(media: [Medium; 2]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (counts, sizes, others) = (Store::memory("counts"), Store::memory("sizes"), Store::memory("others"));
        let builder = Builder::new();
        let words = builder.sub_topology("counting").source::<str, ()>(Topic::new("words").partitions(PARTITIONS));
        words
            .with_store(&counts)
            .with_store(&sizes)
            .process_fn::<str, i64>(|_, _, _| Ok(()))
            .sink(Topic::new("totals"));
        builder.sub_topology("other").source::<str, ()>("other-in").count(&others).sink("other-out");
        let topology = builder.build().unwrap();
        let registry = Registry::new(&topology);
        Self {
            state: StateDirectory::open(root.path(), "app", InstanceId::new(0, 0)).unwrap(),
            _root: root,
            resources: Resources::stepped(StoreOptions::default()),
            media,
            queries: Queries::new(Arc::clone(&registry)),
            registry,
            topology,
            counts,
            sizes,
            others,
        }
    }

    /// Whose topics are known.
    fn begun(media: [Medium; 2]) -> Self {
        let world = Self::new(media);
        world.registry.resolve(&world.topology);
        world
    }

    fn task(&self, partition: i32) -> Task {
        let specs = ["counts", "sizes"].into_iter().zip(self.media);
        let specs = specs.map(|(name, medium)| crate::store::Spec::new(name, medium).unwrap()).collect();
        let directory = self.state.lock_task(&format!("counting_{partition}")).unwrap();
        let mut stores = Stores::open(specs, directory, &self.resources, [7; 32]).unwrap();
        for store in [COUNTS, SIZES] {
            if stores.meta(store).is_none() {
                stores.begin_changelog(store, [1; 16]).unwrap();
            }
        }
        let mut task = Task { stores, offer: None, partition, commit: 0 };
        task.offer = Some(self.offer(&task, Standing::Active));
        task
    }

    fn offer(&self, task: &Task, standing: Standing) -> Offer {
        self.registry.offer(0, id(task.partition), task.stores.reader(), standing)
    }

    fn counts(&self) -> KeyValue<str, i64> {
        self.queries.store(&self.counts).unwrap()
    }
}

impl Task {
    fn put(&mut self, store: usize, key: &str, value: i64) {
        let mut bytes = Vec::new();
        i64::encode(&value, &mut bytes).unwrap();
        self.stores.put_timed(store, key.as_bytes(), &bytes, 1_000 + value).unwrap();
    }

    fn commit(&mut self) {
        self.commit += 1;
        self.stores.cover(vec![(TopicPartition::new("words", self.partition), 10 * self.commit)]);
        self.stores.commit(&[(COUNTS, self.commit), (SIZES, self.commit)], 0).unwrap();
    }
}

fn id(partition: i32) -> TaskId {
    TaskId { sub_topology: "counting".to_owned(), partition }
}

fn home(key: &str) -> i32 {
    partition_for_key(key.as_bytes(), PARTITIONS as usize).unwrap() as i32
}

fn keys() -> Vec<String> {
    (0..200).map(|number| format!("key-{number:03}")).collect()
}

/// Entries as they come.
fn shown(mut entries: Entries<str, i64>) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    while let Some(Entry { key, value, time_ms }) = entries.next_entry().unwrap() {
        assert_eq!(time_ms, 1_000 + value);
        found.push((key.to_owned(), value));
    }
    found
}

/// All keys, each in the task where a producer puts it, with its number as its value.
fn filled(world: &World) -> Vec<Task> {
    let mut tasks: Vec<Task> = (0..PARTITIONS).map(|partition| world.task(partition)).collect();
    for (number, key) in keys().iter().enumerate() {
        tasks[home(key) as usize].put(COUNTS, key, number as i64);
    }
    tasks.iter_mut().for_each(Task::commit);
    tasks
}
