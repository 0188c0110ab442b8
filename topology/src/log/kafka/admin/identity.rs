//! Which topic it is that has a name.

use std::thread;
use std::time::Duration;

use rdkafka::types::RDKafkaErrorCode as Code;

use super::super::deadline::{Deadline, millis};
use super::super::native::{self, Described};
use super::{Admin, PAUSE, is_a_name, pump};
use crate::log::{Error, Kind, Result, TopicId, TopicIdentity};

impl Admin {
    pub(in super::super) fn identify_topics(
        &self,
        topics: &[String],
        timeout: Duration,
    ) -> Result<Vec<Option<TopicIdentity>>> {
        let doing = || "cannot look topics up".to_owned();
        // Kafka is asked about each once, and about no name that it cannot have.
        let mut names: Vec<String> = topics.iter().filter(|topic| is_a_name(topic)).cloned().collect();
        names.sort_unstable();
        names.dedup();
        let found = self.describe(&names, timeout, doing)?;
        let identity = |topic: &String| match names.binary_search(topic) {
            Ok(index) => found.get(index).map_or(Ok(None), |found| self.identity_of(found, topic)),
            Err(_) => Ok(None),
        };
        topics.iter().map(identity).collect()
    }

    /// Which topic it is, once all of its partitions have a leader; `None` where there is no such topic.
    pub(super) fn settled_identity(&self, topic: &str, deadline: Deadline) -> Result<Option<TopicIdentity>> {
        Ok(self.settled(topic, deadline)?.map(|(identity, _)| identity))
    }

    /// The same, with the number of its replicas.
    pub(super) fn settled(&self, topic: &str, deadline: Deadline) -> Result<Option<(TopicIdentity, usize)>> {
        let doing = || format!("cannot describe topic {topic}");
        if !is_a_name(topic) {
            return Ok(None);
        }
        loop {
            let found = self.describe(&[topic.to_owned()], deadline.remaining(), doing)?;
            let Some(found) = found.into_iter().next() else { return Ok(None) };
            let code = match found.error {
                Some(code) => code,
                None if found.has_leaders && found.partition_count > 0 => {
                    let identity = self.identity_of(&found, topic)?;
                    return Ok(identity.map(|identity| (identity, found.replica_count)));
                }
                None => Code::LeaderNotAvailable as i32,
            };
            if code == Code::UnknownTopicOrPartition as i32 {
                return Ok(None);
            }
            if deadline.is_over() || self.login.kind(code) != Kind::Retry {
                return Err(self.failed(&doing(), code));
            }
            thread::sleep(PAUSE);
        }
    }

    fn describe(&self, names: &[String], timeout: Duration, doing: impl Fn() -> String) -> Result<Vec<Described>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let helper = self.any_helper()?;
        pump(&helper);
        let found = native::describe_topics(&helper, names, millis(timeout).max(1));
        let found = found.map_err(|code| self.failed(&doing(), code))?;
        self.login.note_good();
        Ok(found)
    }

    fn identity_of(&self, found: &Described, topic: &str) -> Result<Option<TopicIdentity>> {
        match found.error {
            None => {}
            Some(code) if code == Code::UnknownTopicOrPartition as i32 => return Ok(None),
            Some(code) => return Err(self.failed(&format!("cannot look topic {topic} up"), code)),
        }
        if found.id == TopicId::from_bytes([0; 16]) {
            let message = format!(
                "the broker tells no id of topic {topic}, and so not whether it was made anew: Kafka 2.8 or later is \
                 needed (with inter.broker.protocol.version at least that)"
            );
            return Err(Error::new(Kind::Fatal, message));
        }
        let partition_count = i32::try_from(found.partition_count).unwrap_or(i32::MAX);
        Ok(Some(TopicIdentity { id: found.id, partition_count }))
    }
}
