//! Enriches orders by their customers: a join of two topics, with a store on each side, exactly once.
//!
//! ```text
//!   customers ──> by id ────────┐
//!                               ├──> enrich ──> enriched-orders
//!   orders, by customer's id ───┘      │
//!                                      └─ stores: customers; orders whose customer is not there yet
//!
//! cargo run --release --locked --example enrichment -- localhost:9092
//! ```
//! Both topics must exist, with as many partitions as each other, and be keyed by the customer's id. An order that
//! comes before its customer waits for it, over restarts too.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use serde::{Deserialize, Serialize};
use topology::client::{Client, Config};
use topology::codec::Json;
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::kafka::{self, KafkaLog};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Customer {
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Order {
    item: String,
    count: u32,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Enriched {
    name: String,
    order: Order,
}

fn enrichment(partition_count: i32) -> topology::Result<Topology> {
    let topic = |name: &str| Topic::new(name).partitions(partition_count).must_exist();
    let builder = Builder::new();
    let enriching = builder.sub_topology("enriching");
    let customers = enriching.source::<str, Json<Customer>>(topic("customers"));
    let orders = enriching.source::<str, Json<Order>>(topic("orders"));
    let known: Store<str, Json<Customer>> = Store::rocksdb("customers");
    let waiting: Store<str, Json<Vec<Order>>> = Store::rocksdb("waiting-orders");
    orders
        .processor("enrich")
        .with_store(&known)
        .with_store(&waiting)
        .functions::<str, Json<Enriched>>()
        .with_input(&customers, |customer, (known, waiting), context| {
            let Some(id) = customer.key else { return Ok(()) };
            let Some(Json(changed)) = &customer.value else { return Ok(known.delete(&id)?) };
            known.put(&id, &Json(changed.clone()))?;
            for order in waiting.get(&id)?.map(|Json(orders)| orders).unwrap_or_default() {
                let enriched = Enriched { name: changed.name.clone(), order };
                context.forward(customer.with(Some(id), Some(Json(enriched))))?;
            }
            Ok(waiting.delete(&id)?)
        })
        .process(|order, (known, waiting), context| {
            let (Some(id), Some(Json(new))) = (order.key, &order.value) else { return Ok(()) };
            if let Some(Json(Customer { name })) = known.get(&id)? {
                let enriched = Enriched { name, order: new.clone() };
                return context.forward(order.with(Some(id), Some(Json(enriched))));
            }
            waiting.update(&id, |orders| {
                let mut orders = orders.unwrap_or(Json(Vec::new()));
                orders.push(new.clone());
                Some(orders)
            })?;
            Ok(())
        })
        .sink(Topic::new("enriched-orders").partitions(partition_count));
    builder.build()
}

fn run(arguments: &Arguments) -> topology::Result<()> {
    let log = KafkaLog::new(kafka::Options::new(&arguments.brokers))?;
    let state_directory = Some(arguments.state_directory.clone());
    let config = Config { state_directory, ..Config::new("enrichment") };
    Client::start_blocking(&enrichment(1)?, log, config)?.wait()
}

/// Joins orders with the customers that placed them.
#[derive(clap::Parser)]
struct Arguments {
    /// HOST:PORT of a broker or more, with commas.
    brokers: String,
    /// Where the stores are kept. Each instance needs a directory of its own.
    #[arg(long = "state-dir", default_value = "enrichment-state")]
    state_directory: PathBuf,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    run(&Arguments::parse()).map_or_else(
        |error| {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use topology::test_driver::TestDriver;

    fn customer(driver: &mut TestDriver, id: &str, name: &str) {
        let customer = Json(Customer { name: name.into() });
        driver.input::<str, Json<Customer>>("customers").pipe(id, customer).unwrap();
    }

    fn order(driver: &mut TestDriver, id: &str, item: &str) {
        let order = Json(Order { item: item.into(), count: 1 });
        driver.input::<str, Json<Order>>("orders").pipe(id, order).unwrap();
    }

    fn enriched(driver: &TestDriver) -> Vec<(String, String)> {
        let records = driver.output::<str, Json<Enriched>>("enriched-orders").read().unwrap();
        records.into_iter().filter_map(|(_, value)| value.map(|Json(value)| (value.name, value.order.item))).collect()
    }

    #[test]
    fn an_order_comes_out_with_its_customer_whichever_of_them_came_first() {
        let mut driver = TestDriver::new(&enrichment(1).unwrap(), "app", 0).unwrap();
        customer(&mut driver, "7", "Ann");
        order(&mut driver, "7", "tea");
        order(&mut driver, "8", "milk");
        order(&mut driver, "8", "rice");
        driver.commit().unwrap();
        assert_eq!(enriched(&driver), [("Ann".into(), "tea".into())]);
        // The transaction with what waits behind it fails, and the process begins again.
        customer(&mut driver, "8", "Bob");
        driver.abort().unwrap();
        customer(&mut driver, "8", "Rob");
        order(&mut driver, "8", "salt");
        driver.commit().unwrap();
        let of_8 = [("Bob", "milk"), ("Bob", "rice"), ("Rob", "salt")].map(|(name, item)| (name.into(), item.into()));
        assert_eq!(enriched(&driver)[1..], of_8);
    }
}
