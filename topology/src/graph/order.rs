//! Sub-topologies in the order in which records pass through them.

use std::collections::BTreeSet;

use super::{Kind, SubTopologySpec, Topic};

/// Puts each sub-topology behind those that write what it reads. Those that nothing ties, and those that feed each
/// other in a circle, stay in the order in which they were drawn.
pub(super) fn sorted(sub_topologies: Vec<SubTopologySpec>) -> Vec<SubTopologySpec> {
    let reached = reached(&sub_topologies);
    let mut remaining: Vec<(usize, SubTopologySpec)> = sub_topologies.into_iter().enumerate().collect();
    let mut sorted = Vec::with_capacity(remaining.len());
    while !remaining.is_empty() {
        // All that feeds it is fed by it: among those that remain there always is one of which that is true.
        let is_next = |to: usize| remaining.iter().all(|(from, _)| !reached[*from][to] || reached[to][*from]);
        let place = remaining.iter().position(|(index, _)| is_next(*index)).unwrap_or(0);
        sorted.push(remaining.remove(place).1);
    }
    sorted
}

/// Whether what one writes reaches another, in one step or in several.
fn reached(sub_topologies: &[SubTopologySpec]) -> Vec<Vec<bool>> {
    let written: Vec<BTreeSet<_>> = sub_topologies.iter().map(written).collect();
    let feeds = |from: &BTreeSet<(bool, String)>, to: &SubTopologySpec| {
        to.source_topics().into_iter().any(|topic| from.contains(&topic.id()))
    };
    let of = |from| sub_topologies.iter().map(|to| feeds(from, to)).collect();
    let mut reached: Vec<Vec<bool>> = written.iter().map(of).collect();
    for over in 0..reached.len() {
        let onwards = reached[over].clone();
        for from in reached.iter_mut().filter(|from| from[over]) {
            from.iter_mut().zip(&onwards).for_each(|(to, next)| *to |= next);
        }
    }
    reached
}

/// What the topics that a sub-topology writes are known by.
pub(super) fn written(sub_topology: &SubTopologySpec) -> BTreeSet<(bool, String)> {
    let sinks = sub_topology.nodes.iter().filter(|node| matches!(node.kind, Kind::Sink { .. }));
    sinks.flat_map(|node| node.kind.topics()).map(Topic::id).collect()
}

#[cfg(test)]
mod tests {
    use crate::graph::{Builder, Topology};

    /// Copies between topics, each pair in a sub-topology that is called after it.
    fn copying(pairs: &[(&str, &str)]) -> Topology {
        let builder = Builder::new();
        for (from, to) in pairs {
            builder.sub_topology(format!("{from}-{to}")).source::<[u8], [u8]>(*from).sink(*to);
        }
        builder.build().unwrap()
    }

    fn order(pairs: &[(&str, &str)]) -> Vec<String> {
        copying(pairs).sub_topology_names().map(str::to_owned).collect()
    }

    #[test]
    fn one_that_reads_what_another_writes_comes_behind_it_and_the_rest_stays_as_drawn() {
        assert_eq!(order(&[("c", "d"), ("x", "y"), ("b", "c"), ("a", "b")]), ["x-y", "a-b", "b-c", "c-d"]);
        assert_eq!(order(&[("x", "y"), ("a", "b"), ("b", "c")]), ["x-y", "a-b", "b-c"]);
    }

    #[test]
    fn those_that_feed_each_other_come_behind_what_feeds_them_and_before_what_they_feed() {
        let pairs = [("c", "out"), ("b", "c"), ("c2", "b"), ("in", "c2"), ("b2", "b2")];
        assert_eq!(order(&pairs), ["in-c2", "c2-b", "b-c", "c-out", "b2-b2"]);
        let circle = [("z", "out"), ("b", "a"), ("a", "b"), ("in", "in2")];
        assert_eq!(order(&circle), ["z-out", "b-a", "a-b", "in-in2"]);
    }
}
