//! Each rule must find its breach, on its line, and must not find one where there is none.

use crate::{Breach, Rule, layers, rules};

fn lines(rule: Rule, path: &str, text: &str) -> Vec<usize> {
    rule(path, text).into_iter().map(|Breach { line, .. }| line).collect()
}

const CLEAN: [usize; 0] = [];

#[test]
fn pure_modules_reach_for_nothing_outside() {
    let found = |text| lines(layers::pure_ledger, "src/ledger/state.rs", text);
    assert_eq!(found("use std::time::Duration;\nuse topology::log::Record;"), [2]);
    assert_eq!(found("use std::{collections::BTreeMap, fs};"), [1]);
    assert_eq!(found("use std::{time::{Duration, Instant}, fmt};"), [1]);
    assert_eq!(found("fn f() { let x = std::fs::read(\"x\"); }"), [1]);
    assert_eq!(found("fn f() {\n  let seed = rand::rng();\n}"), [2]);
    assert_eq!(found("fn f() { rand::random::<u64>() }"), [1]);
    assert_eq!(found("async fn f() { tokio::time::sleep(d).await }"), [1]);
    assert_eq!(found("use crate::sealing::Processor;"), [1]);
    assert_eq!(found("use crate::consensus::Seal;"), [1]);
    assert_eq!(found("use super::super::sealing;"), [1]);
    assert_eq!(found("mod tests { use super::super::super::sealing; }"), [1]);
    assert_eq!(found("use crate::chain::Block;\nuse super::account;\nuse rand::Rng;\nuse std::fmt;"), CLEAN);
    assert_eq!(
        found("/// Like `std::fs`, rocksdb and tokio::spawn.\n// topology::x\nconst S: &str = \"topology::log\";"),
        CLEAN
    );
    assert_eq!(lines(layers::pure_ledger, "src/consensus.rs", "use rocksdb::DB;"), [1]);
    assert_eq!(lines(layers::pure_ledger, "src/ledger/tree/tests.rs", "use std::time::Instant;"), CLEAN);
    assert_eq!(lines(layers::pure_ledger, "src/run/mod.rs", "use topology::log::Record;"), CLEAN);
}

#[test]
fn prose_is_wrapped() {
    let (long, cell) = ("word ".repeat(30), "cell".repeat(40));
    let found = |path, text: &str| lines(rules::prose_width, path, text);
    assert_eq!(found("docs/a.md", &format!("short\n{long}\n- {long}\n")), [2, 3]);
    assert_eq!(found("docs/a.md", &format!("```text\n{long}\n```\n| {cell} |\n{cell}\n")), CLEAN);
    assert_eq!(found("docs/a.md", &format!("```text\n```\n{long}\n")), [3]);
    assert_eq!(found("src/a.rs", &long), CLEAN);
}

#[test]
fn scripts_and_styles_are_wrapped_without_tabs_and_blanks_at_the_end() {
    let wide = format!("const a = '{}';", "é".repeat(107));
    let (fits, breaks) = (format!("short\n{wide}\n"), format!("short\n{wide} // b\n"));
    for path in ["explorer/a.js", "tests/audit/a.mjs", "explorer/style.css"] {
        assert_eq!(lines(rules::script_width, path, &fits), CLEAN, "{path}");
        assert_eq!(lines(rules::script_width, path, &breaks), [2], "{path}");
        let found = crate::breaches(path, "a {\n\tcolor: red;\n} \n");
        assert_eq!(found.iter().map(|breach| breach.line).collect::<Vec<_>>(), [2, 3], "{path}");
    }
    assert_eq!(lines(rules::script_width, "src/a.rs", &breaks), CLEAN);
}

#[test]
fn comments_are_wrapped_and_drawings_are_not() {
    let (fits, wide) = ("a ".repeat(58), "a ".repeat(60));
    let found = |text: &str| lines(rules::comment_width, "src/a.rs", text);
    assert_eq!(found(&format!("//! {}\n    // {}\n", fits.trim_end(), &fits[..100])), CLEAN);
    for mark in ["//", "///", "//!"] {
        assert_eq!(found(&format!("{mark} a\n{mark} {wide}\n")), [2], "{mark}");
        assert_eq!(found(&format!("{mark} ```text\n{mark} {wide}\n{mark} ```\n{mark} {wide}\n")), [4], "{mark}");
        assert_eq!(found(&format!("{mark} | {wide} |\n")), CLEAN, "{mark}: a table");
    }
    assert_eq!(found(&format!("let text = \"{wide}\";\n")), CLEAN, "rustfmt's matter");
}

#[test]
fn the_engine_uses_upper_layers_only() {
    let found = |path, text| lines(layers::engine_layers, path, text);
    assert_eq!(found("topology/src/log/mod.rs", "use crate::error::Class;\nuse crate::codec::Codec;"), [2]);
    assert_eq!(found("topology/src/log/kafka/native.rs", "use super::super::super::store;"), [1]);
    assert_eq!(found("topology/src/log/kafka/native.rs", "use super::super::record;"), CLEAN);
    assert_eq!(found("topology/src/log/kafka/native.rs", "mod tests { use super::super::super::record; }"), CLEAN);
    assert_eq!(found("topology/src/store/mod.rs", "use super::task::Task;"), [1]);
    assert_eq!(found("topology/src/store/rocks.rs", "fn f() { crate::updater::run() }"), [1]);
    assert_eq!(found("topology/src/task.rs", "use crate::{log::Record, stream_thread::Config};"), [1]);
    assert_eq!(found("topology/src/client/mod.rs", "use crate::stream_thread::Config;\nuse crate::Error;"), CLEAN);
    assert_eq!(found("topology/src/drawer/mod.rs", ""), [1]);
    assert_eq!(found("topology/src/lib.rs", "pub use crate::client::Client;"), CLEAN);
}

#[test]
fn the_engine_has_no_word_of_the_ledger() {
    let found = |text| lines(layers::engine_knows_no_ledger, "topology/src/task/mod.rs", text);
    assert_eq!(found("struct Task;\nstruct BlockHash;"), [2]);
    assert_eq!(found("fn height_of(block: &Block) {}"), [1]);
    assert_eq!(found("fn seal_block() {}"), [1]);
    assert_eq!(found("const COIN_COUNT: usize = 1;"), [1]);
    assert_eq!(found("use cairn::chain;"), [1]);
    assert_eq!(found("let validators = 5;"), [1]);
    assert_eq!(found("// Nothing blocks here.\nfn blocking() {}\nfn validate() { panic!(\"block\") }"), CLEAN);
    assert_eq!(
        found(
            "let mut table = BlockBasedOptions::default();\ntable.set_block_size(4096);\nlet blocks = runtime.block_on(x);"
        ),
        CLEAN
    );
    assert_eq!(lines(layers::engine_knows_no_ledger, "src/chain/block.rs", "struct Block;"), CLEAN);
}

#[test]
fn commands_use_what_lies_beside_them_and_no_other_command() {
    let found = |path, text| lines(layers::commands_keep_to_themselves, path, text);
    assert_eq!(found("src/cli/replay.rs", "use super::report;\nuse super::verify::walk;"), [2]);
    assert_eq!(found("src/cli/replay.rs", "fn f() { super::run::tell() }"), [1]);
    assert_eq!(found("src/cli/demo/mod.rs", "use super::{graph, run};"), [1]);
    assert_eq!(found("src/cli/demo/viewer.rs", "use super::super::run;\nuse super::super::report;"), [1]);
    assert_eq!(found("src/cli/report.rs", "use crate::cli::verify;"), [1]);
    assert_eq!(found("src/cli/report.rs", "mod tests { use super::super::verify; }"), [1]);
    assert_eq!(found("src/cli/demo/viewer.rs", "use super::super::demo::traffic;\nuse super::traffic;"), CLEAN);
    assert_eq!(found("src/cli/verify.rs", "use crate::audit::verify;\nmod tests { use super::verify; }"), CLEAN);
    assert_eq!(found("src/cli/mod.rs", "mod run;\nfn f() { run::Arguments::run() }"), CLEAN);
}

#[test]
fn lines_end_where_their_text_ends() {
    let found = |text| lines(rules::whitespace, "a.rs", text);
    assert_eq!(found("a\nb \n"), [2]);
    assert_eq!(found("a\r\nb\n"), [1]);
    assert_eq!(found("\ta\n"), [1]);
    assert_eq!(found("a\nb"), [2]);
    assert_eq!(found("a\n\n"), [2]);
    assert_eq!(found("a\n\n  b\n"), CLEAN);
    assert_eq!(found(""), CLEAN);
}

#[test]
fn nothing_is_left_for_later() {
    let mark = concat!("TO", "DO");
    assert_eq!(lines(rules::no_loose_ends, "a.rs", &format!("x\n// {mark}: y\n")), [2]);
    assert_eq!(lines(rules::no_loose_ends, "a.md", &format!("({mark})")), [1]);
    assert_eq!(lines(rules::no_loose_ends, "a.rs", &format!("{mark}S_PER_DAY, a{mark}, todo")), CLEAN);

    let found = |text| lines(rules::no_unfinished_code, "a.rs", text);
    assert_eq!(found("fn f() {\n    todo!()\n}"), [2]);
    assert_eq!(found("fn f() { g(dbg!(x)); unimplemented!(\"y\") }"), [1, 1]);
    assert_eq!(found("// todo!()\nconst S: &str = \"dbg!(x)\";\nfn todo() -> bool { a != b }"), CLEAN);
}

#[test]
fn no_machine_is_special() {
    let found = |text: &str| lines(rules::no_path_of_one_machine, "a.sh", text);
    assert_eq!(found(concat!("cd /wo", "rk/x")), [1]);
    assert_eq!(found(concat!("x\nDIR=\"/ro", "ot/.cargo\"")), [2]);
    assert_eq!(found(concat!("cd tests/wo", "rk/x; cd $HOME/wo", "rk/")), CLEAN);
}

#[test]
fn unsafe_stands_in_few_places() {
    let text = "fn f() {\n    unsafe { g() }\n}";
    assert_eq!(lines(rules::unsafe_in_its_places, "topology/src/log/kafka/mod.rs", text), [2]);
    assert_eq!(lines(rules::unsafe_in_its_places, "topology/src/log/kafka/native.rs", text), [2]);
    assert_eq!(lines(rules::unsafe_in_its_places, "topology/src/log/kafka/native/queue.rs", text), CLEAN);
    assert_eq!(lines(rules::unsafe_in_its_places, "src/chain/sha256/lanes.rs", text), CLEAN);
    assert_eq!(lines(rules::unsafe_in_its_places, "src/ledger/prefetch.rs", text), CLEAN);
    assert_eq!(lines(rules::unsafe_in_its_places, "src/ledger/state/memory.rs", text), [2]);
    assert_eq!(lines(rules::unsafe_in_its_places, "src/chain/sha256.rs", text), [2]);
    assert_eq!(lines(rules::unsafe_in_its_places, "src/a.rs", "#![allow(unsafe_code)]"), [1]);
    assert_eq!(lines(rules::unsafe_in_its_places, "src/a.rs", "// unsafe\nconst S: &str = \"unsafe\";"), CLEAN);
}

#[test]
fn files_and_functions_stay_short() {
    assert_eq!(lines(rules::file_length, "a.rs", &"x\n".repeat(401)), [401]);
    assert_eq!(lines(rules::file_length, "a.rs", &"x\n".repeat(400)), CLEAN);

    let function = |body: usize| {
        format!("struct S;\nimpl S {{\n    fn long(&self)\n    {{\n{}    }}\n}}\n", "        ();\n".repeat(body))
    };
    assert_eq!(lines(rules::function_length, "a.rs", &function(68)), [3]);
    assert_eq!(lines(rules::function_length, "a.rs", &function(67)), CLEAN);
    assert_eq!(lines(rules::function_length, "a.rs", "trait T { fn f(&self); }\n// fn g() {"), CLEAN);
}

#[test]
fn a_message_has_no_gap_where_a_backslash_was_lost() {
    let found = |text: &str| lines(rules::no_gap_in_a_message, "src/a.rs", text);
    let gap = " ".repeat(13);
    assert_eq!(found(&format!("fn f() {{\n    g(\"it is on:{gap}there\");\n}}")), [2]);
    assert_eq!(found(&format!("const A: &str = \"one\ntwo{gap}three\";")), [2]);
    assert_eq!(found(&format!("fn f() {{\n    g(\"it is on: \\\n{gap}there\");{gap}// aside\n}}")), CLEAN);
    assert_eq!(found(&format!("/// one{gap}two\nfn f() {{}}")), CLEAN);
    assert_eq!(found(&format!("const HELP: &str = \"Examples:\n  cairn run{gap}runs\";")), CLEAN);
}

#[test]
fn modules_are_named_and_introduced() {
    assert_eq!(lines(rules::no_drawer_modules, "src/utils/mod.rs", ""), [1]);
    assert_eq!(lines(rules::no_drawer_modules, "topology/src/log/helpers.rs", ""), [1]);
    assert_eq!(lines(rules::no_drawer_modules, "src/utility/price.rs", ""), CLEAN);

    assert_eq!(lines(rules::modules_introduce_themselves, "src/chain/mod.rs", "mod block;"), [1]);
    assert_eq!(lines(rules::modules_introduce_themselves, "src/chain/mod.rs", "//! Blocks.\nmod block;"), CLEAN);
    assert_eq!(lines(rules::modules_introduce_themselves, "src/chain/block.rs", "struct Block;"), CLEAN);
}
