//! JSON as `json.dumps(value, sort_keys=True)` of Python's standard library writes it: a comma and a space, a colon and
//! a space, fields in the order of their names, everything but ASCII escaped. A caller that writes fields in that order
//! here gets the bytes that Python hashes.

use std::fmt::Write;

/// Appends a text in quotes.
pub(super) fn text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing to a string does not fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// Appends milliseconds as seconds, the way Python writes a float. Both languages write the shortest digits that read
/// back as the same number; within 2^53 - 1 ms neither uses an exponent.
pub(super) fn seconds(out: &mut String, time_ms: i64) {
    #[expect(clippy::cast_precision_loss, reason = "times lie within 2^53 - 1 ms, which a float holds exactly")]
    let seconds = time_ms as f64 / 1_000.0;
    // Writing to a string does not fail.
    let _ = write!(out, "{seconds:?}");
}

/// Appends the items of a list, in brackets.
pub(super) fn list<T>(out: &mut String, items: impl Iterator<Item = T>, mut item: impl FnMut(&mut String, T)) {
    out.push('[');
    for (place, value) in items.enumerate() {
        if place > 0 {
            out.push_str(", ");
        }
        item(out, value);
    }
    out.push(']');
}
