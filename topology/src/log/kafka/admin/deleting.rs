//! Deleting records from the beginning of partitions.

use std::future::Future;
use std::sync::Arc;
use std::thread;

use futures::FutureExt;
use futures::executor::block_on;
use rdkafka::TopicPartitionList;
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::super::classify;
use super::super::deadline::Deadline;
use super::super::native;
use super::{Admin, PAUSE};
use crate::log::{Deletion, Error, Isolation, Kind, Offset, Result, TopicPartition};

impl Admin {
    pub(in super::super) fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<()> {
        let deadline = Deadline::after(self.timeout());
        self.must_exist(partition, deadline)?;
        let answer = self.request_deletion(&[(partition.clone(), before)], deadline)?;
        self.check_deleted(block_on(answer))?;
        self.until_begins(deadline, partition, before)
    }

    /// Sends the request, and leaves the rest to the client's own threads.
    pub(in super::super) fn begin_delete_records(admin: &Arc<Self>, before: &[(TopicPartition, Offset)]) -> Deletion {
        if before.is_empty() {
            return Deletion::ended(Ok(()));
        }
        match admin.request_deletion(before, Deadline::after(admin.timeout())) {
            Ok(answer) => {
                let admin = Arc::clone(admin);
                Deletion::under_way(answer.map(move |answer| admin.check_deleted(answer)))
            }
            Err(error) => Deletion::ended(Err(error)),
        }
    }

    fn request_deletion(
        &self,
        before: &[(TopicPartition, Offset)],
        deadline: Deadline,
    ) -> Result<impl Future<Output = KafkaResult<TopicPartitionList>> + Send + use<>> {
        let mut list = TopicPartitionList::with_capacity(before.len());
        for (TopicPartition { topic, partition }, offset) in before {
            list.add_partition_offset(topic, *partition, rdkafka::Offset::Offset(*offset))
                .map_err(|error| classify::error(&format!("cannot delete records of {topic}-{partition}"), &error))?;
        }
        let client = self.client()?;
        let answer = client.delete_records(&list, &self.request(deadline));
        // The client's own thread brings the answer, also where the log rests meanwhile.
        Ok(answer.map(move |answer| {
            drop(client);
            answer
        }))
    }

    /// The first partition's error, of those that have one.
    fn check_deleted(&self, answer: KafkaResult<TopicPartitionList>) -> Result<()> {
        let list = answer.map_err(|error| self.failed_with("cannot delete records", &error))?;
        let failed = native::entries(&list).into_iter().find_map(|entry| Some((entry.error?, entry)));
        let Some((code, native::Entry { topic, partition, .. })) = failed else { return Ok(()) };
        let doing = format!("cannot delete records of {topic}-{partition}");
        match code == Code::OffsetOutOfRange as i32 {
            true => Err(Error::new(Kind::Fatal, format!("{doing}: the partition ends before"))),
            false => Err(self.failed(&doing, code)),
        }
    }

    /// Waits until a partition is seen to begin there, or later.
    fn until_begins(&self, deadline: Deadline, partition: &TopicPartition, first: Offset) -> Result<()> {
        while self.watermarks(partition, Isolation::ReadUncommitted)?.low < first {
            if deadline.is_over() {
                return Err(Error::new(Kind::Retry, format!("{partition} has yet to begin at {first}")));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::super::options::Options;
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the client's threads have real time")]
    fn a_deletion_that_is_under_way_is_answered_also_where_the_log_rests_meanwhile() {
        let request_timeout = Duration::from_millis(500);
        let admin = Arc::new(Admin::new(Options { request_timeout, ..Options::new("127.0.0.1:1") }));
        let mut deletion = Admin::begin_delete_records(&admin, &[(TopicPartition::new("topic", 0), 1)]);
        admin.rest();
        admin.rest();
        let began = Instant::now();
        let answer = loop {
            match deletion.outcome() {
                Some(answer) => break answer,
                None if began.elapsed() > Duration::from_secs(30) => panic!("it is never answered"),
                None => thread::sleep(PAUSE),
            }
        };
        assert_eq!(answer.unwrap_err().kind(), Kind::Retry);
    }
}
