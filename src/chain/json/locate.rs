//! Which field of a JSON text an error is about: the text is read again, up to where the error was noticed.

use super::scalars::Difference;
use crate::chain::Error;

/// The error, with the path of the field it is about.
#[cold]
pub(super) fn error(json: &[u8], error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let detail = shown(text.split(" at line ").next().unwrap_or_default());
    // The bracket that closes right there, or before a comma there, still belongs to the value that the error is about.
    let before = |end: usize, bytes: &[u8]| {
        let last = end.checked_sub(1).and_then(|last| json.get(last));
        if last.is_some_and(|byte| bytes.contains(byte)) { end - 1 } else { end }
    };
    let end = before(before(offset(json, error.line(), error.column()), b","), b"}]");
    let mut steps = steps(json, end);
    // A field that is missing is noticed at the end of its object, after another field.
    let missing = detail.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    if let (Some(missing), Some(Step::Field(name))) = (missing, steps.last_mut()) {
        missing.clone_into(name);
    }
    Error::Json { field: path(&steps), detail }
}

/// The error for a line that is JSON of a block, but not the one rendering of it.
#[cold]
pub(super) fn difference(json: &[u8], difference: &Difference) -> Error {
    let show = |bytes: &[u8]| match bytes.get(..SHOWN_SIZE_BYTES).unwrap_or(bytes) {
        [] => "nothing".to_owned(),
        bytes => format!("`{}`", bytes.escape_ascii()),
    };
    let found = json.get(difference.at..).unwrap_or_default();
    // What differs at a comma is what comes behind it.
    let shown = if found.first() == Some(&b',') { 2 } else { 1 };
    let end = difference.at.saturating_add(shown).min(json.len());
    let detail = format!(
        "not the one rendering of the block: from byte {} on it has {}, the rendering {}",
        difference.at,
        show(found),
        show(&difference.expected)
    );
    Error::Json { field: path(&steps(json, end)), detail }
}

/// How much of a difference is shown.
const SHOWN_SIZE_BYTES: usize = 24;

/// How many characters of an error are shown, which may quote what stands in the line.
const SHOWN_COUNT: usize = 200;

/// How many levels of a path are told apart. A block has fewer; what a stranger wrote may have millions.
const DEPTH_MAX: usize = 16;

/// What an error says, short, and without characters that a terminal would obey.
fn shown(text: &str) -> String {
    text.chars()
        .take(SHOWN_COUNT)
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let plain = (!character.is_control()).then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

fn path(steps: &[Step]) -> String {
    let names = steps.iter().map(|step| match step {
        Step::Field(name) => name.clone(),
        Step::Place(place) => place.to_string(),
    });
    names.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(".")
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

/// The way down to the value that contains what stands before `end`. Forgiving: the text need not be JSON.
fn steps(json: &[u8], end: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut position, mut deeper) = (0, 0_usize);
    while position < end {
        match json[position] {
            b'{' | b'[' if steps.len() == DEPTH_MAX => deeper += 1,
            b'{' => steps.push(Step::Field(String::new())),
            b'[' => steps.push(Step::Place(0)),
            b'}' | b']' if deeper > 0 => deeper -= 1,
            b'}' | b']' => drop(steps.pop()),
            b',' if deeper == 0 => {
                if let Some(Step::Place(place)) = steps.last_mut() {
                    *place += 1;
                }
            }
            b'"' => {
                let start = position + 1;
                position = string_end(json, start);
                let is_name = json[position.min(json.len())..].iter().skip(1).find(|byte| !byte.is_ascii_whitespace())
                    == Some(&b':');
                if let (true, 0, Some(Step::Field(name))) = (is_name, deeper, steps.last_mut()) {
                    let end = position.min(start + SHOWN_COUNT).min(json.len());
                    *name = shown(&String::from_utf8_lossy(&json[start..end]));
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
