//! A processor being connected.

use std::marker::PhantomData;

use crate::codec::{Codec, Data};
use crate::processor::{self, Processor};

use super::drawing::Drawing;
use super::hand_over::{Append, Part, Parts};
use super::input_ports::InputPort;
use super::stream::Stream;
use super::{Kind, Node, Output, OutputName, Parent, Store, instance};

/// A processor being connected. What it is given is part of the type, and is handed over when it is made: what was not
/// given does not compile. [`ProcessorBuilder::supply`] or [`ProcessorBuilder::process_fn`] finishes it;
/// [`ProcessorBuilder::with_input`] and [`ProcessorBuilder::functions`] lead to more.
///
/// ```
/// use topology::graph::{Builder, Store};
/// use topology::test_driver::TestDriver;
///
/// /// The last price of each item, and how much was sold of it.
/// # fn main() -> topology::Result<()> {
/// let prices: Store<str, i64> = Store::rocksdb("prices");
/// let sold: Store<str, i64> = Store::rocksdb("sold");
/// let builder = Builder::new();
/// builder
///     .sub_topology("selling")
///     .source::<str, str>("sales")
///     .processor("sell")
///     .with_store(&prices)
///     .with_store(&sold)
///     .process_fn::<str, i64>(|record, (prices, sold), context| {
///         let (Some(item), Some(price)) = (record.key, record.value) else { return Ok(()) };
///         prices.put(&item, &price.parse()?)?;
///         let count = sold.update(&item, |count| Some(count.unwrap_or(0) + 1))?;
///         context.forward(record.with(Some(item), count))
///     })
///     .sink("counts");
/// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
/// # driver.pipe("sales", Some(b"tea"), Some(b"7"), 0)?;
/// # assert_eq!(driver.store(&prices)?.get(&"tea")?, Some(7));
/// # assert!(driver.pipe("sales", Some(b"tea"), Some(b"much"), 0).unwrap_err().to_string().contains("processor 'sell'"));
/// # Ok(())
/// # }
/// ```
///
/// A store that the processor was not given cannot be asked for:
///
/// ```compile_fail
/// # use topology::graph::{Builder, Store};
/// let prices: Store<str, i64> = Store::rocksdb("prices");
/// let builder = Builder::new();
/// let sales = builder.sub_topology("selling").source::<str, str>("sales");
/// sales.processor("sell").process_fn::<str, i64>(|record, prices, context| Ok(prices.put(&"tea", &7)?));
/// ```
#[must_use = "supply or process_fn finishes it"]
pub struct ProcessorBuilder<K: ?Sized, V: ?Sized, P> {
    drawing: Drawing,
    sub_topology: usize,
    parents: Vec<Parent>,
    name: String,
    has_own_name: bool,
    stores: Vec<String>,
    outputs: Vec<OutputName>,
    parts: P,
    types: PhantomData<fn(&K, &V)>,
}

impl<K: Data + ?Sized, V: Data + ?Sized> ProcessorBuilder<K, V, ()> {
    pub(super) fn new(
        drawing: Drawing,
        sub_topology: usize,
        parents: Vec<Parent>,
        name: String,
        has_own_name: bool,
    ) -> Self {
        let (stores, outputs) = (Vec::new(), Vec::new());
        Self { drawing, sub_topology, parents, name, has_own_name, stores, outputs, parts: (), types: PhantomData }
    }
}

impl<K: Data + ?Sized, V: Data + ?Sized, P: Parts> ProcessorBuilder<K, V, P> {
    /// The processor uses this store, beside those before.
    pub fn with_store<SK: Codec + ?Sized, SV: Codec + ?Sized>(
        mut self,
        store: &Store<SK, SV>,
    ) -> ProcessorBuilder<K, V, P::With>
    where
        P: Append<Store<SK, SV>>,
    {
        self.declare(store);
        self.with(store.clone())
    }

    /// The processor uses all these stores, and gets them as a `Vec` in this order.
    pub fn with_stores<SK: Codec + ?Sized, SV: Codec + ?Sized>(
        mut self,
        stores: &[Store<SK, SV>],
    ) -> ProcessorBuilder<K, V, P::With>
    where
        P: Append<Vec<Store<SK, SV>>>,
    {
        for store in stores {
            self.declare(store);
        }
        self.with(stores.to_vec())
    }

    /// The processor has this side output; read it with [`SubTopology::side_output`](super::SubTopology::side_output).
    pub fn with_output<OK: Data + ?Sized, OV: Data + ?Sized>(
        mut self,
        output: &Output<OK, OV>,
    ) -> ProcessorBuilder<K, V, P::With>
    where
        P: Append<Output<OK, OV>>,
    {
        self.outputs.push(OutputName { id: output.id, name: output.name.clone() });
        self.with(output.clone())
    }

    /// Finishes the processor. `supplier` makes one from what was handed over, whenever a task starts or rewinds; it is
    /// called once at build time, to find mistakes before anything runs.
    pub fn supply<Q>(self, supplier: impl Fn(P::Handles) -> Q + Send + Sync + 'static) -> Stream<Q::KeyOut, Q::ValueOut>
    where
        Q: Processor<Key = K, Value = V>,
    {
        self.finish(false, Vec::new(), move |handles| Ok(supplier(handles)))
    }

    /// As [`ProcessorBuilder::supply`], of a supplier that can fail.
    pub fn try_supply<Q>(
        self,
        supplier: impl Fn(P::Handles) -> processor::Result<Q> + Send + Sync + 'static,
    ) -> Stream<Q::KeyOut, Q::ValueOut>
    where
        Q: Processor<Key = K, Value = V>,
    {
        self.finish(false, Vec::new(), supplier)
    }

    /// As [`ProcessorBuilder::supply`], of a processor that suspends nothing and looks at no time.
    pub(super) fn supply_plain<Q>(
        self,
        supplier: impl Fn(P::Handles) -> Q + Send + Sync + 'static,
    ) -> Stream<Q::KeyOut, Q::ValueOut>
    where
        Q: Processor<Key = K, Value = V>,
    {
        self.finish(true, Vec::new(), move |handles| Ok(supplier(handles)))
    }

    fn declare<SK: ?Sized, SV: ?Sized>(&mut self, store: &Store<SK, SV>) {
        self.drawing.declare(self.sub_topology, store);
        self.stores.push(store.name().to_owned());
    }

    fn with<N: Part>(self, part: N) -> ProcessorBuilder<K, V, P::With>
    where
        P: Append<N>,
    {
        let Self { drawing, sub_topology, parents, name, has_own_name, stores, outputs, parts, types } = self;
        let parts = parts.append(part);
        ProcessorBuilder { drawing, sub_topology, parents, name, has_own_name, stores, outputs, parts, types }
    }

    /// Where a stream comes out that the processor shall read beside its own.
    pub(super) fn parents_in<K2: Data + ?Sized, V2: Data + ?Sized>(&self, stream: &Stream<K2, V2>) -> Vec<Parent> {
        let what = format!("an input of processor '{}'", self.name);
        stream.parents_in(&self.drawing, self.sub_topology, &what)
    }

    pub(super) fn finish<Q>(
        self,
        is_plain: bool,
        further: Vec<InputPort<Q>>,
        supplier: impl Fn(P::Handles) -> processor::Result<Q> + Send + Sync + 'static,
    ) -> Stream<Q::KeyOut, Q::ValueOut>
    where
        Q: Processor<Key = K, Value = V>,
    {
        let Self { drawing, sub_topology, parents, name, has_own_name, stores, outputs, parts, .. } = self;
        let (further, makes): (Vec<_>, Vec<_>) =
            further.into_iter().map(|InputPort { parents, make }| (parents, make)).unzip();
        let inputs = std::iter::once(parents).chain(further).collect();
        let make = instance::make_processor(parts, supplier, is_plain, makes);
        let kind = Kind::Processor { stores, outputs, has_own_name, keeps_keys: false };
        let node = drawing.add(sub_topology, Node { name, kind, inputs, make });
        Stream::of(drawing, sub_topology, vec![Parent { node, port: 0 }])
    }
}
