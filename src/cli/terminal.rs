//! Texts of strangers as a terminal may be given them: a memo, a name of a foreign block, a line of a file.
//!
//! Characters that control a terminal, turn the direction of text around or cannot be seen are shown as `\u{..}`.
//! Machines get texts as they are: in JSON.

use std::borrow::Cow;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Text of this program that may quote others, in one line: line breaks of what is quoted become spaces.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    shown(text.trim(), |character| match character {
        '\n' | '\r' | '\t' => Some(' '),
        _ => None,
    })
}

/// What is to stand in a cell or between quotes: nothing of it is this program's own.
pub(crate) fn quoted(text: &str) -> Cow<'_, str> {
    shown(text, |_| None)
}

/// Lines of this program that may quote others, with the colours that it gave them.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let colour = colour(rest);
        let own = if colour > 0 { colour } else { character.len_utf8() };
        let (piece, behind) = rest.split_at(own);
        if colour > 0 || matches!(character, '\n' | '\t') {
            safe.push_str(piece)
        } else {
            add(character, &mut safe)
        }
        rest = behind;
    }
    Cow::Owned(safe)
}

/// How long the sequence is that sets a colour, if the text begins with one: `ESC [ 31 m`. It moves nothing and hides
/// nothing.
fn colour(text: &str) -> usize {
    let Some(numbers) = text.strip_prefix("\u{1b}[") else { return 0 };
    let length = numbers.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if numbers.as_bytes().get(length) == Some(&b'm') { length + 3 } else { 0 }
}

fn shown(text: &str, own: impl Fn(char) -> Option<char>) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match own(character) {
            Some(other) => safe.push(other),
            None => add(character, &mut safe),
        }
    }
    Cow::Owned(safe)
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~'))
}

fn add(character: char, safe: &mut String) {
    if steers(character) { safe.extend(character.escape_unicode()) } else { safe.push(character) }
}

/// Whether a character does something to the text around it, or to the terminal, in place of being seen.
fn steers(character: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Unassigned};
    !character.is_ascii_graphic()
        && matches!(
            character.general_category(),
            Control | Format | LineSeparator | ParagraphSeparator | PrivateUse | Unassigned
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_shown_and_does_not() {
        for (text, safe) in [
            ("alice", "alice"),
            ("Jürgen 愛", "Jürgen 愛"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("\u{9b}2J", "\\u{9b}2J"),
        ] {
            assert_eq!([line(text), quoted(text), lines(text)], [safe; 3]);
        }
        assert_eq!(quoted("a\u{1b}[2J\n\t"), "a\\u{1b}[2J\\u{a}\\u{9}");
    }

    #[test]
    fn an_error_is_one_line_whatever_it_quotes() {
        assert_eq!(line("bad\n value \u{1b}[2J\r\n"), "bad  value \\u{1b}[2J");
    }

    #[test]
    fn lines_keep_their_breaks_and_colours_and_nothing_else_that_begins_with_escape() {
        let text = "\u{1b}[31mbroken\u{1b}[0m\n\tat \u{1b}[1;2mx";
        assert_eq!(lines(text), text);
        assert_eq!(lines("\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}[31"), "\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{1b}[31");
        assert_eq!(lines("a\rb\u{202e}"), "a\\u{d}b\\u{202e}");
    }
}
