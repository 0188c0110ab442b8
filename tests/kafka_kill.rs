//! `cairn run` under `kill -9` at random moments while transactions arrive: nothing is lost, doubled, reordered, sealed
//! twice or restored from empty.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;
use support::{Chain, Finished, cairn, read, transfer};
use test_cluster::Cluster;

const TRANSACTIONS: usize = 50_000;
/// Sealed before the first kill, so that there are stores on the disk which a crash could wipe. Not a multiple of the
/// block's size: the decision to cut the last block begins the store of decisions, too.
const BEFORE: usize = 5_003;
const KILLS: usize = 20;
const NAMES: usize = 40;

#[test]
fn killed_twenty_times_while_transactions_arrive_it_seals_each_offset_once_and_wipes_no_store() {
    let seed = std::env::var("CAIRN_TEST_SEED").map_or_else(|_| rand_seed(), |seed| seed.parse().unwrap());
    println!("CAIRN_TEST_SEED={seed}");
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let transfers: Vec<(usize, usize, u64)> = (0..TRANSACTIONS)
        .map(|_| {
            let mut below = |limit: usize| (random.next_u64() % limit as u64) as usize;
            (below(NAMES), below(NAMES), below(1_000) as u64)
        })
        .collect();
    let lines: Vec<String> =
        transfers.iter().map(|(from, to, amount)| transfer(&name(*from), &name(*to), *amount)).collect();

    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "100")]);
    chain.run_until_end();
    submit(&chain, &lines[..BEFORE], Duration::ZERO);
    chain.run_until_end();

    let submitted = AtomicBool::new(false);
    let killed = std::thread::scope(|scope| {
        scope.spawn(|| {
            submit(&chain, &lines[BEFORE..], Duration::from_millis(250));
            submitted.store(true, Ordering::SeqCst);
        });
        let killed = kill_again_and_again(&chain, &mut random);
        println!("all kills done; all transactions had arrived: {}", submitted.load(Ordering::SeqCst));
        killed
    });
    let last = chain.run_until_end();

    assert_no_store_was_wiped(&killed, &last);
    assert_every_offset_once(&chain);
    assert_no_height_written_with_different_bytes(&chain);
    assert_state_is_that_of_a_recomputation(&chain, &transfers);
}

fn rand_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

fn name(index: usize) -> String {
    format!("account-{index}")
}

/// Submits lines in pieces, with a pause between them.
fn submit(chain: &Chain, lines: &[String], pause: Duration) {
    let mut command = cairn("submit");
    command.args(["--brokers", Cluster::shared().brokers(), "--transactions", &chain.transactions, "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for piece in lines.chunks(TRANSACTIONS / 200) {
        stdin.write_all(piece.concat().as_bytes()).unwrap();
        std::thread::sleep(pause);
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A third of the lives end while starting, a third around the restoring of stores, the rest while sealing.
fn kill_again_and_again(chain: &Chain, random: &mut ChaCha20Rng) -> Vec<Finished> {
    let mut killed = Vec::new();
    let start = Instant::now();
    for index in 0..KILLS {
        let (behind, within_ms) = [("running", 3_000), ("", 400), ("assigned", 1_500)][index % 3];
        let wait_ms = random.next_u64() % within_ms;
        let mut process = chain.start(&[]);
        if !behind.is_empty() {
            process.until_logged(behind);
        }
        std::thread::sleep(Duration::from_millis(wait_ms));
        assert!(process.is_running(), "it ended by itself:\n{}", process.stderr());
        let finished = process.kill();
        let restored: Vec<String> =
            finished.logged("restored").iter().map(|line| line["records"].to_string()).collect();
        let at = start.elapsed().as_secs_f32();
        println!("kill {index} {wait_ms} ms behind '{behind}', at {at:.1} s; records restored: {restored:?}");
        killed.push(finished);
    }
    killed
}

fn assert_no_store_was_wiped(killed: &[Finished], last: &Finished) {
    let mut takeovers = 0;
    for finished in killed.iter().chain([last]) {
        for line in finished.logged("restored") {
            // Nothing is ever written to two of the eight: no transaction here has an id.
            let counts = ["continued", "rebuilt", "begun"].map(|name| line[name].as_u64().unwrap());
            assert_eq!(counts, [6, 0, 2], "{finished}");
            takeovers += 1;
        }
        let gave_up = finished.stderr.contains("emptying the store") || finished.stderr.contains("from empty");
        assert!(!gave_up, "{finished}");
    }
    assert!(takeovers > KILLS / 3, "only {takeovers} starts came as far as their stores");
}

/// The offsets in the blocks are the offsets on the topic, each once and in order.
fn assert_every_offset_once(chain: &Chain) {
    let on_topic: Vec<i64> = read(&chain.transactions, "read_committed").iter().map(|record| record.offset).collect();
    assert_eq!(on_topic.len(), TRANSACTIONS);
    let blocks = chain.blocks();
    for (height, block) in blocks.iter().enumerate() {
        assert_eq!(block["header"]["height"], height);
    }
    let entries = blocks.iter().flat_map(|block| block["transactions"].as_array().unwrap());
    let in_blocks: Vec<i64> = entries.map(|entry| entry["offset"].as_i64().unwrap()).collect();
    assert_eq!(in_blocks.len(), on_topic.len());
    assert!(in_blocks == on_topic, "first difference: {:?}", in_blocks.iter().zip(&on_topic).find(|(a, b)| a != b));
}

/// Aborted transactions are looked at, too: what a validator signed there counts as much.
fn assert_no_height_written_with_different_bytes(chain: &Chain) {
    let mut written: BTreeMap<String, String> = BTreeMap::new();
    let records = read(&chain.blockchain, "read_uncommitted");
    let (count, committed) = (records.len(), read(&chain.blockchain, "read_committed").len());
    for record in records {
        let before = written.entry(record.key.clone()).or_insert_with(|| record.value.clone());
        assert!(*before == record.value, "height {}:\n{before}\n{}", record.key, record.value);
    }
    assert_eq!(written.len(), committed, "each height once among what is committed");
    println!("{committed} blocks, {} written again after an abort", count - committed);
}

fn assert_state_is_that_of_a_recomputation(chain: &Chain, transfers: &[(usize, usize, u64)]) {
    let mut balances: BTreeMap<String, i64> = BTreeMap::new();
    for (from, to, amount) in transfers {
        *balances.entry(name(*from)).or_default() -= *amount as i64;
        *balances.entry(name(*to)).or_default() += *amount as i64;
    }
    let state = chain.inspect(&chain.state());
    let accounts = state["accounts"].as_array().unwrap().iter();
    let found: BTreeMap<String, i64> = accounts
        .map(|account| (account["name"].as_str().unwrap().to_owned(), account["balance"].as_i64().unwrap()))
        .collect();
    assert_eq!(found, balances);
    let (verified, replayed): (Value, Value) = (chain.verify(), chain.replay());
    assert_eq!(verified["compared_records"], TRANSACTIONS);
    for report in [&verified, &replayed] {
        assert_eq!((&report["state_root"], &report["height"]), (&state["state_root"], &state["height"]));
    }
}
