//! Measurements, not run by default:
//! `cargo test --release --lib chain::parse::tests::measure -- --ignored --nocapture --test-threads 1`.

use crate::chain::parse;

/// CPU time of this thread in nanoseconds, so that whatever else the machine does counts little.
fn cpu_time_ns() -> u64 {
    // Giving way makes the kernel bring its count up to date.
    std::thread::yield_now();
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    counts.split(' ').next().unwrap().parse().unwrap()
}

/// Prints best and median of the nanoseconds per value.
fn measure(what: &str, value: impl Fn(u64) -> String) {
    const VALUES: u64 = 10_000;
    let values: Vec<String> = (0..VALUES).map(value).collect();
    let mut times: Vec<u64> = (0..300)
        .map(|_| {
            let before = cpu_time_ns();
            assert!(values.iter().all(|value| parse(Some(value.as_bytes())).is_ok()), "{what}");
            cpu_time_ns() - before
        })
        .collect();
    times.sort_unstable();
    println!("{what}: ns per value, best / median: {} / {}", times[0] / VALUES, times[times.len() / 2] / VALUES);
}

#[test]
#[ignore = "a measurement"]
fn parsing_values() {
    measure("ASCII", |n| format!(r#"{{"from":"account-{n:06}","to":"account-{:06}","amount":{n}}}"#, n + 1));
    measure("ASCII, with id", |n| {
        format!(r#"{{"from":"account-{n:06}","to":"account-{:06}","amount":{n},"id":"order-{n}","fee":1}}"#, n + 1)
    });
    measure("keyed", |n| format!(r#"{{"from":"ed25519:{n:064x}","to":"account-{n:06}","amount":{n}}}"#));
    measure("Latin", |n| format!(r#"{{"from":"Zoë-{n:06}","to":"René-{n:06}","amount":{n}}}"#));
    measure("Hangul", |n| format!(r#"{{"from":"김철수-{n:06}","to":"이영희-{n:06}","amount":{n}}}"#));
    let (first, second) = ("q\u{323}\u{307}", "x\u{301}");
    measure("combining marks", |n| format!(r#"{{"from":"{first}-{n:06}","to":"{second}-{n:06}","amount":{n}}}"#));
}
