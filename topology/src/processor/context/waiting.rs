//! Input that a processor holds, or does not take for now.

use super::Context;
use crate::codec::Data;
use crate::processor::position::Position;

impl<K: Data + ?Sized, V: Data + ?Sized> Context<'_, K, V> {
    /// Holds input from these positions on, in place of what this processor held before: the committed offset of an
    /// input stays at the first of them, and after a restart or a rewind that input begins there again. Law: no held
    /// record has caused an output, a store write or a dead letter, by any processor of the task. `None` holds nothing.
    ///
    /// Of several inputs, records that were taken behind a held one and caused nothing come again with it, in the same
    /// order; an input goes on being committed as far as its records have caused something.
    ///
    /// ```
    /// # use topology::graph::Builder;
    /// # use topology::processor::{self, Context, Position, Processor, Record};
    /// # use topology::test_driver::TestDriver;
    /// /// Adds values up, three at a time. A crash loses none, though there is no store: the first of them is held.
    /// #[derive(Default)]
    /// struct Threes {
    ///     held: Vec<(Position, i64)>,
    /// }
    ///
    /// impl Processor for Threes {
    /// #    type Key = [u8];
    /// #    type Value = i64;
    /// #    type KeyOut = [u8];
    /// #    type ValueOut = i64;
    ///     fn process(&mut self, record: &Record<'_, [u8], i64>, context: &mut Context<'_, [u8], i64>) -> processor::Result {
    ///         self.held.push((record.position(), record.value.unwrap_or(0)));
    ///         if self.held.len() == 3 {
    ///             let sum: i64 = self.held.drain(..).map(|(_, value)| value).sum();
    ///             context.forward(record.with(None, Some(sum)))?;
    ///         }
    ///         context.hold_from(self.held.first().map(|(position, _)| *position));
    ///         Ok(())
    ///     }
    /// }
    /// # let builder = Builder::new();
    /// # let values = builder.sub_topology("adding").source::<[u8], i64>("values");
    /// # values.processor("threes").supply(|()| Threes::default()).sink("sums");
    /// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// # for value in 1_i64..=5 {
    /// #     driver.pipe("values", None, Some(&value.to_be_bytes()), 0)?;
    /// # }
    /// # driver.commit()?;
    /// # assert_eq!(driver.committed_offset("values"), Some(3));
    /// # driver.abort()?;
    /// # driver.pipe("values", None, Some(&6_i64.to_be_bytes()), 0)?;
    /// # driver.commit()?;
    /// # assert_eq!(driver.read("sums")[1].value.as_deref(), Some(&15_i64.to_be_bytes()[..]));
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn hold_from(&mut self, positions: impl IntoIterator<Item = Position>) {
        self.runtime.hold(self.node, positions);
    }

    /// Takes no input from `position` on, until [`Context::resume`]: what was handed over from there is delivered again
    /// then. For a processor that must wait (for a commit, say) without piling up records; it must be the only reader
    /// of its source. Law: no record from `position` on has caused an output, a store write or a dead letter.
    ///
    /// The whole task waits. Of several inputs, name a place in the one whose record is being processed: that record,
    /// or behind it. The others go on where they are. With a place further back records would come in another order
    /// than before.
    ///
    /// ```
    /// # use topology::graph::{Builder, Store};
    /// # use topology::processor::{self, Context, Processor, Record};
    /// # use topology::store::KeyValueStore;
    /// # use topology::test_driver::TestDriver;
    /// /// Tells of an order only when it is beyond doubt that it was written down.
    /// struct Confirm {
    ///     orders: KeyValueStore<[u8], [u8]>,
    ///     confirm: Option<Vec<u8>>,
    /// }
    ///
    /// impl Processor for Confirm {
    /// #    type Key = [u8];
    /// #    type Value = [u8];
    /// #    type KeyOut = [u8];
    /// #    type ValueOut = [u8];
    ///     fn process(&mut self, record: &Record<'_, [u8], [u8]>, context: &mut Context<'_, [u8], [u8]>) -> processor::Result {
    ///         let (Some(key), Some(order)) = (record.key, record.value) else { return Ok(()) };
    ///         self.orders.put(&key, &order)?;
    ///         self.confirm = Some(key.to_vec());
    ///         context.suspend_from(record.position().next());
    ///         context.request_commit();
    ///         Ok(())
    ///     }
    ///
    ///     fn committed(&mut self, context: &mut Context<'_, [u8], [u8]>) -> processor::Result {
    ///         if let Some(key) = self.confirm.take() {
    ///             println!("the order {key:?} is in");
    ///             context.resume();
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// # let builder = Builder::new();
    /// # let store = Store::memory("orders");
    /// # let orders = builder.sub_topology("ordering").source::<[u8], [u8]>("orders");
    /// # orders.processor("confirm").with_store(&store).supply(|orders| Confirm { orders, confirm: None });
    /// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
    /// # for key in [b"a", b"b", b"c"] {
    /// #     driver.append("orders", Some(key), Some(b"1"), 0)?;
    /// # }
    /// # driver.run()?;
    /// # assert_eq!(driver.committed_offset("orders"), Some(3));
    /// # assert!(driver.store(&store)?.contains(&&b"c"[..])?);
    /// # Ok::<(), topology::Error>(())
    /// ```
    pub fn suspend_from(&mut self, position: Position) {
        self.runtime.suspend(position);
    }

    /// Takes input again, from where [`Context::suspend_from`] said.
    pub fn resume(&mut self) {
        self.runtime.resume();
    }

    /// Whether the record at `position` will be delivered again, because the task was suspended there or before it. A
    /// processor that processes a batch must leave such records alone. Others it must not, though the task be
    /// suspended: several may have been made of one that is taken.
    pub fn comes_again(&self, position: Position) -> bool {
        self.runtime.comes_again(position)
    }

    /// Whether the task takes no input for now.
    pub fn is_suspended(&self) -> bool {
        self.runtime.is_suspended()
    }
}
