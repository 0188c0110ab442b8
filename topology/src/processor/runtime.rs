//! One task's side of all its contexts.

use std::cell::RefCell;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::log::{self, Offset, TopicPartition};
use crate::store::Stores;

use super::beginning::{Beginning, InputRange};
use super::dead_letter::{DeadLetter, KeptLetters, OwnedDeadLetter};
use super::outputs::{Outputs, Target};
use super::schedule::{Punctuation, PunctuationId, Schedule, Schedules};
use super::stream_time::StreamTime;
use super::vouch::Vouch;

/// What a [`Runtime`] is made from.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// The task's input.
    pub partition: TopicPartition,
    /// The group's committed offset.
    pub committed_offset: Option<Offset>,
    /// The input as it was when the task was taken over.
    pub input: InputRange,
    /// Stream time as of the committed offset.
    pub stream_time_ms: Option<i64>,
    /// Whether the stores are as this process left them: nothing was read into them from their changelogs, and none was emptied.
    pub stores_as_left: bool,
    /// Wall-clock time, ms since 1970.
    pub now_ms: i64,
    /// Topics to produce to.
    pub topics: Vec<String>,
    /// Where dead letters go.
    pub dead_letters: Target,
    /// Larger dead letters are cut.
    pub dead_letter_max_bytes: usize,
    /// Knows whether the input is of the topic it is taken for.
    pub vouch: Rc<dyn Vouch>,
}

/// Outputs, stream time, holds and punctuations of one task.
#[derive(Debug)]
pub struct Runtime {
    pub(super) outputs: Outputs,
    pub(super) stream_time: StreamTime,
    pub(super) now_ms: i64,
    partition: TopicPartition,
    next_offset: Offset,
    /// The group's committed offset, or where reading began if there is none.
    committed_offset: Offset,
    beginning: Beginning,
    stores_as_left: bool,
    stores: Rc<RefCell<Stores>>,
    dead_letters: Target,
    dead_letter_max_bytes: usize,
    /// What the source could not decode since the last commit. A letter goes out with the commit that covers its record: before
    /// that a processor may hold the record, or have it delivered again.
    source_letters: KeptLetters,
    /// First held offset of each node that holds.
    holds: Vec<(usize, Offset)>,
    schedules: Schedules,
    cause: Offset,
    highest_cause: Offset,
    commit_requested: bool,
    suspended: bool,
    vouch: Rc<dyn Vouch>,
}

/// Before any offset: caused by no input record.
const NO_CAUSE: Offset = -1;

impl Runtime {
    /// The runtime of a task that starts or rewinds.
    pub fn new(options: RuntimeOptions, stores: Rc<RefCell<Stores>>) -> Self {
        let beginning = Beginning::new(options.committed_offset, options.input);
        Self {
            outputs: Outputs::new(options.topics),
            stream_time: StreamTime::resume(options.stream_time_ms),
            now_ms: options.now_ms,
            partition: options.partition,
            next_offset: beginning.next_offset(),
            committed_offset: beginning.next_offset(),
            beginning,
            stores_as_left: options.stores_as_left,
            stores,
            dead_letters: options.dead_letters,
            dead_letter_max_bytes: options.dead_letter_max_bytes,
            source_letters: KeptLetters::default(),
            holds: Vec::new(),
            schedules: Schedules::default(),
            cause: NO_CAUSE,
            highest_cause: NO_CAUSE,
            commit_requested: false,
            suspended: false,
            vouch: options.vouch,
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

    /// See [`RuntimeOptions::stores_as_left`].
    pub(super) fn stores_as_left(&self) -> bool {
        self.stores_as_left
    }

    /// The input as it was when the task was taken over.
    pub fn input(&self) -> InputRange {
        self.beginning.range()
    }

    /// A processor has input begin there, whatever was committed.
    pub(super) fn begin_at(&mut self, offset: Offset) -> Result<()> {
        self.beginning.choose(&self.partition, offset)?;
        self.next_offset = self.beginning.next_offset();
        self.committed_offset = self.next_offset;
        if !self.beginning.is_as_committed() {
            self.stream_time = StreamTime::resume(None);
        }
        Ok(())
    }

    /// The processors have been initialised, and input begins. An error: there is other input than the group's offset
    /// speaks of.
    pub fn begin(&mut self) -> Result<()> {
        self.beginning.settle(&self.partition)
    }

    /// Whether a processor knows from its state where input begins.
    pub fn begins_by_choice(&self) -> bool {
        self.beginning.is_chosen()
    }

    /// The group's committed offset, or where reading began.
    pub fn committed_offset(&self) -> Offset {
        self.committed_offset
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

    /// What is known of records from the next offset on is void: they will be delivered again.
    pub fn forget_suspended(&mut self) {
        self.source_letters.forget_from(self.next_offset);
        self.stream_time.forget_from(self.next_offset);
    }

    pub(super) fn resume(&mut self) {
        self.suspended = false;
    }

    /// Whether a processor takes no input for now; the next offset is the first that it did not take.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    pub(super) fn schedule(&mut self, node: usize, schedule: Schedule) -> PunctuationId {
        self.schedules.add(node, schedule, self.now_ms)
    }

    /// When punctuations are due.
    pub fn schedules(&self) -> &Schedules {
        &self.schedules
    }

    /// Whether stream time would pass a punctuation by moving to `timestamp_ms`, or begin.
    pub fn crosses_stream_time(&self, timestamp_ms: i64) -> bool {
        self.schedules.crosses(self.stream_time.current_ms(), timestamp_ms)
    }

    /// Punctuations due because stream time moved from `from_ms` to where it is now, with their nodes.
    pub fn due_by_stream_time(&self, from_ms: Option<i64>) -> Vec<(usize, Punctuation)> {
        self.schedules.due_by_stream_time(from_ms, self.stream_time.current_ms())
    }

    /// Punctuations due by the wall clock, with their nodes; each is due again one interval from now.
    pub fn due_by_wall_clock(&mut self) -> Vec<(usize, Punctuation)> {
        self.schedules.due_by_wall_clock(self.now_ms)
    }

    /// Names the input record that causes what follows.
    pub fn set_cause(&mut self, offset: Offset) {
        self.cause = offset;
        self.stores.borrow_mut().set_cause(offset);
    }

    /// The input record that causes what is done now, -1 for none.
    pub fn cause(&self) -> Offset {
        self.cause
    }

    /// What follows is caused by no input record.
    pub fn clear_cause(&mut self) {
        self.set_cause(NO_CAUSE);
    }

    /// Notes that something is produced on behalf of the current cause.
    pub(super) fn note_effect(&mut self) {
        self.highest_cause = self.highest_cause.max(self.cause);
    }

    /// The law of held and suspended input: what will be delivered again, because a commit does not cover it, has caused no
    /// output, no store write and no dead letter yet. And what was committed is not held any more.
    pub fn check_untaken(&self) -> Result<()> {
        let (partition, committable, committed) = (&self.partition, self.committable_offset(), self.committed_offset);
        if committable < committed {
            return Err(Error::stop(format!(
                "a processor holds {partition} from offset {committable} or takes input again from there, but offset \
                 {committed} is committed already: hold a record when it comes, not after a commit"
            )));
        }
        let highest = self.stores.borrow().cause().map_or(self.highest_cause, |cause| cause.max(self.highest_cause));
        if highest < committable {
            return Ok(());
        }
        let (does, verb) = match self.held_from() {
            Some(_) => ("holds", "Hold"),
            None => ("takes no input of", "Suspend"),
        };
        Err(Error::stop(format!(
            "a processor {does} {partition} from offset {committable} but already acted on offset {highest}: it would act \
             twice, as that is delivered again. {verb} before acting, or name what is acted for with Context::caused_by"
        )))
    }

    /// A commit was made.
    pub fn committed(&mut self, offset: Offset) {
        self.committed_offset = offset;
        self.stream_time.committed(offset);
        self.highest_cause = NO_CAUSE;
        self.commit_requested = false;
    }

    pub(super) fn vouch(&self) -> Result<()> {
        self.vouch.vouch()
    }

    pub(super) fn request_commit(&mut self) {
        self.commit_requested = true;
    }

    /// Whether a processor asked for a commit as soon as possible.
    pub fn commit_requested(&self) -> bool {
        self.commit_requested
    }

    /// A record that the source could not decode.
    pub(super) fn refuse(&mut self, record: &log::Record<'_>, reason: String) {
        self.source_letters.push(OwnedDeadLetter::new(record, reason));
    }

    /// Adds the dead letters of the source to the outputs that a commit now covers.
    pub fn release_source_letters(&mut self) {
        for letter in self.source_letters.take_before(self.committable_offset()) {
            letter.write(&mut self.outputs, self.dead_letters, &self.partition, self.dead_letter_max_bytes);
        }
    }

    /// Bytes kept here that a commit now lets go.
    pub fn uncommitted_bytes(&self) -> usize {
        let committable = self.committable_offset();
        let letters = usize::try_from(self.source_letters.bytes_before(committable)).unwrap_or(usize::MAX);
        letters.saturating_add(self.stream_time.bytes_before(committable))
    }

    /// Adds a dead letter to the outputs.
    pub(super) fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        self.note_effect();
        letter.write(&mut self.outputs, self.dead_letters, &self.partition, self.dead_letter_max_bytes);
    }
}
