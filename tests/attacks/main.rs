//! Attacks: what somebody does who may write to one topic or to one directory, and what must come of it. The real
//! program, on embedded logs.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod blocks;
mod changelogs;
mod directories;
mod founding;
mod input;
mod money;
mod offsets;
mod world;
