//! A task that reads two topics: which record comes before which shows in its output.

use std::collections::BTreeMap;

use topology::error::Result;
use topology::graph::{Builder, Store, Topic, Topology};
use topology::simulator::{Outcome, Simulation};
use topology::test_driver::OwnedRecord;

/// Behind each payment it tells how many orders of its partition were taken before.
fn topology(partitions: i32) -> topology::Result<Topology> {
    let builder = Builder::new();
    let joining = builder.sub_topology("joining");
    let taken = Store::<i64, i64>::rocksdb("taken");
    let orders = joining.source::<str, ()>(Topic::new("orders").partitions(partitions));
    let payments = joining.source::<str, ()>(Topic::new("payments").partitions(partitions));
    orders.processor("count-orders").with_store(&taken).process_fn::<(), ()>(|_, taken, _| {
        taken.update(&0, |count| Some(count.unwrap_or(0) + 1))?;
        Ok(())
    });
    let told = payments.processor("tell-orders").with_store(&taken).process_fn::<str, i64>(|record, taken, context| {
        context.forward(record.with(record.key, Some(taken.get(&0)?.unwrap_or(0))))
    });
    told.sink(Topic::new("told").partitions(partitions));
    builder.build()
}

/// Both topics merged by the times of the records that are next, an order before a payment of the same time.
fn merged(outcome: &Outcome) -> Result<()> {
    let of = |topic: &str| {
        let mut partitions: BTreeMap<i32, Vec<&OwnedRecord>> = BTreeMap::new();
        for record in outcome.records(topic) {
            partitions.entry(record.partition).or_default().push(record);
        }
        partitions
    };
    let (orders, mut expected) = (of("orders"), Vec::new());
    for (partition, payments) in of("payments") {
        let orders = orders.get(&partition).map_or(&[][..], Vec::as_slice);
        let mut count = 0;
        for payment in payments {
            while orders.get(count).is_some_and(|order| order.timestamp_ms <= payment.timestamp_ms) {
                count += 1;
            }
            let key = String::from_utf8_lossy(payment.key.as_deref().unwrap_or_default()).into_owned();
            expected.push((key, count as i64));
        }
    }
    outcome.expect::<str, i64>("told", expected.iter().map(|(key, count)| (key.as_str(), *count)))
}

pub(crate) fn join(partitions: i32) -> topology::Result<Simulation> {
    let simulation = Simulation::new(&topology(partitions)?, "app")
        .input(move |random, input| {
            input.all_there_first();
            for _ in 0..random.within(1..150) {
                let topic = random.one_of(["orders", "payments"]);
                let partition = random.within(0..partitions.into()) as i32;
                let key = format!("{partition}-{}", random.below(3));
                let time_ms = random.within(0..300);
                input.send::<str, ()>((topic, partition), &key, (), time_ms)?;
            }
            Ok(())
        })
        .check(merged)
        .same_as_undisturbed();
    Ok(simulation)
}
