//! Messages as librdkafka hands them out.

use std::ffi::CStr;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka::consumer::BaseConsumer;
use rdkafka_sys as sys;

use super::super::context::Context;
use super::{Code, NO_ERROR, bytes, codes, describe, text};
use crate::log::Header;
use crate::log::record::Encoded;

/// Consumed messages, owned until [`Batch::clear`] or drop.
pub(crate) struct Batch {
    messages: Vec<Message>,
    limit: usize,
    // A message holds references into its client.
    _consumer: Arc<BaseConsumer<Context>>,
}

// SAFETY: the messages belong to this value alone, and librdkafka lets any thread read and destroy them.
unsafe impl Send for Batch {}

impl Batch {
    pub(crate) fn new(consumer: Arc<BaseConsumer<Context>>, limit: usize) -> Self {
        Self { messages: Vec::with_capacity(limit), limit, _consumer: consumer }
    }

    pub(super) fn room(&self) -> usize {
        self.limit.saturating_sub(self.messages.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// The messages in the order they were read.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Message> {
        self.messages.iter()
    }

    /// Appends up to `count` messages, as many as there is room for. Gives their number, which is `read`'s answer.
    ///
    /// SAFETY: `read` writes as many pointers to messages as it says, and at most as many as it was told there is room
    /// for. They are not null, and the messages are this batch's from then on.
    pub(super) unsafe fn append(
        &mut self,
        count: usize,
        read: impl FnOnce(*mut *mut sys::rd_kafka_message_t, usize) -> isize,
    ) -> usize {
        let room = count.min(self.room());
        if room == 0 {
            return 0;
        }
        let length = self.messages.len();
        self.messages.reserve(room);
        // SAFETY: the spare capacity behind `length` holds at least `room` messages, which are pointers and nothing
        // else; the first of them are written by then, the caller promises.
        unsafe {
            let spare = self.messages.as_mut_ptr().add(length);
            let read = usize::try_from(read(spare.cast(), room)).unwrap_or(0).min(room);
            self.messages.set_len(length + read);
            read
        }
    }

    /// Moves those that are wanted elsewhere to the end of another batch of the same client, in their order; what it
    /// takes is not limited.
    pub(crate) fn move_to(&mut self, other: &mut Batch, wanted: impl FnMut(&Message) -> bool) {
        let (moved, kept): (Vec<Message>, Vec<Message>) = self.messages.drain(..).partition(wanted);
        self.messages.extend(kept);
        other.messages.extend(moved);
    }

    /// Gives all messages back.
    pub(crate) fn clear(&mut self) {
        for message in self.messages.drain(..) {
            // SAFETY: owned by this batch; drained, so destroyed once.
            unsafe { sys::rd_kafka_message_destroy(message.0.as_ptr()) }
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.clear();
    }
}

/// One message of a [`Batch`]: a record, or the end of a partition, or an error. It is only ever borrowed from a batch,
/// and lives as long as that. Fields are read through the pointer, one by one: the struct holds an error code, which
/// need not be one that the bindings' enum knows, so no reference to all of it may be made.
#[repr(transparent)]
pub(crate) struct Message(NonNull<sys::rd_kafka_message_t>);

impl Message {
    fn raw(&self) -> *mut sys::rd_kafka_message_t {
        self.0.as_ptr()
    }

    /// What went wrong, or `None` for a record.
    pub(crate) fn error(&self) -> Option<Code> {
        // SAFETY: the message lives; the field is an int in C.
        let code = unsafe { ptr::addr_of!((*self.raw()).err).cast::<Code>().read() };
        (code != NO_ERROR).then_some(code)
    }

    /// One line about the error.
    pub(crate) fn error_text(&self) -> String {
        // SAFETY: the message lives; the text, if any, is a string that lives as long.
        unsafe { text(sys::rd_kafka_message_errstr(self.raw())) }
    }

    /// Tells topics apart within one batch: equal for equal topics.
    pub(crate) fn topic_id(&self) -> usize {
        // SAFETY: the message lives.
        unsafe { (*self.raw()).rkt as usize }
    }

    /// The topic's name; empty for an error that concerns none.
    pub(crate) fn topic(&self) -> &str {
        // SAFETY: the message lives, and holds a reference to its topic, whose name does not change.
        unsafe {
            let topic = (*self.raw()).rkt;
            if topic.is_null() { "" } else { CStr::from_ptr(sys::rd_kafka_topic_name(topic)).to_str().unwrap_or("") }
        }
    }

    pub(crate) fn partition(&self) -> i32 {
        // SAFETY: the message lives.
        unsafe { (*self.raw()).partition }
    }

    pub(crate) fn offset(&self) -> i64 {
        // SAFETY: the message lives.
        unsafe { (*self.raw()).offset }
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        // SAFETY: null or `key_len` bytes that live as long as the message.
        unsafe { bytes((*self.raw()).key, (*self.raw()).key_len) }
    }

    pub(crate) fn value(&self) -> Option<&[u8]> {
        // SAFETY: null or `len` bytes that live as long as the message.
        unsafe { bytes((*self.raw()).payload, (*self.raw()).len) }
    }

    /// Event time, ms since 1970; -1 where there is none.
    pub(crate) fn timestamp_ms(&self) -> i64 {
        // SAFETY: the message lives; the kind of timestamp is not asked for.
        unsafe { sys::rd_kafka_message_timestamp(self.raw(), ptr::null_mut()) }
    }
}

impl Encoded for Message {
    fn decode<'a>(&'a self, headers: &mut Vec<Header<'a>>) -> bool {
        let mut native = ptr::null_mut();
        // SAFETY: the message lives. The headers are parsed into the message, and live as long as it does.
        let code = unsafe { codes::rd_kafka_message_headers(self.raw(), &mut native) };
        if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__NOENT as Code {
            return true;
        }
        if code != NO_ERROR {
            // More than librdkafka takes (100,000), or not what the format says.
            let (topic, partition, offset) = (self.topic(), self.partition(), self.offset());
            tracing::warn!(topic, partition, offset, "headers cannot be read, left out: {}", describe(code));
            return false;
        }
        for index in 0.. {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0_usize);
            // SAFETY: `native` is this message's header list; the three results are written before they are read.
            unsafe {
                let code = codes::rd_kafka_header_get_all(native, index, &mut name, &mut value, &mut size);
                if code != NO_ERROR || name.is_null() {
                    break;
                }
                headers.push(Header { name: CStr::from_ptr(name).to_bytes(), value: bytes(value, size) });
            }
        }
        true
    }
}
