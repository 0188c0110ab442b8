//! Lets each payment through once, however often it was sent: ids are remembered for a day.
//!
//! ```text
//!   payments, by id ──> first ──> payments-once
//!                         └─ stores: ids that were seen; the same by time, so that old ones are found
//!
//! cargo run -p topology --no-default-features --example deduplication
//! ```
//! A day is one of event time, which the records drive: nothing is forgotten while none come.

mod in_memory;

use std::ops::{Bound, ControlFlow};

use in_memory::Result;
use topology::graph::{Builder, Store, Topology};
use topology::processor::Schedule;
use topology::store::Direction;

const HOUR_MS: i64 = 3_600_000;
const REMEMBERED_MS: i64 = 24 * HOUR_MS;

fn deduplication() -> topology::Result<Topology> {
    let builder = Builder::new();
    let seen: Store<str, ()> = Store::rocksdb("seen");
    // The key: 8 bytes of time, then the id. So those of a time lie together, the oldest first.
    let by_time: Store<[u8], ()> = Store::rocksdb("seen-by-time");
    builder
        .sub_topology("deduplicating")
        .source::<str, str>("payments")
        .with_store(&seen)
        .with_store(&by_time)
        .functions::<str, str>()
        .init(|_, context| {
            context.schedule(Schedule::StreamTime { interval_ms: HOUR_MS });
            Ok(())
        })
        .punctuate(|due, (seen, by_time), _| {
            let end = (due.timestamp_ms - REMEMBERED_MS).max(0).to_be_bytes();
            let mut old = Vec::new();
            by_time.range(Bound::Unbounded, Bound::Excluded(&&end[..]), Direction::Forward, |key, ()| {
                old.push(key.to_vec());
                ControlFlow::Continue(())
            })?;
            for key in old {
                seen.delete(&str::from_utf8(&key[8..])?)?;
                by_time.delete(&&key[..])?;
            }
            Ok(())
        })
        .process(|payment, (seen, by_time), context| {
            let Some(id) = payment.key else { return Ok(()) };
            if seen.contains(&id)? {
                return Ok(());
            }
            seen.put(&id, &())?;
            by_time.put(&&[&payment.timestamp_ms.max(0).to_be_bytes(), id.as_bytes()].concat()[..], &())?;
            context.forward(payment.with(Some(id), payment.value))
        })
        .sink("payments-once");
    builder.build()
}

fn main() -> Result {
    let log = in_memory::log();
    let payments = [("p-1", "ann 5", 0), ("p-2", "bob 7", 1), ("p-1", "ann 5", 2), ("p-3", "ann 5", 3)];
    in_memory::write::<str>(&log, "payments", &payments)?;
    in_memory::run(&deduplication()?, &log, "deduplication")?;
    for (id, payment) in in_memory::read::<String>(&log, "payments-once")? {
        println!("{id}: {payment}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use topology::test_driver::TestDriver;

    fn pay(driver: &mut TestDriver, id: &str, time_ms: i64) {
        driver.input::<str, str>("payments").pipe_at(Some(id), Some("ann 5"), time_ms).unwrap();
    }

    fn ids(driver: &TestDriver) -> Vec<&str> {
        let records = driver.output::<str, str>("payments-once").read().unwrap();
        records.into_iter().filter_map(|(id, _)| id).collect()
    }

    #[test]
    fn a_payment_comes_once_also_where_the_process_dies_and_is_forgotten_after_a_day() {
        let topology = deduplication().unwrap();
        let mut driver = TestDriver::new(&topology, "app", 0).unwrap();
        pay(&mut driver, "a", 0);
        pay(&mut driver, "a", 1);
        driver.commit().unwrap();
        // What was not committed is processed again, and comes once.
        pay(&mut driver, "b", HOUR_MS);
        driver.restart(&topology).unwrap();
        pay(&mut driver, "b", HOUR_MS);
        pay(&mut driver, "a", HOUR_MS);
        driver.commit().unwrap();
        assert_eq!(ids(&driver), ["a", "b"]);

        // The hour that begins with this record is the first for which `a` is older than a day.
        pay(&mut driver, "c", 25 * HOUR_MS);
        driver.commit().unwrap();
        let is_seen = |id: &str| driver.store(&Store::<str, ()>::rocksdb("seen")).unwrap().contains(&id).unwrap();
        assert_eq!(["a", "b", "c"].map(is_seen), [false, true, true]);
    }

    #[test]
    fn it_runs() {
        main().unwrap();
    }
}
