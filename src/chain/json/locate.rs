//! Which field of a JSON text an error is about: the text is read again, up to where the error was noticed.

use crate::chain::Error;

/// The error, with the path of the field it is about.
#[cold]
pub(super) fn error(json: &[u8], error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let detail = text.split(" at line ").next().unwrap_or_default().to_owned();
    Error::Json { field: path(json, offset(json, error.line(), error.column())), detail }
}

/// The offset of a line (from 1) and a column (in bytes).
fn offset(json: &[u8], line: usize, column: usize) -> usize {
    let before: usize = json.split(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(|line| line.len() + 1).sum();
    (before + column).min(json.len())
}

/// One level of the way down to a field.
enum Step {
    Field(String),
    Place(usize),
}

/// The path of the value that ends at, or contains, `end`. Forgiving: the text need not be JSON.
fn path(json: &[u8], end: usize) -> String {
    let mut steps: Vec<Step> = Vec::new();
    let mut position = 0;
    // The bracket that closes exactly at the end still belongs to the value the error is about.
    let end = if end > 0 && matches!(json.get(end - 1), Some(b'}' | b']' | b',')) { end - 1 } else { end };
    while position < end {
        match json[position] {
            b'{' => steps.push(Step::Field(String::new())),
            b'[' => steps.push(Step::Place(0)),
            b'}' | b']' => drop(steps.pop()),
            b',' => {
                if let Some(Step::Place(place)) = steps.last_mut() {
                    *place += 1;
                }
            }
            b'"' => {
                let start = position + 1;
                position = string_end(json, start);
                let is_name = json[position.min(json.len())..].iter().skip(1).find(|byte| !byte.is_ascii_whitespace())
                    == Some(&b':');
                if let (true, Some(Step::Field(name))) = (is_name, steps.last_mut()) {
                    *name = String::from_utf8_lossy(&json[start..position.min(json.len())]).into_owned();
                }
            }
            _ => {}
        }
        position += 1;
    }
    let names = steps.iter().map(|step| match step {
        Step::Field(name) => name.clone(),
        Step::Place(place) => place.to_string(),
    });
    names.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(".")
}

/// Where the quote stands that ends a string.
fn string_end(json: &[u8], mut position: usize) -> usize {
    while let Some(byte) = json.get(position) {
        match byte {
            b'"' => break,
            b'\\' => position += 2,
            _ => position += 1,
        }
    }
    position
}
