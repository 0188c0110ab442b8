//! The rules of this tree that the compiler does not know, as one failing test: who may use whom, where `unsafe` may
//! stand, how long a file and a function may be.
//!
//! A rule is a function of a file's path and text, and is tested with a breach of its own below the others.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]

mod layers;
mod links;
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
    &[rules::whitespace, rules::prose_width, rules::script_width, rules::no_loose_ends, rules::no_path_of_one_machine];

/// Rules for Rust.
const RUST_RULES: &[Rule] = &[
    layers::pure_ledger,
    layers::engine_layers,
    layers::engine_knows_no_ledger,
    layers::commands_keep_to_themselves,
    rules::unsafe_in_its_places,
    rules::comment_width,
    rules::file_length,
    rules::function_length,
    rules::no_drawer_modules,
    rules::no_unfinished_code,
    rules::no_gap_in_a_message,
    rules::modules_introduce_themselves,
];

fn breaches(path: &str, text: &str) -> Vec<Breach> {
    let rules = if path.ends_with(".rs") { RUST_RULES } else { &[] };
    let mut found: Vec<Breach> = TEXT_RULES.iter().chain(rules).flat_map(|rule| rule(path, text)).collect();
    found.sort();
    found.dedup();
    found
}

/// Each file of the project with its path from the top of the tree; the text of one that is not text is `None`.
fn tree() -> Vec<(String, Option<String>)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for name in
        ["src", "topology", "tests", "bench", "deploy", "docs", "examples", "explorer", "scripts", ".ci", ".github"]
    {
        collect(&top.join(name), &mut files);
    }
    for name in ["Cargo.toml", "Dockerfile", "docker-compose.yml", "clippy.toml", "rustfmt.toml", "LICENSE"] {
        files.push(top.join(name));
    }
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"] {
        files.push(top.join(name));
    }
    let path = |file: &Path| file.strip_prefix(top).unwrap().to_string_lossy().replace('\\', "/");
    let files = files.into_iter().filter(|file| file.exists());
    let tree: Vec<_> = files.map(|file| (path(&file), std::fs::read_to_string(&file).ok())).collect();
    let rust_file_count = tree.iter().filter(|(path, _)| path.ends_with(".rs")).count();
    assert!(rust_file_count > 10, "found only {rust_file_count} Rust files under {}", top.display());
    tree
}

/// Fails with all breaches of the tree's text files.
fn check(rules: impl Fn(&str, &str) -> Vec<Breach>) {
    let mut report = String::new();
    for (path, text) in tree() {
        for breach in text.iter().flat_map(|text| rules(&path, text)) {
            report.push_str(&format!("{path}:{}: {}\n", breach.line, breach.what));
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn the_tree_is_tidy() {
    check(breaches);
}

#[test]
fn every_link_leads_somewhere() {
    let mut targets = links::Targets::default();
    tree().iter().for_each(|(path, text)| targets.add(path, text.as_deref()));
    check(|path, text| match path {
        // The samples of breaches stand there.
        _ if path.starts_with("tests/tidy/") => Vec::new(),
        _ if path.ends_with(".md") => links::dead_links(path, text, &targets),
        _ => links::dead_pages(text, &targets),
    });
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
