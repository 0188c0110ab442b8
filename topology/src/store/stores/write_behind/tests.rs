use std::sync::{Arc, Mutex};

use super::*;
use crate::store::backends::Memory;
use crate::store::backends::{Backend, Bounds, Direction, Visitor};
use crate::store::{Error, Kind, Medium, Options, Spec};

/// What happened to a backend, and whether it refuses to be written to.
#[derive(Default)]
struct Record {
    /// For each batch: of each store in it, how many keys and which position.
    batches: Vec<Vec<(usize, usize, i64)>>,
    flushes: usize,
    refuses: bool,
}

struct Recorder {
    memory: Memory,
    record: Arc<Mutex<Record>>,
}

impl Backend for Recorder {
    fn get(&self, store: usize, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.memory.get(store, key, value)
    }

    fn range(&self, store: usize, bounds: Bounds<'_>, direction: Direction, visitor: Visitor<'_>) -> Result<()> {
        self.memory.range(store, bounds, direction, visitor)
    }

    fn meta(&self, store: usize) -> Result<Option<Meta>> {
        self.memory.meta(store)
    }

    fn apply(&mut self, writes: &[Writes<'_>]) -> Result<()> {
        let mut record = self.record.lock().unwrap();
        if record.refuses {
            return Err(Error::new(Kind::DiskFull, "full"));
        }
        record.batches.push(writes.iter().map(|w| (w.store, w.overlay.len(), w.meta.position)).collect());
        self.memory.apply(writes)
    }

    fn wipe(&mut self, store: usize) -> Result<()> {
        self.memory.wipe(store)
    }

    fn flush(&mut self) -> Result<()> {
        self.record.lock().unwrap().flushes += 1;
        Ok(())
    }
}

fn stores(write_behind_bytes: usize) -> (Stores, Arc<Mutex<Record>>) {
    let record = Arc::new(Mutex::new(Record::default()));
    let recorder = Recorder { memory: Memory::new(2), record: Arc::clone(&record) };
    let specs = vec![Spec::new("a", Medium::RocksDb).unwrap(), Spec::new("b", Medium::RocksDb).unwrap()];
    let options = Options { write_behind_bytes, flush_interval_ms: 30_000, ..Options::default() };
    let mut stores = Stores::over(specs, Box::new(recorder), [0; 32], &options, None).unwrap();
    stores.begin_changelog(0, [0; 16]).unwrap();
    stores.begin_changelog(1, [1; 16]).unwrap();
    (stores, record)
}

fn put(stores: &mut Stores, keys: std::ops::Range<u32>, value: u8) {
    for key in keys {
        stores.put(0, &key.to_be_bytes(), &[value]).unwrap();
    }
}

#[test]
fn commits_are_gathered_and_written_as_one_batch_with_the_last_positions() {
    let (mut stores, record) = stores(1 << 20);
    for commit in 1..=10 {
        put(&mut stores, 0..5, commit);
        if commit == 3 {
            stores.put(1, b"x", b"y").unwrap();
            stores.commit(&[(0, 30), (1, 7)], 0).unwrap();
        } else {
            stores.commit(&[(0, i64::from(commit) * 10)], 0).unwrap();
        }
    }
    assert!(record.lock().unwrap().batches.is_empty());
    stores.flush().unwrap();
    stores.flush().unwrap();
    assert_eq!(record.lock().unwrap().batches, [[(0, 5, 100), (1, 1, 7)]], "and nothing is written twice");
    assert_eq!(stores.unflushed_bytes(), 0);
}

#[test]
fn uncommitted_writes_are_in_no_batch() {
    let (mut stores, record) = stores(1 << 20);
    put(&mut stores, 0..5, 1);
    stores.commit(&[(0, 10)], 0).unwrap();
    put(&mut stores, 3..9, 2);
    stores.flush().unwrap();
    assert_eq!(record.lock().unwrap().batches, [[(0, 5, 10)]]);
    assert!(stores.has_uncommitted());
    stores.close().unwrap();
    assert_eq!(record.lock().unwrap().batches.len(), 1);
}

#[test]
fn a_commit_that_finds_no_room_has_the_ones_before_it_written() {
    let (mut stores, record) = stores(2_000);
    put(&mut stores, 0..30, 1);
    stores.commit(&[(0, 30)], 0).unwrap();
    put(&mut stores, 20..50, 2);
    stores.commit(&[(0, 60)], 0).unwrap();
    assert_eq!(record.lock().unwrap().batches, [[(0, 30, 30)]]);
    put(&mut stores, 0..500, 3);
    stores.commit(&[(0, 560)], 0).unwrap();
    assert_eq!(
        record.lock().unwrap().batches[1..],
        [[(0, 30, 60)], [(0, 500, 560)]],
        "one that fills the room goes on"
    );
    assert_eq!(stores.behind_bytes(), 0);
}

#[test]
fn what_a_full_disk_refused_is_still_there_to_be_read_and_written_later() {
    let (mut stores, record) = stores(2_000);
    put(&mut stores, 0..30, 1);
    stores.commit(&[(0, 30)], 0).unwrap();
    record.lock().unwrap().refuses = true;
    put(&mut stores, 0..30, 2);
    assert_eq!(stores.commit(&[(0, 60)], 0).unwrap_err().kind(), Kind::DiskFull);
    assert_eq!(stores.meta(0).unwrap().position, 30, "the commit did not happen here");
    stores.discard();
    let mut value = Vec::new();
    assert!(stores.get(0, &7u32.to_be_bytes(), &mut value).unwrap() && value == [1]);
    assert!(stores.flush().is_err());
    record.lock().unwrap().refuses = false;
    stores.flush().unwrap();
    assert_eq!(record.lock().unwrap().batches, [[(0, 30, 30)]]);
}

#[test]
fn a_store_that_falls_idle_is_written_and_flushed_by_time() {
    let (mut stores, record) = stores(1 << 20);
    put(&mut stores, 0..5, 1);
    stores.commit(&[(0, 10)], 1_000).unwrap();
    assert!(!stores.flush_if_due(30_999).unwrap());
    assert!(stores.flush_if_due(31_000).unwrap());
    assert!(!stores.flush_if_due(90_000).unwrap());
    let record = record.lock().unwrap();
    assert_eq!((&record.batches[..], record.flushes), (&[vec![(0, 5, 10)]][..], 1));
}

#[test]
fn scans_between_small_commits_write_nothing_and_after_large_ones_no_more_than_the_commits() {
    let (mut stores, record) = stores(1 << 20);
    let scan = |stores: &mut Stores| {
        stores.range(0, Bounds::ALL, Direction::Forward, &mut |_, _| std::ops::ControlFlow::Break(())).unwrap();
    };
    for commit in 0..20 {
        put(&mut stores, commit * 10..commit * 10 + 10, 1);
        stores.commit(&[(0, 1 + i64::from(commit))], 0).unwrap();
        scan(&mut stores);
    }
    assert!(record.lock().unwrap().batches.is_empty());
    for commit in 20..26 {
        put(&mut stores, commit * 1_000..commit * 1_000 + 900, 1);
        stores.commit(&[(0, 1 + i64::from(commit))], 0).unwrap();
        scan(&mut stores);
        scan(&mut stores);
    }
    assert!((1..=6).contains(&record.lock().unwrap().batches.len()));
}
