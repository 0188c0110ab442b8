//! Values behind the frames of schema registries.

use proptest::prelude::*;

use super::{code, json_soup, simple, with};
use crate::chain::parse::{RejectCode, VALUE_SIZE_BYTES_MAX, parse};

/// The frame of Confluent, for schema 300.
pub(super) const CONFLUENT: [u8; 5] = [0, 0, 0, 1, 44];

/// The frame of AWS Glue, for a schema version whose bytes are no text.
pub(super) const GLUE: [u8; 18] =
    [3, 0, 0xb7, 0xb4, 0xa7, 0xf0, 0x9c, 0x96, 0x4e, 0x4a, 0xa6, 0x87, 0xfb, 0x5d, 0xe9, 0xef, 0x0c, 0x63];

#[test]
fn a_frame_is_taken_off_once_and_whole() {
    let json = br#"{"from":"alice","to":"bob","amount":3}"#;
    let framed = |frame: &[u8]| [frame, json].concat();
    assert_eq!(parse(Some(&framed(&[0; 5]))), Ok(simple()));
    assert_eq!(parse(Some(&framed(&[0, 0xff, 0xff, 0xff, 0xff]))), Ok(simple()));
    assert_eq!(parse(Some(&framed(&GLUE))), Ok(simple()));
    for (frame, expected) in [
        (&[][..], None),
        (&[0][..], Some(RejectCode::NotJson)),
        (&[0; 4], Some(RejectCode::NotJson)),
        (&[0; 6], Some(RejectCode::NotJson)),
        (&[3], Some(RejectCode::NotJson)),
        (&[3, 0], Some(RejectCode::NotJson)),
        (&[&GLUE[..], &[0]].concat(), Some(RejectCode::NotJson)),
        // A frame in a frame.
        (&[CONFLUENT, CONFLUENT].concat(), Some(RejectCode::NotJson)),
        (&[&GLUE[..], &CONFLUENT].concat(), Some(RejectCode::NotJson)),
        (&[&CONFLUENT[..], &GLUE].concat(), Some(RejectCode::NotUtf8)),
        // First bytes of no frame: the magic byte that Confluent has in a header, say.
        (&[1; 17], Some(RejectCode::NotJson)),
        (&[2; 18], Some(RejectCode::NotJson)),
        (&[4; 18], Some(RejectCode::NotJson)),
        // Compressions of no frame.
        (&[3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Some(RejectCode::NotJson)),
        (&[3; 18], Some(RejectCode::NotJson)),
        (&[3, 4, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Some(RejectCode::NotUtf8)),
    ] {
        assert_eq!(parse(Some(&framed(frame))).err().map(|reject| reject.code), expected, "{frame:?}");
    }
    assert_eq!(code(CONFLUENT), RejectCode::NotJson, "nothing behind the frame");
    assert_eq!(code(GLUE), RejectCode::NotJson, "nothing behind the frame");
    assert_eq!(code(&CONFLUENT[..4]), RejectCode::NotJson, "cut off: no frame");
    assert_eq!(code(&GLUE[..17]), RejectCode::NotUtf8, "cut off: no frame");
}

#[test]
fn bytes_are_counted_with_the_frame() {
    for frame in [&CONFLUENT[..], &GLUE] {
        let room = VALUE_SIZE_BYTES_MAX - frame.len();
        let json = with(&format!("\"x\":\"{}\"", "x".repeat(room - with("\"x\":\"\"").len())));
        assert_eq!(json.len(), room);
        assert!(parse(Some(&[frame, json.as_bytes()].concat())).is_ok());
        assert_eq!(code([frame, json.as_bytes(), b" "].concat()), RejectCode::TooLarge);
        let detail = parse(Some(&[frame, b"{\"\xff"].concat())).unwrap_err().detail;
        assert_eq!(detail, format!("not UTF-8 at byte {}", frame.len() + 2));
    }
}

#[test]
fn a_compressed_frame_has_its_own_code_whatever_is_in_it() {
    let mut frame = GLUE;
    frame[1] = 5;
    for content in [&b""[..], b"\x78\x9c\xff\xff", br#"{"from":"alice","to":"bob","amount":3}"#] {
        let reject = parse(Some(&[&frame, content].concat())).unwrap_err();
        assert_eq!(reject.code, RejectCode::CompressedFrame);
        assert_eq!(reject.detail, "compressed by a serializer of AWS Glue: set its compression to NONE");
    }
    assert_eq!(code(&frame[..17]), RejectCode::NotUtf8, "cut off: no frame");
    assert_eq!(code([3, 5]), RejectCode::NotJson, "cut off: no frame");
    assert_eq!(
        code([&frame[..], &vec![b' '; VALUE_SIZE_BYTES_MAX]].concat()),
        RejectCode::TooLarge,
        "size comes first"
    );
}

proptest! {
    #[test]
    fn any_bytes_behind_a_frame_have_an_answer(
        first in prop_oneof![Just(0_u8), Just(3), any::<u8>()], second in prop_oneof![Just(0_u8), Just(5), any::<u8>()],
        rest in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let value = [&[first, second][..], &rest].concat();
        let compressed = first == 3 && second == 5 && rest.len() >= 16;
        let reject = parse(Some(&value)).unwrap_err();
        prop_assert_eq!(reject.code == RejectCode::CompressedFrame, compressed, "{}", reject);
    }

    #[test]
    fn a_frame_changes_nothing_about_what_is_behind_it(
        json in json_soup(), ids in prop::array::uniform16(any::<u8>()), id in prop::array::uniform4(any::<u8>()),
    ) {
        prop_assume!(!json.starts_with(['\0', '\u{3}']));
        let bare = parse(Some(json.as_bytes()));
        prop_assert_eq!(&parse(Some(&[&[0][..], &id, json.as_bytes()].concat())), &bare);
        prop_assert_eq!(&parse(Some(&[&[3, 0][..], &ids, json.as_bytes()].concat())), &bare);
    }
}
