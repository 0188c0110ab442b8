//! What a checkpoint says: of which chain, how many blocks, and the root over their hashes.

use std::fmt;

use super::error::{Error, Result};
use super::note::SignedNote;
use super::text;
use crate::chain::{Frontier, Hash, hex_array, merkle};

/// What the origin of every chain begins with.
const ORIGIN_PREFIX: &str = "cairn/";

/// The first `size` blocks of a chain, by the Merkle root over their hashes.
///
/// ```text
/// cairn/<genesis hash, 64 lower-case hex digits> \n      origin: which chain
/// <number of blocks, decimal> \n                         size: the last of them has the height size - 1
/// <root, base64 of 32 bytes> \n                          RFC 6962 over the block hashes of heights 0 to size - 1
/// ```
///
/// The root is the one that the header of the next block, at height `size`, carries as its `history`.
///
/// ```
/// use cairn::chain::{Frontier, Hash, merkle};
/// use cairn::checkpoint::Checkpoint;
/// let mut blocks = Frontier::default();
/// blocks.append(merkle::leaf(&[7; 32]));
/// let checkpoint = Checkpoint::of(&Hash([1; 32]), &blocks);
/// assert_eq!(Checkpoint::parse(checkpoint.to_string().as_bytes()), Ok(checkpoint));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// Which log it is of. Of a chain: [`Checkpoint::origin_of`] its genesis.
    pub origin: String,
    /// The number of leaves: of a chain, its blocks from height 0.
    pub size: u64,
    /// The root over these leaves.
    pub root: Hash,
}

impl Checkpoint {
    /// Of the chain of a genesis, given the frontier over the hashes of its blocks from height 0.
    #[must_use]
    pub fn of(genesis: &Hash, blocks: &Frontier) -> Self {
        Self { origin: Self::origin_of(genesis), size: blocks.count(), root: blocks.root() }
    }

    /// The origin of the chain of a genesis.
    #[must_use]
    pub fn origin_of(genesis: &Hash) -> String {
        format!("{ORIGIN_PREFIX}{genesis}")
    }

    /// The genesis hash that the origin names; `None`: it is the checkpoint of no chain of blocks.
    #[must_use]
    pub fn genesis(&self) -> Option<Hash> {
        hex_array::decode(self.origin.strip_prefix(ORIGIN_PREFIX)?).map(Hash)
    }

    /// The height of the last of the blocks; `None` where there are none.
    #[must_use]
    pub fn last_height(&self) -> Option<u64> {
        self.size.checked_sub(1)
    }

    /// Reads the checkpoint in a file: a signed note, whose signatures are *not* verified by this, or a note's text
    /// without signatures. [`SignedNote::parse`] keeps the signatures.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Ok(SignedNote::parse(bytes)?.checkpoint().clone())
    }

    /// Reads a note's text. Lines behind the third, which C2SP calls extension lines, are allowed and say nothing.
    pub(super) fn of_text(text: &str) -> Result<Self> {
        let lines = text.strip_suffix('\n').ok_or_else(|| Error::new("its last line is cut off"))?;
        let lines: Vec<&str> = lines.split('\n').collect();
        let [origin, size, root, ..] = lines[..] else {
            return Err(Error::new("its text has fewer than three lines: origin, size and root"));
        };
        if lines.contains(&"") {
            return Err(Error::new("its text has an empty line"));
        }
        if origin.len() > text::NAME_BYTES_MAX {
            return Err(Error::new(format!("line 1, the origin, has more than {} bytes", text::NAME_BYTES_MAX)));
        }
        if origin.contains(char::is_control) {
            return Err(Error::new("line 1, the origin, has a control character"));
        }
        let size = text::number(size).ok_or_else(|| Error::new("line 2 is not the number of blocks"))?;
        let root = text::hash_from_base64(root).ok_or_else(|| Error::new("line 3 is not the base64 of a root"))?;
        if size == 0 && root != merkle::root(Vec::new()) {
            return Err(Error::new("it is of nothing, and its root is of something"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

/// The text of the note: three lines, each with its line break.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, size, root } = self;
        writeln!(f, "{origin}\n{size}\n{}", text::base64(&root.0))
    }
}
