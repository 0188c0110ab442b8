//! The log lines of this process.

use std::io::{self, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

static TEXT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Kept;

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TEXT.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From now on all lines are kept.
pub(crate) fn keep() {
    static KEPT: OnceLock<()> = OnceLock::new();
    KEPT.get_or_init(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Kept).init());
}

/// The lines so far that hold all of these.
pub(crate) fn with(parts: &[&str]) -> Vec<String> {
    let text = String::from_utf8_lossy(&TEXT.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    text.lines().filter(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned).collect()
}

/// Waits for so many lines that hold all of these.
pub(crate) fn until(count: usize, parts: &[&str]) -> Vec<String> {
    let start = Instant::now();
    loop {
        let found = with(parts);
        if found.len() >= count {
            return found;
        }
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "not {count} lines with {parts:?}:\n{}",
            with(&[]).join("\n")
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The number in a line behind this name.
#[allow(dead_code, reason = "each test uses its own part")]
pub(crate) fn number(line: &str, name: &str) -> i64 {
    let (_, rest) = line.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in: {line}"));
    rest.split(|digit: char| !digit.is_ascii_digit()).next().unwrap().parse().unwrap()
}
