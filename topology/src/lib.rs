//! A stream processing engine in the style of Kafka Streams.
//!
//! A *task* is a pure state machine; everything that touches a broker, a disk or a clock stands outside it.
//! Lower lines may use upper ones, never the other way:
//!
//! ```text
//! error, codec   what the caller does next; items as bytes
//! clock          time, as an argument
//! metrics        counters
//! log            consumer, transactional producer, admin: memory | embedded | kafka
//! store          key-value stores: overlay over memory or RocksDB; state directory
//! processor      the user's code and what it is given
//! graph          sources -> processors (+ stores) -> sinks; checked, printable
//! task           one sub-topology x one partition
//! restore        changelogs back into stores
//! stream_thread  poll -> process -> commit
//! client         threads, state, shutdown
//! test_driver    all of it without a broker
//! ```

pub mod client;
pub mod clock;
pub mod codec;
pub mod error;
pub mod graph;
pub mod log;
pub mod metrics;
pub mod processor;
pub mod restore;
pub mod store;
pub mod stream_thread;
pub mod task;
pub mod test_driver;

pub use error::{Class, Error, Result};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
