//! Which input a store's state is made from.

use crate::log::{Offset, TopicPartition};

/// The last commit that wrote a store, and how far the task had taken each of its inputs then. It is written in the
/// same transaction as the writes, and beside the store's position:
///
/// ```text
/// 0          8             10
/// +----------+-------------+--------------------------------------------------------------+
/// | sequence | input count | for each input:                                              |
/// | u64      | u16         | length u16 | topic, UTF-8 | partition, i32 | offset, i64     |
/// +----------+-------------+--------------------------------------------------------------+   all big endian
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// Rises with each commit that wrote any store of the task; 0 before the first one.
    pub sequence: u64,
    /// Of each input the offset that was committed with it: everything below is in the state, and nothing at or above
    /// it.
    pub inputs: Vec<(TopicPartition, Offset)>,
}

impl Covered {
    /// How far an input is in the state; `None` where the state knows no such input.
    pub fn offset(&self, input: &TopicPartition) -> Option<Offset> {
        self.inputs.iter().find(|(covered, _)| covered == input).map(|(_, offset)| *offset)
    }

    /// Adds the bytes drawn above.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sequence.to_be_bytes());
        // A task has a handful of inputs, and a topic's name has 249 bytes at most.
        out.extend_from_slice(&u16::try_from(self.inputs.len()).unwrap_or(u16::MAX).to_be_bytes());
        for (input, offset) in self.inputs.iter().take(usize::from(u16::MAX)) {
            let name = &input.topic.as_bytes()[..input.topic.len().min(usize::from(u16::MAX))];
            out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(name);
            out.extend_from_slice(&input.partition.to_be_bytes());
            out.extend_from_slice(&offset.to_be_bytes());
        }
    }

    /// Reads exactly these bytes; `None` where they are anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (sequence, rest) = bytes.split_first_chunk()?;
        let (count, mut rest) = rest.split_first_chunk()?;
        let mut inputs = Vec::new();
        for _ in 0..u16::from_be_bytes(*count) {
            let (length, after) = rest.split_first_chunk()?;
            let (name, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            let (partition, after) = after.split_first_chunk()?;
            let (offset, after) = after.split_first_chunk()?;
            let input = TopicPartition::new(std::str::from_utf8(name).ok()?, i32::from_be_bytes(*partition));
            inputs.push((input, Offset::from_be_bytes(*offset)));
            rest = after;
        }
        rest.is_empty().then_some(Self { sequence: u64::from_be_bytes(*sequence), inputs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn covered() -> impl Strategy<Value = Covered> {
        let input = ("[a-z._-]{1,20}|[é€]{1,3}", any::<i32>(), any::<Offset>());
        let inputs = prop::collection::vec(input, 0..4);
        (any::<u64>(), inputs).prop_map(|(sequence, inputs)| Covered {
            sequence,
            inputs: inputs
                .into_iter()
                .map(|(topic, partition, offset)| (TopicPartition::new(topic, partition), offset))
                .collect(),
        })
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_the_same(covered in covered()) {
            let mut bytes = Vec::new();
            covered.encode(&mut bytes);
            prop_assert_eq!(Covered::decode(&bytes), Some(covered));
        }

        #[test]
        fn whole_bytes_alone_decode_and_no_bytes_make_it_panic(bytes in prop::collection::vec(0u8..3, 0..60)) {
            if let Some(covered) = Covered::decode(&bytes) {
                let mut again = Vec::new();
                covered.encode(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }

        #[test]
        fn a_piece_of_it_is_not_it(covered in covered(), cut in 1usize..40) {
            let mut bytes = Vec::new();
            covered.encode(&mut bytes);
            bytes.truncate(bytes.len().saturating_sub(cut));
            prop_assert_eq!(Covered::decode(&bytes), None);
        }
    }
}
