//! What a processor may do besides writing to its stores.
//!
//! ```text
//! waiting     input that it holds, or does not take for now
//! ```

mod waiting;

use super::failure::Result;
use crate::codec::Data;
use crate::log::TopicPartition;

use super::dead_letter::DeadLetter;
use super::node::Edge;
use super::position::Position;
use super::record::Record;
use super::runtime::Runtime;
use super::schedule::{PunctuationId, Schedule};

/// A processor's view of its task, for the length of one call.
pub struct Context<'c, K: Data + ?Sized, V: Data + ?Sized> {
    runtime: &'c mut Runtime,
    children: &'c [Edge<K, V>],
    node: usize,
    /// Whether what reads the main output takes runs as well as records one by one.
    reader_takes_runs: bool,
}

impl<'c, K: Data + ?Sized, V: Data + ?Sized> Context<'c, K, V> {
    pub(super) fn new(
        runtime: &'c mut Runtime,
        children: &'c [Edge<K, V>],
        node: usize,
        reader_takes_runs: bool,
    ) -> Self {
        Self { runtime, children, node, reader_takes_runs }
    }

    /// Sends a record to all that read this processor's main output.
    pub fn forward(&mut self, record: Record<'_, K, V>) -> Result {
        self.forward_batch(std::slice::from_ref(&record))
    }

    /// Sends a run of records to all that read this processor's main output.
    pub fn forward_batch(&mut self, records: &[Record<'_, K, V>]) -> Result {
        Ok(forward(self.children, records, self.runtime)?)
    }

    /// Sends on what was made of a run without looking at anything but its records. Several readers get it record by
    /// record, so that what they do is in the same order, at the same stream time, wherever the run was cut.
    pub(super) fn pass(&mut self, records: &[Record<'_, K, V>]) -> Result {
        let length = if self.children.len() > 1 { 1 } else { records.len().max(1) };
        for (index, run) in records.chunks(length).enumerate() {
            if index > 0 && self.comes_again(run[0].position()) {
                break;
            }
            if let (1, [record]) = (length, run) {
                self.take_up(record);
            }
            self.forward_batch(run)?;
        }
        Ok(())
    }

    /// Whether a run may be processed before any of it is forwarded: nothing that reads it would have suspended the
    /// task, or looked at the time, in the middle.
    pub(super) fn reader_takes_runs(&self) -> bool {
        self.reader_takes_runs
    }

    /// Sends a record to all that read a side output.
    ///
    /// ```
    /// use topology::graph::{Builder, Output};
    /// use topology::processor::{self, Context, Port, Processor, Record};
    /// # use topology::test_driver::TestDriver;
    ///
    /// struct Split {
    ///     debts: Port<str, i64>,
    /// }
    ///
    /// impl Processor for Split {
    ///     type Key = str;
    ///     type Value = i64;
    ///     type KeyOut = str;
    ///     type ValueOut = i64;
    ///
    ///     fn process(&mut self, record: &Record<'_, str, i64>, context: &mut Context<'_, str, i64>) -> processor::Result {
    ///         let same = record.with(record.key, record.value);
    ///         if record.value < Some(0) { context.forward_to(&self.debts, same) } else { context.forward(same) }
    ///     }
    /// }
    ///
    /// let builder = Builder::new();
    /// let splitting = builder.sub_topology("splitting");
    /// let debts = Output::new("debts");
    /// let balances = splitting.source::<str, i64>("balances");
    /// balances.processor("split").with_output(&debts).supply(|debts| Split { debts }).sink("assets");
    /// splitting.side_output(&debts).sink("debts");
    /// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// # for (key, value) in [("alice", 5_i64), ("bob", -3)] {
    /// #     driver.pipe("balances", Some(key.as_bytes()), Some(&value.to_be_bytes()), 0)?;
    /// # }
    /// # driver.commit()?;
    /// # assert_eq!(driver.read("debts")[0].key.as_deref(), Some(&b"bob"[..]));
    /// # assert_eq!((driver.read("debts").len(), driver.read("assets").len()), (1, 1));
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn forward_to<K2: Data + ?Sized, V2: Data + ?Sized>(
        &mut self,
        port: &Port<K2, V2>,
        record: Record<'_, K2, V2>,
    ) -> Result {
        Ok(forward(&port.children, std::slice::from_ref(&record), self.runtime)?)
    }

    /// Puts a record into the dead-letter topic of its input, in the same transaction as everything else.
    pub fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        self.runtime.dead_letter(letter);
    }

    /// Names the input record on whose behalf the following outputs and store writes are made. Needed only where a
    /// processor holds input; otherwise it is the record being processed. `None`: no record is the cause, and what
    /// follows counts whatever becomes of held input; values are put into stores as of stream time then.
    pub fn caused_by(&mut self, position: impl Into<Option<Position>>) {
        match position.into() {
            Some(position) => self.runtime.set_cause(position),
            None => self.runtime.clear_cause(),
        }
    }

    /// Takes note of a record before it is processed: it is the cause of what follows, its timestamp is the event time
    /// of values that are put into stores, and stream time advances to that of the input record at this position.
    /// [`Processor::process_batch`](super::Processor::process_batch) does it by default; without it stream time
    /// advances when the whole batch is processed.
    #[inline]
    pub fn observe<K2: Data + ?Sized, V2: Data + ?Sized>(&mut self, record: &Record<'_, K2, V2>) {
        self.take_up(record);
        self.runtime.come_to(record.position());
    }

    /// As [`Context::observe`], and leaves stream time to the end of the run.
    #[inline]
    pub(super) fn take_up<K2: Data + ?Sized, V2: Data + ?Sized>(&mut self, record: &Record<'_, K2, V2>) {
        self.runtime.set_record(record.position(), record.timestamp_ms);
    }

    /// Stream time: the highest event time seen in all inputs of the task, ms since 1970; `None` before the first
    /// record that has one. In [`Processor::process`](super::Processor::process) it includes the current record. It is
    /// committed beside the input's offset, and so survives a restart.
    pub fn stream_time_ms(&self) -> Option<i64> {
        self.runtime.stream_time_ms()
    }

    /// Wall-clock time, ms since 1970. A result that depends on it cannot be replayed.
    pub fn now_ms(&self) -> i64 {
        self.runtime.now_ms
    }

    /// How many inputs the task has: one for each topic that its sub-topology reads.
    pub fn input_count(&self) -> usize {
        self.runtime.input_count()
    }

    /// The partition of an input. As with all that asks about an input, one that the task does not have is a panic.
    pub fn partition(&self, input: usize) -> &TopicPartition {
        self.runtime.partition(input)
    }

    /// Next record of an input to process. It moves when a batch is processed, and over the log's own markers at the
    /// end of the partition.
    pub fn next_position(&self, input: usize) -> Position {
        Position::new(input, self.runtime.next_offset(input))
    }

    /// The end of an input's committed records as it was when this task was taken over: all that a predecessor can have
    /// read lies below it.
    pub fn end_position(&self, input: usize) -> Position {
        Position::new(input, self.runtime.range(input).stable_end)
    }

    /// Whether the task's stores are as this process left them when the task was given up or its work became void:
    /// nothing was read into them from their changelogs since, and none was emptied. For a processor that keeps
    /// something derived from its stores from one [`Processor::init`](super::Processor::init) to the next: another
    /// program may have written to the changelogs, so what was read from them is to be looked at as in a new process.
    pub fn are_stores_as_left(&self) -> bool {
        self.runtime.stores_as_left()
    }

    /// Where the group's committed offset had an input begin when this task was taken over, where a task of this
    /// application committed it. `None` where nothing is committed, and where another program set the offset, as
    /// Kafka's tools do: for a processor that knows better where to begin then ([`Context::begin_at`]).
    ///
    /// ```
    /// # use topology::graph::Builder;
    /// # use topology::processor::{self, Context, Processor, Record};
    /// # use topology::test_driver::TestDriver;
    /// /// Copies each record at least once, wherever somebody puts the group's offset.
    /// struct Copy;
    ///
    /// impl Processor for Copy {
    /// #    type Key = [u8];
    /// #    type Value = [u8];
    /// #    type KeyOut = [u8];
    /// #    type ValueOut = [u8];
    ///     fn init(&mut self, context: &mut Context<'_, [u8], [u8]>) -> processor::Result {
    ///         match context.committed_position(0) {
    ///             Some(_) => Ok(()),
    ///             None => context.begin_at(context.first_position(0)),
    ///         }
    ///     }
    ///
    ///     fn process(&mut self, record: &Record<'_, [u8], [u8]>, context: &mut Context<'_, [u8], [u8]>) -> processor::Result {
    ///         context.forward(record.with(record.key, record.value))
    ///     }
    /// }
    /// # let builder = Builder::new();
    /// # builder.sub_topology("copying").source::<[u8], [u8]>("in").processor("copy").supply(|()| Copy).sink("out");
    /// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// # for value in [b"a", b"b"] {
    /// #     driver.pipe("in", None, Some(value), 0)?;
    /// #     driver.commit()?;
    /// #     driver.abort()?;
    /// # }
    /// # assert_eq!(driver.read("out").len(), 2);
    /// # driver.move_offset("in", 1)?;
    /// # driver.commit()?;
    /// # assert_eq!(driver.read("out").len(), 4);
    /// # driver.lose_offsets()?;
    /// # driver.commit()?;
    /// # assert_eq!(driver.read("out").len(), 6);
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn committed_position(&self, input: usize) -> Option<Position> {
        self.runtime.own_offset(input).map(|offset| Position::new(input, offset))
    }

    /// The first record that an input had when this task was taken over: what lay below was deleted.
    pub fn first_position(&self, input: usize) -> Position {
        Position::new(input, self.runtime.range(input).first)
    }

    /// Has an input begin at `position`, before or behind the group's committed offset: for a processor whose state
    /// tells how far input was taken, and is to be believed rather than an offset that Kafka forgets and any tool
    /// moves. To be called in [`Processor::init`](super::Processor::init). Where records at `position` and behind were
    /// deleted, input begins at the first there is, with an error line that says how many are lost. A position above
    /// the end of the input is an error of class stop: the topic was truncated, or made anew.
    ///
    /// Stream time of the input begins anew, unless `position` is the committed one.
    ///
    /// ```
    /// # use topology::graph::{Builder, Store};
    /// # use topology::processor::{self, Context, Position, Processor, Record};
    /// # use topology::store::KeyValueStore;
    /// # use topology::test_driver::TestDriver;
    /// /// Numbers records; the number of the next one is its state, and its place in the input.
    /// struct Numbered {
    ///     next: KeyValueStore<[u8], i64>,
    /// }
    ///
    /// impl Processor for Numbered {
    /// #    type Key = [u8];
    /// #    type Value = [u8];
    /// #    type KeyOut = [u8];
    /// #    type ValueOut = i64;
    ///     fn init(&mut self, context: &mut Context<'_, [u8], i64>) -> processor::Result {
    ///         context.begin_at(Position::new(0, self.next.get(&&b""[..])?.unwrap_or(0)))
    ///     }
    ///
    ///     fn process(&mut self, record: &Record<'_, [u8], [u8]>, context: &mut Context<'_, [u8], i64>) -> processor::Result {
    ///         self.next.put(&&b""[..], &(record.offset + 1))?;
    ///         context.forward(record.with(record.key, Some(record.offset)))
    ///     }
    /// }
    /// # let builder = Builder::new();
    /// # let next = Store::memory("next");
    /// # let input = builder.sub_topology("numbering").source::<[u8], [u8]>("in");
    /// # input.processor("number").with_store(&next).supply(|next| Numbered { next }).sink("out");
    /// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// # driver.pipe("in", None, Some(b"a"), 0)?;
    /// # driver.pipe("in", None, Some(b"b"), 0)?;
    /// # driver.commit()?;
    /// # driver.lose_offsets()?;
    /// # driver.pipe("in", None, Some(b"c"), 0)?;
    /// # driver.commit()?;
    /// # assert_eq!(driver.read("out").len(), 3);
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn begin_at(&mut self, position: Position) -> Result {
        Ok(self.runtime.begin_at(position)?)
    }

    /// Waits until it is certain that all records handed to this task so far are of the topic that was there when the
    /// run began: a check that began after they were read has found that topic still there. To be called before
    /// anything is done that no rewind takes back, such as signing; a commit is never made without. It costs a question
    /// to the log, a millisecond or so, and nothing where it was answered since the last records were handed over.
    ///
    /// An error is to be handed on: the topic is another one, or it could not be found out in time.
    pub fn vouch_for_input(&mut self) -> Result {
        Ok(self.runtime.vouch()?)
    }

    /// Asks for regular calls of [`Processor::punctuate`](super::Processor::punctuate). An interval of
    /// less than 1 ms, or a processor made of functions without one for it, stops the task when this call of the
    /// processor returns.
    pub fn schedule(&mut self, schedule: Schedule) -> PunctuationId {
        self.runtime.schedule(self.node, schedule)
    }

    /// The processor has no [`Processor::punctuate`](super::Processor::punctuate).
    pub(super) fn note_silent(&mut self) {
        self.runtime.schedules.note_silent(self.node);
    }

    /// Ends a schedule of this processor: it is not punctuated by it any more, not even where that is due already.
    /// Returns whether the schedule went on until now. From [`Processor::punctuate`](super::Processor::punctuate) the
    /// id is [`Punctuation::id`](super::Punctuation::id).
    pub fn cancel(&mut self, id: PunctuationId) -> bool {
        self.runtime.cancel(self.node, id)
    }

    /// Asks for a commit as soon as possible instead of at the end of the interval. There is one even if nothing else
    /// is to be committed, so that [`Processor::committed`](super::Processor::committed) is called.
    pub fn request_commit(&mut self) {
        self.runtime.request_commit();
    }
}

/// A side output of a processor, connected to what reads it. Handed over for
/// [`ProcessorBuilder::with_output`](crate::graph::ProcessorBuilder::with_output).
pub struct Port<K: Data + ?Sized, V: Data + ?Sized> {
    pub(crate) children: Vec<Edge<K, V>>,
}

pub(super) fn forward<K: Data + ?Sized, V: Data + ?Sized>(
    children: &[Edge<K, V>],
    records: &[Record<'_, K, V>],
    runtime: &mut Runtime,
) -> crate::error::Result<()> {
    for child in children {
        child.borrow_mut().process_batch(records, runtime)?;
    }
    Ok(())
}
