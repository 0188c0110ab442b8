//! Processes everything once more, because the program had a fault: it added refunds up as if they were sales.
//!
//! ```text
//!   sales, by shop ──> add up ──> turnover
//!                        └─ store: sums
//!
//! cargo run -p topology --no-default-features --example replay
//! ```
//! The input is still in its topic, so nothing is lost: all instances are stopped, a reset forgets how far the
//! application had read and what its stores hold, and the mended program begins anew. Its outputs come behind those
//! that are wrong. A consumer that keeps the last record of each key, as one of a compacted topic does, ends with those
//! that are right.

mod in_memory;

use in_memory::Result;
use topology::graph::{Builder, Store, Topology};
use topology::reset::Plan;

const APPLICATION_ID: &str = "turnover";

/// The fault is in how a sum is made of the one before.
fn turnover(add: fn(i64, i64) -> i64) -> topology::Result<Topology> {
    let builder = Builder::new();
    builder
        .sub_topology("adding")
        .source::<str, i64>("sales")
        .aggregate(&Store::<str, i64>::rocksdb("sums"), move |sum, sale| {
            Some(add(sum.unwrap_or(0), sale.value.unwrap_or(0)))
        })
        .sink("turnover");
    builder.build()
}

fn wrong(sum: i64, amount: i64) -> i64 {
    sum + amount.abs()
}

fn right(sum: i64, amount: i64) -> i64 {
    sum + amount
}

/// What the wrong program made of the input, and then the right one.
fn replay() -> Result<Vec<(String, i64)>> {
    let log = in_memory::log();
    in_memory::write::<i64>(&log, "sales", &[("north", 50, 0), ("south", 30, 1), ("north", -20, 2)])?;
    in_memory::run(&turnover(wrong)?, &log, APPLICATION_ID)?;

    let mended = turnover(right)?;
    // The last argument is the state directory, where there is one.
    let plan = Plan::look(&mended, &log, APPLICATION_ID, None)?;
    println!("forgets: {plan}");
    plan.carry_out(&log)?;
    in_memory::run(&mended, &log, APPLICATION_ID)?;
    in_memory::read(&log, "turnover")
}

fn main() -> Result {
    for (shop, sum) in replay()? {
        println!("{shop}: {sum}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_replay_the_last_record_of_each_key_is_right() {
        let turnover = replay().unwrap();
        let before = [("north", 50), ("south", 30), ("north", 70)];
        let behind = [("north", 50), ("south", 30), ("north", 30)];
        let expected: Vec<_> =
            [before, behind].concat().into_iter().map(|(shop, sum)| (shop.to_owned(), sum)).collect();
        assert_eq!(turnover, expected);
    }
}
