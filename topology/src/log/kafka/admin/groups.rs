//! Groups: what they have committed, and who is in them.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::super::classify;
use super::super::deadline::{Deadline, millis};
use super::super::native;
use super::{Admin, PAUSE, pump};
use crate::log::{Committed, Error, GroupMember, Isolation, Kind, Result, TopicPartition};

impl Admin {
    pub(in super::super) fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<Committed>>> {
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
        // librdkafka takes a partition of which the answer says nothing for one without a committed offset.
        native::expect_answers(&mut list);
        let list = helper.committed_offsets(list, timeout).map_err(|error| match classify::code_of(&error) {
            Some(code) if code == Code::OperationTimedOut as i32 => {
                let text = "a transaction with offsets of the group may still be open";
                let error = self.failed(&doing(), code);
                Error::new(error.kind(), format!("{error}: {text}"))
            }
            _ => self.failed_with(&doing(), &error),
        })?;
        let told = |entry| committed_of(entry).map_err(|code| self.untold(&doing(), code));
        native::entries(&list).into_iter().map(told).collect()
    }

    fn untold(&self, doing: &str, code: i32) -> Error {
        if code == native::UNANSWERED {
            return Error::new(Kind::Retry, format!("{doing}: the answer says nothing of them"));
        }
        let error = self.failed(doing, code);
        match error.kind() {
            // No broker says so because nothing was committed: it is behind, or the topic is gone, which others find
            // out.
            Kind::NoSuchTopic => Error::new(Kind::Retry, error.to_string()),
            _ => error,
        }
    }

    pub(in super::super) fn describe_group(&self, group: &str) -> Result<Vec<GroupMember>> {
        let doing = || format!("cannot describe group {group}");
        let helper = self.any_helper()?;
        let deadline = Deadline::after(self.timeout());
        loop {
            pump(&helper);
            let code = match native::describe_group(&helper, group, millis(deadline.remaining()).max(1)) {
                Ok(members) => return Ok(members),
                Err(code) if code == Code::GroupIdNotFound as i32 => return Ok(Vec::new()),
                Err(code) => code,
            };
            if self.login.kind(code) != Kind::Retry || deadline.is_over() {
                return Err(self.failed(&doing(), code));
            }
            thread::sleep(PAUSE);
        }
    }

    pub(in super::super) fn delete_group(&self, group: &str) -> Result<()> {
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
            if self.login.kind(code) != Kind::Retry || deadline.is_over() {
                return Err(self.failed(&doing(), code));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// What a broker told of a partition. Only an answer without an error says that nothing was committed: a caller that
/// took an error for that would begin from the first record there is.
fn committed_of(entry: native::Entry) -> std::result::Result<Option<Committed>, i32> {
    match entry.error {
        Some(code) => Err(code),
        None if entry.offset < 0 => Ok(None),
        None => Ok(Some(Committed { offset: entry.offset, metadata: entry.metadata })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(offset: i64, error: Option<i32>) -> native::Entry {
        native::Entry { topic: "t".to_owned(), partition: 0, offset, metadata: "m".to_owned(), error }
    }

    #[test]
    fn an_error_is_never_taken_for_nothing_committed() {
        for code in (-200..150).filter(|code| *code != 0) {
            for offset in [-1001, -1, 0, 7] {
                assert_eq!(committed_of(entry(offset, Some(code))), Err(code));
            }
        }
        assert_eq!(committed_of(entry(-1001, None)), Ok(None));
        let committed = Committed { offset: 7, metadata: "m".to_owned() };
        assert_eq!(committed_of(entry(7, None)), Ok(Some(committed)));
    }

    #[test]
    fn a_partition_that_the_answer_leaves_out_is_an_error() {
        let mut list = TopicPartitionList::new();
        list.add_partition("t", 0);
        native::expect_answers(&mut list);
        let told: Vec<_> = native::entries(&list).into_iter().map(committed_of).collect();
        assert_eq!(told, [Err(native::UNANSWERED)]);
    }
}
