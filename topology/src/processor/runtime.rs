//! One task's side of all its contexts.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::error::Result;
use crate::log::{self, Offset, TopicPartition};
use crate::store::{self, Stores};

use super::beginning::InputRange;
use super::dead_letter::{DeadLetter, OwnedDeadLetter};
use super::handlers::Handlers;
use super::input::{InputOptions, NO_CAUSE, TaskInput};
use super::interleaving::Interleaving;
use super::limits::Limits;
use super::outputs::Outputs;
use super::position::Position;
use super::reactions::Reactions;
use super::schedule::{Punctuation, PunctuationId, Schedule, Schedules};
use super::upcoming::Upcoming;
use super::vouch::Vouch;

/// What a [`Runtime`] is made from.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// Whether the stores are as this process left them: nothing was read into them from changelogs, none was emptied.
    pub stores_as_left: bool,
    /// Wall-clock time, ms since 1970.
    pub now_ms: i64,
    /// How far the log's clock is ahead of that one, ms, if that is known.
    pub log_ahead_ms: Option<i64>,
    /// Topics to produce to.
    pub topics: Vec<String>,
    /// What these topics take.
    pub limits: Arc<Limits>,
    /// Knows whether the input is of the topics it is taken for.
    pub vouch: Rc<dyn Vouch>,
}

/// Inputs, outputs, holds and punctuations of one task. Inputs are numbered from 0; a method panics where the task has
/// no input of that number.
#[derive(Debug)]
pub struct Runtime {
    pub(super) outputs: Outputs,
    pub(super) now_ms: i64,
    /// See [`RuntimeOptions::log_ahead_ms`].
    pub log_ahead_ms: Option<i64>,
    pub(super) inputs: Vec<TaskInput>,
    /// Empty where there is but one input.
    interleaving: Interleaving,
    /// The highest event time of all inputs.
    stream_time_ms: Option<i64>,
    upcoming: Upcoming,
    stores_as_left: bool,
    pub(super) stores: Rc<RefCell<Stores>>,
    dead_letter_max_bytes: usize,
    /// What each node holds: the first record of an input.
    pub(super) holds: Vec<(usize, Position)>,
    pub(super) schedules: Schedules,
    cause: Position,
    pub(super) commit_requested: bool,
    suspended: bool,
    vouch: Rc<dyn Vouch>,
    pub(super) reactions: Reactions,
}

impl Runtime {
    /// The runtime of a task that starts or rewinds, with its inputs in the order in which the graph names them, at
    /// least one, and with what the application says of errors.
    pub fn new(
        options: RuntimeOptions,
        inputs: Vec<InputOptions>,
        stores: Rc<RefCell<Stores>>,
        handlers: Handlers,
    ) -> Self {
        let limits = options.topics.iter().map(|topic| options.limits.topics.get(topic).copied()).collect();
        let mut runtime = Self {
            outputs: Outputs::new(options.topics),
            now_ms: options.now_ms,
            log_ahead_ms: options.log_ahead_ms,
            inputs: inputs.into_iter().map(TaskInput::new).collect(),
            interleaving: Interleaving::default(),
            stream_time_ms: None,
            upcoming: Upcoming::default(),
            stores_as_left: options.stores_as_left,
            stores,
            dead_letter_max_bytes: options.limits.dead_letter_max_bytes,
            holds: Vec::new(),
            schedules: Schedules::default(),
            cause: Position::new(0, NO_CAUSE),
            commit_requested: false,
            suspended: false,
            vouch: options.vouch,
            reactions: Reactions::new(handlers, limits),
        };
        runtime.join_stream_times();
        runtime
    }

    /// How many inputs there are.
    pub fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// The partition of an input.
    pub fn partition(&self, input: usize) -> &TopicPartition {
        &self.inputs[input].partition
    }

    /// What is to be produced.
    pub fn outputs(&mut self) -> &mut Outputs {
        &mut self.outputs
    }

    /// Next offset of an input to process.
    pub fn next_offset(&self, input: usize) -> Offset {
        self.inputs[input].next_offset
    }

    /// An input as it was when the task was taken over.
    pub fn range(&self, input: usize) -> InputRange {
        self.inputs[input].range()
    }

    /// The group's committed offset of an input when the task began, where a task of this application committed it.
    pub(super) fn own_offset(&self, input: usize) -> Option<Offset> {
        self.inputs[input].own_offset
    }

    /// See [`RuntimeOptions::stores_as_left`].
    pub(super) fn stores_as_left(&self) -> bool {
        self.stores_as_left
    }

    /// A processor has an input begin there, whatever was committed.
    pub(super) fn begin_at(&mut self, position: Position) -> Result<()> {
        self.inputs[position.input].begin_at(position.offset)?;
        self.join_stream_times();
        Ok(())
    }

    /// The processors have been initialised, and input begins. An error: there is other input than the group's offsets
    /// speak of.
    pub fn begin(&mut self) -> Result<()> {
        self.inputs.iter_mut().try_for_each(TaskInput::begin)
    }

    /// Whether a processor knows from its state where an input begins.
    pub fn begins_by_choice(&self, input: usize) -> bool {
        self.inputs[input].begins_by_choice()
    }

    /// All of an input below `offset` went through the topology.
    pub fn set_next_offset(&mut self, input: usize, offset: Offset) {
        self.inputs[input].next_offset = offset;
    }

    /// Wall-clock time, ms since 1970.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Wall-clock time moves only through this call.
    pub fn set_now(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    /// Whether any node holds input.
    pub fn is_holding(&self) -> bool {
        !self.holds.is_empty()
    }

    /// The first record of an input that any node holds.
    fn held_from(&self, input: usize) -> Option<Offset> {
        self.holds.iter().filter(|(_, held)| held.input == input).map(|(_, held)| held.offset).min()
    }

    /// The offset of an input that a commit now would carry: that of the first record held; or of the first that was
    /// taken behind a held one of another input, and caused nothing, so that a restart takes all in the same order.
    pub fn committable_offset(&self, input: usize) -> Offset {
        let taken = &self.inputs[input];
        let others = self.holds.iter().filter(|(_, held)| held.input != input);
        let behind = others.filter_map(|(_, held)| self.interleaving.first_behind(*held, input)).min();
        let behind = behind.map(|offset| offset.max(taken.highest_cause + 1).max(taken.committed_offset));
        let held = self.held_from(input).into_iter().chain(behind).min();
        held.map_or(taken.next_offset, |offset| offset.min(taken.next_offset))
    }

    /// Whether a commit now would move the committed offset of any input.
    pub fn moves_on_commit(&self) -> bool {
        (0..self.inputs.len()).any(|input| self.inputs[input].committed_offset != self.committable_offset(input))
    }

    pub(super) fn hold(&mut self, node: usize, from: impl IntoIterator<Item = Position>) {
        self.holds.retain(|(holder, _)| *holder != node);
        for position in from {
            assert!(position.input < self.inputs.len(), "the task has no input {}", position.input);
            self.holds.push((node, position));
        }
    }

    /// Takes no input, and goes on with one there, with the others where they are.
    pub(super) fn suspend(&mut self, from: Position) {
        self.suspended = true;
        self.inputs[from.input].next_offset = from.offset;
        self.interleaving.take_back(from);
    }

    /// What is known of records from the next offsets on is void: they will be delivered again.
    pub fn forget_suspended(&mut self) {
        self.inputs.iter_mut().for_each(TaskInput::forget_untaken);
        self.join_stream_times();
    }

    pub(super) fn resume(&mut self) {
        self.suspended = false;
    }

    /// Whether a processor takes no input for now; the next offsets are the first that it did not take.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Whether the task takes no input for now, and the record there will be delivered again. Not so what was made of
    /// an input record that is taken: several may be, and the task may wait behind that one since the first of them.
    pub(super) fn comes_again(&self, position: Position) -> bool {
        self.suspended && position.offset >= self.next_offset(position.input)
    }

    pub(super) fn schedule(&mut self, node: usize, schedule: Schedule) -> PunctuationId {
        self.schedules.add(node, schedule, self.now_ms)
    }

    pub(super) fn cancel(&mut self, node: usize, id: PunctuationId) -> bool {
        self.schedules.cancel(node, id)
    }

    /// When punctuations are due.
    pub fn schedules(&self) -> &Schedules {
        &self.schedules
    }

    /// Stream time: the highest event time of all inputs, ms since 1970.
    pub fn stream_time_ms(&self) -> Option<i64> {
        self.stream_time_ms
    }

    /// Records of an input are about to be processed, from `first` on.
    pub fn take(&mut self, first: Position) {
        if self.inputs.len() > 1 {
            self.interleaving.take(first);
        }
    }

    /// A run of records of an input is about to be handed over.
    pub(super) fn expect(&mut self, input: usize, run: impl Iterator<Item = (Offset, i64)>) {
        self.upcoming.expect(input, run);
    }

    /// A processor came to the record at `position`: stream time advances to it.
    #[inline]
    pub(super) fn come_to(&mut self, position: Position) {
        while let Some((offset, timestamp_ms)) = self.upcoming.take_through(position) {
            self.inputs[position.input].stream_time.observe(offset, timestamp_ms);
            if timestamp_ms >= 0 {
                self.stream_time_ms = self.stream_time_ms.max(Some(timestamp_ms));
            }
        }
    }

    /// The highest event time of an input below `offset`.
    pub fn stream_time_before_ms(&self, input: usize, offset: Offset) -> Option<i64> {
        self.inputs[input].stream_time.before_ms(offset)
    }

    fn join_stream_times(&mut self) {
        self.stream_time_ms = self.inputs.iter().filter_map(|input| input.stream_time.current_ms()).max();
    }

    /// Whether stream time would pass a punctuation by moving to `timestamp_ms`, or begin.
    pub fn crosses_stream_time(&self, timestamp_ms: i64) -> bool {
        self.schedules.crosses(self.stream_time_ms, timestamp_ms)
    }

    /// Punctuations due because stream time moved from `from_ms` to where it is now, with their nodes.
    pub fn due_by_stream_time(&self, from_ms: Option<i64>) -> Vec<(usize, Punctuation)> {
        self.schedules.due_by_stream_time(from_ms, self.stream_time_ms)
    }

    /// Punctuations due by the wall clock, with their nodes; each is due again one interval from now.
    pub fn due_by_wall_clock(&mut self) -> Vec<(usize, Punctuation)> {
        self.schedules.due_by_wall_clock(self.now_ms)
    }

    /// Names the input record that causes what follows.
    pub fn set_cause(&mut self, position: Position) {
        assert!(position.input < self.inputs.len(), "the task has no input {}", position.input);
        if position.input != self.cause.input {
            self.collect_causes();
        }
        self.cause = position;
        self.stores.borrow_mut().set_cause(position.offset);
    }

    /// Names the input record that causes what follows, and the event time that store values are put with.
    pub(super) fn set_record(&mut self, position: Position, timestamp_ms: i64) {
        self.set_cause(position);
        self.stores.borrow_mut().set_time(timestamp_ms);
    }

    /// The input record that causes what is done now; offset -1 for none.
    pub fn cause(&self) -> Position {
        self.cause
    }

    /// What follows is caused by no input record: values are put as of stream time.
    pub fn clear_cause(&mut self) {
        let stream_time_ms = self.stream_time_ms.unwrap_or(store::changelog::NO_TIME_MS);
        self.set_record(Position::new(self.cause.input, NO_CAUSE), stream_time_ms);
    }

    /// Stores tell the highest cause of their writes by its offset alone: all since the last call were of one input.
    pub(super) fn collect_causes(&mut self) {
        if let Some(highest) = self.stores.borrow_mut().take_cause() {
            self.inputs[self.cause.input].note_cause(highest);
        }
    }

    /// Notes that something is produced on behalf of the current cause.
    pub(super) fn note_effect(&mut self) {
        self.inputs[self.cause.input].note_cause(self.cause.offset);
    }

    /// The law of held and suspended input, of each: what will be delivered again, because a commit does not cover it,
    /// has caused no output, no store write and no dead letter yet. And what was committed is not held any more.
    pub fn check_untaken(&mut self) -> Result<()> {
        self.collect_causes();
        self.inputs.iter().enumerate().try_for_each(|(index, input)| input.check_untaken(self.held_from(index)))
    }

    /// A commit was made, with an offset for each input.
    pub fn committed(&mut self, offsets: impl IntoIterator<Item = Offset>) {
        self.inputs.iter_mut().zip(offsets).for_each(|(input, offset)| input.committed(offset));
        if self.holds.is_empty() {
            self.interleaving.clear();
        } else {
            let inputs = &self.inputs;
            self.interleaving
                .forget_committed(|input| inputs[input].committed_offset, |input| inputs[input].next_offset);
        }
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
    pub(super) fn refuse(&mut self, input: usize, record: &log::Record<'_>, reason: String) {
        let letter = OwnedDeadLetter::new(Position::new(input, record.offset), record, reason);
        self.inputs[input].source_letters.push(letter);
    }

    /// Adds the dead letters of the sources to the outputs that a commit now covers.
    pub fn release_source_letters(&mut self) {
        for index in 0..self.inputs.len() {
            let committable = self.committable_offset(index);
            let letters: Vec<OwnedDeadLetter> = self.inputs[index].source_letters.take_before(committable).collect();
            for letter in &letters {
                let TaskInput { partition, dead_letters, .. } = &self.inputs[index];
                letter.write(&mut self.outputs, *dead_letters, partition, self.dead_letter_max_bytes);
                self.note_dead_letter(letter.reason());
            }
        }
    }

    /// Bytes kept here that a commit now lets go.
    pub fn uncommitted_bytes(&self) -> usize {
        let bytes = |index: usize| self.inputs[index].uncommitted_bytes(self.committable_offset(index));
        (0..self.inputs.len()).map(bytes).fold(0, usize::saturating_add)
    }

    /// Adds a dead letter to the outputs.
    pub(super) fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        self.note_effect();
        let TaskInput { partition, dead_letters, .. } = &self.inputs[letter.position.input];
        letter.write(&mut self.outputs, *dead_letters, partition, self.dead_letter_max_bytes);
        self.note_dead_letter(letter.reason);
    }
}
