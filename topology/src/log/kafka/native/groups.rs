//! Who is in a group: librdkafka's DescribeConsumerGroups, which the safe wrapper lacks. It asks the group's
//! coordinator, and knows groups of both protocols (`rd_kafka_list_groups` asks all brokers, takes an error of the
//! coordinator for "no such group" where another broker has any group, and sees no member of the protocol `consumer`).

use std::ffi::{CString, c_int};
use std::ptr;

use rdkafka::consumer::BaseConsumer;
use rdkafka_sys as sys;

use super::super::context::Context;
use super::request::{self, TIMED_OUT, UNKNOWN};
use super::{Code, INVALID_ARGUMENT, text};
use crate::log::{GroupMember, TopicPartition};

/// The members of a group, or the code of what went wrong. Of a group that is not there a broker says that, or that it
/// has no members.
pub(crate) fn describe_group(
    consumer: &BaseConsumer<Context>,
    group: &str,
    timeout_ms: c_int,
) -> Result<Vec<GroupMember>, Code> {
    let name = CString::new(group).map_err(|_| INVALID_ARGUMENT)?;
    let mut names = [name.as_ptr()];
    let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    // SAFETY: the request is that of the operation, and copies the name, which outlives the call.
    unsafe {
        request::ask(
            consumer,
            operation,
            timeout_ms,
            |client, options, queue| {
                sys::rd_kafka_DescribeConsumerGroups(client, names.as_mut_ptr(), names.len(), options, queue);
            },
            |event| read(event),
        )
    }
}

/// SAFETY: the answer to a DescribeConsumerGroups request of one group, and it lives.
unsafe fn read(event: *mut sys::rd_kafka_event_t) -> Result<Vec<GroupMember>, Code> {
    // SAFETY: the caller's promise; the descriptions belong to the event, and `count` says how many there are.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event);
        if result.is_null() {
            return Err(TIMED_OUT);
        }
        let mut count = 0;
        let groups = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
        if groups.is_null() || count != 1 || (*groups).is_null() {
            return Err(UNKNOWN);
        }
        match request::refusal(sys::rd_kafka_ConsumerGroupDescription_error(*groups)) {
            Some(code) => Err(code),
            None => {
                let count = sys::rd_kafka_ConsumerGroupDescription_member_count(*groups);
                Ok((0..count).map(|at| member(sys::rd_kafka_ConsumerGroupDescription_member(*groups, at))).collect())
            }
        }
    }
}

/// SAFETY: `described` is a description that lives, or null.
unsafe fn member(described: *const sys::rd_kafka_MemberDescription_t) -> GroupMember {
    // SAFETY: the caller's promise; names and partitions belong to the description, and are copied. Of null they are
    // none.
    unsafe {
        if described.is_null() {
            return GroupMember {
                id: String::new(),
                client_id: String::new(),
                instance_id: None,
                partitions: Vec::new(),
            };
        }
        let assignment = sys::rd_kafka_MemberDescription_assignment(described);
        let list = match assignment.is_null() {
            true => ptr::null(),
            false => sys::rd_kafka_MemberAssignment_partitions(assignment),
        };
        let instance_id = text(sys::rd_kafka_MemberDescription_group_instance_id(described));
        GroupMember {
            id: text(sys::rd_kafka_MemberDescription_consumer_id(described)),
            client_id: text(sys::rd_kafka_MemberDescription_client_id(described)),
            instance_id: (!instance_id.is_empty()).then_some(instance_id),
            partitions: partitions(list),
        }
    }
}

/// SAFETY: `list` is a list that lives and that nothing changes meanwhile, or null.
unsafe fn partitions(list: *const sys::rd_kafka_topic_partition_list_t) -> Vec<TopicPartition> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise; `elems` holds `cnt` entries, and their names are copied.
    unsafe {
        let count = usize::try_from((*list).cnt).unwrap_or(0);
        let entry = |at| (*list).elems.add(at);
        (0..count).map(|at| TopicPartition::new(text((*entry(at)).topic), (*entry(at)).partition)).collect()
    }
}
