//! Which tasks can be read here.
//!
//! ```text
//!             a task begins: offer               its offer is dropped: it is taken out of its work, goes, or ends
//!   absent ────────────────────────> readable ────────────────────────────────────────────────────────────────> absent
//! ```
//! The table is replaced as a whole, at each hand-over and never per record. Who has found a task in it and reads while
//! it goes finds that out behind the read, and takes what it read for void: a restore may have begun to change the
//! stores.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};

use super::error::{Error, Holder, Result};
use super::lookout::Others;
use super::metadata::{Inputs, Metadata};
use crate::graph::Topology;
use crate::store::{self, Reader};
use crate::task::TaskId;

/// The tasks of a process that can be read, of all its threads.
#[derive(Debug)]
pub(crate) struct Registry {
    sub_topologies: Vec<SubTopology>,
    /// What each reads, once the topics are known.
    inputs: OnceLock<Vec<Inputs>>,
    others: Others,
    tables: ArcSwap<Tables>,
    is_closed: AtomicBool,
}

#[derive(Debug)]
struct SubTopology {
    name: String,
    /// In the order in which its tasks number them.
    stores: Vec<NamedStore>,
}

#[derive(Debug)]
struct NamedStore {
    name: String,
    /// Whether the graph knows that each key is where the log's default partitioner puts it.
    is_by_key: bool,
}

/// For each sub-topology the tasks that can be read, by partition.
pub(super) type Tables = Vec<BTreeMap<i32, Arc<Readable>>>;

/// A task that can be read.
#[derive(Debug)]
pub(super) struct Readable {
    id: TaskId,
    reader: Reader,
    standing: Standing,
    has_gone: AtomicBool,
}

/// What an instance has of a task.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// It runs here.
    Active,
    /// Its stores follow those of another instance, by so many changelog offsets behind, which the follower keeps up to
    /// date.
    Standby(Arc<AtomicU64>),
}

/// What an instance has of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// It runs here: committed values are here at once. In a rebalance of a classic group the task can be read until
    /// the group has answered this member. Where the answer comes late another instance may have begun, and be further.
    Active,
    /// A copy that follows the instance where the task runs. Its stores may be of different commits, and a store of a
    /// part of one.
    Standby {
        /// How many offsets of its changelogs, all together, it is behind. Not all of them are records.
        lag: u64,
    },
}

/// A task that can be read here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalTask {
    /// Which task.
    pub task: TaskId,
    /// What this instance has of it.
    pub role: Role,
}

/// A task can be read for as long as this is kept. It must go before anything but commits of the task itself changes
/// the stores.
#[derive(Debug)]
pub(crate) struct Offer {
    registry: Arc<Registry>,
    sub_topology: usize,
    readable: Arc<Readable>,
}

impl Registry {
    /// Of this graph, whose topics may still have to be found out.
    pub(crate) fn new(topology: &Topology) -> Arc<Self> {
        let sub_topologies = topology.sub_topologies.iter().enumerate().map(|(index, spec)| {
            let stores = spec.stores.iter().zip(topology.stores_by_key(index));
            let named = |(store, is_by_key): (&store::Spec, bool)| NamedStore { name: store.name.clone(), is_by_key };
            SubTopology { name: spec.name.clone(), stores: stores.map(named).collect() }
        });
        let sub_topologies: Vec<SubTopology> = sub_topologies.collect();
        let tables = ArcSwap::from_pointee(sub_topologies.iter().map(|_| BTreeMap::new()).collect());
        let (inputs, others, is_closed) = (OnceLock::new(), Others::default(), AtomicBool::new(false));
        Arc::new(Self { sub_topologies, inputs, others, tables, is_closed })
    }

    /// The topics are known: this is the graph with all of them. Once.
    pub(crate) fn resolve(&self, topology: &Topology) {
        let inputs = topology.sub_topologies.iter().map(|spec| {
            let topics = spec.source_topics().iter().map(|topic| topic.name().to_owned()).collect();
            let partition_count = spec.partition_count();
            Inputs { sub_topology: spec.name.clone(), topics, partition_count }
        });
        // Who says it twice says the same.
        let _ = self.inputs.set(inputs.collect());
    }

    /// From now on a task can be read: its stores are as a commit left them, and nothing but its commits will change
    /// them before the offer is dropped. It takes the place of what was offered before under this name. `sub_topology`
    /// is its index in the graph.
    pub(crate) fn offer(
        self: &Arc<Self>,
        sub_topology: usize,
        id: TaskId,
        reader: Reader,
        standing: Standing,
    ) -> Offer {
        let readable = Arc::new(Readable { id, reader, standing, has_gone: AtomicBool::new(false) });
        self.change(sub_topology, |table| drop(table.insert(readable.id.partition, Arc::clone(&readable))));
        Offer { registry: Arc::clone(self), sub_topology, readable }
    }

    /// Nothing will be read here any more.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    pub(super) fn sub_topology(&self, name: &str) -> Result<usize> {
        let found = self.sub_topologies.iter().position(|sub| sub.name == name);
        found.ok_or_else(|| Error::Invalid(format!("the graph has no sub-topology '{name}'")))
    }

    /// The sub-topology that has a store of this name, and the store's number in it.
    pub(super) fn store(&self, name: &str) -> Result<(usize, usize)> {
        let in_one = |sub: &SubTopology| sub.stores.iter().position(|store| store.name == name);
        let found = self.sub_topologies.iter().enumerate().find_map(|(at, sub)| Some((at, in_one(sub)?)));
        found.ok_or_else(|| Error::Invalid(format!("the graph has no store '{name}'")))
    }

    /// Whether the graph knows that each key of a store is in the task where the log's default partitioner puts it.
    pub(super) fn is_by_key(&self, sub_topology: usize, store: usize) -> bool {
        let found = self.sub_topologies.get(sub_topology).and_then(|sub| sub.stores.get(store));
        found.is_some_and(|store| store.is_by_key)
    }

    pub(super) fn store_of(&self, task: &TaskId, name: &str) -> Result<usize> {
        let (sub_topology, store) = self.store(name)?;
        if self.sub_topologies[sub_topology].name == task.sub_topology {
            return Ok(store);
        }
        Err(Error::Invalid(format!(
            "task {task} has no store '{name}': sub-topology '{}' has it",
            self.name(sub_topology)
        )))
    }

    /// What sub-topologies read, as soon as that is known.
    pub(super) fn inputs(&self) -> &[Inputs] {
        self.inputs.get().map_or(&[], Vec::as_slice)
    }

    /// How many partitions a sub-topology has, as soon as that is known.
    pub(super) fn partition_count(&self, sub_topology: usize) -> Option<i32> {
        self.inputs().get(sub_topology).map(|inputs| inputs.partition_count)
    }

    /// What is known of other instances.
    pub(super) fn others(&self) -> &Others {
        &self.others
    }

    /// Which instance has which tasks: the group is asked.
    pub(super) fn metadata(&self) -> Result<Metadata> {
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(Error::Closed);
        }
        self.others.ask(self)
    }

    /// What can be read now.
    pub(super) fn tables(&self) -> Guard<Arc<Tables>> {
        self.tables.load()
    }

    /// A task, if it can be read here.
    pub(super) fn find(&self, sub_topology: usize, partition: i32, with_standbys: bool) -> Option<Arc<Readable>> {
        let found = self.tables().get(sub_topology)?.get(&partition).map(Arc::clone);
        found.filter(|readable| with_standbys || readable.is_active())
    }

    /// What reads the stores of each task.
    pub(crate) fn readers(&self) -> Vec<(TaskId, Reader)> {
        let readable = |readable: &Arc<Readable>| (readable.id.clone(), readable.reader.clone());
        self.tables().iter().flat_map(BTreeMap::values).map(readable).collect()
    }

    pub(super) fn all(&self) -> Vec<LocalTask> {
        self.tables().iter().flat_map(BTreeMap::values).map(|readable| readable.local_task()).collect()
    }

    /// Why a task is not here.
    #[cold]
    pub(super) fn absent(&self, sub_topology: usize, partition: i32) -> Error {
        if self.is_closed.load(Ordering::SeqCst) {
            return Error::Closed;
        }
        let task = self.task(sub_topology, partition);
        let count = self.partition_count(sub_topology);
        if let Some(count) = count.filter(|count| !(0..*count).contains(&partition)) {
            return Error::Invalid(format!("there is no task {task}: its sub-topology has {count} partitions"));
        }
        match self.others.known().as_ref().and_then(|known| known.holder(&task)) {
            Some(holder) if !holder.is_here => Error::Elsewhere { task, address: holder.address.clone() },
            _ => Error::Moving(format!("task {task}")),
        }
    }

    /// Who may have what no task has that is here: one of these.
    #[cold]
    pub(super) fn undecided(&self, sub_topology: usize, absent: impl Iterator<Item = i32>) -> Error {
        if self.is_closed.load(Ordering::SeqCst) {
            return Error::Closed;
        }
        let known = self.others.known();
        let (mut holders, mut moving) = (Vec::new(), Vec::new());
        for task in absent.map(|partition| self.task(sub_topology, partition)) {
            match known.as_ref().and_then(|known| known.holder(&task)) {
                Some(holder) if !holder.is_here => holders.push(Holder { task, address: holder.address.clone() }),
                _ => moving.push(task),
            }
        }
        let none_is_here = self.partition_count(sub_topology).is_some_and(|count| moving.len() == count as usize);
        if none_is_here { self.all_absent(sub_topology) } else { Error::Undecided { holders, moving } }
    }

    /// Why no task of a sub-topology is here.
    #[cold]
    pub(super) fn all_absent(&self, sub_topology: usize) -> Error {
        // The first one stands for all.
        self.absent(sub_topology, 0)
    }

    pub(super) fn task(&self, sub_topology: usize, partition: i32) -> TaskId {
        TaskId { sub_topology: self.name(sub_topology).to_owned(), partition }
    }

    fn name(&self, sub_topology: usize) -> &str {
        self.sub_topologies.get(sub_topology).map_or("", |sub| &sub.name)
    }

    fn change(&self, sub_topology: usize, change: impl Fn(&mut BTreeMap<i32, Arc<Readable>>)) {
        self.tables.rcu(|tables| {
            let mut tables = Tables::clone(tables);
            tables.get_mut(sub_topology).into_iter().for_each(&change);
            tables
        });
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // First: a reader that goes on must find out, and what changes the stores comes after this.
        self.readable.has_gone.store(true, Ordering::SeqCst);
        let partition = self.readable.id.partition;
        self.registry.change(self.sub_topology, |table| {
            // Another thread may have offered it since.
            if table.get(&partition).is_some_and(|there| Arc::ptr_eq(there, &self.readable)) {
                table.remove(&partition);
            }
        });
    }
}

impl Readable {
    pub(super) fn id(&self) -> &TaskId {
        &self.id
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.standing, Standing::Active)
    }

    pub(super) fn role(&self) -> Role {
        match &self.standing {
            Standing::Active => Role::Active,
            Standing::Standby(lag) => Role::Standby { lag: lag.load(Ordering::Relaxed) },
        }
    }

    fn local_task(&self) -> LocalTask {
        LocalTask { task: self.id.clone(), role: self.role() }
    }

    /// Reads the stores.
    pub(super) fn read<R>(&self, read: impl FnOnce(&Reader) -> store::Result<R>) -> Result<R> {
        self.vouch(read(&self.reader))
    }

    /// Takes what was read for void if the task has gone meanwhile.
    pub(super) fn vouch<R>(&self, read: store::Result<R>) -> Result<R> {
        if self.has_gone.load(Ordering::SeqCst) {
            return Err(self.moving());
        }
        read.map_err(|error| match error.kind() {
            store::Kind::Closed => self.moving(),
            _ => Error::Store(error),
        })
    }

    #[cold]
    fn moving(&self) -> Error {
        Error::Moving(format!("task {}", self.id))
    }
}
