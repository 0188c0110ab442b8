//! A producer's hot path: topic handles, records, delivery reports.

use std::ffi::{CString, c_int, c_void};
use std::ptr::{self, NonNull};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka_sys as sys;

use super::super::context::Context;
use super::super::delivery::Failure;
use super::{Code, INVALID_ARGUMENT, NO_ERROR, codes, known, text};
use crate::log::{Header, ProducerRecord};

/// A producer, its topic handles and its queue of events.
pub(crate) struct Sender {
    topics: Vec<NonNull<sys::rd_kafka_topic_t>>,
    events: NonNull<sys::rd_kafka_queue_t>,
    /// Empty between calls.
    batch: Vec<sys::rd_kafka_message_t>,
    // Dropped after the handles, by `drop`.
    producer: BaseProducer<Context>,
}

// SAFETY: librdkafka's topic handles and queues may be used from any thread.
unsafe impl Send for Sender {}

/// What to send; see [`Sender::send`].
pub(crate) struct Outgoing<'a> {
    /// From [`Sender::topic`].
    pub(crate) topic: usize,
    /// -1 for the partitioner's choice.
    pub(crate) partition: i32,
    /// 0 is the current time to librdkafka.
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [Header<'a>],
    /// Comes back in the delivery report: 0, or a tracked topic's number plus one.
    pub(crate) tag: usize,
}

impl Sender {
    /// `None` where the client has no queue of events.
    pub(crate) fn new(producer: BaseProducer<Context>) -> Option<Self> {
        // SAFETY: the client lives; the queue is destroyed in `drop`, before it.
        let events = NonNull::new(unsafe { sys::rd_kafka_queue_get_main(producer.client().native_ptr()) })?;
        Some(Self { topics: Vec::new(), events, batch: Vec::new(), producer })
    }

    pub(crate) fn producer(&self) -> &BaseProducer<Context> {
        &self.producer
    }

    /// A handle for a topic, to be kept by the caller; `None` for a name that cannot be one.
    pub(crate) fn topic(&mut self, name: &str) -> Option<usize> {
        let name = CString::new(name).ok()?;
        // SAFETY: client and string outlive the call; the handle is destroyed in `drop`, before the client.
        let topic =
            unsafe { sys::rd_kafka_topic_new(self.producer.client().native_ptr(), name.as_ptr(), ptr::null_mut()) };
        self.topics.push(NonNull::new(topic)?);
        Some(self.topics.len() - 1)
    }

    /// Adds a record to the producer's queue, which copies it.
    pub(crate) fn send(&self, record: &Outgoing<'_>) -> Result<(), Code> {
        let topic = self.topics.get(record.topic).ok_or(INVALID_ARGUMENT)?.as_ptr();
        let (key, key_length) = parts(record.key);
        let (value, value_length) = parts(record.value);
        let headers = native_headers(record.headers)?;
        // SAFETY: a list of (kind, argument) pairs as `rd_kafka_producev` reads them, each of the C type that its kind
        // names. Key and value are copied before it returns. The headers become the record's on success only.
        unsafe {
            let code = codes::rd_kafka_producev(
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
            );
            if code == NO_ERROR {
                return Ok(());
            }
            if !headers.is_null() {
                sys::rd_kafka_headers_destroy(headers);
            }
            Err(code)
        }
    }

    /// Adds records to the producer's queue, which copies them: all to this partition, without headers, and with the
    /// current time. Topic, partition and lock are looked up once for all of them, not once for each.
    ///
    /// An error comes with the place of the first record refused. Where it is that the queue is full, none behind that
    /// one was added; otherwise some may have been.
    pub(crate) fn send_batch(
        &mut self,
        topic: usize,
        partition: i32,
        tag: usize,
        records: &[ProducerRecord<'_>],
    ) -> Result<(), (usize, Code)> {
        let topic = self.topics.get(topic).ok_or((0, INVALID_ARGUMENT))?.as_ptr();
        let count = c_int::try_from(records.len()).map_err(|_| (0, INVALID_ARGUMENT))?;
        self.batch.extend(records.iter().map(|record| {
            let (key, key_len) = parts(record.key);
            let (payload, len) = parts(record.value);
            sys::rd_kafka_message_t {
                err: sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
                rkt: ptr::null_mut(),
                partition,
                payload,
                len,
                key,
                key_len,
                offset: 0,
                _private: tag as *mut c_void,
            }
        }));
        let batch = self.batch.as_mut_ptr();
        // SAFETY: `batch` points to `count` messages, whose keys and values are borrowed and are copied before the call
        // returns. Their codes are read as numbers, as one may be a broker's.
        let first_refused = unsafe {
            sys::rd_kafka_produce_batch(topic, partition, sys::RD_KAFKA_MSG_F_COPY as c_int, batch, count);
            (0..records.len())
                .map(|index| (index, ptr::addr_of!((*batch.add(index)).err).cast::<Code>().read()))
                .find(|(_, code)| *code != NO_ERROR)
        };
        self.batch.clear();
        first_refused.map_or(Ok(()), Err)
    }

    /// Sends what is queued without lingering, for up to 1 ms. Delivery reports remain to be served.
    pub(crate) fn flush_1ms(&self) {
        // SAFETY: the client lives. The result says only whether records are still on their way.
        unsafe { sys::rd_kafka_flush(self.producer.client().native_ptr(), 1) };
    }

    /// Serves all events that are there, after waiting up to `timeout_ms` for the first one: delivery reports, errors,
    /// log lines. What `BaseProducer::poll` does, without its allocations per event and record.
    pub(crate) fn serve(&self, timeout_ms: c_int) {
        let mut timeout_ms = timeout_ms;
        // SAFETY: the queue lives until `drop`; each event is destroyed once, after its last use.
        unsafe {
            while let Some(event) = NonNull::new(sys::rd_kafka_queue_poll(self.events.as_ptr(), timeout_ms)) {
                self.serve_event(event.as_ptr());
                sys::rd_kafka_event_destroy(event.as_ptr());
                timeout_ms = 0;
            }
        }
    }

    /// SAFETY: a live event of this client's queue.
    unsafe fn serve_event(&self, event: *mut sys::rd_kafka_event_t) {
        let context = self.producer.context();
        // SAFETY: each kind of event is asked only for what it has; its texts live as long as the event.
        unsafe {
            match sys::rd_kafka_event_type(event) {
                sys::RD_KAFKA_EVENT_DR => self.serve_reports(event),
                sys::RD_KAFKA_EVENT_ERROR => {
                    let error = KafkaError::Global(known(codes::rd_kafka_event_error(event)));
                    context.error(error, text(sys::rd_kafka_event_error_string(event)).trim());
                }
                sys::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
                    if sys::rd_kafka_event_log(event, &mut facility, &mut line, &mut level) == 0 {
                        context.log(log_level(level), text(facility).trim(), text(line).trim());
                    }
                }
                sys::RD_KAFKA_EVENT_STATS => context.stats_raw(text(sys::rd_kafka_event_stats(event)).as_bytes()),
                _ => {}
            }
        }
    }

    /// SAFETY: a live event with delivery reports.
    unsafe fn serve_reports(&self, event: *mut sys::rd_kafka_event_t) {
        let context = self.producer.context();
        let (deliveries, mut is_first) = (context.deliveries(), true);
        // SAFETY: the messages, and the topics they name, live as long as the event. Fields are read one by one: the
        // code need not be one of the enum's. `_private` is what was sent along, a number.
        unsafe {
            loop {
                let message = sys::rd_kafka_event_message_next(event);
                if message.is_null() {
                    return;
                }
                let code = ptr::addr_of!((*message).err).cast::<Code>().read();
                let (partition, tag) = ((*message).partition, (*message)._private as usize);
                if code != NO_ERROR {
                    deliveries.failed(code, || Failure {
                        code,
                        topic: text(sys::rd_kafka_topic_name((*message).rkt)),
                        partition,
                        has_key: !(*message).key.is_null(),
                    });
                    continue;
                }
                if tag > 0 {
                    deliveries.delivered(tag - 1, partition, (*message).offset);
                }
                // The records of an event were delivered about the same time.
                if std::mem::take(&mut is_first)
                    && let Some(appended_ms) = appended_ms(message)
                {
                    context.broker_clock().note(appended_ms);
                }
            }
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // SAFETY: the client lives. No thread polls for log lines from here on, and librdkafka would print them.
        unsafe { sys::rd_kafka_set_log_level(self.producer.client().native_ptr(), 0) };
        // SAFETY: obtained in `new`, destroyed once, before the client.
        unsafe { sys::rd_kafka_queue_destroy(self.events.as_ptr()) };
        for topic in self.topics.drain(..) {
            // SAFETY: obtained in `topic`, destroyed once, before the client.
            unsafe { sys::rd_kafka_topic_destroy(topic.as_ptr()) }
        }
    }
}

/// When a delivered record was written down, by the broker's clock; `None` where it has its own time.
///
/// SAFETY: a live message.
unsafe fn appended_ms(message: *const sys::rd_kafka_message_t) -> Option<i64> {
    let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: the caller's promise; the kind is one of three that the library knows.
    let time_ms = unsafe { sys::rd_kafka_message_timestamp(message, &mut kind) };
    (kind == sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME).then_some(time_ms)
}

/// From syslog's numbers.
fn log_level(level: c_int) -> RDKafkaLogLevel {
    match level {
        ..=3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 | 6 => RDKafkaLogLevel::Info,
        7.. => RDKafkaLogLevel::Debug,
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
            let code = codes::rd_kafka_header_add(
                native,
                header.name.as_ptr().cast(),
                header.name.len() as isize,
                value,
                size as isize,
            );
            if code != NO_ERROR {
                sys::rd_kafka_headers_destroy(native);
                return Err(code);
            }
        }
        Ok(native)
    }
}
