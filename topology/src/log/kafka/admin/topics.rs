//! Topics: what there is, what is made, and where partitions begin and end.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use rdkafka::admin::{ConfigResource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::Consumer;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::super::classify;
use super::super::deadline::Deadline;
use super::{Admin, PAUSE, is_a_name, lock, pump};
use crate::log::{
    ANY_TIME, Error, Isolation, Kind, Result, TIMESTAMP_BOUNDS, TopicDescription, TopicPartition, TopicSpec, Watermarks,
};

impl Admin {
    pub(in super::super) fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        let found = self.look_at(topic)?;
        if let Some(found) = &found {
            self.note_described(topic, batch_limit(found));
        }
        Ok(found)
    }

    fn look_at(&self, topic: &str) -> Result<Option<TopicDescription>> {
        let doing = || format!("cannot describe topic {topic}");
        let deadline = Deadline::after(self.timeout());
        let Some((identity, replica_count)) = self.settled(topic, deadline)? else { return Ok(None) };
        let resource = [ResourceSpecifier::Topic(topic)];
        let described = block_on(self.client()?.describe_configs(&resource, &self.request(deadline)))
            .map_err(|error| self.failed_with(&doing(), &error))?;
        let config = match described.into_iter().next() {
            Some(Ok(config)) => config,
            Some(Err(Code::UnknownTopicOrPartition)) => return Ok(None),
            Some(Err(code)) => return Err(self.failed(&doing(), code as i32)),
            None => return Err(Error::new(Kind::Retry, format!("{}: the broker sent no settings", doing()))),
        };
        Ok(Some(TopicDescription {
            id: identity.id,
            partition_count: identity.partition_count,
            cleanup_policy: cleanup_policy(setting(&config, "cleanup.policy")?),
            timestamp_type: setting(&config, "message.timestamp.type")?.to_owned(),
            timestamp_before_max_ms: distance(&config, "message.timestamp.before.max.ms")?,
            timestamp_after_max_ms: distance(&config, "message.timestamp.after.max.ms")?,
            delete_retention_ms: number(&config, "delete.retention.ms")?,
            max_message_bytes: number(&config, "max.message.bytes")?,
            replica_count: Some(replica_count),
            settings: config.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect(),
        }))
    }

    /// `max.message.bytes` of a topic, remembered, as a producer is made anew at every rewind; `None` where there is no
    /// such topic.
    pub(in super::super) fn max_message_bytes(&self, topic: &str) -> Result<Option<usize>> {
        if let Some(bytes) = lock(&self.limits).get(topic) {
            return Ok(Some(*bytes));
        }
        let Some(description) = self.describe_topic(topic)? else { return Ok(None) };
        let bytes = batch_limit(&description);
        lock(&self.limits).insert(topic.to_owned(), bytes);
        Ok(Some(bytes))
    }

    /// Asks again next time: the topic refuses what it took, or is gone.
    pub(in super::super) fn forget_limit(&self, topic: &str) {
        lock(&self.limits).remove(topic);
    }

    pub(in super::super) fn list_topics(&self, timeout: Duration) -> Result<Vec<String>> {
        let helper = self.any_helper()?;
        pump(&helper);
        let metadata = helper.fetch_metadata(None, timeout.max(Duration::from_millis(1)));
        let metadata = metadata.map_err(|error| self.failed_with("cannot list topics", &error))?;
        Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
    }

    pub(in super::super) fn create_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        if topics.is_empty() {
            return Ok(());
        }
        let deadline = Deadline::after(self.timeout());
        if let Some(topic) = topics.iter().find(|topic| !is_a_name(&topic.name) || topic.partition_count < 1) {
            let message = format!("cannot create topic {:?} with {} partitions", topic.name, topic.partition_count);
            return Err(Error::new(Kind::Fatal, message));
        }
        let mut refused = self.make_topics(topics, deadline)?;
        // Kafka has bounds on times since 3.6: what an older one does not know it does not ask for either.
        let is_new = |(name, code): &(String, Code)| match topics.iter().find(|topic| topic.name == *name) {
            Some(topic) if *code == Code::InvalidConfig => without_open_bounds(topic),
            _ => None,
        };
        let again: Option<Vec<TopicSpec>> = refused.iter().map(is_new).collect();
        if let Some(again) = again.filter(|again| !again.is_empty()) {
            refused = self.make_topics(&again, deadline)?;
        }
        if let Some((topic, code)) = refused.into_iter().next() {
            return Err(self.failed(&format!("cannot create topic {topic}"), code as i32));
        }
        // The controller has them; wait until a broker shows them with leaders, or what comes next would fail.
        topics.iter().try_for_each(|topic| self.until(deadline, &topic.name, true))
    }

    /// Returns those that cannot be made, and why.
    fn make_topics(&self, topics: &[TopicSpec], deadline: Deadline) -> Result<Vec<(String, Code)>> {
        let wanted: Vec<NewTopic<'_>> = topics
            .iter()
            .map(|topic| {
                let replication = TopicReplication::Fixed(topic.replication_factor.unwrap_or(-1));
                let new = NewTopic::new(&topic.name, topic.partition_count, replication);
                topic.config.iter().fold(new, |new, (name, value)| new.set(name, value))
            })
            .collect();
        let results = block_on(self.client()?.create_topics(&wanted, &self.request(deadline)))
            .map_err(|error| self.failed_with("cannot create topics", &error))?;
        let refused = results.into_iter().filter_map(std::result::Result::err);
        Ok(refused.filter(|(_, code)| *code != Code::TopicAlreadyExists).collect())
    }

    pub(in super::super) fn add_partitions(&self, topic: &str, count: i32) -> Result<()> {
        let doing = || format!("cannot give topic {topic} {count} partitions");
        let deadline = Deadline::after(self.timeout());
        let missing = || Error::new(Kind::NoSuchTopic, format!("there is no topic {topic}"));
        let has = |count: i32| -> Result<bool> {
            Ok(self.settled_identity(topic, deadline)?.ok_or_else(missing)?.partition_count >= count)
        };
        let wanted = usize::try_from(count).unwrap_or(0);
        if wanted == 0 || has(count)? {
            return Ok(());
        }
        let wanted = [NewPartitions::new(topic, wanted)];
        let results = block_on(self.client()?.create_partitions(&wanted, &self.request(deadline)))
            .map_err(|error| self.failed_with(&doing(), &error))?;
        if let Some(Err((_, code))) = results.into_iter().next() {
            return Err(self.failed(&doing(), code as i32));
        }
        while !has(count)? {
            if deadline.is_over() {
                return Err(Error::new(Kind::Retry, format!("topic {topic} has yet to show {count} partitions")));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    pub(in super::super) fn delete_topics(&self, topics: &[String]) -> Result<()> {
        let names: Vec<&str> = topics.iter().map(String::as_str).filter(|name| is_a_name(name)).collect();
        if names.is_empty() {
            return Ok(());
        }
        let deadline = Deadline::after(self.timeout());
        let results = block_on(self.client()?.delete_topics(&names, &self.request(deadline)))
            .map_err(|error| self.failed_with("cannot delete topics", &error))?;
        for result in results {
            match result {
                Ok(_) | Err((_, Code::UnknownTopicOrPartition)) => {}
                Err((topic, code)) => {
                    return Err(self.failed(&format!("cannot delete topic {topic}"), code as i32));
                }
            }
        }
        for name in &names {
            self.forget_limit(name);
            self.forget_described(name);
        }
        names.iter().try_for_each(|name| self.until(deadline, name, false))
    }

    /// Waits until a topic is to be seen, or no longer.
    fn until(&self, deadline: Deadline, topic: &str, exists: bool) -> Result<()> {
        while self.settled_identity(topic, deadline)?.is_some() != exists {
            if deadline.is_over() {
                let wish = if exists { "appear" } else { "go" };
                return Err(Error::new(Kind::Retry, format!("topic {topic} has yet to {wish}")));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    pub(super) fn must_exist(&self, partition: &TopicPartition, deadline: Deadline) -> Result<()> {
        match self.settled_identity(&partition.topic, deadline)? {
            Some(found) if (0..found.partition_count).contains(&partition.partition) => Ok(()),
            _ => Err(Error::new(Kind::NoSuchTopic, format!("there is no partition {partition}"))),
        }
    }

    pub(in super::super) fn watermarks(&self, partition: &TopicPartition, isolation: Isolation) -> Result<Watermarks> {
        let deadline = Deadline::after(self.timeout());
        if !is_a_name(&partition.topic) || partition.partition < 0 {
            return self.must_exist(partition, deadline).map(|()| Watermarks { low: 0, high: 0 });
        }
        let helper = self.helper(&self.options.client_id, isolation)?;
        loop {
            pump(&helper);
            // Short, because librdkafka waits all of it for a topic that is not there.
            let timeout = deadline.remaining().clamp(Duration::from_millis(1), Duration::from_secs(1));
            let error = match helper.fetch_watermarks(&partition.topic, partition.partition, timeout) {
                Ok((low, high)) => return Ok(Watermarks { low, high }),
                Err(error) => error,
            };
            self.must_exist(partition, deadline)?;
            let code = classify::code_of(&error).unwrap_or(Code::InvalidArgument as i32);
            // It exists, so "unknown" is out of date.
            let passes = matches!(self.login.kind(code), Kind::Retry | Kind::NoSuchTopic);
            if !passes || deadline.is_over() {
                return Err(self.failed(&format!("cannot find the ends of {partition}"), code));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// The largest batch that a topic takes, in bytes.
fn batch_limit(topic: &TopicDescription) -> usize {
    usize::try_from(topic.max_message_bytes).unwrap_or(usize::MAX)
}

fn setting<'a>(config: &'a ConfigResource, name: &str) -> Result<&'a str> {
    let value = config.entries.iter().find(|entry| entry.name == name).and_then(|entry| entry.value.as_deref());
    value.ok_or_else(|| {
        Error::new(
            Kind::Retry,
            format!("the broker does not tell the topic setting {name}: the topic is being made or deleted"),
        )
    })
}

fn number(config: &ConfigResource, name: &str) -> Result<i64> {
    let value = setting(config, name)?;
    value.parse().map_err(|_| Error::new(Kind::Fatal, format!("the topic setting {name} is {value:?}, not a number")))
}

/// How far a record's time may be from the broker's clock, ms. Brokers before 3.6 have one setting for both directions.
fn distance(config: &ConfigResource, name: &str) -> Result<i64> {
    let has = |name: &str| config.entries.iter().any(|entry| entry.name == name);
    match [name, "message.timestamp.difference.max.ms"].into_iter().find(|name| has(name)) {
        Some(name) => number(config, name),
        None => Ok(i64::MAX),
    }
}

/// Kafka takes both orders of the two.
fn cleanup_policy(value: &str) -> String {
    let mut parts: Vec<&str> = value.split(',').map(str::trim).collect();
    parts.sort_unstable();
    parts.join(",")
}

/// The same without what says that any time is taken; `None` where nothing does.
fn without_open_bounds(topic: &TopicSpec) -> Option<TopicSpec> {
    let is_open = |(name, value): &(String, String)| TIMESTAMP_BOUNDS.contains(&name.as_str()) && value == ANY_TIME;
    let config: Vec<_> = topic.config.iter().filter(|setting| !is_open(setting)).cloned().collect();
    (config.len() < topic.config.len()).then(|| TopicSpec { config, ..topic.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kafka_cannot_have_are_not_asked_about() {
        for name in ["", ".", "..", "a b", "a\0b", "ä", &"x".repeat(250)] {
            assert!(!is_a_name(name), "{name:?}");
        }
        for name in ["a", "a.b_c-1", &"x".repeat(249)] {
            assert!(is_a_name(name), "{name:?}");
        }
    }

    #[test]
    fn both_orders_of_a_cleanup_policy_are_one() {
        assert_eq!(cleanup_policy("delete,compact"), "compact,delete");
        assert_eq!(cleanup_policy("compact, delete"), "compact,delete");
        assert_eq!(cleanup_policy("delete"), "delete");
    }

    #[test]
    fn what_asks_for_no_bounds_on_times_can_be_left_out_and_nothing_else() {
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let topic = |config: &[(String, String)]| TopicSpec {
            name: "a".to_owned(),
            partition_count: 1,
            replication_factor: None,
            config: config.to_vec(),
        };
        let [before, after] = TIMESTAMP_BOUNDS;
        let kept = [setting("retention.ms", "-1"), setting(before, "1000")];
        let open = [&kept[..], &[setting(after, ANY_TIME)]].concat();
        assert_eq!(without_open_bounds(&topic(&open)), Some(topic(&kept)));
        assert_eq!(without_open_bounds(&topic(&kept)), None);
    }
}
