//! Offsets that are committed outside of transactions.

use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::types::RDKafkaErrorCode;

use super::super::classify;
use super::super::context::Context;
use super::super::producer::offset_list;
use crate::log::{Error, Kind, OffsetCommit, Result};

/// Commits them and waits for the answer. Where no coordinator is to be found librdkafka gives up after the session's
/// time.
pub(super) fn commit(consumer: &Arc<BaseConsumer<Context>>, offsets: &[OffsetCommit]) -> Result<()> {
    if offsets.is_empty() {
        return Ok(());
    }
    let list = offset_list(offsets)?;
    consumer.commit(&list, CommitMode::Sync).map_err(|error| {
        let code = classify::code_of(&error).unwrap_or(RDKafkaErrorCode::Unknown as i32);
        let kind = match classify::kind(code) {
            // The answer may be what was lost.
            Kind::Retry => Kind::Unknown,
            kind => kind,
        };
        Error::new(kind, format!("cannot commit offsets: {error}"))
    })
}
