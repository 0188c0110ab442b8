//! What a key has signed of each log, so that it never signs anything that contradicts it.
//!
//! ```text
//! cairn-signed 1
//! key <verifier key>                              whose signatures these are
//! log <origin> <size> <root> <seconds>            a line for each log, by origin: the largest checkpoint that was signed,
//! end                                             and when it was signed last, in seconds since 1970 UTC
//!
//! for one log     unknown ──begin──> size, root, time ──the same checkpoint──> later time
//!                                          └──a larger one that is consistent──> its size and root, later time
//! ```
//! The state is on the disk before the signature is anywhere else. A process that dies in between has signed nothing
//! that anybody has, and may sign the same checkpoint again.

use std::collections::BTreeMap;
use std::fmt;

use super::body::Checkpoint;
use super::error::{Error, Result};
use super::key::VerifierKey;
use super::text;

/// So many characters of another key are shown.
const OWNER_SHOWN_MAX: usize = 320;
const MAGIC: &str = "cairn-signed 1";
/// What the numbers of the logs that are in a full state may still grow by: 30 digits each.
const GROWTH_BYTES_MAX: usize = 3 << 20;

/// The largest checkpoint of a log that was signed, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSigned {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// When it was signed last, in seconds since 1970 UTC.
    pub time_s: u64,
}

/// Why a checkpoint is not signed, whatever the chain says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A smaller tree than one that was signed.
    #[error(
        "it has {size} blocks, and this key has signed a checkpoint of the same chain with {signed}: a chain never gets shorter. Somebody \
         shows an old state, or has cut the chain"
    )]
    Shorter {
        /// Of the checkpoint.
        size: u64,
        /// Of the one that was signed.
        signed: u64,
    },
    /// Two trees of one size.
    #[error(
        "this key has signed another root for the same {size} blocks: the chain is forked, and the two checkpoints are the proof. Keep both"
    )]
    Forked {
        /// Of both.
        size: u64,
    },
    /// A signature would say that it is older than one that is there.
    #[error("the clock says {now_s} seconds since 1970, and this key has signed at {signed_s}: set the clock right")]
    ClockWentBack {
        /// The clock.
        now_s: u64,
        /// The last signature.
        signed_s: u64,
    },
    /// There is no last checkpoint to go on from.
    #[error("this key has signed no checkpoint of {origin} yet")]
    Unknown {
        /// The log.
        origin: String,
    },
    /// There is one, and it is not to be forgotten.
    #[error("this key has signed a checkpoint of {origin} with {size} blocks before: it does not begin anew")]
    Known {
        /// The log.
        origin: String,
        /// Of the last checkpoint.
        size: u64,
    },
    /// With this log the state would be larger than one that is read again.
    #[error(
        "this key has signed checkpoints of {logs} logs, and its state may have no more than {} MiB: use another key for this log",
        SignerState::SIZE_BYTES_MAX >> 20
    )]
    Full {
        /// How many logs are in the state.
        logs: usize,
    },
}

/// Whether a log is one that the key has signed checkpoints of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// It must be: else its state may have been lost, and with it what keeps the key from signing a fork.
    No,
    /// It must not be.
    Yes,
    /// Either.
    IfUnknown,
}

/// What a key has signed, by log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerState {
    key: String,
    logs: BTreeMap<String, LastSigned>,
}

impl SignerState {
    /// The most that a state may have as a file: some 80,000 chains.
    pub const SIZE_BYTES_MAX: usize = 16 << 20;

    /// Of a key that has signed nothing.
    #[must_use]
    pub fn new(key: &VerifierKey) -> Self {
        Self { key: key.to_string(), logs: BTreeMap::new() }
    }

    /// The last checkpoint of a log that was signed.
    #[must_use]
    pub fn last(&self, origin: &str) -> Option<&LastSigned> {
        self.logs.get(origin)
    }

    /// The checkpoint that this one must be consistent with before it is signed; `None`: it is the first of its log.
    /// Refuses what could not be signed whatever else is known of it.
    pub fn predecessor(
        &self,
        checkpoint: &Checkpoint,
        begin: Begin,
        now_s: u64,
    ) -> Result<Option<&Checkpoint>, Refusal> {
        let Checkpoint { origin, size, root } = checkpoint;
        match (self.last(origin), begin) {
            (None, Begin::No) => Err(Refusal::Unknown { origin: origin.clone() }),
            (None, _) => Ok(None),
            (Some(last), Begin::Yes) => Err(Refusal::Known { origin: origin.clone(), size: last.checkpoint.size }),
            (Some(LastSigned { checkpoint: last, .. }), _) if *size < last.size => {
                Err(Refusal::Shorter { size: *size, signed: last.size })
            }
            (Some(LastSigned { checkpoint: last, .. }), _) if *size == last.size && *root != last.root => {
                Err(Refusal::Forked { size: *size })
            }
            (Some(last), _) if now_s < last.time_s => Err(Refusal::ClockWentBack { now_s, signed_s: last.time_s }),
            (Some(last), _) => Ok(Some(&last.checkpoint)),
        }
    }

    /// The state after a checkpoint was signed at this time. The caller has found it consistent with its predecessor.
    pub fn signed(mut self, checkpoint: Checkpoint, begin: Begin, now_s: u64) -> Result<Self, Refusal> {
        let is_new = self.predecessor(&checkpoint, begin, now_s)?.is_none();
        let logs = self.logs.len();
        self.logs.insert(checkpoint.origin.clone(), LastSigned { checkpoint, time_s: now_s });
        let is_full = is_new && self.to_string().len() > Self::SIZE_BYTES_MAX - GROWTH_BYTES_MAX;
        if is_full { Err(Refusal::Full { logs }) } else { Ok(self) }
    }

    /// Reads the state of a key.
    pub fn parse(bytes: &[u8], key: &VerifierKey) -> Result<Self> {
        let mut lines = text::plain_text(bytes)?.lines();
        if lines.next() != Some(MAGIC) {
            return Err(Error::new(format!("it does not begin with `{MAGIC}`")));
        }
        let mut state = Self::new(key);
        let owner = lines.next().and_then(|line| line.strip_prefix("key "));
        if owner != Some(&state.key) {
            // A verifier key has some three hundred bytes at most; what stands here may be anything.
            let owner: String = owner.unwrap_or("nobody").chars().take(OWNER_SHOWN_MAX).collect();
            return Err(Error::new(format!("it is the state of {owner}, not of {key}")));
        }
        loop {
            match lines.next() {
                Some("end") if lines.next().is_none() => return Ok(state),
                Some(line) => {
                    let last =
                        last_signed(line).ok_or_else(|| Error::new("it is damaged: a line is none of a state"))?;
                    if state.logs.insert(last.checkpoint.origin.clone(), last).is_some() {
                        return Err(Error::new("it is damaged: a log stands in it twice"));
                    }
                }
                None => return Err(Error::new("it does not end with `end`: it is cut off")),
            }
        }
    }
}

fn last_signed(line: &str) -> Option<LastSigned> {
    // An origin may have spaces: what is behind it has none.
    let mut words = line.strip_prefix("log ")?.rsplitn(4, ' ');
    let time_s = text::number(words.next()?)?;
    let root = text::hash_from_base64(words.next()?)?;
    let size = text::number(words.next()?)?;
    let origin = words.next().filter(|origin| !origin.is_empty())?.to_owned();
    Some(LastSigned { checkpoint: Checkpoint { origin, size, root }, time_s })
}

/// The file.
impl fmt::Display for SignerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC}\nkey {}", self.key)?;
        for LastSigned { checkpoint: Checkpoint { origin, size, root }, time_s } in self.logs.values() {
            writeln!(f, "log {origin} {size} {} {time_s}", text::base64(&root.0))?;
        }
        writeln!(f, "end")
    }
}
