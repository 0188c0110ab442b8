//! Each topic of a run beside what there is of it: for those who want to know before anything is made.

use crate::error::Result;
use crate::graph::{Topic, Topology};
use crate::log::{TIMESTAMP_BOUNDS, TopicDescription};

use super::counts::Counts;
use super::{Found, needed, refused, topics};

/// Settings of which more does no harm; -1 is without end.
const AT_LEAST: [&str; 4] = ["delete.retention.ms", "max.message.bytes", "min.compaction.lag.ms", "retention.ms"];

/// A topic that a run needs, beside what the log says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckedTopic {
    /// What a run asks for: the name on the log, how many partitions, the settings that it is made with.
    pub topic: Topic,
    /// What there is.
    pub found: Option<TopicDescription>,
    /// Why a run would not start, and what to do.
    pub obstacle: Option<String>,
    /// What is otherwise than a run would make it. Not all of it keeps a run from starting.
    pub differences: Vec<Difference>,
}

/// Something of a topic that is otherwise than it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// A setting under Kafka's name, or `partitions`, or `replicas`.
    pub name: String,
    /// What a run would make it with.
    pub needed: String,
    /// What it is.
    pub found: String,
}

/// How a topic that a run needs stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicState {
    /// It is there, as a run would make it.
    There,
    /// It is not there: a run would make it.
    Missing,
    /// A run would start; a setting that it does not check is another than it would set.
    Differs,
    /// A run would not start.
    Unfit,
}

impl CheckedTopic {
    /// How it stands.
    pub fn state(&self) -> TopicState {
        match (&self.obstacle, &self.found) {
            (Some(_), _) => TopicState::Unfit,
            (None, None) => TopicState::Missing,
            (None, Some(_)) if self.differences.is_empty() => TopicState::There,
            (None, Some(_)) => TopicState::Differs,
        }
    }
}

/// All topics of a resolved graph, with what is there. The error is about topics that do not fit each other.
pub(crate) fn check(
    topology: &Topology,
    application_id: &str,
    found: &Found,
    replication_factor: Option<i32>,
) -> Result<Vec<CheckedTopic>> {
    let asked = needed(topology, application_id)?;
    let asked = |name: &str| asked.iter().find(|topic| topic.name() == name).and_then(Topic::partition_count);
    // Where a topic has another number than it must have, what follows from it is told as if it had that.
    let there = |name: &str| {
        let number = found.get(name)?.partition_count;
        asked(name).is_none_or(|asked| asked == number).then_some(number)
    };
    let counts = Counts::find(&topology.sub_topologies, &there).map_err(|mistakes| refused(&mistakes))?;
    let topics = topics::of(&topology.with_counts(&counts), application_id)?;
    let checked = topics.into_iter().map(|(topic, purpose)| {
        let found = found.get(topic.name()).cloned();
        let obstacle = match &found {
            None if topic.may_create() => None,
            None => Some(format!("there is no topic '{}': create it first", topic.name())),
            Some(found) => topics::unfit(&topic, &purpose, found),
        };
        let differences = found.as_ref().map(|found| differences(&topic, found, replication_factor));
        CheckedTopic { topic, found, obstacle, differences: differences.unwrap_or_default() }
    });
    Ok(checked.collect())
}

fn differences(topic: &Topic, found: &TopicDescription, replication_factor: Option<i32>) -> Vec<Difference> {
    let difference = |name: &str, needed: String, found: String| Difference { name: name.to_owned(), needed, found };
    let partitions = topic.partition_count().filter(|needed| *needed != found.partition_count);
    let partitions =
        partitions.map(|needed| difference("partitions", needed.to_string(), found.partition_count.to_string()));
    let replicas = replication_factor.zip(found.replica_count);
    let replicas = replicas.filter(|(needed, found)| usize::try_from(*needed).is_ok_and(|needed| *found < needed));
    let replicas = replicas.map(|(needed, found)| difference("replicas", needed.to_string(), found.to_string()));
    // How far a record's time may be from the log's matters only where it is the record's.
    let is_idle = |name: &str| found.timestamp_type == "LogAppendTime" && TIMESTAMP_BOUNDS.contains(&name);
    let settings = topic.settings().iter().filter(|(name, _)| !is_idle(name)).filter_map(|(name, needed)| {
        let there = match name.as_str() {
            // A log may write it in either order.
            "cleanup.policy" => &found.cleanup_policy,
            // What a log does not tell of it does not act on.
            _ => found.settings.get(name)?,
        };
        (!suffices(name, needed, there)).then(|| difference(name, needed.clone(), there.clone()))
    });
    partitions.into_iter().chain(replicas).chain(settings).collect()
}

/// Whether a setting is what is needed, or more of what does no harm.
fn suffices(name: &str, needed: &str, found: &str) -> bool {
    let number = |text: &str| match text.parse::<i64>() {
        Ok(-1) => Some(i64::MAX),
        number => number.ok(),
    };
    match (number(needed), number(found)) {
        (Some(needed), Some(found)) if AT_LEAST.contains(&name) || TIMESTAMP_BOUNDS.contains(&name) => found >= needed,
        _ => needed == found,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::graph::{Builder, Store};
    use crate::log::TopicId;

    /// Of two partitions and one replica, as the log makes a topic by itself; with these settings.
    fn there(settings: &[(&str, &str)]) -> TopicDescription {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        TopicDescription {
            id: TopicId::from_bytes([1; 16]),
            partition_count: 2,
            cleanup_policy: "delete".to_owned(),
            timestamp_type: "CreateTime".to_owned(),
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            delete_retention_ms: 86_400_000,
            max_message_bytes: 1_048_588,
            replica_count: Some(1),
            settings: settings.collect(),
        }
    }

    /// Counts `words`, of which there must be a topic, into `totals`, of one partition and with large records.
    fn counting() -> Topology {
        let builder = Builder::new();
        let words = builder.sub_topology("counting").source::<[u8], [u8]>(Topic::new("words").must_exist());
        let totals = Topic::new("totals").partitions(1).config("max.message.bytes", "2000000");
        words.count(&Store::memory("counts")).sink(totals);
        builder.build().unwrap()
    }

    fn checked(found: &[(&str, TopicDescription)], replication_factor: Option<i32>) -> BTreeMap<String, CheckedTopic> {
        let found = found.iter().map(|(name, found)| ((*name).to_owned(), found.clone())).collect();
        let topology = counting().resolve("app", &[]).unwrap();
        let checked = check(&topology, "app", &found, replication_factor).unwrap();
        checked.into_iter().map(|checked| (checked.topic.name().to_owned(), checked)).collect()
    }

    #[test]
    fn what_is_missing_is_told_with_the_partitions_and_settings_that_a_run_would_make_it_with() {
        let checked = checked(&[("words", there(&[]))], None);
        let states: Vec<_> = checked.iter().map(|(name, checked)| (name.as_str(), checked.state())).collect();
        let missing = TopicState::Missing;
        let expected = [
            ("app-counts-changelog", missing),
            ("totals", missing),
            ("words", TopicState::There),
            ("words-dead-letters", missing),
        ];
        assert_eq!(states, expected);
        let changelog = &checked["app-counts-changelog"].topic;
        assert_eq!((changelog.partition_count(), changelog.setting("cleanup.policy")), (Some(2), Some("compact")));
        assert_eq!(checked["totals"].topic.setting("max.message.bytes"), Some("2000000"));
    }

    #[test]
    fn what_a_run_does_not_check_differs_and_what_it_checks_keeps_it_from_starting() {
        let of_one = |settings: &[_]| TopicDescription { partition_count: 1, ..there(settings) };
        let words = || ("words", there(&[]));
        let small = checked(&[words(), ("totals", of_one(&[("max.message.bytes", "1048588")]))], None);
        assert_eq!((small["totals"].state(), &small["totals"].obstacle), (TopicState::Differs, &None));
        let difference = |name: &str, needed: &str, found: &str| Difference {
            name: name.to_owned(),
            needed: needed.to_owned(),
            found: found.to_owned(),
        };
        assert_eq!(small["totals"].differences, [difference("max.message.bytes", "2000000", "1048588")]);
        let few = checked(&[words(), ("totals", of_one(&[("max.message.bytes", "3000000")]))], Some(3));
        assert_eq!(few["totals"].differences, [difference("replicas", "3", "1")]);

        let wide = checked(&[words(), ("totals", there(&[]))], None);
        assert_eq!(wide["totals"].state(), TopicState::Unfit);
        assert_eq!(wide["totals"].differences, [difference("partitions", "1", "2")]);
        assert!(wide["totals"].obstacle.as_ref().unwrap().contains("has 2 partitions, 1 needed"));
        let none = checked(&[], None);
        assert!(none["words"].obstacle.as_ref().unwrap().contains("create it first"));
        let changelog = checked(&[words(), ("app-counts-changelog", there(&[]))], None);
        let changelog = &changelog["app-counts-changelog"];
        assert_eq!(changelog.state(), TopicState::Unfit);
        assert_eq!(changelog.differences, [difference("cleanup.policy", "compact", "delete")]);
    }

    #[test]
    fn how_far_times_may_be_away_matters_only_where_they_are_the_records_own() {
        let topic = Topic::new("t").config("message.timestamp.after.max.ms", "9223372036854775807");
        let kept = there(&[("message.timestamp.after.max.ms", "3600000")]);
        assert_eq!(differences(&topic, &kept, None).len(), 1);
        let replaced = TopicDescription { timestamp_type: "LogAppendTime".to_owned(), ..kept };
        assert_eq!(differences(&topic, &replaced, None), []);
    }

    #[test]
    fn more_of_what_does_no_harm_suffices_and_anything_else_must_be_the_same() {
        for (name, needed, found, expected) in [
            ("max.message.bytes", "8388608", "10485760", true),
            ("max.message.bytes", "8388608", "1048588", false),
            ("min.compaction.lag.ms", "604800000", "31536000000", true),
            ("retention.ms", "-1", "-1", true),
            ("retention.ms", "-1", "604800000", false),
            ("retention.ms", "1000", "-1", true),
            ("segment.bytes", "52428800", "1073741824", false),
            ("cleanup.policy", "compact", "compact,delete", false),
        ] {
            assert_eq!(suffices(name, needed, found), expected, "{name}: {found} for {needed}");
        }
    }
}
