//! Measurements, not run by default:
//! `cargo test --release --lib ledger::tests::measure -- --ignored --nocapture --test-threads 1`.
//!
//! All are CPU time of the measuring thread, so whatever else the machine does counts little.

use super::world::*;
use crate::chain::{Block, Entry, Id, Parameters, Transaction, to_canonical};
use crate::ledger::signatures;

const ACCOUNTS: u64 = 100_000;
const TRANSFERS: usize = 1_000;

fn account(n: u64) -> String {
    format!("account-{n:06}")
}

/// Prints best and median of the nanoseconds per transfer that blocks of 1,000 take over 100,000 accounts.
fn measure(what: &str, rounds: usize, dress: impl Fn(Transaction, u64) -> Transaction) {
    let accounts: Vec<_> = (0..ACCOUNTS).map(|n| (name(&account(n)), 1_000_000)).collect();
    let mut world = World::new(Parameters { fee: amount(1), ids_remember_blocks: 20, ..strict() }, &accounts);
    let mut state = 7u64;
    let mut random = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % ACCOUNTS
    };
    let (mut all, mut tree) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let entries: Vec<Entry> = (0..TRANSFERS)
            .map(|n| {
                let plain = transfer(&account(random()), &account(random()), 3);
                world.entry(dress(plain, (round * TRANSFERS + n) as u64))
            })
            .collect();
        let (executed, taken_ns) = timed(|| world.execute(&entries));
        all.push(taken_ns);
        let changes = executed.changes.to_tree();
        let (update, taken_ns) = timed(|| world.tree.update(changes).unwrap());
        tree.push(taken_ns);
        assert_eq!(update.root(), executed.header.state_root);
        assert!(executed.receipts.iter().flatten().all(|receipt| receipt.is_applied()));
        world.commit(executed);
    }
    let per_transfer = |mut times: Vec<u64>| {
        times.sort_unstable();
        let thousand = TRANSFERS as u64;
        (times[0] / thousand, times[times.len() / 2] / thousand)
    };
    let ((best, median), (tree_best, tree_median)) = (per_transfer(all), per_transfer(tree));
    println!(
        "{what}: ns per transfer, best / median: execute {best} / {median}, of it the state tree {tree_best} / {tree_median}"
    );
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
fn executing_blocks_of_1000_over_100_000_accounts() {
    measure("plain transfers", 100, |transaction, _| transaction);
    measure("transfers with ids", 100, |transaction, n| Transaction {
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
            let transaction = Transaction::transfer(keyed.clone(), name("bob"), amount(n));
            let transaction = Transaction { nonce: Some(n), ..transaction }.signed(CHAIN_ID, &k1);
            world.entry(transaction)
        })
        .collect();
    let mut randomness = <rand_chacha::ChaCha20Rng as rand_chacha::rand_core::SeedableRng>::seed_from_u64(1);
    let policy = crate::chain::Signatures::WhenKeyed;
    let (answers, taken_ns) = timed(|| signatures::verify(&entries, policy, CHAIN_ID, &mut randomness));
    println!("{} signatures in {taken_ns} ns", answers.len());
    let block = Block { entries, ..World::new(strict(), &[]).seal(vec![transfer("a", "b", 0)]).clone() };
    let (size, taken_ns) = timed(|| block.entries.iter().map(|entry| to_canonical(entry).len()).sum::<usize>());
    println!("{size} canonical bytes in {taken_ns} ns");
}
