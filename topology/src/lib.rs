//! A stream processing engine in the style of Kafka Streams.
//!
//! A *task* is a pure state machine; everything that touches a broker, a disk or a clock stands outside it.
//! Lower lines may use upper ones, never the other way:
//!
//! ```text
//! error, codec   what the caller does next; items as bytes
//! clock          time, as an argument
//! backoff        how long to wait after failures
//! metrics        counters
//! file_lock      one process at a time
//! log            consumer, transactional producer, admin: memory | embedded | kafka
//! store          key-value stores: overlay over memory or RocksDB; state directory
//! processor      the user's code and what it is given
//! graph          sources -> processors (+ stores) -> sinks; checked, printable
//! task           one sub-topology x one partition
//! query          what is committed in stores, for other threads
//! updater        changelogs back into stores, beside the stream threads
//! standby        what is kept warm of tasks that run elsewhere
//! watch          whether topics are the ones that a run knew at its start
//! stream_thread  poll -> process -> commit
//! client         threads, state, shutdown
//! reset          forgets an application's progress and state
//! test_driver    all of it without a broker
//! simulator      all of it where everything goes wrong that can
//! ```
//! `task`, `updater`, `standby`, `watch` and `stream_thread` are the inside: nothing of them is for users, and what
//! users need of them has a name in `client`.
//!
//! # Features
//!
//! | Feature | What it adds |
//! |---|---|
//! | `kafka` | `log::kafka`: the log of a Kafka cluster, with librdkafka |
//! | `rocksdb` | stores on the disk, with RocksDB |
//! | `embedded` | `log::embedded`: a durable log in a directory, on RocksDB |
//! | `simulator` | `simulator`: tests of a topology under faults |
//!
//! All are default. Without any the crate needs no C++ compiler: the test driver, the memory log and stores in memory
//! are always there.
//!
//! # A topology
//!
//! It is drawn once. It runs in a test without a broker, and on any log:
//!
//! ```
//! use std::sync::Arc;
//! use topology::client::{Client, Config};
//! use topology::graph::{Builder, Store};
//! use topology::log::memory::MemoryLog;
//! use topology::test_driver::TestDriver;
//!
//! # fn main() -> topology::Result<()> {
//! let builder = Builder::new();
//! builder
//!     .sub_topology("splitting")
//!     .source::<[u8], str>("lines")
//!     .flat_map::<str, ()>(|line, out| line.value.unwrap_or_default().split(' ').for_each(|word| out.emit(word, ())))
//!     .sink("words");
//! let counts = Store::rocksdb("counts");
//! builder.sub_topology("counting").source::<str, ()>("words").count(&counts).sink("totals");
//! let topology = builder.build()?;
//!
//! // In a test: records in, records out, and a look into the store.
//! let mut driver = TestDriver::new(&topology, "app", 0)?;
//! driver.input::<[u8], str>("lines").pipe(b"", "to be or not to be")?;
//! driver.commit()?; // the words are there
//! driver.commit()?; // they are counted
//! assert_eq!(driver.output::<str, i64>("totals").read()?[4..], [(Some("to"), Some(2)), (Some("be"), Some(2))]);
//! assert_eq!(driver.store(&counts)?.get(&"be")?, Some(2));
//!
//! // For real: on a memory log here, on `kafka::KafkaLog` or `embedded::EmbeddedLog` elsewhere.
//! let config = Config { until_end: true, ..Config::new("app") };
//! let mut client = Client::start_blocking(&topology, MemoryLog::new(Arc::new(|| 0)), config)?;
//! client.wait()?;
//! assert_eq!(client.metrics().record_count, 0, "nobody wrote anything");
//! # Ok(())
//! # }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]
// A part that only another feature's code uses stays without a gate of its own; a build with all of them finds what is
// unused.
#![cfg_attr(not(all(feature = "kafka", feature = "embedded", feature = "simulator")), allow(dead_code, unused_imports))]

mod backoff;
pub mod client;
pub mod clock;
pub mod codec;
pub mod error;
mod file_lock;
pub mod graph;
pub mod log;
pub mod metrics;
pub mod processor;
pub mod query;
pub mod reset;
#[cfg(feature = "simulator")]
pub mod simulator;
mod standby;
pub mod store;
mod stream_thread;
mod task;
pub mod test_driver;
mod updater;
mod watch;

#[cfg(test)]
extern crate self as topology;
// What dies and comes back finds its stores on a disk.
#[cfg(test)]
#[cfg(feature = "rocksdb")]
mod exactly_once;
#[cfg(test)]
#[path = "../tests/fault_log/mod.rs"]
#[allow(dead_code, reason = "without RocksDB few of the faults are used")]
mod fault_log;
#[cfg(test)]
#[cfg(feature = "rocksdb")]
mod measure;
#[cfg(test)]
mod mutant;

pub use error::{Class, Error, Result};

// What the README shows compiles.
#[cfg(all(doctest, feature = "kafka", feature = "embedded", feature = "simulator"))]
#[doc = include_str!("../README.md")]
struct Readme;
