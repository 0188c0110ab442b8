//! Topics of the driver, as the types that their records hold.

use std::marker::PhantomData;

use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::log::Offset;

use super::{OwnedRecord, Place, TestDriver};

/// A topic to write to. From [`TestDriver::input`].
pub struct Input<'d, K: ?Sized, V: ?Sized> {
    driver: &'d mut TestDriver,
    place: Place,
    types: PhantomData<fn(&K, &V)>,
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> Input<'_, K, V> {
    /// A record arrives, stamped with the driver's time, and is processed.
    pub fn pipe(&mut self, key: K::Item<'_>, value: V::Item<'_>) -> Result<()> {
        let now_ms = self.driver.now_ms;
        self.pipe_at(Some(key), Some(value), now_ms)
    }

    /// A record arrives, stamped with this time in ms since 1970, and is processed. It may lack a key, or a value.
    pub fn pipe_at(&mut self, key: Option<K::Item<'_>>, value: Option<V::Item<'_>>, timestamp_ms: i64) -> Result<()> {
        let (key, value) = (encode::<K>("key", key.as_ref())?, encode::<V>("value", value.as_ref())?);
        self.driver.pipe(self.place.clone(), key.as_deref(), value.as_deref(), timestamp_ms)
    }
}

/// A topic to read from. From [`TestDriver::output`].
pub struct Output<'d, K: ?Sized, V: ?Sized> {
    driver: &'d TestDriver,
    place: Place,
    types: PhantomData<fn(&K, &V)>,
}

impl<'d, K: Codec + ?Sized, V: Codec + ?Sized> Output<'d, K, V> {
    /// Keys and values of all committed records, in order. An error where one is of another type, and where no version
    /// of the topology that ran writes the topic: that nothing came out would pass through a mistyped name.
    pub fn read(self) -> Result<Vec<(Option<K::Item<'d>>, Option<V::Item<'d>>)>> {
        let Place { topic, partition } = &self.place;
        self.driver.check_written(topic)?;
        let entry = |record: &'d OwnedRecord| {
            let key = decode::<K>(topic, record.offset, record.key.as_deref())?;
            Ok((key, decode::<V>(topic, record.offset, record.value.as_deref())?))
        };
        let is_meant = |record: &&OwnedRecord| partition.is_none_or(|partition| record.partition == partition);
        self.driver.read(topic).iter().filter(is_meant).map(entry).collect()
    }
}

impl TestDriver {
    /// A topic to write to, by the types of its records.
    ///
    /// ```
    /// # use topology::graph::{Builder, Store};
    /// # use topology::test_driver::TestDriver;
    /// # let builder = Builder::new();
    /// # builder.sub_topology("counting").source::<str, ()>("words").count(&Store::memory("counts")).sink("totals");
    /// let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// driver.input::<str, ()>("words").pipe("tea", ())?;
    /// driver.commit()?;
    /// assert_eq!(driver.output::<str, i64>("totals").read()?, [(Some("tea"), Some(1))]);
    /// # Ok::<(), topology::Error>(())
    /// ```
    ///
    /// The graph says how many partitions a topic has ([`Topic::partitions`](crate::graph::Topic::partitions)). A
    /// record goes where its key belongs, or to the partition that is named:
    ///
    /// ```
    /// # use topology::graph::{Builder, Store, Topic};
    /// # use topology::test_driver::TestDriver;
    /// # let builder = Builder::new();
    /// # let words = builder.sub_topology("counting").source::<str, ()>(Topic::new("words").partitions(4));
    /// # words.count(&Store::memory("counts")).sink(Topic::new("totals").partitions(4)).partitioned(|record, _| if record.key == Some("tea") { 3 } else { 0 });
    /// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// driver.input::<str, ()>(("words", 2)).pipe("tea", ())?;
    /// driver.commit()?;
    /// assert_eq!(driver.output::<str, i64>(("totals", 3)).read()?, [(Some("tea"), Some(1))]);
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn input<K: Codec + ?Sized, V: Codec + ?Sized>(&mut self, place: impl Into<Place>) -> Input<'_, K, V> {
        Input { driver: self, place: place.into(), types: PhantomData }
    }

    /// A topic to read from, or one of its partitions, by the types of its records.
    pub fn output<K: Codec + ?Sized, V: Codec + ?Sized>(&self, place: impl Into<Place>) -> Output<'_, K, V> {
        Output { driver: self, place: place.into(), types: PhantomData }
    }

    /// An error where nothing can ever be in a topic. A sink that chooses its topics names all of them in the graph, so
    /// that those are known.
    fn check_written(&self, topic: &str) -> Result<()> {
        if self.written.contains(topic) {
            return Ok(());
        }
        let written = self.written.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        Err(Error::stop(format!("nothing writes topic '{topic}': there are {written}")))
    }
}

fn encode<C: Codec + ?Sized>(what: &str, item: Option<&C::Item<'_>>) -> Result<Option<Vec<u8>>> {
    let Some(item) = item else { return Ok(None) };
    let mut bytes = Vec::new();
    C::encode(item, &mut bytes).map_err(|error| Error::stop(format!("the {what} cannot be encoded: {error}")))?;
    Ok(Some(bytes))
}

fn decode<'d, C: Codec + ?Sized>(topic: &str, offset: Offset, bytes: Option<&'d [u8]>) -> Result<Option<C::Item<'d>>> {
    let decoded = bytes.map(C::decode).transpose();
    decoded
        .map_err(|error| Error::stop(format!("the record at offset {offset} of '{topic}' is of other types: {error}")))
}
