//! Raises an alert when the logins of an account fail three times within a minute: once a minute, however often they
//! fail.
//!
//! ```text
//!   logins, by account ──> failed ──> watch ──> alerts
//!                                       └─ store: of each account, the minute of its last failure, and how many it had in it
//!
//! cargo run -p topology --no-default-features --example alerts
//! ```
//! Minutes are those of event time: the same input raises the same alerts, whenever it is processed.

mod in_memory;

use in_memory::Result;
use serde::{Deserialize, Serialize};
use topology::codec::Json;
use topology::graph::{Builder, Store, Topology};

const WINDOW_MS: i64 = 60_000;
const LIMIT: u32 = 3;

#[derive(Serialize, Deserialize)]
struct Window {
    start_ms: i64,
    failures: u32,
}

fn alerts() -> topology::Result<Topology> {
    let builder = Builder::new();
    let windows: Store<str, Json<Window>> = Store::rocksdb("windows");
    builder
        .sub_topology("watching")
        .source::<str, str>("logins")
        .filter(|login| login.value == Some("failed"))
        .with_store(&windows)
        .process_fn::<str, String>(|login, windows, context| {
            let Some(account) = login.key else { return Ok(()) };
            let start_ms = login.timestamp_ms - login.timestamp_ms.rem_euclid(WINDOW_MS);
            let mut window = match windows.get(&account)? {
                // A login that comes after one of a later minute: that minute is past.
                Some(Json(window)) if window.start_ms > start_ms => return Ok(()),
                Some(Json(window)) if window.start_ms == start_ms => window,
                _ => Window { start_ms, failures: 0 },
            };
            window.failures += 1;
            if window.failures == LIMIT {
                let text = format!("{LIMIT} logins failed since {start_ms} ms");
                context.forward(login.with(Some(account), Some(text)))?;
            }
            Ok(windows.put(&account, &Json(window))?)
        })
        .sink("alerts");
    builder.build()
}

fn main() -> Result {
    let log = in_memory::log();
    let logins = [
        ("ann", "failed", 1_000),
        ("bob", "failed", 2_000),
        ("ann", "failed", 3_000),
        ("bob", "passed", 4_000),
        ("ann", "failed", 5_000),
    ];
    in_memory::write::<str>(&log, "logins", &logins)?;
    in_memory::run(&alerts()?, &log, "alerts")?;
    for (account, alert) in in_memory::read::<String>(&log, "alerts")? {
        println!("{account}: {alert}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use topology::test_driver::TestDriver;

    fn login(driver: &mut TestDriver, account: &str, outcome: &str, time_ms: i64) {
        driver.input::<str, str>("logins").pipe_at(Some(account), Some(outcome), time_ms).unwrap();
    }

    #[test]
    fn three_failures_of_one_account_within_a_minute_raise_one_alert() {
        let mut driver = TestDriver::new(&alerts().unwrap(), "app", 0).unwrap();
        for time_ms in [1_000, 2_000, 59_999, 59_999, 60_000, 61_000] {
            login(&mut driver, "ann", "failed", time_ms);
            login(&mut driver, "bob", if time_ms < 3_000 { "failed" } else { "passed" }, time_ms);
        }
        driver.commit().unwrap();
        let alert = |start: &str| (Some("ann"), Some(format!("3 logins failed since {start} ms")));
        let raised = |driver: &TestDriver| driver.output::<str, String>("alerts").read().unwrap().len();
        assert_eq!(driver.output::<str, String>("alerts").read().unwrap(), [alert("0")]);
        // One of a minute that is past, then the third of this one.
        login(&mut driver, "ann", "failed", 59_000);
        driver.commit().unwrap();
        assert_eq!(raised(&driver), 1);
        login(&mut driver, "ann", "failed", 62_000);
        driver.commit().unwrap();
        assert_eq!(driver.output::<str, String>("alerts").read().unwrap()[1..], [alert("60000")]);
    }

    #[test]
    fn it_runs() {
        main().unwrap();
    }
}
