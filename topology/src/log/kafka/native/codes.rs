//! Functions of librdkafka that answer with an error code, declared as what they are in C: an `int` that need not be a
//! value that the bindings' enum knows. A broker sends the codes of its own version, and a library that is linked in
//! place of the bundled one has codes of its own; an enum with such a value would be undefined behaviour.

use std::ffi::{c_char, c_int};

use rdkafka_sys as sys;

use super::Code;

unsafe extern "C" {
    pub(super) fn rd_kafka_AdminOptions_set_request_timeout(
        options: *mut sys::rd_kafka_AdminOptions_t,
        timeout_ms: c_int,
        error: *mut c_char,
        error_size: usize,
    ) -> Code;
    pub(super) fn rd_kafka_event_error(event: *mut sys::rd_kafka_event_t) -> Code;
    pub(super) fn rd_kafka_error_code(error: *const sys::rd_kafka_error_t) -> Code;
}
