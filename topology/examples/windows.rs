//! Counts the views of each page in each minute, and tells each count once: when its minute is over.
//!
//! ```text
//!   views, by page ──> count by minute ──> views-per-minute
//!                          └─ store: counts of minutes that are not told yet, the oldest first
//!
//! cargo run -p topology --no-default-features --example windows
//! ```
//! A minute is over once a record shows a time that is [`GRACE_MS`] later: views that come later than others are waited
//! for so long. A view of a minute that was told is passed over. Time is event time, which the records drive: the last
//! minutes are not told while no record comes.

mod in_memory;

use std::ops::{Bound, ControlFlow};

use in_memory::Result;
use topology::codec::{Codec, DecodeError, EncodeError};
use topology::graph::{Builder, Store, Topology};
use topology::processor::{Record, Schedule};
use topology::store::Direction;

const MINUTE_MS: i64 = 60_000;
const GRACE_MS: i64 = 10_000;

/// A page in a minute: 8 bytes of time, then the page. So those of a minute lie together, the oldest minute first.
/// Times are not negative: big endian, negative numbers would come behind all others.
struct Window {
    start_ms: i64,
    page: String,
}

impl Window {
    fn of(page: &str, time_ms: i64) -> Self {
        Self { start_ms: time_ms.max(0) / MINUTE_MS * MINUTE_MS, page: page.to_owned() }
    }

    fn is_over(&self, now_ms: i64) -> bool {
        self.start_ms + MINUTE_MS + GRACE_MS <= now_ms
    }
}

impl Codec for Window {
    fn encode(window: &Self, out: &mut Vec<u8>) -> std::result::Result<(), EncodeError> {
        i64::encode(&window.start_ms, out)?;
        String::encode(&window.page, out)
    }

    fn decode(bytes: &[u8]) -> std::result::Result<Self, DecodeError> {
        let (start_ms, page) = bytes.split_at_checked(8).ok_or_else(|| DecodeError::new("too short for a window"))?;
        Ok(Self { start_ms: i64::decode(start_ms)?, page: String::decode(page)? })
    }
}

fn views_per_minute() -> topology::Result<Topology> {
    let builder = Builder::new();
    let counts: Store<Window, i64> = Store::rocksdb("open-windows");
    builder
        .sub_topology("counting")
        .source::<str, [u8]>("views")
        .with_store(&counts)
        .functions::<String, String>()
        .init(|_, context| {
            // So often it is looked for what is over: the more seldom, the later a minute is told.
            context.schedule(Schedule::StreamTime { interval_ms: 1_000 });
            Ok(())
        })
        .punctuate(|due, counts, context| {
            let mut over = Vec::new();
            counts.range(Bound::Unbounded, Bound::Unbounded, Direction::Forward, |window: Window, count| {
                match window.is_over(due.timestamp_ms) {
                    true => over.push((window, count)),
                    // All that follow begin as late or later.
                    false => return ControlFlow::Break(()),
                }
                ControlFlow::Continue(())
            })?;
            for (window, count) in over {
                counts.delete(&window)?;
                let (end_ms, text) = (window.start_ms + MINUTE_MS, format!("{count} since {} ms", window.start_ms));
                context.forward(Record::new(None, end_ms, Some(window.page), Some(text)))?;
            }
            Ok(())
        })
        .process(|view, counts, context| {
            let Some(page) = view.key else { return Ok(()) };
            let window = Window::of(page, view.timestamp_ms);
            if !window.is_over(context.stream_time_ms().unwrap_or_default()) {
                counts.update(&window, |count| Some(count.unwrap_or(0) + 1))?;
            }
            Ok(())
        })
        .sink("views-per-minute");
    builder.build()
}

fn main() -> Result {
    let log = in_memory::log();
    let views = [("/", 1_000), ("/", 59_000), ("/about", 61_000), ("/", 58_000), ("/", 140_000)];
    let views = views.map(|(page, time_ms)| (page, &b""[..], time_ms));
    in_memory::write::<[u8]>(&log, "views", &views)?;
    in_memory::run(&views_per_minute()?, &log, "views-per-minute")?;
    for (page, count) in in_memory::read::<String>(&log, "views-per-minute")? {
        println!("{page}: {count}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use topology::test_driver::TestDriver;

    fn view(driver: &mut TestDriver, page: &str, time_ms: i64) {
        driver.input::<str, [u8]>("views").pipe_at(Some(page), Some(b""), time_ms).unwrap();
    }

    fn told(driver: &TestDriver) -> Vec<(&str, &str)> {
        let records = driver.output::<str, str>("views-per-minute").read().unwrap();
        records.into_iter().map(|(page, count)| (page.unwrap(), count.unwrap())).collect()
    }

    #[test]
    fn a_minute_is_told_once_with_what_came_within_its_grace_also_where_the_process_dies() {
        let topology = views_per_minute().unwrap();
        let mut driver = TestDriver::new(&topology, "app", 0).unwrap();
        view(&mut driver, "/", 0);
        view(&mut driver, "/", MINUTE_MS + GRACE_MS - 1);
        view(&mut driver, "/", MINUTE_MS - 1); // late, and waited for
        driver.commit().unwrap();
        assert_eq!(told(&driver), []);

        driver.restart(&topology).unwrap();
        view(&mut driver, "/about", MINUTE_MS + GRACE_MS);
        view(&mut driver, "/", MINUTE_MS - 1); // too late
        driver.commit().unwrap();
        assert_eq!(told(&driver), [("/", "2 since 0 ms")]);

        view(&mut driver, "/", 2 * MINUTE_MS + GRACE_MS);
        driver.commit().unwrap();
        assert_eq!(told(&driver)[1..], [("/", "1 since 60000 ms"), ("/about", "1 since 60000 ms")]);
    }

    #[test]
    fn it_runs() {
        main().unwrap();
    }
}
