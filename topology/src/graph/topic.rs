//! What a graph asks of a topic.

use super::Pattern;

/// A topic that a graph reads or writes. Topics are created before anything runs; one that exists already is checked.
///
/// ```
/// use topology::graph::Topic;
///
/// let totals = Topic::new("totals").partitions(1).config("cleanup.policy", "compact");
/// assert_eq!(totals.name(), "totals");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    name: String,
    partition_count: Option<i32>,
    config: Vec<(String, String)>,
    must_exist: bool,
    is_by_key: bool,
    /// Of a repartition topic: what the graph calls it.
    repartition: Option<String>,
}

impl Topic {
    /// A topic with the cluster's defaults, and of one partition where neither the graph nor the log says more.
    pub fn new(name: impl Into<String>) -> Self {
        let (name, config) = (name.into(), Vec::new());
        Self { name, partition_count: None, config, must_exist: false, is_by_key: false, repartition: None }
    }

    /// A repartition topic, under the name that the graph gives it.
    pub(super) fn repartition(name: String) -> Self {
        Self { repartition: Some(name.clone()), is_by_key: true, ..Self::new(name) }
    }

    /// It must have this many partitions.
    #[must_use]
    pub fn partitions(mut self, count: i32) -> Self {
        self.partition_count = Some(count);
        self
    }

    /// A topic setting under Kafka's name, for when it is created. `cleanup.policy` and `message.timestamp.type` are
    /// also checked where it exists.
    #[must_use]
    pub fn config(mut self, name: &str, value: impl Into<String>) -> Self {
        self.config.push((name.to_owned(), value.into()));
        self
    }

    /// It is somebody else's: if it does not exist, refuse to start instead of creating it.
    #[must_use]
    pub fn must_exist(mut self) -> Self {
        self.must_exist = true;
        self
    }

    /// Says that all who write it put a record where the log's default partitioner puts its key, as this engine does
    /// and Java's clients do: by murmur2 of the key's bytes. librdkafka by itself goes by CRC32
    /// (`partitioner=consistent_random`), and so do clients made on it that were not told `murmur2_random`.
    ///
    /// Then a query knows in which task a key of a store is that is counted or aggregated from this topic, and answers
    /// "no value" as soon as that task is here: see [`query`](crate::query). It is not checked. The codec must write a
    /// key's bytes as they are on the topic: text and numbers do, JSON need not.
    #[must_use]
    pub fn partitioned_by_key(mut self) -> Self {
        self.is_by_key = true;
        self
    }

    /// Its name. That of a repartition topic is the one that the graph gives it; on the log it is
    /// [`repartition_topic`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a repartition topic ([`Repartition`](super::Repartition)).
    pub fn is_repartition(&self) -> bool {
        self.repartition.is_some()
    }

    /// Whether records are where the log's default partitioner puts their keys, as far as the graph says.
    pub(super) fn is_by_key(&self) -> bool {
        self.is_by_key
    }

    /// What the graph calls it, if it is a repartition topic.
    pub(super) fn repartition_name(&self) -> Option<&str> {
        self.repartition.as_deref()
    }

    /// What tells it from all other topics of the graph.
    pub(super) fn id(&self) -> (bool, String) {
        (self.is_repartition(), self.name.clone())
    }

    /// What to call it in a sentence.
    pub(super) fn label(&self) -> String {
        let name = &self.name;
        match &self.repartition {
            Some(in_graph) if in_graph == name => format!("repartition topic '{name}'"),
            _ => format!("topic '{name}'"),
        }
    }

    /// Gives a repartition topic the name that it has on the log.
    pub(super) fn resolve(&mut self, application_id: &str) {
        if let Some(name) = &self.repartition {
            self.name = repartition_topic(application_id, name);
        }
    }

    /// The same topic, of which nothing is asked.
    pub(super) fn bare(&self) -> Self {
        Self { repartition: self.repartition.clone(), ..Self::new(&self.name) }
    }

    /// How many partitions it must have, where that matters.
    pub fn partition_count(&self) -> Option<i32> {
        self.partition_count
    }

    /// The settings asked for.
    pub fn settings(&self) -> &[(String, String)] {
        &self.config
    }

    /// What was asked for of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.config.iter().find(|(at, _)| at == name).map(|(_, value)| value.as_str())
    }

    /// Whether it may be created.
    pub fn may_create(&self) -> bool {
        !self.must_exist
    }

    /// Asks for what `other` asks for too. The error says where they, or the settings of one of them, contradict each
    /// other.
    pub(super) fn join(&mut self, other: &Topic) -> Result<(), String> {
        if let (Some(one), Some(two)) = (self.partition_count, other.partition_count)
            && one != two
        {
            return Err(format!("{one} and {two} partitions"));
        }
        self.partition_count = self.partition_count.or(other.partition_count);
        self.must_exist |= other.must_exist;
        self.is_by_key |= other.is_by_key;
        for (name, value) in &other.config {
            match self.config.iter().find(|(at, _)| at == name) {
                None => self.config.push((name.clone(), value.clone())),
                Some((_, known)) if known == value => {}
                Some((_, known)) => return Err(format!("{name}={known} and {name}={value}")),
            }
        }
        Ok(())
    }
}

/// The topics of one source: one, or several that hold records of the same kind.
///
/// ```
/// use topology::graph::{Builder, Topic};
///
/// let builder = Builder::new();
/// let orders = builder.sub_topology("orders");
/// let from_web = orders.source::<str, str>("web-orders");
/// let others = orders.source::<str, str>([Topic::new("shop-orders"), Topic::new("phone-orders")]);
/// # from_web.sink("all-web");
/// # others.sink("all-others");
/// # builder.build().unwrap();
/// ```
///
/// Or all whose names match: [`Pattern`].
#[derive(Clone, Debug)]
pub struct Topics {
    pub(super) topics: Vec<Topic>,
    pub(super) pattern: Option<Pattern>,
}

impl From<Pattern> for Topics {
    fn from(pattern: Pattern) -> Self {
        Self { topics: Vec::new(), pattern: Some(pattern) }
    }
}

impl From<Topic> for Topics {
    fn from(topic: Topic) -> Self {
        Self { topics: vec![topic], pattern: None }
    }
}

impl From<&str> for Topics {
    fn from(name: &str) -> Self {
        Topic::from(name).into()
    }
}

impl From<String> for Topics {
    fn from(name: String) -> Self {
        Topic::from(name).into()
    }
}

impl<T: Into<Topic>> From<Vec<T>> for Topics {
    fn from(topics: Vec<T>) -> Self {
        Self { topics: topics.into_iter().map(Into::into).collect(), pattern: None }
    }
}

impl<T: Into<Topic>, const N: usize> From<[T; N]> for Topics {
    fn from(topics: [T; N]) -> Self {
        Self { topics: topics.into_iter().map(Into::into).collect(), pattern: None }
    }
}

impl From<&str> for Topic {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Topic {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

/// Name of a store's changelog.
pub fn changelog_topic(application_id: &str, store: &str) -> String {
    format!("{application_id}-{store}-changelog")
}

/// Name of a repartition topic on the log.
pub fn repartition_topic(application_id: &str, name: &str) -> String {
    format!("{application_id}-{name}-repartition")
}

/// Name of the topic for input that a source's task cannot process.
pub fn dead_letter_topic(source_topic: &str) -> String {
    format!("{source_topic}{DEAD_LETTERS}")
}

pub(super) const DEAD_LETTERS: &str = "-dead-letters";
