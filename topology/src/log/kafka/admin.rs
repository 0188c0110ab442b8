//! Administrative calls, made through helper clients that all clones of the log share.
//!
//! Helpers ask through consumer clients where they can: a producer's question about a topic could create it.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::classify;
use super::context::Context;
use super::deadline::{Deadline, millis};
use super::native;
use super::options::{self, Options};
use crate::log::{
    Committed, Error, Isolation, Kind, Offset, Result, TopicDescription, TopicPartition, TopicSpec, Watermarks,
};

/// Between two questions whether something has come to pass.
const PAUSE: Duration = Duration::from_millis(20);

/// A client that asks questions and consumes nothing.
type Helper = Arc<BaseConsumer<Context>>;

/// The helper clients of one log.
pub(super) struct Admin {
    options: Options,
    /// By group and isolation. A client's group cannot be changed, so each group asked about has one.
    helpers: Mutex<HashMap<(String, bool), Helper>>,
    client: Mutex<Option<Arc<AdminClient<Context>>>>,
}

impl Admin {
    pub(super) fn new(options: Options) -> Self {
        Self { options, helpers: Mutex::new(HashMap::new()), client: Mutex::new(None) }
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    fn timeout(&self) -> Duration {
        self.options.request_timeout
    }

    fn helper(&self, group: &str, isolation: Isolation) -> Result<Helper> {
        let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
        // What they have to say piles up until somebody listens.
        helpers.values().for_each(|helper| pump(helper));
        let key = (group.to_owned(), isolation == Isolation::ReadCommitted);
        if let Some(helper) = helpers.get(&key) {
            return Ok(Arc::clone(helper));
        }
        let helper: BaseConsumer<Context> = options::helper(&self.options, group, isolation)
            .create_with_context(Context::new(&self.options.client_id))
            .map_err(|error| Error::new(Kind::Fatal, format!("cannot make a client: {error}")))?;
        let helper = Arc::new(helper);
        helpers.insert(key, Arc::clone(&helper));
        Ok(helper)
    }

    /// The helper for questions that concern no group.
    pub(super) fn any_helper(&self) -> Result<Helper> {
        self.helper(&self.options.client_id, Isolation::ReadUncommitted)
    }

    fn client(&self) -> Result<Arc<AdminClient<Context>>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(Arc::clone(client));
        }
        let made: AdminClient<Context> = options::admin(&self.options)
            .create_with_context(Context::new(&self.options.client_id))
            .map_err(|error| Error::new(Kind::Fatal, format!("cannot make an admin client: {error}")))?;
        let made = Arc::new(made);
        *client = Some(Arc::clone(&made));
        Ok(made)
    }

    fn request(&self, deadline: Deadline) -> AdminOptions {
        let timeout = deadline.remaining().max(Duration::from_millis(1));
        AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout))
    }

    /// An error of a helper, with what it last complained of where no broker answered.
    fn failed(&self, doing: &str, code: i32) -> Error {
        let kind = classify::kind(code);
        let text = native::describe(code);
        if kind != Kind::Retry {
            return Error::new(kind, format!("{doing}: {text}"));
        }
        let last = self.any_helper().ok().and_then(|helper| {
            pump(&helper);
            helper.context().last_error()
        });
        let last = last.map_or_else(String::new, |last| format!("; last error: {last}"));
        let seconds = self.timeout().as_secs_f32();
        let brokers = &self.options.brokers;
        Error::new(kind, format!("{doing}: {text} (brokers {brokers}, waited up to {seconds} s{last})"))
    }

    fn failed_with(&self, doing: &str, error: &KafkaError) -> Error {
        match classify::code_of(error) {
            Some(code) => self.failed(doing, code),
            None => classify::error(doing, error),
        }
    }

    /// How many partitions a topic has, once all have a leader; `None` where there is no such topic.
    fn partition_count(&self, topic: &str, deadline: Deadline) -> Result<Option<i32>> {
        let doing = || format!("cannot describe topic {topic}");
        let helper = self.any_helper()?;
        loop {
            pump(&helper);
            let metadata = helper
                .fetch_metadata(Some(topic), deadline.remaining().max(Duration::from_millis(1)))
                .map_err(|error| self.failed_with(&doing(), &error))?;
            let Some(found) = metadata.topics().first() else { return Ok(None) };
            let code = found.error().map_or(0, |code| code as i32);
            if code == Code::UnknownTopicOrPartition as i32 {
                return Ok(None);
            }
            let settled = found.partitions().iter().all(|partition| partition.leader() >= 0);
            if code == 0 && settled && !found.partitions().is_empty() {
                return Ok(i32::try_from(found.partitions().len()).ok());
            }
            if deadline.is_over() || classify::kind(code) != Kind::Retry {
                let code = if code == 0 { Code::LeaderNotAvailable as i32 } else { code };
                return Err(self.failed(&doing(), code));
            }
            thread::sleep(PAUSE);
        }
    }

    pub(super) fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        let doing = || format!("cannot describe topic {topic}");
        if !is_a_name(topic) {
            return Ok(None);
        }
        let deadline = Deadline::after(self.timeout());
        let Some(partition_count) = self.partition_count(topic, deadline)? else { return Ok(None) };
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
            partition_count,
            cleanup_policy: cleanup_policy(setting(&config, "cleanup.policy")?),
            delete_retention_ms: number(&config, "delete.retention.ms")?,
            max_message_bytes: number(&config, "max.message.bytes")?,
        }))
    }

    pub(super) fn create_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        if topics.is_empty() {
            return Ok(());
        }
        let deadline = Deadline::after(self.timeout());
        if let Some(topic) = topics.iter().find(|topic| !is_a_name(&topic.name) || topic.partition_count < 1) {
            let message = format!("cannot create topic {:?} with {} partitions", topic.name, topic.partition_count);
            return Err(Error::new(Kind::Fatal, message));
        }
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
        for result in results {
            match result {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    let error = self.failed(&format!("cannot create topic {topic}"), code as i32);
                    return Err(error);
                }
            }
        }
        // The controller has them; wait until a broker shows them with leaders, or what comes next would fail.
        topics.iter().try_for_each(|topic| self.until(deadline, &topic.name, true))
    }

    pub(super) fn delete_topics(&self, topics: &[String]) -> Result<()> {
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
        names.iter().try_for_each(|name| self.until(deadline, name, false))
    }

    /// Waits until a topic is to be seen, or no longer.
    fn until(&self, deadline: Deadline, topic: &str, exists: bool) -> Result<()> {
        while self.partition_count(topic, deadline)?.is_some() != exists {
            if deadline.is_over() {
                let wish = if exists { "appear" } else { "go" };
                return Err(Error::new(Kind::Retry, format!("topic {topic} has yet to {wish}")));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    pub(super) fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<()> {
        let doing = || format!("cannot delete records of {partition} below {before}");
        let deadline = Deadline::after(self.timeout());
        self.must_exist(partition, deadline)?;
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&partition.topic, partition.partition, rdkafka::Offset::Offset(before))
            .map_err(|error| classify::error(&doing(), &error))?;
        let result = block_on(self.client()?.delete_records(&list, &self.request(deadline)))
            .map_err(|error| self.failed_with(&doing(), &error))?;
        match native::entries(&result).into_iter().find_map(|entry| entry.error) {
            None => Ok(()),
            Some(code) if code == Code::OffsetOutOfRange as i32 => {
                Err(Error::new(Kind::Fatal, format!("{}: the partition ends before", doing())))
            }
            Some(code) => Err(self.failed(&doing(), code)),
        }
    }

    fn must_exist(&self, partition: &TopicPartition, deadline: Deadline) -> Result<()> {
        let count = if is_a_name(&partition.topic) { self.partition_count(&partition.topic, deadline)? } else { None };
        match count {
            Some(count) if (0..count).contains(&partition.partition) => Ok(()),
            _ => Err(Error::new(Kind::NoSuchTopic, format!("there is no partition {partition}"))),
        }
    }

    pub(super) fn watermarks(&self, partition: &TopicPartition, isolation: Isolation) -> Result<Watermarks> {
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
            let passes = matches!(classify::kind(code), Kind::Retry | Kind::NoSuchTopic);
            if !passes || deadline.is_over() {
                return Err(self.failed(&format!("cannot find the ends of {partition}"), code));
            }
            thread::sleep(PAUSE);
        }
    }

    pub(super) fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let doing = || format!("cannot read the committed offsets of group {group}");
        // A read_committed client asks for stable offsets, and asks again while a transaction with some is open.
        let helper = self.helper(group, Isolation::ReadCommitted)?;
        pump(&helper);
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            if partition.topic.contains('\0') || partition.partition < 0 {
                return Err(Error::new(Kind::NoSuchTopic, format!("there is no partition {partition}")));
            }
            list.add_partition(&partition.topic, partition.partition);
        }
        let list = helper.committed_offsets(list, self.timeout()).map_err(|error| match classify::code_of(&error) {
            Some(code) if code == Code::OperationTimedOut as i32 => {
                let text = "a transaction with offsets of the group may still be open";
                let error = self.failed(&doing(), code);
                Error::new(error.kind(), format!("{error}: {text}"))
            }
            _ => self.failed_with(&doing(), &error),
        })?;
        native::entries(&list)
            .into_iter()
            .map(|entry| match entry.error {
                Some(code) if code == Code::UnknownTopicOrPartition as i32 => Ok(None),
                Some(code) => Err(self.failed(&doing(), code)),
                None if entry.offset < 0 => Ok(None),
                None => Ok(Some(Committed { offset: entry.offset, metadata: entry.metadata })),
            })
            .collect()
    }

    pub(super) fn group_member_count(&self, group: &str) -> Result<usize> {
        let doing = || format!("cannot describe group {group}");
        let helper = self.any_helper()?;
        let deadline = Deadline::after(self.timeout());
        loop {
            pump(&helper);
            let code = match native::group_member_count(&helper, group, millis(deadline.remaining()).max(1)) {
                Ok(count) => return Ok(count),
                Err(code) if code == Code::GroupIdNotFound as i32 => return Ok(0),
                Err(code) => code,
            };
            if classify::kind(code) != Kind::Retry || deadline.is_over() {
                return Err(self.failed(&doing(), code));
            }
            thread::sleep(PAUSE);
        }
    }

    pub(super) fn delete_group(&self, group: &str) -> Result<()> {
        let doing = || format!("cannot delete group {group}");
        if group.contains('\0') {
            return Ok(());
        }
        let deadline = Deadline::after(self.timeout());
        loop {
            let results = block_on(self.client()?.delete_groups(&[group], &self.request(deadline)))
                .map_err(|error| self.failed_with(&doing(), &error))?;
            let code = match results.into_iter().next() {
                None | Some(Ok(_)) | Some(Err((_, Code::GroupIdNotFound))) => return Ok(()),
                Some(Err((_, Code::NonEmptyGroup))) => {
                    let message = format!("{}: it has members; stop them first", doing());
                    return Err(Error::new(Kind::Retry, message));
                }
                Some(Err((_, code))) => code as i32,
            };
            if classify::kind(code) != Kind::Retry || deadline.is_over() {
                return Err(self.failed(&doing(), code));
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let helpers = self.helpers.get_mut().unwrap_or_else(PoisonError::into_inner);
        helpers.values().for_each(|helper| native::close(helper));
    }
}

/// Serves a helper's queue: its log lines and complaints.
fn pump(helper: &BaseConsumer<Context>) {
    for _ in 0..10_000 {
        let before = helper.context().served();
        let _ = helper.poll(Duration::ZERO);
        if helper.context().served() == before {
            return;
        }
    }
}

/// Whether Kafka could have a topic of this name (it would be asked in vain about others).
fn is_a_name(topic: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=249).contains(&topic.len()) && topic.bytes().all(legal) && topic != "." && topic != ".."
}

fn setting<'a>(config: &'a ConfigResource, name: &str) -> Result<&'a str> {
    let value = config.entries.iter().find(|entry| entry.name == name).and_then(|entry| entry.value.as_deref());
    value.ok_or_else(|| Error::new(Kind::Fatal, format!("the broker does not tell the topic setting {name}")))
}

fn number(config: &ConfigResource, name: &str) -> Result<i64> {
    let value = setting(config, name)?;
    value.parse().map_err(|_| Error::new(Kind::Fatal, format!("the topic setting {name} is {value:?}, not a number")))
}

/// Kafka takes both orders of the two.
fn cleanup_policy(value: &str) -> String {
    let mut parts: Vec<&str> = value.split(',').map(str::trim).collect();
    parts.sort_unstable();
    parts.join(",")
}

/// Waits for an answer of the admin client, whose own thread receives it.
fn block_on<T>(future: impl Future<Output = KafkaResult<T>>) -> KafkaResult<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = TaskContext::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
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
}
