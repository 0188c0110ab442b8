//! The lists of ids in [`Table::Expiries`], read and written without a copy of each id.
//!
//! ```text
//! chunk   1 | count u32 | (key length u32 | key of `ids` | body hash 32) ..
//! ```

use super::Table;
use super::records::{FORMAT, StateError, body};
use crate::chain::Hash;

/// The most bytes of a chunk, its format and count included: a log refuses records of more than about 1 MiB.
pub const CHUNK_SIZE_BYTES_MAX: usize = 512 * 1024;

/// The bytes of a chunk before its first id.
const HEAD_SIZE_BYTES: usize = 1 + size_of::<u32>();

/// Calls `visit` with each id of a chunk, in their order: its key in [`Table::Ids`], and the hash of the transaction's
/// body. `key` is the chunk's, for the error.
pub fn visit_chunk(key: &[u8], record: &[u8], mut visit: impl FnMut(&[u8], Hash)) -> Result<(), StateError> {
    let broken = || StateError::corrupt(Table::Expiries, key, "no list of ids");
    let (count, mut rest) = body(Table::Expiries, key, record)?.split_first_chunk().ok_or_else(broken)?;
    for _ in 0..u32::from_le_bytes(*count) {
        let (length, behind) = rest.split_first_chunk().ok_or_else(broken)?;
        let (id_key, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(broken)?;
        let (body, behind) = behind.split_first_chunk().ok_or_else(broken)?;
        visit(id_key, Hash(*body));
        rest = behind;
    }
    if rest.is_empty() { Ok(()) } else { Err(broken()) }
}

/// The chunks of a list that is being written. An id with which a chunk would grow past [`CHUNK_SIZE_BYTES_MAX`] begins
/// the next.
#[derive(Default)]
pub(in crate::ledger) struct ListWriter {
    chunks: Vec<Vec<u8>>,
    count: u32,
}

impl ListWriter {
    pub(in crate::ledger) fn push(&mut self, id_key: &[u8], body: Hash) {
        let size_bytes = size_of::<u32>() + id_key.len() + body.as_bytes().len();
        if self.chunks.last().is_none_or(|chunk| chunk.len() + size_bytes > CHUNK_SIZE_BYTES_MAX) {
            let mut chunk = vec![0; HEAD_SIZE_BYTES];
            chunk[0] = FORMAT;
            self.chunks.push(chunk);
            self.count = 0;
        }
        self.count += 1;
        if let Some(chunk) = self.chunks.last_mut() {
            chunk[1..HEAD_SIZE_BYTES].copy_from_slice(&self.count.to_le_bytes());
            // A key has at most 257 bytes.
            chunk.extend_from_slice(&(id_key.len() as u32).to_le_bytes());
            chunk.extend_from_slice(id_key);
            chunk.extend_from_slice(body.as_bytes());
        }
    }

    /// The chunks' records, the first first.
    pub(in crate::ledger) fn into_chunks(self) -> Vec<Vec<u8>> {
        self.chunks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_listed_is_read_and_no_other_bytes_are_a_list(
            ids in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..40), any::<[u8; 32]>()), 1..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut writer = ListWriter::default();
            ids.iter().for_each(|(key, body)| writer.push(key, Hash(*body)));
            let chunks = writer.into_chunks();
            prop_assert_eq!(chunks.len(), 1);
            let mut read = Vec::new();
            visit_chunk(b"k", &chunks[0], |key, body| read.push((key.to_vec(), body.0))).unwrap();
            prop_assert_eq!(&read, &ids);
            let is_list = |record: &[u8]| visit_chunk(b"k", record, |_, _| ()).is_ok();
            prop_assert!(!is_list(&chunks[0][..cut.index(chunks[0].len())]));
            prop_assert!(!is_list(&[&chunks[0][..], &[0]].concat()));
        }
    }
}
