//! The one place with `unsafe`: what the log needs of librdkafka and the safe wrapper does not offer.
//!
//! * reading in batches from one queue that all assigned partitions feed (a third of the cost per record of
//!   `BaseConsumer::poll`), borrowing keys and values from librdkafka's fetch buffers;
//! * producing through a cached topic handle, with no allocation per record;
//! * a flush of one millisecond, leaving a group before closing, and values the wrapper reads with a panic.
//!
//! Everything here keeps the client alive (an `Arc` or ownership) for as long as a handle made from it lives, and
//! turns pointers into borrows no longer than the owner. Nothing outside this file needs to know a pointer.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka_sys as sys;

use super::context::Context;
use crate::log::Header;

/// A code of librdkafka or of the protocol, as the number it is: a broker may send numbers no enum knows.
pub(super) type Code = i32;

const NO_ERROR: Code = 0;
const INVALID_ARGUMENT: Code = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__INVALID_ARG as Code;

/// Wakes a reader that waits on a [`Queue`], from any thread.
pub(super) struct Waker {
    queue: Mutex<Option<NonNull<sys::rd_kafka_queue_t>>>,
    /// Set before the queue is told: a read that does not wait swallows what it is told.
    is_woken: AtomicBool,
}

// SAFETY: librdkafka's queues may be used from any thread; the mutex orders wake-ups against the end of the queue.
unsafe impl Send for Waker {}
// SAFETY: as above.
unsafe impl Sync for Waker {}

impl Waker {
    pub(super) fn new() -> Self {
        Self { queue: Mutex::new(None), is_woken: AtomicBool::new(false) }
    }

    /// Makes the [`Queue::read`] that runs now, or the next one, return at once.
    pub(super) fn wake(&self) {
        self.is_woken.store(true, Ordering::SeqCst);
        if let Some(queue) = *self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: `Queue::drop` takes the pointer out, under this lock, before it destroys the queue.
            unsafe { sys::rd_kafka_queue_yield(queue.as_ptr()) }
        }
    }
}

/// A queue of this crate's own that assigned partitions are forwarded to, and the consumer's main queue.
pub(super) struct Queue {
    records: NonNull<sys::rd_kafka_queue_t>,
    main: NonNull<sys::rd_kafka_queue_t>,
    waker: Arc<Waker>,
    // Dropped after both handles: a queue must not outlive its client.
    consumer: Arc<BaseConsumer<Context>>,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for Queue {}

impl Queue {
    /// A new queue of this consumer. `None` where the consumer has no queue of its own (it has no `group.id`).
    pub(super) fn new(consumer: Arc<BaseConsumer<Context>>, waker: Arc<Waker>) -> Option<Self> {
        let client = consumer.client().native_ptr();
        // SAFETY: `client` lives as long as `consumer`, which the new value holds.
        let main = NonNull::new(unsafe { sys::rd_kafka_queue_get_consumer(client) })?;
        // SAFETY: as above. It never returns null.
        let Some(records) = NonNull::new(unsafe { sys::rd_kafka_queue_new(client) }) else {
            // SAFETY: obtained above, destroyed once.
            unsafe { sys::rd_kafka_queue_destroy(main.as_ptr()) };
            return None;
        };
        *waker.queue.lock().unwrap_or_else(PoisonError::into_inner) = Some(records);
        Some(Self { records, main, waker, consumer })
    }

    /// Has what is fetched of this partition delivered to this queue, what waits for delivery already included.
    pub(super) fn forward(&self, topic: &str, partition: i32) -> bool {
        let Ok(topic) = CString::new(topic) else { return false };
        // SAFETY: the client lives; the string outlives the call; the handle is destroyed below.
        unsafe {
            let source =
                sys::rd_kafka_queue_get_partition(self.consumer.client().native_ptr(), topic.as_ptr(), partition);
            if source.is_null() {
                return false;
            }
            sys::rd_kafka_queue_forward(source, self.records.as_ptr());
            sys::rd_kafka_queue_destroy(source);
        }
        true
    }

    /// How many events wait on the main queue (rebalances, errors, log lines).
    pub(super) fn main_length(&self) -> usize {
        // SAFETY: the handle lives until `drop`.
        unsafe { sys::rd_kafka_queue_length(self.main.as_ptr()) }
    }

    /// Appends messages to `batch` up to its limit. Waits up to `timeout_ms` for the first one; not for more.
    pub(super) fn read(&self, timeout_ms: i32, batch: &mut Batch) {
        // librdkafka's call waits until the array is full or the time is over: so take what is there, and
        // wait for a single message only where nothing is.
        if self.take(0, batch, batch.room()) > 0 || timeout_ms == 0 {
            return;
        }
        let is_woken = self.waker.is_woken.swap(false, Ordering::SeqCst);
        if !is_woken && self.take(timeout_ms, batch, 1) == 1 {
            self.take(0, batch, batch.room());
        }
    }

    fn take(&self, timeout_ms: c_int, batch: &mut Batch, count: usize) -> usize {
        let count = count.min(batch.room());
        if count == 0 {
            return 0;
        }
        let length = batch.messages.len();
        batch.messages.reserve(count);
        // SAFETY: the spare capacity behind `length` holds at least `count` pointers; librdkafka fills the first
        // `read` of them with messages that this batch then owns.
        unsafe {
            let spare = batch.messages.as_mut_ptr().add(length);
            let read = sys::rd_kafka_consume_batch_queue(self.records.as_ptr(), timeout_ms, spare, count);
            let read = usize::try_from(read).unwrap_or(0).min(count);
            batch.messages.set_len(length + read);
            read
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.waker.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        // SAFETY: both handles were obtained in `new` and are destroyed once; the client still lives.
        unsafe {
            sys::rd_kafka_queue_destroy(self.records.as_ptr());
            sys::rd_kafka_queue_destroy(self.main.as_ptr());
        }
    }
}

/// The librdkafka whose memory layout [`Message::bears_no_headers`] knows: 2.12.1.
const KNOWN_VERSION: c_int = 0x020c_01ff;

/// Consumed messages, owned until [`Batch::clear`] or drop.
pub(super) struct Batch {
    messages: Vec<*mut sys::rd_kafka_message_t>,
    limit: usize,
    is_known_version: bool,
    // A message holds references into its client.
    _consumer: Arc<BaseConsumer<Context>>,
}

// SAFETY: the messages belong to this value alone, and librdkafka lets any thread read and destroy them.
unsafe impl Send for Batch {}

impl Batch {
    pub(super) fn new(consumer: Arc<BaseConsumer<Context>>, limit: usize) -> Self {
        // SAFETY: asks a constant of the library that runs.
        let is_known_version = unsafe { sys::rd_kafka_version() } == KNOWN_VERSION;
        Self { messages: Vec::with_capacity(limit), limit, is_known_version, _consumer: consumer }
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.messages.len())
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// The messages in the order they were read.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Message<'_>> {
        // SAFETY: every pointer is a live message owned by this batch, which the borrow keeps from being cleared.
        let is_known_version = self.is_known_version;
        self.messages.iter().map(move |&message| Message { raw: unsafe { &*message }, is_known_version })
    }

    /// Gives all messages back.
    pub(super) fn clear(&mut self) {
        for message in self.messages.drain(..) {
            // SAFETY: owned by this batch; drained, so destroyed once.
            unsafe { sys::rd_kafka_message_destroy(message) }
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.clear();
    }
}

/// One message of a [`Batch`]: a record, or the end of a partition, or an error.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    raw: &'a sys::rd_kafka_message_t,
    is_known_version: bool,
}

impl<'a> Message<'a> {
    /// What went wrong, or `None` for a record.
    pub(super) fn error(&self) -> Option<Code> {
        // SAFETY: the field is an int in C. Read as a number, because a broker's code need not be one of the enum's.
        let code = unsafe { ptr::addr_of!(self.raw.err).cast::<Code>().read() };
        (code != NO_ERROR).then_some(code)
    }

    /// One line about the error.
    pub(super) fn error_text(&self) -> String {
        // SAFETY: the message lives; the text, if any, is a string that lives as long.
        unsafe { text(sys::rd_kafka_message_errstr(self.raw)) }
    }

    /// Tells topics apart within one batch: equal for equal topics.
    pub(super) fn topic_id(&self) -> usize {
        self.raw.rkt as usize
    }

    /// The topic's name; empty for an error that concerns none.
    pub(super) fn topic(&self) -> &'a str {
        if self.raw.rkt.is_null() {
            return "";
        }
        // SAFETY: the message holds a reference to its topic, whose name does not change.
        unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(self.raw.rkt)) }.to_str().unwrap_or("")
    }

    pub(super) fn partition(&self) -> i32 {
        self.raw.partition
    }

    pub(super) fn offset(&self) -> i64 {
        self.raw.offset
    }

    pub(super) fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: null or `key_len` bytes that live as long as the message.
        unsafe { bytes(self.raw.key, self.raw.key_len) }
    }

    pub(super) fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: null or `len` bytes that live as long as the message.
        unsafe { bytes(self.raw.payload, self.raw.len) }
    }

    /// Event time, ms since 1970; -1 where there is none.
    pub(super) fn timestamp_ms(&self) -> i64 {
        // SAFETY: the message lives; the kind of timestamp is not asked for.
        unsafe { sys::rd_kafka_message_timestamp(self.raw, ptr::null_mut()) }
    }

    /// Whether there are certainly no headers. librdkafka parses a header list even to find it empty, which allocates
    /// and costs more than everything else that reading a record does (150 of 250 ns).
    ///
    /// ```text
    ///   record of format 2, as the broker sent it, in librdkafka's fetch buffer:
    ///   .. | key | length of value | value | number of headers (varint) | headers
    ///                              ^ raw.payload, raw.len      ^ 0: none
    /// ```
    fn bears_no_headers(&self) -> bool {
        if !self.is_known_version || self.raw.payload.is_null() || self.raw.len == 0 {
            return false;
        }
        // SAFETY: only records of format 2 have a leader epoch, and only there is it 0 or more. Their payload points
        // into the buffer drawn above (an empty one does not: excluded), so that a readable byte follows it; brokers
        // refuse records that lack it. True of this version of librdkafka, which is checked.
        unsafe {
            sys::rd_kafka_message_leader_epoch(self.raw) >= 0 && *self.raw.payload.cast::<u8>().add(self.raw.len) == 0
        }
    }

    /// Appends the headers, in order.
    pub(super) fn headers(&self, headers: &mut Vec<Header<'a>>) -> Result<(), Code> {
        if self.bears_no_headers() {
            return Ok(());
        }
        let mut native = ptr::null_mut();
        // SAFETY: the message lives. The headers are parsed into the message, and live as long as it does.
        let code = unsafe { sys::rd_kafka_message_headers(self.raw, &mut native) } as Code;
        if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__NOENT as Code {
            return Ok(());
        }
        if code != NO_ERROR {
            return Err(code);
        }
        for index in 0.. {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0_usize);
            // SAFETY: `native` is this message's header list; the three results are written before they are read.
            unsafe {
                let code = sys::rd_kafka_header_get_all(native, index, &mut name, &mut value, &mut size);
                if code as Code != NO_ERROR || name.is_null() {
                    return Ok(());
                }
                // A name that is not UTF-8 cannot be borrowed as text; it is shown as the replacement character.
                let name = CStr::from_ptr(name).to_str().unwrap_or("\u{fffd}");
                headers.push(Header { name, value: bytes(value, size) });
            }
        }
        Ok(())
    }
}

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
    // SAFETY: the client lives. Closing serves the last rebalance by itself. Nobody polls for log lines from here on,
    // and librdkafka would print them.
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

/// How many members a group has, or the code of what went wrong.
pub(super) fn group_member_count(
    consumer: &BaseConsumer<Context>,
    group: &str,
    timeout_ms: i32,
) -> Result<usize, Code> {
    let name = CString::new(group).map_err(|_| INVALID_ARGUMENT)?;
    let mut list: *const sys::rd_kafka_group_list = ptr::null();
    // SAFETY: the client and the string outlive the call; the list is destroyed below, after the last use.
    unsafe {
        let code = sys::rd_kafka_list_groups(
            consumer.client().native_ptr(),
            name.as_ptr(),
            ptr::addr_of_mut!(list).cast(),
            timeout_ms,
        ) as Code;
        if code != NO_ERROR {
            return Err(code);
        }
        if list.is_null() {
            return Ok(0);
        }
        let mut result = Ok(0);
        for index in 0..usize::try_from((*list).group_cnt).unwrap_or(0) {
            let info = (*list).groups.add(index);
            let code = ptr::addr_of!((*info).err).cast::<Code>().read();
            if code != NO_ERROR {
                result = Err(code);
                break;
            }
            result = result.map(|count| count + usize::try_from((*info).member_cnt).unwrap_or(0));
        }
        sys::rd_kafka_group_list_destroy(list);
        result
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

/// librdkafka's words for a code.
pub(super) fn describe(code: Code) -> String {
    match sys::rd_kafka_resp_err_t::try_from(code) {
        // SAFETY: a known code; the text is a constant of the library.
        Ok(code) => unsafe { text(sys::rd_kafka_err2str(code)) },
        Err(_) => format!("error code {code}"),
    }
}

/// A producer and its topic handles.
pub(super) struct Sender {
    topics: Vec<NonNull<sys::rd_kafka_topic_t>>,
    producer: BaseProducer<Context>,
}

// SAFETY: librdkafka's topic handles may be used from any thread.
unsafe impl Send for Sender {}

/// What to send; see [`Sender::send`].
pub(super) struct Outgoing<'a> {
    /// From [`Sender::topic`].
    pub(super) topic: usize,
    /// -1 for the partitioner's choice.
    pub(super) partition: i32,
    /// 0 would mean the current time to librdkafka.
    pub(super) timestamp_ms: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: &'a [Header<'a>],
    /// Comes back in the delivery report.
    pub(super) tag: usize,
}

impl Sender {
    pub(super) fn new(producer: BaseProducer<Context>) -> Self {
        Self { topics: Vec::new(), producer }
    }

    pub(super) fn producer(&self) -> &BaseProducer<Context> {
        &self.producer
    }

    /// A handle for a topic, to be kept by the caller; `None` for a name that cannot be one.
    pub(super) fn topic(&mut self, name: &str) -> Option<usize> {
        let name = CString::new(name).ok()?;
        // SAFETY: client and string outlive the call; the handle is destroyed in `drop`, before the client.
        let topic =
            unsafe { sys::rd_kafka_topic_new(self.producer.client().native_ptr(), name.as_ptr(), ptr::null_mut()) };
        self.topics.push(NonNull::new(topic)?);
        Some(self.topics.len() - 1)
    }

    /// Adds a record to the producer's queue, which copies it.
    pub(super) fn send(&self, record: &Outgoing<'_>) -> Result<(), Code> {
        let topic = self.topics.get(record.topic).ok_or(INVALID_ARGUMENT)?.as_ptr();
        let (key, key_length) = parts(record.key);
        let (value, value_length) = parts(record.value);
        let headers = native_headers(record.headers)?;
        // SAFETY: a list of (kind, argument) pairs as `rd_kafka_producev` reads them, each of the C type that its kind
        // names. Key and value are copied before it returns. The headers become the record's on success only.
        unsafe {
            let code = sys::rd_kafka_producev(
                self.producer.client().native_ptr(),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                topic,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                record.partition,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY as c_int,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value,
                value_length,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key,
                key_length,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
                record.tag as *mut c_void,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                record.timestamp_ms,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                headers,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            ) as Code;
            if code == NO_ERROR {
                return Ok(());
            }
            if !headers.is_null() {
                sys::rd_kafka_headers_destroy(headers);
            }
            Err(code)
        }
    }

    /// Sends what is queued without lingering, for up to 1 ms. Delivery reports remain to be polled.
    pub(super) fn flush_1ms(&self) {
        // SAFETY: the client lives. The result says only whether records are still on their way.
        unsafe { sys::rd_kafka_flush(self.producer.client().native_ptr(), 1) };
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // SAFETY: the client lives. Nobody polls for log lines from here on, and librdkafka would print them.
        unsafe { sys::rd_kafka_set_log_level(self.producer.client().native_ptr(), 0) };
        for topic in self.topics.drain(..) {
            // SAFETY: obtained in `topic`, destroyed once, before the client.
            unsafe { sys::rd_kafka_topic_destroy(topic.as_ptr()) }
        }
    }
}

/// Pointer and length as librdkafka wants them: null is "absent", a pointer with length 0 is "empty".
fn parts(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((ptr::null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut().cast(), bytes.len()))
}

/// A native list of headers, or null for none.
fn native_headers(headers: &[Header<'_>]) -> Result<*mut sys::rd_kafka_headers_t, Code> {
    if headers.is_empty() {
        return Ok(ptr::null_mut());
    }
    // SAFETY: names and values are copied with their lengths while they are borrowed; on failure the list is freed.
    unsafe {
        let native = sys::rd_kafka_headers_new(headers.len());
        for header in headers {
            let (value, size) = parts(header.value);
            let code = sys::rd_kafka_header_add(
                native,
                header.name.as_ptr().cast(),
                header.name.len() as isize,
                value,
                size as isize,
            ) as Code;
            if code != NO_ERROR {
                sys::rd_kafka_headers_destroy(native);
                return Err(code);
            }
        }
        Ok(native)
    }
}
