//! What a witness is asked: to sign a checkpoint, with the proof that it goes on from the last one.
//!
//! ```text
//! old <size> \n                        of the checkpoint that the witness signed last, 0 if it signed none
//! <base64 of a hash> \n                a line for each root of the consistency proof; none from size 0
//! \n
//! the checkpoint, a signed note
//! ```
//! It is the body of `add-checkpoint` in [tlog-witness](https://c2sp.org/tlog-witness).

use std::fmt;

use super::body::Checkpoint;
use super::consistency::{self, PROOF_ROOTS_MAX};
use super::error::{Error, Result};
use super::note::SignedNote;
use super::text;
use crate::chain::Hash;

const OLD: &str = "old ";

/// A checkpoint to be signed, and the proof that it goes on from an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessRequest {
    /// The size from which the proof goes on.
    pub old_size: u64,
    /// The roots of the proof.
    pub proof: Vec<Hash>,
    /// The checkpoint.
    pub note: SignedNote,
}

impl WitnessRequest {
    /// Whether bytes are meant as a request, and not as a note.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        // The origin of a log could begin like this; the second line of a note is a bare number.
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let old = lines.next().and_then(|line| line.strip_prefix(OLD.as_bytes()));
        let is_digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        old.is_some_and(is_digits) && !lines.next().is_some_and(is_digits)
    }

    /// Reads a request.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n");
        let end = end.ok_or_else(|| Error::new("it has no empty line between proof and checkpoint"))?;
        let mut lines = text::plain_text(&bytes[..end])?.split('\n');
        let old_size = lines.next().and_then(|line| text::number(line.strip_prefix(OLD)?));
        let old_size = old_size.ok_or_else(|| Error::new("it does not begin with `old <size>`"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == PROOF_ROOTS_MAX {
                return Err(Error::new(format!("its proof has more than {PROOF_ROOTS_MAX} lines")));
            }
            let root = text::hash_from_base64(line);
            proof.push(root.ok_or_else(|| Error::new("a line of its proof is not the base64 of a hash"))?);
        }
        Ok(Self { old_size, proof, note: SignedNote::parse(&bytes[end + 2..])? })
    }

    /// Whether the proof shows that the checkpoint goes on from the last one that was signed; where there is none, from
    /// nothing.
    #[must_use]
    pub fn goes_on_from(&self, last: Option<&Checkpoint>) -> bool {
        let old = last.map_or((0, crate::chain::merkle::root(Vec::new())), |last| (last.size, last.root));
        let Checkpoint { size, root, .. } = self.note.checkpoint();
        self.old_size == old.0 && consistency::shows(&self.proof, old, (*size, *root))
    }
}

/// The request as it is sent.
impl fmt::Display for WitnessRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{OLD}{}", self.old_size)?;
        self.proof.iter().try_for_each(|root| writeln!(f, "{}", text::base64(&root.0)))?;
        write!(f, "\n{}", self.note)
    }
}
