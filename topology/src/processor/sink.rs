//! Sinks: encode records into the task's outputs, for the topic and the partition that they belong to.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::codec::{Codec, Data, EncodeError};
use crate::error::{Class, Error, Result};

use super::node::Input;
use super::outputs::Target;
use super::record::Record;
use super::runtime::Runtime;

/// Where a record goes: which of the sink's topics, and which partition. Compiled into the sink.
pub trait Route<K: Data + ?Sized, V: Data + ?Sized>: Send + Sync + 'static {
    /// The topic, as its place among the sink's.
    fn topic(&self, record: &Record<'_, K, V>) -> usize;

    /// The partition, of so many; `None`: where the key belongs.
    fn partition(&self, record: &Record<'_, K, V>, partition_count: Option<i32>) -> Option<i32>;
}

/// To the one topic, by key.
#[derive(Clone, Copy)]
pub struct Only;

impl<K: Data + ?Sized, V: Data + ?Sized> Route<K, V> for Only {
    fn topic(&self, _: &Record<'_, K, V>) -> usize {
        0
    }

    fn partition(&self, _: &Record<'_, K, V>, _: Option<i32>) -> Option<i32> {
        None
    }
}

impl<R: Route<K, V>, K: Data + ?Sized, V: Data + ?Sized> Route<K, V> for Arc<R> {
    fn topic(&self, record: &Record<'_, K, V>) -> usize {
        (**self).topic(record)
    }

    fn partition(&self, record: &Record<'_, K, V>, partition_count: Option<i32>) -> Option<i32> {
        (**self).partition(record, partition_count)
    }
}

/// To the topic that a function chooses.
pub struct Choose<F>(pub(crate) F);

impl<F, K, V> Route<K, V> for Choose<F>
where
    F: Fn(&Record<'_, K, V>) -> usize + Send + Sync + 'static,
    K: Data + ?Sized,
    V: Data + ?Sized,
{
    fn topic(&self, record: &Record<'_, K, V>) -> usize {
        (self.0)(record)
    }

    fn partition(&self, _: &Record<'_, K, V>, _: Option<i32>) -> Option<i32> {
        None
    }
}

/// To the partition that a function chooses.
pub struct Partition<R, F>(pub(crate) R, pub(crate) F);

impl<R, F, K, V> Route<K, V> for Partition<R, F>
where
    R: Route<K, V>,
    F: Fn(&Record<'_, K, V>, i32) -> i32 + Send + Sync + 'static,
    K: Data + ?Sized,
    V: Data + ?Sized,
{
    fn topic(&self, record: &Record<'_, K, V>) -> usize {
        self.0.topic(record)
    }

    fn partition(&self, record: &Record<'_, K, V>, partition_count: Option<i32>) -> Option<i32> {
        partition_count.map(|count| (self.1)(record, count))
    }
}

/// A topic that a sink writes.
pub(crate) struct SinkTopic {
    /// The topic.
    pub(crate) target: Target,
    /// How many partitions it has, where the graph says so.
    pub(crate) partition_count: Option<i32>,
}

/// A sink: encodes into the task's outputs.
pub(crate) struct SinkNode<K: ?Sized, V: ?Sized, R> {
    /// Its name, for errors.
    pub(crate) name: String,
    /// Its topics.
    pub(crate) topics: Vec<SinkTopic>,
    /// Where a record goes.
    pub(crate) route: R,
    /// What it takes.
    pub(crate) types: PhantomData<fn(&K, &V)>,
}

impl<K: Codec + ?Sized, V: Codec + ?Sized, R: Route<K, V>> SinkNode<K, V, R> {
    fn route(&self, record: &Record<'_, K, V>) -> Result<(Target, Option<i32>)> {
        let place = self.route.topic(record);
        let Some(SinkTopic { target, partition_count }) = self.topics.get(place) else {
            let (name, count) = (&self.name, self.topics.len());
            return Err(wrong(format!("sink '{name}' was to write to topic number {place} of {count}, from 0")));
        };
        let chosen = self.route.partition(record, *partition_count);
        if let (Some(partition), Some(count)) = (chosen, *partition_count)
            && !(0..count).contains(&partition)
        {
            let name = &self.name;
            return Err(wrong(format!("sink '{name}' was to write to partition {partition} of {count}, from 0")));
        }
        // By number: a partition that somebody adds must not get what belongs into the only one.
        Ok((*target, chosen.or((*partition_count == Some(1)).then_some(0))))
    }
}

impl<K: Codec + ?Sized, V: Codec + ?Sized, R: Route<K, V>> Input<K, V> for SinkNode<K, V, R> {
    fn process_batch(&mut self, records: &[Record<'_, K, V>], runtime: &mut Runtime) -> Result<()> {
        for record in records {
            let (target, partition) = self.route(record)?;
            runtime.note_effect();
            let encoded = runtime.outputs.encode(
                (target, partition),
                record.timestamp_ms,
                |arena| encode::<K>(record.key.as_ref(), arena),
                |arena| encode::<V>(record.value.as_ref(), arena),
                &record.headers.to_vec(),
            );
            encoded.map_err(|error| {
                let topic = runtime.outputs.topic(target);
                wrong(format!("a record for topic '{topic}' cannot be encoded: {error}")).caused_by(error)
            })?;
            runtime.judge_last(target, record.timestamp_ms, record.position())?;
        }
        Ok(())
    }

    fn takes_runs(&self) -> bool {
        true
    }
}

/// What a record leads to that cannot be, as any error of the user's code.
#[cold]
fn wrong(text: String) -> Error {
    Error::new(Class::Input, text)
}

fn encode<C: Codec + ?Sized>(item: Option<&C::Item<'_>>, arena: &mut Vec<u8>) -> Result<bool, EncodeError> {
    item.map(|item| C::encode(item, arena)).transpose().map(|encoded| encoded.is_some())
}
