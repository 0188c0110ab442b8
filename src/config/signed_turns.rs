//! What the validators of a chain have signed last, in a file beside their keys.
//!
//! ```text
//! begin     "cairn-signed-turns 1\n", and zeros up to 64 bytes
//! slot      height u64 | round u32 | zeros 4 | header hash 32 | the first 16 bytes of SHA-256( genesis hash | the 48 bytes before )
//! ```
//! So many slots; a height has the one of its number modulo so many, with the last round that was signed. Integers are
//! little-endian. A slot of zeros is empty. One whose sum does not agree was not written to its end, or is another
//! chain's, and counts as empty: what it was to keep has not left the process.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Error, Result, private_file};
use crate::chain::Hash;
use crate::consensus::{SignedTurn, SignedTurns};

const MAGIC: &[u8] = b"cairn-signed-turns 1\n";
const SLOT_SIZE_BYTES: usize = 64;
/// More heights than one transaction of the log ever holds.
const SLOTS: u64 = 4096;
const SUM_SIZE_BYTES: usize = 16;

/// The file of one chain.
#[derive(Debug)]
pub struct SignedTurnsFile {
    path: PathBuf,
    genesis: Hash,
    file: Mutex<File>,
}

type Slot = [u8; SLOT_SIZE_BYTES];

impl SignedTurnsFile {
    /// Opens the file, or makes one in which nothing was signed.
    pub fn open(path: &Path, genesis: Hash) -> Result<Self> {
        if !path.exists() {
            let mut empty = MAGIC.to_vec();
            empty.resize(SLOT_SIZE_BYTES * (1 + SLOTS as usize), 0);
            private_file::replace(path, &empty)?;
        }
        let failed = |error: std::io::Error| Error::new(format!("cannot open {}: {error}", path.display()));
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        let mut begin: Slot = [0; SLOT_SIZE_BYTES];
        file.read_exact(&mut begin).map_err(failed)?;
        if !begin.starts_with(MAGIC) {
            return Err(Error::new(format!(
                "{} does not say what validators have signed: it is damaged, or was written by a newer version. Without it a \
                 block may be signed twice after the state was lost; if it is beyond repair, delete it",
                path.display()
            )));
        }
        Ok(Self { path: path.to_owned(), genesis, file: Mutex::new(file) })
    }

    fn slot(&self, turn: &SignedTurn) -> Slot {
        let mut slot: Slot = [0; SLOT_SIZE_BYTES];
        slot[..8].copy_from_slice(&turn.height.to_le_bytes());
        slot[8..12].copy_from_slice(&turn.round.to_le_bytes());
        slot[16..48].copy_from_slice(turn.header.as_bytes());
        let sum = self.sum(&slot);
        slot[48..].copy_from_slice(&sum);
        slot
    }

    fn sum(&self, slot: &Slot) -> [u8; SUM_SIZE_BYTES] {
        let sum = Hash::of(&[&self.genesis.as_bytes()[..], &slot[..48]].concat());
        sum.0.first_chunk().copied().unwrap_or_default()
    }

    fn turn(&self, slot: &Slot) -> Option<SignedTurn> {
        let height = u64::from_le_bytes(*slot.first_chunk()?);
        let round = u32::from_le_bytes(slot[8..12].try_into().ok()?);
        let header = Hash(slot[16..48].try_into().ok()?);
        (self.sum(slot)[..] == slot[48..]).then_some(SignedTurn { height, round, header })
    }

    fn keep(&self, turn: &SignedTurn, is_decided: bool) -> std::io::Result<Option<SignedTurn>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let place = SLOT_SIZE_BYTES as u64 * (1 + turn.height % SLOTS);
        let mut slot: Slot = [0; SLOT_SIZE_BYTES];
        // Read each time: another process of this machine may have sealed meanwhile.
        file.seek(SeekFrom::Start(place))?;
        file.read_exact(&mut slot)?;
        let last = self.turn(&slot).filter(|last| last.height >= turn.height);
        if last.is_some_and(|last| !turn.may_follow(&last)) {
            return Ok(last);
        }
        if last.as_ref() != Some(turn) {
            file.seek(SeekFrom::Start(place))?;
            file.write_all(&self.slot(turn))?;
        }
        if is_decided {
            file.sync_data()?;
        }
        Ok(None)
    }
}

impl SignedTurns for SignedTurnsFile {
    fn keep_to(&self, turn: SignedTurn, is_decided: bool) -> Result<bool, String> {
        let SignedTurn { height, round, header } = turn;
        let found = self.keep(&turn, is_decided).map_err(|error| {
            format!(
                "cannot keep in {} what validators sign ({error}), so nothing was signed: make room, or mend the disk",
                self.path.display()
            )
        })?;
        match found {
            None => Ok(true),
            Some(last) if last.height > height => Err(format!(
                "block {height} is to be signed, and by {} block {} was signed long ago: the blockchain topic lost blocks, or is \
                 another one. Are these the right brokers and topic? Run cairn verify, and bring the blocks back",
                self.path.display(),
                last.height
            )),
            Some(last) => {
                tracing::warn!(
                    height,
                    round,
                    "validators have signed block {} in round {} of this height before it was committed, and now {header} follows: \
                     decisions were lost, or forged. They sign no other one, and the round passes",
                    last.header,
                    last.round
                );
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(height: u64, round: u32, byte: u8) -> SignedTurn {
        SignedTurn { height, round, header: Hash([byte; 32]) }
    }

    const GENESIS: Hash = Hash([9; 32]);

    #[test]
    fn what_one_process_signed_the_next_one_keeps_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signed");
        let open = || SignedTurnsFile::open(&path, GENESIS).unwrap();
        let first = open();
        for height in 1..=3 {
            assert_eq!(first.keep_to(turn(height, 0, 1), height == 2), Ok(true));
        }
        // Killed; or it lives on, and another one of this machine takes over.
        let second = open();
        assert_eq!(second.keep_to(turn(2, 0, 1), true), Ok(true), "the same again");
        assert_eq!(second.keep_to(turn(3, 0, 2), false), Ok(false));
        assert_eq!(second.keep_to(turn(3, 1, 2), true), Ok(true), "of a later round");
        assert_eq!(first.keep_to(turn(3, 0, 1), false), Ok(false), "the earlier round is over");
        assert_eq!(open().keep_to(turn(3, 1, 3), true), Ok(false));
        assert_eq!(open().keep_to(turn(4, 0, 1), true), Ok(true));
    }

    #[test]
    fn a_height_that_was_signed_long_ago_is_an_error_and_a_later_one_takes_its_slot() {
        let directory = tempfile::tempdir().unwrap();
        let file = SignedTurnsFile::open(&directory.path().join("signed"), GENESIS).unwrap();
        assert_eq!(file.keep_to(turn(5, 0, 1), true), Ok(true));
        assert_eq!(file.keep_to(turn(5 + SLOTS, 0, 1), true), Ok(true));
        let refused = file.keep_to(turn(5, 0, 1), true).unwrap_err();
        assert!(refused.contains(&format!("block {} was signed", 5 + SLOTS)), "{refused}");
    }

    #[test]
    fn a_slot_that_was_not_written_to_its_end_or_is_another_chains_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signed");
        assert_eq!(SignedTurnsFile::open(&path, GENESIS).unwrap().keep_to(turn(1, 0, 1), true), Ok(true));
        let other = SignedTurnsFile::open(&path, Hash([8; 32])).unwrap();
        assert_eq!(other.keep_to(turn(1, 0, 2), true), Ok(true));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[2 * SLOT_SIZE_BYTES + 20] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(other.keep_to(turn(1, 0, 3), true), Ok(true));
    }

    #[test]
    fn a_file_that_is_none_is_refused_and_never_taken_for_an_empty_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signed");
        for content in [&b""[..], b"something else that has as many bytes as a slot has, and some more than that"] {
            std::fs::write(&path, content).unwrap();
            let refused = SignedTurnsFile::open(&path, GENESIS).unwrap_err().to_string();
            assert!(refused.contains("signed"), "{refused}");
        }
    }
}
