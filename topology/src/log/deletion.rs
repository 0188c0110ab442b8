//! A deletion of records that is under way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use futures::FutureExt;

use super::Result;

/// A deletion that was begun ([`Log::begin_delete_records`](super::Log::begin_delete_records)). To drop it is to ask no
/// more: the records are deleted all the same.
pub struct Deletion(Option<UnderWay>);

type UnderWay = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

impl Deletion {
    /// One that ended so.
    pub fn ended(result: Result<()>) -> Self {
        Self(Some(Box::pin(std::future::ready(result))))
    }

    /// One whose answer is still to come.
    pub(crate) fn under_way(answer: impl Future<Output = Result<()>> + Send + 'static) -> Self {
        Self(Some(Box::pin(answer)))
    }

    /// How it ended, if it did; it does not wait. Told once.
    pub fn outcome(&mut self) -> Option<Result<()>> {
        let outcome = self.0.as_mut()?.as_mut().now_or_never();
        if outcome.is_some() {
            self.0 = None;
        }
        outcome
    }
}

impl fmt::Debug for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deletion").field("is_told", &self.0.is_none()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_told_once_and_not_before_it_is_there() {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let mut deletion = Deletion::under_way(async move { receiver.await.unwrap() });
        assert!(deletion.outcome().is_none());
        sender.send(Ok(())).unwrap();
        assert!(matches!(deletion.outcome(), Some(Ok(()))));
        assert!(deletion.outcome().is_none());
    }
}
