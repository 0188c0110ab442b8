//! A processor made of functions.

use std::sync::Arc;

use crate::codec::Data;
use crate::processor::{self, Context, FromFunctions, Hook, Punctuate, Punctuation, Record, one_by_one};

use super::hand_over::Parts;
use super::input_ports::WithInputs;
use super::processor_builder::ProcessorBuilder;
use super::stream::Stream;

/// Makes something for each task.
type Make<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// A processor being made of functions. From [`ProcessorBuilder::functions`]; [`Functions::process`] finishes it.
///
/// All functions share what the processor was given (its stores and side outputs), and forward the same types. What one
/// captures each task begins with anew, as with a processor's fields.
///
/// ```
/// use topology::graph::{Builder, Store};
/// # use topology::test_driver::TestDriver;
///
/// /// A join: each order with the name of its customer.
/// # fn main() -> topology::Result<()> {
/// let builder = Builder::new();
/// let naming = builder.sub_topology("naming");
/// let customers = naming.source::<str, str>("customers");
/// let orders = naming.source::<str, i64>("orders");
/// orders
///     .with_store(&Store::<str, String>::rocksdb("names"))
///     .functions::<String, i64>()
///     .with_input(&customers, |customer, names, _| {
///         let Some(id) = customer.key else { return Ok(()) };
///         match customer.value {
///             Some(name) => Ok(names.put(&id, &name.to_owned())?),
///             None => Ok(names.delete(&id)?),
///         }
///     })
///     .process(|order, names, context| {
///         let name = order.key.map(|id| names.get(&id)).transpose()?.flatten();
///         context.forward(order.with(name, order.value))
///     })
///     .sink("named-orders");
/// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
/// # driver.input::<str, str>("customers").pipe("7", "Ann")?;
/// # driver.input::<str, i64>("orders").pipe("7", 30)?;
/// # driver.commit()?;
/// # assert_eq!(driver.output::<str, i64>("named-orders").read()?, [(Some("Ann"), Some(30))]);
/// # Ok(())
/// # }
/// ```
#[must_use = "process finishes it"]
pub struct Functions<K, V, P, K2, V2>
where
    K: Data + ?Sized,
    V: Data + ?Sized,
    P: Parts,
    K2: Data + ?Sized,
    V2: Data + ?Sized,
{
    inputs: WithInputs<K, V, P, FromFunctions<P::Handles, K, V, K2, V2>>,
    init: Option<Make<Hook<P::Handles, K2, V2>>>,
    committed: Option<Make<Hook<P::Handles, K2, V2>>>,
    punctuate: Option<Make<Punctuate<P::Handles, K2, V2>>>,
}

impl<K, V, P> ProcessorBuilder<K, V, P>
where
    K: Data + ?Sized,
    V: Data + ?Sized,
    P: Parts,
{
    /// The processor is made of functions, and forwards keys and values of these types. Stores and side outputs are
    /// given before.
    pub fn functions<K2: Data + ?Sized, V2: Data + ?Sized>(self) -> Functions<K, V, P, K2, V2> {
        Functions { inputs: WithInputs::new(self), init: None, committed: None, punctuate: None }
    }

    /// Finishes the processor with a function of a record, of what was handed over, and of a context: the short way
    /// where there is no other function. See [`ProcessorBuilder::functions`].
    pub fn process_fn<K2: Data + ?Sized, V2: Data + ?Sized>(
        self,
        process: impl FnMut(&Record<'_, K, V>, &mut P::Handles, &mut Context<'_, K2, V2>) -> processor::Result
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Stream<K2, V2> {
        self.functions().process(process)
    }
}

impl<K, V, P, K2, V2> Functions<K, V, P, K2, V2>
where
    K: Data + ?Sized,
    V: Data + ?Sized,
    P: Parts,
    K2: Data + ?Sized,
    V2: Data + ?Sized,
{
    /// The processor reads this stream too, with this function of its records: see [`ProcessorBuilder::with_input`].
    pub fn with_input<K3: Data + ?Sized, V3: Data + ?Sized>(
        self,
        stream: &Stream<K3, V3>,
        mut process: impl FnMut(&Record<'_, K3, V3>, &mut P::Handles, &mut Context<'_, K2, V2>) -> processor::Result
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let inputs = self
            .inputs
            .with_input(stream, move |functions, record, context| process(record, &mut functions.handles, context));
        Self { inputs, ..self }
    }

    /// What is done before the first record: see [`Processor::init`](processor::Processor::init).
    pub fn init(
        self,
        init: impl FnMut(&mut P::Handles, &mut Context<'_, K2, V2>) -> processor::Result + Clone + Send + Sync + 'static,
    ) -> Self {
        Self { init: Some(Arc::new(move || Box::new(init.clone()))), ..self }
    }

    /// What is done behind each commit: see [`Processor::committed`](processor::Processor::committed).
    pub fn committed(
        self,
        committed: impl FnMut(&mut P::Handles, &mut Context<'_, K2, V2>) -> processor::Result
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { committed: Some(Arc::new(move || Box::new(committed.clone()))), ..self }
    }

    /// What is done where a punctuation is due that another of the functions has scheduled: see
    /// [`Processor::punctuate`](processor::Processor::punctuate). Without it, that one of them schedules is an error.
    pub fn punctuate(
        self,
        punctuate: impl FnMut(Punctuation, &mut P::Handles, &mut Context<'_, K2, V2>) -> processor::Result
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { punctuate: Some(Arc::new(move || Box::new(punctuate.clone()))), ..self }
    }

    /// Finishes the processor with what it does with a record of the stream that it was begun on.
    pub fn process(
        self,
        process: impl FnMut(&Record<'_, K, V>, &mut P::Handles, &mut Context<'_, K2, V2>) -> processor::Result
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Stream<K2, V2> {
        let Self { inputs, init, committed, punctuate } = self;
        inputs.supply(move |handles| {
            let mut process = process.clone();
            FromFunctions {
                handles,
                process: Box::new(move |records, handles, context| {
                    one_by_one(records, context, |record, context| process(record, handles, context))
                }),
                init: init.as_ref().map(|make| make()),
                committed: committed.as_ref().map(|make| make()),
                punctuate: punctuate.as_ref().map(|make| make()),
            }
        })
    }
}
