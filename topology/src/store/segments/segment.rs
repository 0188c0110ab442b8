//! What one or more commits wrote, frozen, with the positions that they reached.

use std::sync::Arc;

use super::run::{Merged, Run};
use crate::log::{Offset, TopicPartition};
use crate::store::backends::{Bounds, Direction, Writes};
use crate::store::budget::{Gauges, LiveSegment};
use crate::store::changelog::Meta;
use crate::store::error::Result;

/// The writes of consecutive commits of one task: all its stores, as they must become visible, in one step.
#[derive(Debug)]
pub(in crate::store) struct Segment {
    /// The last of these commits, counted since the task's stores were opened.
    commit: u64,
    parts: Vec<Part>,
    size_bytes: usize,
    /// Where it outlives the call that made it.
    _live: Option<LiveSegment>,
}

/// What a segment says of one store.
#[derive(Debug)]
pub(in crate::store) struct Part {
    /// Which store.
    pub(in crate::store) store: usize,
    /// Its writes.
    pub(in crate::store) run: Arc<Run>,
    /// Where it stands with them.
    pub(in crate::store) meta: Meta,
}

impl Segment {
    pub(in crate::store) fn new(commit: u64, parts: Vec<Part>) -> Self {
        let size = |part: &Part| part.run.size_bytes() + size_of::<Part>();
        Self { commit, size_bytes: parts.iter().map(size).sum::<usize>() + size_of::<Self>(), parts, _live: None }
    }

    /// The same, to be shared, and counted for as long as it is in memory.
    pub(in crate::store) fn counted(self, gauges: &Arc<Gauges>) -> Arc<Self> {
        let _live = Some(LiveSegment::new(Arc::clone(gauges), self.size_bytes));
        Arc::new(Self { _live, ..self })
    }

    /// The last commit that it covers.
    pub(in crate::store) fn commit(&self) -> u64 {
        self.commit
    }

    /// What it takes in memory.
    pub(in crate::store) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// What it says of a store.
    pub(in crate::store) fn part(&self, store: usize) -> Option<&Part> {
        self.parts.iter().find(|part| part.store == store)
    }

    /// What a backend must be given.
    pub(in crate::store) fn writes(&self) -> Vec<Writes<'_>> {
        self.parts.iter().map(|part| Writes { store: part.store, run: &part.run, meta: part.meta.clone() }).collect()
    }

    /// The same without a store.
    pub(in crate::store) fn without(&self, store: usize) -> Self {
        let kept = self.parts.iter().filter(|part| part.store != store);
        let copy = |part: &Part| Part { store: part.store, run: Arc::clone(&part.run), meta: part.meta.clone() };
        Self::new(self.commit, kept.map(copy).collect())
    }

    /// Segments that follow each other, oldest first, as one: of each key the last write, of each store the last
    /// position.
    pub(in crate::store) fn merge(segments: &[Arc<Segment>]) -> Result<Self> {
        let mut stores: Vec<usize> =
            segments.iter().flat_map(|segment| &segment.parts).map(|part| part.store).collect();
        stores.sort_unstable();
        stores.dedup();
        let mut parts = Vec::with_capacity(stores.len());
        for store in stores {
            let of_store: Vec<&Part> = segments.iter().filter_map(|segment| segment.part(store)).collect();
            let Some(last) = of_store.last() else { continue };
            let runs: Vec<&Arc<Run>> = of_store.iter().map(|part| &part.run).filter(|run| !run.is_empty()).collect();
            parts.push(Part { store, run: merge(&runs)?, meta: last.meta.clone() });
        }
        Ok(Self::new(segments.last().map_or(0, |segment| segment.commit), parts))
    }
}

/// Runs, oldest first, merged in pairs, and those again: so each write is copied as often as the number of runs has
/// bits.
fn merge(runs: &[&Arc<Run>]) -> Result<Arc<Run>> {
    match runs {
        [] => Ok(Arc::default()),
        [run] => Ok(Arc::clone(run)),
        _ => {
            let (older, newer) = runs.split_at(runs.len() / 2);
            Ok(Arc::new(Run::merge(&*merge(newer)?, &*merge(older)?)?))
        }
    }
}

/// How far a commit took each input of its task: the offset of the next record.
pub(in crate::store) type Inputs = Arc<[(TopicPartition, Offset)]>;

/// The segments of a task that its backend does not have yet, oldest first.
#[derive(Debug, Default)]
pub(in crate::store) struct List {
    segments: Vec<Arc<Segment>>,
    /// As of the task's beginning, or its last commit, whether that wrote anything or not. `None`: what was written
    /// tells.
    inputs: Option<Inputs>,
}

impl List {
    pub(in crate::store) fn new(segments: Vec<Arc<Segment>>, inputs: Option<Inputs>) -> Self {
        Self { segments, inputs }
    }

    pub(in crate::store) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// How far the task's inputs are taken, if a task has begun over the stores, or follows another.
    pub(in crate::store) fn inputs(&self) -> Option<&Inputs> {
        self.inputs.as_ref()
    }

    /// What they say of a key: `Some(None)` if it was deleted, `None` if they say nothing.
    pub(in crate::store) fn get(&self, store: usize, key: &[u8]) -> Option<Option<&[u8]>> {
        self.segments.iter().rev().find_map(|segment| segment.part(store)?.run.get(key))
    }

    /// Where they say that a store stands.
    pub(in crate::store) fn meta(&self, store: usize) -> Option<Meta> {
        self.segments.iter().rev().find_map(|segment| Some(segment.part(store)?.meta.clone()))
    }

    /// All writes to a store within bounds, as one.
    pub(in crate::store) fn within(&self, store: usize, bounds: Bounds<'_>, direction: Direction) -> Merged<'_> {
        let runs =
            self.segments.iter().rev().filter_map(|segment| Some(segment.part(store)?.run.within(bounds, direction)));
        Merged::new(runs.collect(), direction)
    }
}
