//! Which topics there are, with their ids: librdkafka's DescribeTopics, which the safe wrapper lacks. One request to one
//! broker; it neither creates topics nor touches what a client remembers of them.

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka_sys as sys;

use super::super::context::Context;
use super::{Code, INVALID_ARGUMENT, NO_ERROR, codes};
use crate::log::TopicId;

/// What a broker says of a topic.
pub(crate) struct Described {
    /// Why it says nothing.
    pub(crate) error: Option<Code>,
    /// All zeros from a broker that knows no ids.
    pub(crate) id: TopicId,
    pub(crate) partition_count: usize,
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
    let client = consumer.client().native_ptr();
    let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    // SAFETY: the client and the names outlive the calls. What is made here is destroyed here, once, after its last use:
    // the collection and the options when the request has copied them, the event when its content was copied, the queue
    // last (a late answer to it is dropped by librdkafka). `poll` waits for longer than the request may take.
    unsafe {
        let options = sys::rd_kafka_AdminOptions_new(client, operation);
        let code = codes::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, ptr::null_mut(), 0);
        if code != NO_ERROR {
            sys::rd_kafka_AdminOptions_destroy(options);
            return Err(code);
        }
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let queue = sys::rd_kafka_queue_new(client);
        sys::rd_kafka_DescribeTopics(client, topics, options, queue);
        sys::rd_kafka_TopicCollection_destroy(topics);
        sys::rd_kafka_AdminOptions_destroy(options);
        let event = sys::rd_kafka_queue_poll(queue, timeout_ms.saturating_add(1_000));
        let result = read(event, names.len());
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_queue_destroy(queue);
        result
    }
}

/// SAFETY: `event` is null, or the answer to a DescribeTopics request, and lives.
unsafe fn read(event: *mut sys::rd_kafka_event_t, wanted: usize) -> Result<Vec<Described>, Code> {
    const TIMED_OUT: Code = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT as Code;
    if event.is_null() {
        return Err(TIMED_OUT);
    }
    // SAFETY: the caller's promise; the descriptions belong to the event, and `count` says how many there are.
    unsafe {
        let code = codes::rd_kafka_event_error(event);
        if code != NO_ERROR {
            return Err(code);
        }
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
    const UNKNOWN: Code = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_UNKNOWN as Code;
    let refused = |code| Described {
        error: Some(code),
        id: TopicId::from_bytes([0; 16]),
        partition_count: 0,
        has_leaders: false,
    };
    if topic.is_null() {
        return refused(UNKNOWN);
    }
    // SAFETY: the caller's promise; error, id, partitions and their leaders belong to the description.
    unsafe {
        let error = sys::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() && codes::rd_kafka_error_code(error) != NO_ERROR {
            return refused(codes::rd_kafka_error_code(error));
        }
        let mut partition_count = 0;
        let partitions = sys::rd_kafka_TopicDescription_partitions(topic, &mut partition_count);
        let has_leader = |index| {
            let leader = sys::rd_kafka_TopicPartitionInfo_leader(*partitions.add(index));
            !leader.is_null() && sys::rd_kafka_Node_id(leader) >= 0
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
            has_leaders: (0..partition_count).all(has_leader),
        }
    }
}
