//! What the first bytes of an input say of all of it: files come from spreadsheets, from Windows, and packed.

use super::super::error::{Error, Result};

/// Byte order mark of UTF-8. Programs on Windows write it at the head of a file; it says nothing, and is no part of a line.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Inputs that hold no line of JSON, by what they begin with, and how lines of JSON are made of them.
const OTHERS: [(&[u8], &str); 8] = [
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
    (b"\0{", UTF_16),
    (b"{\0", UTF_16),
    (b"\x1f\x8b", "is packed with gzip: unpack it, for example with gzip -dc FILE | cairn submit"),
    (b"\x28\xb5\x2f\xfd", "is packed with zstd: unpack it, for example with zstd -dc FILE | cairn submit"),
    (b"PK\x03\x04", "is a zip archive, as spreadsheets are: unpack it, or export lines of JSON"),
    (b"BZh", "is packed with bzip2: unpack it, for example with bzip2 -dc FILE | cairn submit"),
];

const UTF_16: &str = "is UTF-16: write it as UTF-8, for example with iconv -f UTF-16 -t UTF-8 FILE | cairn submit";

/// How many bytes to pass over at the beginning of an input, of which the first line, at least, is in `bytes`. Refuses what holds
/// no lines of JSON.
pub(super) fn pass_over(bytes: &[u8]) -> Result<usize> {
    if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Error::usage(format!("the input {what}")));
    }
    if !bytes.contains(&b'\n') && bytes.windows(2).any(|pair| pair == b"\r{") {
        return Err(Error::usage(
            "the lines of the input end in carriage returns alone: make line feeds of them, for example with \
             tr '\\r' '\\n' < FILE | cairn submit",
        ));
    }
    Ok(if bytes.starts_with(MARK) { MARK.len() } else { 0 })
}

/// What to do where a line is no transaction because the input is a list of them.
pub(super) fn hint(line: &[u8]) -> &'static str {
    if line.trim_ascii_start().starts_with(b"[") {
        "; a list is not read: write one transaction per line, for example with jq -c '.[]' FILE | cairn submit"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_passed_over_and_what_holds_no_lines_of_json_is_named() {
        for (bytes, skipped) in [(&b""[..], 0), (b"{", 0), (b"\xef\xbb\xbf{\r\n", 3), (b"\xef\xbb", 0), (b"a\r", 0)] {
            assert_eq!(pass_over(bytes).unwrap(), skipped);
        }
        let refused: [(&[u8], &str); 6] = [
            (b"\xff\xfe{\0\n\0", "UTF-16"),
            (b"{\0\"\0", "UTF-16"),
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"\x28\xb5\x2f\xfd\0", "zstd"),
            (b"PK\x03\x04\x14", "spreadsheets"),
            (b"{}\r{}\r", "carriage returns"),
        ];
        for (bytes, what) in refused {
            let error = pass_over(bytes).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("cairn submit") | error.contains("export"), "{error}");
        }
    }
}
