//! Administrative requests that the safe wrapper lacks.

use std::ffi::c_int;
use std::ptr;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka_sys as sys;

use super::super::context::Context;
use super::{Code, NO_ERROR, codes};

/// The code of a request without an answer.
pub(super) const TIMED_OUT: Code = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT as Code;
/// The code of an answer that says nothing.
pub(super) const UNKNOWN: Code = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_UNKNOWN as Code;

/// Sends a request, and reads the answer.
///
/// SAFETY: `send` calls librdkafka's function of this operation once, with the options and the queue that it is given,
/// which copies what it is given. `read` is given the answer to that operation, which is no error, and keeps nothing of
/// it.
pub(super) unsafe fn ask<T>(
    consumer: &BaseConsumer<Context>,
    operation: sys::rd_kafka_admin_op_t,
    timeout_ms: c_int,
    send: impl FnOnce(*mut sys::rd_kafka_t, *const sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
    read: impl FnOnce(*mut sys::rd_kafka_event_t) -> Result<T, Code>,
) -> Result<T, Code> {
    let client = consumer.client().native_ptr();
    // SAFETY: the client outlives the calls. What is made here is destroyed here, once, after its last use: the options
    // when the request has copied them, the event when its content was copied, the queue last (a late answer to it is
    // dropped by librdkafka). `poll` waits for longer than the request may take.
    unsafe {
        let options = sys::rd_kafka_AdminOptions_new(client, operation);
        let code = codes::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, ptr::null_mut(), 0);
        if code != NO_ERROR {
            sys::rd_kafka_AdminOptions_destroy(options);
            return Err(code);
        }
        let queue = sys::rd_kafka_queue_new(client);
        send(client, options, queue);
        sys::rd_kafka_AdminOptions_destroy(options);
        let event = sys::rd_kafka_queue_poll(queue, timeout_ms.saturating_add(1_000));
        let result = if event.is_null() {
            Err(TIMED_OUT)
        } else {
            let code = codes::rd_kafka_event_error(event);
            let result = if code == NO_ERROR { read(event) } else { Err(code) };
            sys::rd_kafka_event_destroy(event);
            result
        };
        sys::rd_kafka_queue_destroy(queue);
        result
    }
}

/// SAFETY: `error` is null, or an error that lives.
pub(super) unsafe fn refusal(error: *const sys::rd_kafka_error_t) -> Option<Code> {
    if error.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let code = unsafe { codes::rd_kafka_error_code(error) };
    (code != NO_ERROR).then_some(code)
}
