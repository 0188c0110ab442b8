//! A chain over HTTP: JSON for programs, a page for people, metrics for an operator. Read-only.
//!
//! ```text
//! server        binds, accepts, ends; one thread with an async runtime of its own
//! threads       its own, and those of feed, lookup and prove: which of them have failed
//! connection    a socket whose reader may stop reading
//! guard         what is asked of every request: host, rate, time; and the headers of every answer
//! rate          so many requests of each address                                             pure
//! room          for so many connections of each address
//! quota         so much of each address of what else there is a bounded amount of
//! problem       errors as RFC 9457 has them
//! context       what every handler is given
//! committed     the ledger's state, as it is committed in the stores
//! feed          follows the blockchain topic, on a thread of its own
//! ends          where the transactions topic ends, and how much of it is in no block yet
//! index         the last blocks and what is in them, within a bounded memory                  pure
//! lookup        single blocks of any age, read from the topic on a thread of its own
//! prove         proofs, made on a thread of its own
//! api           the endpoints, and their description as OpenAPI
//! metrics       the chain's, beside the engine's
//! pages         the explorer's files, which are part of the program
//! teller        who takes a transfer from the page, where somebody does: the demo
//! ```
//! ```text
//!   blockchain topic ──> feed ──> index ──┬──> api ──> connection
//!                   └──> lookup ──────────┤
//!   stores (committed) ──> committed ─────┤
//!   topic, stores ──> prove ──────────────┘
//! ```
//! Nothing here asks the stream thread, or is waited for by it: a slow reader costs itself. May use all of the crate
//! but `cli`.

mod api;
mod committed;
mod connection;
mod context;
mod ends;
mod feed;
mod guard;
mod index;
mod lookup;
mod metrics;
mod pages;
mod problem;
mod prove;
mod quota;
mod rate;
mod room;
mod server;
mod teller;
mod threads;

pub use context::Chain;
pub use server::{Listener, Options, Server};
pub use teller::{Refused, Teller, TransferRequest};
