//! Which topics there are, with their ids: librdkafka's DescribeTopics, which the safe wrapper lacks. One request to
//! one broker; it neither creates topics nor touches what a client remembers of them.

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use rdkafka::consumer::BaseConsumer;
use rdkafka_sys as sys;

use super::super::context::Context;
use super::request::{self, TIMED_OUT, UNKNOWN};
use super::{Code, INVALID_ARGUMENT};
use crate::log::TopicId;

/// What a broker says of a topic.
pub(crate) struct Described {
    /// Why it says nothing.
    pub(crate) error: Option<Code>,
    /// All zeros from a broker that knows no ids.
    pub(crate) id: TopicId,
    pub(crate) partition_count: usize,
    /// Replicas of the partition that has the fewest.
    pub(crate) replica_count: usize,
    /// Whether each partition has a leader that the broker knows.
    pub(crate) has_leaders: bool,
}

/// Asks about these topics, of which none may be named twice. The answers are in the order asked.
pub(crate) fn describe_topics(
    consumer: &BaseConsumer<Context>,
    names: &[String],
    timeout_ms: c_int,
) -> Result<Vec<Described>, Code> {
    let names: Result<Vec<CString>, _> = names.iter().map(|name| CString::new(name.as_str())).collect();
    let names = names.map_err(|_| INVALID_ARGUMENT)?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    // SAFETY: the request is that of the operation. The collection copies the names, which outlive the call, and is
    // destroyed once, when the request has copied it.
    unsafe {
        request::ask(
            consumer,
            operation,
            timeout_ms,
            |client, options, queue| {
                let topics = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
                sys::rd_kafka_DescribeTopics(client, topics, options, queue);
                sys::rd_kafka_TopicCollection_destroy(topics);
            },
            |event| read(event, names.len()),
        )
    }
}

/// SAFETY: the answer to a DescribeTopics request, and it lives.
unsafe fn read(event: *mut sys::rd_kafka_event_t, wanted: usize) -> Result<Vec<Described>, Code> {
    // SAFETY: the caller's promise; the descriptions belong to the event, and `count` says how many there are.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        let mut count = 0;
        let described = if result.is_null() {
            ptr::null_mut()
        } else {
            sys::rd_kafka_DescribeTopics_result_topics(result, &mut count)
        };
        if described.is_null() || count != wanted {
            return Err(TIMED_OUT);
        }
        Ok((0..count).map(|index| describe(*described.add(index))).collect())
    }
}

/// SAFETY: `topic` is a description that lives, or null.
unsafe fn describe(topic: *const sys::rd_kafka_TopicDescription_t) -> Described {
    let refused = |code| Described {
        error: Some(code),
        id: TopicId::from_bytes([0; 16]),
        partition_count: 0,
        replica_count: 0,
        has_leaders: false,
    };
    if topic.is_null() {
        return refused(UNKNOWN);
    }
    // SAFETY: the caller's promise; error, id, partitions, their leaders and replicas belong to the description.
    unsafe {
        if let Some(code) = request::refusal(sys::rd_kafka_TopicDescription_error(topic)) {
            return refused(code);
        }
        let mut partition_count = 0;
        let partitions = sys::rd_kafka_TopicDescription_partitions(topic, &mut partition_count);
        let has_leader = |index| {
            let leader = sys::rd_kafka_TopicPartitionInfo_leader(*partitions.add(index));
            !leader.is_null() && sys::rd_kafka_Node_id(leader) >= 0
        };
        let replicas = |index| {
            let mut count = 0;
            sys::rd_kafka_TopicPartitionInfo_replicas(*partitions.add(index), &mut count);
            count
        };
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        let mut bytes = [0; 16];
        if !id.is_null() {
            bytes[..8].copy_from_slice(&sys::rd_kafka_Uuid_most_significant_bits(id).to_be_bytes());
            bytes[8..].copy_from_slice(&sys::rd_kafka_Uuid_least_significant_bits(id).to_be_bytes());
        }
        Described {
            error: None,
            id: TopicId::from_bytes(bytes),
            partition_count,
            replica_count: (0..partition_count).map(replicas).min().unwrap_or(0),
            has_leaders: (0..partition_count).all(has_leader),
        }
    }
}
