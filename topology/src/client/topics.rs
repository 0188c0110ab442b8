//! Topics are created before anything runs, and existing ones are checked: a topic that some broker made up by itself
//! has the wrong partitions or cleanup policy, and is found out only when data is gone.
//!
//! ```text
//!   resolve ──> look at all ──> plan ──> make what it misses first ──> look at that ─┐
//!                                ^                                                   │
//!                                └───────────────────────────────────────────────────┘   until nothing is missing
//! ```
//! What is to be is decided by [`plan`](crate::graph::plan); here it is done.

use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Class, Error, Result};
use crate::graph::plan::{CheckedTopic, Found, Plan, check, needed};
use crate::graph::{Topic, Topology, dead_letter_topic};
use crate::log::{Log, TopicDescription, TopicIdentity, TopicSpec};
use crate::processor::Limits;
use crate::watch::Known;

use super::Config;

/// So often a topic is looked for that should be there, and with this pause: three seconds where brokers answer at
/// once, in which one that is behind has caught up, and somebody who got a name wrong is not yet impatient.
const LOOK_COUNT: usize = 12;
const LOOK_PAUSE: Duration = Duration::from_millis(250);
/// How long the log may take to say which topics there are.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// The topics that belong to an application alone: its changelogs and its repartition topics.
pub fn internal_topics(topology: &Topology, application_id: &str) -> Vec<String> {
    topology.changelog_topics(application_id).chain(topology.repartition_topics(application_id)).collect()
}

/// The topics that a run of this application needs, beside what there is of them now. Nothing is made.
/// `replication_factor` is that of [`Config::replication_factor`]. The error is of the log, or about topics that do not
/// fit each other.
///
/// ```
/// # use std::sync::Arc;
/// use topology::client::{TopicState, check_topics};
/// use topology::graph::{Builder, Store};
/// # use topology::log::memory::MemoryLog;
///
/// # fn main() -> topology::Result<()> {
/// # let log = MemoryLog::new(Arc::new(|| 0));
/// let builder = Builder::new();
/// builder.sub_topology("counting").source::<str, ()>("words").count(&Store::memory("counts")).sink("totals");
///
/// let topics = check_topics(&builder.build()?, &log, "app", None)?;
/// let missing = topics.iter().filter(|checked| checked.state() == TopicState::Missing);
/// let missing: Vec<&str> = missing.map(|checked| checked.topic.name()).collect();
/// assert_eq!(missing, ["words", "words-dead-letters", "app-counts-changelog", "totals"]);
/// # Ok(())
/// # }
/// ```
pub fn check_topics<L: Log>(
    topology: &Topology,
    log: &L,
    application_id: &str,
    replication_factor: Option<i32>,
) -> Result<Vec<CheckedTopic>> {
    let resolved = resolve_as_far_as_there(topology, log, application_id)?;
    resolved.check_matched()?;
    let mut found = Found::new();
    for topic in needed(&resolved, application_id)? {
        found.extend(log.describe_topic(topic.name())?.map(|there| (topic.name().to_owned(), there)));
    }
    check(&resolved, application_id, &found, replication_factor)
}

/// What is known when all topics are there.
pub(crate) struct Prepared {
    /// The graph, each topic of which says how many partitions it has.
    pub(crate) topology: Topology,
    /// What those take that are written.
    pub(crate) limits: Limits,
    /// The topics, as they are now.
    pub(crate) known: Known,
}

/// The graph under the names of this application, with the topics that its patterns match now. An error where one
/// matches none: it is looked for several times, as a broker that is behind does not know it yet.
pub(crate) fn resolve<L: Log>(
    topology: &Topology,
    (log, clock): (&L, &dyn Clock),
    application_id: &str,
    stop: &dyn Fn() -> bool,
) -> Result<Topology> {
    let look = || resolve_as_far_as_there(topology, log, application_id);
    let mut resolved = look()?;
    for _ in 1..LOOK_COUNT {
        if resolved.check_matched().is_ok() || stop() {
            break;
        }
        clock.sleep(LOOK_PAUSE);
        resolved = look()?;
    }
    resolved.check_matched()?;
    Ok(resolved)
}

/// As far as patterns match anything now: the graph with the topics that an application may have read.
pub(crate) fn resolve_as_far_as_there<L: Log>(topology: &Topology, log: &L, application_id: &str) -> Result<Topology> {
    let names = if topology.has_patterns() { log.list_topics(LIST_TIMEOUT)? } else { Vec::new() };
    topology.resolve(application_id, &names)
}

/// Plans, checks and creates all topics of a resolved graph. Fails soon where `stop` says that no one waits for it any
/// more.
pub(crate) fn prepare<L: Log>(
    topology: &Topology,
    (log, clock): (&L, &dyn Clock),
    config: &Config,
    stop: &dyn Fn() -> bool,
) -> Result<Prepared> {
    let mut found = look_at_all(&needed(topology, &config.application_id)?, (log, clock), stop)?;
    let mut told = Vec::new();
    loop {
        let plan = Plan::new(topology, &config.application_id, &found)?;
        tell(&plan, &mut told);
        let missing = plan.missing();
        if missing.is_empty() {
            return Ok(prepared(plan, &found));
        }
        let specs: Vec<TopicSpec> = missing.iter().map(|topic| spec(topic, config.replication_factor)).collect();
        for topic in &specs {
            tracing::info!(topic = topic.name, partitions = topic.partition_count, "creating topic");
        }
        log.create_topics(&specs)?;
        for topic in missing {
            let name = topic.name();
            let there = look_again((log, clock), name, stop)?
                .ok_or_else(|| Error::stop(format!("topic '{name}' was made and is not to be seen: start again")))?;
            found.insert(name.to_owned(), there);
        }
    }
}

/// Says what was found and what is to be made; once, unless numbers turn out to be others.
fn tell(plan: &Plan, told: &mut Vec<(String, Option<i32>)>) {
    let counts: Vec<_> = plan.topics().map(|topic| (topic.name().to_owned(), topic.partition_count())).collect();
    if counts != *told {
        plan.to_string().lines().for_each(|line| tracing::info!("plan: {line}"));
        *told = counts;
    }
}

fn prepared(plan: Plan, found: &Found) -> Prepared {
    let mut known = Known::new();
    let there = plan.topics().filter_map(|topic| found.get_key_value(topic.name()));
    for (name, TopicDescription { id, partition_count, .. }) in there {
        known.add(name, TopicIdentity { id: *id, partition_count: *partition_count });
    }
    Prepared { limits: limits(&plan.topology, found), known, topology: plan.topology }
}

/// What the log says of these topics. One that must be there is asked for several times; where it is not to be seen,
/// others are not waited for.
fn look_at_all<L: Log>(topics: &[Topic], (log, clock): (&L, &dyn Clock), stop: &dyn Fn() -> bool) -> Result<Found> {
    let mut found = Found::new();
    let mut is_patient = true;
    for topic in topics {
        let mut there = log.describe_topic(topic.name())?;
        if there.is_none() && !topic.may_create() && is_patient {
            there = look_again((log, clock), topic.name(), stop)?;
            is_patient = there.is_some();
        }
        found.extend(there.map(|there| (topic.name().to_owned(), there)));
    }
    Ok(found)
}

/// Asks several times for a topic that should be there: a broker that is behind does not know it yet.
fn look_again<L: Log>(
    (log, clock): (&L, &dyn Clock),
    topic: &str,
    stop: &dyn Fn() -> bool,
) -> Result<Option<TopicDescription>> {
    for _ in 1..LOOK_COUNT {
        if stop() {
            return Err(Error::stop("told to stop before it ran"));
        }
        match log.describe_topic(topic) {
            Ok(Some(found)) => return Ok(Some(found)),
            Err(error) if error.class() != Class::Retry => return Err(error.into()),
            Ok(None) | Err(_) => clock.sleep(LOOK_PAUSE),
        }
    }
    Ok(log.describe_topic(topic)?)
}

/// What sinks must know of their topics, and how large a dead letter may be.
fn limits(topology: &Topology, found: &Found) -> Limits {
    let mut limits = Limits::default();
    for source in topology.source_topics() {
        if let Some(found) = found.get(&dead_letter_topic(source.name())) {
            let largest = found.record_limits().size_max_bytes;
            limits.dead_letter_max_bytes = limits.dead_letter_max_bytes.min(largest);
        }
    }
    for sink in topology.sink_topics() {
        if let Some(found) = found.get(sink.name()) {
            limits.topics.insert(sink.name().to_owned(), found.record_limits());
        }
    }
    limits
}

fn spec(topic: &Topic, replication_factor: Option<i32>) -> TopicSpec {
    TopicSpec {
        name: topic.name().to_owned(),
        partition_count: topic.partition_count().unwrap_or(1),
        replication_factor,
        config: topic.settings().to_vec(),
    }
}
