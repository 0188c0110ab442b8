//! One task's side of all its contexts.

use std::cell::RefCell;
use std::rc::Rc;

use crate::error::{Class, Error, Result};
use crate::log::{Offset, TopicPartition};
use crate::store::Stores;

use super::dead_letter::DeadLetter;
use super::outputs::{Outputs, Target};
use super::stream_time::StreamTime;

/// When to punctuate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Each time stream time passes a multiple of this many ms; at most once for one record, however far it jumps. Driven by
    /// the input alone, so a replay punctuates at the same records.
    StreamTime {
        /// Interval in ms, at least 1.
        interval_ms: i64,
    },
    /// About every this many ms of wall-clock time, whether input comes or not.
    WallClock {
        /// Interval in ms, at least 1.
        interval_ms: i64,
    },
}

/// Names a schedule of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PunctuationId(usize);

/// A punctuation that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Punctuation {
    /// Which schedule.
    pub id: PunctuationId,
    /// Stream time or wall-clock time, in ms, by the schedule's kind.
    pub timestamp_ms: i64,
}

/// What a [`Runtime`] is made from.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// The task's input.
    pub partition: TopicPartition,
    /// Next offset to process.
    pub next_offset: Offset,
    /// End of the committed input, the last stable offset, as it was when the task was taken over: everything that a
    /// predecessor can have read lies below it.
    pub input_end: Offset,
    /// Stream time as of `next_offset`.
    pub stream_time_ms: Option<i64>,
    /// Wall-clock time, ms since 1970.
    pub now_ms: i64,
    /// Topics to produce to.
    pub topics: Vec<String>,
    /// Where dead letters go.
    pub dead_letters: Target,
    /// Larger dead letters are cut.
    pub dead_letter_max_bytes: usize,
}

/// Outputs, stream time, holds and punctuations of one task.
#[derive(Debug)]
pub struct Runtime {
    pub(super) outputs: Outputs,
    pub(super) stream_time: StreamTime,
    pub(super) now_ms: i64,
    partition: TopicPartition,
    next_offset: Offset,
    input_end: Offset,
    stores: Rc<RefCell<Stores>>,
    dead_letters: Target,
    dead_letter_max_bytes: usize,
    /// First held offset of each node that holds.
    holds: Vec<(usize, Offset)>,
    scheduled: Vec<Scheduled>,
    cause: Offset,
    highest_cause: Offset,
    commit_requested: bool,
    suspended: bool,
}

#[derive(Debug)]
struct Scheduled {
    node: usize,
    schedule: Schedule,
    /// Wall clock only.
    due_ms: i64,
}

/// Before any offset: caused by no input record.
const NO_CAUSE: Offset = -1;

impl Runtime {
    /// The runtime of a task that starts or rewinds.
    pub fn new(options: RuntimeOptions, stores: Rc<RefCell<Stores>>) -> Self {
        Self {
            outputs: Outputs::new(options.topics),
            stream_time: StreamTime::resume(options.stream_time_ms),
            now_ms: options.now_ms,
            partition: options.partition,
            next_offset: options.next_offset,
            input_end: options.input_end,
            stores,
            dead_letters: options.dead_letters,
            dead_letter_max_bytes: options.dead_letter_max_bytes,
            holds: Vec::new(),
            scheduled: Vec::new(),
            cause: NO_CAUSE,
            highest_cause: NO_CAUSE,
            commit_requested: false,
            suspended: false,
        }
    }

    /// The task's input.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// What is to be produced.
    pub fn outputs(&mut self) -> &mut Outputs {
        &mut self.outputs
    }

    /// Stream time.
    pub fn stream_time(&mut self) -> &mut StreamTime {
        &mut self.stream_time
    }

    /// Next offset to process.
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// End of the committed input when the task was taken over.
    pub fn input_end(&self) -> Offset {
        self.input_end
    }

    /// All below `offset` went through the topology.
    pub fn set_next_offset(&mut self, offset: Offset) {
        self.next_offset = offset;
    }

    /// Wall-clock time, ms since 1970.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Wall-clock time moves only through this call.
    pub fn set_now(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    /// The first held offset of any node.
    pub fn held_from(&self) -> Option<Offset> {
        self.holds.iter().map(|(_, offset)| *offset).min()
    }

    /// The offset that a commit now would carry.
    pub fn committable_offset(&self) -> Offset {
        self.held_from().unwrap_or(self.next_offset)
    }

    pub(super) fn hold(&mut self, node: usize, from: Option<Offset>) {
        self.holds.retain(|(holder, _)| *holder != node);
        if let Some(offset) = from {
            self.holds.push((node, offset));
        }
    }

    pub(super) fn suspend(&mut self, from: Offset) {
        self.suspended = true;
        self.next_offset = from;
    }

    pub(super) fn resume(&mut self) {
        self.suspended = false;
    }

    /// Whether a processor takes no input for now; the next offset is the first that it did not take.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    pub(super) fn schedule(&mut self, node: usize, schedule: Schedule) -> PunctuationId {
        let due_ms = match schedule {
            Schedule::WallClock { interval_ms } => self.now_ms.saturating_add(interval_ms.max(1)),
            Schedule::StreamTime { .. } => 0,
        };
        self.scheduled.push(Scheduled { node, schedule, due_ms });
        PunctuationId(self.scheduled.len() - 1)
    }

    /// Whether stream time would pass a punctuation by moving to `timestamp_ms`.
    pub fn crosses_stream_time(&self, timestamp_ms: i64) -> bool {
        let Some(current) = self.stream_time.current_ms() else { return false };
        timestamp_ms > current
            && self.scheduled.iter().any(|scheduled| crosses(scheduled.schedule, current, timestamp_ms))
    }

    /// Punctuations due because stream time moved from `from_ms` to where it is now, with their nodes.
    pub fn due_by_stream_time(&self, from_ms: Option<i64>) -> Vec<(usize, Punctuation)> {
        let (Some(from), Some(now)) = (from_ms, self.stream_time.current_ms()) else { return Vec::new() };
        let due = |scheduled: &Scheduled| crosses(scheduled.schedule, from, now);
        self.punctuations(due, now)
    }

    /// Punctuations due by the wall clock, with their nodes; each is due again one interval from now.
    pub fn due_by_wall_clock(&mut self) -> Vec<(usize, Punctuation)> {
        let now = self.now_ms;
        let is_due =
            |scheduled: &Scheduled| matches!(scheduled.schedule, Schedule::WallClock { .. }) && scheduled.due_ms <= now;
        let due = self.punctuations(is_due, now);
        for scheduled in self.scheduled.iter_mut() {
            if let Schedule::WallClock { interval_ms } = scheduled.schedule
                && scheduled.due_ms <= now
            {
                scheduled.due_ms = now.saturating_add(interval_ms.max(1));
            }
        }
        due
    }

    /// When the next wall-clock punctuation is due, ms since 1970.
    pub fn next_wall_clock_ms(&self) -> Option<i64> {
        let wall_clock = |scheduled: &&Scheduled| matches!(scheduled.schedule, Schedule::WallClock { .. });
        self.scheduled.iter().filter(wall_clock).map(|scheduled| scheduled.due_ms).min()
    }

    fn punctuations(&self, due: impl Fn(&Scheduled) -> bool, timestamp_ms: i64) -> Vec<(usize, Punctuation)> {
        let all = self.scheduled.iter().enumerate();
        all.filter(|(_, scheduled)| due(scheduled))
            .map(|(index, scheduled)| (scheduled.node, Punctuation { id: PunctuationId(index), timestamp_ms }))
            .collect()
    }

    /// Names the input record that causes what follows.
    pub fn set_cause(&mut self, offset: Offset) {
        self.cause = offset;
        self.stores.borrow_mut().set_cause(offset);
    }

    /// What follows is caused by no input record.
    pub fn clear_cause(&mut self) {
        self.set_cause(NO_CAUSE);
    }

    /// Notes that something is produced on behalf of the current cause.
    pub(super) fn note_effect(&mut self) {
        self.highest_cause = self.highest_cause.max(self.cause);
    }

    /// The law of held input: a held record has caused no output, no store write and no dead letter yet.
    pub fn check_holds(&self) -> Result<()> {
        let Some(held) = self.held_from() else { return Ok(()) };
        let highest = self.stores.borrow().cause().map_or(self.highest_cause, |cause| cause.max(self.highest_cause));
        if highest < held {
            return Ok(());
        }
        let partition = &self.partition;
        Err(Error::new(
            Class::Stop,
            format!(
                "a processor holds {partition} from offset {held} but already acted on offset {highest}: after a \
                 restart it would act twice. Hold before acting, or name what is acted for with Context::caused_by"
            ),
        ))
    }

    /// A commit was made.
    pub fn committed(&mut self, offset: Offset) {
        self.stream_time.committed(offset);
        self.highest_cause = NO_CAUSE;
        self.commit_requested = false;
    }

    pub(super) fn request_commit(&mut self) {
        self.commit_requested = true;
    }

    /// Whether a processor asked for a commit as soon as possible.
    pub fn commit_requested(&self) -> bool {
        self.commit_requested
    }

    /// Adds a dead letter to the outputs.
    pub(super) fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        self.note_effect();
        letter.write(&mut self.outputs, self.dead_letters, &self.partition, self.dead_letter_max_bytes);
    }
}

fn crosses(schedule: Schedule, from_ms: i64, to_ms: i64) -> bool {
    match schedule {
        Schedule::StreamTime { interval_ms } => {
            from_ms.div_euclid(interval_ms.max(1)) < to_ms.div_euclid(interval_ms.max(1))
        }
        Schedule::WallClock { .. } => false,
    }
}
