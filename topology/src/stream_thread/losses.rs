//! What was committed and did not come through whole: counted, and said at once and then every 5 s, never record by
//! record.

use crate::metrics::Metrics;
use crate::processor::Losses;

use super::complaints::{Complaints, Subject};
use super::tasks::Running;

/// What was committed, and not said yet.
#[derive(Debug, Default)]
pub(super) struct Unsaid(Losses);

impl Unsaid {
    /// Takes note of what these tasks lost with the commit that was made.
    pub(super) fn note<'t>(&mut self, tasks: impl Iterator<Item = &'t mut Running>, metrics: &Metrics) {
        for running in tasks {
            let lost = running.task.take_losses();
            metrics.add_losses(lost.dead_letter_count, lost.passed_over_count);
            running.metrics.add_dropped(lost.dead_letter_count + lost.passed_over_count);
            self.0.add(lost);
        }
    }

    /// Says it, if it is time or the last occasion.
    pub(super) fn say(&mut self, complaints: &mut Complaints, is_last: bool, now_ms: i64) {
        if self.0.is_empty() {
            return;
        }
        let is_due = complaints.due(Subject::Losses, 0, now_ms).is_some();
        if is_due || is_last {
            let Losses { dead_letter_count, passed_over_count, last_reason } = std::mem::take(&mut self.0);
            let last = last_reason.unwrap_or_default();
            tracing::warn!(dead_letter_count, passed_over_count, last, "records did not come through");
        }
    }
}
