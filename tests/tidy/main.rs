//! The rules of this tree that the compiler does not know, as one failing test: who may use whom, where `unsafe` may
//! stand, how long a file and a function may be.
//!
//! A rule is a function of a file's path and text, and is tested with a breach of its own below the others.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]

mod layers;
mod rules;
mod samples;
mod tokens;

use std::path::{Path, PathBuf};

/// A line that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Breach {
    line: usize,
    what: String,
}

impl Breach {
    fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// A rule: the path is relative to the top of the tree, with `/`.
type Rule = fn(path: &str, text: &str) -> Vec<Breach>;

/// Rules for every text file of the project.
const TEXT_RULES: &[Rule] =
    &[rules::whitespace, rules::prose_width, rules::no_loose_ends, rules::no_path_of_one_machine];

/// Rules for Rust.
const RUST_RULES: &[Rule] = &[
    layers::pure_ledger,
    layers::engine_layers,
    layers::engine_knows_no_ledger,
    layers::commands_keep_to_themselves,
    rules::unsafe_in_its_places,
    rules::file_length,
    rules::function_length,
    rules::no_drawer_modules,
    rules::no_unfinished_code,
    rules::modules_introduce_themselves,
];

fn breaches(path: &str, text: &str) -> Vec<Breach> {
    let rules = if path.ends_with(".rs") { RUST_RULES } else { &[] };
    let mut found: Vec<Breach> = TEXT_RULES.iter().chain(rules).flat_map(|rule| rule(path, text)).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn the_tree_is_tidy() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for name in
        ["src", "topology", "tests", "bench", "deploy", "docs", "examples", "explorer", "benches", ".ci", ".github"]
    {
        collect(&top.join(name), &mut files);
    }
    for name in ["Cargo.toml", "Dockerfile", "docker-compose.yml", "clippy.toml", "rustfmt.toml"] {
        files.push(top.join(name));
    }
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"] {
        files.push(top.join(name));
    }
    let mut report = String::new();
    let mut rust_file_count = 0;
    for file in files {
        // A file that is not text, or not there yet, has no lines to check.
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let path = file.strip_prefix(top).unwrap().to_string_lossy().replace('\\', "/");
        rust_file_count += usize::from(path.ends_with(".rs"));
        for breach in breaches(&path, &text) {
            report.push_str(&format!("{path}:{}: {}\n", breach.line, breach.what));
        }
    }
    assert!(rust_file_count > 10, "found only {rust_file_count} Rust files under {}", top.display());
    assert!(report.is_empty(), "\n{report}");
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            // What a build or a fuzzer leaves behind is not ours.
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !matches!(name, "target" | "proptest-regressions" | "corpus" | "artifacts") {
                collect(&path, files);
            }
        } else {
            files.push(path);
        }
    }
}
