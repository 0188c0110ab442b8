//! What a process needs to keep standbys: who is in the group, and how stores are opened and followed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::graph::{SubTopologySpec, Topology, changelog_topic};
use crate::log::{self, Isolation, Log, TopicPartition};
use crate::metrics::Metrics;
use crate::query::{self, ClientName, Offer, Registry, Standing};
use crate::standby::{Home, Member, Stateful, all_standbys};
use crate::standby::{Keeper, Planner, StandbyThread};
use crate::store::{self, InstanceId, Resources, StateDirectory, Stores};
use crate::stream_thread::{Config, standby_options};
use crate::task::TaskId;
use crate::updater::{self, Changelog, Followed, NewChangelog, Plan, UpdaterThread};

/// The standbys of a process, and the thread that looks which to keep. Dropped, all are closed.
pub(super) struct Standbys {
    keeper: Arc<Keeper>,
    _thread: StandbyThread,
}

impl Standbys {
    /// `None` where the settings want none, or there is no state to keep warm.
    pub(super) fn start<L: Log>(
        home: ProcessHome<L>,
        instance: &InstanceId,
        updater: &UpdaterThread<TaskId>,
    ) -> Result<Option<Self>> {
        let Some((keeper, planner)) = keeper(home, instance, || updater.handle())? else { return Ok(None) };
        let thread = StandbyThread::start(Arc::clone(&keeper), planner)?;
        Ok(Some(Self { keeper, _thread: thread }))
    }

    pub(super) fn keeper(&self) -> Arc<Keeper> {
        Arc::clone(&self.keeper)
    }
}

/// What keeps the standbys of a process, and what looks which to keep; `None` where the settings want none, or there is
/// no state to keep warm.
pub(crate) fn keeper<L: Log>(
    home: ProcessHome<L>,
    instance: &InstanceId,
    handle: impl FnOnce() -> Result<updater::Handle<TaskId>>,
) -> Result<Option<(Arc<Keeper>, Planner)>> {
    let stateful = stateful(&home.topology);
    let replica_count = home.config.standby_replicas;
    if replica_count == 0 || stateful.is_empty() {
        return Ok(None);
    }
    let (log, application_id) = (home.log.clone(), home.config.application_id.clone());
    let planner = Planner {
        members: Box::new(move || members(&log, &application_id)),
        stateful,
        process: instance.as_str().to_owned(),
        replica_count,
    };
    Ok(Some((Arc::new(Keeper::new(handle()?, Box::new(home))), planner)))
}

/// Opens the stores of standbys, and offers them to queries while they follow.
pub(crate) struct ProcessHome<L: Log> {
    pub(crate) config: Config,
    pub(crate) topology: Topology,
    pub(crate) log: L,
    pub(crate) directory: Option<Arc<StateDirectory>>,
    pub(crate) resources: Resources,
    pub(crate) queries: Arc<Registry>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) followed: Mutex<BTreeMap<TaskId, Kept>>,
}

/// A standby.
pub(crate) struct Kept {
    followed: Arc<Followed>,
    lag: Arc<AtomicU64>,
    _offer: Offer,
}

impl<L: Log> ProcessHome<L> {
    fn spec(&self, task: &TaskId) -> Result<(usize, &SubTopologySpec)> {
        let found = self.topology.sub_topologies.iter().enumerate().find(|(_, spec)| spec.name == task.sub_topology);
        found.ok_or_else(|| Error::stop(format!("there is no sub-topology {}", task.sub_topology)))
    }

    fn changelogs(&self, task: &TaskId) -> Result<Vec<Option<TopicPartition>>> {
        let (_, spec) = self.spec(task)?;
        let of = |spec: &store::Spec| {
            let topic = changelog_topic(&self.config.application_id, &spec.name);
            spec.has_changelog.then(|| TopicPartition::new(topic, task.partition))
        };
        Ok(spec.stores.iter().map(of).collect())
    }
}

impl<L: Log> Home for ProcessHome<L> {
    fn open(&self, task: &TaskId) -> Result<Stores> {
        let (_, spec) = self.spec(task)?;
        let (name, directory) = (task.to_string(), self.directory.as_deref());
        Stores::of_task(&name, &spec.stores, directory, self.config.fingerprint, &self.resources)
    }

    fn plan(&self, task: &TaskId, stores: &Stores) -> Result<Plan> {
        let (index, _) = self.spec(task)?;
        let changelogs = self.changelogs(task)?;
        let followed = Arc::new(Followed::new(changelogs.iter().flatten().cloned().collect()));
        let lag = Arc::new(AtomicU64::new(u64::MAX));
        let offer = self.queries.offer(index, task.clone(), stores.reader(), Standing::Standby(Arc::clone(&lag)));
        let kept = Kept { followed: Arc::clone(&followed), lag, _offer: offer };
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).insert(task.clone(), kept);
        let of =
            |changelog: TopicPartition| Changelog { topic: changelog.topic, beginning: NewChangelog::Alone([0; 16]) };
        let changelogs = changelogs.into_iter().map(|changelog| changelog.map(of)).collect();
        let options = standby_options(&self.config);
        Ok(Plan { partition: task.partition, changelogs, options, followed: Some(followed) })
    }

    fn gone(&self, task: &TaskId) {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).remove(task);
        self.metrics.exported().set_standby_lag(&task.to_string(), None);
    }

    fn measure(&self) {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |(task, kept): (&TaskId, &Kept)| (task.clone(), Arc::clone(&kept.followed), Arc::clone(&kept.lag));
        let all: Vec<_> = followed.iter().map(of).collect();
        drop(followed);
        for (task, followed, lag) in all {
            let behind = |(changelog, position): (&TopicPartition, Option<i64>)| {
                let end = self.log.watermarks(changelog, Isolation::ReadCommitted).ok()?.high;
                u64::try_from(end.saturating_sub(position?)).ok().or(Some(0))
            };
            // What cannot be told now was told before, or never.
            if let Some(sum) = followed.positions().map(behind).sum::<Option<u64>>() {
                lag.store(sum, Ordering::Relaxed);
                self.metrics.exported().set_standby_lag(&task.to_string(), Some(sum));
            }
        }
    }
}

/// Works out for queries what each instance keeps warm, as each does for itself.
pub(super) fn planned(topology: &Topology, config: &Config) -> Box<query::Planned> {
    let (stateful, replica_count) = (stateful(topology), config.standby_replicas);
    let application_id = config.application_id.clone();
    Box::new(move |members| {
        let members: Vec<Member> = members.iter().map(|member| of_group(member, &application_id)).collect();
        let standbys = all_standbys(&members, &stateful, replica_count).into_iter();
        standbys.map(|(process, tasks)| (process.to_owned(), tasks)).collect()
    })
}

/// The members of the application's group.
fn members<L: Log>(log: &L, application_id: &str) -> Result<Vec<Member>> {
    let members = log.describe_group(application_id).map_err(log::Error::may_pass)?;
    Ok(members.iter().map(|member| of_group(member, application_id)).collect())
}

fn of_group(member: &log::GroupMember, application_id: &str) -> Member {
    let process = ClientName::parse(&member.client_id, application_id).map(|name| name.instance_id);
    Member {
        process: process.unwrap_or(&member.client_id).to_owned(),
        order: member.instance_id.as_ref().unwrap_or(&member.id).clone(),
        assigned: member.partitions.clone(),
    }
}

/// The sub-topologies with state that comes back from changelogs.
fn stateful(topology: &Topology) -> Vec<Stateful> {
    let mut stateful = Vec::new();
    for spec in topology.sub_topologies.iter() {
        let has_state = spec.stores.iter().any(|store| store.has_changelog);
        if let (true, Some(topic)) = (has_state, spec.source_topics().first()) {
            let partition_count = spec.partition_count();
            stateful.push(Stateful { name: spec.name.clone(), topic: topic.name().to_owned(), partition_count });
        }
    }
    stateful
}
