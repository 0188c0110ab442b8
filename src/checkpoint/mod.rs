//! What a chain is known to contain, in a form that others can keep, sign and compare: checkpoints of C2SP.
//!
//! ```text
//! body           origin, size and root: what a checkpoint says
//! note           a checkpoint with the signatures under it
//! key            who signs, and how others know them: logs, and witnesses with their cosignatures
//! consistency    whether a later checkpoint goes on from an earlier one
//! signer_state   what a key has signed, so that it signs nothing that contradicts it
//! request        what a witness is asked
//! policy         whose signatures make a checkpoint one to go by
//! text           the characters and the base64 that all of these are made of
//! error          why bytes are none of these
//! ```
//! The formats are [signed-note](https://c2sp.org/signed-note), [tlog-checkpoint](https://c2sp.org/tlog-checkpoint),
//! [tlog-cosignature](https://c2sp.org/tlog-cosignature), [tlog-witness](https://c2sp.org/tlog-witness) and
//! [tlog-policy](https://c2sp.org/tlog-policy); `docs/checkpoints.md` draws them for a chain of blocks.
//!
//! Pure, and uses `chain` alone: keys, times and bytes come in as arguments.

mod body;
pub mod consistency;
mod error;
mod key;
mod note;
mod policy;
mod request;
mod signer_state;
#[cfg(test)]
mod tests;
mod text;

pub use body::Checkpoint;
pub use error::{Error, Result};
pub use key::{Role, Signer, VerifierKey};
pub use note::{NoteSignature, SIGNATURES_MAX, SIZE_BYTES_MAX, SignedNote};
pub use policy::{Accepted, FILE_SIZE_BYTES_MAX, Policy};
pub use request::WitnessRequest;
pub use signer_state::{Begin, LastSigned, Refusal, SignerState};
