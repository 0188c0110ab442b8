//! Made-up transactions: payments among friends, a few that no account covers, now and then a record that is none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use topology::clock::{Clock, SystemClock};
use topology::log::{Log, Producer, ProducerOptions, ProducerRecord};

use super::super::error::Result;

const NAMES: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
const TICK: Duration = Duration::from_millis(50);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Those who pay each other.
pub(super) fn accounts() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter()
}

/// Sends `rate` transactions per second until told to stop. Equal seeds send equal transactions in equal order.
pub(super) fn send<L: Log>(log: &L, topic: &str, rate: u32, seed: u64, stop: &AtomicBool) -> Result<()> {
    let clock = SystemClock::new();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut producer = log.producer(&ProducerOptions {
        transactional_id: "cairn-demo-traffic".to_owned(),
        transaction_timeout_ms: 10_000,
        client_id: "cairn-demo-traffic".to_owned(),
        track_topics: Vec::new(),
    })?;
    producer.init_transactions(TIMEOUT)?;
    let mut sent = 0;
    while !stop.load(Ordering::SeqCst) {
        let due = i64::from(rate).saturating_mul(clock.monotonic_ms()) / 1_000;
        if due > sent {
            producer.begin()?;
            let timestamp_ms = clock.now_ms();
            while sent < due {
                let (key, value) = transaction(&mut rng);
                let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
                producer.send(&ProducerRecord { topic, partition: None, timestamp_ms, key, value, headers: &[] })?;
                sent += 1;
            }
            producer.commit(TIMEOUT)?;
        }
        std::thread::sleep(TICK);
    }
    Ok(())
}

/// A sender and a record's value.
fn transaction(rng: &mut StdRng) -> (&'static str, String) {
    let mut any = || NAMES.get(rng.random_range(0..NAMES.len())).copied().unwrap_or("alice");
    let (from, to) = (any(), any());
    let amount: u64 = match rng.random_range(0..100) {
        0 => return (from, format!("{from} owes {to} a drink")),
        1..=3 => rng.random_range(1_000_000..2_000_000),
        _ => rng.random_range(1..200),
    };
    (from, format!(r#"{{"from":"{from}","to":"{to}","amount":{amount}}}"#))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::parse;

    #[test]
    fn equal_seeds_give_equal_transactions_and_nearly_all_can_be_read() {
        let values = |seed| {
            let mut rng = StdRng::seed_from_u64(seed);
            (0..1_000).map(|_| transaction(&mut rng).1).collect::<Vec<_>>()
        };
        assert_eq!(values(1), values(1));
        assert_ne!(values(1), values(2));
        let readable = values(1).iter().filter(|value| parse(Some(value.as_bytes())).is_ok()).count();
        assert!((950..1_000).contains(&readable), "{readable}");
    }
}
