//! Nodes as they run in a task. A node owns typed edges to its children, so a record is never boxed, downcast or looked
//! up on its way; only where edges are tied together, once per task, are types erased.
//!
//! ```text
//!   bytes            Record<K, V>             Record<K2, V2>           bytes
//!  -------> Source --------------> Processor ----------------> Sink ---------> Outputs
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::codec::{Codec, Data};
use crate::error::{Class, Error, Result};
use crate::log;

use super::Processor;
use super::context::{Context, forward};
use super::failure;
use super::position::Position;
use super::record::Record;
use super::runtime::Runtime;
use super::schedule::Punctuation;

/// A connection to a node that takes these records.
pub(crate) type Edge<K, V> = Rc<RefCell<dyn Input<K, V>>>;

/// Takes typed records.
pub(crate) trait Input<K: Data + ?Sized, V: Data + ?Sized> {
    /// Processes a run of consecutive records.
    fn process_batch(&mut self, records: &[Record<'_, K, V>], runtime: &mut Runtime) -> Result<()>;

    /// Whether neither it nor what reads it would do anything else in the middle of a run than at its end: it suspends
    /// nothing, and looks at no time.
    fn takes_runs(&self) -> bool;
}

/// Takes raw records from a log.
pub trait Source {
    /// Decodes records of one of the task's inputs and sends them on; what cannot be decoded becomes a dead letter.
    fn process_batch(&mut self, input: usize, records: &[log::Record<'_>], runtime: &mut Runtime) -> Result<()>;

    /// The records with the event times that the source's function tells; `None` where it has none and their timestamps
    /// are the event times. What cannot be decoded keeps its timestamp.
    fn timed<'r>(&self, input: usize, records: &[log::Record<'r>]) -> Option<Vec<log::Record<'r>>>;
}

/// What a task does to every processor.
pub trait Lifecycle {
    /// See [`Processor::init`].
    fn init(&mut self, runtime: &mut Runtime) -> Result<()>;
    /// See [`Processor::punctuate`].
    fn punctuate(&mut self, punctuation: Punctuation, runtime: &mut Runtime) -> Result<()>;
    /// See [`Processor::prepare_commit`].
    fn prepare_commit(&mut self, runtime: &mut Runtime) -> Result<()>;
    /// See [`Processor::committed`].
    fn committed(&mut self, runtime: &mut Runtime) -> Result<()>;
    /// See [`Processor::end_of_input`].
    fn end_of_input(&mut self, runtime: &mut Runtime) -> Result<()>;
}

/// A source: decodes.
pub(crate) struct SourceNode<K: Codec + ?Sized, V: Codec + ?Sized> {
    /// Who reads it.
    pub children: Vec<Edge<K, V>>,
    /// What tells the event time of a record, ms since 1970, where it is not its timestamp.
    pub timestamp: Option<Timestamp<K, V>>,
}

/// A function that tells a record's event time.
pub(crate) type Timestamp<K, V> = Arc<dyn Fn(&Record<'_, K, V>) -> i64 + Send + Sync>;

impl<K: Codec + ?Sized, V: Codec + ?Sized> SourceNode<K, V> {
    /// A negative time that a function told is none.
    fn check_time(&self, record: &Record<'_, K, V>) -> Result<()> {
        if self.timestamp.is_none() || record.timestamp_ms >= 0 {
            return Ok(());
        }
        let time_ms = record.timestamp_ms;
        Err(Error::new(Class::Input, format!("the source's function tells {time_ms} as its time, which is none")))
    }

    fn decode<'a>(input: usize, raw: &log::Record<'a>) -> Result<Record<'a, K, V>, String> {
        let decode_key = |bytes: &'a [u8]| K::decode(bytes).map_err(|error| format!("key: {error}"));
        let decode_value = |bytes: &'a [u8]| V::decode(bytes).map_err(|error| format!("value: {error}"));
        Ok(Record {
            input,
            offset: raw.offset,
            timestamp_ms: raw.timestamp_ms,
            key: raw.key.map(decode_key).transpose()?,
            value: raw.value.map(decode_value).transpose()?,
            headers: raw.headers,
        })
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> Source for SourceNode<K, V> {
    fn process_batch(&mut self, input: usize, records: &[log::Record<'_>], runtime: &mut Runtime) -> Result<()> {
        if runtime.may_undo() {
            return self.one_by_one(input, records, runtime);
        }
        let mut decoded = Vec::with_capacity(records.len());
        for raw in records {
            match Self::decode(input, raw) {
                Ok(record) => {
                    if let Err(error) = self.check_time(&record) {
                        runtime.set_cause(record.position());
                        return Err(error);
                    }
                    decoded.push(record);
                }
                Err(reason) => runtime.refuse(input, raw, reason),
            }
        }
        // Several readers must see the same stream time at the same record, wherever the run was cut.
        let length = if self.children.len() > 1 { 1 } else { decoded.len().max(1) };
        for run in decoded.chunks(length) {
            if runtime.is_suspended() {
                break;
            }
            self.forward(run, runtime)?;
        }
        Ok(())
    }

    fn timed<'r>(&self, input: usize, records: &[log::Record<'r>]) -> Option<Vec<log::Record<'r>>> {
        let timestamp = self.timestamp.as_ref()?;
        let timed = records.iter().map(|raw| {
            let told = Self::decode(input, raw).map(|record| timestamp(&record));
            log::Record { timestamp_ms: told.unwrap_or(raw.timestamp_ms), ..*raw }
        });
        Some(timed.collect())
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> SourceNode<K, V> {
    /// Each record by itself, so that what it does can be undone without the others.
    fn one_by_one(&self, input: usize, records: &[log::Record<'_>], runtime: &mut Runtime) -> Result<()> {
        for raw in records {
            if runtime.is_suspended() {
                break;
            }
            let record = match Self::decode(input, raw) {
                Ok(record) => record,
                Err(reason) => {
                    runtime.refuse(input, raw, reason);
                    continue;
                }
            };
            runtime.save();
            let processed =
                self.check_time(&record).and_then(|()| self.forward(std::slice::from_ref(&record), runtime));
            match processed {
                Ok(()) => runtime.keep(),
                Err(error) => runtime.failed(input, raw, error)?,
            }
        }
        Ok(())
    }

    fn forward(&self, run: &[Record<'_, K, V>], runtime: &mut Runtime) -> Result<()> {
        let Some(last) = run.last() else { return Ok(()) };
        // The cause of what a batch processor does, unless it says more precisely.
        runtime.set_record(last.position(), last.timestamp_ms);
        let input = last.input;
        runtime.expect(input, run.iter().map(|record| (record.offset, record.timestamp_ms)));
        forward(&self.children, run, runtime)?;
        let taken = if runtime.is_suspended() { runtime.next_offset(input) - 1 } else { last.offset };
        runtime.come_to(Position::new(input, taken));
        Ok(())
    }
}

/// Whether one node, which takes runs, reads what is forwarded to these. Several are served in turn, record by record.
pub(crate) fn reader_takes_runs<K: Data + ?Sized, V: Data + ?Sized>(children: &[Edge<K, V>]) -> bool {
    matches!(children, [only] if only.borrow().takes_runs())
}

/// A processor with the edges to its children.
pub(crate) struct ProcessorNode<P: Processor> {
    /// The user's code.
    pub processor: P,
    /// Its name, for errors.
    pub name: Rc<str>,
    /// Its index in the sub-topology.
    pub node: usize,
    /// Whether it is one of the engine's own, which suspends nothing and looks at no time.
    pub is_plain: bool,
    /// Whether what reads its main output takes runs.
    pub reader_takes_runs: bool,
    /// Who reads its main output.
    pub children: Vec<Edge<P::KeyOut, P::ValueOut>>,
}

/// Splits a node into its processor and a context for it.
macro_rules! with_context {
    ($node:ident, $runtime:ident, |$processor:ident, $context:ident| $call:expr) => {{
        let $processor = &mut $node.processor;
        let $context = &mut Context::new($runtime, &$node.children, $node.node, $node.reader_takes_runs);
        let result = failure::named($call, &$node.name);
        failure::unless_mistaken(result, $runtime.schedules.take_mistake($node.node), &$node.name)
    }};
}

impl<P: Processor> Input<P::Key, P::Value> for ProcessorNode<P> {
    fn process_batch(&mut self, records: &[Record<'_, P::Key, P::Value>], runtime: &mut Runtime) -> Result<()> {
        let context = &mut Context::new(runtime, &self.children, self.node, self.reader_takes_runs);
        let result = failure::named_of_record(self.processor.process_batch(records, context), &self.name);
        failure::unless_mistaken(result, runtime.schedules.take_mistake(self.node), &self.name)
    }

    fn takes_runs(&self) -> bool {
        self.is_plain && (self.children.is_empty() || self.reader_takes_runs)
    }
}

impl<P: Processor> Lifecycle for ProcessorNode<P> {
    fn init(&mut self, runtime: &mut Runtime) -> Result<()> {
        with_context!(self, runtime, |processor, context| processor.init(context))
    }

    fn punctuate(&mut self, punctuation: Punctuation, runtime: &mut Runtime) -> Result<()> {
        with_context!(self, runtime, |processor, context| processor.punctuate(punctuation, context))
    }

    fn prepare_commit(&mut self, runtime: &mut Runtime) -> Result<()> {
        with_context!(self, runtime, |processor, context| processor.prepare_commit(context))
    }

    fn committed(&mut self, runtime: &mut Runtime) -> Result<()> {
        with_context!(self, runtime, |processor, context| processor.committed(context))
    }

    fn end_of_input(&mut self, runtime: &mut Runtime) -> Result<()> {
        with_context!(self, runtime, |processor, context| processor.end_of_input(context))
    }
}
