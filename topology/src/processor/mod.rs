//! Processors: the user's code, and what the engine gives it.
//!
//! ```text
//! record      what flows along an edge, typed
//! position    places in a task's inputs
//! input       one input: how far it was taken, committed and held
//! interleaving in which order records of several inputs were taken
//! beginning   where an input begins
//! stream_time the highest event time of an input, as of its offsets
//! context     what a processor may do besides writing to its stores
//! closures    processors made from a function of a record
//! functions   processors made from functions with stores and a context
//! runtime     one task's side of all contexts: outputs, stream time, holds
//! schedule    when processors are punctuated
//! outputs     records to produce, in one arena
//! upcoming    how far processors have come in a run
//! vouch       that input is of the topic it is taken for
//! failure     errors of the user's code
//! handlers    what the application says of errors: fail, dead letter, go on
//! reactions   what a task does then: undo a record, leave out an output
//! limits      what topics take
//! sink        encodes records for the topic and partition that they belong to
//! node        sources and processors as they run, connected by typed edges
//! further_input   inputs of a processor beside its main one
//! ```
//! May use `codec`, `error`, `log` (record types) and `store`. Pure: time comes in through `Runtime`.

mod beginning;
mod closures;
mod context;
mod dead_letter;
mod failure;
mod functions;
mod further_input;
mod handlers;
mod input;
mod interleaving;
mod limits;
mod node;
mod outputs;
mod position;
mod reactions;
mod record;
mod runtime;
mod schedule;
mod sink;
mod stream_time;
mod upcoming;
mod vouch;

pub(crate) use beginning::InputRange;
pub use closures::Emit;
pub(crate) use closures::{Aggregate, Filter, FlatMap, ForEach, Map};
pub use context::{Context, Port};
pub use dead_letter::{
    DeadLetter, HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_SHA256, HEADER_SIZE_BYTES, HEADER_TARGET,
    HEADER_TIMESTAMP_MS, HEADER_TOPIC,
};
pub(crate) use failure::named_after;
pub use failure::{BoxError, Classify, Result};
pub(crate) use functions::{FromFunctions, Hook, Punctuate};
pub(crate) use further_input::FurtherInput;
pub(crate) use handlers::{Handlers, Losses};
pub use handlers::{ProcessingError, ProductionError, Reaction};
pub(crate) use input::InputOptions;
pub(crate) use limits::Limits;
pub(crate) use node::reader_takes_runs;
pub(crate) use node::{Edge, Lifecycle, ProcessorNode, Source, SourceNode, Timestamp};
pub(crate) use outputs::{Outputs, Target};
pub use position::Position;
pub use record::Record;
pub(crate) use runtime::{Runtime, RuntimeOptions};
pub use schedule::{Punctuation, PunctuationId, Schedule};
pub(crate) use sink::{Choose, Only, Partition, Route, SinkNode, SinkTopic};
pub(crate) use vouch::Vouch;

use crate::codec::Data;

/// A step of a topology: takes records of one partition in order, writes to its stores, forwards records.
///
/// It is made anew whenever its task starts or rewinds, so what it keeps in fields is lost then: state that must
/// survive belongs into a store, and input that is not finished with must be held ([`Context::hold_from`]).
///
/// ```
/// use topology::processor::{self, Context, Processor, Record};
/// use topology::store::KeyValueStore;
///
/// struct Count {
///     counts: KeyValueStore<[u8], i64>,
/// }
///
/// impl Processor for Count {
///     type Key = [u8];
///     type Value = [u8];
///     type KeyOut = [u8];
///     type ValueOut = i64;
///
///     fn process(
///         &mut self,
///         record: &Record<'_, [u8], [u8]>,
///         context: &mut Context<'_, [u8], i64>,
///     ) -> processor::Result {
///         let Some(key) = record.key else { return Ok(()) };
///         let count = self.counts.get(&key)?.unwrap_or(0) + 1;
///         self.counts.put(&key, &count)?;
///         context.forward(record.with(Some(key), Some(count)))
///     }
/// }
/// ```
pub trait Processor: 'static {
    /// The keys coming in.
    type Key: Data + ?Sized;
    /// The values coming in.
    type Value: Data + ?Sized;
    /// The keys forwarded.
    type KeyOut: Data + ?Sized;
    /// The values forwarded.
    type ValueOut: Data + ?Sized;

    /// Called once, after the stores are restored and before the first record. The place to schedule punctuations, to
    /// read back what is needed from stores, and to say where input begins ([`Context::begin_at`]). It may write to
    /// stores and forward, too. What must be committed before the first record is taken is done so: suspend the input,
    /// and go on in [`Processor::committed`], as often as it takes.
    ///
    /// ```
    /// # use topology::graph::{Builder, Store};
    /// # use topology::log::Headers;
    /// # use topology::processor::{self, Context, Processor, Record};
    /// # use topology::store::KeyValueStore;
    /// # use topology::test_driver::TestDriver;
    /// /// Opens each of its books before it takes the first record, with a commit behind each.
    /// struct Books {
    ///     open: KeyValueStore<i64, [u8]>,
    /// }
    ///
    /// impl Books {
    ///     /// Whether one was left to open.
    ///     fn open_next(&mut self, context: &mut Context<'_, [u8], i64>) -> processor::Result<bool> {
    ///         for book in 1..=3 {
    ///             if !self.open.contains(&book)? {
    ///                 self.open.put(&book, &&b"open"[..])?;
    ///                 context.request_commit();
    ///                 return Ok(true);
    ///             }
    ///         }
    ///         Ok(false)
    ///     }
    /// }
    ///
    /// impl Processor for Books {
    /// #    type Key = [u8];
    /// #    type Value = [u8];
    /// #    type KeyOut = [u8];
    /// #    type ValueOut = i64;
    ///     fn init(&mut self, context: &mut Context<'_, [u8], i64>) -> processor::Result {
    ///         if self.open_next(context)? {
    ///             context.suspend_from(context.next_position(0));
    ///         }
    ///         Ok(())
    ///     }
    ///
    ///     fn committed(&mut self, context: &mut Context<'_, [u8], i64>) -> processor::Result {
    ///         if context.is_suspended() && !self.open_next(context)? {
    ///             context.resume();
    ///         }
    ///         Ok(())
    ///     }
    /// #    fn process(&mut self, record: &Record<'_, [u8], [u8]>, context: &mut Context<'_, [u8], i64>) -> processor::Result {
    /// #        assert!(self.open.contains(&3)?);
    /// #        context.forward(record.with(record.key, Some(record.offset)))
    /// #    }
    /// }
    /// # let builder = Builder::new();
    /// # let entries = builder.sub_topology("keeping").source::<[u8], [u8]>("entries");
    /// # let open = Store::memory("open");
    /// # entries.processor("books").with_store(&open).supply(|open| Books { open }).sink("out");
    /// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// # driver.pipe("entries", None, Some(b"1"), 0)?;
    /// # driver.commit()?;
    /// # // The incarnation, and behind each of the three books how far the input is covered.
    /// # assert_eq!(driver.read_changelog("open").len(), 7);
    /// # assert_eq!(driver.read("out").len(), 1);
    /// # Ok::<(), topology::Error>(())
    /// ```
    fn init(&mut self, _context: &mut Context<'_, Self::KeyOut, Self::ValueOut>) -> Result {
        Ok(())
    }

    /// Processes one record. An error that no retry mends stops the thread, whether it is the engine's or the input's
    /// fault: what cannot be processed goes to the dead letters ([`Context::dead_letter`]).
    fn process(
        &mut self,
        record: &Record<'_, Self::Key, Self::Value>,
        context: &mut Context<'_, Self::KeyOut, Self::ValueOut>,
    ) -> Result;

    /// Processes a run of consecutive records. Where a run begins and ends means nothing: a result must not depend on
    /// it. Once the task is suspended the rest of the run must be left alone: it is delivered again. Whatever is done
    /// without [`Context::observe`] or [`Context::caused_by`] before it counts as caused by the last record of the run.
    fn process_batch(
        &mut self,
        records: &[Record<'_, Self::Key, Self::Value>],
        context: &mut Context<'_, Self::KeyOut, Self::ValueOut>,
    ) -> Result {
        one_by_one(records, context, |record, context| self.process(record, context))
    }

    /// A punctuation scheduled with [`Context::schedule`] is due.
    fn punctuate(
        &mut self,
        _punctuation: Punctuation,
        _context: &mut Context<'_, Self::KeyOut, Self::ValueOut>,
    ) -> Result {
        Ok(())
    }

    /// A commit is about to be made: the last chance to write what belongs to it.
    fn prepare_commit(&mut self, _context: &mut Context<'_, Self::KeyOut, Self::ValueOut>) -> Result {
        Ok(())
    }

    /// A commit was made: all that was written before it is now beyond doubt.
    fn committed(&mut self, _context: &mut Context<'_, Self::KeyOut, Self::ValueOut>) -> Result {
        Ok(())
    }

    /// No more input will come in this run ([`until_end`](crate::client::Config::until_end)): finish with what is held.
    /// May be called again after commits for as long as something is held.
    fn end_of_input(&mut self, _context: &mut Context<'_, Self::KeyOut, Self::ValueOut>) -> Result {
        Ok(())
    }
}

/// A run as if each record had come alone, up to one that will be delivered again because the task was suspended.
pub(crate) fn one_by_one<K, V, K2, V2>(
    records: &[Record<'_, K, V>],
    context: &mut Context<'_, K2, V2>,
    mut process: impl FnMut(&Record<'_, K, V>, &mut Context<'_, K2, V2>) -> Result,
) -> Result
where
    K: Data + ?Sized,
    V: Data + ?Sized,
    K2: Data + ?Sized,
    V2: Data + ?Sized,
{
    for (index, record) in records.iter().enumerate() {
        if index > 0 && context.comes_again(record.position()) {
            break;
        }
        context.observe(record);
        process(record, context)?;
    }
    Ok(())
}
