//! Topics and their settings.

use crate::log::{Error, Kind, Result, TopicDescription, TopicId, TopicIdentity, TopicSpec};

use super::partition::Partition;

/// A topic as the broker knows it.
#[derive(Debug)]
pub(crate) struct Topic {
    /// Its number in this log, part of the keys of its records.
    pub(crate) id: u32,
    pub(crate) topic_id: TopicId,
    pub(crate) name: String,
    pub(crate) settings: Settings,
    /// As given at creation.
    pub(crate) config: Vec<(String, String)>,
    pub(crate) partitions: Vec<Partition>,
}

/// The settings that the broker acts on, with Kafka's defaults. All others are kept and not acted on. What the two
/// limits of timestamps say it only tells: clocks that a test sets are far from any record's time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// `cleanup.policy` has `compact`.
    pub(crate) compact: bool,
    /// `cleanup.policy` has `delete`.
    pub(crate) delete: bool,
    /// `message.timestamp.type` is `LogAppendTime`.
    pub(crate) append_time: bool,
    /// `message.timestamp.before.max.ms`
    pub(crate) timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`
    pub(crate) timestamp_after_max_ms: i64,
    /// `delete.retention.ms`
    pub(crate) delete_retention_ms: i64,
    /// `max.message.bytes`
    pub(crate) max_message_bytes: i64,
    /// `min.compaction.lag.ms`
    pub(crate) min_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`
    pub(crate) min_cleanable_dirty_ratio: f64,
}

impl Settings {
    pub(crate) fn parse(config: &[(String, String)]) -> Result<Self> {
        let mut settings = Self {
            compact: false,
            delete: true,
            append_time: false,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: i64::MAX,
            delete_retention_ms: 86_400_000,
            max_message_bytes: 1_048_588,
            min_compaction_lag_ms: 0,
            min_cleanable_dirty_ratio: 0.5,
        };
        for (name, value) in config {
            let refused = || Error::new(Kind::Fatal, format!("the topic setting {name} cannot be '{value}'"));
            let number = |range: std::ops::RangeInclusive<i64>| {
                value.trim().parse().ok().filter(|number| range.contains(number)).ok_or_else(refused)
            };
            match name.as_str() {
                "cleanup.policy" => {
                    (settings.compact, settings.delete) = (false, false);
                    for policy in value.split(',') {
                        match policy.trim() {
                            "compact" => settings.compact = true,
                            "delete" => settings.delete = true,
                            _ => return Err(refused()),
                        }
                    }
                }
                "message.timestamp.type" => match value.trim() {
                    "CreateTime" => settings.append_time = false,
                    "LogAppendTime" => settings.append_time = true,
                    _ => return Err(refused()),
                },
                "message.timestamp.before.max.ms" => settings.timestamp_before_max_ms = number(0..=i64::MAX)?,
                "message.timestamp.after.max.ms" => settings.timestamp_after_max_ms = number(0..=i64::MAX)?,
                "delete.retention.ms" => settings.delete_retention_ms = number(0..=i64::MAX)?,
                "max.message.bytes" => settings.max_message_bytes = number(0..=i64::from(i32::MAX))?,
                "min.compaction.lag.ms" => settings.min_compaction_lag_ms = number(0..=i64::MAX)?,
                "min.cleanable.dirty.ratio" => {
                    settings.min_cleanable_dirty_ratio =
                        value.trim().parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).ok_or_else(refused)?;
                }
                _ => {}
            }
        }
        Ok(settings)
    }

    /// Those that are acted on, as Kafka writes them.
    fn told(&self) -> [(String, String); 8] {
        [
            ("cleanup.policy", self.cleanup_policy().to_owned()),
            ("message.timestamp.type", self.timestamp_type().to_owned()),
            ("message.timestamp.before.max.ms", self.timestamp_before_max_ms.to_string()),
            ("message.timestamp.after.max.ms", self.timestamp_after_max_ms.to_string()),
            ("delete.retention.ms", self.delete_retention_ms.to_string()),
            ("max.message.bytes", self.max_message_bytes.to_string()),
            ("min.compaction.lag.ms", self.min_compaction_lag_ms.to_string()),
            ("min.cleanable.dirty.ratio", self.min_cleanable_dirty_ratio.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    fn timestamp_type(&self) -> &'static str {
        if self.append_time { "LogAppendTime" } else { "CreateTime" }
    }

    fn cleanup_policy(&self) -> &'static str {
        match (self.compact, self.delete) {
            (true, true) => "compact,delete",
            (true, false) => "compact",
            (false, _) => "delete",
        }
    }
}

impl Topic {
    pub(crate) fn new(
        id: u32,
        topic_id: TopicId,
        name: String,
        partition_count: u32,
        config: Vec<(String, String)>,
    ) -> Result<Self> {
        let settings = Settings::parse(&config)?;
        let partitions = (0..partition_count).map(|_| Partition::default()).collect();
        Ok(Self { id, topic_id, name, settings, config, partitions })
    }

    pub(crate) fn identity(&self) -> TopicIdentity {
        TopicIdentity { id: self.topic_id, partition_count: self.partitions.len() as i32 }
    }

    pub(crate) fn describe(&self) -> TopicDescription {
        TopicDescription {
            id: self.topic_id,
            partition_count: self.partitions.len() as i32,
            cleanup_policy: self.settings.cleanup_policy().to_owned(),
            timestamp_type: self.settings.timestamp_type().to_owned(),
            timestamp_before_max_ms: self.settings.timestamp_before_max_ms,
            timestamp_after_max_ms: self.settings.timestamp_after_max_ms,
            delete_retention_ms: self.settings.delete_retention_ms,
            max_message_bytes: self.settings.max_message_bytes,
            replica_count: None,
            settings: self.config.iter().cloned().chain(self.settings.told()).collect(),
        }
    }
}

/// Partitions a topic may have at most: each costs a little memory for as long as the log is open.
const PARTITIONS_MAX: i32 = 10_000;

/// Checks a topic to be created; gives its number of partitions.
pub(crate) fn check(spec: &TopicSpec) -> Result<u32> {
    let refused = |why: String| Err(Error::new(Kind::Fatal, format!("cannot create the topic '{}': {why}", spec.name)));
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if spec.name.is_empty()
        || spec.name.len() > 249
        || !spec.name.chars().all(legal)
        || spec.name.trim_matches('.').is_empty()
    {
        return refused("a name has 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'".to_owned());
    }
    check_count(&spec.name, spec.partition_count)?;
    Settings::parse(&spec.config)?;
    Ok(spec.partition_count.unsigned_abs())
}

/// Checks how many partitions a topic is to have.
pub(crate) fn check_count(topic: &str, partition_count: i32) -> Result<()> {
    if (1..=PARTITIONS_MAX).contains(&partition_count) {
        return Ok(());
    }
    let why = format!("it needs 1 to {PARTITIONS_MAX} partitions, not {partition_count}");
    Err(Error::new(Kind::Fatal, format!("cannot make the topic '{topic}': {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(name: &str, value: &str) -> Result<Settings> {
        Settings::parse(&[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn both_policies_may_be_given_in_either_order() {
        assert_eq!(settings("cleanup.policy", "delete, compact").unwrap().cleanup_policy(), "compact,delete");
        assert_eq!(settings("cleanup.policy", "compact").unwrap().cleanup_policy(), "compact");
        assert_eq!(Settings::parse(&[]).unwrap().cleanup_policy(), "delete");
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_by_name() {
        for (name, value) in [
            ("cleanup.policy", "shrink"),
            ("message.timestamp.type", "Soon"),
            ("max.message.bytes", "-1"),
            ("min.cleanable.dirty.ratio", "NaN"),
        ] {
            let error = settings(name, value).unwrap_err();
            assert_eq!(error.kind(), Kind::Fatal);
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_name_that_kafka_refuses_is_refused() {
        for name in ["", ".", "..", "a b", "a/b", &"x".repeat(250)] {
            let spec =
                TopicSpec { name: name.to_owned(), partition_count: 1, replication_factor: None, config: Vec::new() };
            assert!(check(&spec).is_err(), "'{name}'");
        }
    }
}
