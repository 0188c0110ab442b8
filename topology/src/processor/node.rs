//! Nodes as they run in a task. A node owns typed edges to its children, so a record is never boxed, downcast or looked up
//! on its way; only where edges are tied together, once per task, are types erased.
//!
//! ```text
//!   bytes            Record<K, V>             Record<K2, V2>           bytes
//!  -------> Source --------------> Processor ----------------> Sink ---------> Outputs
//! ```

use std::cell::RefCell;
use std::rc::Rc;

use crate::codec::{Codec, EncodeError};
use crate::error::{Error, Result};
use crate::log;

use super::Processor;
use super::context::{Context, forward};
use super::failure;
use super::outputs::Target;
use super::record::Record;
use super::runtime::Runtime;
use super::schedule::Punctuation;

/// A connection to a node that takes these records.
pub type Edge<K, V> = Rc<RefCell<dyn Input<K, V>>>;

/// Takes typed records.
pub trait Input<K: Codec, V: Codec> {
    /// Processes a run of consecutive records.
    fn process_batch(&mut self, records: &[Record<'_, K, V>], runtime: &mut Runtime) -> Result<()>;
}

/// Takes raw records from a log.
pub trait Source {
    /// Decodes records of one of the task's inputs and sends them on; what cannot be decoded becomes a dead letter.
    fn process_batch(&mut self, input: usize, records: &[log::Record<'_>], runtime: &mut Runtime) -> Result<()>;
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
pub struct SourceNode<K: Codec, V: Codec> {
    /// Codec of keys.
    pub key: K,
    /// Codec of values.
    pub value: V,
    /// Who reads it.
    pub children: Vec<Edge<K, V>>,
}

impl<K: Codec, V: Codec> SourceNode<K, V> {
    fn decode<'a>(&self, input: usize, raw: &log::Record<'a>) -> Result<Record<'a, K, V>, String> {
        let decode_key = |bytes| self.key.decode(bytes).map_err(|error| format!("key: {error}"));
        let decode_value = |bytes| self.value.decode(bytes).map_err(|error| format!("value: {error}"));
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

impl<K: Codec, V: Codec> Source for SourceNode<K, V> {
    fn process_batch(&mut self, input: usize, records: &[log::Record<'_>], runtime: &mut Runtime) -> Result<()> {
        let mut decoded = Vec::with_capacity(records.len());
        for raw in records {
            match self.decode(input, raw) {
                Ok(record) => decoded.push(record),
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
}

impl<K: Codec, V: Codec> SourceNode<K, V> {
    fn forward(&self, run: &[Record<'_, K, V>], runtime: &mut Runtime) -> Result<()> {
        let Some(last) = run.last() else { return Ok(()) };
        // The cause of what a batch processor does, unless it says more precisely.
        runtime.set_cause(last.position());
        let input = last.input;
        let observed_count = runtime.observed_count(input);
        forward(&self.children, run, runtime)?;
        // Readers that observe each record have done this already.
        if runtime.observed_count(input) - observed_count < run.len() as u64 {
            let taken = match runtime.is_suspended() {
                true => run.partition_point(|record| record.offset < runtime.next_offset(input)),
                false => run.len(),
            };
            for record in &run[..taken] {
                runtime.observe(record.position(), record.timestamp_ms);
            }
        }
        Ok(())
    }
}

/// A processor with the edges to its children.
pub struct ProcessorNode<P: Processor> {
    /// The user's code.
    pub processor: P,
    /// Its name, for errors.
    pub name: Rc<str>,
    /// Its index in the sub-topology.
    pub node: usize,
    /// Whether it reads a source directly.
    pub reads_source: bool,
    /// Who reads its main output.
    pub children: Vec<Edge<P::KeyOut, P::ValueOut>>,
}

/// Splits a node into its processor and a context for it.
macro_rules! with_context {
    ($node:ident, $runtime:ident, |$processor:ident, $context:ident| $call:expr) => {{
        let $processor = &mut $node.processor;
        let $context = &mut Context::new($runtime, &$node.children, $node.node, $node.reads_source);
        failure::named($call, &$node.name)
    }};
}

impl<P: Processor> Input<P::Key, P::Value> for ProcessorNode<P> {
    fn process_batch(&mut self, records: &[Record<'_, P::Key, P::Value>], runtime: &mut Runtime) -> Result<()> {
        with_context!(self, runtime, |processor, context| processor.process_batch(records, context))
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

/// A sink: encodes into the task's outputs.
pub struct SinkNode<K: Codec, V: Codec> {
    /// Codec of keys.
    pub key: K,
    /// Codec of values.
    pub value: V,
    /// The topic.
    pub target: Target,
    /// Its partition; `None` where a record goes where its key belongs.
    pub partition: Option<i32>,
}

impl<K: Codec, V: Codec> Input<K, V> for SinkNode<K, V> {
    fn process_batch(&mut self, records: &[Record<'_, K, V>], runtime: &mut Runtime) -> Result<()> {
        for record in records {
            runtime.note_effect();
            let encoded = runtime.outputs.encode(
                (self.target, self.partition),
                record.timestamp_ms,
                |arena| encode(&self.key, record.key.as_ref(), arena),
                |arena| encode(&self.value, record.value.as_ref(), arena),
                &record.headers.to_vec(),
            );
            encoded.map_err(|error| {
                let topic = runtime.outputs.topic(self.target);
                Error::stop(format!("a record for topic '{topic}' cannot be encoded: {error}")).caused_by(error)
            })?;
        }
        Ok(())
    }
}

fn encode<C: Codec>(codec: &C, item: Option<&C::Item<'_>>, arena: &mut Vec<u8>) -> Result<bool, EncodeError> {
    item.map(|item| codec.encode(item, arena)).transpose().map(|encoded| encoded.is_some())
}
