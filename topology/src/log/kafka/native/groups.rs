//! Who is in a group: librdkafka's DescribeConsumerGroups, which the safe wrapper lacks. It asks the group's coordinator, and
//! knows groups of both protocols (`rd_kafka_list_groups` asks all brokers, takes an error of the coordinator for "no such group"
//! where another broker has any group, and sees no member of the protocol `consumer`).

use std::ffi::{CString, c_int};

use rdkafka::consumer::BaseConsumer;
use rdkafka_sys as sys;

use super::super::context::Context;
use super::request::{self, TIMED_OUT, UNKNOWN};
use super::{Code, INVALID_ARGUMENT};

/// How many members a group has, or the code of what went wrong. Of a group that is not there a broker says that, or that nobody is
/// in it.
pub(crate) fn group_member_count(
    consumer: &BaseConsumer<Context>,
    group: &str,
    timeout_ms: c_int,
) -> Result<usize, Code> {
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
unsafe fn read(event: *mut sys::rd_kafka_event_t) -> Result<usize, Code> {
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
            None => Ok(sys::rd_kafka_ConsumerGroupDescription_member_count(*groups)),
        }
    }
}
