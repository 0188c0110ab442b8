//! Processors made from functions.
//!
//! ```text
//! Map, Filter, FlatMap, ForEach   functions of a record alone: take a run and hand on a run
//! Aggregate                       a store's value for each key: takes a run, one lookup per record
//! //! ```
//! All are compiled into their node: within a run no function is called through a pointer.

use std::marker::PhantomData;

use crate::codec::{Codec, Data};
use crate::store::KeyValueStore;

use super::failure::Result;
use super::{Context, Processor, Record, one_by_one};

type Types<K, V, K2, V2> = PhantomData<fn(&K, &V, &K2, &V2)>;

/// Another key and value for each record.
pub(crate) struct Map<F, K: ?Sized, V: ?Sized, K2: ?Sized, V2: ?Sized> {
    map: F,
    types: Types<K, V, K2, V2>,
}

impl<F, K, V, K2, V2> Map<F, K, V, K2, V2>
where
    K: Data + ?Sized,
    V: Data + ?Sized,
    K2: Data + ?Sized,
    V2: Data + ?Sized,
    F: for<'a> Fn(&Record<'a, K, V>) -> Result<Record<'a, K2, V2>>,
{
    pub(crate) fn new(map: F) -> Self {
        Self { map, types: PhantomData }
    }
}

impl<F, K, V, K2, V2> Processor for Map<F, K, V, K2, V2>
where
    F: for<'a> Fn(&Record<'a, K, V>) -> Result<Record<'a, K2, V2>> + 'static,
    K: Data + ?Sized,
    V: Data + ?Sized,
    K2: Data + ?Sized,
    V2: Data + ?Sized,
{
    type Key = K;
    type Value = V;
    type KeyOut = K2;
    type ValueOut = V2;

    fn process(&mut self, record: &Record<'_, K, V>, context: &mut Context<'_, K2, V2>) -> Result {
        context.forward((self.map)(record)?)
    }

    fn process_batch(&mut self, records: &[Record<'_, K, V>], context: &mut Context<'_, K2, V2>) -> Result {
        let mut mapped = Vec::with_capacity(records.len());
        for record in records {
            match (self.map)(record) {
                Ok(record) => mapped.push(record),
                // Those before it come to pass, as they would have one by one.
                Err(error) => {
                    context.pass(&mapped)?;
                    context.caused_by(record.position());
                    return if context.comes_again(record.position()) { Ok(()) } else { Err(error) };
                }
            }
        }
        context.pass(&mapped)
    }
}

/// The records that a predicate holds of.
pub(crate) struct Filter<F, K: ?Sized, V: ?Sized> {
    keep: F,
    types: Types<K, V, K, V>,
}

impl<F, K: ?Sized, V: ?Sized> Filter<F, K, V> {
    pub(crate) fn new(keep: F) -> Self {
        Self { keep, types: PhantomData }
    }
}

impl<F, K, V> Processor for Filter<F, K, V>
where
    F: Fn(&Record<'_, K, V>) -> bool + 'static,
    K: Data + ?Sized,
    V: Data + ?Sized,
{
    type Key = K;
    type Value = V;
    type KeyOut = K;
    type ValueOut = V;

    fn process(&mut self, record: &Record<'_, K, V>, context: &mut Context<'_, K, V>) -> Result {
        self.process_batch(std::slice::from_ref(record), context)
    }

    fn process_batch(&mut self, records: &[Record<'_, K, V>], context: &mut Context<'_, K, V>) -> Result {
        // What lies between two that are dropped goes on as it is, without a copy.
        let runs = records.split(|record| !(self.keep)(record)).filter(|kept| !kept.is_empty());
        for (index, kept) in runs.enumerate() {
            if index > 0 && context.comes_again(kept[0].position()) {
                break;
            }
            context.pass(kept)?;
        }
        Ok(())
    }
}

/// Takes what is made from one record.
pub struct Emit<'e, 'a, K: Data + ?Sized, V: Data + ?Sized> {
    /// The record's place, time and headers.
    from: Record<'a, (), ()>,
    out: &'e mut Vec<Record<'a, K, V>>,
}

impl<'a, K: Data + ?Sized, V: Data + ?Sized> Emit<'_, 'a, K, V> {
    /// Sends a key and a value on, at the place and time of the record they are made from, with its headers.
    pub fn emit(&mut self, key: K::Item<'a>, value: V::Item<'a>) {
        self.emit_record(Some(key), Some(value));
    }

    /// As [`Emit::emit`], where there may be no key, or no value.
    pub fn emit_record(&mut self, key: Option<K::Item<'a>>, value: Option<V::Item<'a>>) {
        self.out.push(self.from.with(key, value));
    }
}

/// Any number of records for each.
pub(crate) struct FlatMap<F, K: ?Sized, V: ?Sized, K2: ?Sized, V2: ?Sized> {
    map: F,
    types: Types<K, V, K2, V2>,
}

impl<F, K, V, K2, V2> FlatMap<F, K, V, K2, V2>
where
    K: Data + ?Sized,
    V: Data + ?Sized,
    K2: Data + ?Sized,
    V2: Data + ?Sized,
    F: for<'r, 'a> Fn(&'r Record<'a, K, V>, &mut Emit<'_, 'a, K2, V2>),
{
    pub(crate) fn new(map: F) -> Self {
        Self { map, types: PhantomData }
    }
}

impl<F, K, V, K2, V2> Processor for FlatMap<F, K, V, K2, V2>
where
    F: for<'r, 'a> Fn(&'r Record<'a, K, V>, &mut Emit<'_, 'a, K2, V2>) + 'static,
    K: Data + ?Sized,
    V: Data + ?Sized,
    K2: Data + ?Sized,
    V2: Data + ?Sized,
{
    type Key = K;
    type Value = V;
    type KeyOut = K2;
    type ValueOut = V2;

    fn process(&mut self, record: &Record<'_, K, V>, context: &mut Context<'_, K2, V2>) -> Result {
        self.process_batch(std::slice::from_ref(record), context)
    }

    fn process_batch(&mut self, records: &[Record<'_, K, V>], context: &mut Context<'_, K2, V2>) -> Result {
        let mut out = Vec::with_capacity(records.len());
        for record in records {
            (self.map)(record, &mut Emit { from: record.with(None, None), out: &mut out });
        }
        context.pass(&out)
    }
}

/// A function called for its effect.
pub(crate) struct ForEach<F, K: ?Sized, V: ?Sized> {
    act: F,
    types: Types<K, V, (), ()>,
}

impl<F, K: ?Sized, V: ?Sized> ForEach<F, K, V> {
    pub(crate) fn new(act: F) -> Self {
        Self { act, types: PhantomData }
    }
}

impl<F, K, V> Processor for ForEach<F, K, V>
where
    F: Fn(&Record<'_, K, V>) -> Result + 'static,
    K: Data + ?Sized,
    V: Data + ?Sized,
{
    type Key = K;
    type Value = V;
    type KeyOut = ();
    type ValueOut = ();

    fn process(&mut self, record: &Record<'_, K, V>, _: &mut Context<'_, (), ()>) -> Result {
        (self.act)(record)
    }
}

/// A value per key, in a store: what a function makes of the value so far and the next record.
pub(crate) struct Aggregate<F, K: Codec + ?Sized, V: ?Sized, A: Codec> {
    fold: F,
    values: KeyValueStore<K, A>,
    types: PhantomData<fn(&V)>,
}

impl<F, K: Codec + ?Sized, V: ?Sized, A: Codec> Aggregate<F, K, V, A> {
    pub(crate) fn new(values: KeyValueStore<K, A>, fold: F) -> Self {
        Self { fold, values, types: PhantomData }
    }
}

impl<F, K, V, A> Aggregate<F, K, V, A>
where
    F: Fn(Option<A>, &Record<'_, K, V>) -> Option<A> + 'static,
    K: Codec + ?Sized,
    for<'a> K::Item<'a>: Clone,
    V: Data + ?Sized,
    A: Codec + for<'a> Data<Item<'a> = A>,
{
    /// `None`: the record has no key, and changes nothing.
    fn fold<'a>(&self, record: &Record<'a, K, V>) -> Result<Option<Record<'a, K, A>>> {
        let Some(key) = &record.key else { return Ok(None) };
        let value = self.values.update(key, |value| (self.fold)(value, record))?;
        Ok(Some(record.with(Some(key.clone()), value)))
    }
}

impl<F, K, V, A> Processor for Aggregate<F, K, V, A>
where
    F: Fn(Option<A>, &Record<'_, K, V>) -> Option<A> + 'static,
    K: Codec + ?Sized,
    for<'a> K::Item<'a>: Clone,
    V: Data + ?Sized,
    A: Codec + for<'a> Data<Item<'a> = A>,
{
    type Key = K;
    type Value = V;
    type KeyOut = K;
    type ValueOut = A;

    fn process(&mut self, record: &Record<'_, K, V>, context: &mut Context<'_, K, A>) -> Result {
        self.fold(record)?.map_or(Ok(()), |record| context.forward(record))
    }

    fn process_batch(&mut self, records: &[Record<'_, K, V>], context: &mut Context<'_, K, A>) -> Result {
        if !context.reader_takes_runs() {
            // A reader may suspend: what lies behind must not be written then.
            return one_by_one(records, context, |record, context| self.process(record, context));
        }
        let mut out = Vec::with_capacity(records.len());
        for record in records {
            context.take_up(record);
            out.extend(self.fold(record)?);
        }
        if out.is_empty() { Ok(()) } else { context.forward_batch(&out) }
    }
}
