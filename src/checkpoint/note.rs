//! A checkpoint with the signatures under it: a signed note of C2SP.
//!
//! ```text
//! text            the lines of the checkpoint, the last with its line break; what is signed
//! \n              an empty line
//! — <key name> <base64( key id, 4 bytes big-endian | signature )> \n          one or more
//! ```
//! A note has at least one signature. A file with the text alone is a checkpoint for its owner's own use: no signature
//! vouches for it, and other readers refuse it.

use std::fmt;

use super::body::Checkpoint;
use super::error::{Error, Result};
use super::text;

/// A note of more bytes than this is none.
pub const SIZE_BYTES_MAX: usize = 1 << 20;
/// A note with more signatures than this is none.
pub const SIGNATURES_MAX: usize = 100;

/// What a signature line begins with.
const DASH: &str = "\u{2014} ";

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key, as its owner chose it.
    pub name: String,
    /// The first four bytes of a hash over name, kind and public key.
    pub key_id: u32,
    /// What the key's kind makes of the text.
    pub bytes: Vec<u8>,
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, base64) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = text::from_base64(base64)?;
        let (key_id, rest) = bytes.split_first_chunk()?;
        let is_whole = text::is_key_name(name) && !rest.is_empty();
        is_whole.then(|| Self { name: name.to_owned(), key_id: u32::from_be_bytes(*key_id), bytes: rest.to_vec() })
    }
}

/// The line, with its line break.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id.to_be_bytes(), &self.bytes[..]].concat();
        writeln!(f, "{DASH}{} {}", self.name, text::base64(&bytes))
    }
}

/// A checkpoint, the text it was read from, and the signature lines under it, of which there may be none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    checkpoint: Checkpoint,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A checkpoint that has no signature yet.
    #[must_use]
    pub fn unsigned(checkpoint: Checkpoint) -> Self {
        Self { text: checkpoint.to_string(), checkpoint, signatures: Vec::new() }
    }

    /// Reads a signed note, or the text of one without signatures. No signature is verified by this: until one of a
    /// known key was, the note says what its bearer wants it to say.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > SIZE_BYTES_MAX {
            return Err(Error::new(format!("it has more than {SIZE_BYTES_MAX} bytes")));
        }
        let whole = text::plain_text(bytes)?;
        // The last empty line separates the two.
        let Some(end) = whole.rfind("\n\n") else {
            let checkpoint = Checkpoint::of_text(whole)?;
            return Ok(Self { text: whole.to_owned(), checkpoint, signatures: Vec::new() });
        };
        let (text, lines) = (&whole[..=end], &whole[end + 2..]);
        let lines = lines.strip_suffix('\n').ok_or_else(|| Error::new("its signatures are missing or cut off"))?;
        let checkpoint = Checkpoint::of_text(text)?;
        let mut signatures = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            if signatures.len() == SIGNATURES_MAX {
                return Err(Error::new(format!("it has more than {SIGNATURES_MAX} signatures")));
            }
            let signature = NoteSignature::parse(line);
            signatures.push(signature.ok_or_else(|| {
                Error::new(format!("line {} below the empty one is not `\u{2014} <key name> <base64>`", number + 1))
            })?);
        }
        Ok(Self { text: text.to_owned(), checkpoint, signatures })
    }

    /// What is signed: the text, with its last line break.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the text says.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signature lines, verified or not.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Whether the text has lines behind the third.
    #[must_use]
    pub fn has_extensions(&self) -> bool {
        self.text.lines().count() > 3
    }

    /// The note with a signature more, in the place of former ones by the same key.
    #[must_use]
    pub fn with(mut self, signature: NoteSignature) -> Self {
        self.signatures.retain(|former| (&former.name, former.key_id) != (&signature.name, signature.key_id));
        self.signatures.push(signature);
        self
    }
}

/// The note as it lies in a file; without signatures the text alone.
impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if !self.signatures.is_empty() {
            f.write_str("\n")?;
        }
        self.signatures.iter().try_for_each(|signature| write!(f, "{signature}"))
    }
}
