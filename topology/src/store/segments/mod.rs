//! What is committed and not in the backend yet.
//!
//! ```text
//! Run         writes of one store in key order, frozen
//! Segment     the runs of all stores that one commit or several wrote, with the positions that they reached
//! List        the segments of a task, published as a whole
//! plan        pure: merge them, or write them
//! Committed   list and backend: what the stream thread, the folder and readers share
//! Door        the way to it for folder and readers
//! Look        what a reader sees of it for longer than a call
//! ```
//! May use `backends`, `budget`, `changelog`'s positions and `error`.

mod committed;
mod door;
mod look;
mod plan;
mod run;
mod segment;

pub(in crate::store) use committed::{Committed, Urgency};
pub(in crate::store) use door::{Closed, Door};
pub(in crate::store) use look::{Layers, Look};
pub(in crate::store) use run::{Merged, Run, Write};
pub(in crate::store) use segment::{Inputs, Part, Segment};
