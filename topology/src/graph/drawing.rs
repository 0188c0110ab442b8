//! A graph while it is drawn: what all handles of one builder write to.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::store;

use super::{Kind, Node, OutputName, Parent, Repartition, Store, SubTopologySpec};

/// Shared by a builder, its sub-topologies and their streams.
#[derive(Clone, Default)]
pub(super) struct Drawing(Rc<RefCell<Drawn>>);

#[derive(Default)]
pub(super) struct Drawn {
    pub(super) sub_topologies: Vec<SubTopologySpec>,
    pub(super) mistakes: Vec<String>,
    /// Each store that a processor was given, with its sub-topology.
    stores: Vec<(usize, usize)>,
    /// The repartition topics that were used, by name.
    repartitions: BTreeMap<String, usize>,
}

impl Drawing {
    pub(super) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// What was drawn, for good: what is drawn by handles afterwards belongs to no graph.
    pub(super) fn take(&self) -> Drawn {
        self.0.take()
    }

    pub(super) fn mistake(&self, mistake: String) {
        self.0.borrow_mut().mistakes.push(mistake);
    }

    pub(super) fn add_sub_topology(&self, name: String) -> usize {
        let mut drawn = self.0.borrow_mut();
        drawn.sub_topologies.push(SubTopologySpec { name, single_writer: None, nodes: Vec::new(), stores: Vec::new() });
        drawn.sub_topologies.len() - 1
    }

    /// Changes a sub-topology; does nothing where the graph was built already.
    pub(super) fn change<R: Default>(&self, index: usize, change: impl FnOnce(&mut SubTopologySpec) -> R) -> R {
        self.0.borrow_mut().sub_topologies.get_mut(index).map_or_else(R::default, change)
    }

    /// Adds a node, and says at which place.
    pub(super) fn add(&self, index: usize, node: Node) -> usize {
        self.change(index, |spec| {
            spec.nodes.push(node);
            spec.nodes.len() - 1
        })
    }

    /// Gives a node a name of its own.
    pub(super) fn rename(&self, index: usize, node: usize, name: String) {
        self.change(index, |spec| {
            let Some(node) = spec.nodes.get_mut(node) else { return };
            node.name = name;
            if let Kind::Processor { has_own_name, .. } = &mut node.kind {
                *has_own_name = true;
            }
        });
    }

    /// A node hands on, and keeps, what comes of a record under the record's own key.
    pub(super) fn keep_keys(&self, index: usize, node: usize) {
        self.change(index, |spec| {
            if let Some(Node { kind: Kind::Processor { keeps_keys, .. }, .. }) = spec.nodes.get_mut(node) {
                *keeps_keys = true;
            }
        });
    }

    /// Where a side output comes out, if a processor was given it.
    pub(super) fn output(&self, index: usize, id: usize) -> Option<Parent> {
        self.change(index, |spec| {
            let port = |node: &Node| match &node.kind {
                Kind::Processor { outputs, .. } => outputs.iter().position(|output: &OutputName| output.id == id),
                _ => None,
            };
            let mut nodes = spec.nodes.iter().enumerate();
            nodes.find_map(|(node, spec)| port(spec).map(|port| Parent { node, port: port + 1 }))
        })
    }

    /// A node's name made from this one that no other node has.
    pub(super) fn free_name(&self, wanted: &str) -> String {
        let drawn = self.0.borrow();
        let taken = |name: &str| drawn.sub_topologies.iter().flat_map(|sub| &sub.nodes).any(|node| node.name == name);
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
    }

    /// What is kept in a store must survive whatever happens.
    pub(super) fn require_changelog<K: ?Sized, V: ?Sized>(&self, store: &Store<K, V>) {
        if !store.has_changelog {
            self.0.borrow_mut().mistakes.push(format!(
                "store '{}' has no changelog, so it is emptied by any failure, and what is counted or folded in it would begin anew: \
                 leave out without_changelog",
                store.name()
            ));
        }
    }

    /// A repartition topic is written or read: always the same of a name, or its types could be others.
    pub(super) fn use_repartition<K: ?Sized, V: ?Sized>(&self, topic: &Repartition<K, V>) {
        let mut drawn = self.0.borrow_mut();
        let known = *drawn.repartitions.entry(topic.name().to_owned()).or_insert(topic.id);
        if known != topic.id {
            drawn.mistakes.push(format!(
                "there are two repartition topics named '{}': make one, and use it where it is written and where it is read",
                topic.name()
            ));
        }
    }

    /// A processor of this sub-topology is given a store.
    pub(super) fn declare<K: ?Sized, V: ?Sized>(&self, index: usize, store: &Store<K, V>) {
        let mut drawn = self.0.borrow_mut();
        match drawn.stores.iter().find(|(id, _)| *id == store.id) {
            Some((_, owner)) if *owner == index => {}
            Some((_, owner)) => {
                let name = |index: usize| drawn.sub_topologies.get(index).map(|sub| sub.name.as_str());
                let (one, other) = (name(*owner).unwrap_or_default(), name(index).unwrap_or_default());
                let mistake = format!(
                    "store '{}' is used in the sub-topologies '{one}' and '{other}': a store belongs to one; tie the two by a topic",
                    store.name()
                );
                drawn.mistakes.push(mistake);
            }
            None => {
                drawn.stores.push((store.id, index));
                match store::Spec::new(store.name(), store.medium) {
                    Err(error) => drawn.mistakes.push(error.to_string()),
                    Ok(spec) => {
                        let spec = if store.has_changelog { spec } else { spec.without_changelog() };
                        if let Some(sub) = drawn.sub_topologies.get_mut(index) {
                            sub.stores.push(spec);
                        }
                    }
                }
            }
        }
    }
}

/// The name that operations on a node's stream begin with: that of the last source or processor before it that has a
/// name of its own.
pub(super) fn origin<'n>(nodes: &'n [Node], node: &'n Node) -> &'n str {
    let parent = node.parents().next().and_then(|parent| nodes.get(parent.node));
    match (&node.kind, parent) {
        (Kind::Processor { has_own_name: false, .. }, Some(parent)) => origin(nodes, parent),
        _ => &node.name,
    }
}
