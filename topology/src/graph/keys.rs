//! Which stores have each key in the task that the log's default partitioner puts it into.
//!
//! ```text
//!   topic, partitioned by key ──> source ──> filter, map_values ──> count, aggregate ──> store: by its keys' default partition
//!   any other topic ──> source ──> anything                                       ──┐
//!   any topic ──> source ──> map, flat_map, a processor of the user's ──> anything ──┴──> store: unknown
//! ```
//! A repartition topic is partitioned by key, unless a sink of it chooses partitions itself. Of another topic the graph
//! says it ([`Topic::partitioned_by_key`]), since others may write it.

use std::collections::BTreeSet;

use super::{Kind, Topic, Topology};

impl Topology {
    /// For each store of a sub-topology whether its keys are those of input that is partitioned by key, unchanged.
    pub(crate) fn stores_by_key(&self, sub_topology: usize) -> Vec<bool> {
        let Some(spec) = self.sub_topologies.get(sub_topology) else { return Vec::new() };
        let chosen = self.chosen_partitions();
        let by_key = |topic: &Topic| topic.is_by_key() && !chosen.contains(&topic.id());
        // Whether what a node hands on, and what it keeps, is under the keys of such input. Parents stand before their
        // children.
        let mut keeps: Vec<bool> = Vec::with_capacity(spec.nodes.len());
        for node in &spec.nodes {
            let kept = match &node.kind {
                Kind::Source { topics, pattern } => pattern.is_none() && topics.iter().all(by_key),
                Kind::Processor { keeps_keys, .. } => {
                    *keeps_keys && node.parents().all(|parent| keeps.get(parent.node) == Some(&true))
                }
                Kind::Sink { .. } => false,
            };
            keeps.push(kept);
        }
        let keeps_all = |name: &str| {
            let mut users = spec.nodes.iter().zip(&keeps).filter(|(node, _)| node.kind.has_store(name));
            users.all(|(_, keeps)| *keeps)
        };
        spec.stores.iter().map(|store| keeps_all(&store.name)).collect()
    }

    /// The topics of sinks that choose partitions themselves.
    fn chosen_partitions(&self) -> BTreeSet<(bool, String)> {
        let nodes = self.sub_topologies.iter().flat_map(|sub| &sub.nodes);
        let chosen = nodes.filter(|node| matches!(node.kind, Kind::Sink { chooses_partitions: true, .. }));
        chosen.flat_map(|node| node.kind.topics()).map(Topic::id).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::{Builder, Repartition, Store, Stream, Topic};

    /// Of a store that is filled from a source like this.
    fn is_by_key(draw: impl Fn(&Builder)) -> bool {
        let builder = Builder::new();
        draw(&builder);
        let topology = builder.build().unwrap();
        let stores = (0..topology.sub_topologies.len()).flat_map(|at| topology.stores_by_key(at));
        let [by_key] = stores.collect::<Vec<_>>()[..] else { panic!("it has one store") };
        by_key
    }

    fn of_source(topic: Topic, then: impl Fn(&Stream<str, i64>) -> Stream<str, i64>) -> bool {
        is_by_key(|builder| {
            let input = builder.sub_topology("counting").source::<str, i64>(topic.clone());
            then(&input).count(&Store::memory("counts")).sink("totals");
        })
    }

    #[test]
    fn keys_that_stay_those_of_a_topic_partitioned_by_key_are_known_to_be_there() {
        let by_key = || Topic::new("words").partitioned_by_key();
        assert!(of_source(by_key(), Clone::clone));
        assert!(!of_source(Topic::new("words"), Clone::clone), "nobody said so");
        assert!(of_source(by_key(), |words| {
            let few = words.filter(|record| record.value > Some(1));
            few.filter_not(|record| record.value > Some(9)).merge(words).map_values(|value| value + 1)
        }));
        assert!(!of_source(by_key(), |words| {
            words.process_fn(|record, context| context.forward(record.with(Some("all"), record.value)))
        }));
        let renamed = |words: &Stream<str, i64>| words.flat_map::<str, i64>(|_, out| out.emit("all", 1));
        assert!(!of_source(by_key(), renamed));
        assert!(!of_source(by_key(), |words| words.merge(&renamed(words))), "some come under other keys");
    }

    #[test]
    fn a_store_that_others_write_as_well_is_not_known() {
        let written_by = |also_by_hand: bool| {
            is_by_key(|builder| {
                let counting = builder.sub_topology("counting");
                let words = counting.source::<str, i64>(Topic::new("words").partitioned_by_key());
                let counts = Store::memory("counts");
                words.count(&counts).sink("totals");
                if also_by_hand {
                    let other = words.with_store(&counts);
                    other.process_fn::<str, i64>(|_, counts, _| Ok(counts.put(&"all", &1)?)).sink("none");
                }
            })
        };
        assert!(written_by(false) && !written_by(true));
        let two_topics = |second: Topic| {
            is_by_key(|builder| {
                let first = Topic::new("words").partitioned_by_key();
                let words = builder.sub_topology("counting").source::<str, i64>([first, second.clone()]);
                words.count(&Store::memory("counts")).sink("totals");
            })
        };
        assert!(two_topics(Topic::new("more").partitioned_by_key()) && !two_topics(Topic::new("more")));
    }

    #[test]
    fn a_repartition_topic_is_partitioned_by_key_unless_its_sink_chooses() {
        let repartitioned = |chooses: bool| {
            is_by_key(|builder| {
                let by_word = Repartition::<str, i64>::new("by-word");
                let sink = builder.sub_topology("splitting").source::<str, i64>("lines").repartition(&by_word);
                if chooses {
                    sink.partitioned(|_, _| 0);
                }
                let counting = builder.sub_topology("counting");
                counting.source_of(&by_word).count(&Store::memory("counts")).sink("totals");
            })
        };
        assert!(repartitioned(false) && !repartitioned(true));
    }

    #[test]
    fn a_topic_that_is_said_to_be_partitioned_by_key_takes_no_sink_that_chooses() {
        let builder = Builder::new();
        builder.sub_topology("sorting").source::<str, i64>("lines").sink("words").partitioned(|_, _| 0);
        let words = Topic::new("words").partitioned_by_key();
        builder.sub_topology("counting").source::<str, i64>(words).count(&Store::memory("counts")).sink("totals");
        let refused = builder.build().err().unwrap().to_string();
        assert!(refused.contains("topic 'words' is said to be partitioned by key"), "{refused}");
    }
}
