//! What was committed and did not come through whole: counted, and said at once and then every 5 s, never record by record.

use crate::log::Log;
use crate::processor::Losses;

use super::StreamThread;
use super::assignment::Assigned;
use super::complaints::Subject;

impl<L: Log> StreamThread<L> {
    /// Takes note of what the tasks of a producer lost with the commit that was made.
    pub(super) fn note_losses(&mut self, key: Option<usize>) {
        let Self { assigned, metrics, losses, .. } = self;
        let running = assigned.iter_mut().flatten().filter_map(Assigned::running_mut);
        for task in running.filter(|running| running.slot == key) {
            let lost = task.task.take_losses();
            metrics.add_losses(lost.dead_letter_count, lost.passed_over_count);
            losses.add(lost);
        }
    }

    /// Says it, if it is time or the last occasion.
    pub(super) fn say_losses(&mut self, is_last: bool) {
        if self.losses.is_empty() {
            return;
        }
        let is_due = self.complaints.due(Subject::Losses, 0, self.clock.monotonic_ms()).is_some();
        if is_due || is_last {
            let Losses { dead_letter_count, passed_over_count, last_reason } = std::mem::take(&mut self.losses);
            let last = last_reason.unwrap_or_default();
            tracing::warn!(dead_letter_count, passed_over_count, last, "records did not come through");
        }
    }
}
