//! Groups: what they have committed, and who is in them.

use std::thread;

use futures::executor::block_on;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::super::classify;
use super::super::deadline::{Deadline, millis};
use super::super::native;
use super::{Admin, PAUSE, pump};
use crate::log::{Committed, Error, Isolation, Kind, Result, TopicPartition};

impl Admin {
    pub(in super::super) fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
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

    pub(in super::super) fn group_member_count(&self, group: &str) -> Result<usize> {
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
            if classify::kind(code) != Kind::Retry || deadline.is_over() {
                return Err(self.failed(&doing(), code));
            }
            thread::sleep(PAUSE);
        }
    }
}
