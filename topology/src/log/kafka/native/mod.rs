//! The one place with `unsafe`: what the log needs of librdkafka and the safe wrapper does not offer. May use the log's
//! traits and this crate's side of librdkafka's callbacks (`context`).
//!
//! ```text
//! queue      reading in batches from one queue that all assigned partitions feed (a third of the cost per record of
//!            `BaseConsumer::poll`)
//! message    messages read: keys and values borrowed from librdkafka's fetch buffers, headers taken apart when asked for
//! sender     producing through cached topic handles, with no allocation per record, one by one or in batches; delivery
//!            reports, without one either; a flush of one millisecond
//! topics     which topics there are, with their ids
//! groups     how many members a group has
//! request    how the last two ask
//! codes      error codes as the numbers they are
//! ```
//! and leaving a group before closing, and values that the wrapper reads with a panic.
//!
//! Everything here keeps the client alive (an `Arc` or ownership) for as long as a handle made from it lives, and
//! turns pointers into borrows no longer than the owner. Nothing outside this directory needs to know a pointer.
#![allow(unsafe_code)]

mod codes;
mod ends;
mod groups;
mod message;
mod queue;
mod request;
mod sender;
mod topics;

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

use super::context::Context;

pub(super) use ends::known_end;
pub(super) use groups::describe_group;
pub(super) use message::{Batch, Message};
pub(super) use queue::{Queue, Waker};
pub(super) use sender::{Outgoing, Sender};
pub(super) use topics::{Described, describe_topics};

/// A code of librdkafka or of the protocol, as the number it is: a broker may send numbers no enum knows.
pub(super) type Code = i32;

const NO_ERROR: Code = 0;
const INVALID_ARGUMENT: Code = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__INVALID_ARG as Code;

/// SAFETY: `data` is null, or points to `size` bytes that live for `'a`.
unsafe fn bytes<'a>(data: *const c_void, size: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) })
}

/// SAFETY: `text` is null or a string that ends with a zero byte.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Closes the consumer: leaves the assignment, and the group unless the member is static. Dropping the client later
/// is quick then.
pub(super) fn close(consumer: &BaseConsumer<Context>) {
    let client = consumer.client().native_ptr();
    // SAFETY: the client lives. Closing serves the last rebalance by itself. No thread polls for log lines from here
    // on, and librdkafka would print them.
    unsafe {
        sys::rd_kafka_set_log_level(client, 0);
        sys::rd_kafka_consumer_close(client);
    }
}

/// Whether the group's coordinator has given this consumer a member id that it has not handed back.
pub(super) fn is_member(consumer: &BaseConsumer<Context>) -> bool {
    let client = consumer.client().native_ptr();
    // SAFETY: the client lives; the string is ours and freed with the library's own function.
    unsafe {
        let id = sys::rd_kafka_memberid(client);
        if id.is_null() {
            return false;
        }
        let member = *id != 0;
        sys::rd_kafka_mem_free(client, id.cast());
        member
    }
}

/// The generation of this consumer's membership; not positive before it is a member.
pub(super) fn generation(consumer: &BaseConsumer<Context>) -> i32 {
    // SAFETY: the client lives; what it gives is ours, read once and destroyed.
    unsafe {
        let metadata = sys::rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if metadata.is_null() {
            return -1;
        }
        let generation = sys::rd_kafka_consumer_group_metadata_generation_id(metadata);
        sys::rd_kafka_consumer_group_metadata_destroy(metadata);
        generation
    }
}

/// An entry of a [`TopicPartitionList`], copied.
pub(super) struct Entry {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// What is not UTF-8 is replaced, not refused: anybody may have committed it.
    pub(super) metadata: String,
    pub(super) error: Option<Code>,
}

/// The code of an entry that no answer has touched ([`expect_answers`]).
pub(super) const UNANSWERED: Code = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__NOENT as Code;

/// Marks all entries as unanswered. A call that fills the list in replaces the mark of those it has an answer for.
pub(super) fn expect_answers(list: &mut TopicPartitionList) {
    let list = list.ptr();
    // SAFETY: the list lives and nothing else uses it meanwhile; `elems` holds `cnt` entries; the field is an int in C.
    unsafe {
        for index in 0..usize::try_from((*list).cnt).unwrap_or(0) {
            ptr::addr_of_mut!((*(*list).elems.add(index)).err).cast::<Code>().write(UNANSWERED);
        }
    }
}

/// The entries of a list.
pub(super) fn entries(list: &TopicPartitionList) -> Vec<Entry> {
    let list = list.ptr();
    // SAFETY: the list lives and nothing changes it meanwhile; `elems` holds `cnt` entries; strings are copied.
    unsafe {
        let count = usize::try_from((*list).cnt).unwrap_or(0);
        (0..count)
            .map(|index| {
                let entry = (*list).elems.add(index);
                let code = ptr::addr_of!((*entry).err).cast::<Code>().read();
                Entry {
                    topic: text((*entry).topic),
                    partition: (*entry).partition,
                    offset: (*entry).offset,
                    metadata: bytes((*entry).metadata, (*entry).metadata_size)
                        .map_or_else(String::new, |metadata| String::from_utf8_lossy(metadata).into_owned()),
                    error: (code != NO_ERROR).then_some(code),
                }
            })
            .collect()
    }
}

/// A code as the wrapper's enum has it; `Unknown` where it has not.
fn known(code: Code) -> RDKafkaErrorCode {
    sys::rd_kafka_resp_err_t::try_from(code).map_or(RDKafkaErrorCode::Unknown, RDKafkaErrorCode::from)
}

/// The code of an error by which a transaction call was refused. The wrapper reads it as an enum, so that it is asked
/// for those only that librdkafka has a name for; the name of another one tells its number, as in `ERR_120?`.
pub(super) fn code_of(error: &RDKafkaError) -> Code {
    match unnamed(&error.name()) {
        Some(code) => code,
        None => error.code() as Code,
    }
}

fn unnamed(name: &str) -> Option<Code> {
    name.strip_prefix("ERR_")?.strip_suffix('?')?.parse().ok()
}

/// librdkafka's words for a code.
pub(super) fn describe(code: Code) -> String {
    match sys::rd_kafka_resp_err_t::try_from(code) {
        // SAFETY: a known code; the text is a constant of the library.
        Ok(code) => unsafe { text(sys::rd_kafka_err2str(code)) },
        Err(_) => format!("error code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_librdkafka_has_a_name_for_the_enum_knows_and_of_all_else_the_number_is_told() {
        let mut unnamed_count = 0;
        for code in -250..250 {
            // SAFETY: the function takes any number, as which it is declared here; the text is copied before it is
            // called again.
            let name = unsafe { text(codes::rd_kafka_err2name(code)) };
            match unnamed(&name) {
                Some(told) => {
                    assert_eq!(told, code);
                    unnamed_count += 1;
                }
                None => assert!(sys::rd_kafka_resp_err_t::try_from(code).is_ok(), "{code} is {name}"),
            }
        }
        assert!(unnamed_count > 100, "there are such");
        assert_eq!(known(31_999), RDKafkaErrorCode::Unknown);
        assert_eq!(known(RDKafkaErrorCode::InvalidTimestamp as Code), RDKafkaErrorCode::InvalidTimestamp);
    }
}
