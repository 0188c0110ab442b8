//! What a committed offset carries beside it: stream time, so that it survives a restart.
//!
//! ```text
//! "1"                  format 1, no stream time yet
//! "1" ":" DECIMAL      format 1, stream time in ms since 1970
//! ""                   committed by somebody else (a reset tool, say): no stream time
//! ```

/// Metadata of a committed offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Stream time as of the offset, ms since 1970.
    pub stream_time_ms: Option<i64>,
}

/// Metadata that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the committed offset carries metadata '{0}', which this version cannot read: it was written by another version or program"
)]
pub struct MetadataError(String);

impl Metadata {
    /// As text for the log.
    pub fn encode(&self) -> String {
        match self.stream_time_ms {
            Some(time) => format!("1:{time}"),
            None => "1".to_owned(),
        }
    }

    /// From the log's text.
    pub fn decode(text: &str) -> Result<Self, MetadataError> {
        if text.is_empty() || text == "1" {
            return Ok(Self::default());
        }
        let time = text.strip_prefix("1:").and_then(|time| time.parse().ok());
        time.map(|time| Self { stream_time_ms: Some(time) }).ok_or_else(|| MetadataError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_the_same(stream_time_ms: Option<i64>) {
            let metadata = Metadata { stream_time_ms };
            prop_assert_eq!(Metadata::decode(&metadata.encode()), Ok(metadata));
        }

        #[test]
        fn no_text_makes_decoding_panic(text: String) {
            let _ = Metadata::decode(&text);
        }
    }

    #[test]
    fn another_format_is_refused() {
        assert!(Metadata::decode("2:17").is_err());
        assert!(Metadata::decode("1:soon").is_err());
    }
}
