//! A processor's inputs beside its main one.

use crate::codec::Data;
use crate::processor::{self, Context, Processor, Record, one_by_one};

use super::Parent;
use super::hand_over::Parts;
use super::instance::{self, MakeInput};
use super::processor_builder::ProcessorBuilder;
use super::stream::Stream;

/// An input that was drawn.
pub(super) struct InputPort<Q: Processor> {
    pub(super) parents: Vec<Parent>,
    pub(super) make: MakeInput<Q>,
}

/// A processor being connected that reads several streams, each with its own types: the one that it was begun on, for
/// [`Processor::process`], and others, each with a function of the processor. From [`ProcessorBuilder::with_input`];
/// [`WithInputs::supply`] finishes it.
///
/// An input that no stream is connected to cannot be written down, and one of other types does not compile:
///
/// ```compile_fail
/// # use topology::graph::Builder;
/// # use topology::processor::{self, Context, Processor, Record};
/// # struct Sum;
/// # impl Processor for Sum {
/// #     type Key = str;
/// #     type Value = i64;
/// #     type KeyOut = str;
/// #     type ValueOut = i64;
/// #     fn process(&mut self, _: &Record<'_, str, i64>, _: &mut Context<'_, str, i64>) -> processor::Result { Ok(()) }
/// # }
/// impl Sum {
///     fn corrected(&mut self, record: &Record<'_, str, f64>, context: &mut Context<'_, str, i64>) -> processor::Result {
///         # Ok(())
///     }
/// }
///
/// # let builder = Builder::new();
/// # let adding = builder.sub_topology("adding");
/// # let amounts = adding.source::<str, i64>("amounts");
/// let corrections = adding.source::<str, str>("corrections"); // not f64
/// amounts.processor("sum").with_input(&corrections, Sum::corrected).supply(|()| Sum);
/// ```
#[must_use = "supply finishes it"]
pub struct WithInputs<K: ?Sized, V: ?Sized, P, Q: Processor> {
    builder: ProcessorBuilder<K, V, P>,
    inputs: Vec<InputPort<Q>>,
}

impl<K, V, P> ProcessorBuilder<K, V, P>
where
    K: Data + ?Sized,
    V: Data + ?Sized,
    P: Parts,
{
    /// The processor reads this stream too, of whatever types it is: its records go to `process`, a function of the
    /// processor. The records of all inputs come in the order in which the task takes them, those of a topic in the
    /// topic's order. What is said of the records of a processor (errors and what handlers say of them, held and
    /// suspended input, times) holds for all of its inputs. Stores and side outputs are given before.
    ///
    /// ```
    /// use topology::graph::{Builder, Store};
    /// use topology::processor::{self, Context, Processor, Record};
    /// use topology::store::KeyValueStore;
    /// # use topology::test_driver::TestDriver;
    ///
    /// /// Converts amounts by the last rate of their currency.
    /// struct Convert {
    ///     rates: KeyValueStore<str, f64>,
    /// }
    ///
    /// impl Convert {
    ///     fn rate(&mut self, rate: &Record<'_, str, f64>, _: &mut Context<'_, str, f64>) -> processor::Result {
    ///         let (Some(currency), Some(rate)) = (&rate.key, &rate.value) else { return Ok(()) };
    ///         Ok(self.rates.put(currency, rate)?)
    ///     }
    /// }
    ///
    /// impl Processor for Convert {
    ///     type Key = str;
    ///     type Value = i64;
    ///     type KeyOut = str;
    ///     type ValueOut = f64;
    ///
    ///     fn process(&mut self, amount: &Record<'_, str, i64>, context: &mut Context<'_, str, f64>) -> processor::Result {
    ///         let (Some(currency), Some(cents)) = (amount.key, amount.value) else { return Ok(()) };
    ///         let rate = self.rates.get(&currency)?.ok_or("no rate yet")?;
    ///         context.forward(amount.with(amount.key, Some(cents as f64 / 100.0 * rate)))
    ///     }
    /// }
    ///
    /// let builder = Builder::new();
    /// let converting = builder.sub_topology("converting");
    /// let rates = converting.source::<str, f64>("rates");
    /// let amounts = converting.source::<str, i64>("amounts");
    /// amounts
    ///     .processor("convert")
    ///     .with_store(&Store::rocksdb("last-rates"))
    ///     .with_input(&rates, Convert::rate)
    ///     .supply(|rates| Convert { rates })
    ///     .sink("euros");
    /// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// # driver.input::<str, f64>("rates").pipe("usd", 0.5)?;
    /// # driver.input::<str, i64>("amounts").pipe("usd", 300)?;
    /// # driver.commit()?;
    /// # assert_eq!(driver.output::<str, f64>("euros").read()?, [(Some("usd"), Some(1.5))]);
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn with_input<Q, K2, V2>(
        self,
        stream: &Stream<K2, V2>,
        process: impl FnMut(&mut Q, &Record<'_, K2, V2>, &mut Context<'_, Q::KeyOut, Q::ValueOut>) -> processor::Result
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> WithInputs<K, V, P, Q>
    where
        Q: Processor<Key = K, Value = V>,
        K2: Data + ?Sized,
        V2: Data + ?Sized,
    {
        WithInputs { builder: self, inputs: Vec::new() }.with_input(stream, process)
    }

    /// As [`ProcessorBuilder::with_input`], with a function that takes runs of consecutive records, under the same
    /// rules as [`Processor::process_batch`].
    pub fn with_batch_input<Q, K2, V2>(
        self,
        stream: &Stream<K2, V2>,
        process: impl FnMut(&mut Q, &[Record<'_, K2, V2>], &mut Context<'_, Q::KeyOut, Q::ValueOut>) -> processor::Result
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> WithInputs<K, V, P, Q>
    where
        Q: Processor<Key = K, Value = V>,
        K2: Data + ?Sized,
        V2: Data + ?Sized,
    {
        WithInputs { builder: self, inputs: Vec::new() }.with_batch_input(stream, process)
    }
}

impl<K, V, P, Q> WithInputs<K, V, P, Q>
where
    K: Data + ?Sized,
    V: Data + ?Sized,
    P: Parts,
    Q: Processor<Key = K, Value = V>,
{
    pub(super) fn new(builder: ProcessorBuilder<K, V, P>) -> Self {
        Self { builder, inputs: Vec::new() }
    }

    /// Another one: see [`ProcessorBuilder::with_input`].
    pub fn with_input<K2: Data + ?Sized, V2: Data + ?Sized>(
        self,
        stream: &Stream<K2, V2>,
        mut process: impl FnMut(&mut Q, &Record<'_, K2, V2>, &mut Context<'_, Q::KeyOut, Q::ValueOut>) -> processor::Result
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.with_batch_input(
            stream,
            move |processor: &mut Q,
                  records: &[Record<'_, K2, V2>],
                  context: &mut Context<'_, Q::KeyOut, Q::ValueOut>| {
                one_by_one(records, context, |record, context| process(processor, record, context))
            },
        )
    }

    /// Another one: see [`ProcessorBuilder::with_batch_input`].
    pub fn with_batch_input<K2: Data + ?Sized, V2: Data + ?Sized>(
        mut self,
        stream: &Stream<K2, V2>,
        process: impl FnMut(&mut Q, &[Record<'_, K2, V2>], &mut Context<'_, Q::KeyOut, Q::ValueOut>) -> processor::Result
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let parents = self.builder.parents_in(stream);
        self.inputs.push(InputPort { parents, make: instance::make_input::<Q, K2, V2, _>(process) });
        self
    }

    /// Finishes the processor, as [`ProcessorBuilder::supply`] does.
    pub fn supply(self, supplier: impl Fn(P::Handles) -> Q + Send + Sync + 'static) -> Stream<Q::KeyOut, Q::ValueOut> {
        self.try_supply(move |handles| Ok(supplier(handles)))
    }

    /// As [`WithInputs::supply`], of a supplier that can fail.
    pub fn try_supply(
        self,
        supplier: impl Fn(P::Handles) -> processor::Result<Q> + Send + Sync + 'static,
    ) -> Stream<Q::KeyOut, Q::ValueOut> {
        self.builder.finish(false, self.inputs, supplier)
    }
}
