//! A log, a machine with a task of two stores on it, and what the stores should hold.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::clock::{Clock, ManualClock};
use crate::error::Result;
use crate::log::memory::MemoryLog;
use crate::log::{Log, Offset, Producer, ProducerOptions, ProducerRecord, TopicPartition, TopicSpec};
use crate::store::InstanceId;
use crate::store::{self, Bounds, Covered, Direction, Medium, Resources, Spec, StateDirectory, Stores};
use crate::updater::{Changelog, NewChangelog, Plan, Progress, Restore, RestoreOptions, Restored};

pub(super) const TOPICS: [&str; 2] = ["app-a-changelog", "app-b-changelog"];
pub(super) const FINGERPRINT: [u8; 32] = [5; 32];
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
pub(super) const RETENTION_MS: i64 = 86_400_000;

pub(super) type LocalProducer = <MemoryLog as Log>::Producer;
pub(super) type Model = [BTreeMap<Vec<u8>, Vec<u8>>; 2];

pub(super) struct World {
    pub(super) log: MemoryLog,
    pub(super) clock: ManualClock,
    pub(super) root: TempDir,
    pub(super) producer: LocalProducer,
    /// What is committed.
    pub(super) model: Model,
    /// What the last commit that wrote each store covers.
    pub(super) covered: [Covered; 2],
    pub(super) media: [Medium; 2],
    pub(super) fingerprint: [u8; 32],
    /// How it begins changelogs, which have letters.
    pub(super) beginning: fn(u8) -> NewChangelog,
}

impl World {
    pub(super) fn new(media: [Medium; 2]) -> Self {
        let clock = ManualClock::new(1_000_000_000);
        let log_clock = clock.clone();
        let log = MemoryLog::new(Arc::new(move || log_clock.now_ms()));
        let producer = producer(&log, "writer");
        let root = tempfile::tempdir().unwrap();
        let (model, covered, fingerprint) = (Model::default(), Default::default(), FINGERPRINT);
        let beginning = |letter| NewChangelog::Alone([letter; 16]);
        let world = Self { log, clock, root, producer, model, covered, media, fingerprint, beginning };
        world.create_topics();
        world
    }

    pub(super) fn create_topics(&self) {
        let spec = |name: &str| TopicSpec {
            name: name.to_owned(),
            partition_count: 2,
            replication_factor: None,
            config: vec![
                ("cleanup.policy".to_owned(), "compact".to_owned()),
                ("delete.retention.ms".to_owned(), RETENTION_MS.to_string()),
            ],
        };
        self.log.create_topics(&TOPICS.map(spec)).unwrap();
    }

    pub(super) fn open(&self) -> Stores {
        self.open_at(self.root.path())
    }

    pub(super) fn open_at(&self, root: &Path) -> Stores {
        let state = StateDirectory::open(root, "app", InstanceId::new(0, 0)).unwrap();
        let specs = vec![Spec::new("a", self.media[0]).unwrap(), Spec::new("b", self.media[1]).unwrap()];
        let resources = Resources::without_thread(store::StoreOptions::default());
        Stores::open(specs, state.lock_task("t_1").unwrap(), &resources, self.fingerprint).unwrap()
    }

    pub(super) fn plan(&self, batch_bytes: usize) -> Plan {
        let changelog =
            |topic: &str| Some(Changelog { topic: topic.to_owned(), beginning: (self.beginning)(topic.as_bytes()[4]) });
        let options = RestoreOptions { batch_bytes, batch_records: 100, ..RestoreOptions::default() };
        Plan { partition: 1, changelogs: TOPICS.map(changelog).to_vec(), options, followed: None }
    }

    pub(super) fn start(&self, batch_bytes: usize) -> Restore<MemoryLog> {
        Restore::new(self.log.clone(), self.plan(batch_bytes), Arc::new(self.clock.clone()))
    }

    pub(super) fn restore(&self, stores: &mut Stores) -> Result<Vec<Restored>> {
        let mut restore = self.start(1 << 20);
        while !step(&mut restore, stores)?.done {}
        Ok(restore.restored())
    }

    /// Opens and restores.
    pub(super) fn up(&self) -> Stores {
        let mut stores = self.open();
        self.restore(&mut stores).unwrap();
        stores
    }

    /// Writes, and commits to the log alone; returns the positions with which the stores are to commit.
    pub(super) fn commit_to_log(
        &mut self,
        stores: &mut Stores,
        writes: &[(usize, u32, Option<u32>)],
    ) -> Vec<(usize, Offset)> {
        for (store, key, value) in writes {
            let key = format!("key-{key}").into_bytes();
            match value {
                Some(value) => {
                    stores.put(*store, &key, &value.to_be_bytes()).unwrap();
                    self.model[*store].insert(key, value.to_be_bytes().to_vec());
                }
                None => {
                    stores.delete(*store, &key).unwrap();
                    self.model[*store].remove(&key);
                }
            }
        }
        self.producer.begin().unwrap();
        send_changelogs(&mut self.producer, stores);
        for (covered, store) in self.covered.iter_mut().zip(0..) {
            let (_, mark) = stores.marks().nth(store).unwrap();
            if writes.iter().any(|(written, ..)| *written == store) {
                *covered = covering(mark.unwrap().1);
            }
        }
        self.producer.flush(TIMEOUT).unwrap();
        let delivered = TOPICS.map(|topic| self.producer.delivered(&TopicPartition::new(topic, 1)));
        self.producer.commit(TIMEOUT).unwrap();
        (0..).zip(delivered).filter_map(|(store, offset)| Some((store, offset? + 1))).collect()
    }

    /// Writes, and commits to the log and to the stores.
    pub(super) fn commit(&mut self, stores: &mut Stores, writes: &[(usize, u32, Option<u32>)]) {
        let positions = self.commit_to_log(stores, writes);
        stores.commit(&positions, self.clock.now_ms()).unwrap();
    }

    /// What would be on the disk if the process had been killed now.
    pub(super) fn image(&self) -> TempDir {
        let image = tempfile::tempdir().unwrap();
        copy(self.root.path(), image.path());
        image
    }

    pub(super) fn check(&self, stores: &mut Stores) {
        assert_eq!(contents(stores), self.model);
        let covered = [0, 1].map(|store| stores.meta(store).map(|meta| meta.covered).unwrap_or_default());
        assert_eq!(covered, self.covered);
    }
}

/// What each commit here takes for what it covers.
pub(super) fn covering(sequence: u64) -> Covered {
    let offset = Offset::try_from(sequence).unwrap() * 10;
    Covered { sequence, inputs: vec![(TopicPartition::new("in", 1), offset)] }
}

pub(super) fn send_changelogs(producer: &mut LocalProducer, stores: &mut Stores) {
    let highest = [0, 1].iter().filter_map(|store| stores.meta(*store)).map(|meta| meta.covered.sequence).max();
    stores.cover(covering(highest.unwrap_or(0) + 1).inputs);
    stores
        .changelog_records(|record| {
            producer.send(&ProducerRecord {
                topic: TOPICS[record.store],
                partition: Some(1),
                timestamp_ms: 0,
                key: Some(record.key),
                value: record.value,
                headers: &[],
            })
        })
        .unwrap();
}

/// As a task has them on a machine where it never was.
pub(super) fn empty_stores() -> Stores {
    let specs = vec![Spec::new("a", Medium::Memory).unwrap(), Spec::new("b", Medium::Memory).unwrap()];
    Stores::in_memory(specs, FINGERPRINT, &Resources::without_thread(store::StoreOptions::default())).unwrap()
}

pub(super) fn step(restore: &mut Restore<MemoryLog>, stores: &mut Stores) -> Result<Progress> {
    restore.step(stores, Duration::from_millis(1))
}

pub(super) fn producer(log: &MemoryLog, transactional_id: &str) -> LocalProducer {
    let mut producer = log
        .producer(&ProducerOptions {
            transactional_id: transactional_id.to_owned(),
            transaction_timeout_ms: 10_000,
            client_id: "test".to_owned(),
            track_topics: TOPICS.map(str::to_owned).to_vec(),
        })
        .unwrap();
    producer.init_transactions(TIMEOUT).unwrap();
    producer
}

pub(super) fn contents(stores: &mut Stores) -> Model {
    [0, 1].map(|store| {
        let mut found = BTreeMap::new();
        stores
            .range(store, Bounds::ALL, Direction::Forward, &mut |key, value| {
                found.insert(key.to_vec(), value.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
        found
    })
}

/// So many writes to each store, over a hundred keys each, some of them deletions.
pub(super) fn writes(seed: u32, count: u32) -> Vec<(usize, u32, Option<u32>)> {
    let write = |at: u32| {
        let mixed = (seed * 7_919 + at).wrapping_mul(2_654_435_761);
        ((at % 2) as usize, mixed >> 8 & 127, (!mixed.is_multiple_of(5)).then_some(mixed))
    };
    (0..2 * count).map(write).collect()
}

pub(super) fn records(restored: &[Restored]) -> [u64; 2] {
    [restored[0].records, restored[1].records]
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
