//! How many partitions each topic of a graph has, or is to have: pure.
//!
//! ```text
//!                          the first of these that says something
//! a topic                  the log: it is there   the graph asks for it
//! topics read together     one of them            a single writer reads them: 1
//!   a repartition topic                           as many as the largest that its writers read
//! all others                                      1
//! ```
//! Tasks read the same partition of each topic of their sub-topology, so these have as many as each other.
//! Sub-topologies may be chained, and feed each other in a circle: known counts are handed on until nothing changes any
//! more.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::graph::{SubTopologySpec, Topic, Topology, order};

use super::refused;

/// What a topic is known by within a graph ([`Topic::id`]).
type Id = (bool, String);

/// For each topic of a graph.
#[derive(Debug)]
pub(super) struct Counts(BTreeMap<Id, Count>);

/// A number of partitions, and why it is that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) number: i32,
    pub(super) reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is there, and has so many.
    There,
    /// The graph asks for it.
    Asked,
    /// As many as a topic that is read beside it, which is called so.
    Beside(String),
    /// A single writer reads it.
    SingleWriter,
    /// As many as a sub-topology reads that writes it.
    Writer(String),
    /// Nothing says how many.
    Nothing,
}

impl Counts {
    /// With what is known of the topics that are there. The error names all mistakes.
    pub(super) fn find(
        sub_topologies: &[SubTopologySpec],
        there: &dyn Fn(&str) -> Option<i32>,
    ) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut topics = told(sub_topologies, there, &mut mistakes);
        let of = |sub| read(sub, &topics, &mut mistakes);
        let mut reads: Vec<Option<Count>> = sub_topologies.iter().map(of).collect();
        hand_on(sub_topologies, &mut reads);
        for (sub_topology, count) in sub_topologies.iter().zip(reads) {
            let Some(count) = count else {
                mistakes.push(fed_by_nothing(sub_topology));
                continue;
            };
            for topic in sub_topology.source_topics() {
                topics.entry(topic.id()).or_insert_with(|| count.clone());
            }
        }
        for id in sub_topologies.iter().flat_map(order::written) {
            topics.entry(id).or_insert(Count { number: 1, reason: Reason::Nothing });
        }
        if mistakes.is_empty() { Ok(Self(topics)) } else { Err(mistakes) }
    }

    pub(super) fn of(&self, topic: &Topic) -> Option<&Count> {
        self.0.get(&topic.id())
    }
}

/// What the log or the graph says of single topics.
fn told(
    sub_topologies: &[SubTopologySpec],
    there: &dyn Fn(&str) -> Option<i32>,
    mistakes: &mut Vec<String>,
) -> BTreeMap<Id, Count> {
    let mut told = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let nodes = sub_topologies.iter().flat_map(|sub| &sub.nodes);
    for topic in nodes.flat_map(|node| node.kind.topics()).filter(|topic| seen.insert(topic.id())) {
        let count = match (there(topic.name()), topic.partition_count()) {
            (Some(number), Some(asked)) if number != asked => {
                mistakes.push(others_needed(topic, number, asked));
                // What follows from it would be said beside it.
                Count { number: asked, reason: Reason::Asked }
            }
            (Some(number), _) => Count { number, reason: Reason::There },
            (None, Some(number)) => Count { number, reason: Reason::Asked },
            (None, None) => continue,
        };
        told.insert(topic.id(), count);
    }
    told
}

/// How many partitions a sub-topology reads of each of its topics, as far as they tell it themselves.
fn read(sub: &SubTopologySpec, told: &BTreeMap<Id, Count>, mistakes: &mut Vec<String>) -> Option<Count> {
    let topics = sub.source_topics();
    let known = || topics.iter().filter_map(|topic| Some((topic, told.get(&topic.id())?.number)));
    let first = known().next();
    if let Some((topic, number)) = first
        && let Some((other, others)) = known().find(|(_, others)| *others != number)
    {
        let (name, topic, other) = (&sub.name, topic.label(), other.label());
        mistakes.push(format!(
            "sub-topology '{name}' reads {topic} with {number} partitions and {other} with {others}: its tasks read the same \
             partition of each, so they must have as many. Make one of them anew, or bring its records into a repartition topic"
        ));
    }
    if sub.single_writer.is_some() {
        if let Some((topic, number)) = known().find(|(_, number)| *number != 1) {
            let (name, topic) = (&sub.name, topic.label());
            mistakes.push(format!(
                "sub-topology '{name}' is a single writer, so each topic that it reads has exactly one partition, and {topic} \
                 has {number}: bring its records into a repartition topic of one partition, and read that"
            ));
        }
        return Some(Count { number: 1, reason: Reason::SingleWriter });
    }
    match first {
        Some((topic, number)) => Some(Count { number, reason: Reason::Beside(topic.name().to_owned()) }),
        None if topics.iter().any(|topic| topic.is_repartition()) => None,
        None => Some(Count { number: 1, reason: Reason::Nothing }),
    }
}

/// Gives those of which nothing is known as many as the largest that write what they read.
fn hand_on(sub_topologies: &[SubTopologySpec], reads: &mut [Option<Count>]) {
    let written: Vec<BTreeSet<Id>> = sub_topologies.iter().map(order::written).collect();
    let open: Vec<usize> = (0..reads.len()).filter(|index| reads[*index].is_none()).collect();
    // Numbers only rise, and none is larger than the largest that was known before.
    loop {
        let mut changes = false;
        for to in &open {
            let topics: Vec<Id> = sub_topologies[*to].source_topics().into_iter().map(Topic::id).collect();
            let is_fed = |from: &usize| topics.iter().any(|topic| topic.0 && written[*from].contains(topic));
            for from in (0..reads.len()).filter(is_fed) {
                let Some(number) = reads[from].as_ref().map(|count| count.number) else { continue };
                if reads[*to].as_ref().is_none_or(|count| count.number < number) {
                    let reason = Reason::Writer(sub_topologies[from].name.clone());
                    reads[*to] = Some(Count { number, reason });
                    changes = true;
                }
            }
        }
        if !changes {
            return;
        }
    }
}

fn others_needed(topic: &Topic, number: i32, asked: i32) -> String {
    let label = topic.label();
    let what_to_do = match topic.is_repartition() {
        false => "use another topic, or delete it and let it be created".to_owned(),
        true => format!("ask for {number}, or reset the application: it lies under keys that are spread over {number}"),
    };
    format!("{label} has {number} partitions, {asked} needed: {what_to_do}")
}

fn fed_by_nothing(sub: &SubTopologySpec) -> String {
    let topics: Vec<String> = sub.source_topics().iter().map(|topic| topic.label()).collect();
    format!(
        "nothing says how many partitions sub-topology '{}' reads: {} is written by none but sub-topologies of which nothing is \
         known either. Say it with Repartition::partitions",
        sub.name,
        topics.join(", ")
    )
}

impl Topology {
    /// The graph, each topic of which says how many partitions it has.
    pub(super) fn with_counts(&self, counts: &Counts) -> Self {
        let mut sub_topologies = (*self.sub_topologies).clone();
        let nodes = sub_topologies.iter_mut().flat_map(|sub| &mut sub.nodes);
        for topic in nodes.flat_map(|node| node.kind.topics_mut()) {
            if let Some(count) = counts.of(topic) {
                *topic = topic.clone().partitions(count.number);
            }
        }
        Self { sub_topologies: sub_topologies.into(), handlers: self.handlers.clone() }
    }

    /// The same, where no topic is there but those that the graph asks for.
    pub(crate) fn as_asked(&self) -> Result<Self> {
        let counts = Counts::find(&self.sub_topologies, &|_| None).map_err(|mistakes| refused(&mistakes))?;
        Ok(self.with_counts(&counts))
    }
}

/// What makes a graph unfit, whatever topics there are.
pub(in super::super) fn mistakes(sub_topologies: &[SubTopologySpec]) -> Vec<String> {
    Counts::find(sub_topologies, &|_| None).err().unwrap_or_default()
}
