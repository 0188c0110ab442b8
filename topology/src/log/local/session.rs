//! A producer's session: who fences whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::log::{Error, Kind};

/// A producer's claim to its transactional id.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    transactional_id: String,
    producer_id: i64,
    epoch: i64,
    current_epoch: Arc<AtomicI64>,
}

impl Session {
    /// A new one, which fences all before.
    pub(crate) fn begin(transactional_id: &str, producer_id: i64, epoch: &Arc<AtomicI64>) -> Self {
        Self {
            transactional_id: transactional_id.to_owned(),
            producer_id,
            epoch: epoch.fetch_add(1, Ordering::AcqRel) + 1,
            current_epoch: Arc::clone(epoch),
        }
    }

    pub(crate) fn transactional_id(&self) -> &str {
        &self.transactional_id
    }

    pub(crate) fn producer_id(&self) -> i64 {
        self.producer_id
    }

    /// Whether somebody took over, without asking the broker.
    pub(crate) fn is_fenced(&self) -> bool {
        self.current_epoch.load(Ordering::Acquire) != self.epoch
    }

    /// The error of a producer that was fenced.
    pub(crate) fn fenced(&self) -> Error {
        let id = &self.transactional_id;
        Error::new(
            Kind::Fenced,
            format!("another producer has taken over the transactional id '{id}', or its transaction timed out"),
        )
    }
}
