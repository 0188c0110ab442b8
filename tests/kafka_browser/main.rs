//! The explorer in a real browser: pages of a chain that is sealed on a real broker, and of a demo, in a headless
//! Chromium.
//!
//! ```text
//! live              what happens appears by itself; a server that goes away, and comes back
//! finding           search, the plot of an account, what strangers wrote
//! looks             widths, colours, the keyboard, axe-core's rules; screenshots of every page
//! demo              what only a demo has: a transfer from the page, a validator that cheats
//! verify, proxy     proofs that are computed in the page; a proxy that alters one byte of an answer
//!
//! world             a chain with something of everything, served over HTTP, and its rooms
//! page, chromium    what a page shows and is told, by the DevTools protocol
//! ```
//! Chromium comes with `scripts/install`. `CAIRN_TEST_SCREENSHOTS=DIRECTORY` has every page drawn into that directory.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod chromium;
#[path = "../http/client.rs"]
#[allow(dead_code, reason = "shared with the tests of HTTP")]
mod client;
mod demo;
mod finding;
mod live;
mod looks;
mod page;
mod proxy;
#[path = "../support/mod.rs"]
mod support;
mod verify;
mod world;
