//! The sealer's task without a log: what it is given, when it is committed and when it dies is up to the test.

mod forgotten;
mod heavy;
mod process;
mod rebuilt;
mod rewind;
mod stalled;
mod topics;
