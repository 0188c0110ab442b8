//! What all key files are made of: lines of a word and hexadecimal digits, between blank ones and comments.

use zeroize::Zeroizing;

use crate::chain::hex_array;

/// The lines of a key file that say something, with the number of the last one read.
pub(crate) struct Lines<'t> {
    lines: std::str::Lines<'t>,
    number: usize,
}

impl<'t> Lines<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        Self { lines: text.lines(), number: 0 }
    }

    /// The number of the last line read, from 1.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The next line that is neither blank nor a comment, without the space around it.
    pub(crate) fn next(&mut self) -> Option<&'t str> {
        loop {
            self.number += 1;
            let line = self.lines.next()?.trim();
            if !line.is_empty() && !line.starts_with('#') {
                return Some(line);
            }
        }
    }

    /// The bytes of the next line, which must be `field`, a space and their digits. Wiped when dropped: they may be a
    /// secret.
    pub(crate) fn hex<const N: usize>(&mut self, field: &str) -> Option<Zeroizing<[u8; N]>> {
        let digits = self.next()?.strip_prefix(field)?.strip_prefix(' ')?;
        let mut bytes = Zeroizing::new([0; N]);
        hex::decode_to_slice(digits, bytes.as_mut()).ok()?;
        Some(bytes)
    }
}

/// Adds such a line, with its line break. `text` must have room for it: a buffer that grew would leave copies of
/// secrets behind.
pub(crate) fn push_hex(text: &mut String, field: &str, bytes: &[u8]) {
    text.push_str(field);
    text.push(' ');
    text.extend(bytes.iter().flat_map(|byte| hex_array::digits(*byte)).map(char::from));
    text.push('\n');
}
