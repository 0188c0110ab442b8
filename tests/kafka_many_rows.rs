//! `cairn views` of a chain with many transfers, killed in the middle: rows equal the chain's receipts, balances equal
//! its state.
//!
//! ```sh
//! MEASURE_TRANSFERS=1000000 cargo test --release --test kafka_many_rows -- --nocapture     # with a broker; prints what it took
//! ```
//!
//! | Variable | Means | Default |
//! |---|---|---|
//! | `MEASURE_TRANSFERS` | how many transfers, between a tenth as many accounts, in blocks of 1,000 | 20,000 |
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Command;
use std::time::{Duration, Instant};

use cairn::chain::{Block, Content, Read};
use cairn::views::View;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Deserialize;
use serde_json::Value;
use support::{Chain, Process, cairn, each};
use test_cluster::process::{cpu_s, has_ended, resident_max_bytes};
use topology::log::kafka::{KafkaLog, Options};
use topology::log::{Isolation, Log, TopicPartition};

/// Some transfers are more than an account may owe.
const PARAMETERS: &[(&str, &str)] = &[
    ("CAIRN_BLOCK_MAX_TRANSACTIONS", "1000"),
    ("CAIRN_OVERDRAFT_MAX", "1500"),
    ("CAIRN_FEE", "2"),
    ("CAIRN_REWARD", "1"),
];

/// Between two looks at a process.
const PAUSE: Duration = Duration::from_millis(5);

/// A row of a transfer, as far as a receipt says it.
#[derive(Deserialize)]
struct Transfer<'r> {
    height: u64,
    index: u32,
    status: &'r str,
    partition: Option<i32>,
    offset: Option<i64>,
    sender: Option<&'r str>,
    recipient: Option<&'r str>,
    amount: Option<u64>,
    fee: i64,
    sender_balance: Option<i64>,
    recipient_balance: Option<i64>,
}

#[derive(Deserialize)]
struct Balance<'r> {
    name: &'r str,
    balance: i64,
    nonce: u64,
    delta: i64,
}

/// What stands for a row, so that a million fit into memory.
fn digest(row: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}

/// The receipts of all transactions, in the order of the chain, read from the blocks alone.
fn receipts(blockchain: &str) -> Vec<u64> {
    let mut receipts = Vec::new();
    each(blockchain, |record| {
        let Ok(Read::Block(block)) = Block::from_record(record.key, record.value) else { panic!("no block") };
        for (index, entry) in (0_u32..).zip(&block.entries) {
            let Content::Transaction { transaction, receipt } = &entry.content else { panic!("all are transfers") };
            receipts.push(digest(&(
                (block.header.height, index, entry.origin.partition, entry.origin.offset),
                (transaction.from.as_str(), transaction.to.as_str(), transaction.amount.get()),
                (receipt.is_applied(), receipt.from_balance, receipt.to_balance),
            )));
        }
    });
    receipts
}

/// The rows of transactions, likewise; and what all rows that were applied add up to.
fn transfers(topic: &str) -> (Vec<u64>, BTreeMap<String, i64>) {
    let (mut rows, mut sums) = (Vec::new(), BTreeMap::<String, i64>::new());
    each(topic, |record| {
        let row: Transfer<'_> = serde_json::from_slice(record.value.unwrap()).unwrap();
        let amount = row.amount.unwrap();
        let is_applied = row.status == "applied";
        if let (Some(partition), Some(offset)) = (row.partition, row.offset) {
            rows.push(digest(&(
                (row.height, row.index, partition, offset),
                (row.sender.unwrap(), row.recipient.unwrap(), amount),
                (is_applied, row.sender_balance.unwrap(), row.recipient_balance.unwrap()),
            )));
        }
        let mut post = |name: Option<&str>, units: i64| {
            if let Some(name) = name.filter(|_| is_applied) {
                *sums.entry(name.to_owned()).or_default() += units;
            }
        };
        post(row.sender, -(amount.cast_signed() + row.fee));
        post(row.recipient, amount.cast_signed());
    });
    sums.retain(|_, balance| *balance != 0);
    (rows, sums)
}

/// What the last row of each account says it holds; every row says by how much that differs from the one before.
fn balances(topic: &str) -> BTreeMap<String, i64> {
    let mut held = BTreeMap::<String, i64>::new();
    each(topic, |record| {
        let row: Balance<'_> = serde_json::from_slice(record.value.unwrap()).unwrap();
        assert_eq!((record.key, row.nonce), (Some(row.name.as_bytes()), 0));
        let before = held.insert(row.name.to_owned(), row.balance).unwrap_or_default();
        assert_eq!(row.balance - before, row.delta, "{}", row.name);
    });
    held.retain(|_, balance| *balance != 0);
    held
}

fn views(chain: &Chain, words: &[&str]) -> Command {
    let mut command = cairn("views");
    command.args(words);
    command.args(["--log-format", "json", "--brokers", chain.cluster.brokers(), "--blockchain", &chain.blockchain]);
    command.arg("--state-dir").arg(chain.directory.path().join("views"));
    command
}

/// Follows the chain to its end with all views, and says what that took.
fn follow(chain: &Chain) -> Vec<Value> {
    let start = Instant::now();
    let process = Process::start(&mut views(chain, &["--until-end", "--json"]), chain.directory.path());
    let (mut cpu, mut resident_bytes) = (0.0, 0);
    while !has_ended(process.id()) {
        (cpu, resident_bytes) =
            (cpu_s(process.id()).unwrap_or(cpu), resident_max_bytes(process.id()).unwrap_or(resident_bytes));
        std::thread::sleep(PAUSE);
    }
    let taken_s = start.elapsed().as_secs_f64();
    let finished = process.wait();
    assert!(finished.status.success(), "{finished}");
    let told: Vec<Value> = finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows: Vec<u64> = told.iter().map(|line| line["rows"].as_u64().unwrap()).collect();
    println!("views: {rows:?} rows in {taken_s:.1} s, {cpu:.1} CPU-s, {} MiB at most", resident_bytes >> 20);
    told
}

/// Transfers between accounts drawn at random.
fn payments(count: usize) -> String {
    let mut random = ChaCha20Rng::seed_from_u64(20_261_130);
    let account_count = (count / 10).max(2) as u64;
    let mut line = || {
        let (from, to) = (random.next_u64() % account_count, random.next_u64() % account_count);
        support::transfer(&format!("account-{from}"), &format!("account-{to}"), 1 + random.next_u64() % 1_000)
    };
    (0..count).map(|_| line()).collect()
}

#[test]
fn killed_in_the_middle_rows_equal_the_receipts_and_balances_equal_the_state() {
    let count = std::env::var("MEASURE_TRANSFERS").map_or(20_000, |count| count.parse::<usize>().unwrap());
    let chain = Chain::new(PARAMETERS);
    // Makes its topics.
    chain.run_until_end();
    chain.produce(&payments(count));
    let start = Instant::now();
    chain.run_until_end();
    println!("{count} transfers sealed in {:.1} s", start.elapsed().as_secs_f64());

    let log = KafkaLog::new(Options::new(chain.cluster.brokers())).unwrap();
    let written = |view: View| {
        let partition = TopicPartition::new(view.topic(&chain.blockchain), 0);
        log.watermarks(&partition, Isolation::ReadUncommitted).map_or(0, |marks| marks.high)
    };
    for share in [3, 2] {
        let mut process = Process::start(&mut views(&chain, &[]), chain.directory.path());
        // The views are apart from each other: one has this much, the others less or more.
        let enough = (count / share) as i64;
        process.until("rows in the middle", |_| written(View::Transfers) >= enough);
        process.kill();
        println!("killed with {:?} rows written", View::ALL.map(written));
    }
    let told = follow(&chain);
    let receipts = receipts(&chain.blockchain);
    assert_eq!(receipts.len(), count);
    let (rows, sums) = transfers(&View::Transfers.topic(&chain.blockchain));
    let differs = rows.iter().zip(&receipts).position(|(row, receipt)| row != receipt);
    assert_eq!((rows.len(), differs), (receipts.len(), None));

    let state = chain.inspect(&chain.state());
    assert!(told.iter().all(|line| line["height"] == state["height"]), "{told:?}");
    let account =
        |account: &Value| (account["name"].as_str().unwrap().to_owned(), account["balance"].as_i64().unwrap());
    let state: BTreeMap<String, i64> = state["accounts"].as_array().unwrap().iter().map(account).collect();
    assert!(balances(&View::Balances.topic(&chain.blockchain)) == state, "the balances are not the state's");
    assert!(sums == state, "the transfers do not add up to the state");

    // All rows anew, in one go: what that takes.
    let reset = Process::start(&mut views(&chain, &["reset", "--yes"]), chain.directory.path()).wait();
    assert!(reset.status.success(), "{reset}");
    follow(&chain);
    assert_eq!(transfers(&View::Transfers.topic(&chain.blockchain)).0, receipts);
}
