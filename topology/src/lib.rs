//! A stream processing engine in the style of Kafka Streams.
//!
//! A *task* is a pure state machine; everything that touches a broker, a disk or a clock stands outside it.
//! Lower lines may use upper ones, never the other way:
//!
//! ```text
//! error, codec   what the caller does next; items as bytes
//! clock          time, as an argument
//! metrics        counters
//! file_lock      one process at a time
//! log            consumer, transactional producer, admin: memory | embedded | kafka
//! store          key-value stores: overlay over memory or RocksDB; state directory
//! processor      the user's code and what it is given
//! graph          sources -> processors (+ stores) -> sinks; checked, printable
//! task           one sub-topology x one partition
//! restore        changelogs back into stores
//! watch          whether topics are the ones that a run knew at its start
//! stream_thread  poll -> process -> commit
//! client         threads, state, shutdown
//! test_driver    all of it without a broker
//! ```
//!
//! A topology is drawn once. It runs in a test without a broker, and on any log:
//!
//! ```
//! use std::sync::Arc;
//! use topology::client::{Client, Config};
//! use topology::codec::{I64, Utf8};
//! use topology::graph::{Builder, Store, Topic};
//! use topology::log::memory::MemoryLog;
//! use topology::processor::{self, Context, Processor, Record};
//! use topology::store::KeyValueStore;
//! use topology::test_driver::TestDriver;
//!
//! struct Count {
//!     counts: KeyValueStore<Utf8, I64>,
//! }
//!
//! impl Processor for Count {
//!     type Key = Utf8;
//!     type Value = Utf8;
//!     type KeyOut = Utf8;
//!     type ValueOut = I64;
//!
//!     fn process(&mut self, record: &Record<'_, Utf8, Utf8>, context: &mut Context<'_, Utf8, I64>) -> processor::Result {
//!         let Some(word) = record.key else { return Ok(()) };
//!         let count = self.counts.get(&word)?.unwrap_or(0) + 1;
//!         self.counts.put(&word, &count)?;
//!         context.forward(record.with(Some(word), Some(count)))
//!     }
//! }
//!
//! # fn main() -> processor::Result {
//! let mut builder = Builder::new();
//! let mut counting = builder.sub_topology("counting");
//! let counts = counting.store(Store::rocksdb("counts", Utf8, I64));
//! let words = counting.source("words", Topic::new("words"), Utf8, Utf8);
//! let for_processor = counts.clone();
//! let counted = counting
//!     .processor("count", &words)
//!     .with_store(&counts)
//!     .supply(move |wiring| Ok(Count { counts: wiring.store(&for_processor)? }));
//! counting.sink("totals", &counted, Topic::new("totals"), Utf8, I64);
//! let topology = builder.build()?;
//!
//! // In a test: records in, records out, and a look into the store.
//! let mut driver = TestDriver::new(&topology, "app", 0)?;
//! for word in ["to", "be", "or", "not", "to", "be"] {
//!     driver.pipe("words", Some(word.as_bytes()), None, 0)?;
//! }
//! driver.commit()?;
//! assert_eq!(driver.read("totals").len(), 6);
//! assert_eq!(driver.store(&counts)?.get(&"be")?, Some(2));
//!
//! // For real: on a memory log here, on `kafka::KafkaLog` or `embedded::EmbeddedLog` elsewhere.
//! let config = Config { until_end: true, ..Config::new("app") };
//! let mut client = Client::start(&topology, MemoryLog::new(Arc::new(|| 0)), config)?;
//! client.wait()?;
//! assert_eq!(client.metrics().record_count, 0, "nobody wrote anything");
//! # Ok(())
//! # }
//! ```

pub mod client;
pub mod clock;
pub mod codec;
pub mod error;
mod file_lock;
pub mod graph;
pub mod log;
pub mod metrics;
pub mod processor;
pub mod restore;
pub mod store;
pub mod stream_thread;
pub mod task;
pub mod test_driver;
pub mod watch;

pub use error::{Class, Error, Result};

// What the README shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
