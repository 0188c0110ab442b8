//! All topics of a graph, and what is asked of each.

use std::fmt::Display;

use crate::error::{Error, Result};
use crate::graph::{Topic, Topology, changelog_topic, dead_letter_topic};
use crate::log::TopicDescription;

/// What a topic is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The graph names it.
    Named,
    /// Between sub-topologies.
    Repartition,
    /// For input that cannot be processed.
    DeadLetters,
    /// Of a store of this sub-topology.
    Changelog { sub_topology: String },
}

impl Purpose {
    /// When it is made: what its number of partitions follows from is made before.
    pub(super) fn stage(&self) -> usize {
        match self {
            Self::Named => 0,
            Self::Repartition => 1,
            Self::DeadLetters | Self::Changelog { .. } => 2,
        }
    }

    fn of(topic: &Topic) -> Self {
        if topic.is_repartition() { Self::Repartition } else { Self::Named }
    }
}

/// All topics of a graph, each once, whatever their partitions.
pub(crate) fn needed(topology: &Topology, application_id: &str) -> Result<Vec<Topic>> {
    Ok(of(topology, application_id)?.into_iter().map(|(topic, _)| topic).collect())
}

/// All topics, each once.
pub(super) fn of(topology: &Topology, application_id: &str) -> Result<Vec<(Topic, Purpose)>> {
    let mut topics = Vec::new();
    for sub_topology in topology.sub_topologies.iter() {
        let count = sub_topology.partition_count();
        for source in sub_topology.source_topics() {
            add(&mut topics, source.clone(), Purpose::of(source))?;
            let dead_letters = Topic::new(dead_letter_topic(source.name())).config("retention.ms", "-1");
            add(&mut topics, appended(dead_letters.partitions(1)), Purpose::DeadLetters)?;
        }
        for store in sub_topology.stores.iter().filter(|store| store.has_changelog) {
            let changelog = Topic::new(changelog_topic(application_id, &store.name)).partitions(count);
            let purpose = Purpose::Changelog { sub_topology: sub_topology.name.clone() };
            add(&mut topics, appended(changelog.config("cleanup.policy", "compact")), purpose)?;
        }
    }
    for sink in topology.sink_topics() {
        add(&mut topics, sink.clone(), Purpose::of(sink))?;
    }
    Ok(topics)
}

/// A topic whose records get the log's time. With their own, they would be refused wherever clocks differ by more than
/// the topic takes: an hour ahead, by default.
fn appended(topic: Topic) -> Topic {
    topic.config("message.timestamp.type", "LogAppendTime")
}

/// Adds a topic. One that is there already, as where one stage writes what the next one reads, must be what both ask
/// for: Kafka refuses to create one topic twice.
fn add(topics: &mut Vec<(Topic, Purpose)>, topic: Topic, purpose: Purpose) -> Result<()> {
    let Some((there, known)) = topics.iter_mut().find(|(there, _)| there.name() == topic.name()) else {
        topics.push((topic, purpose));
        return Ok(());
    };
    if purpose.stage() < known.stage() {
        *known = purpose;
    }
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

/// Why a topic that is there is not fit, and what to do.
pub(super) fn unfit(topic: &Topic, purpose: &Purpose, found: &TopicDescription) -> Option<String> {
    let name = topic.name();
    if let Some(wanted) = topic.partition_count()
        && wanted != found.partition_count
    {
        let count = found.partition_count;
        return Some(match purpose {
            Purpose::Changelog { sub_topology } => format!(
                "topic '{name}' has {count} partitions, {wanted} needed, as many as sub-topology '{sub_topology}' reads: with \
                 others, keys would be looked for where they are not. Read topics with {count} partitions, or reset the \
                 application and begin anew"
            ),
            _ => format!(
                "topic '{name}' has {count} partitions, {wanted} needed: use another topic, or delete it and let it be created"
            ),
        });
    }
    if let Some(wanted) = topic.setting("cleanup.policy")
        && wanted != found.cleanup_policy
    {
        let policy = &found.cleanup_policy;
        return Some(format!(
            "topic '{name}' has cleanup.policy={policy}, {wanted} needed: data would be lost or pile up; change it, or \
             delete the topic and let it be created"
        ));
    }
    if let Some(wanted) = topic.setting("message.timestamp.type")
        && wanted != found.timestamp_type
    {
        let kind = &found.timestamp_type;
        let why = match wanted {
            "LogAppendTime" => "else it would refuse records whose time is too far from the broker's",
            _ => "else event times would be lost",
        };
        return Some(format!(
            "topic '{name}' has message.timestamp.type={kind}, {wanted} needed: {why}. Change it (kafka-configs.sh --alter \
             --topic {name} --add-config message.timestamp.type={wanted}), and start again"
        ));
    }
    None
}
