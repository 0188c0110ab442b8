//! Processors: the user's code, and what the engine gives it.
//!
//! ```text
//! record      what flows along an edge, typed by its codecs
//! context     what a processor may do besides writing to its stores
//! runtime     one task's side of all contexts: outputs, stream time, holds
//! schedule    when processors are punctuated
//! outputs     records to produce, in one arena
//! vouch       that input is of the topic it is taken for
//! node        sources, processors and sinks as they run, connected by typed edges
//! ```
//! May use `codec`, `error`, `log` (record types) and `store`. Pure: time comes in through [`Runtime`].

mod context;
mod dead_letter;
mod node;
mod outputs;
mod record;
mod runtime;
mod schedule;
mod stream_time;
mod vouch;

pub use context::{Context, Port};
pub use dead_letter::{
    DeadLetter, HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_SHA256, HEADER_SIZE_BYTES, HEADER_TOPIC,
};
pub use node::{Edge, Input, Lifecycle, ProcessorNode, SinkNode, Source, SourceNode};
pub use outputs::{Outputs, Target};
pub use record::Record;
pub use runtime::{Runtime, RuntimeOptions};
pub use schedule::{Punctuation, PunctuationId, Schedule, Schedules};
pub use stream_time::StreamTime;
pub use vouch::Vouch;

use crate::codec::Codec;
use crate::error::Result;

/// A step of a topology: takes records of one partition in order, writes to its stores, forwards records.
///
/// It is made anew whenever its task starts or rewinds, so what it keeps in fields is lost then: state that must survive
/// belongs into a store, and input that is not finished with must be held ([`Context::hold_from`]).
///
/// ```
/// use topology::codec::{Bytes, I64};
/// use topology::processor::{Context, Processor, Record};
/// use topology::store::KeyValueStore;
///
/// struct Count {
///     counts: KeyValueStore<Bytes, I64>,
/// }
///
/// impl Processor for Count {
///     type Key = Bytes;
///     type Value = Bytes;
///     type KeyOut = Bytes;
///     type ValueOut = I64;
///
///     fn process(
///         &mut self,
///         record: &Record<'_, Bytes, Bytes>,
///         context: &mut Context<'_, Bytes, I64>,
///     ) -> topology::Result<()> {
///         let Some(key) = record.key else { return Ok(()) };
///         let count = self.counts.get(&key)?.unwrap_or(0) + 1;
///         self.counts.put(&key, &count)?;
///         context.forward(record.with(Some(key), Some(count)))
///     }
/// }
/// ```
pub trait Processor: 'static {
    /// Codec of the keys coming in.
    type Key: Codec;
    /// Codec of the values coming in.
    type Value: Codec;
    /// Codec of the keys forwarded.
    type KeyOut: Codec;
    /// Codec of the values forwarded.
    type ValueOut: Codec;

    /// Called once, after the stores are restored and before the first record. The place to schedule punctuations and to
    /// read back what is needed from stores.
    fn init(&mut self, _context: &mut Context<'_, Self::KeyOut, Self::ValueOut>) -> Result<()> {
        Ok(())
    }

    /// Processes one record. An error that no retry mends stops the thread, whether it is the engine's or the input's fault:
    /// what cannot be processed goes to the dead letters ([`Context::dead_letter`]).
    fn process(
        &mut self,
        record: &Record<'_, Self::Key, Self::Value>,
        context: &mut Context<'_, Self::KeyOut, Self::ValueOut>,
    ) -> Result<()>;

    /// Processes a run of consecutive records. Where a run begins and ends means nothing: a result must not depend on it. Once
    /// the task is suspended the rest of the run must be left alone: it is delivered again.
    fn process_batch(
        &mut self,
        records: &[Record<'_, Self::Key, Self::Value>],
        context: &mut Context<'_, Self::KeyOut, Self::ValueOut>,
    ) -> Result<()> {
        for record in records {
            context.observe(record.offset, record.timestamp_ms);
            self.process(record, context)?;
            if context.is_suspended() {
                break;
            }
        }
        Ok(())
    }

    /// A punctuation scheduled with [`Context::schedule`] is due.
    fn punctuate(
        &mut self,
        _punctuation: Punctuation,
        _context: &mut Context<'_, Self::KeyOut, Self::ValueOut>,
    ) -> Result<()> {
        Ok(())
    }

    /// A commit is about to be made: the last chance to write what belongs to it.
    fn prepare_commit(&mut self, _context: &mut Context<'_, Self::KeyOut, Self::ValueOut>) -> Result<()> {
        Ok(())
    }

    /// A commit was made: all that was written before it is now beyond doubt.
    fn committed(&mut self, _context: &mut Context<'_, Self::KeyOut, Self::ValueOut>) -> Result<()> {
        Ok(())
    }

    /// No more input will come in this run ([`until_end`](crate::client::Config::until_end)): finish with what is held. May be
    /// called again after commits for as long as something is held.
    fn end_of_input(&mut self, _context: &mut Context<'_, Self::KeyOut, Self::ValueOut>) -> Result<()> {
        Ok(())
    }
}
