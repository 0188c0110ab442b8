//! Rules that look at one file and no other.

use crate::Breach;
use crate::tokens::{functions, identifiers, macro_calls, string_lines};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_WIDTH_MAX: usize = 120;

/// The places where `unsafe` may stand: calls into librdkafka and blst that their Rust wrappers do not offer, processor
/// instructions for SHA-256 that not every processor has, and the hint that fetches memory ahead.
const UNSAFE: [&str; 4] =
    ["topology/src/log/kafka/native/", "src/chain/sha256/", "src/consensus/bls/hash.rs", "src/ledger/prefetch.rs"];

/// No tabs, nothing behind a line's end, one newline at the end of the file.
pub(crate) fn whitespace(path: &str, text: &str) -> Vec<Breach> {
    let mut found = Vec::new();
    for (line, content) in numbered(text) {
        if content.contains('\t') {
            found.push(Breach::new(line, "a tab"));
        }
        if content.ends_with([' ', '\t', '\r']) {
            found.push(Breach::new(line, "whitespace at the end of the line"));
        }
    }
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        found.push(Breach::new(text.lines().count(), format!("{path} must end with one newline")));
    }
    found
}

/// Prose is wrapped where code is. Rows of tables cannot be; what is shown as it is printed is not ours to break; a
/// link is one word.
pub(crate) fn prose_width(path: &str, text: &str) -> Vec<Breach> {
    let mut found = Vec::new();
    let mut is_shown = false;
    for (line, content) in numbered(text).filter(|_| path.ends_with(".md")) {
        let content = content.trim_end();
        is_shown ^= content.trim_start().starts_with("```");
        let width = content.chars().count();
        let is_table = content.trim_start().starts_with('|');
        if width > LINE_WIDTH_MAX && !is_shown && !is_table && content.trim_start().contains(' ') {
            found.push(Breach::new(line, format!("{width} characters wide, more than {LINE_WIDTH_MAX}")));
        }
    }
    found
}

/// Comments are wrapped where code is, which rustfmt sees to. Drawings and tables stand as they are.
pub(crate) fn comment_width(_: &str, text: &str) -> Vec<Breach> {
    let mut found = Vec::new();
    let mut is_drawn = false;
    for (line, content) in numbered(text) {
        let Some(comment) = content.trim_start().strip_prefix("//") else {
            is_drawn = false;
            continue;
        };
        let comment = comment.trim_start_matches(['/', '!']).trim();
        is_drawn ^= comment.starts_with("```");
        let width = content.chars().count();
        if width > LINE_WIDTH_MAX && !is_drawn && !comment.starts_with('|') && comment.contains(' ') {
            found.push(Breach::new(line, format!("{width} characters wide, more than {LINE_WIDTH_MAX}")));
        }
    }
    found
}

/// Scripts and styles are served and read as they are, by those who want to know what the page computes.
pub(crate) fn script_width(path: &str, text: &str) -> Vec<Breach> {
    let is_script = [".js", ".mjs", ".css"].iter().any(|ending| path.ends_with(ending));
    let lines = numbered(text).filter(|_| is_script).map(|(line, content)| (line, content.chars().count()));
    let wide = lines.filter(|(_, width)| *width > LINE_WIDTH_MAX);
    wide.map(|(line, width)| Breach::new(line, format!("{width} characters wide, more than {LINE_WIDTH_MAX}")))
        .collect()
}

/// What is still to be done does not stand in the tree.
pub(crate) fn no_loose_ends(_: &str, text: &str) -> Vec<Breach> {
    // Put together here, or this file would break its own rule.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let mut found = Vec::new();
    for (line, content) in numbered(text) {
        let mut words = content.split(|character: char| !character.is_alphanumeric() && character != '_');
        if let Some(mark) = words.find(|word| marks.contains(word)) {
            found.push(Breach::new(line, format!("{mark}: do it, or leave it out")));
        }
    }
    found
}

/// Nothing in the tree knows where it was made.
pub(crate) fn no_path_of_one_machine(_: &str, text: &str) -> Vec<Breach> {
    let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut found = Vec::new();
    for (line, content) in numbered(text) {
        for path in paths {
            // A longer path may contain one of them: `tests/work/x` is nobody's home.
            let starts_there = content.match_indices(path).any(|(at, _)| {
                !content[..at].ends_with(|character: char| {
                    character.is_alphanumeric() || matches!(character, '.' | '_' | '-' | '}')
                })
            });
            if starts_there {
                found.push(Breach::new(line, format!("{path} is a path of one machine")));
            }
        }
    }
    found
}

/// `unsafe` stands in few places, where each use is argued.
pub(crate) fn unsafe_in_its_places(path: &str, text: &str) -> Vec<Breach> {
    if UNSAFE.iter().any(|place| path.starts_with(place)) {
        return Vec::new();
    }
    let named = identifiers(text).into_iter().filter(|(_, name)| matches!(name.as_str(), "unsafe" | "unsafe_code"));
    named.map(|(line, name)| Breach::new(line, format!("`{name}` belongs in {}", UNSAFE.join(" or ")))).collect()
}

/// A file that has grown past this holds more than one thing.
pub(crate) fn file_length(_: &str, text: &str) -> Vec<Breach> {
    let count = text.lines().count();
    if count <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![Breach::new(count, format!("{count} lines, more than {FILE_LINES_MAX}: split it by concept"))]
}

/// A function that has grown past this does more than one thing.
pub(crate) fn function_length(_: &str, text: &str) -> Vec<Breach> {
    let long = functions(text).into_iter().filter(|function| function.line_count > FUNCTION_LINES_MAX);
    long.map(|function| {
        let what = format!("`{}` has {} lines, more than {FUNCTION_LINES_MAX}", function.name, function.line_count);
        Breach::new(function.line, what)
    })
    .collect()
}

/// A module is named after what it holds.
pub(crate) fn no_drawer_modules(path: &str, _: &str) -> Vec<Breach> {
    const DRAWERS: &[&str] = &["util", "utils", "helper", "helpers", "misc"];
    let named = path.trim_end_matches(".rs").split('/').any(|part| DRAWERS.contains(&part));
    if named { vec![Breach::new(1, format!("{path}: name the module after the concept it holds"))] } else { Vec::new() }
}

/// No hole is left in the code, and nothing from debugging.
pub(crate) fn no_unfinished_code(_: &str, text: &str) -> Vec<Breach> {
    let left =
        macro_calls(text).into_iter().filter(|(_, name)| matches!(name.as_str(), "todo" | "unimplemented" | "dbg"));
    left.map(|(line, name)| Breach::new(line, format!("{name}! must not stay"))).collect()
}

/// Where the backslash at the end of a line was lost, the indentation of the next line stands in the message. Help and
/// tables have columns.
pub(crate) fn no_gap_in_a_message(_: &str, text: &str) -> Vec<Breach> {
    const COLUMNS_MAX: usize = 12;
    let gap = " ".repeat(COLUMNS_MAX + 1);
    let has_columns = |line: &str| line.starts_with("cairn ") || line.starts_with('|');
    let is_gapped = |line: &str| line.find(&gap).is_some_and(|at| !line[..at].ends_with("\\n"));
    let gapped = string_lines(text).into_iter().filter(|(_, line)| !has_columns(line) && is_gapped(line));
    gapped.map(|(line, _)| Breach::new(line, format!("more than {COLUMNS_MAX} spaces in a message"))).collect()
}

/// `mod.rs`, `lib.rs` and `main.rs` begin by saying what lives there and what it may depend on.
pub(crate) fn modules_introduce_themselves(path: &str, text: &str) -> Vec<Breach> {
    let file = path.rsplit('/').next().unwrap_or(path);
    if matches!(file, "mod.rs" | "lib.rs" | "main.rs") && !text.starts_with("//! ") {
        return vec![Breach::new(1, "must begin with `//!`: what lives here, and what it may depend on")];
    }
    Vec::new()
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // Not `lines()`, which swallows a carriage return.
    text.split('\n').enumerate().map(|(index, line)| (index + 1, line))
}
