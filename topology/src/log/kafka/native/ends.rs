//! What a consumer has heard of the ends of partitions, which the safe wrapper asks a broker for.

use std::ffi::CString;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka_sys as sys;

use super::super::context::Context;
use super::NO_ERROR;
use crate::log::{Offset, TopicPartition};

/// One past the last offset, as the last fetch told it.
pub(crate) fn known_end(consumer: &BaseConsumer<Context>, partition: &TopicPartition) -> Option<Offset> {
    let topic = CString::new(partition.topic.as_str()).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client lives as long as `consumer`; the name outlives the call, which writes two numbers and asks no
    // broker.
    let code = unsafe {
        let client = consumer.client().native_ptr();
        sys::rd_kafka_get_watermark_offsets(client, topic.as_ptr(), partition.partition, &raw mut low, &raw mut high)
    };
    (code as i32 == NO_ERROR && high >= 0).then_some(high)
}
