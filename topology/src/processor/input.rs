//! One input of a task: how far it was taken, committed and held, and what was seen of it.

use crate::error::{Error, Result};
use crate::log::{Offset, TopicPartition};

use super::beginning::{Beginning, InputRange};
use super::dead_letter::KeptLetters;
use super::outputs::Target;
use super::stream_time::StreamTime;

/// Before any offset: caused by no input record.
pub(super) const NO_CAUSE: Offset = -1;

/// What an input of a task is made from.
#[derive(Clone, Debug)]
pub struct InputOptions {
    /// The partition.
    pub partition: TopicPartition,
    /// The group's committed offset.
    pub committed_offset: Option<Offset>,
    /// Whether a task of this application committed it, and no other program.
    pub is_own_offset: bool,
    /// The partition as it was when the task was taken over.
    pub range: InputRange,
    /// The highest event time below the committed offset, ms since 1970, as it was committed beside it.
    pub stream_time_ms: Option<i64>,
    /// Where its dead letters go.
    pub dead_letters: Target,
}

/// An input of a task that runs.
#[derive(Debug)]
pub(super) struct TaskInput {
    pub(super) partition: TopicPartition,
    pub(super) next_offset: Offset,
    /// The group's committed offset, or where reading began if there is none.
    pub(super) committed_offset: Offset,
    beginning: Beginning,
    /// The group's committed offset when the task began, where a task of this application committed it.
    pub(super) own_offset: Option<Offset>,
    pub(super) stream_time: StreamTime,
    pub(super) dead_letters: Target,
    /// What the source could not decode since the last commit. A letter goes out with the commit that covers its
    /// record: before that a processor may hold the record, or have it delivered again.
    pub(super) source_letters: KeptLetters,
    /// The highest record of this input that caused anything since the last commit.
    pub(super) highest_cause: Offset,
    /// What `next_offset` and `highest_cause` were before the record that is being processed.
    saved: (Offset, Offset),
}

impl TaskInput {
    pub(super) fn new(options: InputOptions) -> Self {
        let beginning = Beginning::new(options.committed_offset, options.range);
        Self {
            partition: options.partition,
            next_offset: beginning.next_offset(),
            committed_offset: beginning.next_offset(),
            beginning,
            own_offset: options.committed_offset.filter(|_| options.is_own_offset),
            stream_time: StreamTime::resume(options.stream_time_ms),
            dead_letters: options.dead_letters,
            source_letters: KeptLetters::default(),
            highest_cause: NO_CAUSE,
            saved: (NO_CAUSE, NO_CAUSE),
        }
    }

    pub(super) fn range(&self) -> InputRange {
        self.beginning.range()
    }

    /// A processor has the input begin there, whatever was committed.
    pub(super) fn begin_at(&mut self, offset: Offset) -> Result<()> {
        self.beginning.choose(&self.partition, offset)?;
        self.next_offset = self.beginning.next_offset();
        self.committed_offset = self.next_offset;
        if !self.beginning.is_as_committed() {
            self.stream_time = StreamTime::resume(None);
        }
        Ok(())
    }

    /// Whether a processor knows from its state where the input begins.
    pub(super) fn begins_by_choice(&self) -> bool {
        self.beginning.is_chosen()
    }

    /// The processors have been initialised, and input begins.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.beginning.settle(&self.partition)
    }

    /// Notes that the record there has caused something.
    pub(super) fn note_cause(&mut self, offset: Offset) {
        self.highest_cause = self.highest_cause.max(offset);
    }

    /// A record is about to be processed, and may be undone.
    pub(super) fn save(&mut self) {
        self.saved = (self.next_offset, self.highest_cause);
    }

    /// What the record caused is undone.
    pub(super) fn undo(&mut self) {
        (self.next_offset, self.highest_cause) = self.saved;
    }

    /// What is known of records from the next offset on is void: they will be delivered again.
    pub(super) fn forget_untaken(&mut self) {
        self.source_letters.forget_from(self.next_offset);
        self.stream_time.forget_from(self.next_offset);
    }

    /// The law of held and suspended input, of this one. `held_from`: the first record of it that a processor holds.
    pub(super) fn check_untaken(&self, held_from: Option<Offset>) -> Result<()> {
        let (partition, committed) = (&self.partition, self.committed_offset);
        let committable = held_from.unwrap_or(self.next_offset);
        if committable < committed {
            return Err(Error::stop(format!(
                "a processor holds {partition} from offset {committable} or takes input again from there, but offset \
                 {committed} is committed already: hold a record when it comes, not after a commit"
            )));
        }
        let highest = self.highest_cause;
        if highest < committable {
            return Ok(());
        }
        let (does, verb) = match held_from {
            Some(_) => ("holds", "Hold"),
            None => ("takes no input of", "Suspend"),
        };
        Err(Error::stop(format!(
            "a processor {does} {partition} from offset {committable} but already acted on offset {highest}: it would act \
             twice, as that is delivered again. {verb} before acting, or name what is acted for with Context::caused_by"
        )))
    }

    /// A commit was made.
    pub(super) fn committed(&mut self, offset: Offset) {
        self.committed_offset = offset;
        self.stream_time.committed(offset);
        self.highest_cause = NO_CAUSE;
    }

    /// Bytes kept for this input that a commit of `committable` lets go.
    pub(super) fn uncommitted_bytes(&self, committable: Offset) -> usize {
        let letters = usize::try_from(self.source_letters.bytes_before(committable)).unwrap_or(usize::MAX);
        letters.saturating_add(self.stream_time.bytes_before(committable))
    }
}
