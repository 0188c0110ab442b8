//! Which field of a JSON text an error is about: the text is read again, up to where the error was noticed.

use super::cursor::{Fault, Wrong};
use crate::chain::Error;

/// The error for a fault, with the path of the field it is about.
#[cold]
pub(super) fn error(line: &[u8], fault: &Fault) -> Error {
    let found = line.get(fault.at..).unwrap_or_default();
    let reached = match found.first() {
        // What differs at a comma is what comes behind it; at a bracket that closes, what it closes.
        Some(b',') => 2,
        Some(b'}' | b']') => 0,
        _ => 1,
    };
    let mut steps = steps(line, fault.at.saturating_add(reached).min(line.len()));
    let detail = match &fault.wrong {
        Wrong::Value(detail) => shown(detail),
        Wrong::Differs(wanted) => {
            // Where an object ends too early, the field that is missing is told.
            let missing = wanted.strip_prefix(",\"").and_then(|field| field.split('"').next());
            if let (Some(b'}'), Some(missing), Some(Step::Field(name))) = (found.first(), missing, steps.last_mut()) {
                missing.clone_into(name);
            }
            let show = |bytes: &[u8]| match bytes.get(..SHOWN_SIZE_BYTES).unwrap_or(bytes) {
                [] => "nothing".to_owned(),
                bytes => format!("`{}`", bytes.escape_ascii()),
            };
            format!(
                "not the one rendering of the block: from byte {} on it has {}, the rendering {}",
                fault.at,
                show(found),
                show(wanted.as_bytes())
            )
        }
    };
    Error::Json { field: path(&steps), detail }
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
