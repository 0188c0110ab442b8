//! Which field of a JSON text an error is about: the text is read again, up to where the error was noticed.

use crate::chain::Error;

/// The error, with the path of the field it is about.
#[cold]
pub(super) fn error(json: &[u8], error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let detail = text.split(" at line ").next().unwrap_or_default().to_owned();
    let mut steps = steps(json, offset(json, error.line(), error.column()));
    // A field that is missing is noticed at the end of its object, after another field.
    let missing = detail.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    if let (Some(missing), Some(Step::Field(name))) = (missing, steps.last_mut()) {
        missing.clone_into(name);
    }
    let names = steps.iter().map(|step| match step {
        Step::Field(name) => name.clone(),
        Step::Place(place) => place.to_string(),
    });
    let field = names.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(".");
    Error::Json { field, detail }
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

/// The way down to the value that ends at, or contains, `end`. Forgiving: the text need not be JSON.
fn steps(json: &[u8], end: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut position = 0;
    // The bracket that closes right at the end, or before a comma there, still belongs to the value the error is about.
    let before = |end: usize, bytes: &[u8]| {
        let last = end.checked_sub(1).and_then(|last| json.get(last));
        if last.is_some_and(|byte| bytes.contains(byte)) { end - 1 } else { end }
    };
    let end = before(before(end, b","), b"}]");
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
    steps
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
