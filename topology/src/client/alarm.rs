//! A deadline that needs no timer of an async runtime.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// Rings once. Its thread ends when it has rung, or when this is dropped.
pub(super) struct Alarm {
    ring: oneshot::Receiver<()>,
    _dropped: Sender<()>,
}

impl Alarm {
    /// Rings after this long.
    pub(super) fn set(after: Duration) -> Result<Self> {
        let (dropped_in, dropped) = mpsc::channel::<()>();
        let (ring_in, ring) = oneshot::channel();
        let body = move || {
            if let Err(RecvTimeoutError::Timeout) = dropped.recv_timeout(after) {
                // The listener may be gone.
                let _ = ring_in.send(());
            }
        };
        let spawned = std::thread::Builder::new().name("close".to_owned()).spawn(body);
        spawned.map_err(|error| Error::stop(format!("cannot start a thread that waits: {error}")).caused_by(error))?;
        Ok(Self { ring, _dropped: dropped_in })
    }

    /// Waits until it rings.
    pub(super) async fn rung(mut self) {
        if (&mut self.ring).await.is_err() {
            // Its thread cannot end without ringing while this is there.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn it_rings_after_its_time_and_not_before() {
        block_on(Alarm::set(Duration::ZERO).unwrap().rung());
        assert!(Alarm::set(Duration::from_secs(3_600)).unwrap().rung().now_or_never().is_none());
    }
}
