//! What a task does where a record cannot be processed, or an output cannot be written.
//!
//! ```text
//!             save ──> the record goes through the task ──┬── keep
//!                                                         └── undo ──> the handler ──> Fail | DeadLetter | GoOn
//!   undone       outputs, store writes, dead letters, what was held, suspended, or caused
//!   not undone   fields of processors, schedules, what was done outside; and stream time: the record was seen
//! ```
//! A task that holds input is the exception: what its processors keep of held records is in their fields, which cannot
//! be put right for them. There an error stops the thread, whatever the handler would say.

use crate::error::{Class, Error, Result};
use crate::log::{self, Header, RecordLimits, Refusal};

use super::dead_letter::{DeadLetter, HEADER_TARGET};
use super::handlers::{Handlers, Losses, ProcessingError, ProductionError, Reaction, one_line};
use super::input::{NO_CAUSE, TaskInput};
use super::outputs::{Mark, OwnedOutput, Target};
use super::position::Position;
use super::runtime::Runtime;

/// What the application says, what topics take, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Reactions {
    handlers: Handlers,
    /// For each topic that is written.
    limits: Vec<Option<RecordLimits>>,
    losses: Losses,
    saved: Saved,
}

/// How the task was before the record that is being processed.
#[derive(Debug, Default)]
struct Saved {
    outputs: Mark,
    holds: Vec<(usize, Position)>,
    commit_requested: bool,
    dead_letter_count: u64,
    passed_over_count: u64,
}

impl Reactions {
    pub(super) fn new(handlers: Handlers, limits: Vec<Option<RecordLimits>>) -> Self {
        Self { handlers, limits, ..Self::default() }
    }
}

impl Runtime {
    /// Whether a record on which a processor fails is for a handler to judge.
    pub(super) fn may_undo(&self) -> bool {
        self.reactions.handlers.processing.is_some()
    }

    /// A record is about to be processed, and may be undone.
    pub(super) fn save(&mut self) {
        let Losses { dead_letter_count, passed_over_count, .. } = self.reactions.losses;
        let saved = &mut self.reactions.saved;
        saved.outputs = self.outputs.mark();
        saved.holds.clone_from(&self.holds);
        saved.commit_requested = self.commit_requested;
        (saved.dead_letter_count, saved.passed_over_count) = (dead_letter_count, passed_over_count);
        self.collect_causes();
        self.inputs.iter_mut().for_each(TaskInput::save);
        self.stores.borrow_mut().begin_undoable();
    }

    /// The record was processed.
    pub(super) fn keep(&mut self) {
        self.stores.borrow_mut().end_undoable();
    }

    fn undo(&mut self) -> Result<()> {
        self.stores.borrow_mut().undo()?;
        self.inputs.iter_mut().for_each(TaskInput::undo);
        let saved = &self.reactions.saved;
        self.outputs.undo_to(saved.outputs);
        self.holds.clone_from(&saved.holds);
        self.commit_requested = saved.commit_requested;
        let losses = &mut self.reactions.losses;
        (losses.dead_letter_count, losses.passed_over_count) = (saved.dead_letter_count, saved.passed_over_count);
        self.resume();
        Ok(())
    }

    /// A processor failed on a record: what it did is undone, and the handler says what becomes of it.
    pub(super) fn failed(&mut self, input: usize, record: &log::Record<'_>, error: Error) -> Result<()> {
        // Anything else is not the record's fault.
        if error.class() != Class::Input {
            return Err(error);
        }
        if self.is_holding() || !self.reactions.saved.holds.is_empty() {
            let text = format!("{error} (while input is held: that cannot be undone for one record)");
            return Err(Error::new(Class::Input, text).caused_by(error));
        }
        self.undo()?;
        let position = Position::new(input, record.offset);
        // Undone, the stores would lay to the record before what a punctuation writes behind this one.
        self.set_cause(position);
        self.come_to(position);
        // Where it had suspended it was noted as not taken.
        self.take(position);
        let Some(handler) = self.reactions.handlers.processing.clone() else { return Err(error) };
        let reaction = handler(&ProcessingError {
            partition: self.partition(input),
            position,
            timestamp_ms: record.timestamp_ms,
            key: record.key,
            value: record.value,
            headers: record.headers,
            error: &error,
        });
        match reaction {
            Reaction::Fail => return Err(error),
            // It goes out with the commit that covers the record, as what cannot be decoded does.
            Reaction::DeadLetter => self.refuse(input, record, one_line(&error.to_string())),
            Reaction::GoOn => self.pass_over(one_line(&error.to_string())),
        }
        Ok(())
    }

    /// Judges the record that a sink added last, by what its topic takes and by the log's clock. It stems from the
    /// input record at `position`, if from any.
    #[inline]
    pub(super) fn judge_last(&mut self, target: Target, timestamp_ms: i64, position: Position) -> Result<()> {
        let Some(Some(limits)) = self.reactions.limits.get(target.0) else { return Ok(()) };
        let log_now_ms = self.now_ms.saturating_add(self.log_ahead_ms.unwrap_or(0));
        match limits.refusal(self.outputs.last_size_max_bytes(), timestamp_ms, log_now_ms) {
            None => Ok(()),
            // By whose clock? Where no handler must know, the log decides.
            Some(Refusal::Timestamp { .. })
                if self.log_ahead_ms.is_none() && self.reactions.handlers.production.is_none() =>
            {
                Ok(())
            }
            Some(refusal) => self.refused(target, refusal, position),
        }
    }

    /// The record that a sink added last fits nowhere: it is taken out, and the handler says what becomes of it.
    #[cold]
    fn refused(&mut self, target: Target, refusal: Refusal, position: Position) -> Result<()> {
        let is_known = position.offset > NO_CAUSE && position.input < self.input_count();
        let cause = if is_known { position } else { self.cause() };
        let Some(record) = self.outputs.take_last() else { return Ok(()) };
        let topic = self.outputs.topic(target).to_owned();
        let reason = format!("topic '{topic}' would refuse a record: {refusal}");
        let reaction = self.reactions.handlers.production.clone().map_or(Reaction::Fail, |handler| {
            handler(&ProductionError {
                topic: &topic,
                refusal,
                timestamp_ms: record.timestamp_ms,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                cause,
            })
        });
        match reaction {
            Reaction::Fail => {
                let text = format!(
                    "{reason}. Change the topic's setting and start again, or say with Builder::on_production_error what \
                     becomes of such records"
                );
                return Err(Error::stop(text));
            }
            Reaction::DeadLetter => self.bury(&topic, cause, &record, &reason),
            Reaction::GoOn => self.pass_over(reason),
        }
        Ok(())
    }

    /// Puts an output into the dead letters of the input that caused it.
    fn bury(&mut self, topic: &str, cause: Position, record: &OwnedOutput, reason: &str) {
        let own = record.headers.iter().map(|(name, value)| Header { name, value: value.as_deref() });
        let target = Header { name: HEADER_TARGET.as_bytes(), value: Some(topic.as_bytes()) };
        let headers: Vec<Header<'_>> = own.chain([target]).collect();
        self.dead_letter(&DeadLetter {
            position: cause,
            timestamp_ms: record.timestamp_ms,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: headers[..].into(),
            reason,
        });
    }

    fn pass_over(&mut self, reason: String) {
        self.reactions.losses.passed_over_count += 1;
        self.reactions.losses.last_reason = Some(reason);
    }

    /// A dead letter was written.
    pub(super) fn note_dead_letter(&mut self, reason: &str) {
        self.reactions.losses.dead_letter_count += 1;
        self.reactions.losses.last_reason = Some(one_line(reason));
    }

    /// What did not come through whole since the last call. To be called when it is committed.
    pub fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.reactions.losses)
    }
}
