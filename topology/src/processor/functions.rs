//! A processor made of functions that share what was handed over to them.
//!
//! What it does with records is called through a pointer once for each run; within a run the user's function is
//! compiled in.

use crate::codec::Data;

use super::failure::Result;
use super::schedule::Punctuation;
use super::{Context, Processor, Record};

/// What is done with a run of records.
pub(crate) type Process<H, K, V, K2, V2> =
    Box<dyn FnMut(&[Record<'_, K, V>], &mut H, &mut Context<'_, K2, V2>) -> Result>;
/// What is done at some moment of the task's life.
pub(crate) type Hook<H, K2, V2> = Box<dyn FnMut(&mut H, &mut Context<'_, K2, V2>) -> Result>;
/// What is done where a punctuation is due.
pub(crate) type Punctuate<H, K2, V2> = Box<dyn FnMut(Punctuation, &mut H, &mut Context<'_, K2, V2>) -> Result>;

/// The functions, and what was handed over to them.
pub(crate) struct FromFunctions<H, K: Data + ?Sized, V: Data + ?Sized, K2: Data + ?Sized, V2: Data + ?Sized> {
    pub(crate) handles: H,
    pub(crate) process: Process<H, K, V, K2, V2>,
    pub(crate) init: Option<Hook<H, K2, V2>>,
    pub(crate) committed: Option<Hook<H, K2, V2>>,
    pub(crate) punctuate: Option<Punctuate<H, K2, V2>>,
}

impl<H, K, V, K2, V2> Processor for FromFunctions<H, K, V, K2, V2>
where
    H: 'static,
    K: Data + ?Sized,
    V: Data + ?Sized,
    K2: Data + ?Sized,
    V2: Data + ?Sized,
{
    type Key = K;
    type Value = V;
    type KeyOut = K2;
    type ValueOut = V2;

    fn init(&mut self, context: &mut Context<'_, K2, V2>) -> Result {
        let Self { handles, init, punctuate, .. } = self;
        if punctuate.is_none() {
            context.note_silent();
        }
        init.as_mut().map_or(Ok(()), |init| init(handles, context))
    }

    fn process(&mut self, record: &Record<'_, K, V>, context: &mut Context<'_, K2, V2>) -> Result {
        self.process_batch(std::slice::from_ref(record), context)
    }

    fn process_batch(&mut self, records: &[Record<'_, K, V>], context: &mut Context<'_, K2, V2>) -> Result {
        (self.process)(records, &mut self.handles, context)
    }

    fn punctuate(&mut self, punctuation: Punctuation, context: &mut Context<'_, K2, V2>) -> Result {
        let Self { handles, punctuate, .. } = self;
        punctuate.as_mut().map_or(Ok(()), |punctuate| punctuate(punctuation, handles, context))
    }

    fn committed(&mut self, context: &mut Context<'_, K2, V2>) -> Result {
        let Self { handles, committed, .. } = self;
        committed.as_mut().map_or(Ok(()), |committed| committed(handles, context))
    }
}
