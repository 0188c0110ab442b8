//! A count that tells which processor took which record, and when.
// Tests measure real time.
#![allow(clippy::disallowed_methods)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use topology::graph::{Builder, Store, Topic, Topology};
use topology::processor::{self, Context, Processor, Record};
use topology::store::KeyValueStore;

use super::Topics;

/// A record as a processor took it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    /// Which processor of its member.
    pub(crate) processor: usize,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) at: Instant,
}

/// What the processors of a member took, one after the other.
pub(crate) type Taken = Arc<Mutex<Vec<Took>>>;

struct Watched {
    number: usize,
    counts: KeyValueStore<[u8], i64>,
    taken: Taken,
}

impl Processor for Watched {
    type Key = [u8];
    type Value = [u8];
    type KeyOut = [u8];
    type ValueOut = i64;

    fn process(&mut self, record: &Record<'_, [u8], [u8]>, context: &mut Context<'_, [u8], i64>) -> processor::Result {
        let partition = context.partition(record.input).partition;
        let took = Took { processor: self.number, partition, offset: record.offset, at: Instant::now() };
        self.taken.lock().unwrap().push(took);
        let key = record.key.unwrap_or_default();
        let count = self.counts.get(&key)?.unwrap_or(0) + 1;
        self.counts.put(&key, &count)?;
        context.forward(record.with(record.key, Some(count)))
    }
}

/// Counts the records of each key, from an input of so many partitions; each task's processor is numbered.
pub(crate) fn watched(topics: &Topics, partitions: i32, counts: &Store<[u8], i64>, taken: &Taken) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("counting").source::<[u8], [u8]>(Topic::new(&topics.input).partitions(partitions));
    let (taken, made) = (Arc::clone(taken), AtomicUsize::new(0));
    let output = input.processor("count").with_store(counts).supply(move |counts| {
        let number = made.fetch_add(1, Ordering::Relaxed);
        Watched { number, counts, taken: Arc::clone(&taken) }
    });
    output.sink(Topic::new(&topics.output).partitions(1));
    builder.build().unwrap()
}
