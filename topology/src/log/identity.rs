//! What tells a topic from another one of the same name.

use std::fmt;

/// The id that a log gives a topic when it makes it. A topic that is deleted and made anew has another, and no id comes
/// again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId([u8; 16]);

impl TopicId {
    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// As Kafka's tools show it: base64 with the letters of URLs, without padding, 22 characters.
impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // 16 bytes are 128 bits: 21 letters of six, and two bits that are the upper ones of the last letter.
        let bits = u128::from_be_bytes(self.0);
        let letter = |six: u128| char::from(LETTERS[(six & 63) as usize]);
        let text: String = (0..21).map(|at| letter(bits >> (122 - 6 * at))).chain([letter(bits << 4)]).collect();
        f.pad(&text)
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicId({self})")
    }
}

/// Which topic it is that has a name now, and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicIdentity {
    /// Its id.
    pub id: TopicId,
    /// How many partitions it has.
    pub partition_count: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_shown_as_kafka_shows_it() {
        // As `kafka-topics.sh --describe` and Java's Uuid print these bytes.
        let bytes: [u8; 16] = std::array::from_fn(|index| index as u8);
        assert_eq!(TopicId::from_bytes(bytes).to_string(), "AAECAwQFBgcICQoLDA0ODw");
        assert_eq!(TopicId::from_bytes([0xff; 16]).to_string(), "_____________________w");
        assert_eq!(TopicId::from_bytes([0; 16]).to_string(), "A".repeat(22));
    }
}
