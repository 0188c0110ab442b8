//! Records that go to librdkafka in one call.

use crate::log::ProducerRecord;

/// Most records handed to librdkafka in one call, which holds a lock of its own meanwhile.
const BATCH_RECORDS: usize = 256;

/// How many of these records, from the first one on, librdkafka can take in one call.
pub(super) fn together(records: &[ProducerRecord<'_>]) -> usize {
    let Some(first) = records.first() else { return 0 };
    let fits = |record: &&ProducerRecord<'_>| {
        record.timestamp_ms == ProducerRecord::NOW
            && record.headers.is_empty()
            && record.partition == first.partition
            && record.topic == first.topic
    };
    records.iter().take(BATCH_RECORDS).take_while(fits).count()
}
