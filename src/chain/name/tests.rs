//! Which texts are names and ids: by example, for every code point, and by law.

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::*;
use crate::chain::{Block, Entry, Genesis, Hash, Operation, Rendering, from_canonical, tests, to_canonical};

/// The verdict about a text, which must be the same for a name and an id.
fn verdict(text: &str) -> Result<(), TextError> {
    let name = Name::new(text).map(|name| assert_eq!(name.as_str(), text, "a name is its text"));
    assert_eq!(Id::new(text).map(|id| assert_eq!(id.as_str(), text)), name, "{text:?}");
    name
}

fn forbidden(text: &str) -> (char, usize, Forbidden) {
    match verdict(text) {
        Err(TextError::ForbiddenCharacter { character, position_bytes, reason }) => (character, position_bytes, reason),
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn names_of_many_scripts_are_taken() {
    for text in [
        "alice",
        "a b",
        " ",
        "~!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}",
        "$validator-1",
        "zo\u{e9}",
        "Ωμέγα",
        "Жанна",
        "شركة",
        "नमस्ते",
        "ภาษาไทย",
        "한글",
        "漢字",
        "a\u{a0}b\u{3000}c", // spaces of other widths are spaces
        "100 €",
        "🚀",
        "👍🏽",        // a thumb and a skin tone
        "🇫🇷",        // two regional indicators
        "1\u{20e3}", // an enclosing mark
        "q\u{307}\u{323}x".nfc().collect::<String>().as_str(),
        "\u{fffd}",
    ] {
        assert_eq!(verdict(text), Ok(()), "{text:?}");
    }
}

#[test]
fn a_name_may_begin_with_a_combining_mark() {
    assert_eq!(verdict("\u{301}"), Ok(()));
    assert_eq!(verdict("\u{301}e"), Ok(()));
    // Behind a letter that it does not combine with, too.
    assert_eq!(verdict("x\u{301}"), Ok(()));
}

#[test]
fn characters_that_cannot_be_seen_or_mean_nothing_are_forbidden() {
    for (character, reason) in [
        ('\u{ad}', Forbidden::Format),    // soft hyphen
        ('\u{61c}', Forbidden::Format),   // Arabic letter mark
        ('\u{200b}', Forbidden::Format),  // zero width space
        ('\u{200c}', Forbidden::Format),  // zero width non-joiner
        ('\u{200d}', Forbidden::Format),  // zero width joiner
        ('\u{200e}', Forbidden::Format),  // left-to-right mark
        ('\u{202a}', Forbidden::Format),  // left-to-right embedding
        ('\u{202e}', Forbidden::Format),  // right-to-left override
        ('\u{2060}', Forbidden::Format),  // word joiner
        ('\u{2066}', Forbidden::Format),  // left-to-right isolate
        ('\u{2069}', Forbidden::Format),  // pop directional isolate
        ('\u{feff}', Forbidden::Format),  // byte order mark
        ('\u{fff9}', Forbidden::Format),  // interlinear annotation anchor
        ('\u{e0041}', Forbidden::Format), // tag latin capital letter a
        ('\u{2028}', Forbidden::Separator),
        ('\u{2029}', Forbidden::Separator),
        ('\u{e000}', Forbidden::PrivateUse),
        ('\u{f8ff}', Forbidden::PrivateUse),
        ('\u{10fffd}', Forbidden::PrivateUse),
        ('\u{378}', Forbidden::Unassigned),
        ('\u{2065}', Forbidden::Unassigned), // reserved among the format characters
        ('\u{fdd0}', Forbidden::Unassigned), // never a character
        ('\u{ffff}', Forbidden::Unassigned),
        ('\u{e0fff}', Forbidden::Unassigned),
        ('\u{10ffff}', Forbidden::Unassigned),
        ('\u{34f}', Forbidden::Ignorable),   // combining grapheme joiner
        ('\u{1160}', Forbidden::Ignorable),  // Hangul jungseong filler
        ('\u{180b}', Forbidden::Ignorable),  // Mongolian free variation selector one
        ('\u{3164}', Forbidden::Ignorable),  // Hangul filler
        ('\u{ffa0}', Forbidden::Ignorable),  // halfwidth Hangul filler
        ('\u{fe00}', Forbidden::Ignorable),  // variation selector 1
        ('\u{fe0f}', Forbidden::Ignorable),  // variation selector 16
        ('\u{e0100}', Forbidden::Ignorable), // variation selector 17
        ('\u{e01ef}', Forbidden::Ignorable),
    ] {
        assert_eq!(forbidden(&character.to_string()), (character, 0, reason), "U+{:X}", u32::from(character));
        assert_eq!(forbidden(&format!("zoë{character}{character}")), (character, 4, reason));
    }
    // An emoji is one character or several, and only those that are held together by nothing invisible are names.
    assert_eq!(forbidden("👩\u{200d}🚀"), ('\u{200d}', 4, Forbidden::Format));
    assert_eq!(forbidden("❤\u{fe0f}"), ('\u{fe0f}', 3, Forbidden::Ignorable));
}

#[test]
fn control_characters_are_refused_with_their_place() {
    for (text, character, position_bytes) in [
        ("\0", '\0', 0),
        ("a\nb", '\n', 1),
        ("abc\u{7f}", '\u{7f}', 3),
        ("é\u{80}", '\u{80}', 2),
        ("é\u{9f}é", '\u{9f}', 2),
    ] {
        assert_eq!(verdict(text), Err(TextError::ControlCharacter { character, position_bytes }), "{text:?}");
    }
}

#[test]
fn only_form_c_is_taken() {
    for (text, found, expected, position_bytes) in [
        ("zoe\u{301}", 'e', '\u{e9}', 2),
        ("\u{212b}", '\u{212b}', '\u{c5}', 0),   // the unit ångström is the letter
        ("a\u{2126}", '\u{2126}', '\u{3a9}', 1), // the unit ohm is the letter
        ("é\u{1112}\u{1161}\u{11ab}", '\u{1112}', '한', 2), // the letters of a Hangul syllable
        ("\u{d558}\u{11ab}", '\u{d558}', '한', 0), // a syllable and its last letter
        ("q\u{307}\u{323}", '\u{307}', '\u{323}', 1), // marks below come before marks above
        ("\u{958}", '\u{958}', '\u{915}', 0),    // composed, but form C takes it apart
        ("\u{344}", '\u{344}', '\u{308}', 0),
        ("漢\u{fa47}", '\u{fa47}', '漢', 3), // a compatibility ideograph
        ("\u{1d15e}", '\u{1d15e}', '\u{1d157}', 0),
    ] {
        let refused = TextError::NotNormalized { found, expected, position_bytes };
        assert_eq!(verdict(text), Err(refused), "{text:?}");
        assert_eq!(verdict(&text.nfc().collect::<String>()), Ok(()), "{text:?} in form C");
    }
    // Compatibility characters are in form C: they are other characters, not other spellings.
    for text in ["ﬁ", "Ａ", "²", "①"] {
        assert_eq!(verdict(text), Ok(()), "{text:?}");
    }
}

#[test]
fn a_text_with_several_faults_has_the_first_of_them() {
    let too_long = |size_bytes| Err(TextError::TooLong { size_bytes, size_bytes_max: 128 });
    assert_eq!(verdict(""), Err(TextError::Empty));
    for (character, count) in [('x', 128), ('é', 64), ('漢', 42), ('🚀', 32)] {
        let longest = character.to_string().repeat(count);
        assert!(longest.len() > 125);
        assert_eq!(verdict(&longest), Ok(()));
        let longer = longest + &"x".repeat(129);
        assert_eq!(verdict(&longer[..longer.floor_char_boundary(129)]), too_long(129), "{character}");
    }
    assert_eq!(verdict(&"\u{200d}".repeat(43)), too_long(129));
    assert_eq!(verdict(&"e\u{301}".repeat(43)), too_long(129), "although form C is shorter");
    assert_eq!(forbidden("e\u{301}\u{200d}\n").1, 3, "forbidden and control characters by their place");
    assert!(matches!(verdict("e\u{301}\n\u{200d}"), Err(TextError::ControlCharacter { position_bytes: 3, .. })));
    let name = |text: &str| Name::new(text).unwrap_err();
    assert_eq!(name("ed25519:ab"), TextError::BadKey);
    assert!(matches!(name("ed25519:\u{200d}"), TextError::ForbiddenCharacter { .. }));
    assert!(matches!(name("ed25519:e\u{301}"), TextError::NotNormalized { .. }));
    assert_eq!(name(&format!("ed25519:{}", "AB".repeat(32))), TextError::BadKey);
    assert_eq!(name(&format!("ed25519:{}é", "ab".repeat(31))), TextError::BadKey);
}

#[test]
fn errors_name_the_character_its_place_and_what_to_do() {
    for (text, message) in [
        ("a\nb", "it contains the control character U+000A at byte 1: remove it"),
        ("zoë\u{200d}", "it contains U+200D at byte 4, a format character: remove it"),
        ("\u{2028}", "it contains U+2028 at byte 0, a line or paragraph separator: remove it"),
        ("\u{f0000}", "it contains U+F0000 at byte 0, a character for private use: remove it"),
        ("x\u{378}", "it contains U+0378 at byte 1, not a character of Unicode 18.0: remove it"),
        ("❤\u{fe0f}", "it contains U+FE0F at byte 3, an invisible character: remove it"),
        (
            "zoe\u{301}",
            "it is not in Unicode normalization form C, which has U+00E9 at byte 2 where this has U+0065: normalize \
             it to NFC",
        ),
    ] {
        assert_eq!(verdict(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn the_tables_are_those_of_unicode_18() {
    for (character, version) in [
        ('\u{20c0}', 14),
        ('\u{1fae8}', 15),
        ('\u{2ffc}', 15),
        ('\u{1c89}', 16),
        ('\u{20c1}', 17),
        ('\u{1fac8}', 17),
        ('\u{20c2}', 18),
        ('\u{20c3}', 18),
        ('\u{58b}', 18),
        ('\u{a7dd}', 18),
    ] {
        assert_eq!(verdict(&character.to_string()), Ok(()), "U+{:X} of {version}", u32::from(character));
    }
    for character in ['\u{20c5}', '\u{378}', '\u{10fff}', '\u{3fffd}'] {
        assert_eq!(forbidden(&character.to_string()).2, Forbidden::Unassigned, "U+{:X}", u32::from(character));
    }
}

/// One byte per code point in ascending order, for the text that is this character alone: 0 a name, 1 a control
/// character, 2 forbidden, 3 not normalized. `docs/encoding.md` gives the digest, which another implementation of
/// Unicode 18.0 can compute.
#[test]
fn the_verdict_about_every_character_is_the_one_for_ever() {
    let verdicts: Vec<u8> = (0..=0x10_ffff)
        .map(|code_point| match char::from_u32(code_point).map(|character| verdict(&character.to_string())) {
            Some(Ok(())) => 0,
            Some(Err(TextError::ControlCharacter { .. })) => 1,
            None | Some(Err(TextError::ForbiddenCharacter { .. })) => 2,
            Some(Err(TextError::NotNormalized { .. })) => 3,
            Some(Err(other)) => panic!("U+{code_point:X}: {other}"),
        })
        .collect();
    let count = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count();
    assert_eq!([count(0), count(1), count(2), count(3)], [171_249, 65, 941_678, 1_120]);
    let expected = "a35499b3e89465671bf6b4e48aeeacaacba6608d805674b59d958bff95d9016f";
    assert_eq!(Hash::of(&verdicts).to_string(), expected);
}

/// Form C of any text follows from these: the combining class of each character, and what it decomposes to and composes
/// to alone.
#[test]
fn normalization_of_every_allowed_character_is_the_one_for_ever() {
    let mut bytes = Vec::new();
    for character in (0..=0x10_ffff).filter_map(char::from_u32) {
        if !matches!(verdict(&character.to_string()), Ok(()) | Err(TextError::NotNormalized { .. })) {
            continue;
        }
        let composed: String = character.nfc().collect();
        assert_eq!(verdict(&composed), Ok(()), "form C of U+{:X} is a name", u32::from(character));
        bytes.extend(u32::from(character).to_le_bytes());
        bytes.push(canonical_combining_class(character));
        bytes.extend(to_canonical(&character.nfd().collect::<String>()));
        bytes.extend(to_canonical(&composed));
    }
    let expected = "82b2d918b33e430ba749e3eecea94923432be06831a2bacd74f38bc10a4fcf59";
    assert_eq!(Hash::of(&bytes).to_string(), expected);
}

/// Every way to spell `bob`, `b-1` and the other texts of a block that is refused stays refused in a block.
#[test]
fn a_block_is_read_through_the_same_check() {
    let block = tests::block();
    let line = block.to_json();
    for (bad, why) in [("e\u{301}", "normalization form C"), ("\u{200d}", "U+200D"), ("\n\n\n", "control character")] {
        for good in ["bob", "b-1", "$va"] {
            assert_eq!(bad.len(), good.len());
            // In JSON, written as it is rendered and with escapes that no rendering has.
            let error =
                |written: &str| Block::from_json(line.replace(good, written).as_bytes()).unwrap_err().to_string();
            let rendered = error(&bad.replace('\n', "\\n"));
            assert!(rendered.contains("`: it ") && rendered.contains(why), "{good}: {rendered}");
            let escaped: String = bad.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            assert!(error(&escaped).contains("not the one rendering"), "{escaped}");
            // In canonical bytes.
            let replaced = |bytes: Vec<u8>| {
                let at = bytes.windows(good.len()).position(|window| window == good.as_bytes());
                at.map(|at| [&bytes[..at], bad.as_bytes(), &bytes[at + bad.len()..]].concat())
            };
            let entries = block.entries.iter().filter_map(|entry| replaced(to_canonical(entry)));
            let operations = block.operations.iter().filter_map(|operation| replaced(to_canonical(operation)));
            let errors: Vec<String> = entries
                .map(|bytes| from_canonical::<Entry>(&bytes).unwrap_err().to_string())
                .chain(operations.map(|bytes| from_canonical::<Operation>(&bytes).unwrap_err().to_string()))
                .collect();
            assert!(!errors.is_empty(), "{good}");
            assert!(errors.iter().all(|error| error.contains(why)), "{errors:?}");
        }
    }
    assert!(
        Block::from_json(line.replace("\"rent\"", "\"e\u{301}\u{feff}\"").as_bytes()).is_ok(),
        "a memo may be any text"
    );
}

#[test]
fn a_genesis_is_read_through_the_same_check() {
    let genesis = tests::genesis();
    for (bad, why) in [("zoe\u{301}a", "normalization form C"), ("\u{200d}ab", "U+200D")] {
        let json = serde_json::to_string(&genesis).unwrap();
        assert!(serde_json::from_str::<Genesis>(&json).is_ok());
        let error = serde_json::from_str::<Genesis>(&json.replace("carol", bad)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        let error = Genesis::from_toml(&genesis.to_toml().replace("carol", bad)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

/// Texts that are likely to be names, and likely to break one rule: letters with marks of several classes, Hangul in
/// both spellings, what composes in no form, and characters at random.
fn text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "a",
        "e",
        "\u{e9}",
        "\u{1e69}",
        "s",
        "\u{301}",
        "\u{307}",
        "\u{323}",
        "\u{327}",
        "\u{345}",
        "\u{212b}",
        "\u{1100}",
        "\u{1161}",
        "\u{11a8}",
        "가",
        "각",
        "\u{958}",
        "\u{fb1d}",
        "\u{1d15e}",
        "漢",
        "👩",
        "\u{200d}",
        "\u{fe0f}",
        "\u{378}",
        "\n",
        "$",
        "ed25519:",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(pieces).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn of_all_spellings_of_a_text_only_form_c_is_a_name(text in text()) {
        let composed: String = text.nfc().collect();
        let decomposed: String = text.nfd().collect();
        let sound = Name::new(&composed).is_ok();
        for spelling in [&text, &composed, &decomposed] {
            prop_assert_eq!(Name::new(spelling).is_ok(), sound && *spelling == composed, "{:?}", spelling);
        }
        if let Err(TextError::NotNormalized { .. }) = Name::new(&text) {
            prop_assert!(sound || composed.starts_with(Name::KEYED_PREFIX) || composed.len() > Name::SIZE_BYTES_MAX);
        }
    }

    #[test]
    fn an_error_points_at_the_first_character_that_is_wrong(text in text()) {
        match Id::new(&text) {
            Err(
                TextError::ControlCharacter { character, position_bytes }
                | TextError::ForbiddenCharacter { character, position_bytes, .. },
            ) => {
                prop_assert!(text[position_bytes..].starts_with(character));
                let before: String = text[..position_bytes].nfc().collect();
                prop_assert!(before.is_empty() || Id::new(&before).is_ok());
            }
            Err(TextError::NotNormalized { found, expected, position_bytes }) => {
                prop_assert!(text[position_bytes..].starts_with(found));
                let composed: String = text.nfc().collect();
                prop_assert_eq!(&composed[..position_bytes], &text[..position_bytes]);
                prop_assert!(composed[position_bytes..].starts_with(expected) && found != expected);
            }
            Err(TextError::Empty) => prop_assert!(text.is_empty()),
            Err(TextError::TooLong { size_bytes, .. }) => prop_assert_eq!(size_bytes, text.len()),
            Err(TextError::BadKey) => prop_assert!(false, "an id has no key"),
            Ok(id) => prop_assert_eq!(id.as_str(), text),
        }
    }

    #[test]
    fn every_way_to_decode_a_text_gives_the_verdict_of_new(text in prop_oneof![text(), any::<String>()]) {
        let (name, id) = (Name::new(&text), Id::new(&text));
        let (canonical, json) = (to_canonical(&text), serde_json::to_string(&text).unwrap());
        prop_assert_eq!(from_canonical::<Name>(&canonical).ok(), name.clone().ok());
        prop_assert_eq!(serde_json::from_str::<Name>(&json).ok(), name.clone().ok());
        prop_assert_eq!(text.parse::<Name>(), name);
        prop_assert_eq!(from_canonical::<Id>(&canonical).ok(), id.clone().ok());
        prop_assert_eq!(serde_json::from_str::<Id>(&json).ok(), id.clone().ok());
        prop_assert_eq!(text.parse::<Id>(), id);
    }

    #[test]
    fn any_printable_ascii_is_an_id(text in "[ -~]{1,128}") {
        prop_assert_eq!(Id::new(&text).map(|id| id.as_str().to_owned()), Ok(text));
    }
}
