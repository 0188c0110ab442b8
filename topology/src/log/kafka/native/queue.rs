//! Reading from one queue of this crate's own, in batches.

use std::ffi::{CString, c_int};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka_sys as sys;

use super::super::context::Context;
use super::message::Batch;

/// Wakes a reader that waits on a [`Queue`], from any thread.
pub(crate) struct Waker {
    queue: Mutex<Option<NonNull<sys::rd_kafka_queue_t>>>,
    /// Set before the queue is told: a read that does not wait swallows what it is told.
    is_woken: AtomicBool,
}

// SAFETY: librdkafka's queues may be used from any thread; the mutex orders wake-ups against the end of the queue.
unsafe impl Send for Waker {}
// SAFETY: as above.
unsafe impl Sync for Waker {}

impl Waker {
    pub(crate) fn new() -> Self {
        Self { queue: Mutex::new(None), is_woken: AtomicBool::new(false) }
    }

    /// Makes the [`Queue::read`] that runs now, or the next one, return at once.
    pub(crate) fn wake(&self) {
        self.is_woken.store(true, Ordering::SeqCst);
        if let Some(queue) = *self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: `Queue::drop` takes the pointer out, under this lock, before it destroys the queue.
            unsafe { sys::rd_kafka_queue_yield(queue.as_ptr()) }
        }
    }
}

/// A queue of this crate's own that assigned partitions are forwarded to, and the consumer's main queue.
pub(crate) struct Queue {
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
    pub(crate) fn new(consumer: Arc<BaseConsumer<Context>>, waker: Arc<Waker>) -> Option<Self> {
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
    pub(crate) fn forward(&self, topic: &str, partition: i32) -> bool {
        self.lead(topic, partition, self.records.as_ptr())
    }

    /// Has what is fetched of this partition from now on wait in a queue of its own, which stops the client from
    /// fetching more when it is full. What was delivered to this queue before stays there.
    pub(crate) fn hold_back(&self, topic: &str, partition: i32) -> bool {
        self.lead(topic, partition, ptr::null_mut())
    }

    /// Says where the queue of a partition leads; null: nowhere.
    fn lead(&self, topic: &str, partition: i32, to: *mut sys::rd_kafka_queue_t) -> bool {
        let Ok(topic) = CString::new(topic) else { return false };
        // SAFETY: the client lives, and `to` with it; the string outlives the call; the handle is destroyed below.
        unsafe {
            let source =
                sys::rd_kafka_queue_get_partition(self.consumer.client().native_ptr(), topic.as_ptr(), partition);
            if source.is_null() {
                return false;
            }
            sys::rd_kafka_queue_forward(source, to);
            sys::rd_kafka_queue_destroy(source);
        }
        true
    }

    /// How many events wait on the main queue (rebalances, errors, log lines).
    pub(crate) fn main_length(&self) -> usize {
        // SAFETY: the handle lives until `drop`.
        unsafe { sys::rd_kafka_queue_length(self.main.as_ptr()) }
    }

    /// Appends messages to `batch` up to its limit. Waits up to `timeout_ms` for the first one; not for more.
    pub(crate) fn read(&self, timeout_ms: i32, batch: &mut Batch) {
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
        let queue = self.records.as_ptr();
        // SAFETY: the queue lives; librdkafka writes as many messages as it says, at most `room`, and gives them away.
        unsafe { batch.append(count, |spare, room| sys::rd_kafka_consume_batch_queue(queue, timeout_ms, spare, room)) }
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
