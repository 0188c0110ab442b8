//! The characters that names and ids are made of.
//!
//! What a name may hold is part of the rules of version 1, so it is decided by one version of Unicode, however old that
//! becomes: a character that a later version assigns stays forbidden. Hence the tables come from crates whose versions
//! `Cargo.toml` fixes, the compiler refuses tables of another Unicode version, and a test holds the verdict about every
//! code point against a digest.
//!
//! Rules of a later version that want a later Unicode can have it beside this one. Unicode promises that a text of
//! characters which a version assigned normalizes the same in all later versions, and unassigned characters are
//! forbidden. So only [`forbidden`] has to be kept as it is, by a list of the characters that changed their category,
//! and the digest of its test shows that it was.

use std::fmt;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::TextError;

/// The version of Unicode that decides about names and ids: major, minor, update.
pub const UNICODE_VERSION: (u8, u8, u8) = (18, 0, 0);

const _: () = assert!(matches!(unicode_normalization::UNICODE_VERSION, UNICODE_VERSION));
const _: () = assert!(matches!(unicode_properties::UNICODE_VERSION, (18, 0, 0)));

/// Why a character may not stand in a name or an id. Two texts that differ in such characters would look the same, or
/// a text would look like another, or it would not be known how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// The category Cf: shows nothing, or changes how others are shown. All that control the direction of text are
    /// here.
    Format,
    /// The category Zl or Zp: U+2028, U+2029.
    Separator,
    /// The category Co: means what a sender and a reader agreed upon.
    PrivateUse,
    /// The category Cn: not a character, or not one yet.
    Unassigned,
    /// Default_Ignorable_Code_Point, but of none of the categories above: shows nothing of its own, such as U+FE0F.
    Ignorable,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => f.write_str("a format character"),
            Self::Separator => f.write_str("a line or paragraph separator"),
            Self::PrivateUse => f.write_str("a character for private use"),
            Self::Unassigned => {
                let (major, minor, _) = UNICODE_VERSION;
                write!(f, "not a character of Unicode {major}.{minor}")
            }
            Self::Ignorable => f.write_str("an invisible character"),
        }
    }
}

/// Whether a text may be a name or an id as far as its characters go: none is a control character, none is forbidden,
/// and the text is in normalization form C. The first fault from the left is told, normalization last.
///
/// A text may begin with a combining mark: it is refused only where normalization would change it.
pub(super) fn check(text: &str) -> Result<(), TextError> {
    // Printable ASCII is allowed and normalized: nothing to look up. All bytes are looked at, because a loop that may
    // end early takes them one by one.
    let is_printable_ascii = text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'));
    if is_printable_ascii { Ok(()) } else { check_each(text) }
}

fn check_each(text: &str) -> Result<(), TextError> {
    for (position_bytes, character) in text.char_indices() {
        if matches!(character, ' '..='~') {
            continue;
        }
        if character.is_control() {
            return Err(TextError::ControlCharacter { character, position_bytes });
        }
        if let Some(reason) = forbidden(character) {
            return Err(TextError::ForbiddenCharacter { character, position_bytes, reason });
        }
    }
    check_normalized(text)
}

/// Why a character that is no control character may not stand in a name or an id.
fn forbidden(character: char) -> Option<Forbidden> {
    match character.general_category() {
        GeneralCategory::Format => Some(Forbidden::Format),
        GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => Some(Forbidden::Separator),
        GeneralCategory::PrivateUse => Some(Forbidden::PrivateUse),
        // A `char` is never a surrogate; the category is named for readers who compare this with the rules.
        GeneralCategory::Unassigned | GeneralCategory::Surrogate => Some(Forbidden::Unassigned),
        _ => is_ignorable(character).then_some(Forbidden::Ignorable),
    }
}

/// Whether a character has Default_Ignorable_Code_Point though its category alone would allow it. These are all in
/// Unicode 18.0; the others that have it are of the categories Cf and Cn, like those with Bidi_Control.
fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\u{34f}' // combining grapheme joiner
        | '\u{115f}'..='\u{1160}' // Hangul fillers
        | '\u{17b4}'..='\u{17b5}' // Khmer inherent vowels
        | '\u{180b}'..='\u{180d}' | '\u{180f}' // Mongolian free variation selectors
        | '\u{3164}' | '\u{ffa0}' // Hangul fillers of older standards
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' // variation selectors
    )
}

fn check_normalized(text: &str) -> Result<(), TextError> {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Ok(());
    }
    // Both decompose to the same characters, so neither is the beginning of the other: if they differ, they do here.
    let mut pairs = text.char_indices().zip(text.nfc());
    match pairs.find(|((_, found), expected)| found != expected) {
        None => Ok(()),
        Some(((position_bytes, found), expected)) => Err(TextError::NotNormalized { found, expected, position_bytes }),
    }
}
