//! A followed chain in a file of the export's directory, so that the next call goes on from there.
//!
//! ```text
//! "cairn export state 1\n" | genesis | tip | standings of validators | offset of the last block's record i64
//!     | count u64 | (name str | balance i64 | nonce u64) .. | SHA-256 of all before
//! all of it borsh
//! ```
//! The file saves time and nothing else: where it is missing, damaged or of another chain, the chain is followed from
//! its beginning.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};
use topology::log::Offset;

use crate::chain::{Genesis, ValidatorId};
use crate::ledger::state::Account;
use crate::rows::{Book, Chain, Standing, Tip};

const MAGIC: &[u8] = b"cairn export state 1\n";
const SUM_SIZE_BYTES: usize = 32;

/// A chain that was followed before.
pub(super) struct Checkpoint {
    pub(super) book: Book,
    /// Where the record of its last block stood.
    pub(super) offset: Offset,
}

/// Writes a chain, whose seals were all checked.
pub(super) fn write(file: &mut File, book: &Book, offset: Offset) -> io::Result<()> {
    let mut out = Summed { out: BufWriter::with_capacity(256 << 10, file), sum: Sha256::new() };
    out.write_all(MAGIC)?;
    let chain = book.chain();
    chain.genesis().serialize(&mut out)?;
    chain.tip().serialize(&mut out)?;
    let standings: Vec<(ValidatorId, Standing)> =
        chain.standings().map(|(id, standing)| (id.clone(), *standing)).collect();
    standings.serialize(&mut out)?;
    offset.serialize(&mut out)?;
    let accounts = book.accounts();
    (accounts.len() as u64).serialize(&mut out)?;
    for (name, Account { balance, nonce }) in accounts {
        (name, balance, nonce).serialize(&mut out)?;
    }
    let Summed { mut out, sum } = out;
    out.write_all(&sum.finalize())?;
    out.flush()
}

/// Reads the file; `None` where there is none. An error: it is not what [`write`] wrote.
pub(super) fn read(path: &Path) -> io::Result<Option<Checkpoint>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    parse(&bytes).map(Some)
}

fn parse(bytes: &[u8]) -> io::Result<Checkpoint> {
    let damaged = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    let summed = bytes.split_last_chunk::<SUM_SIZE_BYTES>();
    let (body, _) = summed
        .filter(|(body, sum)| Sha256::digest(body).as_slice() == sum.as_slice())
        .ok_or_else(|| damaged("its checksum is wrong"))?;
    let mut rest = body.strip_prefix(MAGIC).ok_or_else(|| damaged("another version of the program wrote it"))?;
    let genesis = Genesis::deserialize_reader(&mut rest)?;
    let tip = Tip::deserialize_reader(&mut rest)?;
    let standings = Vec::<(ValidatorId, Standing)>::deserialize_reader(&mut rest)?;
    let offset = Offset::deserialize_reader(&mut rest)?;
    let mut accounts = HashMap::new();
    for _ in 0..u64::deserialize_reader(&mut rest)? {
        let (name, balance, nonce) = <(String, i64, u64)>::deserialize_reader(&mut rest)?;
        accounts.insert(name.into_boxed_str(), Account { balance, nonce });
    }
    let chain = Chain::resume(genesis, tip, standings).map_err(|error| damaged(&error.to_string()))?;
    Ok(Checkpoint { book: Book::resume(chain, accounts), offset })
}

/// Sums up what passes.
struct Summed<W> {
    out: W,
    sum: Sha256,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.sum.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
