//! A topology whose task reads two topics, and what comes of it: behind each payment it tells how many orders were
//! taken before. So a payment that is taken before or after another order than it should be shows, and so does one that
//! is taken twice. Uses the crate's public side alone.
#![allow(dead_code, reason = "each test file uses its own part")]

use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::{Log, Producer, ProducerRecord};

use super::counting::{in_transaction, read, spec};

/// An application and its topics.
pub(crate) struct Topics {
    pub(crate) application: String,
    pub(crate) orders: String,
    pub(crate) payments: String,
    pub(crate) output: String,
}

impl Topics {
    pub(crate) fn new(application: String) -> Self {
        let name = |of: &str| format!("{application}-{of}");
        Self { orders: name("orders"), payments: name("payments"), output: name("out"), application }
    }
}

pub(crate) fn topology(topics: &Topics) -> Topology {
    topology_of(topics, 1)
}

/// With topics of so many partitions.
pub(crate) fn topology_of(topics: &Topics, count: i32) -> Topology {
    let builder = Builder::new();
    let joining = builder.sub_topology("joining");
    let taken = Store::<i64, i64>::memory("taken");
    let orders = joining.source::<[u8], [u8]>(Topic::new(&topics.orders).partitions(count));
    let payments = joining.source::<[u8], [u8]>(Topic::new(&topics.payments));
    orders.processor("count-orders").with_store(&taken).process_fn::<(), ()>(|_, taken, _| {
        taken.update(&0, |count| Some(count.unwrap_or(0) + 1))?;
        Ok(())
    });
    let told =
        payments.processor("tell-orders").with_store(&taken).process_fn::<[u8], i64>(|record, taken, context| {
            context.forward(record.with(record.key, Some(taken.get(&0)?.unwrap_or(0))))
        });
    told.sink(Topic::new(&topics.output).partitions(1));
    builder.build().unwrap()
}

pub(crate) fn create(log: &impl Log, topics: &Topics) {
    log.create_topics(&[spec(&topics.orders), spec(&topics.payments), spec(&topics.output)]).unwrap();
}

/// Commits records of these times, in this order, in one transaction.
pub(crate) fn produce(log: &impl Log, topic: &str, times_ms: &[i64]) {
    produce_to(log, topic, 0, b"key", times_ms);
}

/// To this partition, with this key.
pub(crate) fn produce_to(log: &impl Log, topic: &str, partition: i32, key: &[u8], times_ms: &[i64]) {
    in_transaction(log, &format!("{topic}-input"), |producer| {
        for timestamp_ms in times_ms {
            let record = ProducerRecord {
                topic,
                partition: Some(partition),
                timestamp_ms: *timestamp_ms,
                key: Some(key),
                value: Some(&[b'x'; 50]),
                headers: &[],
            };
            producer.send(&record).unwrap();
        }
    });
}

/// For each payment, how many orders come before it where both are merged by the time of the records that are next.
pub(crate) fn expected(orders_ms: &[i64], payments_ms: &[i64]) -> Vec<i64> {
    let mut order = 0;
    let counts = payments_ms.iter().map(|payment_ms| {
        while orders_ms.get(order).is_some_and(|order_ms| order_ms <= payment_ms) {
            order += 1;
        }
        order as i64
    });
    counts.collect()
}

pub(crate) fn told(log: &impl Log, topics: &Topics) -> Vec<i64> {
    told_of(log, topics, b"key")
}

/// Of the payments with this key.
pub(crate) fn told_of(log: &impl Log, topics: &Topics, key: &[u8]) -> Vec<i64> {
    let number = |value: &[u8]| i64::from_be_bytes(value.try_into().unwrap());
    let of_key = read(log, &topics.output).into_iter().filter(|(_, of, _)| of == key);
    of_key.map(|(_, _, value)| number(&value)).collect()
}
