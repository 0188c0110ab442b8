//! Topics are created before anything runs, and existing ones are checked: a topic that some broker made up by itself has the
//! wrong partitions or cleanup policy, and is found out only when data is gone.

use std::fmt::Display;
use std::time::Duration;

use crate::error::{Class, Error, Result};
use crate::graph::{Topic, Topology, changelog_topic, dead_letter_topic};
use crate::log::{Log, TopicDescription, TopicIdentity, TopicSpec};
use crate::processor::Limits;
use crate::watch::Known;

use super::Config;

/// So often a topic is looked for that should be there, and with this pause: three seconds where brokers answer at once, in which
/// one that is behind has caught up, and somebody who got a name wrong is not yet impatient.
const LOOK_COUNT: usize = 12;
const LOOK_PAUSE: Duration = Duration::from_millis(250);
/// How long the log may take to say which topics there are.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// The topics that belong to an application alone: its changelogs.
pub fn internal_topics(topology: &Topology, application_id: &str) -> Vec<String> {
    topology.changelog_topics(application_id).collect()
}

/// What is known when all topics are there.
pub(super) struct Prepared {
    /// What those take that are written.
    pub(super) limits: Limits,
    /// The topics, as they are now.
    pub(super) known: Known,
}

/// The graph with the topics that its patterns match now. An error where one matches none: it is looked for several times, as a
/// broker that is behind does not know it yet.
pub(super) fn resolve<L: Log>(
    topology: &Topology,
    log: &L,
    application_id: &str,
    stop: &dyn Fn() -> bool,
) -> Result<Topology> {
    if !topology.has_patterns() {
        return Ok(topology.clone());
    }
    let look = || topology.resolve(application_id, &log.list_topics(LIST_TIMEOUT)?);
    let mut resolved = look()?;
    for _ in 1..LOOK_COUNT {
        if resolved.check_matched().is_ok() || stop() {
            break;
        }
        std::thread::sleep(LOOK_PAUSE);
        resolved = look()?;
    }
    resolved.check_matched()?;
    Ok(resolved)
}

/// As far as patterns match anything now: the graph with the topics that an application may have read.
pub(crate) fn resolve_as_far_as_there<L: Log>(topology: &Topology, log: &L, application_id: &str) -> Result<Topology> {
    match topology.has_patterns() {
        true => topology.resolve(application_id, &log.list_topics(LIST_TIMEOUT)?),
        false => Ok(topology.clone()),
    }
}

/// Checks and creates all topics.
/// Fails soon where `stop` says that nobody waits for it any more.
pub(super) fn prepare<L: Log>(
    topology: &Topology,
    log: &L,
    config: &Config,
    stop: &dyn Fn() -> bool,
) -> Result<Prepared> {
    let mut missing = Vec::new();
    let mut known = Known::new();
    let wanted = wanted(topology, &config.application_id)?;
    check_together(topology, log)?;
    for topic in &wanted {
        match log.describe_topic(topic.name())? {
            Some(found) => know(&mut known, topic, &found)?,
            None if topic.may_create() => missing.push(spec(topic, config.replication_factor)),
            None => match look_again(log, topic, stop)? {
                Some(found) => know(&mut known, topic, &found)?,
                None => return Err(Error::stop(format!("there is no topic '{}': create it first", topic.name()))),
            },
        }
    }
    for topic in &missing {
        tracing::info!(topic = topic.name, partitions = topic.partition_count, "creating topic");
    }
    log.create_topics(&missing)?;
    for topic in wanted.iter().filter(|topic| missing.iter().any(|missing| missing.name == topic.name())) {
        // Somebody else may have made it meanwhile, from another plan; and it may have been there all the time, unknown to a
        // broker that was behind.
        let name = topic.name();
        let found = look_again(log, topic, stop)?
            .ok_or_else(|| Error::stop(format!("topic '{name}' was made and is not to be seen: start again")))?;
        know(&mut known, topic, &found)?;
    }
    Ok(Prepared { limits: limits(topology, log)?, known })
}

/// Whether the topics that one sub-topology reads have as many partitions as each other, as far as they are there: its tasks read
/// the same partition of each.
fn check_together<L: Log>(topology: &Topology, log: &L) -> Result<()> {
    for sub_topology in topology.sub_topologies.iter().filter(|sub| sub.source_topics().len() > 1) {
        let mut first: Option<(&str, i32)> = None;
        for topic in sub_topology.source_topics() {
            let Some(found) = log.describe_topic(topic.name())? else { continue };
            let (name, count) = (topic.name(), found.partition_count);
            match first {
                Some((other, others)) if others != count => {
                    return Err(Error::stop(format!(
                        "sub-topology '{}' reads topic '{other}' with {others} partitions and topic '{name}' with {count}: its \
                         tasks read the same partition of each, so they must have as many. Make one of them anew",
                        sub_topology.name
                    )));
                }
                Some(_) => {}
                None => first = Some((name, count)),
            }
        }
    }
    Ok(())
}

/// Notes a topic that is fit.
fn know(known: &mut Known, topic: &Topic, found: &TopicDescription) -> Result<()> {
    check(topic, found)?;
    known.add(topic.name(), TopicIdentity { id: found.id, partition_count: found.partition_count });
    Ok(())
}

/// Asks several times for a topic that should be there: a broker that is behind does not know it yet.
fn look_again<L: Log>(log: &L, topic: &Topic, stop: &dyn Fn() -> bool) -> Result<Option<TopicDescription>> {
    for _ in 1..LOOK_COUNT {
        if stop() {
            return Err(Error::stop("told to stop before it ran"));
        }
        match log.describe_topic(topic.name()) {
            Ok(Some(found)) => return Ok(Some(found)),
            Err(error) if error.class() != Class::Retry => return Err(error.into()),
            Ok(None) | Err(_) => std::thread::sleep(LOOK_PAUSE),
        }
    }
    Ok(log.describe_topic(topic.name())?)
}

/// All topics, each once.
fn wanted(topology: &Topology, application_id: &str) -> Result<Vec<Topic>> {
    let mut wanted: Vec<Topic> = Vec::new();
    for sub_topology in topology.sub_topologies.iter() {
        // Several input partitions come later; until then they are refused where nobody asks for them, not half done.
        let count = sub_topology.partition_count().map_err(Error::stop)?;
        for source in sub_topology.source_topics() {
            add(&mut wanted, source.clone().partitions(count))?;
            let dead_letters = Topic::new(dead_letter_topic(source.name())).config("retention.ms", "-1");
            add(&mut wanted, appended(dead_letters.partitions(1)))?;
        }
        for store in sub_topology.stores.iter().filter(|store| store.has_changelog) {
            let changelog = Topic::new(changelog_topic(application_id, &store.name)).partitions(count);
            add(&mut wanted, appended(changelog.config("cleanup.policy", "compact")))?;
        }
    }
    for sink in topology.sink_topics() {
        add(&mut wanted, sink.clone())?;
    }
    Ok(wanted)
}

/// A topic whose records get the log's time. With their own, they would be refused wherever clocks differ by more than the topic
/// takes: an hour ahead, by default.
fn appended(topic: Topic) -> Topic {
    topic.config("message.timestamp.type", "LogAppendTime")
}

/// Adds a topic. One that is there already, as where one stage writes what the next one reads, must be what both ask for:
/// Kafka refuses to create one topic twice.
fn add(wanted: &mut Vec<Topic>, topic: Topic) -> Result<()> {
    let Some(there) = wanted.iter_mut().find(|there| there.name() == topic.name()) else {
        wanted.push(topic);
        return Ok(());
    };
    let conflict = |what: &str, one: &dyn Display, other: &dyn Display| {
        let name = topic.name();
        Err(Error::stop(format!(
            "topic '{name}' is asked for with {what} {one} and {other}: use the same, or two topics"
        )))
    };
    let mut both = there.clone();
    match (there.partition_count(), topic.partition_count()) {
        (Some(one), Some(other)) if one != other => return conflict("partition count", &one, &other),
        (None, Some(count)) => both = both.partitions(count),
        _ => {}
    }
    for (name, value) in topic.settings() {
        match there.settings().iter().find(|(at, _)| at == name) {
            Some((_, other)) if other != value => return conflict(name, other, value),
            Some(_) => {}
            None => both = both.config(name, value),
        }
    }
    if !topic.may_create() {
        both = both.must_exist();
    }
    *there = both;
    Ok(())
}

/// What sinks must know of their topics, and how large a dead letter may be.
fn limits<L: Log>(topology: &Topology, log: &L) -> Result<Limits> {
    let mut limits = Limits::default();
    for source in topology.source_topics() {
        if let Some(found) = log.describe_topic(&dead_letter_topic(source.name()))? {
            let largest = found.record_limits().size_max_bytes;
            limits.dead_letter_max_bytes = limits.dead_letter_max_bytes.min(largest);
        }
    }
    for sink in topology.sink_topics() {
        if let Some(found) = log.describe_topic(sink.name())? {
            limits.topics.insert(sink.name().to_owned(), found.record_limits());
        }
    }
    Ok(limits)
}

fn spec(topic: &Topic, replication_factor: Option<i32>) -> TopicSpec {
    TopicSpec {
        name: topic.name().to_owned(),
        partition_count: topic.partition_count().unwrap_or(1),
        replication_factor,
        config: topic.settings().to_vec(),
    }
}

/// Whether an existing topic is fit; the error says what is wrong and what to do.
fn check(topic: &Topic, found: &TopicDescription) -> Result<()> {
    let name = topic.name();
    if let Some(wanted) = topic.partition_count()
        && wanted != found.partition_count
    {
        let count = found.partition_count;
        return Err(Error::stop(format!(
            "topic '{name}' has {count} partitions, {wanted} needed (more are not supported yet): use another topic, or \
             delete it and let it be created"
        )));
    }
    if let Some(wanted) = topic.setting("cleanup.policy")
        && wanted != found.cleanup_policy
    {
        let policy = &found.cleanup_policy;
        return Err(Error::stop(format!(
            "topic '{name}' has cleanup.policy={policy}, {wanted} needed: data would be lost or pile up; change it, or \
             delete the topic and let it be created"
        )));
    }
    if let Some(wanted) = topic.setting("message.timestamp.type")
        && wanted != found.timestamp_type
    {
        let kind = &found.timestamp_type;
        return Err(Error::stop(format!(
            "topic '{name}' has message.timestamp.type={kind}, {wanted} needed: else it would refuse records whose time is too \
             far from the broker's. Change it (kafka-configs.sh --alter --topic {name} --add-config \
             message.timestamp.type={wanted}), and start again"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::TopicId;

    fn found(partition_count: i32, cleanup_policy: &str) -> TopicDescription {
        TopicDescription {
            id: TopicId::from_bytes([1; 16]),
            partition_count,
            cleanup_policy: cleanup_policy.into(),
            timestamp_type: "CreateTime".into(),
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            delete_retention_ms: 86_400_000,
            max_message_bytes: 1_048_588,
        }
    }

    #[test]
    fn an_existing_topic_with_other_partitions_policy_or_time_is_refused_by_name() {
        let topic = Topic::new("chain").partitions(1).config("cleanup.policy", "compact");
        assert!(check(&topic, &found(1, "compact")).is_ok());
        let partitions = check(&topic, &found(3, "compact")).unwrap_err().to_string();
        assert!(partitions.contains("'chain' has 3 partitions"), "{partitions}");
        let time = check(&appended(topic.clone()), &found(1, "compact")).unwrap_err().to_string();
        assert!(time.contains("'chain' has message.timestamp.type=CreateTime, LogAppendTime needed"), "{time}");
        let policy = check(&topic, &found(1, "delete")).unwrap_err().to_string();
        assert!(policy.contains("cleanup.policy=delete"), "{policy}");
    }

    #[test]
    fn a_topic_between_two_stages_is_asked_for_once_with_what_both_want() {
        let mut wanted = Vec::new();
        add(&mut wanted, Topic::new("between").partitions(1)).unwrap();
        add(&mut wanted, Topic::new("other")).unwrap();
        add(&mut wanted, Topic::new("between").config("cleanup.policy", "compact").must_exist()).unwrap();
        let between = Topic::new("between").partitions(1).config("cleanup.policy", "compact").must_exist();
        assert_eq!(wanted, [between, Topic::new("other")]);
        let partitions = add(&mut wanted, Topic::new("between").partitions(3)).unwrap_err().to_string();
        assert!(partitions.contains("'between' is asked for with partition count 1 and 3"), "{partitions}");
        let policy =
            add(&mut wanted, Topic::new("between").config("cleanup.policy", "delete")).unwrap_err().to_string();
        assert!(policy.contains("cleanup.policy compact and delete"), "{policy}");
    }
}
