//! `cairn views` on a real broker: each row once under `kill -9`, and read by those whom rows are for.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

#[path = "support/all_rows.rs"]
mod all_rows;
mod support;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use all_rows::AllRows;
use cairn::chain::Block;
use cairn::rows::avro;
use cairn::views::View;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use serde_json::Value;
use support::{Chain, Process, Registry, cairn, describe, json, python, read, refusal, transfer};

const KILLS: u64 = 8;

/// Blocks of ten, in which some transactions are rejected, with fees and rewards.
const PARAMETERS: &[(&str, &str)] = &[
    ("CAIRN_BLOCK_MAX_TRANSACTIONS", "10"),
    ("CAIRN_BLOCK_MAX_AGE_MS", "50"),
    ("CAIRN_OVERDRAFT_MAX", "300"),
    ("CAIRN_FEE", "2"),
    ("CAIRN_REWARD", "1"),
];

/// A chain that has its block 0, and its topics.
fn begun() -> Chain {
    let chain = Chain::new(PARAMETERS);
    chain.run_until_end();
    chain
}

fn views(chain: &Chain, words: &[&str]) -> Command {
    views_in("views", chain, words)
}

/// With stores in this directory of the chain's.
fn views_in(state: &str, chain: &Chain, words: &[&str]) -> Command {
    let mut command = cairn("views");
    command.args(words);
    command.args(["--log-format", "json", "--brokers", chain.cluster.brokers(), "--blockchain", &chain.blockchain]);
    command.arg("--state-dir").arg(chain.directory.path().join(state));
    command
}

/// Follows the chain to its end, and says how far each view is.
fn follow(chain: &Chain, words: &[&str]) -> Vec<Value> {
    let words = [words, &["--until-end", "--json"]].concat();
    let finished = Process::start(&mut views(chain, &words), chain.directory.path()).wait();
    assert!(finished.status.success(), "{finished}");
    finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn payments(numbers: std::ops::Range<usize>) -> String {
    let line = |n: usize| match n % 50 {
        7 => "no transaction\n".to_owned(),
        _ => transfer(&format!("account-{}", n % 23), &format!("account-{}", n * 7 % 31), (n % 90) as u64),
    };
    numbers.map(line).collect()
}

/// The rows of each view of the blocks on the topic, by the library: keys and values.
fn expected(chain: &Chain) -> BTreeMap<&'static str, Vec<(String, String)>> {
    let blocks = read(&chain.blockchain, "read_committed").into_iter();
    let blocks: Vec<Block> = blocks.map(|record| Block::from_json(record.value.as_bytes()).unwrap()).collect();
    let (mut every, mut all) = (AllRows::default(), BTreeMap::new());
    let mut add = |view: View, key: String, row: String| {
        all.entry(view.as_str()).or_insert_with(Vec::new).push((key, row));
    };
    fn json(row: &impl Serialize) -> String {
        serde_json::to_string(row).unwrap()
    }
    for block in &blocks {
        let rows = every.of(block).unwrap();
        for row in &rows.transfers {
            add(View::Transfers, format!("{}:{}", row.height, row.index), json(row));
        }
        rows.balances.iter().for_each(|row| add(View::Balances, row.name.to_owned(), json(row)));
        rows.validators.iter().for_each(|row| add(View::Validators, row.id.to_owned(), json(row)));
    }
    all
}

fn rows_of(chain: &Chain, view: View) -> Vec<(String, String)> {
    let records = read(&view.topic(&chain.blockchain), "read_committed").into_iter();
    records.map(|record| (record.key, record.value)).collect()
}

fn found(chain: &Chain) -> BTreeMap<&'static str, Vec<(String, String)>> {
    View::ALL.into_iter().map(|view| (view.as_str(), rows_of(chain, view))).collect()
}

fn assert_rows(chain: &Chain) {
    let (found, expected) = (found(chain), expected(chain));
    for (view, expected) in &expected {
        let found = &found[view];
        let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
        assert_eq!((found.len(), differs), (expected.len(), None), "{view}");
    }
}

#[test]
fn killed_again_and_again_while_blocks_arrive_it_leaves_each_row_once_and_a_reset_makes_the_same_rows() {
    let seed = std::env::var("CAIRN_TEST_SEED").map_or(20_261_130, |seed| seed.parse().unwrap());
    println!("CAIRN_TEST_SEED={seed}");
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let chain = begun();
    chain.produce(&payments(0..500));
    let mut run = chain.start(&["--run-malicious", "validator-1"]);
    run.until_logged("running");
    let mut next = 500;
    for kill in 0..KILLS {
        let before = if kill == 0 { 0 } else { rows_of(&chain, View::Transfers).len() };
        let mut process = Process::start(&mut views(&chain, &[]), chain.directory.path());
        if kill == 0 {
            // Its topics are there then.
            process.until_logged("running");
        }
        for _ in 0..4 {
            chain.produce(&payments(next..next + 200));
            next += 200;
            std::thread::sleep(Duration::from_millis(random.next_u64() % 250));
        }
        // A third of the lives may end before they have written anything.
        if kill % 3 > 0 {
            process.until("new rows", |_| rows_of(&chain, View::Transfers).len() > before);
            std::thread::sleep(Duration::from_millis(random.next_u64() % 100));
        }
        assert!(process.is_running(), "it ended by itself:\n{}", process.stderr());
        process.kill();
    }
    support::until_sealed(&chain, next);
    run.terminate();
    assert!(run.wait().status.success());
    let told = follow(&chain, &[]);
    let last = chain.blocks().len() - 1;
    assert!(told.iter().all(|line| line["height"] == last), "{told:?}");
    println!("{next} records in {last} blocks; the last start wrote {told:?}");
    assert_rows(&chain);
    let slashed = read(&View::Validators.topic(&chain.blockchain), "read_committed");
    assert!(slashed.iter().any(|record| record.json()["status"] == "slashed"));
    let policies = View::ALL.map(|view| describe(&view.topic(&chain.blockchain)).cleanup_policy);
    assert_eq!(policies, ["delete", "compact", "compact"]);

    let before = found(&chain);
    let reset = Process::start(&mut views(&chain, &["reset", "--yes"]), chain.directory.path()).wait();
    assert!(reset.status.success(), "{reset}");
    follow(&chain, &[]);
    assert_eq!(found(&chain), before);
}

#[test]
fn another_instance_goes_on_where_one_was_killed() {
    let chain = begun();
    let start = |state| Process::start(&mut views_in(state, &chain, &["balances"]), chain.directory.path());
    let mut one = start("one");
    one.until_logged("running");
    let mut other = start("other");
    other.until_logged("standing by, or waiting for block 0");
    let seal = |numbers| {
        chain.produce(&payments(numbers));
        chain.run_until_end();
    };
    let rows = || rows_of(&chain, View::Balances).len();
    seal(0..300);
    let first = expected(&chain)["balances"].len();
    one.until("rows of the first blocks", |_| rows() == first);
    one.kill();
    seal(300..600);
    let all = expected(&chain)["balances"].clone();
    other.until("rows of all blocks", |_| rows() >= all.len());
    other.terminate();
    let ended = other.wait();
    assert!(ended.status.success(), "{ended}");
    assert_eq!(rows_of(&chain, View::Balances), all);
}

#[test]
fn a_view_is_not_forgotten_beside_an_instance_that_keeps_it() {
    let chain = begun();
    let mut kept = Process::start(&mut views(&chain, &["transfers", "balances"]), chain.directory.path());
    chain.produce(&payments(0..300));
    chain.run_until_end();
    let all = expected(&chain);
    kept.until("the rows of all blocks", |_| rows_of(&chain, View::Balances).len() == all["balances"].len());
    // Whichever it is, and whatever is asked beside it; from another machine, whose stores are none.
    for views in [&["transfers"][..], &["validators", "balances"], &[]] {
        let mut reset = views_in("elsewhere", &chain, &[&["reset", "--yes"], views].concat());
        let refused = refusal(&mut reset, chain.directory.path());
        assert!(refused.contains("-view-") && refused.contains("instance"), "{refused}");
    }
    chain.produce(&payments(300..400));
    chain.run_until_end();
    let all = expected(&chain);
    kept.until("the rows of later blocks", |_| {
        [View::Transfers, View::Balances].iter().all(|view| rows_of(&chain, *view).len() == all[view.as_str()].len())
    });
    kept.terminate();
    let ended = kept.wait();
    assert!(ended.status.success(), "{ended}");
    for view in [View::Transfers, View::Balances] {
        assert_eq!(rows_of(&chain, view), all[view.as_str()]);
    }
}

/// The state's balances, by `cairn replay`.
fn balances(chain: &Chain) -> BTreeMap<String, i64> {
    let state = tempfile::tempdir().unwrap();
    let mut replay = cairn("replay");
    replay.args(["--json", "--brokers", chain.cluster.brokers(), "--blockchain", &chain.blockchain]);
    json(replay.arg("--state-dir").arg(state.path()), chain.directory.path());
    let mut inspect = cairn("inspect");
    inspect.args(["--json", "--application-id", "replay", "--state-dir"]).arg(state.path());
    let inspected = json(&mut inspect, chain.directory.path());
    let account =
        |account: &Value| (account["name"].as_str().unwrap().to_owned(), account["balance"].as_i64().unwrap());
    inspected["accounts"].as_array().unwrap().iter().map(account).collect()
}

/// The shell commands of a page that use a program, each with the names of this test in place of the page's.
fn commands(page: &str, program: &str, chain: &Chain) -> Vec<String> {
    let path = format!("{}/docs/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let uses = blocks.filter(|block| block.contains(program));
    let named = |block: &str| {
        let named = block.replace("localhost:9092", chain.cluster.brokers());
        named.replace(" blockchain-", &format!(" {}-", chain.blockchain))
    };
    uses.map(named).collect()
}

fn shell(script: &str) -> String {
    let output = Command::new("sh").args(["-eu", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn kcat_and_jq_answer_from_rows_what_the_chain_holds() {
    let chain = begun();
    chain.produce(&payments(0..700));
    chain.run_until_end();
    follow(&chain, &[]);
    let commands = commands("views.md", "kcat", &chain);
    let [balances_now, add_up, reasons] = &commands[..] else { panic!("not three: {commands:?}") };
    let state = balances(&chain);
    let now: BTreeMap<String, i64> = serde_json::from_str(&shell(balances_now)).unwrap();
    assert_eq!(now, state);
    let added: BTreeMap<String, i64> = serde_json::from_str(&shell(add_up)).unwrap();
    assert_eq!(added.into_iter().filter(|(_, balance)| *balance != 0).collect::<BTreeMap<_, _>>(), state);
    let reasons = shell(reasons);
    assert!(reasons.contains("insufficient_funds") && reasons.contains("not_json"), "{reasons}");
}

/// Reads the balances as a stock client does, with what the registry knows of their schema, and compares them with the
/// state.
fn assert_read_by_a_stock_client(chain: &Chain, registry_url: &str) {
    let python = match python::with_packages(&["confluent-kafka[avro,json,schemaregistry]"]) {
        Ok(python) => python,
        Err(why) => {
            println!("SKIPPED: {why}");
            return;
        }
    };
    let script = format!("{}/examples/balances.py", env!("CARGO_MANIFEST_DIR"));
    let topic = View::Balances.topic(&chain.blockchain);
    let mut read = Command::new(python);
    let output = read.arg(script).args([chain.cluster.brokers(), &topic, registry_url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let held = String::from_utf8(output.stdout).unwrap();
    let held = held.lines().map(|line| line.rsplit_once(' ').unwrap());
    let held: BTreeMap<String, i64> =
        held.map(|(name, balance)| (name.to_owned(), balance.parse().unwrap())).filter(|(_, b)| *b != 0).collect();
    assert_eq!(held, balances(chain));
}

#[test]
fn a_stock_client_reads_rows_with_the_schema_that_was_registered() {
    for (format, kind) in [("json", "JSON"), ("avro", "AVRO")] {
        let (chain, registry) = (begun(), Registry::start());
        chain.produce(&payments(0..300));
        chain.run_until_end();
        let with = ["--format", format, "--schema-registry", &registry.url.replace("://", "://me:s%40cret@")];
        follow(&chain, &with);
        for view in View::ALL {
            let subject = format!("{}-value", view.topic(&chain.blockchain));
            let [id] = registry.versions(&subject)[..] else { panic!("not one version of {subject}") };
            let schema = if format == "json" { view.schema().to_owned() } else { avro::schema(view.schema()).unwrap() };
            assert_eq!(registry.schema(id), (kind.to_owned(), schema));
        }
        // me:s@cret
        assert_eq!(registry.authorization().as_deref(), Some("Basic bWU6c0BjcmV0"));
        chain.produce(&payments(300..400));
        chain.run_until_end();
        follow(&chain, &with);
        let mut plain = views(&chain, &["balances", "--until-end"]);
        assert!(refusal(&mut plain, chain.directory.path()).contains("go on with --schema-registry"));
        assert_read_by_a_stock_client(&chain, &registry.url);
    }
}

#[test]
fn a_registry_that_refuses_or_is_not_there_begins_no_view() {
    let (chain, registry) = (begun(), Registry::start());
    registry.refuse();
    let with = |url: &str| {
        let mut command = views(&chain, &["--until-end", "--schema-registry", url]);
        refusal(&mut command, chain.directory.path())
    };
    let refused = with(&registry.url);
    assert!(refused.contains("refuses the schema") && refused.contains("incompatible"), "{refused}");
    let missing = with("http://me:secret@127.0.0.1:1");
    assert!(missing.contains("cannot reach the schema registry at http://127.0.0.1:1"), "{missing}");
    assert!(!missing.contains("secret"), "{missing}");
}
