//! Functions of librdkafka that answer with an error code, declared as what they are in C: an `int` that need not be a
//! value that the bindings' enum knows. A broker sends the codes of its own version, and a library that is linked in
//! place of the bundled one has codes of its own; an enum with such a value would be undefined behaviour.

use std::ffi::{c_char, c_int, c_void};

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
    pub(super) fn rd_kafka_message_headers(
        message: *const sys::rd_kafka_message_t,
        headers: *mut *mut sys::rd_kafka_headers_t,
    ) -> Code;
    pub(super) fn rd_kafka_header_get_all(
        headers: *const sys::rd_kafka_headers_t,
        index: usize,
        name: *mut *const c_char,
        value: *mut *const c_void,
        size: *mut usize,
    ) -> Code;
    pub(super) fn rd_kafka_header_add(
        headers: *mut sys::rd_kafka_headers_t,
        name: *const c_char,
        name_size: isize,
        value: *const c_void,
        value_size: isize,
    ) -> Code;
    pub(super) fn rd_kafka_producev(client: *mut sys::rd_kafka_t, ...) -> Code;
    #[cfg(test)]
    pub(super) fn rd_kafka_err2name(code: Code) -> *const c_char;
    pub(super) fn rd_kafka_error_code(error: *const sys::rd_kafka_error_t) -> Code;
}
