//! Measurements, not run by default:
//! `cargo test --release --lib ledger::tests::measure -- --ignored --nocapture --test-threads 1`.
//!
//! All are CPU time of the measuring thread, so whatever else the machine does counts little.

use super::world::*;
use crate::chain::{Block, Entry, Id, Parameters, Transaction, to_canonical};
use crate::ledger::signatures;

const TRANSFERS: usize = 1_000;
const BLOCKS: usize = 300;

fn account(n: u64) -> String {
    format!("account-{n:06}")
}

/// Prints best and median of the nanoseconds per transfer that blocks of 1,000 take.
fn measure(what: &str, account_count: u64, dress: impl Fn(Transaction, u64) -> Transaction) {
    let accounts: Vec<_> = (0..account_count).map(|n| (name(&account(n)), 1_000_000)).collect();
    let mut world = World::new(Parameters { fee: amount(1), ids_remember_blocks: 20, ..strict() }, &accounts);
    let mut state = 7u64;
    let mut random = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % account_count
    };
    let (mut execute, mut tree, mut advance) = (Vec::new(), Vec::new(), Vec::new());
    for block in 0..BLOCKS {
        let entries: Vec<Entry> = (0..TRANSFERS)
            .map(|n| {
                let plain = transfer(&account(random()), &account(random()), 3);
                world.entry(dress(plain, (block * TRANSFERS + n) as u64))
            })
            .collect();
        let (executed, taken_ns) = timed(|| world.execute(&entries));
        execute.push(taken_ns);
        let changes = executed.changes().to_tree();
        let (update, taken_ns) = timed(|| world.replica.tree().update(changes).unwrap());
        tree.push(taken_ns);
        assert_eq!(update.root(), executed.header.state_root);
        assert!(executed.receipts.iter().flatten().all(|receipt| receipt.is_applied()));
        let next_seed = next_seed(&executed);
        let (changes, taken_ns) = timed(|| world.replica.advance(executed, next_seed).unwrap());
        advance.push(taken_ns);
        world.state.apply(&changes);
    }
    let per_transfer = |mut times: Vec<u64>| {
        times.sort_unstable();
        let thousand = TRANSFERS as u64;
        (times[0] / thousand, times[times.len() / 2] / thousand)
    };
    let (execute, tree, advance) = (per_transfer(execute), per_transfer(tree), per_transfer(advance));
    println!("{account_count} accounts, {what}, blocks of {TRANSFERS}: ns per transfer, best / median:");
    println!("    execute {} / {}, of it the state tree {} / {} (warm)", execute.0, execute.1, tree.0, tree.1);
    println!("    advance {} / {}", advance.0, advance.1);
    println!("    together {} / {}", execute.0 + advance.0, execute.1 + advance.1);
}

/// What something gives, and the CPU time that this thread spent on it, in nanoseconds.
fn timed<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = cpu_time_ns();
    let result = work();
    (result, cpu_time_ns() - before)
}

fn cpu_time_ns() -> u64 {
    // Giving way makes the kernel bring its count up to date.
    std::thread::yield_now();
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    counts.split(' ').next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "a measurement"]
fn executing_over_1_000_accounts() {
    measure("plain transfers", 1_000, |transaction, _| transaction);
}

#[test]
#[ignore = "a measurement"]
fn executing_over_100_000_accounts() {
    measure("plain transfers", 100_000, |transaction, _| transaction);
}

#[test]
#[ignore = "a measurement"]
fn executing_over_1_000_000_accounts() {
    measure("plain transfers", 1_000_000, |transaction, _| transaction);
}

#[test]
#[ignore = "a measurement"]
fn executing_with_ids_over_100_000_accounts() {
    measure("transfers with ids", 100_000, |transaction, n| Transaction {
        id: Some(Id::new(&format!("order-{n}")).unwrap()),
        ..transaction
    });
}

#[test]
#[ignore = "a measurement"]
fn checking_1000_signatures() {
    let (k1, keyed) = key(1);
    let mut world = World::new(strict(), &[]);
    let entries: Vec<Entry> = (0..TRANSFERS as u64)
        .map(|n| {
            let transaction = Transaction::transfer(keyed.clone(), name("bob"), amount(n + 1));
            let transaction = Transaction { nonce: Some(n), ..transaction }.signed(&CHAIN, &k1);
            world.entry(transaction)
        })
        .collect();
    let mut randomness = <rand_chacha::ChaCha20Rng as rand_chacha::rand_core::SeedableRng>::seed_from_u64(1);
    let policy = crate::chain::Signatures::WhenKeyed;
    let (answers, taken_ns) = timed(|| signatures::verify(&entries, policy, &CHAIN, &mut randomness));
    println!("{} signatures in {taken_ns} ns", answers.len());
    let block = Block { entries, ..World::new(strict(), &[]).seal(vec![transfer("a", "b", 1)]).clone() };
    let (size, taken_ns) = timed(|| block.entries.iter().map(|entry| to_canonical(entry).len()).sum::<usize>());
    println!("{size} canonical bytes in {taken_ns} ns");
}
