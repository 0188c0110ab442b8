//! What a processor may do besides writing to its stores.

use crate::codec::Codec;
use crate::error::Result;
use crate::log::{Offset, TopicPartition};

use super::dead_letter::DeadLetter;
use super::node::Edge;
use super::record::Record;
use super::runtime::{PunctuationId, Runtime, Schedule};

/// A processor's view of its task, for the length of one call.
pub struct Context<'c, K: Codec, V: Codec> {
    runtime: &'c mut Runtime,
    children: &'c [Edge<K, V>],
    node: usize,
    reads_source: bool,
}

impl<'c, K: Codec, V: Codec> Context<'c, K, V> {
    pub(super) fn new(runtime: &'c mut Runtime, children: &'c [Edge<K, V>], node: usize, reads_source: bool) -> Self {
        Self { runtime, children, node, reads_source }
    }

    /// Sends a record to all that read this processor's main output.
    pub fn forward(&mut self, record: Record<'_, K, V>) -> Result<()> {
        self.forward_batch(std::slice::from_ref(&record))
    }

    /// Sends a run of records to all that read this processor's main output.
    pub fn forward_batch(&mut self, records: &[Record<'_, K, V>]) -> Result<()> {
        forward(self.children, records, self.runtime)
    }

    /// Sends a record to all that read a side output.
    pub fn forward_to<K2: Codec, V2: Codec>(&mut self, port: &Port<K2, V2>, record: Record<'_, K2, V2>) -> Result<()> {
        forward(&port.children, std::slice::from_ref(&record), self.runtime)
    }

    /// Puts a record into the dead-letter topic of the task's source, in the same transaction as everything else.
    pub fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        self.runtime.dead_letter(letter);
    }

    /// Holds input from `offset` on: the committed offset stays there, and after a restart or a rewind processing begins
    /// there again. Law: no held record has caused an output, a store write or a dead letter. `None` holds nothing.
    pub fn hold_from(&mut self, offset: Option<Offset>) {
        self.runtime.hold(self.node, offset);
    }

    /// Takes no input from `offset` on, until [`Context::resume`]: what was handed over from there is delivered again then. For a
    /// processor that must wait (for a commit, say) without piling up records; it must be the only reader of its source.
    pub fn suspend_from(&mut self, offset: Offset) {
        self.runtime.suspend(offset);
    }

    /// Takes input again, from where [`Context::suspend_from`] said.
    pub fn resume(&mut self) {
        self.runtime.resume();
    }

    /// Names the input record on whose behalf the following outputs and store writes are made. Needed only where a
    /// processor holds input; otherwise it is the record being processed.
    pub fn caused_by(&mut self, offset: Offset) {
        self.runtime.set_cause(offset);
    }

    /// Takes note of a record before it is processed: its offset is the cause of what follows, and stream time advances to
    /// its timestamp. [`Processor::process_batch`](super::Processor::process_batch) does it by default.
    pub fn observe(&mut self, offset: Offset, timestamp_ms: i64) {
        self.runtime.set_cause(offset);
        if self.reads_source {
            self.runtime.stream_time.observe(offset, timestamp_ms);
        }
    }

    /// Highest event time seen, ms since 1970; `None` before the first record that has one.
    pub fn stream_time_ms(&self) -> Option<i64> {
        self.runtime.stream_time.current_ms()
    }

    /// Wall-clock time, ms since 1970. A result that depends on it cannot be replayed.
    pub fn now_ms(&self) -> i64 {
        self.runtime.now_ms
    }

    /// The task's input.
    pub fn partition(&self) -> &TopicPartition {
        self.runtime.partition()
    }

    /// Next input offset to process. The end of the partition moves it over what is no record (markers of transactions).
    pub fn next_offset(&self) -> Offset {
        self.runtime.next_offset()
    }

    /// End of the committed input, the last stable offset, as it was when this task was taken over: everything that a
    /// predecessor can have read lies below it.
    pub fn input_end(&self) -> Offset {
        self.runtime.input_end()
    }

    /// Whether input is suspended ([`Context::suspend_from`]).
    pub fn is_suspended(&self) -> bool {
        self.runtime.is_suspended()
    }

    /// Asks for regular calls of [`Processor::punctuate`](super::Processor::punctuate).
    pub fn schedule(&mut self, schedule: Schedule) -> PunctuationId {
        self.runtime.schedule(self.node, schedule)
    }

    /// Asks for a commit as soon as possible instead of at the end of the interval.
    pub fn request_commit(&mut self) {
        self.runtime.request_commit();
    }
}

/// A side output of a processor, connected to what reads it. From [`Wiring::output`](crate::graph::Wiring::output).
pub struct Port<K: Codec, V: Codec> {
    pub(crate) children: Vec<Edge<K, V>>,
}

pub(super) fn forward<K: Codec, V: Codec>(
    children: &[Edge<K, V>],
    records: &[Record<'_, K, V>],
    runtime: &mut Runtime,
) -> Result<()> {
    for child in children {
        child.borrow_mut().process_batch(records, runtime)?;
    }
    Ok(())
}
