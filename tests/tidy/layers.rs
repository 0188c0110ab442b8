//! Who may use whom.

use crate::Breach;
use crate::tokens::{CodePath, identifiers, paths};

/// What decides about the chain is a function of its arguments: no engine, no Kafka, no disk, no clock, no chance.
pub(crate) fn pure_ledger(path: &str, text: &str) -> Vec<Breach> {
    // Each with those it may use: a validator that attests to a block executes it again.
    const PURE: &[(&str, &[&str])] = &[
        ("chain", &[]),
        ("checkpoint", &["chain"]),
        ("classic", &["chain"]),
        ("ledger", &["chain"]),
        ("consensus", &["chain", "ledger"]),
        ("proof", &["chain", "checkpoint", "ledger", "consensus"]),
        ("rows", &["chain", "ledger", "consensus"]),
    ];
    const CRATES: &[&str] =
        &["topology", "rdkafka", "rdkafka_sys", "rocksdb", "tokio", "futures", "tracing", "indicatif", "clap"];
    const STANDARD: &[&str] = &["env", "fs", "net", "process", "thread"];

    // Its tests may read files and measure.
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let home = module_path(path, "src/");
    let Some((module, allowed)) = PURE.iter().find(|(module, _)| path.starts_with("src/") && home[0] == *module) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for code_path in paths(text) {
        let segments: Vec<&str> = code_path.segments.iter().map(String::as_str).collect();
        let banned = match segments[..] {
            [name, ..] if CRATES.contains(&name) => true,
            ["std", name, ..] if STANDARD.contains(&name) => true,
            ["rand", "rng" | "random" | "thread_rng", ..] => true,
            _ => segments.iter().any(|name| matches!(*name, "SystemTime" | "Instant")),
        };
        if banned {
            found.push(Breach::new(
                code_path.line,
                format!("`{module}` is pure: it must not name {}", segments.join("::")),
            ));
        }
        if let Some(used) = used_module(&home, &code_path)
            && used != *module
            && !allowed.contains(&used.as_str())
        {
            found.push(Breach::new(code_path.line, format!("`{module}` is pure: it must not use crate::{used}")));
        }
    }
    found
}

/// The modules of the engine. Each may use those above it; one that is not here has no place yet: give it one.
const ENGINE: &[&str] = &[
    // Bugs on purpose, for tests: any place may have one.
    "mutant",
    "error",
    "codec",
    "clock",
    "backoff",
    "metrics",
    "file_lock",
    "log",
    // In tests: a log whose clients fail.
    "fault_log",
    "store",
    "processor",
    "graph",
    "task",
    "query",
    "updater",
    "standby",
    "watch",
    "stream_thread",
    "client",
    "reset",
    "test_driver",
    "simulator",
    // Tests of the whole, and a measurement.
    "exactly_once",
    "measure",
];

/// Modules that may use less than all above them, because they are useful on their own.
const NARROW: &[(&str, &[&str])] = &[
    ("codec", &[]),
    ("clock", &["error"]),
    ("backoff", &[]),
    ("metrics", &[]),
    ("file_lock", &[]),
    ("log", &["error", "clock", "file_lock"]),
];

/// Lower layers of the engine use upper ones, never the other way.
pub(crate) fn engine_layers(path: &str, text: &str) -> Vec<Breach> {
    let Some(inside) = path.strip_prefix("topology/src/") else { return Vec::new() };
    if matches!(inside, "lib.rs" | "main.rs") {
        return Vec::new();
    }
    let home = module_path(path, "topology/src/");
    let module = home.first().map_or("", String::as_str);
    let Some(place) = ENGINE.iter().position(|name| *name == module) else {
        return vec![Breach::new(1, format!("module `{module}` has no place in the layers of tests/tidy/layers.rs"))];
    };
    let allowed = NARROW.iter().find(|(name, _)| *name == module).map_or(&ENGINE[..place], |(_, allowed)| allowed);
    let mut found = Vec::new();
    for code_path in paths(text) {
        if let Some(used) = used_module(&home, &code_path)
            && used != module
            && !allowed.contains(&used.as_str())
        {
            found.push(Breach::new(
                code_path.line,
                format!("`{module}` must not use crate::{used}: only layers above it"),
            ));
        }
    }
    found
}

/// The engine knows records, stores and tasks. That somebody builds a ledger on it is not its business.
pub(crate) fn engine_knows_no_ledger(path: &str, text: &str) -> Vec<Breach> {
    const WORDS: &[&str] =
        &["blockchain", "cairn", "coin", "coins", "ledger", "ledgers", "stake", "stakes", "validator", "validators"];
    // Much in computing is called a block; ours is one that has one of these.
    const OF_A_BLOCK: &[&str] =
        &["chain", "genesis", "hash", "header", "height", "parent", "seal", "sealed", "transaction", "transactions"];

    if !path.starts_with("topology/src/") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (line, name) in identifiers(text) {
        let words = words(&name);
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        if name == "Block" || has(WORDS) || (has(&["block", "blocks"]) && has(OF_A_BLOCK)) {
            found.push(Breach::new(line, format!("`{name}`: the engine must not know the ledger that stands on it")));
        }
    }
    found
}

/// A command is its options and what it does with them. What several need has a place of its own beside them, which
/// knows none of them; so a command can be read, and removed, alone.
pub(crate) fn commands_keep_to_themselves(path: &str, text: &str) -> Vec<Breach> {
    const COMMANDS: &[&str] = &[
        "blocks",
        "check",
        "checkpoint",
        "demo",
        "export",
        "genesis",
        "inspect",
        "keys",
        "prove",
        "replay",
        "reset",
        "run",
        "submit",
        "topics",
        "topology",
        "verify",
        "views",
        "witness",
    ];

    // The list of commands names them all.
    if !path.starts_with("src/cli/") || path == "src/cli/mod.rs" {
        return Vec::new();
    }
    let home = module_path(path, "src/");
    let mut found = Vec::new();
    for code_path in paths(text) {
        let Some(target) = from_the_root(&home, &code_path) else { continue };
        let [first, command, ..] = &target[..] else { continue };
        if first == "cli" && COMMANDS.contains(&command.as_str()) && home.get(1) != Some(command) {
            found.push(Breach::new(code_path.line, format!("only the list of commands may use `cli::{command}`")));
        }
    }
    found
}

/// `BlockHash2_of` -> block, hash2, of
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_lower = false;
    for character in name.chars() {
        if character == '_' || (character.is_uppercase() && before_lower) {
            words.push(String::new());
        }
        before_lower = character.is_lowercase();
        if character != '_'
            && let Some(word) = words.last_mut()
        {
            word.extend(character.to_lowercase());
        }
    }
    words
}

/// `topology/src/log/kafka/native.rs` -> log, kafka, native
fn module_path(path: &str, source: &str) -> Vec<String> {
    let inside = path.strip_prefix(source).unwrap_or(path).trim_end_matches(".rs");
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    inside.split('/').map(str::to_owned).collect()
}

/// The module right below the crate that a path leads into: `crate::log::Offset` and, two levels down,
/// `super::super::log`. `None` for paths that lead elsewhere, and for items that the crate's root itself exports.
fn used_module(home: &[String], code_path: &CodePath) -> Option<String> {
    let first = from_the_root(home, code_path)?.into_iter().next()?;
    first.starts_with(|character: char| character.is_lowercase()).then_some(first)
}

/// A path as it would be written from the crate's root, without `crate`. `None` for paths that do not begin with
/// `crate` or `super`, and for those that stay in an inline module.
fn from_the_root(home: &[String], code_path: &CodePath) -> Option<Vec<String>> {
    let supers = code_path.segments.iter().take_while(|segment| *segment == "super").count();
    if code_path.segments.first()? == "crate" {
        return Some(code_path.segments[1..].to_vec());
    }
    // Inline modules are levels of their own.
    let left = (home.len() + code_path.depth).checked_sub(supers).filter(|left| supers > 0 && *left <= home.len())?;
    Some(home[..left].iter().chain(&code_path.segments[supers..]).cloned().collect())
}
