//! Why brokers may not give what is waited for: found out by looking at their topics, since their answers only say "not
//! now".

use std::time::Duration;

use futures::executor::block_on;
use rdkafka::admin::ResourceSpecifier;
use rdkafka::consumer::Consumer;
use rdkafka::metadata::Metadata;

use super::super::deadline::Deadline;
use super::{Admin, is_a_name, pump};
use crate::log::Awaited;

/// How long each question may take.
const TIMEOUT: Duration = Duration::from_secs(1);

impl Admin {
    /// As [`Log::obstacle`](crate::log::Log::obstacle).
    pub(in super::super) fn obstacle(&self, awaited: Awaited<'_>) -> Option<String> {
        match awaited {
            Awaited::Group(_) => self.own_topic("__consumer_offsets", "offsets.topic.replication.factor"),
            Awaited::Producer(_) => self.own_topic("__transaction_state", "transaction.state.log.replication.factor"),
            Awaited::Delivery(topic) => self.too_few_in_sync(topic),
        }
    }

    /// What hinders a topic that the brokers make for themselves. (One that is not there yet and can be made is made
    /// within a moment of the first use.)
    fn own_topic(&self, topic: &str, setting: &str) -> Option<String> {
        let metadata = self.metadata(topic)?;
        let brokers = metadata.brokers().len();
        let Some(found) = metadata.topics().first().filter(|found| !found.partitions().is_empty()) else {
            return Some(format!(
                "the brokers have no topic {topic}, which they make when it is first used: {setting} must be no more than the \
                 brokers there are, now {brokers}; set it and start them again, or start more"
            ));
        };
        let without_leader = found.partitions().iter().filter(|partition| partition.leader() < 0).count();
        (without_leader > 0).then(|| {
            let count = found.partitions().len();
            format!("{without_leader} of {count} partitions of {topic} have no leader: their brokers are down, {brokers} are up")
        })
    }

    /// Names a partition that takes nothing because too few of its replicas are in sync.
    fn too_few_in_sync(&self, topic: &str) -> Option<String> {
        let metadata = self.metadata(topic)?;
        let partitions = metadata.topics().first()?.partitions();
        let fewest = partitions.iter().min_by_key(|partition| partition.isr().len())?;
        let request = self.request(Deadline::after(TIMEOUT));
        let described =
            block_on(self.client().ok()?.describe_configs(&[ResourceSpecifier::Topic(topic)], &request)).ok()?;
        let config = described.into_iter().next()?.ok()?;
        let wanted = config.entries.iter().find(|entry| entry.name == "min.insync.replicas")?;
        let wanted: usize = wanted.value.as_deref()?.parse().ok()?;
        let (partition, in_sync, replicas) = (fewest.id(), fewest.isr().len(), fewest.replicas().len());
        (in_sync < wanted).then(|| {
            format!(
                "{topic}-{partition} has {in_sync} of {replicas} replicas in sync and min.insync.replicas={wanted}: it takes \
                 nothing until brokers are back, or the setting is no more than that"
            )
        })
    }

    fn metadata(&self, topic: &str) -> Option<Metadata> {
        let helper = self.any_helper().ok().filter(|_| is_a_name(topic))?;
        pump(&helper);
        helper.fetch_metadata(Some(topic), TIMEOUT).ok()
    }
}
