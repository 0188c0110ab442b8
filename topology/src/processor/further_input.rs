//! Inputs of a processor beside its main one: records of other types, for the same processor.
//!
//! ```text
//!   Edge<K, V>   ──────────────────────────> ProcessorNode<P>: Processor::process_batch
//!                                                  ^
//!   Edge<K2, V2> ──> FurtherInput: process ────────┘ lends its processor, its name and its edges
//! ```
//! A task hands one run to one node at a time, so no two inputs ever ask for the processor at once.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::codec::Data;

use super::failure;
use super::node::{Input, ProcessorNode};
use super::runtime::Runtime;
use super::{Context, Processor, Record, Result};

/// One of them: what the processor does with a run of its records.
pub(crate) struct FurtherInput<P: Processor, F, K: ?Sized, V: ?Sized> {
    node: Rc<RefCell<ProcessorNode<P>>>,
    process: F,
    types: PhantomData<fn(&K, &V)>,
}

impl<P: Processor, F, K: ?Sized, V: ?Sized> FurtherInput<P, F, K, V> {
    pub(crate) fn new(node: Rc<RefCell<ProcessorNode<P>>>, process: F) -> Self {
        Self { node, process, types: PhantomData }
    }
}

impl<P, F, K, V> Input<K, V> for FurtherInput<P, F, K, V>
where
    P: Processor,
    F: FnMut(&mut P, &[Record<'_, K, V>], &mut Context<'_, P::KeyOut, P::ValueOut>) -> Result,
    K: Data + ?Sized,
    V: Data + ?Sized,
{
    fn process_batch(&mut self, records: &[Record<'_, K, V>], runtime: &mut Runtime) -> crate::error::Result<()> {
        let ProcessorNode { processor, name, node, reader_takes_runs, children, .. } = &mut *self.node.borrow_mut();
        let context = &mut Context::new(runtime, children, *node, *reader_takes_runs);
        let result = failure::named_of_record((self.process)(processor, records, context), name);
        failure::unless_mistaken(result, runtime.schedules.take_mistake(*node), name)
    }

    fn takes_runs(&self) -> bool {
        false
    }
}
