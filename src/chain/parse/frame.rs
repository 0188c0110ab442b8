//! Frames that the serializers of schema registries put before a value.
//!
//! ```text
//! Confluent    0x00 | schema id [4]                                        | value
//! AWS Glue     0x03 | compression, 0x00 none or 0x05 zlib | schema version [16] | value
//! ```
//!
//! The schemas themselves are never asked for. Serializers of Confluent can also put the schema's id into a header of
//! the record, with its own magic byte 0x01; they leave the value without a frame then.

use super::{Reject, RejectCode};

/// The value behind its frame, or the value as it is.
///
/// No JSON text begins with the byte 0 or 3, so a frame cannot be mistaken for one. What begins like a frame but is
/// none, such as one that is cut off, stays as it is and is refused as no JSON.
///
/// A compressed value is refused and not unpacked: sealers that read it would all have to agree on a decompressor to
/// the byte, and a few bytes could ask for the work of many.
pub(super) fn strip(value: &[u8]) -> Result<&[u8], Reject> {
    const GLUE: u8 = 3;
    const GLUE_PLAIN: u8 = 0;
    const GLUE_ZLIB: u8 = 5;
    match value {
        [0, _, _, _, _, value @ ..] => Ok(value),
        [GLUE, GLUE_PLAIN, framed @ ..] => Ok(framed.split_first_chunk::<16>().map_or(value, |(_, value)| value)),
        [GLUE, GLUE_ZLIB, framed @ ..] if framed.len() >= 16 => {
            let detail = "compressed by a serializer of AWS Glue: set its compression to NONE".to_owned();
            Err(Reject { code: RejectCode::CompressedFrame, detail })
        }
        value => Ok(value),
    }
}
