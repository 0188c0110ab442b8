//! What a chain is known to contain, in a form that others can keep, sign and compare: checkpoints of C2SP.
//!
//! ```text
//! body           origin, size and root: what a checkpoint says
//! note           a checkpoint with the signatures under it
//! text           the characters and the base64 that all of these are made of
//! error          why bytes are none of these
//! ```
//! The formats are [signed-note](https://c2sp.org/signed-note), [tlog-checkpoint](https://c2sp.org/tlog-checkpoint),
//! [tlog-cosignature](https://c2sp.org/tlog-cosignature), [tlog-witness](https://c2sp.org/tlog-witness) and
//! [tlog-policy](https://c2sp.org/tlog-policy); `docs/checkpoints.md` draws them for a chain of blocks.
//!
//! Pure, and uses `chain` alone: keys, times and bytes come in as arguments.

mod body;
mod error;
mod note;
mod text;

pub use body::Checkpoint;
pub use error::{Error, Result};
pub use note::{NoteSignature, SIGNATURES_MAX, SIZE_BYTES_MAX, SignedNote};
